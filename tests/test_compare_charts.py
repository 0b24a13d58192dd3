"""The chart of two prompts, from hand-made records."""

from __future__ import annotations

import json

from headroles.charts import two_prompts
from headroles.charts.heads import SELECTION
from headroles.roles import ROLES
from headroles.view import two_prompts as view_two_prompts
from tests.ui.test_compare_numbers import IDLE, pair, row


def spec_of() -> dict:
    records = view_two_prompts.bar_records(pair(IDLE, row(0.73, active=True)))
    return two_prompts.paired_bars(records, ROLES["induction"]).to_dict()


def test_it_is_as_high_as_its_rows_and_as_wide_as_its_place() -> None:
    spec = spec_of()
    assert (spec["width"], spec["height"]) == ("container", view_two_prompts.ROW)


def test_a_click_on_either_bar_names_the_head() -> None:
    (selection,) = spec_of()["params"]
    assert selection["name"] == SELECTION
    assert selection["select"]["fields"] == ["layer", "head"]


def test_the_prompts_are_told_apart_by_number_and_place_not_by_colour() -> None:
    spec = spec_of()
    assert any(layer["encoding"].get("text", {}).get("field") == "side" for layer in spec["layer"])
    fills = json.dumps([layer["mark"].get("fill") for layer in spec["layer"]])
    assert "side" not in fills  # colour says the state, as in every other chart


def test_only_bars_that_apply_are_drawn_with_their_marks() -> None:
    filtered = [
        layer
        for layer in spec_of()["layer"]
        if {"filter": "datum.applies"} in layer.get("transform", [])
    ]
    assert len(filtered) == 2  # the bar and its chance
    (needed,) = [
        layer for layer in spec_of()["layer"] if layer["encoding"]["x"].get("field") == "needed"
    ]
    assert needed["transform"] == [{"filter": "isValid(datum.needed)"}]
