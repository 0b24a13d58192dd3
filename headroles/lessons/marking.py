"""How near a prediction came to the answer, from 0 to 1. Pure: no model is needed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from headroles.errors import HeadrolesError
from headroles.lessons.answers import Answer
from headroles.lessons.lesson import (
    TOO_HIGH,
    TOO_LOW,
    Active,
    Cells,
    Largest,
    Question,
    Value,
)
from headroles.lessons.worksheet import Prediction

RIGHT, WRONG = 0.95, 1 / 3
"""A score of at least the one is called right, one of at most the other wrong, and partly right
what lies between: cells may miss a little of what could be caught, a number a little of what the
lesson calls near enough."""


def is_right(score: float) -> bool:
    """Whether a prediction is called right."""
    return score >= RIGHT


def is_partly_right(score: float) -> bool:
    """Whether a prediction is called neither right nor wrong."""
    return WRONG < score < RIGHT


class Mark(NamedTuple):
    """A prediction, marked."""

    score: float
    """0..1."""
    right: int
    """How much of it was right: cells that are among the strongest, options judged rightly."""
    of: int
    """Out of how much."""
    caught: float = 0.0
    """0..1, for ``cells``: mean attention of the rows on the chosen cells."""
    best: float = 0.0
    """0..1, for ``cells``: the most that as many cells can hold."""
    chance: float = 0.0
    """0..1, for ``cells``: what a head that spreads evenly would put on them."""


def mark(step: Question, answer: Answer, prediction: Prediction) -> Mark:
    """Hold a prediction against the answer.

    - ``cells``: the attention on the chosen cells, out of the most that the ``each`` strongest
      cells of every row hold.
    - ``active``: the share of options that were rightly ticked or left.
    - ``largest``: 1 for a right option.
    - ``number``: 1 within ``within`` of the number, falling in a line to 0 at twice that.
    - ``wake``: 1 if the head is active on what was written.

    Raises:
        HeadrolesError: if the prediction does not fit the question: a cell outside the rows, an
            unknown option, no number.
    """
    if isinstance(step, Cells):
        return _cells(step, answer, prediction)
    if isinstance(step, Active):
        return _several(answer, prediction)
    if isinstance(step, Largest):
        return _one(answer, prediction)
    if isinstance(step, Value):
        return _number(step, answer, prediction)
    awake = answer.state == "active"
    return Mark(float(awake), int(awake), 1)


def _does_not_fit(why: str) -> HeadrolesError:
    return HeadrolesError(f"This is no prediction for the question: {why}.")


def _cells(step: Cells, answer: Answer, prediction: Prediction) -> Mark:
    rows = dict(zip(answer.queries, answer.rows, strict=True))
    chosen: dict[int, set[int]] = {query: set() for query in rows}
    for query, key in prediction.cells:
        if query not in rows or not int(step.without_first) <= key <= query:
            raise _does_not_fit(f"there is no cell ({query}, {key})")
        chosen[query].add(key)
    if any(len(keys) > step.each for keys in chosen.values()):
        raise _does_not_fit(f"a row has more than {step.each} cells")
    caught = best = chance = 0.0
    right = of = 0
    first = int(step.without_first)
    for query, row in rows.items():
        strongest = strongest_of(step, row)
        caught += sum(row[key] for key in chosen[query])
        best += sum(row[key] for key in strongest)
        chance += len(chosen[query]) / (len(row) - first)
        right += len(chosen[query] & set(strongest))
        of += len(strongest)
    score = min(caught / best, 1.0) if best else 0.0
    count = len(rows)
    return Mark(score, right, of, caught / count, best / count, chance / count)


def strongest_of(step: Cells, row: Sequence[float]) -> list[int]:
    """The cells of a row with the most attention, as many as may be chosen."""
    keys = range(int(step.without_first), len(row))
    return sorted(keys, key=lambda key: (-row[key], key))[: step.each]


def _check_options(answer: Answer, prediction: Prediction) -> None:
    labels = {option.label for option in answer.options}
    if unknown := [label for label in prediction.chosen if label not in labels]:
        raise _does_not_fit(f"there is no option “{unknown[0]}”")


def _several(answer: Answer, prediction: Prediction) -> Mark:
    _check_options(answer, prediction)
    right = sum(option.is_right == (option.label in prediction.chosen) for option in answer.options)
    return Mark(right / len(answer.options), right, len(answer.options))


def _one(answer: Answer, prediction: Prediction) -> Mark:
    _check_options(answer, prediction)
    if len(prediction.chosen) != 1:
        raise _does_not_fit("it names not one option")
    right = any(
        option.is_right and option.label == prediction.chosen[0] for option in answer.options
    )
    return Mark(float(right), int(right), 1)


def _number(step: Value, answer: Answer, prediction: Prediction) -> Mark:
    if prediction.number is None or answer.value is None:
        raise _does_not_fit("it has no number")
    off = abs(prediction.number - answer.value) / step.within
    score = min(max(2 - off, 0.0), 1.0)
    return Mark(score, int(off <= 1), 1)


class Feedback(NamedTuple):
    """What a lesson says to a wrong prediction."""

    to: str
    """What was predicted: a label, a role, a word, a word with its position, ``0`` for the first
    token; ``too low`` or ``too high``."""
    text: str
    """Markdown."""


def feedback(step: Question, answer: Answer, prediction: Prediction) -> list[Feedback]:
    """What the lesson says to what was wrong in a prediction, each text once; nothing where it has
    no text for it. An option's own feedback is said also where it is right."""
    if isinstance(step, Cells):
        told = _said(step, _wrong_cells(step, answer, prediction))
        return [Feedback(_place(to, answer), text) for to, text in told]
    if isinstance(step, Active):
        told = [
            name
            for name, option in zip(step.options, answer.options, strict=True)
            if option.is_right != (option.label in prediction.chosen)
        ]
    elif isinstance(step, Largest):
        own = [
            Feedback(option.label, option.feedback)
            for option in step.options
            if option.feedback and option.label in prediction.chosen
        ]
        right = {option.label for option in answer.options if option.is_right}
        return own + _said(step, [label for label in prediction.chosen if label not in right])
    elif isinstance(step, Value):
        off = (prediction.number or 0.0) - (answer.value or 0.0)
        told = [TOO_HIGH if off > 0 else TOO_LOW] if abs(off) > step.within else []
    else:
        return []
    return _said(step, told)


def _said(step: Cells | Active | Largest | Value, to: list[str]) -> list[Feedback]:
    return [Feedback(key, step.feedback[key]) for key in dict.fromkeys(to) if key in step.feedback]


def _place(key: str, answer: Answer) -> str:
    """A word as it is, and a later position with its token."""
    is_place = key.isdecimal() and 0 < int(key) < len(answer.tokens)
    return f"{answer.tokens[int(key)].strip()} ({key})" if is_place else key


def _wrong_cells(step: Cells, answer: Answer, prediction: Prediction) -> list[str]:
    """The words of chosen cells that are not among their row's strongest; the position where the
    lesson says something to that."""
    strongest = {
        query: strongest_of(step, row)
        for query, row in zip(answer.queries, answer.rows, strict=True)
    }
    wrong = [key for query, key in prediction.cells if key not in strongest[query]]
    return [str(key) if str(key) in step.feedback else answer.tokens[key].strip() for key in wrong]
