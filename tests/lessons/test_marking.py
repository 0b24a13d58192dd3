"""Marks, worked out by hand."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from headroles.errors import HeadrolesError
from headroles.lessons import marking
from headroles.lessons.answers import Answer, OptionAnswer
from headroles.lessons.lesson import SAME, Active, Cells, Largest, Value
from headroles.lessons.worksheet import Prediction

ASKED = {"key": "a", "title": "A", "question": "?", "explain": "!"}
ANSWER = Answer(
    model="demo", revision="", queries=(2, 3), rows=((0.1, 0.7, 0.2), (0.4, 0.3, 0.2, 0.1))
)


def cells(**fields) -> Cells:
    return Cells(kind="cells", prompt="x", head="L0H0", queries=(2, 3), **ASKED, **fields)


def test_cells_are_marked_by_the_attention_that_they_hold() -> None:
    found = marking.mark(cells(), ANSWER, Prediction(cells=((2, 1), (3, 1))))
    assert found.caught == pytest.approx((0.7 + 0.3) / 2)
    assert found.best == pytest.approx((0.7 + 0.4) / 2)
    assert found.score == pytest.approx(1.0 / 1.1)
    assert (found.right, found.of) == (1, 2)
    assert found.chance == pytest.approx((1 / 3 + 1 / 4) / 2)


def test_without_the_first_token_it_can_neither_be_chosen_nor_be_best() -> None:
    step = cells(without_first=True)
    answer = ANSWER.model_copy(update={"rows": ((0, 0.7, 0.3), (0, 0.5, 0.3, 0.2))})
    found = marking.mark(step, answer, Prediction(cells=((2, 1), (3, 2))))
    assert found.score == pytest.approx(1.0 / 1.2)
    assert found.chance == pytest.approx((1 / 2 + 1 / 3) / 2)
    with pytest.raises(HeadrolesError):
        marking.mark(step, answer, Prediction(cells=((2, 0),)))


@pytest.mark.parametrize(
    ("said", "score"), [(0.5, 1), (0.6, 1), (0.65, 0.5), (0.35, 0.5), (0.7, 0), (1, 0)]
)
def test_a_number_counts_less_the_further_it_is_off(said: float, score: float) -> None:
    step = Value(
        kind="number",
        measure="chance",
        case={"prompt": "x", "role": "induction"},
        low=0,
        high=1,
        step=0.1,
        within=0.1,
        **ASKED,
    )
    answer = Answer(model="demo", revision="", value=0.5)
    assert marking.mark(step, answer, Prediction(number=said)).score == pytest.approx(score)


def said(step, answer: Answer, **prediction) -> list[str]:
    return [one.text for one in marking.feedback(step, answer, Prediction(**prediction))]


def test_a_wrong_cell_is_answered_by_its_word_or_its_position_and_the_best_by_nothing() -> None:
    answer = ANSWER.model_copy(update={"tokens": ("<s>", " cat", " sat", " cat")})
    step = cells(feedback={"cat": "the same word", "0": "the start", "3": "itself"})
    assert said(step, answer, cells=((2, 1), (3, 0))) == []  # the strongest of both rows
    assert said(step, answer, cells=((2, 0), (3, 1))) == ["the start", "the same word"]
    assert said(step, answer, cells=((2, 2), (3, 3))) == ["itself"]  # not also “cat”
    told = marking.feedback(step, answer, Prediction(cells=((2, 0), (3, 1), (3, 3))))
    assert [one.to for one in told] == ["0", "cat", "cat (3)"]


def test_what_is_said_to_a_number_an_option_and_a_tick() -> None:
    case = {"prompt": "x", "role": "induction"}
    number = Value(
        kind="number", measure="chance", case=case, low=0, high=1, step=0.1, within=0.1,
        feedback={"too low": "more", "too high": "less"}, **ASKED,
    )  # fmt: skip
    told = [
        said(number, Answer(model="m", revision="", value=0.5), number=n) for n in (0.3, 0.45, 0.9)
    ]
    assert told == [["more"], [], ["less"]]

    largest = Largest(
        kind="largest", measure="chance", case=case, same_within=0.1,
        options=[{"label": "a", "feedback": "own"}, {"label": "b"}],
        feedback={"b": "no", "about the same": "not quite"}, **ASKED,
    )  # fmt: skip
    options = [OptionAnswer(label=name, value=0, is_right=name == "a") for name in "ab"]
    answer = Answer(
        model="m", revision="",
        options=(*options, OptionAnswer(label=SAME, value=1, is_right=False)),
    )  # fmt: skip
    told = [said(largest, answer, chosen=(label,)) for label in ("a", "b", SAME)]
    assert told == [["own"], ["no"], ["not quite"]]

    ticks = Active(
        kind="active", prompt="x", options=("induction", "positional"),
        feedback={"induction": "no copy", "positional": "rests"}, **ASKED,
    )  # fmt: skip
    options = [
        OptionAnswer(label="Induction", value=0, is_right=False),
        OptionAnswer(label="First token", value=1, is_right=True),
    ]
    answer = Answer(model="m", revision="", options=tuple(options))
    assert said(ticks, answer, chosen=("Induction",)) == ["no copy", "rests"]
    assert said(ticks, answer, chosen=("First token",)) == []


@pytest.mark.parametrize(
    ("kind", "feedback"),
    [
        (Value, {"too much": "?"}),
        (Active, {"diffuse": "?"}),
        (Largest, {"about the same": "?"}),  # not to be chosen without same_within
    ],
)
def test_feedback_to_what_nobody_can_predict_is_a_fault(kind: type, feedback: dict) -> None:
    fields = {
        Value: {"kind": "number", "measure": "chance", "low": 0, "high": 1, "step": 1, "within": 1,
                "case": {"prompt": "x", "role": "induction"}},
        Active: {"kind": "active", "prompt": "x", "options": ("induction", "positional")},
        Largest: {"kind": "largest", "measure": "chance",
                  "case": {"prompt": "x", "role": "induction"},
                  "options": [{"label": "a"}, {"label": "b"}]},
    }[kind]  # fmt: skip
    kind(**fields, **ASKED)
    with pytest.raises(ValidationError, match="feedback"):
        kind(**fields, **ASKED, feedback=feedback)
