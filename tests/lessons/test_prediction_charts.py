"""The drawings of a prediction beside its answer, read from their Vega-Lite specs and pictures."""

from __future__ import annotations

import pytest

from headroles.charts import prediction as charts
from headroles.lessons.worksheet import Prediction
from headroles.view import lesson_records as records
from tests.drawn import texts
from tests.lessons import questions as q


def bars(values: tuple[float, float, float]) -> charts.Drawing:
    answer = q.largest_answer(*values)
    found = records.option_records(q.LARGEST, answer, Prediction(chosen=("two",)))
    return charts.bars(found, title="loss", whole=False, is_share=False)


@pytest.mark.parametrize(
    ("values", "domain"),
    [((2.0, 1.0, 0.5), (0, 2.0)), ((-1.0, 0.5, 0.2), (-1.0, 0.5)), ((-1.0, -2.0, -3.0), (-3.0, 0))],
)
def test_bars_run_from_zero_to_both_sides(values, domain) -> None:
    spec = bars(values).to_dict()
    (bar,) = [
        layer for layer in spec["layer"] if layer["encoding"].get("x", {}).get("field") == "value"
    ]
    assert tuple(bar["encoding"]["x"]["scale"]["domain"]) == domain
    assert bar["encoding"]["x2"]["datum"] == 0
    assert {one["crosses"] for one in spec["datasets"]["options"]} == {min(values) < 0}


def test_a_long_option_goes_over_several_lines_and_none_is_cut_on_a_phone() -> None:
    found = records.option_records(q.LARGEST, q.largest_answer(2, 1, 0.5), Prediction())
    long = "each induction head knocked out alone, and the rises of the loss added up"
    drawing = charts.bars(
        [{**found[0], "label": f"○ {long}"}, *found[1:]], title="loss", whole=False, is_share=False
    )
    assert drawing.height == 3 * (charts.ROW + 2 * charts.LINE_HEIGHT)  # three lines
    _, words = texts(drawing, 340)
    assert "".join(words).count("…") == 0
    assert all(word in "".join(words) for word in long.split())


def test_the_choice_the_marks_and_the_numbers_can_be_read_at_the_width_of_a_phone() -> None:
    found = records.option_records(q.ACTIVE, q.ACTIVE_ANSWER, Prediction(chosen=("Induction",)))
    drawing = charts.bars(found, title="activation", whole=True, is_share=True)
    labels, words = texts(drawing, 340)
    assert labels == ["0%", "50%", "100%"]
    assert words[:2] == ["☑ Induction (L1H4)", "☐ Previous token (L0H6)"]
    assert [word[0] for word in words[2:]] == ["✗", "✗"]  # both were judged wrongly
    assert ["12%" in words[2], "90%" in words[3]] == [True, True]
    spec = drawing.to_dict()
    marked = {layer["encoding"].get("x", {}).get("field") for layer in spec["layer"]}
    assert {"needed", "chance", "value"} <= marked


def test_a_number_has_its_band_and_both_marks_on_the_line() -> None:
    record = records.line_record(q.NUMBER, q.NUMBER_ANSWER, Prediction(number=0.05))
    drawing = charts.number_line(record, title="chance", is_share=True)
    _, words = texts(drawing, 340)
    assert [word.split(": ")[1] for word in words] == ["5%", "60%"]
    spec = drawing.to_dict()
    fields = [layer["encoding"]["x"].get("field") for layer in spec["layer"]]
    assert fields == ["from", None, "value", "said", "said", "value"]


@pytest.mark.parametrize(
    "alt",
    [
        records.bars_alt(
            records.option_records(q.ACTIVE, q.ACTIVE_ANSWER, Prediction(chosen=("Induction",)))
        ),
        records.bars_alt([records.wake_record(q.wake_answer("a", value=0.12))]),
    ],
)
def test_what_bars_show_is_said_too(alt: str) -> None:
    assert "12%" in alt
    assert "40%" in alt  # what is needed


def test_what_the_line_shows_is_said_too() -> None:
    said = records.line_alt(records.line_record(q.NUMBER, q.NUMBER_ANSWER, Prediction(number=0.05)))
    assert [number in said for number in ("5%", "60%", "10 percentage points")] == [True] * 3
