"""What the charts of one head draw, from hand-worked patterns."""

from __future__ import annotations

import pytest

from headroles.charts import attention
from headroles.charts.base import STRONGEST, TARGET
from headroles.roles import ROLES
from headroles.types import Evidence
from tests.facts import says

PATTERN = [[1.0, 0.0, 0.0], [0.25, 0.75, 0.0], [0.5, 0.125, 0.375]]


def drawn(cells: attention.Cells) -> dict[tuple[int, int], tuple[float, bool]]:
    columns = (cells.columns[name].tolist() for name in ("query", "key", "weight", "target"))
    return {(q, k): (weight, target) for q, k, weight, target in zip(*columns, strict=True)}


def even(length: int) -> list[list[float]]:
    """Every row spread evenly."""
    return [[1 / (row + 1)] * (row + 1) + [0.0] * (length - row - 1) for row in range(length)]


def spec_of(cells: attention.Cells, **settings: object) -> dict:
    labels = [f"t{place}" for place in range(cells.last + 1)]
    return attention.attention_pattern(cells, labels, ROLES["induction"], **settings).to_dict()


def test_a_pattern_draws_the_causal_cells_and_outlines_the_role() -> None:
    cells = attention.pattern_cells(PATTERN, [Evidence(2, 1, 0.125)])
    assert drawn(cells) == {
        (0, 0): (1.0, False),
        (1, 0): (0.25, False),
        (1, 1): (0.75, False),
        (2, 0): (0.5, False),
        (2, 1): (0.125, True),
        (2, 2): (0.375, False),
    }
    outlined = [
        layer
        for layer in spec_of(cells)["layer"]
        if any(step.get("filter") == "datum.target" for step in layer.get("transform", []))
    ]
    assert [layer["mark"]["stroke"] for layer in outlined] == [TARGET]
    assert outlined[0]["mark"]["fillOpacity"] == 0


def test_a_window_draws_only_its_own_cells_and_targets() -> None:
    targets = [Evidence(1, 0, 0.25), Evidence(2, 1, 0.125)]
    cells = attention.pattern_cells(PATTERN, targets, window=(1, 2))
    assert drawn(cells) == {(1, 1): (0.75, False), (2, 1): (0.125, True), (2, 2): (0.375, False)}
    names = next(p for p in spec_of(cells)["params"] if p["name"] == "tokens")
    assert names["value"] == ["t1", "t2"]


def test_a_long_pattern_is_drawn_in_blocks_of_the_largest_weight(monkeypatch) -> None:
    monkeypatch.setattr(attention, "MOST", 2)
    cells = attention.pattern_cells(PATTERN, [Evidence(2, 1, 0.125)])
    # Blocks of 2: the second one of each side holds position 2 alone.
    assert cells.block == 2
    assert drawn(cells) == {(0, 0): (1.0, False), (2, 0): (0.5, True), (2, 2): (0.375, False)}


@pytest.mark.parametrize(
    ("length", "block", "squares"),
    [(80, 1, 80 * 81 // 2), (81, 2, 41 * 42 // 2), (200, 3, 67 * 68 // 2), (512, 7, 74 * 75 // 2)],
)
def test_no_prompt_sends_more_squares_than_a_screen_shows(length, block, squares) -> None:
    cells = attention.pattern_cells(even(length))
    assert (cells.block, len(cells.columns["query"])) == (block, squares)
    size = sum(column.nbytes for column in cells.columns.values())
    assert size == squares * 9  # 2 + 2 + 4 + 1 bytes


@pytest.mark.parametrize("length", [1, 2, 5, 40, 200, 512])
def test_a_pattern_is_never_larger_than_its_place(length: int) -> None:
    assert spec_of(attention.pattern_cells(even(length)))["height"] <= attention.PATTERN_SIZE + 1


def test_hidden_rest_is_said_in_the_title_of_the_chart() -> None:
    cells = attention.pattern_cells(PATTERN)
    assert "title" not in spec_of(cells)
    title = " ".join(spec_of(cells, rest_hidden=True)["title"]["text"])
    assert says(title, "hidden", "100%")


def test_the_shades_of_the_legend_are_those_of_the_cells() -> None:
    assert [attention.shade(weight) for weight in (0.0, 0.25, 1.0)] == [0.0, 0.375, 0.75]
    fill = spec_of(attention.pattern_cells(PATTERN))["layer"][0]
    assert fill["encoding"]["fillOpacity"]["scale"] == {
        "type": "sqrt",
        "domain": [0, 1],
        "range": [0, STRONGEST],
    }


def bar(label: str, share: float, **changes: object) -> dict[str, object]:
    return {
        "label": label,
        "name": label,
        "share": share,
        "chance": 0.2,
        "rows": 4,
        "alone": False,
        **changes,
    }


def test_offset_bars_keep_their_order_and_a_scale_from_zero_to_one() -> None:
    records = [bar("1st", 0.5, alone=True), bar("−1", 0.333333), bar("0", 0.1)]
    spec = attention.offset_bars(records).to_dict()
    bars, ticks, _ = spec["layer"]
    assert bars["encoding"]["x"]["sort"] == ["1st", "−1", "0"]
    assert bars["encoding"]["y"]["scale"]["domain"] == [0, 1]
    assert bars["encoding"]["y2"]["datum"] == 0
    assert (ticks["mark"]["type"], ticks["encoding"]["y"]["field"]) == ("tick", "chance")
    (rows,) = spec["datasets"].values()
    assert [row["share"] for row in rows] == [0.5, 0.3333, 0.1]


def test_the_first_token_s_bar_is_told_from_a_distance_by_more_than_colour() -> None:
    spec = attention.offset_bars([bar("1st", 0.5, alone=True), bar("0", 0.5)]).to_dict()
    assert "datum.alone" in spec["layer"][0]["mark"]["fillOpacity"]["expr"]  # hollow
