"""One head's scores prompt by prompt: which of a thousand breaks it.

A mean over many prompts hides the ones on which a head does something else. Sorted by score, the
lowest first, these stand at the top, each beside what an even spread gets on that very prompt.

>>> by_prompt(detection, 0, "activation", Head(1, 4))[0].score  # doctest: +SKIP
0.12
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from headroles.types import Head

if TYPE_CHECKING:
    from headroles.detector.detection import Detection
    from headroles.roles import Role


@dataclass(frozen=True)
class PromptScore:
    """One head on one prompt."""

    place: int
    """Which of the prompts it is, from 0."""
    score: float | None
    """By the measure that was asked for; None where it is not defined."""
    chance: float | None
    """What a head that spreads evenly gets on this prompt; None where there is no such number."""
    rows: int
    """Rows in which the pattern predicts something, which is what an activation is a mean over."""
    tokens: int
    """Tokens of the prompt, the start token included."""

    def is_clear(self, pattern: Role) -> bool:
        """Whether it lies clearly above chance: the pattern's ``min_lift`` of the way to 1."""
        if self.score is None or self.chance is None:
            return False
        return self.score >= self.chance + pattern.min_lift * (1 - self.chance)


def by_prompt(detection: Detection, place: int, measure: str, head: Head) -> list[PromptScore]:
    """A head's score on every prompt that a pattern fits, the lowest first.

    Prompts without a score come last; equal scores keep the order of the prompts.

    Args:
        detection: of all prompts.
        place: the pattern, among ``detection.patterns``.
        measure: ``activation``, ``mul`` or ``abs``.
        head: a head of the model.
    """
    scores = detection.scores[measure][place][:, head.layer, head.head].tolist()
    chances = detection.even[measure][place][:, head.layer].tolist()
    rows = detection.rows[place].tolist()
    lengths = detection.lengths.tolist()
    found = [
        PromptScore(at, _known(scores[at]), _known(chances[at]), rows[at], lengths[at])
        for at in detection.fits[place].nonzero().flatten().tolist()
    ]
    return sorted(found, key=lambda one: math.inf if one.score is None else one.score)


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None
