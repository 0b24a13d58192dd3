"""The lab's map and sentences, worked out from a detection. Pure: no Streamlit, no charts.

>>> card = card_of(detection, 0, "activation")  # doctest: +SKIP
>>> card.sentence  # doctest: +SKIP
'L1H6 matches best: 0.97, where an even spread gets 0.16.'
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from headroles.formatting import decimal, true_minus
from headroles.types import Head
from headroles.view.head_records import head_record
from headroles.view.html import count

if TYPE_CHECKING:
    from headroles.detector import Detection, Summary
    from headroles.roles import Role

RINGED = 3
"""Heads that a map rings."""
DOMAINS = {"activation": (0.0, 1.0), "mul": (0.0, 1.0), "abs": (-1.0, 1.0)}
"""The scores that are drawn lightest and darkest."""


@dataclass(frozen=True)
class Card:
    """One pattern's map."""

    pattern: Role
    """The pattern."""
    records: tuple[dict[str, object], ...]
    """One per head: :func:`headroles.view.head_records.head_record`."""
    sentence: str
    """The take-away."""
    basis: str
    """What the numbers are a mean of."""


def card_of(detection: Detection, place: int, measure: str) -> Card:
    """The pattern at a place, by a measure."""
    summary = detection.summary(place, measure)
    best = set(summary.ranking()[:RINGED])
    layers, heads = detection.asked.shape
    records = [
        _record(head, summary, detection, DOMAINS[measure], head in best)
        for head in (Head(layer, head) for layer in range(layers) for head in range(heads))
    ]
    return Card(
        detection.patterns[place], tuple(records), _sentence(summary), _basis(detection, summary)
    )


def _record(
    head: Head, summary: Summary, detection: Detection, domain: tuple[float, float], best: bool
) -> dict[str, object]:
    value, asked = float(summary.mean[head]), bool(detection.asked[head])
    if not (asked and math.isfinite(value)):
        words = "undefined" if asked else "not asked"
        return head_record(head, None, number="?" if asked else "–", shown=words)
    low, high = domain
    return head_record(
        head,
        value,
        shade=(value - low) / (high - low),
        number=short(value),
        active=best,
        shown=with_error(summary, head),
    )


def short(value: float) -> str:
    """A score in a cell: hundredths without the leading 0.

    >>> short(0.973), short(1), short(-0.4), short(-6.19)
    ('.97', '1', '−.40', '−6.2')
    """
    if abs(value) >= 9.95:
        shown = f"{value:.0f}"
    elif abs(value) >= 0.995:
        shown = f"{value:.1f}".removesuffix(".0")
    else:
        shown = f"{value:.2f}".replace("0.", ".", 1)
    return true_minus(shown)


def with_error(summary: Summary, head: Head) -> str:
    """``0.97 ± 0.01``; without the error where there is one prompt."""
    error = float(summary.error[head])
    spread = f" ± {error:.3f}" if math.isfinite(error) else ""
    return f"{decimal(float(summary.mean[head]), digits=3)}{spread}"


def _sentence(summary: Summary) -> str:
    ranking = summary.ranking()
    if not ranking:
        return "No head has a score here."
    best = ranking[0]
    chance = (
        f", where an even spread gets {decimal(summary.chance)}"
        if math.isfinite(summary.chance)
        else ""
    )
    return f"{best.label} matches best: {with_error(summary, best)}{chance}."


def _basis(detection: Detection, summary: Summary) -> str:
    total = detection.fits.shape[1]
    n = int(summary.n.max())
    if total == 1:
        return "From one prompt, so there is no standard error."
    left = total - n
    rest = f"; on {left} the pattern predicts nothing or does not fit" if left else ""
    return f"Mean ± standard error over {count(n, 'prompt')} of {total}{rest}."
