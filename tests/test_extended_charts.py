"""The charts of the extended roles, by what they draw."""

from __future__ import annotations

import json

import pytest

from headroles.charts.signed import _number, reference_profile, signed_map
from headroles.types import Head


def records(*values: float) -> list[dict[str, object]]:
    return [
        {
            "layer": 0,
            "head": place,
            "label": Head(0, place).label,
            "value": value,
            "listed": False,
            "shown": "x",
        }
        for place, value in enumerate(values)
    ]


def rows(chart) -> list[dict]:
    return next(iter(json.loads(chart.to_json())["datasets"].values()))


def test_a_shade_is_the_size_and_the_number_has_the_sign() -> None:
    drawn = rows(signed_map(records(2.0, -1.0, 0.0, -9.0), limit=2.0, title="effect"))
    assert [row["shade"] for row in drawn] == [1.0, 0.5, 0.0, 1.0]
    assert [row["number"] for row in drawn] == ["+2.0", "−1.0", "0", "−9.0"]


def test_small_effects_are_not_rounded_to_nothing() -> None:
    drawn = rows(signed_map(records(-0.03, 0.1), limit=0.1, title="effect"))
    assert [row["number"] for row in drawn] == ["−0.03", "+0.10"]


@pytest.mark.parametrize(
    ("value", "digits", "said"), [(-0.26, 1, "−0.3"), (-0.01, 1, "0"), (12.4, 0, "+12")]
)
def test_numbers_of_a_cell(value, digits, said) -> None:
    assert _number(value, digits) == said


def test_a_map_that_is_not_clickable_has_no_selection() -> None:
    assert "params" in json.loads(signed_map(records(1.0), limit=1, title="x").to_json())
    still = signed_map(records(1.0), limit=1, title="x", clickable=False).to_json()
    assert "params" not in json.loads(still)


def test_a_profile_draws_both_texts_by_shape_and_colour() -> None:
    found = [
        {
            "distance": distance,
            "text": text,
            "share": 0.1,
            "low": 0.05,
            "high": 0.15,
            "chance": 0.1,
            "shown": text,
        }
        for text in ("sentences", "random tokens")
        for distance in (1, 2)
    ]
    layers = json.loads(reference_profile(found).to_json())["layer"]
    marks = {layer["mark"]["type"] for layer in layers}
    assert {"bar", "point", "rule", "tick"} <= marks
