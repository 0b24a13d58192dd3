"""A head's scores prompt by prompt, in sentences and as a histogram. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import TYPE_CHECKING

from headroles.formatting import decimal, in_one_line, percent
from headroles.types import Head
from headroles.view.detection import DOMAINS
from headroles.view.html import count

if TYPE_CHECKING:
    from headroles.detector.by_prompt import PromptScore
    from headroles.roles import Role

BINS = 20
"""Bars of the histogram."""
SHOWN = 160
"""Characters of a prompt in the table."""


def number(value: float | None, measure: str) -> str:
    """A score as it is read: a share, or by ``abs`` a number that is none."""
    if value is None:
        return "no score"
    return decimal(value) if measure == "abs" else percent(value)


def sentence(scores: Sequence[PromptScore], head: Head, pattern: Role, measure: str) -> str:
    """Where the head is lowest and highest, its median, and on how many prompts it fails."""
    known = [one for one in scores if one.score is not None]
    if not known:
        return f"{head.label} has no score on any of {count(len(scores), 'prompt')}."
    low, high = known[0], known[-1]
    beside = "" if low.chance is None else f", where chance is {number(low.chance, measure)}"
    middle = number(median(one.score for one in known), measure)
    parts = [
        f"On {count(len(known), 'prompt')}, {head.label} goes from {number(low.score, measure)} "
        f"(prompt {low.place + 1}{beside}) to {number(high.score, measure)}; the median is "
        f"{middle}."
    ]
    if len(known) == 1:
        parts = [f"On the one prompt, {head.label} reaches {middle}{beside}."]
    elif measure != "abs":
        broken = sum(not one.is_clear(pattern) for one in known)
        verb = "is" if broken == 1 else "are"
        parts.append(
            f"{broken} of them {verb} not clearly above chance."
            if broken
            else "All of them are clearly above chance."
        )
    if without := len(scores) - len(known):
        parts.append(f"On {count(without, 'more prompt')} the pattern predicts nothing.")
    return " ".join(parts)


def histogram(scores: Sequence[PromptScore], measure: str) -> list[dict[str, object]]:
    """How many prompts have a score in each of :data:`BINS` equal parts of the measure's scale.

    The ends take what lies beyond them; by ``abs`` scores may fall under −1.
    """
    low, high = DOMAINS[measure]
    width = (high - low) / BINS
    counts = [0] * BINS
    for one in scores:
        if one.score is not None:
            counts[min(max(int((one.score - low) / width), 0), BINS - 1)] += 1
    return [
        {
            "from": round(low + at * width, 4),
            "to": round(low + (at + 1) * width, 4),
            "prompts": found,
            "shown": f"{count(found, 'prompt')} from {number(low + at * width, measure)} to "
            f"{number(low + (at + 1) * width, measure)}",
        }
        for at, found in enumerate(counts)
    ]


def mean_chance(scores: Sequence[PromptScore]) -> float | None:
    """Chance over the prompts with a score; None where there is no such number."""
    known = [one.chance for one in scores if one.score is not None and one.chance is not None]
    return sum(known) / len(known) if known else None


def in_a_row(text: str) -> str:
    """A prompt as the table shows it."""
    return in_one_line(text, limit=SHOWN)


def rows(
    scores: Sequence[PromptScore], texts: Sequence[str], pattern: Role
) -> list[dict[str, object]]:
    """The table as a file: a row per prompt, the lowest first, with its whole text.

    Args:
        scores: from :func:`headroles.detector.by_prompt.by_prompt`.
        texts: [prompt] every prompt's text.
        pattern: the pattern.
    """
    return [
        {
            "prompt": one.place + 1,
            "score": one.score,
            "chance": one.chance,
            "clearly_above_chance": None if one.score is None else one.is_clear(pattern),
            "rows": one.rows,
            "tokens": one.tokens,
            "text": texts[one.place],
        }
        for one in scores
    ]
