"""One model from its name to its entry in ``head_categories.json``.

>>> entry = analyze("demo", AnalysisSettings())  # doctest: +SKIP
>>> [head.score for head in entry.categories["induction"].top_heads]  # doctest: +SKIP
[0.97, 0.83]
"""

from __future__ import annotations

import datetime
import hashlib
import os
import re
from collections.abc import Callable
from pathlib import Path

from transformer_lens.model_bridge import TransformerBridge
from transformers import PreTrainedTokenizerBase

from headroles.analysis.bridge import load_bridge
from headroles.analysis.extended_roles import count_extended, measure_extended
from headroles.analysis.finished_parts import FinishedParts
from headroles.analysis.freshness import library_versions
from headroles.analysis.hints import candidates, with_hints
from headroles.analysis.knockout import measure_ablation
from headroles.analysis.knockout_passes import PASSES
from headroles.analysis.measure import ProbeTexts, Progress, count_basic, make_texts, measure_roles
from headroles.analysis.start_tokens import measure_starts, note_of
from headroles.errors import UnsupportedModelError
from headroles.models import (
    catalogue_key,
    load_tokenizer,
    model_revision,
    portable_source,
    resolve_source,
)
from headroles.reference import CAUSAL_TEXTS, AnalysisSettings, categorize, causal_conditions
from headroles.roles import DEFINITIONS_VERSION, MIN_SEQUENCES, SCORED_ROLES
from headroles.store import ModelEntry, Tokenization
from headroles.texts import held_out_sequences, start_token
from headroles.types import Sequences


def analyze(
    name_or_folder: str,
    settings: AnalysisSettings,
    *,
    progress: Progress | None = None,
    unfinished: Path | None = None,
    notice: Callable[[str], None] = lambda sentence: None,
) -> ModelEntry:
    """Analyse a model with TransformerLens and put its entry together.

    Args:
        name_or_folder: the model.
        settings: what an instructor chose.
        progress: told after every batch.
        unfinished: the folder that keeps what is finished, for when the analysis is cut off; it is
            taken up from there. None keeps nothing.
        notice: told in a sentence if what is kept there is not taken up.

    Raises:
        UnknownModelError, ModelUnavailableError, UnsupportedModelError: as for loading a model.
    """
    source = resolve_source(name_or_folder)
    if progress:
        progress("loading the model", 0, 0)
    tokenizer = load_tokenizer(source)
    bridge = load_bridge(name_or_folder)
    probe = make_texts(tokenizer, n=settings.sequences, seed=settings.seed)
    _refuse_short_context(name_or_folder, bridge.cfg.n_ctx, probe)
    held_out = held_out_sequences(tokenizer, source)
    parts = FinishedParts(
        unfinished and unfinished / f"{_file_name(catalogue_key(name_or_folder))}.parts",
        _terms(source, settings, probe, held_out),
    )
    if parts.ignored:
        notice(parts.ignored)
    starts = parts.recall(
        "start tokens",
        lambda: [found.model_dump() for found in measure_starts(bridge, tokenizer, probe)],
    )
    more = count_extended(bridge, probe) if settings.extended else 0
    bar = _Bar(progress, count_basic(probe), more, bridge if settings.causal else None, parts)
    bar.hints = len(candidates(catalogue_key(name_or_folder)))
    scores = parts.recall(
        "basic roles",
        lambda: measure_roles(bridge, probe, seed=settings.seed, progress=bar.scoring),
    )
    bar.reach(count_basic(probe))
    if settings.extended:
        scores |= parts.recall(
            "extended roles",
            lambda: measure_extended(
                bridge, tokenizer, probe, seed=settings.seed, progress=bar.extending
            ),
        )
        bar.reach(count_basic(probe) + more)
    categories = categorize(scores, settings)
    causal = {}
    if settings.causal:
        causal = measure_ablation(
            bridge,
            probe,
            {role.key: categories["categories"][role.key].heads for role in SCORED_ROLES},
            seed=settings.seed,
            held_out=held_out,
            progress=bar.knocking_out,
            parts=parts,
        )
    tokenization = _tokenization(tokenizer, starts)
    entry = ModelEntry(
        definitions_version=DEFINITIONS_VERSION,
        model_name=catalogue_key(name_or_folder),
        source=portable_source(source),
        revision=model_revision(source),
        num_layers=bridge.cfg.n_layers,
        num_heads=bridge.cfg.n_heads,
        analysis_date=analysis_date(),
        seed=settings.seed,
        sequences=settings.sequences,
        cap=settings.cap,
        tokenization=tokenization,
        library_versions=library_versions(),
        notes=[*_notes(settings), *note_of(tokenization.candidates)],
        causal=causal,
        **categories,
    )
    entry = with_hints(bridge, tokenizer, entry, progress=bar.trying)
    bar.finish()
    parts.remove()
    return entry


def _terms(
    source: str, settings: AnalysisSettings, probe: ProbeTexts, held_out: Sequences | None
) -> dict[str, object]:
    """What a kept part of an analysis depends on."""
    texts = hashlib.sha256()
    for kind in (probe.sentences, probe.control, probe.repeats, held_out):
        texts.update(b"none" if kind is None else kind.token_ids.numpy().tobytes())
    return {
        "weights": f"{portable_source(source)} {model_revision(source)}",
        "settings": repr(settings),
        "texts": texts.hexdigest(),
        "versions": f"{library_versions()} {DEFINITIONS_VERSION} {PASSES}",
    }


def _file_name(key: str) -> str:
    return re.sub(r"[^\w.-]", "_", key)[:80] + f"-{hashlib.sha256(key.encode()).hexdigest()[:8]}"


def _tokenization(
    tokenizer: PreTrainedTokenizerBase, candidates: list[dict[str, object]]
) -> Tokenization:
    start = start_token(tokenizer)
    return Tokenization(
        start_token=start.text,
        start_token_id=start.token_id,
        is_stand_in=start.is_stand_in,
        passed_over=start.passed_over,
        candidates=candidates,
    )


KNOCK_OUTS_A_TEXT = 4
"""A text is as much work under so many knock-outs as in the scoring, where texts are longer."""


class _Bar:
    """One bar over all parts, which never runs back.

    How much the knock-outs take is known only when the lists are done. So they are given room by
    the bound of :func:`headroles.reference.settings.causal_conditions`, and their count is
    stretched to fill it.
    """

    def __init__(
        self,
        progress: Progress | None,
        basic: int,
        extended: int,
        bridge: TransformerBridge | None,
        parts: FinishedParts,
    ) -> None:
        self._progress = progress or (lambda phase, done, total: None)
        self._basic, self._scored, self._room = basic, basic + extended, 0
        self._parts, self._done, self._went_on = parts, 0, ""
        self.hints = 0
        """Prompts that are tried on the listed heads, at the end."""
        if bridge is not None:
            conditions = causal_conditions(bridge.cfg.n_layers, bridge.cfg.n_heads)
            self._room = CAUSAL_TEXTS * sum(conditions) // KNOCK_OUTS_A_TEXT

    def _tell(self, phase: str, done: int) -> None:
        total = self._scored + self._room + self.hints
        if self._parts.went_on and not self._went_on:
            self._went_on = f" (went on at {self._done / total:.0%})".replace("%", " %")
        self._done = done
        self._progress(phase + self._went_on, done, total)

    def reach(self, done: int) -> None:
        """Go on to where a part ends that was not run, for it was finished before."""
        if self._done < done:
            self._tell("scoring", done)

    def scoring(self, phase: str, done: int, total: int) -> None:
        self._tell(phase, done)

    def extending(self, phase: str, done: int, total: int) -> None:
        self._tell(phase, self._basic + done)

    def knocking_out(self, phase: str, done: int, total: int) -> None:
        self._tell(phase, self._scored + self._room * done // total)

    def trying(self, phase: str, done: int, total: int) -> None:
        self._tell(phase, self._scored + self._room + done)

    def finish(self) -> None:
        """Fill the bar: where no head was listed, none was knocked out or tried."""
        self._tell("writing", self._scored + self._room + self.hints)


def _refuse_short_context(name: str, context: int, probe: ProbeTexts) -> None:
    texts = (probe.sentences, probe.control, probe.repeats)
    longest = max(int(sequences.lengths.max()) for sequences in texts)
    if longest > context:
        raise UnsupportedModelError(
            name,
            why=f"it reads {context} tokens at most, and the analysis needs texts of {longest}.",
        )


def _notes(settings: AnalysisSettings) -> list[str]:
    if settings.sequences >= MIN_SEQUENCES:
        return []
    return [
        f"Only {settings.sequences} repeated sequences: the scores are rough. "
        f"Use {MIN_SEQUENCES} or more for a file that students see."
    ]


def analysis_date() -> str:
    """Today, or the day of SOURCE_DATE_EPOCH (reproducible-builds.org) where it is set."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    moment = (
        datetime.datetime.fromtimestamp(int(epoch), datetime.UTC)
        if epoch
        else datetime.datetime.now(datetime.UTC)
    )
    return moment.date().isoformat()
