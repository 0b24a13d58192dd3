"""A circuit as a drawing: the answer on top, heads below it by layer, an arrow per path.

Every arrow has its number with a sign. Blue adds to the difference and orange takes away from it;
an arrow that is larger than its control is thick and solid, any other is thin, dashed and gray. The
queries of a head come in at the left of its box, keys in the middle, values at the right.

>>> chart = circuit_of_paths(nodes, arrows)  # doctest: +SKIP
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from itertools import groupby, permutations
from random import Random

import altair as alt

from headroles.charts.base import ACTIVE, INK, QUIET, TARGET, button, finish, rows
from headroles.charts.drawing import Drawing, template
from headroles.charts.heads import head_selection

COLUMNS = (0.5, 0.17, 0.83, 0.335, 0.665)
"""Where a box may stand across, 0 to 1; the middle first. Neighbours among three of them never
touch, also on a phone."""
MOST_BESIDE = 3
"""Most boxes in a row; the rest of a layer stands in a row below."""
ROW, BOX = 108, 58
"""Pixels of a row and of a box, from top to bottom."""
HALF = "min(0.158, 84 / width)"
"""Half the width of a box, of the drawing's width: a Vega expression."""
ENTRIES = {"q": -0.62, "k": 0.0, "v": 0.62, "": 0.0}
"""Where an arrow enters a box, from its middle, in halves of its width."""
_HALF, _WIDE = 0.16, 0.09  # half of a box and of a number across, on a phone
_ALONG = tuple(step / 20 for step in range(3, 18))  # where on an arrow its number may stand
_UP = BOX / ROW / 2  # half of a box from top to bottom, in rows
_ROUNDS, _STARTS = 6, 8

Node = Mapping[str, object]
Arrow = Mapping[str, object]
Passing = tuple[str, str, float, list[str]]
"""Source, target and entry of an arrow, and the boxes at whose height it passes."""


def circuit_of_paths(nodes: Sequence[Node], arrows: Sequence[Arrow]) -> Drawing:
    """The answer, the heads and the arrows between them.

    Args:
        nodes: one per box: node (its name), layer and head (of several heads, the first; both -1
            for the answer), label, note
            (one line or two with | between them: its role, say, and where it matters), open
            (whether it is looked at), spoken.
            The answer comes first.
        arrows: source and target (names of nodes), entry (``q``, ``k``, ``v`` or nothing), value,
            number (what stands on it), clear (larger than its control), shown.
    """
    lines = _rows_of(nodes)
    height = ROW * len(lines) - (ROW - BOX) + 12
    down = {node: ROW * at + BOX / 2 + 6 for at, line in enumerate(lines) for node in line}
    ends = tuple((a["source"], a["target"], ENTRIES[a["entry"]]) for a in arrows)
    across = _columns(lines, ends)
    boxes = [
        {**node, "x": across[node["node"]], "y": down[node["node"]],
         "top": down[node["node"]] - BOX / 2, "bottom": down[node["node"]] + BOX / 2}
        for node in nodes
    ]  # fmt: skip
    paths = [
        {
            **{key: arrow[key] for key in ("value", "number", "clear", "shown")},
            "x": across[arrow["source"]],
            "x2": across[arrow["target"]],
            "y": down[arrow["source"]] - BOX / 2,
            "y2": down[arrow["target"]] + BOX / 2,
            "entry": ENTRIES[arrow["entry"]],
        }
        for arrow in arrows
    ]
    data = {"boxes": boxes, "paths": _with_numbers(paths, boxes)}
    return Drawing(_template(), data, height, {"height": height})


def _rows_of(nodes: Sequence[Node]) -> tuple[tuple[str, ...], ...]:
    """Names of nodes row by row from the top: the answer, then layer by layer downwards."""
    ordered = sorted(nodes, key=lambda node: (node["layer"] >= 0, -node["layer"], node["head"]))
    lines = []
    for _, together in groupby(ordered, key=lambda node: node["layer"]):
        names = [str(node["node"]) for node in together]
        lines += [tuple(names[at : at + MOST_BESIDE]) for at in range(0, len(names), MOST_BESIDE)]
    return tuple(lines)


@lru_cache(maxsize=64)  # a page draws the same circuit in every run
def _columns(
    lines: tuple[tuple[str, ...], ...], arrows: tuple[tuple[str, str, float], ...]
) -> dict[str, float]:
    """{node: where it stands across}: few arrows go through boxes that they do not lead to.

    Row by row, the best of all places while the other rows stay, until nothing moves; from several
    beginnings, the best of which counts.

    Args:
        lines: the rows, the top one first.
        arrows: source, target and where it enters.
    """
    levels = {node: at for at, line in enumerate(lines) for node in line}
    passed = [
        (*arrow, [node for node, at in levels.items() if levels[arrow[1]] < at < levels[arrow[0]]])
        for arrow in arrows
    ]
    settled = []
    for start in range(_STARTS):
        chance = Random(start)
        across = {
            node: place
            for at, line in enumerate(lines)
            for node, place in zip(
                line, _places(len(line))[0 if not at else chance.randrange(3)], strict=True
            )
        }
        settled.append(_settled(across, lines, levels, passed))
    costs = [_cost(across, levels, passed) for across in settled]
    return settled[costs.index(min(costs))]


def _settled(
    across: dict[str, float],
    lines: Sequence[Sequence[str]],
    levels: Mapping[str, int],
    passed: Sequence[Passing],
) -> dict[str, float]:
    """The places after rows moved as long as that helps."""
    for _ in range(_ROUNDS):
        before = dict(across)
        for line in lines[1:]:
            tried = [dict(zip(line, places, strict=True)) for places in _places(len(line))]
            costs = [_cost(across | places, levels, passed) for places in tried]
            across |= tried[costs.index(min(costs))]  # the first of equal ones
        if before == across:
            break
    return across


@cache
def _places(boxes: int) -> list[tuple[float, ...]]:
    """Where so many boxes of a row may stand."""
    if boxes == 1:
        return [(column,) for column in COLUMNS]
    return list(permutations(COLUMNS[:MOST_BESIDE], boxes))


def _cost(
    across: Mapping[str, float], levels: Mapping[str, int], passed: Sequence[Passing]
) -> float:
    """How bad a layout is: boxes that arrows go through, then how far arrows lean."""
    cost = 0.0
    for source, target, entry, between in passed:
        x, y, y2 = across[source], levels[source] - _UP, levels[target] + _UP
        slope = (across[target] + _HALF * entry - x) / (y - y2)
        cost += 0.1 * abs(slope) * (y - y2)
        for node in between:
            middle = x + slope * (y - levels[node])
            gap = abs(middle - across[node]) - abs(slope) * _UP
            if gap < _HALF:
                cost += 1 + _HALF - gap
    return cost


def _with_numbers(
    paths: list[dict[str, object]], boxes: Sequence[Mapping[str, object]]
) -> list[dict[str, object]]:
    """The arrows with the place of their numbers, which keep off boxes and each other if they can.

    Clear arrows choose first.
    """
    taken = [(box["x"], box["y"], _HALF, BOX / 2) for box in boxes]
    for path in sorted(paths, key=lambda path: not path["clear"]):
        tried = []
        for along in _ALONG:
            x = path["x"] + (path["x2"] + _HALF * path["entry"] - path["x"]) * along + _WIDE
            y = path["y"] + (path["y2"] - path["y"]) * along
            hidden = sum(
                max(0.0, width + _WIDE - abs(x - at)) * max(0.0, height + 8 - abs(y - level))
                for at, level, width, height in taken
            )
            tried.append((hidden + max(0.0, x + _WIDE - 1), along, x, y))
        _, path["along"], x, y = min(tried, key=lambda place: (place[0], abs(place[1] - 0.5)))
        taken.append((x, y, _WIDE, 8))
    return paths


@template
def _template() -> alt.LayerChart:
    paths = rows("paths").transform_calculate(end=f"datum.x2 + datum.entry * {HALF}")
    return finish(alt.layer(*_paths(paths), *_boxes()))


def _across(field: str) -> alt.X:
    return alt.X(field, scale=alt.Scale(domain=[0, 1], nice=False, zero=False), axis=None)


def _down(field: str) -> alt.Y:
    return alt.Y(field, scale=alt.Scale(domain=["@height", 0], nice=False, zero=False), axis=None)


def _paths(paths: alt.Chart) -> list[alt.Chart]:
    """The lines, their heads and their numbers."""
    colour = f"!datum.clear ? '{QUIET}' : datum.value < 0 ? '{TARGET}' : '{ACTIVE}'"
    tips = [alt.Tooltip("shown:N", title="path")]
    lines = paths.mark_rule(
        stroke={"expr": colour},
        strokeWidth={"expr": "datum.clear ? 3.2 : 1.6"},
        strokeDash={"expr": "datum.clear ? [1, 0] : [5, 4]"},
    ).encode(x=_across("x:Q"), y=_down("y:Q"), x2="end:Q", y2="y2:Q", tooltip=tips)
    turn = "atan2((datum.end - datum.x) * width, datum.y - datum.y2) * 180 / PI"
    heads = paths.mark_point(
        shape="triangle-up",
        size={"expr": "datum.clear ? 130 : 70"},
        filled=True,
        fill={"expr": colour},
        opacity=1,
        angle={"expr": turn},
    ).encode(x=_across("end:Q"), y=_down("y2:Q"))
    numbers = (
        paths.transform_calculate(
            at="datum.x + (datum.end - datum.x) * datum.along",
            level="datum.y + (datum.y2 - datum.y) * datum.along",
        )
        .mark_text(
            align="left",
            dx=6,
            dy={"expr": "clamp((datum.end - datum.x) * width / 25, -9, 9)"},
            fontSize=12,
            color=INK,
            fontWeight={"expr": "datum.clear ? 700 : 400"},
            opacity={"expr": "datum.clear ? 1 : 0.8"},
        )
        .encode(x=_across("at:Q"), y=_down("level:Q"), text="number:N", tooltip=tips)
    )
    return [lines, heads, numbers]


def _boxes() -> list[alt.Chart]:
    """A box per node with its name, its role and its place; a click looks at it."""
    base = rows("boxes").transform_calculate(
        left=f"datum.x - {HALF}", right=f"datum.x + {HALF}", lines="split(datum.note, '|').length"
    )
    tips = [alt.Tooltip("spoken:N", title="part")]
    sides = base.encode(
        x=_across("left:Q"), x2="right:Q", y=_down("top:Q"), y2="bottom:Q", tooltip=tips
    )
    middle = {"x": _across("x:Q"), "y": _down("y:Q")}
    frames = sides.mark_rect(
        fill=QUIET,
        fillOpacity={"expr": "datum.open ? 0.24 : 0.1"},
        stroke=INK,
        strokeWidth={"expr": "datum.open ? 2.6 : 1"},
        strokeOpacity={"expr": "datum.open ? 1 : 0.6"},
        cornerRadius=6,
    )
    name = base.mark_text(
        fontSize=13,
        fontWeight="bold",
        color=INK,
        dy={"expr": "datum.note ? -8 * datum.lines : 0"},
        limit={"expr": f"2 * {HALF} * width - 6"},
    ).encode(**middle, text="label:N")
    note = base.mark_text(
        fontSize=12,
        color=INK,
        lineBreak="|",
        dy={"expr": "datum.lines > 1 ? 1 : 8"},
        limit={"expr": f"2 * {HALF} * width - 6"},
    ).encode(**middle, text="note:N")
    spoken = "datum.label + (datum.note ? ', ' + datum.note : '')"
    hits = sides.mark_rect(fillOpacity=0, **button(spoken)).add_params(head_selection())
    return [frames, name, note, hits]
