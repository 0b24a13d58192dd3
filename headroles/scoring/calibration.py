"""Each role's threshold from the data, and the heads that pass it.

The threshold of a role with cells is

    clamp(max(null, split), floor, ceiling)

null     the 99th percentile over heads of their scores on random target cells;
split    Otsu's threshold (Otsu 1979) of the heads' scores: the cut that separates a low from a high
         group best, i.e. maximises the variance between them;
floor    chance + 1/4 of the way to a perfect score: with less, a head barely prefers the cells;
ceiling  chance + 0.6 of the way: a head that gives most of its attention always has the role.

``diffuse`` has no cells and no null. Its entropy is e^(H) = n^score "effective tokens" among n, so
its floor is .7 (8 of 20 tokens) and its ceiling .9 (15 of 20).

Every threshold is stored together with the sentence that says which of these bounds set it.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from headroles.roles import LOGITS, ExtendedRole, Role, get_role
from headroles.types import Head, RoleScores

FLOOR_LIFT = 0.25
"""Of the way from chance to perfect."""
CEILING_LIFT = 0.6
"""Of the way from chance to perfect."""
DIFFUSE_BOUNDS = (0.7, 0.9)
"""Normalised entropy."""
DIVERSITY = 0.6
"""The best head of another layer may enter at this share of the threshold, if above the floor."""


@dataclass(frozen=True)
class Threshold:
    """A role's calibrated threshold."""

    value: float
    """0..1."""
    reason: str
    """Which bound set it, with the numbers."""


@dataclass(frozen=True)
class Candidate:
    """A head that a role lists."""

    head: Head
    score: float
    """0..1, its mean activation."""
    entered_by: str
    """``threshold`` or ``layer diversity``."""


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


def floor_and_ceiling(role: Role, chance: float) -> tuple[float, float]:
    """The bounds that a role's threshold cannot leave."""
    if not role.has_cells:
        return DIFFUSE_BOUNDS
    return chance + FLOOR_LIFT * (1 - chance), chance + CEILING_LIFT * (1 - chance)


def calibrate(scores: RoleScores) -> Threshold:
    """Find a role's threshold for one model."""
    role = get_role(scores.role)
    floor, ceiling = floor_and_ceiling(role, scores.chance)
    split = otsu(scores.mean.flatten())
    found = {"the gap between low and high heads (Otsu)": split}
    if role.has_cells:
        found["the 99th percentile of random cells"] = float(scores.null.quantile(0.99))
    name, value = max(found.items(), key=lambda item: item[1])
    numbers = ", ".join(f"{one} {number:.2f}" for one, number in found.items())
    bounds = f"bounds {floor:.2f} to {ceiling:.2f}"
    if value < floor:
        name, value = "the floor", floor
    elif value > ceiling:
        name, value = "the ceiling", ceiling
    return Threshold(round(value, 4), f"Set by {name}; {numbers}; {bounds}.")


def select_heads(scores: RoleScores, threshold: float, *, cap: int) -> list[Candidate]:
    """A role's top heads: the best over the threshold, then the best of layers still missing.

    A head of a missing layer needs ``DIVERSITY`` of the threshold and at least the floor. It only
    fills free places, so it never pushes out a higher score.
    """
    ranked = [
        Candidate(
            Head(*divmod(place, scores.mean.shape[1])), float(scores.mean.flatten()[place]), ""
        )
        for place in scores.mean.flatten().argsort(descending=True, stable=True).tolist()
    ]
    chosen = [
        Candidate(one.head, one.score, "threshold") for one in ranked if one.score >= threshold
    ][:cap]
    floor, _ = floor_and_ceiling(get_role(scores.role), scores.chance)
    lower = max(DIVERSITY * threshold, floor)
    layers = {one.head.layer for one in chosen}
    for one in ranked:
        if len(chosen) < cap and lower <= one.score < threshold and one.head.layer not in layers:
            chosen.append(Candidate(one.head, one.score, "layer diversity"))
            layers.add(one.head.layer)
    return chosen


def fits_nothing(
    scores: dict[str, RoleScores], thresholds: dict[str, float]
) -> Bool[Tensor, "layer head"]:
    """[layer head] True for the heads below the threshold on every role: the role ``other``."""
    below = [scores[key].mean < threshold for key, threshold in thresholds.items()]
    return torch.stack(below).all(0)


LEAST_LOGITS = 0.1
"""A direct effect below this changes the odds of a token by less than a tenth."""


STEADY = 3.0
"""A listed head's score lies at least so many standard errors from zero or from chance."""


def mean_and_error(
    scores: Float[Tensor, "n *head"],
) -> tuple[Float[Tensor, "*head"], Float[Tensor, "*head"]]:
    """The mean over the first axis and its standard error, what is NaN left out."""
    known = ~scores.isnan()
    n = known.sum(0)
    mean = scores.nansum(0) / n.clamp_min(1)
    squares = ((scores - mean).square().nan_to_num(0.0)).sum(0)
    return mean, (squares / (n - 1).clamp_min(1)).sqrt() / n.clamp_min(1).sqrt()


def extended_threshold(
    role: ExtendedRole, scores: Float[Tensor, "layer head"], *, chance: float | None
) -> tuple[float, str]:
    """What it takes to be listed, as a size, and the sentence that says why.

    As for the basic roles: the gap between low and high heads (Otsu 1979), within bounds. A score
    in logits has no perfect head and so no ceiling; its floor is :data:`LEAST_LOGITS`.
    """
    sizes = (scores * role.sign).clamp_min(0) if role.is_signed else scores
    split = otsu(sizes.flatten())
    if role.unit == LOGITS:
        floor, ceiling = LEAST_LOGITS, float("inf")
        bounds = f"floor {floor:.2f} logits"
    else:
        zero = chance or 0.0
        floor, ceiling = zero + FLOOR_LIFT * (1 - zero), zero + CEILING_LIFT * (1 - zero)
        bounds = f"bounds {floor:.2f} to {ceiling:.2f}"
    gap = "the gap between low and high heads (Otsu)"
    name = "the floor" if split < floor else "the ceiling" if split > ceiling else gap
    return round(min(max(split, floor), ceiling), 6), f"Set by {name}; {gap} {split:.3f}; {bounds}."


def select_extended(
    role: ExtendedRole,
    scores: Float[Tensor, "layer head"],
    errors: Float[Tensor, "layer head"],
    *,
    threshold: float,
    zero: float = 0.0,
    barred: Bool[Tensor, "layer head"] | None = None,
    cap: int = 8,
) -> list[Head]:
    """The heads whose score has the role's sign, reaches its threshold and is steady, best first.

    Args:
        role: gives the sign.
        scores: [layer head] means.
        errors: [layer head] their standard errors.
        threshold: a size.
        zero: what a score is compared with: chance, or 0 in logits.
        barred: [layer head] True where a head cannot have the role whatever its score.
        cap: most heads.
    """
    sizes = scores * role.sign if role.is_signed else scores
    passes = (sizes >= threshold) & (sizes > 0) & (sizes - zero >= STEADY * errors)
    if barred is not None:
        passes &= ~barred
    order = sizes.flatten().argsort(descending=True, stable=True).tolist()
    heads = [Head(*divmod(place, scores.shape[1])) for place in order]
    return [head for head in heads if passes[head]][:cap]
