"""The drawing of a circuit: where boxes and numbers stand, and what the picture shows."""

from __future__ import annotations

import pytest

from headroles.charts import circuit_drawing
from headroles.charts.circuit_drawing import BOX, ROW, circuit_of_paths
from tests.drawn import picture

SVG = "{http://www.w3.org/2000/svg}"


def box(layer: int, head: int, *, note: str = "") -> dict[str, object]:
    name = f"L{layer}H{head}" if layer >= 0 else "logits"
    return {"node": name, "layer": layer, "head": head, "label": name, "note": note,
            "open": False, "spoken": name}  # fmt: skip


def arrow(source: str, target: str, value: float, *, entry: str = "", clear: bool = True):
    number = f"{entry} {value:+.0%}".strip()
    return {"source": source, "target": target, "entry": entry, "value": value,
            "number": number, "clear": clear, "shown": "a path"}  # fmt: skip


ANSWER = box(-1, -1)


def placed(drawing) -> dict[str, tuple[float, float]]:
    return {one["node"]: (one["x"], one["y"]) for one in drawing.data["boxes"]}


def test_layers_go_from_bottom_to_top_with_the_answer_above_all() -> None:
    nodes = [ANSWER, box(2, 0), box(9, 1), box(9, 0)]
    at = placed(circuit_of_paths(nodes, [arrow("L9H0", "logits", 0.4)]))
    heights = [at[name][1] for name in ("logits", "L9H0", "L2H0")]
    assert heights == sorted(heights)
    assert at["L9H0"][1] == at["L9H1"][1]
    assert at["L9H0"][0] != at["L9H1"][0]


def test_no_arrow_of_a_chain_goes_through_a_box_that_it_passes() -> None:
    """L1 -> L3 goes past L2: with all three in one column it would cross the box between."""
    nodes = [ANSWER, box(3, 0), box(2, 0), box(1, 0)]
    arrows = [arrow("L3H0", "logits", 1), arrow("L2H0", "L3H0", 1), arrow("L1H0", "L2H0", 1),
              arrow("L1H0", "L3H0", 1)]  # fmt: skip
    at = placed(circuit_of_paths(nodes, arrows))
    middle = (at["L1H0"][0] + at["L3H0"][0]) / 2  # where the long arrow passes layer 2
    assert abs(middle - at["L2H0"][0]) > circuit_drawing._HALF


@pytest.mark.parametrize("heads", [1, 2, 3, 4, 7])
def test_boxes_never_lie_on_each_other(heads: int) -> None:
    nodes = [ANSWER, *(box(4, head) for head in range(heads))]
    drawing = circuit_of_paths(nodes, [arrow(f"L4H{h}", "logits", 0.1) for h in range(heads)])
    places = list(placed(drawing).values())
    for at, (x, y) in enumerate(places):
        for x2, y2 in places[at + 1 :]:
            assert abs(x - x2) >= 2 * circuit_drawing._HALF - 0.01 or abs(y - y2) >= BOX
    rows = 1 + -(-heads // circuit_drawing.MOST_BESIDE)
    assert drawing.height == ROW * rows - (ROW - BOX) + 12


def test_an_arrow_ends_at_the_bottom_of_its_box_by_its_input() -> None:
    nodes = [ANSWER, box(5, 0), box(1, 0), box(1, 1), box(1, 2)]
    arrows = [arrow(f"L1H{n}", "L5H0", 0.1, entry=entry) for n, entry in enumerate("qkv")]
    drawing = circuit_of_paths(nodes, [arrow("L5H0", "logits", 0.5), *arrows])
    at, paths = placed(drawing), {one["number"][0]: one for one in drawing.data["paths"]}
    assert paths["q"]["entry"] < paths["k"]["entry"] == 0 < paths["v"]["entry"]
    assert {paths[one]["y2"] for one in "qkv"} == {at["L5H0"][1] + BOX / 2}


def test_the_picture_holds_every_name_and_number_and_two_kinds_of_lines() -> None:
    nodes = [ANSWER, box(5, 0, note="Name mover"), box(1, 0)]
    arrows = [arrow("L5H0", "logits", 0.5), arrow("L1H0", "L5H0", -0.1, entry="q", clear=False)]
    svg = picture(circuit_of_paths(nodes, arrows), 360)
    words = {"".join(text.itertext()) for text in svg.iter(f"{SVG}text")}
    assert {"logits", "L5H0", "Name mover", "L1H0", "+50%", "q -10%"} <= words
    dashes = {line.get("stroke-dasharray") for line in svg.iter(f"{SVG}line")}
    assert {"1,0", "5,4"} <= dashes


def test_a_drawing_without_arrows_is_the_answer_alone() -> None:
    drawing = circuit_of_paths([ANSWER], [])
    assert [one["node"] for one in drawing.data["boxes"]] == ["logits"]
    assert drawing.to_dict()["datasets"]["paths"] == []
