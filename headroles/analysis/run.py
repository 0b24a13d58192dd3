"""One model from its name to its entry in ``head_categories.json``.

>>> entry = analyze("demo", AnalysisSettings())  # doctest: +SKIP
>>> [head.score for head in entry.categories["induction"].top_heads]  # doctest: +SKIP
[0.97, 0.83]
"""

from __future__ import annotations

import datetime
import importlib.metadata
import os
from collections.abc import Mapping
from dataclasses import dataclass, field

import torch

from headroles.analysis.bridge import load_bridge
from headroles.analysis.calibrate import Threshold, calibrate, fits_nothing, select_heads
from headroles.analysis.measure import Progress, make_texts, measure
from headroles.errors import AnalysisError, UnknownRoleError
from headroles.models import catalogue_key, load_tokenizer, model_revision, resolve_source
from headroles.roles import DEFINITIONS_VERSION, ROLES, SCORED_ROLES
from headroles.store import Category, Control, ModelEntry, Tokenization, TopHead
from headroles.tokens import start_token
from headroles.types import RoleScores

MIN_SEQUENCES = 50
"""Fewer repeated sequences than this are noted in the entry: the scores are rough."""

_LIBRARIES = ("torch", "transformers", "transformer-lens")


@dataclass(frozen=True)
class AnalysisSettings:
    """What an instructor may choose."""

    sequences: int = 64
    """Random repeated sequences."""
    seed: int = 0
    """Fixes the texts, the null and so the whole result."""
    cap: int = 8
    """Most top heads a role."""
    thresholds: Mapping[str, float] = field(default_factory=dict)
    """{role key: threshold} in place of calibrated ones."""

    def __post_init__(self) -> None:
        if self.sequences < 2:
            raise AnalysisError(
                f"{self.sequences} sequences give no standard error.",
                mend="Ask for at least 2; 50 or more make good scores.",
                value=self.sequences,
            )
        if self.cap < 1:
            raise AnalysisError(
                f"A cap of {self.cap} lists no head.", mend="Use 1 or more.", value=self.cap
            )
        for key, value in self.thresholds.items():
            if key not in {role.key for role in SCORED_ROLES}:
                raise UnknownRoleError(key, known=[role.key for role in SCORED_ROLES])
            if not 0 < value < 1:
                raise AnalysisError(
                    f"The threshold {value} of {key} is not between 0 and 1.",
                    mend="A threshold is a share of attention, for example 0.4.",
                    value=value,
                )


def analyze(
    name_or_folder: str, settings: AnalysisSettings, *, progress: Progress | None = None
) -> ModelEntry:
    """Analyse a model with TransformerLens and put its entry together; nothing is written.

    Raises:
        UnknownModelError, ModelUnavailableError, UnsupportedModelError: as for loading a model.
    """
    source = resolve_source(name_or_folder)
    if progress:
        progress("loading the model", 0, 0)
    tokenizer = load_tokenizer(source)
    bridge = load_bridge(name_or_folder)
    probe = make_texts(tokenizer, n=settings.sequences, seed=settings.seed)
    scores = measure(bridge, probe, seed=settings.seed, progress=progress)
    start = start_token(tokenizer)
    return ModelEntry(
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
        tokenization=Tokenization(
            start_token=start.text, start_token_id=start.token_id, is_stand_in=start.is_stand_in
        ),
        library_versions={name: importlib.metadata.version(name) for name in _LIBRARIES},
        notes=_notes(settings),
        **categorize(scores, settings),
    )


def categorize(scores: Mapping[str, RoleScores], settings: AnalysisSettings) -> dict[str, object]:
    """Thresholds, top heads and score matrices: the part of an entry that needs no model."""
    thresholds = {
        key: Threshold(settings.thresholds[key], "Chosen by hand.")
        if key in settings.thresholds
        else calibrate(one)
        for key, one in scores.items()
    }
    categories = {key: _category(one, thresholds[key], settings.cap) for key, one in scores.items()}
    values = {key: threshold.value for key, threshold in thresholds.items()}
    categories["other"] = _other(dict(scores), values)
    return {
        "categories": categories,
        "all_scores": {key: _matrix(one.mean) for key, one in scores.items()},
        "standard_errors": {key: _matrix(one.standard_error) for key, one in scores.items()},
        "controls": {
            key: Control(name=one.control_name, scores=_matrix(one.control))
            for key, one in scores.items()
            if one.control is not None
        },
        "null_scores": {
            key: _matrix(one.null) for key, one in scores.items() if ROLES[key].has_cells
        },
    }


def _category(scores: RoleScores, threshold: Threshold, cap: int) -> Category:
    role = ROLES[scores.role]
    return Category(
        display_name=role.name,
        description=role.explanation,
        icon=role.icon,
        requires_repetition=role.requires_repetition,
        threshold=threshold.value,
        threshold_reason=threshold.reason,
        chance=_rounded(scores.chance),
        n=scores.n,
        measured_on=role.measured_on,
        top_heads=[
            TopHead(
                layer=one.head.layer,
                head=one.head.head,
                score=_rounded(one.score),
                standard_error=_rounded(float(scores.standard_error[one.head])),
                control=None
                if scores.control is None
                else _rounded(float(scores.control[one.head])),
                entered_by=one.entered_by,
            )
            for one in select_heads(scores, threshold.value, cap=cap)
        ],
    )


def _other(scores: dict[str, RoleScores], thresholds: dict[str, float]) -> Category:
    """Every head that fits nothing; its score is the largest it has on any role with cells."""
    role = ROLES["other"]
    with_cells = [one for key, one in scores.items() if ROLES[key].has_cells]
    best = torch.stack([one.mean for one in with_cells]).max(0)  # [layer head] values and indices
    heads = fits_nothing(scores, thresholds).nonzero().tolist()
    errors = [with_cells[int(best.indices[layer, head])].standard_error for layer, head in heads]
    return Category(
        display_name=role.name,
        description=role.explanation,
        icon=role.icon,
        top_heads=[
            TopHead(
                layer=layer,
                head=head,
                score=_rounded(float(best.values[layer, head])),
                standard_error=_rounded(float(error[layer, head])),
                entered_by="no role",
            )
            for (layer, head), error in zip(heads, errors, strict=True)
        ],
    )


def _matrix(values: torch.Tensor) -> list[list[float]]:
    return [[_rounded(number) for number in row] for row in values.tolist()]


def _rounded(number: float) -> float:
    """Six decimals: ten times finer than the 1e-5 to which both halves agree."""
    return min(max(round(number, 6), 0.0), 1.0)


def _notes(settings: AnalysisSettings) -> list[str]:
    if settings.sequences >= MIN_SEQUENCES:
        return []
    return [
        f"Only {settings.sequences} repeated sequences: the scores are rough. "
        f"Use {MIN_SEQUENCES} or more for a file that students see."
    ]


def portable_source(source: str) -> str:
    """A folder inside the project as a relative path, so that the file does not name a machine."""
    from pathlib import Path

    from headroles.paths import ROOT

    path = Path(source)
    if not path.is_dir():
        return source
    resolved = path.resolve()
    return resolved.relative_to(ROOT).as_posix() if resolved.is_relative_to(ROOT) else resolved.name


def analysis_date() -> str:
    """Today, or the day of SOURCE_DATE_EPOCH (reproducible-builds.org) where it is set."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    moment = (
        datetime.datetime.fromtimestamp(int(epoch), datetime.UTC)
        if epoch
        else datetime.datetime.now(datetime.UTC)
    )
    return moment.date().isoformat()
