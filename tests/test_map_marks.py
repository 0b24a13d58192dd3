"""A reader's own marks on a map of heads: which heads, in which order, and which mark."""

from __future__ import annotations

import pytest

from headroles.charts import heads as head_charts
from headroles.roles import ROLES
from headroles.types import Head
from headroles.view.head_maps import ModelMap, RoleMap
from headroles.view.head_records import head_record
from headroles.view.map_marks import (
    LISTED,
    OVER,
    TOP,
    Marks,
    applied,
    marked,
    ordered,
    roles_marking,
    sentence,
)

SHARES, SIGNED = ROLES["induction"], ROLES["name_mover"]


def share_map(*values: float | None) -> tuple[dict[str, object], ...]:
    """Two heads a layer; the first is listed and active."""
    return tuple(
        head_record(
            Head(*divmod(place, 2)),
            value,
            number="" if value is None else f"{100 * value:.0f}",
            active=place == 0,
            mark="listed" if place == 0 else "",
        )
        for place, value in enumerate(values)
    )


def signed_map(*values: float) -> tuple[dict[str, object], ...]:
    return tuple(
        head_record(Head(0, place), value, most=2.0, number=f"{value:.1f}")
        for place, value in enumerate(values)
    )


def test_the_usual_marks_change_nothing() -> None:
    records = share_map(0.9, 0.1)
    assert applied(records, Marks(), SHARES) == records
    assert sentence(records, Marks(), SHARES) == ""
    assert marked(records, Marks(LISTED), SHARES) == []


def test_a_threshold_is_reached_by_equality() -> None:
    records = share_map(0.39, 0.4, None, 0.95)
    assert marked(records, Marks(OVER, share=0.4), SHARES) == [3, 1]
    assert marked(records, Marks(OVER, share=0.96), SHARES) == []


def test_the_highest_are_at_most_as_many_as_have_a_number() -> None:
    records = share_map(0.1, None, 0.3, 0.3)
    assert marked(records, Marks(TOP, most=2), SHARES) == [2, 3]  # equal ones layer by layer
    assert marked(records, Marks(TOP, most=9), SHARES) == [2, 3, 0]


def test_sizes_of_either_sign_count_on_a_signed_map_and_the_mark_tells_them_apart() -> None:
    records = signed_map(0.4, -1.5, 1.0, -0.2)
    assert marked(records, Marks(TOP, most=2), SIGNED) == [1, 2]
    assert marked(records, Marks(OVER, share=0.1, logits=0.4), SIGNED) == [1, 2, 0]
    drawn = applied(records, Marks(TOP, most=2), SIGNED)
    assert [record["own"] for record in drawn] == ["", "down", "up", ""]


def test_own_marks_take_the_place_of_rings_and_squares() -> None:
    drawn = applied(share_map(0.2, 0.8), Marks(TOP, most=1), SHARES)
    assert [(r["active"], r["listed"], r["own"]) for r in drawn] == [
        (False, False, ""),
        (False, False, "up"),
    ]
    assert "1 of 1" in drawn[1]["shown"]


def test_below_zero_is_a_low_share_where_a_map_has_no_sign() -> None:
    """``abs`` of the lab runs from −1 to 1, and −.9 is the worst match."""
    records = tuple(
        head_record(Head(0, place), value, number="x") for place, value in enumerate((-0.9, 0.2))
    )
    assert marked(records, Marks(TOP, most=1), SHARES) == [1]


def model(**by_role: tuple[float, ...]) -> ModelMap:
    roles = {
        key: RoleMap(ROLES[key], share_map(*values), 0.4, None, "")
        for key, values in by_role.items()
    }
    places = next(iter(by_role.values()))
    return ModelMap(
        roles,
        tuple(Head(*divmod(place, 2)) for place in range(len(places))),
        frozenset(),
        "score",
        True,
        {},
        extended={SIGNED: signed_map(0.0, -3.0, 0.1, 0.2)},
    )


def test_the_table_begins_with_the_heads_that_are_marked_on_most_maps() -> None:
    maps = model(induction=(0.1, 0.2, 0.3, 0.9), previous_token=(0.8, 0.0, 0.1, 0.5))
    marks = Marks(TOP, most=1)
    assert roles_marking(maps, marks) == {
        3: ["Induction"],
        0: ["Previous token"],
        1: ["▼ Name mover"],
    }
    both = Marks(TOP, most=2)  # L1H1 is marked on all three maps
    assert ordered([0, 1, 2, 3], maps, both, None)[0] == 3
    assert ordered([0, 1, 2, 3], maps, marks, "previous_token") == [0, 3, 2, 1]
    assert ordered([1, 0], maps, Marks(), "previous_token") == [1, 0]


@pytest.mark.parametrize("small", [True, False])
def test_the_chart_draws_triangles_in_place_of_squares(small: bool) -> None:
    records = applied(signed_map(0.4, -1.5), Marks(TOP, most=1), SIGNED)
    chart = head_charts.head_map(records, "effect", small=small).to_dict()
    filters = [
        step["filter"]
        for layer in chart["layer"]
        for step in layer.get("transform", [])
        if "filter" in step
    ]
    assert "datum.own" in filters
    assert "datum.listed" not in filters


def test_a_word_stands_beside_the_number_only_where_there_is_one() -> None:
    plain = head_charts.head_map(share_map(0.2, 0.3), "share").to_dict()
    records = [{**record, "aside": " (−4)"} for record in share_map(0.2, 0.3)]
    wide = head_charts.head_map(records, "share").to_dict()

    def room(chart: dict) -> str:
        return next(p["expr"] for p in chart["params"] if p["name"] == "asides")

    assert room(plain) == "false"
    assert "61" in room(wide)  # 12 + 7 * len("20 (−4)") pixels
