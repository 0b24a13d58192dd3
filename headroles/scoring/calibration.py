"""Each role's threshold, and the heads that pass it.

The threshold of a share of attention is

    max(convention, null)

convention  the role's ``default_threshold``, no number of this model: .40, the cut of the detectors
            in ARENA's exercises and others since, and .70 for ``diffuse`` (attention over e^(H) =
            n^.7 "effective tokens", 8 of 20);
null        of this model's data: the 99th percentile, over heads and single texts, of the attention
            on random cells. One text is what a student types, so a head that is worth naming lies
            over what one text gives to cells that mean nothing. ``diffuse`` has no cells.

The share of copied tokens has the threshold of its paper (Wu et al. 2024). A score in logits, or a
share of tokens, has no convention. Its threshold is the cut that separates
a low from a high group of heads best (Otsu 1979, over the sizes on the role's side of zero), and at
least a floor: :data:`~headroles.roles.role.LEAST_LOGITS`, :data:`~headroles.roles.role.LEAST_FALL`,
or a quarter of the way from chance to 1.

Every threshold is stored together with the sentence that says what set it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from headroles.roles import (
    COPIED,
    FALL,
    LEAST_FALL,
    LEAST_LOGITS,
    LOGITS,
    SHARE,
    Role,
    cue,
    get_role,
)
from headroles.roles.resting import CHANGES_LITTLE, OUTPUT_CHANGE
from headroles.types import Head, RoleScores

FLOOR_LIFT = 0.25
"""Of the way from chance to perfect: below it, a head barely prefers the cells."""
DIVERSITY = 0.6
"""The best head of another layer may enter at this share of the threshold, if above the floor."""
FOR_LAYERS = 4
"""Of a full list one place in so many is for the best heads of further layers."""
STEADY = 3.0
"""A head of a ``steady`` role lies at least so many standard errors from zero or from chance."""
NULL_QUANTILE = 0.99
"""Of the attention on random cells, over heads and single texts."""


@dataclass(frozen=True)
class Threshold:
    """A role's calibrated threshold."""

    value: float
    """0..1; in logits the size, whatever the role's sign."""
    reason: str
    """Which bound set it, with the numbers."""


@dataclass(frozen=True)
class Candidate:
    """A head that a role lists."""

    head: Head
    score: float
    """Its mean, with its sign."""
    entered_by: Literal["threshold", "layer diversity"]
    """Why it is listed."""


def otsu(values: Float[Tensor, " n"]) -> float:
    """The cut that maximises the variance between the two groups it makes (Otsu 1979).

    The cut is put midway between the two neighbouring values, so it lies in the gap itself.

    >>> otsu(torch.tensor([0.1, 0.2, 0.8, 0.9]))
    0.5
    """
    ordered = values.double().sort().values
    n = len(ordered)
    if n < 2:
        return float(ordered.mean()) if n else 0.0
    below = torch.arange(1, n)  # how many values lie under each possible cut
    sums = ordered.cumsum(0)
    low = sums[:-1] / below
    high = (sums[-1] - sums[:-1]) / (n - below)
    between = below * (n - below) * (high - low) ** 2
    cut = int(between.argmax())
    return float((ordered[cut] + ordered[cut + 1]) / 2)


def floor_of(role: Role, chance: float | None) -> float:
    """Below it no head is listed, whatever its layer."""
    if role.unit == LOGITS:
        return LEAST_LOGITS
    if role.unit == FALL:
        return LEAST_FALL
    zero = chance or 0.0
    return zero + FLOOR_LIFT * (1 - zero)


def _sizes(role: Role, scores: RoleScores) -> Float[Tensor, "layer head"]:
    """[layer head] how far each score lies on the role's side of zero."""
    return scores.mean.double() * (role.sign or 1)


def calibrate(scores: RoleScores) -> Threshold:
    """Find a role's threshold for one model."""
    role = get_role(scores.role)
    by_convention = role.unit in (SHARE, COPIED)
    return _from_convention(role, scores) if by_convention else _from_the_gap(role, scores)


def _from_convention(role: Role, scores: RoleScores) -> Threshold:
    convention, null = role.default_threshold, scores.null_limit
    if null is None:
        return Threshold(convention, f"{convention:.2f} by {role.set_by}.")
    percent = f"{1 - NULL_QUANTILE:.0%}"
    if null > convention:
        return Threshold(
            round(null, 4),
            f"Set by this model's data: on single texts, {percent} of the heads put {null:.2f} or "
            f"more on random cells; the convention would be {convention:.2f}.",
        )
    return Threshold(
        convention,
        f"{convention:.2f} by convention. This model's data do not ask for more: on single texts, "
        f"{percent} of the heads put {null:.2f} or more on random cells.",
    )


def _from_the_gap(role: Role, scores: RoleScores) -> Threshold:
    sizes = _sizes(role, scores).clamp_min(0)[measured_layers(scores)]
    gap, floor = otsu(sizes.flatten()), floor_of(role, scores.chance)
    unit = " logits" if role.unit == LOGITS else ""
    found = f"the gap between low and high heads (Otsu) is at {gap:.3f}"
    if gap < floor:
        return Threshold(
            round(floor, 6), f"Set by the least that counts, {floor:.2f}{unit}: {found}."
        )
    return Threshold(round(gap, 6), f"Set by the data: {found}; least {floor:.2f}{unit}.")


def select_heads(scores: RoleScores, threshold: float, *, cap: int) -> list[Candidate]:
    """A role's top heads: those over the threshold on the role's side of zero, best first.

    A ``steady`` role lists only heads whose score lies :data:`STEADY` standard errors from zero or
    chance, and none that is further over chance one token back (a previous-token head). A role with
    ``needs_cue`` lists none that keeps its score without the cue (:mod:`headroles.roles.cue`). No
    role lists a head that lacks the second witness (:mod:`headroles.roles.resting`), or one of a
    layer that could not be measured.

    Where more heads of a ``diverse`` role are over the threshold than it may list, one place in
    :data:`FOR_LAYERS` goes first to the best head of a layer that has none yet, the others by score
    alone. Where fewer are, free places go to the best head of a layer that has none, if it has
    ``DIVERSITY`` of the threshold and at least the floor.
    """
    role = get_role(scores.role)
    listable = has_witness(scores) & measured_layers(scores).unsqueeze(-1)
    sizes = _sizes(role, scores).masked_fill(~listable, -torch.inf)
    passes = sizes >= threshold
    if role.selection == "steady":
        zero = 0.0 if role.is_signed else scores.chance or 0.0
        passes &= (sizes > 0) & (sizes - zero >= STEADY * scores.standard_error)
    if role.needs_cue and scores.control is not None:
        passes &= cue.goes_by_cue(scores.mean, scores.control, scores.chance or 0.0)
    if scores.offsets is not None:
        passes &= ~scores.offsets.is_previous
    order = sizes.flatten().argsort(descending=True, stable=True).tolist()
    ranked = [Head(*divmod(place, sizes.shape[1])) for place in order]
    over = [head for head in ranked if passes[head]]
    best, chosen = set(over[:cap]), set(over[:cap])
    if role.selection == "diverse":
        lower = max(DIVERSITY * threshold, floor_of(role, scores.chance))
        below = [head for head in ranked if lower <= sizes[head] < threshold]
        chosen = _over_layers(over, below, cap)
    return [
        Candidate(
            head, float(scores.mean[head]), "threshold" if head in best else "layer diversity"
        )
        for head in ranked
        if head in chosen
    ]


def _over_layers(over: list[Head], below: list[Head], cap: int) -> set[Head]:
    """At most ``cap`` heads of both rankings, spread over layers."""
    chosen = over[: cap - cap // FOR_LAYERS]

    def add(heads: list[Head], *, new_layers: bool) -> None:
        for head in heads:
            taken = {other.layer for other in chosen} if new_layers else set()
            if len(chosen) < cap and head not in chosen and head.layer not in taken:
                chosen.append(head)

    add(over, new_layers=True)
    add(over, new_layers=False)
    add(below, new_layers=True)
    return set(chosen)


def has_witness(scores: RoleScores) -> Bool[Tensor, "layer head"]:
    """[layer head] False for heads whose output changes too much for the role, where that counts
    (:mod:`headroles.roles.resting`)."""
    change = scores.factors.get(OUTPUT_CHANGE, torch.zeros_like(scores.mean))
    return change <= CHANGES_LITTLE


def measured_layers(scores: RoleScores) -> Bool[Tensor, " layer"]:
    """[layer] False where heads have no score, as their layer hides the role's places."""
    measured = torch.ones(len(scores.mean), dtype=torch.bool)
    measured[list(scores.unseen_layers)] = False
    return measured


def unseen_layers(scores: Float[Tensor, "n layer head"]) -> tuple[int, ...]:
    """The layers without a score: fewer than two texts say anything, so there is no error.

    Args:
        scores: [n layer head] NaN where a text says nothing in a layer.
    """
    known = (~scores.isnan()).any(-1).sum(0)  # [layer]
    return tuple((known < 2).nonzero().flatten().tolist())


def fits_nothing(
    scores: dict[str, RoleScores], thresholds: dict[str, float], *, listed: Iterable[Head] = ()
) -> Bool[Tensor, "layer head"]:
    """[layer head] True for the heads of the role ``other``: below every role's threshold, or
    without the second witness of it.

    Args:
        scores: of the roles.
        thresholds: of the same roles.
        listed: heads that some role lists, whatever their score: these fit something.
    """
    fits = [
        (scores[key].mean >= threshold) & has_witness(scores[key])
        for key, threshold in thresholds.items()
    ]
    below = ~torch.stack(fits).any(0)
    for head in listed:
        below[head] = False
    return below


def null_limit(per_text: Float[Tensor, "n layer head"]) -> float:
    """What one percent of all heads on single texts put on random cells, or more.

    Args:
        per_text: [n layer head] attention on random cells; NaN where a text has none.
    """
    values = per_text[~per_text.isnan()].double()
    return float(values.quantile(NULL_QUANTILE)) if len(values) else 0.0


def mean_and_error(
    scores: Float[Tensor, " n *head"],
) -> tuple[Float[Tensor, "*head"], Float[Tensor, "*head"]]:
    """The mean over the first axis and its standard error, without NaNs."""
    known = ~scores.isnan()
    n = known.sum(0)
    mean = scores.nansum(0) / n.clamp_min(1)
    squares = ((scores - mean).square().nan_to_num(0.0)).sum(0)
    return mean, (squares / (n - 1).clamp_min(1)).sqrt() / n.clamp_min(1).sqrt()
