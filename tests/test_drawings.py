"""Every chart: its shape is built once and holds to the schema, and its data reach the page."""

from __future__ import annotations

import copy
import json
import math
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import altair as alt
import numpy as np
import pyarrow as pa
import pytest
import torch

from headroles.ablation import judge
from headroles.ablation.offset_test import Measured, profile
from headroles.ablation.working_backward import Curve, Point, Standing
from headroles.charts import (
    ablation,
    attention,
    by_position,
    circuit_drawing,
    circuits,
    contributions,
    depth,
    detector,
    heads,
    induction_circuit,
    profiles,
    resting,
    scatter,
    thumbnails,
    two_prompts,
    working_backward,
)
from headroles.charts.base import INK, SMALLEST
from headroles.charts.distribution import score_distribution
from headroles.charts.drawing import Drawing, template
from headroles.export.pictures import chart_image
from headroles.roles import ROLES
from headroles.types import Evidence, Head, NextToken
from headroles.view.head_records import head_record

ROLE = ROLES["induction"]


def tokens(n: int, count: int = 5) -> list[str]:
    return [f"token {n} {place}" for place in range(count)]


def bars(n: int) -> Drawing:
    record = {"order": 0, "layer": n, "head": 2, "label": f"L{n}H2", "note": "", "value": n / 10}
    more = {
        "chance": 0.1,
        "needed": None,
        "needs": "–",
        "state": "active",
        "applies": True,
        "shown": "10%",
    }
    return heads.head_bars([record | more | {"reason": "Active."}], ROLE)


def guesses(n: int) -> Drawing:
    return heads.next_tokens([NextToken(" a", n, n / 10)], [f"·{n}"])


def head_map(n: int, *, heads_a_layer: int = 3, number: str = "5", **settings: object) -> Drawing:
    records = [
        head_record(Head(0, head), n / 10 if head else None, number=number, papers=head == n)
        for head in range(heads_a_layer)
    ]
    return heads.head_map(records, f"share {n}", opened=Head(0, n), **settings)


def distribution(n: int, *, threshold: float | None = 0.4, chance: float | None = 0.1) -> Drawing:
    records = [head_record(Head(0, head), n / (head + 9)) for head in range(4)]
    return score_distribution(records, ROLE, threshold=threshold, chance=chance)


def pattern(n: int, *, length: int = 5, rest_hidden: bool = False) -> Drawing:
    weights = np.tril(np.full((length, length), n / 10))
    cells = attention.pattern_cells(weights, [Evidence(2, 1, 0.1)])
    return attention.attention_pattern(cells, tokens(n, length), ROLE, rest_hidden=rest_hidden)


def offset_bars(n: int) -> Drawing:
    bar = {"name": "back", "share": n / 10, "chance": 0.2, "rows": n}
    first, other = {"label": "1st", "alone": True}, {"label": f"−{n}", "alone": False}
    return attention.offset_bars([first | bar, other | bar])


def reference_profile(n: int) -> Drawing:
    kinds = ("sentences", "random tokens")
    numbers = {"share": 0.1, "low": 0.05, "high": n / 10, "chance": 0.1, "shown": "10%"}
    return profiles.reference_profile([{"distance": n, "text": kind} | numbers for kind in kinds])


def paired_bars(n: int) -> Drawing:
    places = {"top": 1, "bottom": 9, "middle": 5, "line": 9, "from": 0, "to": 40 + n}
    record = {"layer": n, "head": 1, "label": "L1H1", "value": 0.5, "chance": 0.1, "state": "quiet"}
    words = {"number": "50%", "idle": "", "first": "50%", "second": "–", "change": "+1"}
    flags = {"needed": None, "needs": "–", "applies": False, "turned": True}
    return two_prompts.paired_bars(
        [places | record | words | flags | {"side": side} for side in (1, 2)], ROLE
    )


def composition(n: int) -> Drawing:
    pair = {"earlier": f"L0H{n}", "later": "L1H1", "value": n / 9, "hundredths": n, "top": True}
    return circuits.composition_map([pair], unit=f"K-composition {n}")


def control_strip(n: int) -> Drawing:
    draws = [("L0H1", 0.1), ("L0H2", 0.3)]
    return ablation.control_strip(judge(0.9, [0.1, 0.3]), draws, name=f"L0H{n}", axis=f"nats {n}")


def offset_profile(n: int) -> Drawing:
    one = Measured(torch.tensor([1.0, n]), torch.tensor([0.2, 0.5]), torch.tensor([[0.9, 0.5]]))
    return ablation.offset_profile(profile([one, one]), head=f"L0H{n}")


def taking_away(n: int) -> Drawing:
    def point(left: int, rank: int) -> Point:
        return Point(left, Head(0, left), Standing(rank, -float(rank), 0.0, 1.0 + n, 0), "x")

    points = [point(2, 1), point(1, 1), point(0, 2)]
    curve = Curve(2, tuple(points), ((point(1, 2),), (point(1, 3),)))
    return working_backward.taking_away(curve, measure="loss", axis=f"loss {n}")


def pair_bars(n: int) -> Drawing:
    records = [{"what": "A alone", "cost": n / 10, "shown": f"+0.{n}"}]
    return working_backward.pair_bars(records, axis=f"nats {n}")


def falls(n: int) -> Drawing:
    run = {"head": f"L1H{n}", "value": n / 10, "low": None, "high": None, "chance": 0.1}
    names = ["untouched", f"without {n}", "others"]
    return induction_circuit.falls([run | {"who": who} for who in names], names=names)


def offsets(n: int) -> Drawing:
    records = [{"offset": offset, "who": f"L0H{n}", "value": n / 10} for offset in range(3)]
    return induction_circuit.offsets(records, names=[f"L0H{n}"])


def layer_columns(n: int, *, layers: int = 3) -> Drawing:
    records = [
        {"layer": layer, "head": n, "label": f"L{layer}H{n}", "rests": 1, "looks": n, "shown": "1"}
        for layer in range(layers)
    ]
    return resting.layer_columns(records, heads=n + 1)


def sums(n: int) -> Drawing:
    part = {"order": 0, "name": f"part {n}", "start": 0.0, "end": -n / 10, "right": 0.0}
    return contributions.sums(
        [part | {"value": -n / 10, "against": True, "shown": "−0.1", "whole": False}]
    )


def by_token(n: int) -> Drawing:
    key = {"order": 0, "name": f"{n} ·cat", "value": n / 10, "against": False}
    return contributions.by_token(
        [key | {"attention": 0.5, "looked": "50%", "shown": "50% → +0.10"}]
    )


def position_map(n: int) -> Drawing:
    cell = {"row": f"L{n}H2", "value": n / 10, "shade": 0.5, "number": "+5", "against": False}
    cells = [cell | {"position": place, "shown": "5%"} for place in (2, 3)]
    return by_position.position_map(cells, tokens(n), title=f"share {n}", down="head")


def paths(n: int) -> Drawing:
    box = {"note": "", "open": False, "spoken": "a box"}
    boxes = [
        box | {"node": "logits", "label": "the answer", "layer": -1, "head": -1},
        box | {"node": f"L{n}H0", "label": f"L{n}H0", "layer": n, "head": 0},
    ]
    path = {"source": f"L{n}H0", "target": "logits", "entry": "", "value": n / 10}
    return circuit_drawing.circuit_of_paths(
        boxes, [path | {"number": f"+{n}%", "clear": True, "shown": "a path"}]
    )


def head_points(n: int, **settings) -> Drawing:
    point = {"layer": n, "head": 2, "label": f"L{n}H2", "x": 0.1, "y": n / 10, "depth": 0.5}
    point |= {"third": "late", "role": "induction", "open": True, "inside": True, "named": "L1H2"}
    return scatter.scatter(
        [point | {"shown": "10%"}], names=(f"one {n}", "two"), shares=(True, False), **settings
    )


def small_patterns(n: int, *, clickable: bool = True) -> Drawing:
    record = {"layer": n, "head": 2, "label": f"L{n}H2", "does": "rests 80%", "busy": False}
    record |= {"open": False, "shown": "rests", "image": thumbnails.image(np.eye(n + 2))}
    return thumbnails.grid([record] * 4, columns=3, side=100, clickable=clickable)


def by_depth(n: int, models: int = 2) -> Drawing:
    records = [
        {"model": f"m{m}", "name": f"M{m}", "layer": layer, "head": 0, "label": f"L{layer}H0",
         "depth": layer / 2, "score": n / 10, "reaches": True, "shown": "10%"}
        for m in range(models) for layer in range(3)
    ]  # fmt: skip
    return depth.by_depth(records, title="score", share=True)


CHARTS = {
    "scatter": head_points,
    "scatter by role, with a region": partial(
        head_points, by_role=True, region=(0, 1, 0, 1), thresholds=(0.1, None)
    ),
    "scatter to mark a region": partial(head_points, marking=True),
    "scatter, not clickable": partial(head_points, clickable=False),
    "small patterns": small_patterns,
    "small patterns, not clickable": partial(small_patterns, clickable=False),
    "role by depth": by_depth,
    "role by depth of six models": partial(by_depth, models=6),
    "numbers by position": position_map,
    "circuit of paths": paths,
    "resting layers": layer_columns,
    "resting layers, many": partial(layer_columns, layers=30),
    "bars": bars,
    "guesses": guesses,
    "map": head_map,
    "map, many heads": partial(head_map, heads_a_layer=17),
    "map, small": partial(head_map, small=True),
    "map, long numbers": partial(head_map, number="−0.25"),
    "map, not clickable": partial(head_map, clickable=False),
    "distribution": distribution,
    "distribution without lines": partial(distribution, threshold=None, chance=None),
    "pattern": pattern,
    "pattern of 30": partial(pattern, length=30),
    "pattern in blocks": partial(pattern, length=attention.MOST + 1),
    "pattern without rest": partial(pattern, rest_hidden=True),
    "offset bars": offset_bars,
    "reference profile": reference_profile,
    "two prompts": paired_bars,
    "detection pattern": lambda n: detector.pattern_picture([(n, 1, 1.0)], tokens(n)),
    "detection pattern of 40": lambda n: detector.pattern_picture([(n, 1, 1.0)], tokens(n, 40)),
    "offset scores": lambda n: circuits.offset_scores([0.1, n]),
    "position scores": lambda n: circuits.position_scores([[0.1, 0.2], [0.3, n]]),
    "composition": composition,
    "sum of parts": sums,
    "parts by layer": lambda n: contributions.by_layer(
        [{"layer": n, "who": "heads", "value": 0.5, "shown": "+0.50"}]
    ),
    "a head by token": by_token,
    "control strip": control_strip,
    "offset profile": offset_profile,
    "heads taken away": taking_away,
    "a pair of heads": pair_bars,
    "circuit": lambda n: induction_circuit.circuit(),
    "falls": falls,
    "shares": lambda n: induction_circuit.shares([{"component": 1, "share": n / 10}]),
    "offsets": offsets,
}
every_chart = pytest.mark.parametrize("chart", CHARTS.values(), ids=CHARTS)


@every_chart
def test_a_chart_holds_to_the_schema_with_every_place_filled(chart) -> None:
    spec = chart(1).to_dict()
    alt.Chart.from_dict(spec, validate=True)
    shape = {name: part for name, part in spec.items() if name != "datasets"}
    assert '"@' not in json.dumps(shape, allow_nan=False)
    named = json.dumps(shape).count('"data": {"name": "')
    assert named >= len(spec["datasets"]) > 0


def test_the_schema_refuses_a_chart_that_is_none() -> None:
    with pytest.raises(Exception, match="no such mark"):
        alt.Chart.from_dict({**bars(1).to_dict(), "mark": "no such mark"}, validate=True)


@every_chart
def test_other_data_of_the_same_shape_need_no_altair(chart, monkeypatch) -> None:
    first = chart(1)

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("Altair was used again")

    for kind in (alt.Chart, alt.LayerChart):
        monkeypatch.setattr(kind, "__init__", refuse)
        monkeypatch.setattr(kind, "to_dict", refuse)
    second = chart(2)
    assert second.template is first.template
    if chart is not CHARTS["circuit"]:  # which always draws the same
        assert second.to_dict() != first.to_dict()


@every_chart
def test_the_page_gets_the_records_that_a_picture_gets(chart) -> None:
    spec, sent = chart(1).to_dict(), chart(1).for_page()
    assert {name: part for name, part in sent.items() if name != "datasets"} == {
        name: part for name, part in spec.items() if name != "datasets"
    }
    for name, records in spec["datasets"].items():
        assert pa.ipc.open_stream(sent["datasets"][name]).read_all().to_pylist() == records


# ------------------------------------------------------------------ for everybody


def parts_of(spec: object) -> list[dict[str, object]]:
    """Every part of a chart that is a dict, without its data and its look."""
    if isinstance(spec, list):
        return [part for inner in spec for part in parts_of(inner)]
    if not isinstance(spec, dict):
        return []
    inner = (value for name, value in spec.items() if name not in ("datasets", "config"))
    return [spec, *(part for value in inner for part in parts_of(value))]


def marks_of(chart) -> list[dict[str, object]]:
    marks = (part.get("mark") for part in parts_of(chart(1).to_dict()))
    return [mark if isinstance(mark, dict) else {"type": mark} for mark in marks if mark]


@every_chart
def test_the_text_of_a_chart_is_large_enough_and_in_the_ink_of_the_page(chart) -> None:
    spec = chart(1).to_dict()
    for part in parts_of(spec):
        sizes = [size for name, size in part.items() if name.lower().endswith("fontsize")]
        assert all(size >= SMALLEST for size in sizes), part
    for mark in marks_of(chart):
        if mark["type"] == "text":
            assert mark["color"] == INK
            assert not isinstance(mark.get("opacity", 1), float) or mark["opacity"] >= 0.7
    for guide in ("axis", "legend"):
        look = spec["config"][guide]
        assert look["labelFontSize"] == look["titleFontSize"] == SMALLEST
        assert look["labelColor"] == look["titleColor"] == INK
    # A canvas knows no ink of a page.
    assert spec["usermeta"]["embedOptions"] == {"renderer": "svg"}


@every_chart
def test_of_a_chart_only_what_can_be_clicked_is_read_out_and_has_a_name(chart) -> None:
    spec = chart(1).to_dict()
    assert spec["config"]["mark"] == {"aria": False}
    buttons = [mark for mark in marks_of(chart) if mark.get("cursor") == "pointer"]
    selects = [part for part in parts_of(spec) if part.get("name") == heads.SELECTION]
    assert len(buttons) == len(selects)
    for mark in marks_of(chart):
        assert mark.get("aria", False) == (mark in buttons)
    for mark in buttons:
        assert mark["ariaRole"] == "button"
        assert "datum.label" in mark["description"]["expr"]


def test_a_mark_says_its_head_and_what_the_page_shows_of_it() -> None:
    svg = chart_image(bars(1).to_dict(), "svg").decode()
    assert 'aria-label="L1H2, 10%" role="button"' in svg
    assert svg.count('role="button"') == 1
    svg = chart_image(head_map(1).to_dict(), "svg").decode()
    assert svg.count('role="button"') == 3


# ------------------------------------------------------------------ what may stand in data


def drawn(records: list[dict[str, object]]) -> tuple[list[dict], list[dict]]:
    """The records in a picture and on a page."""
    drawing = Drawing({"mark": "bar", "data": {"name": "rows"}}, {"rows": records}, height=1)
    sent = drawing.for_page()["datasets"]["rows"]
    return drawing.to_dict()["datasets"]["rows"], pa.ipc.open_stream(sent).read_all().to_pylist()


def test_numbers_of_numpy_and_numbers_that_are_none_reach_both() -> None:
    records = [
        {"a": np.float64(0.5), "b": np.int64(3), "c": np.bool_(True), "d": None, "e": None},
        {"a": math.nan, "b": 4, "c": False, "d": None, "e": 1},
    ]
    plain = [
        {"a": 0.5, "b": 3, "c": True, "d": None, "e": None},
        {"a": None, "b": 4, "c": False, "d": None, "e": 1},
    ]
    assert drawn(records) == (plain, plain)


def test_a_token_with_half_a_character_reaches_the_page() -> None:
    _, sent = drawn([{"token": "half \ud83d"}, {"token": "whole 👩‍🚀"}, {"token": None}])
    assert sent == [{"token": "half ?"}, {"token": "whole 👩‍🚀"}, {"token": None}]
    json.dumps(guesses(1).for_page() | {"datasets": None}).encode()


def test_no_records_are_an_empty_table() -> None:
    assert drawn([]) == ([], [])


# ------------------------------------------------------------------ places and shapes


def test_a_place_takes_a_value_or_a_whole_list() -> None:
    shape = {"title": "@title", "sort": ["@order"], "domain": [0, "@top"], "dash": [[1], [2]]}
    values = {"title": "@title", "order": ["b", "a"], "top": 0.5}
    spec = Drawing(shape, {}, height=1, values=values).to_dict()
    assert spec["title"] == "@title"  # a value is never read as a place
    assert (spec["sort"], spec["domain"], spec["dash"]) == (["b", "a"], [0, 0.5], [[1], [2]])
    with pytest.raises(KeyError):
        Drawing(shape, {}, height=1).to_dict()


def test_nothing_that_is_done_to_a_chart_changes_its_template() -> None:
    drawing = falls(1)
    before = copy.deepcopy(drawing.template)
    spec = drawing.for_page()
    spec["layer"][0]["encoding"].clear()
    spec["config"].clear()
    assert drawing.template == before


def test_visitors_who_come_at_once_get_the_same_shape() -> None:
    built = []

    @template
    def shape(width: int) -> alt.Chart:
        built.append(width)
        return alt.Chart(alt.NamedData("rows")).mark_bar(width=width)

    with ThreadPoolExecutor(8) as pool:
        specs = list(pool.map(shape, [1, 2] * 20))
    assert all(spec == shape(1 + place % 2) for place, spec in enumerate(specs))
    count = len(built)
    assert [shape(1)["mark"]["width"], shape(2)["mark"]["width"]] == [1, 2]
    assert len(built) == count  # kept
