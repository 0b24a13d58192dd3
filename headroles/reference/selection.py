"""From every head's scores to the heads that a role lists; no model is run.

The analysis calls :func:`categorize` once. :func:`reselect` does the same from a stored entry, so a
threshold or the cap can be moved and the lists follow at once.

>>> moved = reselect(entry, {"induction": 0.5}, cap=4)  # doctest: +SKIP
>>> [head.score for head in moved.categories["induction"].top_heads]  # doctest: +SKIP
[0.97, 0.83]
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import torch

from headroles.errors import AnalysisError, UnknownRoleError
from headroles.reference.settings import wakes
from headroles.roles import BASIC_ROLES, ROLES, SCORED_ROLES, Role
from headroles.scoring import Threshold, calibrate, fits_nothing, select_heads
from headroles.store import (
    Category,
    CausalRole,
    Control,
    Hint,
    KnockOut,
    ModelEntry,
    OffsetProfiles,
    RoleHints,
    TopHead,
)
from headroles.types import Head, OffsetMeans, RoleScores

BY_HAND = "Chosen by hand."
"""The reason of a threshold that an instructor set."""


@dataclass(frozen=True)
class AnalysisSettings:
    """What an instructor may choose."""

    sequences: int = 64
    """Random repeated sequences."""
    seed: int = 0
    """Fixes the texts, the null and so the whole result."""
    cap: int = 8
    """Most top heads per role."""
    thresholds: Mapping[str, float] = field(default_factory=dict)
    """{role key: threshold} in place of calibrated ones."""
    extended: bool = True
    """Whether the extended roles are measured as well; ``reselect`` never touches them."""
    causal: bool = True
    """Whether listed heads are knocked out to see what the model loses without them."""

    def __post_init__(self) -> None:
        if self.sequences < 2:
            raise AnalysisError(
                f"{self.sequences} sequences give no standard error.",
                hint="Ask for at least 2; 50 or more make good scores.",
                value=self.sequences,
            )
        if self.cap < 1:
            raise AnalysisError(
                f"A cap of {self.cap} lists no head.", hint="Use 1 or more.", value=self.cap
            )
        for key, value in self.thresholds.items():
            if key not in {role.key for role in SCORED_ROLES}:
                raise UnknownRoleError(key, known=[role.key for role in SCORED_ROLES])
            if not 0 < value < 1:
                raise AnalysisError(
                    f"The threshold {value} of {key} is not between 0 and 1.",
                    hint="A threshold is a share of attention, for example 0.4.",
                    value=value,
                )


def categorize(
    scores: Mapping[str, RoleScores | str], settings: AnalysisSettings
) -> dict[str, object]:
    """Thresholds, top heads and score matrices: the part of an entry that needs no model.

    Args:
        scores: {role key: scores}; where a role could not be measured, the reason as a sentence.
        settings: thresholds chosen by hand, and the cap.
    """
    measured, reasons = _told_apart(scores)
    thresholds = {key: _threshold(role, settings.thresholds) for key, role in measured.items()}
    categories = _categories(measured, thresholds, settings.cap) | reasons
    return {"categories": _in_order(categories), **_numbers(measured)}


def with_roles(entry: ModelEntry, scores: Mapping[str, RoleScores | str]) -> ModelEntry:
    """An entry with further extended roles; nothing that it says of others changes.

    Args:
        entry: what the file says of the model.
        scores: {key of an extended role: scores, or why there are none}.
    """
    measured, reasons = _told_apart(scores)
    cap = entry.cap or AnalysisSettings.cap
    added = {key: _category(role, calibrate(role), cap) for key, role in measured.items()}
    parts = {"categories": {**entry.categories, **added, **reasons}}
    for name, part in _numbers(measured).items():
        parts[name] = {**getattr(entry, name), **part}
    return ModelEntry.model_validate(
        {**dict(entry), **{name: _in_order(part) for name, part in parts.items()}}
    )


def _told_apart(
    scores: Mapping[str, RoleScores | str],
) -> tuple[dict[str, RoleScores], dict[str, Category]]:
    """The roles with scores, and the categories of those without."""
    measured = {key: role for key, role in scores.items() if isinstance(role, RoleScores)}
    return measured, {
        key: Category(**_described(ROLES[key]), not_measured=reason, top_heads=[])
        for key, reason in scores.items()
        if isinstance(reason, str)
    }


def _in_order(parts: Mapping[str, object]) -> dict[str, object]:
    """{role key: part} in the order of the registry."""
    return {key: parts[key] for key in ROLES if key in parts}


def _numbers(measured: Mapping[str, RoleScores]) -> dict[str, dict[str, object]]:
    """{part of an entry: {role key: its numbers}}."""
    return {
        "all_scores": {key: _matrix(role.mean, key) for key, role in measured.items()},
        "standard_errors": {
            key: _matrix(role.standard_error, key) for key, role in measured.items()
        },
        "controls": {
            key: _control(role) for key, role in measured.items() if role.control is not None
        },
        "null_scores": {
            key: _matrix(role.null, key) for key, role in measured.items() if role.null is not None
        },
        "factors": {
            key: {name: _factor(values) for name, values in role.factors.items()}
            for key, role in measured.items()
            if role.factors
        },
        "by_kind": {
            key: {kind: _matrix(values, key) for kind, values in role.by_kind.items()}
            for key, role in measured.items()
            if role.by_kind
        },
        "profiles": {
            key: _profiles(role.offsets)
            for key, role in measured.items()
            if role.offsets is not None
        },
    }


def reselect(entry: ModelEntry, thresholds: Mapping[str, float], *, cap: int) -> ModelEntry:
    """The same scores with other thresholds or another cap: new lists, nothing measured again.

    The causal evidence of heads that stay is kept. A head that is new on a list has none ("not
    tested"), and the evidence of a role's heads together is dropped as soon as the list changes.
    Of the prompts that wake heads those are kept that reach the new threshold too.

    Args:
        entry: a finished analysis.
        thresholds: {role key: threshold}; a role that is not named gets its calibrated one.
        cap: most top heads per role.

    Raises:
        AnalysisError, UnknownRoleError: for an impossible threshold or cap, or an unknown role.
    """
    AnalysisSettings(cap=cap, thresholds=thresholds)  # refuses impossible values
    scores = scores_of(entry)
    chosen = {key: _threshold(role, thresholds) for key, role in scores.items()}
    categories = {**entry.categories, **_categories(scores, chosen, cap)}
    causal = {
        key: _still_listed(evidence, categories[key])
        for key, evidence in entry.causal.items()
        if key in categories
    }
    hints = {
        key: _still_waking(hints, entry.categories[key], categories[key])
        for key, hints in entry.hints.items()
        if key in categories
    }
    # Checked like a file that is read, because the result may be written.
    return ModelEntry.model_validate(
        {
            **dict(entry),
            "cap": cap,
            "categories": categories,
            "causal": {key: evidence for key, evidence in causal.items() if evidence.heads},
            "hints": hints,
        }
    )


def _still_listed(evidence: CausalRole, category: Category) -> CausalRole:
    """The evidence of the heads that a new list still has."""
    listed = set(category.heads)
    group = evidence.group
    return evidence.model_copy(
        update={
            "heads": [head for head in evidence.heads if (head.layer, head.head) in listed],
            "group": group if group and set(group.heads) == listed else None,
            "also": [_still_listed(other, category) for other in evidence.also],
        }
    )


def _still_waking(hints: RoleHints, old: Category, new: Category) -> RoleHints:
    """The prompts that wake heads of a new list at its threshold.

    What a head reached on a prompt does not change. Of a head that is in neither part of the
    result it is not known whether a prompt wakes it: it is new on the list, or it was tried in vain
    at a higher threshold, or its prompt falls short of the new one.
    """
    listed, threshold = set(new.heads), new.threshold or 0.0
    prompts = [
        Hint(prompt=hint.prompt, heads=heads)
        for hint in hints.prompts
        if (
            heads := [
                head
                for head in hint.heads
                if head.place in listed and wakes(head.activation, threshold)
            ]
        )
    ]
    is_lower = threshold < (old.threshold or 0.0)
    in_vain = [] if is_lower else [place for place in hints.in_vain if Head(*place) in listed]
    return RoleHints(tried=hints.tried, prompts=prompts, in_vain=in_vain)


def scores_of(entry: ModelEntry) -> dict[str, RoleScores]:
    """The basic roles' scores of a stored entry, {role key: [layer head]} with chance and null.

    A role that the entry measured but does not describe (no category) is left out.
    """
    return {
        role.key: _stored_scores(entry, role.key)
        for role in SCORED_ROLES
        if role.key in entry.categories
    }


def _stored_scores(entry: ModelEntry, key: str) -> RoleScores:
    category, mean = entry.categories[key], torch.tensor(entry.all_scores[key])
    control, null = entry.controls.get(key), entry.null_scores.get(key)
    return RoleScores(
        role=key,
        mean=mean,
        standard_error=torch.tensor(entry.standard_errors[key]),
        chance=category.chance or 0.0,
        n=category.n,
        unseen_layers=tuple(category.unseen_layers or ()),
        null=None if null is None else torch.tensor(null),
        null_limit=category.null_limit,
        control=None if control is None else torch.tensor(control.scores),
        control_name="" if control is None else control.name,
        control_error=None
        if control is None or control.standard_errors is None
        else torch.tensor(control.standard_errors),
        factors={name: torch.tensor(values) for name, values in entry.factors.get(key, {}).items()},
    )


def _threshold(scores: RoleScores, by_hand: Mapping[str, float]) -> Threshold:
    if scores.role in by_hand:
        return Threshold(by_hand[scores.role], BY_HAND)
    return calibrate(scores)


def _categories(
    scores: Mapping[str, RoleScores], thresholds: Mapping[str, Threshold], cap: int
) -> dict[str, Category]:
    """Every measured role's category, and ``other``."""
    categories = {key: _category(role, thresholds[key], cap) for key, role in scores.items()}
    basic = {key: role for key, role in scores.items() if key in BASIC_ROLES}
    limits = {key: thresholds[key].value for key in basic}
    listed = {head for key in basic for head in categories[key].heads}
    return {**categories, "other": _other(basic, limits, listed)}


def _described(role: Role) -> dict[str, object]:
    """The fields of a category that the registry knows."""
    return {
        "display_name": role.name,
        "description": role.explanation,
        "icon": role.icon,
        "requires_repetition": role.requires_repetition,
        "measured_by": role.measured_by,
        "sign": role.sign,
    }


def _category(scores: RoleScores, threshold: Threshold, cap: int) -> Category:
    key, control = scores.role, scores.control
    return Category(
        **_described(ROLES[key]),
        threshold=threshold.value,
        threshold_reason=threshold.reason,
        null_limit=None if scores.null_limit is None else _rounded(scores.null_limit, key),
        chance=None if scores.chance is None else _rounded(scores.chance, key),
        n=scores.n,
        unseen_layers=list(scores.unseen_layers) or None,
        measured_on=scores.texts or ROLES[key].measured_on,
        top_heads=[
            TopHead(
                layer=candidate.head.layer,
                head=candidate.head.head,
                score=_rounded(candidate.score, key),
                standard_error=_rounded(float(scores.standard_error[candidate.head]), key),
                control=None if control is None else _rounded(float(control[candidate.head]), key),
                entered_by=candidate.entered_by,
                knock_out=_knock_out(scores, candidate.head),
            )
            for candidate in select_heads(scores, threshold.value, cap=cap)
        ],
    )


def _knock_out(scores: RoleScores, head: Head) -> KnockOut | None:
    """What knocking a listed head out did; None where it was not run."""
    done = {name: float(values[head]) for name, values in scores.knock_out.items()}
    if not done or any(math.isnan(value) for value in done.values()):
        return None
    return KnockOut(**{name: _rounded(value, scores.role) for name, value in done.items()})


def _other(
    scores: Mapping[str, RoleScores], thresholds: dict[str, float], listed: set[Head]
) -> Category:
    """Every head that fits nothing; its score is the largest it has on any role with cells."""
    with_cells = [role for key, role in scores.items() if ROLES[key].has_cells]
    best = torch.stack([role.mean for role in with_cells]).max(0)  # [layer head] values and indices
    heads = fits_nothing(dict(scores), thresholds, listed=listed).nonzero().tolist()
    errors = [with_cells[int(best.indices[layer, head])].standard_error for layer, head in heads]
    return Category(
        **_described(ROLES["other"]),
        top_heads=[
            TopHead(
                layer=layer,
                head=head,
                score=_rounded(float(best.values[layer, head]), "other"),
                standard_error=_rounded(float(error[layer, head]), "other"),
                entered_by="no role",
            )
            for (layer, head), error in zip(heads, errors, strict=True)
        ],
    )


def _control(scores: RoleScores) -> Control:
    error = scores.control_error
    return Control(
        name=scores.control_name,
        scores=_matrix(scores.control, scores.role),
        standard_errors=None if error is None else _matrix(error, scores.role),
    )


def _profiles(offsets: OffsetMeans) -> OffsetProfiles:
    def matrices(values: torch.Tensor) -> list[list[list[float]]]:
        return [_matrix(matrix, "fixed_offset") for matrix in values]

    return OffsetProfiles(
        distances=list(range(1, len(offsets.chance) + 1)),
        chance=[_rounded(number, "fixed_offset") for number in offsets.chance.tolist()],
        scores=matrices(offsets.mean),
        standard_errors=matrices(offsets.standard_error),
        control=matrices(offsets.control),
        control_errors=matrices(offsets.control_error),
        peaks=offsets.peak.tolist(),
        previous=offsets.is_previous.int().tolist(),
    )


def _matrix(values: torch.Tensor, key: str) -> list[list[float]]:
    return [[_rounded(number, key) for number in row] for row in values.tolist()]


def _factor(values: torch.Tensor) -> list[list[float]]:
    """A factor's matrix; unlike a share, it may lie over 1."""
    return [[round(number, 6) + 0.0 for number in row] for row in values.tolist()]


def _rounded(number: float, key: str) -> float:
    """Six decimals: ten times finer than the 1e-5 to which both halves agree; never -0.0."""
    rounded = round(number, 6) + 0.0
    return rounded if ROLES[key].is_signed else min(max(rounded, 0.0), 1.0)
