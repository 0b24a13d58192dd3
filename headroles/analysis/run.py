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
from headroles.analysis.setting import measured_or_why, unseen_notes, without_gaps
from headroles.analysis.start_tokens import measure_starts, note_of
from headroles.errors import AnalysisError, UnsupportedModelError
from headroles.models import (
    catalogue_key,
    load_tokenizer,
    model_revision,
    portable_source,
    resolve_source,
)
from headroles.reference import CAUSAL_TEXTS, AnalysisSettings, categorize, causal_conditions
from headroles.roles import DEFINITIONS_VERSION, MIN_SEQUENCES, ROLES, SCORED_ROLES
from headroles.store import CausalRole, ModelEntry, Tokenization
from headroles.texts import held_out_sequences, start_token
from headroles.types import RoleScores, Sequences


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
        AnalysisError: if TransformerLens cannot run it, or a basic role cannot be measured on it.
        NotANumberError: if it computes NaN or infinity.
    """
    if progress:
        progress("loading the model", 0, 0)
    try:
        return _analyze(name_or_folder, settings, progress, unfinished, notice)
    except _CallerStopped as stopped:
        raise stopped.error from None


def _analyze(
    name_or_folder: str,
    settings: AnalysisSettings,
    progress: Progress | None,
    unfinished: Path | None,
    notice: Callable[[str], None],
) -> ModelEntry:
    source, key = resolve_source(name_or_folder), catalogue_key(name_or_folder)
    tokenizer = load_tokenizer(source)
    revision, bridge = model_revision(source), load_bridge(name_or_folder)
    probe = make_texts(tokenizer, n=settings.sequences, seed=settings.seed)
    _refuse_short_context(key, bridge.cfg.n_ctx, probe)
    held_out = held_out_sequences(tokenizer, source)
    parts = FinishedParts(
        unfinished and unfinished / f"{_file_name(key)}.parts",
        _terms(source, revision, settings, probe, held_out),
    )
    if parts.ignored:
        notice(parts.ignored)
    bar = _Bar(progress, bridge, probe, settings, parts, hints=len(candidates(key)))
    scores = _scores(bridge, tokenizer, probe, settings, bar)
    starts = measured_or_why(
        lambda: parts.recall("start tokens", lambda: _starts(bridge, tokenizer, probe))
    )
    categories = categorize(scores, settings)
    causal: dict[str, CausalRole] | str = {}
    if settings.causal:
        listed = {role.key: categories["categories"][role.key].heads for role in SCORED_ROLES}
        wanted = {"seed": settings.seed, "held_out": held_out, "parts": parts}
        causal = measured_or_why(
            lambda: measure_ablation(bridge, probe, listed, progress=bar.knocking_out, **wanted)
        )
    tokenization = _tokenization(tokenizer, starts)
    entry = ModelEntry(
        **_identity(key, source, revision, bridge, settings),
        tokenization=tokenization,
        notes=[
            *_notes(settings),
            *unseen_notes(scores),
            *note_of(tokenization.candidates),
            *_missing("The choice of start tokens", starts),
            *_missing("Evidence by ablation", causal),
        ],
        causal={} if isinstance(causal, str) else causal,
        **categories,
    )
    entry = _hinted(bridge, tokenizer, entry, bar)
    bar.finish()
    parts.remove()
    return entry


def _starts(
    bridge: TransformerBridge, tokenizer: PreTrainedTokenizerBase, probe: ProbeTexts
) -> list[dict[str, object]]:
    return [found.model_dump() for found in measure_starts(bridge, tokenizer, probe)]


def _hinted(
    bridge: TransformerBridge, tokenizer: PreTrainedTokenizerBase, entry: ModelEntry, bar: _Bar
) -> ModelEntry:
    """The entry with its prompts, or with a note why there are none."""
    hinted = measured_or_why(lambda: with_hints(bridge, tokenizer, entry, progress=bar.trying))
    if isinstance(hinted, ModelEntry):
        return hinted
    notes = [*entry.notes, *_missing("Prompts that wake gray heads", hinted)]
    return entry.model_copy(update={"notes": notes})


def _identity(
    key: str, source: str, revision: str, bridge: TransformerBridge, settings: AnalysisSettings
) -> dict[str, object]:
    """What was analysed, and how."""
    return {
        "definitions_version": DEFINITIONS_VERSION,
        "model_name": key,
        "source": portable_source(source),
        "revision": revision,
        "num_layers": bridge.cfg.n_layers,
        "num_heads": bridge.cfg.n_heads,
        "analysis_date": analysis_date(),
        "seed": settings.seed,
        "sequences": settings.sequences,
        "cap": settings.cap,
        "library_versions": library_versions(),
    }


def _scores(
    bridge: TransformerBridge,
    tokenizer: PreTrainedTokenizerBase,
    probe: ProbeTexts,
    settings: AnalysisSettings,
    bar: _Bar,
) -> dict[str, RoleScores | str]:
    """Of every role. An entry needs all basic ones; of an extended one it may hold why not.

    Raises:
        AnalysisError: if a basic role cannot be measured.
    """
    scores: dict[str, RoleScores | str] = dict(
        bar.parts.recall(
            "basic roles",
            lambda: measure_roles(bridge, probe, seed=settings.seed, progress=bar.scoring),
        )
    )
    for key, role in scores.items():
        if isinstance(why := without_gaps(role), str):
            raise AnalysisError(
                f"The role {ROLES[key].name} cannot be measured on this model. {why}",
                hint="Choose another model, or more sequences.",
                value=key,
            )
    bar.reach(bar.basic)
    if settings.extended:
        scores |= bar.parts.recall(
            "extended roles",
            lambda: measure_extended(
                bridge, tokenizer, probe, seed=settings.seed, progress=bar.extending
            ),
        )
        bar.reach(bar.scored)
    return scores


def _missing(what: str, part: object) -> list[str]:
    """A note on a part that is not there."""
    return [f"{what}: not measured. {part}"] if isinstance(part, str) else []


def _terms(
    source: str,
    revision: str,
    settings: AnalysisSettings,
    probe: ProbeTexts,
    held_out: Sequences | None,
) -> dict[str, object]:
    """What a kept part of an analysis depends on."""
    texts = hashlib.sha256()
    for kind in (probe.sentences, probe.control, probe.repeats, held_out):
        texts.update(b"none" if kind is None else kind.token_ids.numpy().tobytes())
    return {
        "weights": f"{portable_source(source)} {revision}",
        "settings": repr(settings),
        "texts": texts.hexdigest(),
        "versions": f"{library_versions()} {DEFINITIONS_VERSION} {PASSES}",
        "roles": " ".join(ROLES),
    }


def _file_name(key: str) -> str:
    return re.sub(r"[^\w.-]", "_", key)[:80] + f"-{hashlib.sha256(key.encode()).hexdigest()[:8]}"


def _tokenization(
    tokenizer: PreTrainedTokenizerBase, candidates: list[dict[str, object]] | str
) -> Tokenization:
    start = start_token(tokenizer)
    return Tokenization(
        start_token=start.text,
        start_token_id=start.token_id,
        is_stand_in=start.is_stand_in,
        passed_over=start.passed_over,
        candidates=[] if isinstance(candidates, str) else candidates,
    )


class _CallerStopped(BaseException):
    """Whoever is told of the progress raised something: no part of the analysis has failed."""

    def __init__(self, error: Exception) -> None:
        self.error = error


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
        bridge: TransformerBridge,
        probe: ProbeTexts,
        settings: AnalysisSettings,
        parts: FinishedParts,
        *,
        hints: int,
    ) -> None:
        self._progress = progress or (lambda phase, done, total: None)
        self.basic = count_basic(probe)
        """Texts of the basic roles."""
        self.scored = self.basic + (count_extended(bridge, probe) if settings.extended else 0)
        """Those of all roles."""
        self.parts, self._done, self._went_on, self._room = parts, 0, "", 0
        self.hints = hints
        """Prompts that are tried on the listed heads, at the end."""
        if settings.causal:
            conditions = causal_conditions(bridge.cfg.n_layers, bridge.cfg.n_heads)
            self._room = CAUSAL_TEXTS * sum(conditions) // KNOCK_OUTS_A_TEXT

    def _tell(self, phase: str, done: int) -> None:
        total = self.scored + self._room + self.hints
        if self.parts.went_on and not self._went_on:
            self._went_on = f" (went on at {self._done / total:.0%})".replace("%", " %")
        self._done = done
        try:
            self._progress(phase + self._went_on, done, total)
        except Exception as error:
            raise _CallerStopped(error) from error

    def reach(self, done: int) -> None:
        """Go on to where a part ends that was not run, for it was finished before."""
        if self._done < done:
            self._tell("scoring", done)

    def scoring(self, phase: str, done: int, total: int) -> None:
        self._tell(phase, done)

    def extending(self, phase: str, done: int, total: int) -> None:
        self._tell(phase, self.basic + done)

    def knocking_out(self, phase: str, done: int, total: int) -> None:
        self._tell(phase, self.scored + self._room * done // total)

    def trying(self, phase: str, done: int, total: int) -> None:
        self._tell(phase, self.scored + self._room + done)

    def finish(self) -> None:
        """Fill the bar: where no head was listed, none was knocked out or tried."""
        self._tell("writing", self.scored + self._room + self.hints)


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
