"""Place or content: the scores on sentences beside those on random tokens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

POSITIONAL, CONTENT = 0.75, 0.25
"""With more than the first share of its lift left on random tokens a head is positional, with less
than the second it is driven by content."""


@dataclass(frozen=True)
class PlaceOrContent:
    """Whether a head does the same on random tokens as on text."""

    kind: Literal["positional", "content", "partly", "unsure", "neither"]
    """What drives it; ``unsure``: the errors are too large to tell; ``neither``: it does not have
    the role."""
    kept: float | None
    """Share of the lift over chance that is left on random tokens; None without a lift."""
    sentence: str
    """For a student."""


def place_or_content(
    score: float,
    control: float,
    *,
    threshold: float,
    zero: float,
    errors: Sequence[float] = (0.0, 0.0),
) -> PlaceOrContent:
    """Tell a positional head from one that is driven by content.

    ``kept = (control - zero) / (score - zero)``. With :data:`POSITIONAL` or more of it left the
    head is positional, with :data:`CONTENT` or less it is driven by content. Where less is left,
    but two standard errors cannot tell the two numbers apart, nothing is said: that a difference
    was not seen does not show that there is none.

    Args:
        score: on sentences.
        control: on random tokens.
        threshold: what it takes to have the role.
        zero: chance, or 0 where chance cannot be the zero (``diffuse``).
        errors: the standard errors of score and control.
    """
    if score < threshold or score <= zero:
        if control >= threshold:
            return PlaceOrContent("neither", None, "Reaches the threshold on random tokens only.")
        return PlaceOrContent("neither", None, "Does not reach the role's threshold.")
    kept = (control - zero) / (score - zero)
    unsure = 2 * sum(error**2 for error in errors) ** 0.5
    if kept >= POSITIONAL:
        return PlaceOrContent("positional", kept, "Does it on random tokens too: positional.")
    if score - control <= unsure:
        return PlaceOrContent("unsure", kept, "Too few texts to tell it from random tokens.")
    if kept <= CONTENT:
        return PlaceOrContent("content", kept, "Only on sentences: content-driven.")
    return PlaceOrContent("partly", kept, "Less on random tokens: partly positional.")
