"""What the charts draw, read from their Vega-Lite specs."""

from __future__ import annotations

import tomllib
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headroles.charts import base, distribution
from headroles.charts import heads as charts_heads
from headroles.charts.drawing import Drawing
from headroles.paths import ROOT
from headroles.roles import ROLES
from headroles.types import Head, NextToken
from headroles.view.head_records import head_record
from tests.drawn import SVG, picture, texts


def record(order: int, **changes: object) -> dict[str, object]:
    """One bar: L1H<order>, active."""
    return {
        "order": order,
        "layer": 1,
        "head": order,
        "label": f"L1H{order}",
        "note": "",
        "value": 0.8,
        "chance": 0.1,
        "needed": 0.4,
        "needs": "40%",
        "state": "active",
        "applies": True,
        "shown": "80% · active",
        "reason": "Active.",
        **changes,
    }


def rows_of(spec: dict) -> list[dict]:
    """The records behind a spec with a single data set."""
    (rows,) = spec["datasets"].values()
    return rows


def layers_with(spec: dict, channel: str, field: str) -> list[dict]:
    return [
        layer
        for layer in spec["layer"]
        if layer.get("encoding", {}).get(channel, {}).get("field") == field
    ]


def test_a_bar_runs_from_zero_to_one_whatever_the_values() -> None:
    spec = charts_heads.head_bars(
        [record(0, value=0.02), record(1, value=0.05)], ROLES["induction"]
    )
    (bars,) = layers_with(spec.to_dict(), "x", "value")
    assert bars["encoding"]["x"]["scale"]["domain"] == [0, 1]
    assert bars["encoding"]["x2"]["datum"] == 0


@pytest.mark.parametrize("field", ["chance", "needed"])
def test_chance_and_the_line_that_decides_are_marked_on_every_bar(field: str) -> None:
    records = [record(0, chance=0.1), record(1, chance=0.3, needed=0.6)]
    spec = charts_heads.head_bars(records, ROLES["induction"]).to_dict()
    (marks,) = layers_with(spec, "x", field)
    assert marks["mark"]["type"] == "point"
    assert [row[field] for row in rows_of(spec)] == [r[field] for r in records]


def test_chance_and_the_line_that_decides_differ_by_more_than_place() -> None:
    spec = charts_heads.head_bars([record(0)], ROLES["induction"]).to_dict()
    (chance,) = layers_with(spec, "x", "chance")
    (needed,) = layers_with(spec, "x", "needed")
    assert "strokeDash" in needed["mark"]
    assert "strokeDash" not in chance["mark"]


def test_active_and_quiet_differ_by_fill_and_by_words() -> None:
    spec = charts_heads.head_bars([record(0)], ROLES["induction"]).to_dict()
    (bars,) = layers_with(spec, "x", "value")
    assert "fillOpacity" in bars["mark"]  # filled or hollow, not only another colour
    assert layers_with(spec, "text", "shown")


@pytest.mark.parametrize("key", ["previous_token", "induction", "duplicate_token", "positional"])
def test_the_axis_is_named_after_the_role(key: str) -> None:
    spec = charts_heads.head_bars([record(0)], ROLES[key]).to_dict()
    (bars,) = layers_with(spec, "x", "value")
    title = bars["encoding"]["x"]["axis"]["title"]
    if key in ("induction", "duplicate_token"):
        assert title == "share of attention, resting left out"
    else:
        assert title == f"attention on {ROLES[key].looks_at}"


def test_evenness_is_not_called_attention_on_something() -> None:
    assert charts_heads.share_title(ROLES["diffuse"]) == "evenness of its attention"


def test_the_map_frames_only_the_head_that_is_looked_at() -> None:
    spec = charts_heads.head_map([cell(0), cell(1)], "share", opened=Head(0, 1)).to_dict()
    assert [row["open"] for row in rows_of(spec)] == [False, True]


def cell(head: int) -> dict[str, object]:
    """A cell of the first layer of a map."""
    return head_record(Head(0, head), 0.5, active=True, number="50", shown="50% · active")


def model_map(layers: int, heads: int, **settings: object) -> Drawing:
    """A map of so many heads, all of them active and listed."""
    records = [
        head_record(Head(layer, head), 0.5, number="50", active=True, mark="listed", papers=True)
        for layer in range(layers)
        for head in range(heads)
    ]
    return charts_heads.head_map(records, "share", **settings)


@pytest.mark.parametrize("small", [True, False])
@pytest.mark.parametrize(("layers", "heads"), [(1, 8), (4, 8), (12, 12), (30, 9), (32, 32)])
def test_a_map_is_whole_on_one_screen(layers: int, heads: int, small: bool) -> None:
    height = model_map(layers, heads, small=small).height
    assert 8 * heads <= height <= (260 if small else 580)
    assert height <= 420 or heads == 32


@pytest.mark.parametrize(
    ("layers", "heads", "width", "small", "numbers"),
    [
        (4, 8, 340, True, 32),
        (4, 8, 300, True, 32),
        (12, 12, 300, True, 144),
        (30, 9, 340, True, 0),
        (30, 9, 1100, False, 270),
        (30, 9, 300, False, 0),
        (32, 32, 340, True, 0),
    ],
)
def test_a_map_has_numbers_where_cells_have_room(
    layers: int, heads: int, width: int, small: bool, numbers: int
) -> None:
    _, shown = texts(model_map(layers, heads, small=small), width)
    assert shown == ["50"] * numbers


@pytest.mark.parametrize(
    ("layers", "heads", "labels"), [(4, 8, (4, 8)), (30, 9, (15, 9)), (32, 32, (16, 16))]
)
def test_the_labels_of_a_small_map_are_thinned_until_they_fit(
    layers: int, heads: int, labels: tuple[int, int]
) -> None:
    shown, _ = texts(model_map(layers, heads, small=True), 300)
    assert len(shown) == sum(labels)
    assert shown.count("0") == 2  # both axes begin with their first


def test_a_map_of_many_heads_keeps_the_text_colour_of_the_page() -> None:
    spec = model_map(32, 32).for_page()  # a canvas would draw currentColor in black
    assert spec["usermeta"]["embedOptions"]["renderer"] == "svg"


def test_layers_go_across_and_heads_down() -> None:
    drawing = model_map(30, 9)
    encoding = drawing.to_dict()["layer"][0]["encoding"]
    assert (encoding["x"]["field"], encoding["y"]["field"]) == ("layer", "head")
    assert drawing.values["layers"] == 30
    assert drawing.height % 9 == 0


@pytest.mark.parametrize(("layers", "heads"), [(4, 8), (30, 9), (32, 32)])
def test_rings_stay_inside_their_cells(layers: int, heads: int) -> None:
    svg = picture(model_map(layers, heads, small=True), 300)
    rings = [path.get("d") for path in svg.iter(f"{SVG}path")]
    (radius,) = {float(d.split(",")[0][1:]) for d in rings if d and "A" in d}
    assert 2 < radius <= min(300 / layers, charts_heads.map_row(layers, heads, small=True)) / 2


@pytest.mark.parametrize(
    "spec",
    [
        charts_heads.head_bars([record(0)], ROLES["induction"]).to_dict(),
        charts_heads.head_map([cell(0)], "share").to_dict(),
    ],
    ids=["bars", "map"],
)
def test_clickable_charts_select_a_head_by_layer_and_number(spec: dict) -> None:
    (selection,) = [p for p in spec["params"] if p.get("select")]
    assert selection["name"] == charts_heads.SELECTION
    assert selection["select"]["fields"] == ["layer", "head"]


def test_the_map_is_shaded_from_zero_to_one_and_marks_active_and_listed() -> None:
    records = [
        head_record(Head(layer, head), 0.1 * head, active=head == 2, mark="listed" * (head == 1))
        for layer in range(2)
        for head in range(3)
    ]
    spec = charts_heads.head_map(records, "share").to_dict()
    (cells,) = layers_with(spec, "fillOpacity", "shade")
    assert cells["encoding"]["fillOpacity"]["scale"]["domain"] == [0, 1]
    filters = [
        (layer["transform"][0]["filter"], layer["mark"].get("shape", layer["mark"]["type"]))
        for layer in spec["layer"]
        if "filter" in (layer.get("transform") or [{}])[0]
    ]
    assert filters == [
        ("datum.open", "rect"),
        ("datum.active", "circle"),
        ("datum.listed", "square"),
    ]


def test_a_number_below_zero_is_drawn_in_the_other_colour_and_none_as_an_empty_cell() -> None:
    records = [
        head_record(Head(0, 0), 0.5, most=2.0, number="+0.5"),
        head_record(Head(0, 1), -2.0, most=2.0, number="−2.0"),
        head_record(Head(0, 2), None, number="–", shown="not asked"),
    ]
    spec = charts_heads.head_map(records, "direct effect").to_dict()
    assert [row["against"] for row in rows_of(spec)] == [False, True, False]
    assert [row["value"] for row in rows_of(spec)] == [0.5, -2.0, None]
    (cells,) = layers_with(spec, "fillOpacity", "shade")
    assert charts_heads.TARGET in cells["mark"]["fill"]["expr"]
    assert "isValid(datum.value)" in cells["mark"]["strokeDash"]["expr"]


def test_guesses_keep_their_order_and_the_scale_ends_after_one() -> None:
    guesses = [NextToken(" a", 1, 0.6), NextToken(" b", 2, 0.3), NextToken(" a", 3, 0.1)]
    spec = charts_heads.next_tokens(guesses, ["·a", "·b", "·a"]).to_dict()
    rows = rows_of(spec)
    assert [(row["rank"], row["token"]) for row in rows] == [(0, "·a"), (1, "·b"), (2, "·a")]
    low, high = spec["layer"][0]["encoding"]["x"]["scale"]["domain"]
    assert low == 0
    assert [row["shown"] for row in rows] == ["60%", "30%", "10%"]
    assert high >= 1  # a certain guess still fits, and short bars mean small shares


@pytest.mark.parametrize(
    ("event", "head"),
    [
        ({"selection": {"head": [{"layer": 3, "head": 6}]}}, Head(3, 6)),
        ({"selection": {"head": [{"layer": "0", "head": 11.0}]}}, Head(0, 11)),
        ({"selection": {"head": []}}, None),
        ({"selection": {"head": {}}}, None),
        ({"selection": {"other": [{"layer": 1, "head": 1}]}}, None),
        ({"selection": {"head": [{"layer": 1}]}}, None),
        ({"selection": {"head": [{"layer": None, "head": 1}]}}, None),
        ({"selection": None}, None),
        ({}, None),
        (None, None),
    ],
)
def test_an_event_names_a_head_or_none(event: object, head: Head | None) -> None:
    assert charts_heads.head_of_event(event) == head


def luminance(colour: str) -> float:
    """Relative luminance of WCAG 2."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("colour", [charts_heads.ACTIVE, charts_heads.QUIET, charts_heads.TARGET])
def test_chart_colours_stand_out_in_both_themes(theme: str, colour: str) -> None:
    config = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text())
    background = config["theme"][theme]["backgroundColor"]
    low, high = sorted((luminance(background), luminance(colour)))
    assert (high + 0.05) / (low + 0.05) >= 3  # WCAG 1.4.11, graphical objects


def laid(colour: str, background: str, opacity: float) -> str:
    """A colour that lets its background through."""
    pairs = zip(bytes.fromhex(colour[1:]), bytes.fromhex(background[1:]), strict=True)
    return "#" + bytes(round(opacity * a + (1 - opacity) * b) for a, b in pairs).hex()


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_can_be_read_on_every_shade_and_surface_of_both_themes(theme: str) -> None:
    colours = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text())["theme"][theme]
    page, ink = colours["backgroundColor"], colours["textColor"]
    for colour in (base.ACTIVE, base.TARGET):
        for shade in (0.03, base.STRONGEST / 2, base.STRONGEST):
            assert contrast(ink, laid(colour, page, shade)) >= 4.5
    # Labels of axes, and the notes on a chart.
    assert contrast(laid(ink, page, 0.75), page) >= 4.5
    for surface in (page, colours["sidebar"]["backgroundColor"]):
        assert contrast(laid(ink, surface, 0.6), surface) >= 4.5  # Streamlit's captions
    # The chosen one of several buttons: its words on a tint of the same colour.
    primary = colours["primaryColor"]
    assert contrast(primary, laid(primary, page, 0.2)) >= 4.5


# ------------------------------------------------------------------ the distribution of scores


def scored(label: str, value: float, **changes: object) -> dict[str, object]:
    return {
        **head_record(Head.parse(label), value, active=value >= 0.4, shown=f"{value} of 1"),
        **changes,
    }


SCORES = [scored("L0H0", 0.0), scored("L0H1", 0.01), scored("L1H0", 0.5), scored("L1H1", 1.0)]


def test_marks_that_would_cover_each_other_stand_at_two_heights() -> None:
    # From left to right: 0 and .01 are near, .02 is near both, .03 only .01 and .02; .5 is alone.
    assert distribution.stacked([0.5, 0.02, 0.0, 0.01, 0.03]) == [0, 2, 0, 1, 0]


@settings(max_examples=40)
@given(st.lists(st.floats(0, 1), max_size=60))
def test_no_two_marks_of_a_height_are_near(values: list[float]) -> None:
    heights = distribution.stacked(values)
    for height in set(heights):
        row = sorted(value for value, at in zip(values, heights, strict=True) if at == height)
        assert all(right - left >= distribution.MARK for left, right in pairwise(row))


def test_a_distribution_has_a_mark_for_every_head_on_the_whole_scale() -> None:
    spec = distribution.score_distribution(
        SCORES, ROLES["induction"], threshold=0.4, chance=0.1
    ).to_dict()
    (marks,) = layers_with(spec, "x", "value")
    rows = spec["datasets"][marks["data"]["name"]]
    assert [(row["label"], row["value"], row["place"]) for row in rows] == [
        ("L0H0", 0.0, 0),
        ("L0H1", 0.01, 1),
        ("L1H0", 0.5, 0),
        ("L1H1", 1.0, 0),
    ]
    assert marks["encoding"]["x"]["scale"]["domain"] == [0, 1]
    lowest, highest = marks["encoding"]["y"]["scale"]["domain"]
    assert lowest < 0
    assert highest > max(row["place"] for row in rows)


@pytest.mark.parametrize("missing", ["threshold", "chance"])
def test_a_line_that_a_role_does_not_have_is_not_drawn(missing: str) -> None:
    lines = {"threshold": 0.4, "chance": 0.1, missing: None}
    spec = distribution.score_distribution(SCORES, ROLES["diffuse"], **lines).to_dict()
    (rule,) = layers_with(spec, "x", "at")
    (drawn,) = spec["datasets"][rule["data"]["name"]]
    assert drawn == {"at": next(value for value in lines.values() if value is not None)}
    assert ("strokeDash" in rule["mark"]) == (missing == "chance")  # the threshold is dashed


def test_a_map_that_is_only_looked_at_takes_no_click() -> None:
    records = [scored("L0H0", 0.3), scored("L0H1", 0.7)]
    still = charts_heads.head_map(records, "largest score", clickable=False)
    spec = still.to_dict()
    assert not any(param.get("select") for param in spec["params"])
    cells = next(layer for layer in spec["layer"] if layer["mark"]["type"] == "rect")
    assert cells["mark"].get("cursor") != "pointer"
    assert "largest score" in [tip["title"] for tip in cells["encoding"]["tooltip"]]
    clickable = charts_heads.head_map(records, "share").to_dict()
    assert any(param.get("select") for param in clickable["params"])
