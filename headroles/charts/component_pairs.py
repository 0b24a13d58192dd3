"""Pairs of components by distance: lines, the same head by head, and a map of squares.

Lines are told apart by colour and dash and are named in the legend in the order of their strength;
the map is blue above zero and orange below, as every signed map, with the numbers written out where
there is room.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import altair as alt

from headroles.charts.base import (
    ACTIVE,
    INK,
    QUIET,
    TARGET,
    finish,
    rows,
    zero,
)
from headroles.charts.component_pictures import shaded
from headroles.charts.drawing import ZERO, Drawing, template

HIGH, SMALL = 260, 92
"""Pixels of the lines, and of each of the small ones."""
ROW = 24
"""Pixels of a row of squares."""
LINES = (
    (ACTIVE, [1, 0]),
    (TARGET, [7, 3]),
    ("#3f8f4f", [3, 2]),
    ("#8a6bd1", [9, 3, 2, 3]),
    ("#b5467d", [5, 2]),
    ("#2a8f96", [2, 2]),
    ("#9a7b1f", [10, 4]),
    ("#5b6fb0", [4, 4]),
)
"""Colour and dash of the pairs, the strongest first."""
OTHERS = {"biases": (QUIET, [2, 4]), "all other pairs": (QUIET, [6, 4]), "sum": (INK, [1, 0])}
"""The same of what is not a pair."""


def lines(records: Sequence[Mapping[str, object]], *, unit: str) -> Drawing:
    """A line per pair and per rest, over the distances.

    Args:
        records: part, offset, value, shown; the parts in the order of the legend.
        unit: what the numbers are.
    """
    return Drawing(
        _lines_template(small=False), {"points": records, "zero": ZERO}, HIGH, _of(records, unit)
    )


def small_lines(records: Sequence[Mapping[str, object]], *, unit: str) -> list[tuple[str, Drawing]]:
    """The same head by head: (the head, its lines), all with one scale.

    Args:
        records: as of :func:`lines`, with the label of a head besides.
        unit: what the numbers are.
    """
    values = _of(records, unit)
    found = []
    for head in dict.fromkeys(record["head"] for record in records):
        own = [record for record in records if record["head"] == head]
        data = {"points": own, "zero": ZERO}
        found.append((str(head), Drawing(_lines_template(small=True), data, SMALL, values)))
    return found


def _of(records: Sequence[Mapping[str, object]], unit: str) -> dict[str, object]:
    parts = list(dict.fromkeys(str(record["part"]) for record in records))
    looks = dict(OTHERS)
    for part in parts:
        if part not in OTHERS:
            looks[part] = LINES[(len(looks) - len(OTHERS)) % len(LINES)]
    numbers = [float(record["value"]) for record in records]
    return {
        "unit": unit,
        "parts": parts,
        "colours": [looks[part][0] for part in parts],
        "dashes": [looks[part][1] for part in parts],
        "low": min(0.0, *numbers),
        "high": max(0.0, *numbers) or 1.0,
    }


@template
def _lines_template(*, small: bool) -> alt.LayerChart:
    axis = {"titleFontWeight": "normal", "domain": False, "ticks": False}
    legend = alt.Legend(
        title=None,
        orient="bottom",
        columns=2,
        symbolType="stroke",
        symbolSize=500,
        symbolStrokeWidth=2.5,
        labelLimit=220,
    )
    shared = None if small else legend
    scale = alt.Scale(domain=["@parts"], range=["@colours"])
    dashes = alt.Scale(domain=["@parts"], range=["@dashes"])
    up = alt.Y(
        "value:Q",
        scale=alt.Scale(domain=["@low", "@high"], nice=True),
        axis=alt.Axis(
            title=None if small else "@unit", gridOpacity=0.2, tickCount=3 if small else 5, **axis
        ),
    )
    across = alt.X(
        "offset:O",
        axis=alt.Axis(
            title=None if small else "tokens back (0 is the token itself)",
            labelAngle=0,
            labelOverlap=True,
            **axis,
        ),
    )
    base = rows("points").encode(
        x=across,
        y=up,
        color=alt.Color("part:N", scale=scale, legend=shared),
        strokeDash=alt.StrokeDash("part:N", scale=dashes, legend=shared),
        tooltip=[
            alt.Tooltip("part:N", title="part"),
            alt.Tooltip("offset:O", title="tokens back"),
            alt.Tooltip("shown:N", title="adds"),
        ],
    )
    drawn = base.mark_line(strokeWidth=1.4 if small else 2.0)
    at_zero = zero().encode(y=alt.Y("at:Q", scale=alt.Scale(domain=["@low", "@high"], nice=True)))
    return finish(alt.layer(at_zero, drawn))


def squares(records: Sequence[Mapping[str, object]], *, unit: str, down: str) -> Drawing:
    """A row per pair or per head, a column per distance.

    Args:
        records: row, offset, value, shade (0..1), against, number, shown.
        unit: what the numbers are.
        down: what a row is.
    """
    names = list(dict.fromkeys(record["row"] for record in records))
    offsets = sorted({record["offset"] for record in records})
    values = {"unit": unit, "down": down, "names": names, "columns": len(offsets)}
    return Drawing(_squares_template(), {"cells": records}, ROW * len(names), values)


@template
def _squares_template() -> alt.LayerChart:
    axis = {
        "ticks": False,
        "domain": False,
        "titleFontWeight": "normal",
        "labelAngle": 0,
        "labelFlush": False,  # or the first name stands below the middle of its row
    }
    base = rows("cells").encode(
        x=alt.X(
            "offset:O",
            scale=alt.Scale(padding=0),
            axis=alt.Axis(title="tokens back", orient="top", labelOverlap=True, **axis),
        ),
        y=alt.Y(
            "row:N",
            sort=["@names"],
            scale=alt.Scale(padding=0),
            axis=alt.Axis(title=None, labelOverlap=False, labelLimit=160, **axis),
        ),
        tooltip=[
            alt.Tooltip("row:N", title="@down"),
            alt.Tooltip("offset:O", title="tokens back"),
            alt.Tooltip("shown:N", title="@unit"),
        ],
    )
    return shaded(base, room=38)
