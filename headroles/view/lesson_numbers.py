"""Numbers of lessons with their units, and what they are called in a sentence. Pure.

>>> share(0.004), amount(0.25, "nats"), amount(3, "heads")
('0.4%', '0.25 nats', '3 heads')
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from headroles.formatting import count, decimal, true_minus
from headroles.lessons.measures import MEASURES, POINTS, SHARES

if TYPE_CHECKING:
    from headroles.lessons.lesson import Largest, Question, Value


def share(value: float, *, digits: int = 0) -> str:
    """A share of 1 in percent, with decimals where whole ones would say nothing or too much.

    Args:
        value: 0..1, or a change of one.
        digits: decimals at least.

    >>> [share(value) for value in (0.82, 0.042, 0.05, 0.004, 0.00038, 0.000007, 0, 0.998, 1)]
    ['82%', '4.2%', '5%', '0.4%', '0.04%', '<0.01%', '0%', '99.8%', '100%']
    """
    size = abs(value)
    if 0 < size < 0.00005:
        return f"{'<' if value > 0 else '>−'}0.01%"
    few = 2 if 0 < size < 0.00095 else 1 if size < 0.0995 or 0.995 <= size < 0.9995 else 0
    text = true_minus(f"{value:z.{max(digits, few)}%}")
    return text if digits else text.replace(".0%", "%")


def amount(value: float, unit: str, *, digits: int = 0, of: float | None = None) -> str:
    """A number in its unit (:attr:`headroles.lessons.measures.Measure.unit`).

    Args:
        value: the number.
        unit: its unit.
        digits: decimals at least.
        of: for heads, how many there are.

    >>> amount(0.5, "share"), amount(-0.0123, "logits"), amount(1, "heads"), amount(0.034, "")
    ('50%', '−0.012 logits', '1 head', '0.034')
    >>> amount(3, "heads", of=32), amount(0.75, "points"), amount(0.00001, "nats")
    ('3 of 32 heads', '75 percentage points', '<0.0001 nats')
    """
    if unit == POINTS:
        return _points(share(value, digits=digits))
    if unit == "share":
        return share(value, digits=digits)
    if unit == "heads" and value == round(value):
        return count(round(value), "head") if of is None else f"{value:.0f} of {of:.0f} heads"
    if 0 < abs(value) < 0.00005:
        return f"{'<' if value > 0 else '>−'}0.0001 {unit}".strip()
    few = 2 if abs(value) >= 0.1 or not value else 3 if abs(value) >= 0.01 else 4
    return f"{decimal(value, digits=max(few, digits))} {unit}".strip()


def amounts(values: Sequence[float], unit: str, *, of: float | None = None) -> list[str]:
    """Several numbers, with as many digits as tell apart those that differ.

    Args:
        values: the numbers.
        unit: their unit.
        of: for heads, how many there are.

    >>> amounts([0.412, 0.414, 0.1], "share")
    ['41.2%', '41.4%', '10.0%']
    """
    different = len({round(value, 5) for value in values})
    for digits in range(5):
        shown = [amount(value, unit, digits=digits, of=of) for value in values]
        if len(set(shown)) >= different:
            return shown
    return [amount(value, unit, of=of) for value in values]


def gap(value: float, unit: str, *, exact: bool = False) -> str:
    """How far two numbers lie apart.

    Args:
        value: the distance.
        unit: their unit.
        exact: whether its decimals count, as in what a lesson allows; else one that was measured
            is as round as the numbers beside it.

    >>> gap(0.126, "share"), gap(0.004, "share"), gap(0.5, "nats"), gap(0.025, "share", exact=True)
    ('13 percentage points', '0.4 percentage points', '0.50 nats', '2.5 percentage points')
    """
    if unit not in SHARES:
        return amount(abs(value), unit)
    size = abs(value)
    return _points(share(size if exact or size < 0.01 else round(size, 2)))


def _points(percent: str) -> str:
    points = percent.removesuffix("%")
    return f"{points} percentage {'point' if points == '1' else 'points'}"


def is_share(step: Question) -> bool:
    """Whether a question's numbers are shown in percent."""
    return unit_of(step) in SHARES


def words_of(step: Largest | Value) -> str:
    """What a question's number is called in a sentence: “rise of the loss”."""
    options = step.options if step.kind == "largest" else ()
    if step.measure.endswith("contribution") and any(one.against for one in (step.case, *options)):
        return "contribution to the difference of the two logits"
    return MEASURES[step.measure].words


def unit_of(step: Question) -> str:
    """The unit of a question's numbers."""
    return MEASURES[step.measure].unit if step.kind in ("largest", "number") else "share"
