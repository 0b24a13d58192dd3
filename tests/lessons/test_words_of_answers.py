"""What is said about a prediction: the numbers in it, on answers that were worked out by hand."""

from __future__ import annotations

import itertools
import re

import pytest

from headroles.lessons import mark
from headroles.lessons.lesson import SAME
from headroles.lessons.worksheet import Prediction
from headroles.view import lesson_progress, lesson_records, lessons
from tests.lessons import questions as q


def said(step, answer, prediction: Prediction) -> str:
    return " ".join(lessons.told(step, answer, mark(step, answer, prediction), prediction))


def numbers(text: str) -> list[str]:
    return re.findall(r"[\d.]*\d%?", text)


# ------------------------------------------------------------------ cells


def test_chosen_cells_stand_beside_the_strongest_and_an_even_spread() -> None:
    # Row 2: .6 of it; row 4: .5 and nothing. Chance: (1/3 + 2/5) / 2.
    prediction = Prediction(cells=((2, 1), (4, 3), (4, 0)))
    text = said(q.CELLS, q.CELLS_ANSWER, prediction)
    shares = [number for number in numbers(text) if number.endswith("%")]
    assert shares == ["55%", "85%", "37%"]
    assert text.startswith("2 of your 3 cells")
    assert "4 strongest" in text


def test_all_of_the_strongest_is_a_yes() -> None:
    prediction = Prediction(cells=((2, 1), (2, 2), (4, 3), (4, 2)))
    text = said(q.CELLS, q.CELLS_ANSWER, prediction)
    assert text.startswith("Yes")
    assert [number for number in numbers(text) if "%" in number] == ["85%", "53%"]


@pytest.mark.parametrize(
    ("key", "expected"), [(3, ["90%", "25%", "99.6%"]), (2, ["0.4%", "90%", "25%", "99.6%"])]
)
def test_without_the_first_token_small_shares_are_no_nothing(key: int, expected: list) -> None:
    text = said(q.RESTING, q.RESTING_ANSWER, Prediction(cells=((4, key),)))
    assert [number for number in numbers(text) if "%" in number] == expected
    assert text.startswith("Yes") == (key == 3)


def test_a_row_that_rests_wholly_has_no_strongest_cell() -> None:
    answer = q.RESTING_ANSWER.model_copy(update={"rows": ((0.0,) * 5,), "resting": (1.0,)})
    prediction = Prediction(cells=((4, 3),))
    assert "%" not in said(q.RESTING, answer, prediction)
    (words,) = lesson_records.words(q.RESTING, answer, prediction).values()
    assert [word.mark for word in words] == ["", "", "miss", ""]


def test_every_word_is_marked_by_what_was_chosen_and_what_is_strong() -> None:
    prediction = Prediction(cells=((2, 1), (4, 3), (4, 0)))
    found = lesson_records.words(q.CELLS, q.CELLS_ANSWER, prediction)
    assert [[word.mark for word in row] for row in found.values()] == [
        ["", "hit", "missed"],
        ["miss", "", "missed", "hit", ""],
    ]
    body = lesson_records.cells_html(q.CELLS, q.CELLS_ANSWER, prediction)
    assert [body.count(f"hr-laid-{kind}") for kind in ("hit", "miss ", "missed")] == [2, 0, 2]
    assert body.count("<li ") == 8  # every token up to both that look
    _, rows = lesson_records.cells_table(q.CELLS, q.CELLS_ANSWER, prediction)
    assert [row[2] for row in rows] == ["10%", "60%", "30%", "0%", "0%", "30%", "50%", "20%"]
    assert [row[3] for row in rows] == ["33%"] * 3 + ["20%"] * 5


def test_what_stands_in_a_token_stays_text() -> None:
    answer = q.CELLS_ANSWER.model_copy(update={"tokens": ("<s>", "<b>", " *b*", " a", " b")})
    body = lesson_records.cells_html(q.CELLS, answer, Prediction(cells=((2, 1),)))
    assert "<bdi>&lt;b&gt;</bdi>" in body
    labels = lessons.names(answer.tokens)
    assert lessons.chip(labels, 2) == "·\\*b\\*"
    assert len({lessons.chip(lessons.names(q.TOKENS), place) for place in range(5)}) == 5


# ------------------------------------------------------------------ the other kinds


def test_wrong_and_missing_ticks_are_named_with_their_verdict() -> None:
    text = said(q.ACTIVE, q.ACTIVE_ANSWER, Prediction(chosen=("Induction",)))
    assert "0 of 2" in text
    assert "Induction (L1H4): ticked, but not active. It rests." in text
    assert "Previous token (L0H6): active, but not ticked. 90% goes there." in text
    right = said(q.ACTIVE, q.ACTIVE_ANSWER, Prediction(chosen=("Previous token",)))
    assert "L0H6" not in right


@pytest.mark.parametrize(
    ("values", "chosen", "expected"),
    [
        ((2.0, 1.0, 0.5), "one", ["2.00"]),
        ((2.0, 1.0, 0.5), "three", ["2.00", "0.50", "3", "3"]),
        ((2.0, 1.0, 0.5), SAME, ["2.00", "0.50", "1.50"]),
        ((2.0, 2.02, 2.04), SAME, ["0.040", "0.10"]),
        ((2.0, 2.02, 2.04), "three", ["0.040", "0.10"]),
    ],
)
def test_one_of_several_is_told_with_its_number(values, chosen, expected) -> None:
    text = said(q.LARGEST, q.largest_answer(*values), Prediction(chosen=(chosen,)))
    assert numbers(text) == expected
    right = mark(q.LARGEST, q.largest_answer(*values), Prediction(chosen=(chosen,))).right
    assert text.startswith("Yes") == bool(right)


def test_numbers_that_look_alike_are_told_apart() -> None:
    answer = q.largest_answer(2.004, 1.5, 2.001)
    records = lesson_records.option_records(q.LARGEST, answer, Prediction(chosen=("one",)))
    assert [record["shown"] for record in records] == ["2.004 nats", "1.500 nats", "2.001 nats"]
    assert [record["yours"] for record in records] == [True, False, False]


@pytest.mark.parametrize(
    ("before", "expected"),
    [((3.0, 3.0, 3.0), ["3.00"]), ((3.0, 4.0, 5.0), ["3.00", "4.00", "5.00"])],
)
def test_a_change_is_told_with_what_it_began_from(before, expected) -> None:
    """One number where all options share it, else one each; none where the measure needs none."""
    step = q.LARGEST.model_copy(update={"measure": "loss_rise"})
    answer = q.largest_answer(2.0, 1.0, 0.5)
    options = [
        option.model_copy(update={"beside": beside})
        for option, beside in zip(answer.options, (*before, None), strict=True)
    ]
    answer = answer.model_copy(update={"options": tuple(options)})
    assert numbers(said(step, answer, Prediction(chosen=("one",)))) == ["2.00", *expected]
    assert numbers(said(q.LARGEST, answer, Prediction(chosen=("one",)))) == ["2.00"]


def test_heads_are_told_out_of_all_heads() -> None:
    step = q.LARGEST.model_copy(update={"measure": "active_heads"})
    answer = q.largest_answer(3, 1, 0)
    options = [option.model_copy(update={"beside": 32.0}) for option in answer.options]
    answer = answer.model_copy(update={"options": tuple(options)})
    assert "3 of 32 heads" in said(step, answer, Prediction(chosen=("one",)))
    shown = [one["shown"] for one in lesson_records.option_records(step, answer, Prediction())]
    assert shown == ["3 of 32 heads", "1 of 32 heads", "0 of 32 heads"]


def test_a_legend_names_the_marks_that_are_there() -> None:
    def legend(values, *chosen: str) -> str:
        answer = q.largest_answer(*values)
        records = lesson_records.option_records(q.LARGEST, answer, Prediction(chosen=chosen))
        return lesson_records.bars_legend(q.LARGEST, records, chosen)

    apart, alike = (2.0, 1.0, 0.5), (2.0, 2.02, 2.04)
    assert "your choice" in legend(apart, "two")
    assert "the largest" in legend(apart, SAME)
    assert SAME in legend(apart, SAME)
    assert "the largest" not in legend(alike, "one")


def test_chance_has_no_mark_where_a_head_has_to_stay_near_it() -> None:
    record = lesson_records.wake_record(q.wake_answer("a b", value=0.86, needed=0.7))
    assert record["chance"] == 0.1
    diffuse = q.wake_answer("a b", value=0.86, needed=0.7).model_copy(update={"chance": 1.0})
    record = lesson_records.wake_record(diffuse)
    assert (record["chance"], record["even"]) == (None, 1.0)


def test_what_was_woken_by_the_solution_is_named_so() -> None:
    entry = q.entry(q.WAKE, q.wake_answer("a b a b", value=0.9), Prediction(prompt="a b a b"))
    assert lesson_progress.came(entry, q.WAKE) == "right"
    shown = entry.model_copy(update={"hints": len(q.WAKE.hints) + 1})
    assert "solution" in lesson_progress.came(shown, q.WAKE)
    assert lesson_progress.came(shown, None) == "right"


@pytest.mark.parametrize(
    ("number", "expected"),
    [(0.6, ["60%", "60%"]), (0.45, ["60%", "45%", "15", "10"]), (0.598, ["60", "59.8%"])],
)
def test_how_far_a_number_is_off(number: float, expected: list[str]) -> None:
    text = said(q.NUMBER, q.NUMBER_ANSWER, Prediction(number=number))
    for one in expected:
        assert one in text


def test_the_line_goes_on_to_an_answer_beyond_the_slider() -> None:
    record = lesson_records.line_record(q.NUMBER, q.NUMBER_ANSWER, Prediction(number=0.5))
    assert (record["low"], record["high"]) == (0, 0.6)
    assert (record["from"], record["to"]) == (pytest.approx(0.5), 0.6)


def test_a_prompt_is_told_with_its_verdict_and_reason() -> None:
    awake = lessons.wake_sentences(q.wake_answer("a", value=0.7))
    asleep = lessons.wake_sentences(q.wake_answer("a", value=0.2))
    assert awake[1:] == ["It does."]
    assert asleep[1:] == ["It rests."]
    assert awake[0] != asleep[0]


# ------------------------------------------------------------------ certainty, units


def test_certainty_and_outcome_make_a_sentence_each() -> None:
    every = [
        lessons.certainty_sentence(sure, came)
        for sure, came in itertools.product(range(1, 5), ("right", "partly", "wrong"))
    ]
    assert len(set(every)) == 12


@pytest.mark.parametrize(
    ("cells", "came"),
    [
        (((2, 1), (2, 2), (4, 3), (4, 2)), "right"),
        (((2, 1), (4, 3)), "partly"),
        (((2, 0), (4, 2)), "wrong"),  # less than by chance
        (((4, 0), (4, 1)), "wrong"),
    ],
)
def test_cells_are_right_partly_or_wrong(cells, came) -> None:
    prediction = Prediction(cells=cells)
    assert lessons.outcome(q.CELLS, mark(q.CELLS, q.CELLS_ANSWER, prediction)) == came


@pytest.mark.parametrize(
    ("value", "unit", "shown"),
    [
        (0.004, "share", "0.4%"), (0.9996, "share", "100%"), (0.996, "share", "99.6%"),
        (-0.25, "share", "−25%"), (3, "heads", "3 heads"), (2.5, "heads", "2.50 heads"),
        (0.001, "nats", "0.0010 nats"), (-1.234, "logits", "−1.23 logits"),
        (0, "nats", "0.00 nats"),
    ],
)  # fmt: skip
def test_a_number_is_written_in_its_unit(value: float, unit: str, shown: str) -> None:
    assert lessons.amount(value, unit) == shown
