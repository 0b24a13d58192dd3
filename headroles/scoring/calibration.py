"""Each role's threshold from the data, and the heads that pass it.

The threshold of a role with cells is

    clamp(max(null, split), floor, ceiling)

null     the 99th percentile over heads of their scores on random target cells;
split    Otsu's threshold (Otsu 1979) of the heads' scores: the cut that separates a low from a high
         group best, i.e. maximises the variance between them;
floor    chance + 1/4 of the way to a perfect score: below it, a head barely prefers the cells;
ceiling  chance + 0.6 of the way: a head that gives most of its attention always has the role.

``diffuse`` has no cells and no null. Its entropy is e^(H) = n^score "effective tokens" among n, so
its floor is .7 (8 of 20 tokens) and its ceiling .9 (15 of 20). A score in logits has no perfect
head and so no ceiling; its floor is :data:`~headroles.roles.role.LEAST_LOGITS`, and the
split is over the sizes on the role's side of zero.

Every threshold is stored together with the sentence that says which of these bounds set it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from headroles.roles import LEAST_LOGITS, LOGITS, Role, get_role
from headroles.roles.resting import CHANGES_LITTLE, OUTPUT_CHANGE
from headroles.types import Head, RoleScores

FLOOR_LIFT = 0.25
"""Of the way from chance to perfect."""
CEILING_LIFT = 0.6
"""Of the way from chance to perfect."""
DIVERSITY = 0.6
"""The best head of another layer may enter at this share of the threshold, if above the floor."""
STEADY = 3.0
"""A head of a ``steady`` role lies at least so many standard errors from zero or from chance."""
_GAP = "the gap between low and high heads (Otsu)"


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


def floor_and_ceiling(role: Role, chance: float | None) -> tuple[float, float]:
    """The bounds that a role's threshold cannot leave."""
    if role.bounds:
        return role.bounds
    if role.unit == LOGITS:
        return LEAST_LOGITS, float("inf")
    zero = chance or 0.0
    return zero + FLOOR_LIFT * (1 - zero), zero + CEILING_LIFT * (1 - zero)


def _sizes(role: Role, scores: RoleScores) -> Float[Tensor, "layer head"]:
    """[layer head] how far each score lies on the role's side of zero."""
    return scores.mean.double() * (role.sign or 1)


def calibrate(scores: RoleScores) -> Threshold:
    """Find a role's threshold for one model."""
    role = get_role(scores.role)
    decimals, shown = (4, 2) if role.selection == "diverse" else (6, 3)
    floor, ceiling = floor_and_ceiling(role, scores.chance)
    candidates = {_GAP: otsu(_sizes(role, scores).clamp_min(0).flatten())}
    if scores.null is not None:
        candidates["the 99th percentile of random cells"] = float(scores.null.quantile(0.99))
    name, value = max(candidates.items(), key=lambda item: item[1])
    numbers = ", ".join(f"{words} {number:.{shown}f}" for words, number in candidates.items())
    bounds = f"bounds {floor:.2f} to {ceiling:.2f}"
    if role.unit == LOGITS:
        bounds = f"floor {floor:.2f} logits"
    if value < floor:
        name, value = "the floor", floor
    elif value > ceiling:
        name, value = "the ceiling", ceiling
    return Threshold(round(value, decimals), f"Set by {name}; {numbers}; {bounds}.")


def select_heads(scores: RoleScores, threshold: float, *, cap: int) -> list[Candidate]:
    """A role's top heads: those over the threshold on the role's side of zero, best first.

    A ``steady`` role lists only heads whose score lies :data:`STEADY` standard errors from zero or
    chance, and none that is further over chance one token back (a previous-token head). A
    ``diverse`` one adds the best heads of layers that are still missing: such a head needs
    ``DIVERSITY`` of the threshold and at least the floor, and only fills free places, so it never
    pushes out a higher score. No role lists a head that lacks the second witness
    (:mod:`headroles.roles.resting`).
    """
    role = get_role(scores.role)
    sizes = _sizes(role, scores).masked_fill(~has_witness(scores), -torch.inf)
    passes = sizes >= threshold
    if role.selection == "steady":
        zero = 0.0 if role.is_signed else scores.chance or 0.0
        passes &= (sizes > 0) & (sizes - zero >= STEADY * scores.standard_error)
    if scores.offsets is not None:
        passes &= ~scores.offsets.is_previous
    order = sizes.flatten().argsort(descending=True, stable=True).tolist()
    ranked = [Head(*divmod(place, sizes.shape[1])) for place in order]
    chosen = [head for head in ranked if passes[head]][:cap]
    listed = [Candidate(head, float(scores.mean[head]), "threshold") for head in chosen]
    if role.selection == "diverse":
        floor, _ = floor_and_ceiling(role, scores.chance)
        lower, layers = max(DIVERSITY * threshold, floor), {head.layer for head in chosen}
        for head in ranked:
            enters = lower <= sizes[head] < threshold and head.layer not in layers
            if enters and len(listed) < cap:
                listed.append(Candidate(head, float(scores.mean[head]), "layer diversity"))
                layers.add(head.layer)
    return listed


def has_witness(scores: RoleScores) -> Bool[Tensor, "layer head"]:
    """[layer head] False for heads whose output changes too much for the role, where that counts
    (:mod:`headroles.roles.resting`)."""
    change = scores.factors.get(OUTPUT_CHANGE, torch.zeros_like(scores.mean))
    return change <= CHANGES_LITTLE


def fits_nothing(
    scores: dict[str, RoleScores], thresholds: dict[str, float]
) -> Bool[Tensor, "layer head"]:
    """[layer head] True for the heads that have no role, the role ``other``: below the threshold on
    every role, or without the second witness of it."""
    fits = [
        (scores[key].mean >= threshold) & has_witness(scores[key])
        for key, threshold in thresholds.items()
    ]
    return ~torch.stack(fits).any(0)


def mean_and_error(
    scores: Float[Tensor, "n *head"],
) -> tuple[Float[Tensor, "*head"], Float[Tensor, "*head"]]:
    """The mean over the first axis and its standard error, without NaNs."""
    known = ~scores.isnan()
    n = known.sum(0)
    mean = scores.nansum(0) / n.clamp_min(1)
    squares = ((scores - mean).square().nan_to_num(0.0)).sum(0)
    return mean, (squares / (n - 1).clamp_min(1)).sqrt() / n.clamp_min(1).sqrt()
