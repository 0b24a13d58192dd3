"""Where a detection score misleads: what happened here, and why, in plain English.

>>> [caveat.kind for caveat in caveats_of(detection, 0, "mul")]  # doctest: +SKIP
['covers_much']
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch

from headroles.detector.detection import Detection
from headroles.formatting import count, decimal, listing, percent
from headroles.types import Head

COVERS = 0.5
"""An even spread with more than this under ``mul`` means that the pattern covers too much."""
LITTLE = 0.1
"""A head with less of its attention left than this is scored on next to nothing."""
NOTABLE = 0.3
"""A score above this would look like a find."""
MOST_NAMED = 6
"""Heads that a sentence names."""


class Caveat(NamedTuple):
    """One way in which the numbers on the page mislead."""

    kind: str
    """Its name in code."""
    title: str
    """What happened, in a few words."""
    sentence: str
    """The same with its numbers, and why."""
    heads: tuple[Head, ...] = ()
    """The heads that it concerns."""


def caveats_of(detection: Detection, place: int, measure: str) -> list[Caveat]:
    """Every way in which a pattern's score by a measure misleads, worst first.

    Args:
        detection: from :func:`headroles.detector.detection.detect`.
        place: the pattern's place in ``detection.patterns``.
        measure: ``activation``, ``mul`` or ``abs``.
    """
    checks = (_undefined, _excluded, _covers_much, _on_nothing, _below, _numbers, _ceiling, _no_row)
    return [caveat for check in checks if (caveat := check(detection, place, measure)) is not None]


def named(heads: Sequence[Head]) -> str:
    """Some heads by name, the others as a count."""
    labels = [head.label for head in heads[:MOST_NAMED]]
    more = len(heads) - len(labels)
    return listing([*labels, *([f"{more} more"] if more else [])])


def _undefined(detection: Detection, place: int, measure: str) -> Caveat | None:
    heads = detection.undefined(place, measure) if measure == "mul" else []
    if not heads:
        return None
    return Caveat(
        "undefined",
        "Undefined scores",
        f"{named(heads)} put all attention on cells that you exclude, on at least one prompt. mul "
        "then divides zero by zero. Such a prompt is left out of the mean and of n; with "
        "no prompt left the cell shows “?”. TransformerLens would return NaN.",
        tuple(heads),
    )


def _excluded(detection: Detection, place: int, measure: str) -> Caveat | None:
    if measure == "activation" or not (detection.exclude_bos or detection.exclude_current_token):
        return None
    if float(detection.filled[place].max()) > 0 or int(detection.rows[place].max()) == 0:
        return None
    return Caveat(
        "excluded",
        "The pattern is excluded",
        "Every cell that this pattern predicts is among those that you exclude, so there is "
        "nothing to compare with. Switch the exclusion off.",
    )


def _covers_much(detection: Detection, place: int, measure: str) -> Caveat | None:
    chance = detection.summary(place, "mul").chance
    if measure != "mul" or not chance > COVERS:
        return None
    mean = detection.summary(place, "mul").mean
    lowest = float(mean[~mean.isnan()].min()) if bool((~mean.isnan()).any()) else chance
    return Caveat(
        "covers_much",
        "A pattern that predicts nearly everything is always right",
        f"A head that spreads its attention evenly already gets {percent(chance)} under mul, and "
        f"even the lowest head gets {percent(lowest)}. Under mul a broader guess never scores "
        "lower: a pattern of ones everywhere gives every head 100%. When a measure becomes a "
        "target, it stops being a good measure (Goodhart's law). Look at the activation beside "
        "its chance.",
    )


def _on_nothing(detection: Detection, place: int, measure: str) -> Caveat | None:
    if measure == "activation" or not (detection.exclude_bos or detection.exclude_current_token):
        return None
    mean, kept = detection.summary(place, measure).mean, kept_share(detection, place)
    heads = [Head(*at) for at in ((mean > NOTABLE) & (kept < LITTLE)).nonzero().tolist()]
    if not heads:
        return None
    heads.sort(key=lambda head: float(kept[head]))
    worst, more = heads[0], len(heads) - 1
    why = (
        "mul divides by the little that is left"
        if measure == "mul"
        else "abs finds little to disagree with in a row that is all but empty"
    )
    also = f" The same is true of {count(more, 'more head')}." if more else ""
    return Caveat(
        "on_nothing",
        "A high score on next to no attention",
        f"{worst.label} scores {float(mean[worst]):.2f}, yet the exclusions leave only "
        f"{_fine(float(kept[worst]))} of its attention: it looks where you exclude, and {why}."
        f"{also} Look at the column “left” in the table.",
        tuple(heads),
    )


def _fine(share: float) -> str:
    """A small share with the digits that it needs."""
    return f"{share:.1%}" if share >= 0.001 else "less than 0.1%"


def _below(detection: Detection, place: int, measure: str) -> Caveat | None:
    mean = detection.summary(place, "abs").mean
    if measure != "abs" or not bool((mean < -1).any()):
        return None
    heads = [Head(*at) for at in (mean < -1).nonzero().tolist()]
    return Caveat(
        "below",
        "Below −1",
        f"{len(heads)} head{'' if len(heads) == 1 else 's'} fall below −1, though abs is meant to "
        f"run from −1 to 1; the lowest is at {decimal(float(mean.nan_to_num(0).min()))}. The "
        f"pattern expects up to {float(detection.largest_row[place]):.3g} times a row's whole "
        "attention in one row; a row of attention sums to 1, so every head is far off. Rows of a "
        "pattern that sum to 1 at most stay within the range.",
        tuple(heads),
    )


def _numbers(detection: Detection, place: int, measure: str) -> Caveat | None:
    if bool(detection.binary[place]) or measure == "abs":
        return None
    what = (
        "mul cannot tell whether a head splits its attention 20 : 80 or 80 : 20 as you painted it"
        if measure == "mul"
        else "the activation counts every cell that is not 0 alike"
    )
    return Caveat(
        "numbers",
        "Numbers between 0 and 1",
        f"This pattern holds numbers between 0 and 1, and {what}. Only abs compares numbers.",
    )


def _ceiling(detection: Detection, place: int, measure: str) -> Caveat | None:
    if measure != "mul" or detection.exclude_bos or detection.exclude_current_token:
        return None
    best = float(detection.filled[place][detection.fits[place]].mean())
    if not 0 < best < 0.9:
        return None
    return Caveat(
        "ceiling",
        "No head can reach 1",
        f"Only {percent(best)} of the rows hold a predicted cell, and mul divides by all rows: a "
        f"perfect head would get {best:.2f} here. The activation counts only the rows where the "
        "pattern can show.",
    )


def _no_row(detection: Detection, place: int, measure: str) -> Caveat | None:
    rows = detection.rows[place][detection.fits[place]]
    if measure != "activation" or bool((rows > 0).any()):
        return None
    everything = float(detection.filled[place].max()) > 0
    why = (
        "it predicts every cell of the rows in which it predicts any, and a head cannot help "
        "looking there"
        if everything
        else "it predicts no cell there"
    )
    return Caveat(
        "no_row",
        "Nothing to judge by",
        f"On {'this prompt' if len(rows) == 1 else 'these prompts'} the pattern cannot be judged: "
        f"{why}. So there is no activation (the cells show “?”).",
    )


def kept_share(detection: Detection, place: int) -> torch.Tensor:
    """[layer head] the mean share of attention that the exclusions leave, over the prompts."""
    return detection.kept[detection.fits[place]].mean(0)
