"""One head by many recipes as bars, and all heads by two of them as points.

>>> drawing = bars(records)  # doctest: +SKIP
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import altair as alt

from headroles.charts.base import ACTIVE, INK, QUIET, button, finish, named_rows, rows, zero
from headroles.charts.drawing import ZERO, Drawing, template
from headroles.charts.heads import head_selection

ROW = 26
"""Pixels of a bar's row."""
LOWEST = -0.5
"""Where the bars' scale begins at the lowest: of a head that rests, ``abs`` may be −3 with its
error, and the other recipes, from 0 to 1, would share what is left of the width."""
FAR = 0.15
"""Two scores this far apart are worth a name."""
ROOM = (0.12, 0.06)
"""Of the scales, across and upwards: what a name takes up."""
HIGH = 320
"""Pixels of the scatter."""


def bars(records: Sequence[Mapping[str, object]]) -> Drawing:
    """One bar per recipe with its standard error; ours is filled, the others are outlined.

    A bar that goes below :data:`LOWEST` is cut there (:func:`is_cut`); its number is not.

    Args:
        records: from :func:`headroles.view.recipes.bar_records`.
    """
    lows = [record["low"] for record in records if record["low"] is not None]
    values = {
        "names": [record["name"] for record in records],
        "low": max(LOWEST, min([0.0, *lows])),
        "high": 1.15,
    }
    return Drawing(_bars_template(), {"recipes": records, "zero": ZERO}, ROW * len(records), values)


def is_cut(records: Sequence[Mapping[str, object]]) -> bool:
    """Whether a bar or its error goes on beyond the left edge."""
    return any(record["low"] is not None and record["low"] < LOWEST for record in records)


@template
def _bars_template() -> alt.LayerChart:
    scale = alt.Scale(domain=["@low", "@high"], nice=False)
    base = rows("recipes").encode(
        y=named_rows("order:O", limit=180),
        tooltip=[
            alt.Tooltip("name:N", title="recipe"),
            alt.Tooltip("shown:N", title="score"),
            alt.Tooltip("differs:N", title="differs"),
            alt.Tooltip("source:N", title="source"),
        ],
    )
    axis = alt.Axis(title="score", tickCount=5, grid=True, gridOpacity=0.25, domain=False,
                    ticks=False, titleFontWeight="normal")  # fmt: skip
    x = alt.X("value:Q", scale=scale, axis=axis)
    known = base.transform_filter("isValid(datum.value)")
    drawn = known.mark_bar(
        height=14,
        clip=True,
        cornerRadius=2,
        fill=ACTIVE,
        stroke=ACTIVE,
        fillOpacity={"expr": "datum.ours ? 0.85 : 0.2"},
    ).encode(x=x, x2=alt.datum(0))
    errors = known.mark_rule(stroke=INK, strokeWidth=1.4, clip=True).encode(
        x=alt.X("low:Q", scale=scale, axis=axis), x2="high:Q"
    )
    words = base.mark_text(align="right", color=INK, fontSize=12).encode(
        x=alt.value("width"), text="shown:N"
    )
    at_zero = zero().encode(x=alt.X("at:Q", scale=scale, axis=axis))
    names = alt.param(name="names", value="@names")
    return finish(alt.layer(at_zero, drawn, errors, words).add_params(names))


def scatter(
    records: Sequence[Mapping[str, object]], *, along: str, up: str, named: int = 8
) -> Drawing:
    """All heads by two recipes; those furthest from the diagonal bear their names.

    Args:
        records: from :func:`headroles.view.recipes.scatter_records`.
        along: names the axis across.
        up: names the axis upwards.
        named: how many heads are named beside the chosen one.
    """
    names = _named(records, most=named)
    points = [
        {**record, "text": record["label"] if record["label"] in names else ""}
        for record in records
    ]
    both = [value for record in records for value in (record["x"], record["y"])]
    ends = {"low": min([0.0, *both]), "high": max([1.0, *both])}
    line = [{"at": ends["low"], "to": ends["low"]}, {"at": ends["high"], "to": ends["high"]}]
    return Drawing(
        _scatter_template(),
        {"heads": points, "line": line},
        HIGH,
        {"along": along, "up": up, **ends},
    )


def _named(records: Sequence[Mapping[str, object]], *, most: int) -> set[str]:
    """The heads on which the two recipes differ most, none so near another that names overlap."""
    chosen = [record for record in records if record["open"]]
    for record in sorted(records, key=lambda one: -abs(one["x"] - one["y"])):
        if len(chosen) > most or abs(record["x"] - record["y"]) < FAR:
            break
        near = (
            abs(record["x"] - one["x"]) < ROOM[0] and abs(record["y"] - one["y"]) < ROOM[1]
            for one in chosen
        )
        if not any(near):
            chosen.append(record)
    return {str(record["label"]) for record in chosen}


@template
def _scatter_template() -> alt.LayerChart:
    axis = {"grid": True, "gridOpacity": 0.2, "tickCount": 5, "titleFontWeight": "normal"}
    scale = alt.Scale(domain=["@low", "@high"], nice=False)
    across = alt.X("x:Q", scale=scale, axis=alt.Axis(title="@along", **axis))
    upward = alt.Y("y:Q", scale=scale, axis=alt.Axis(title="@up", **axis))
    diagonal = (
        rows("line")
        .mark_line(stroke=QUIET, strokeDash=[4, 3], strokeWidth=1.2)
        .encode(
            x=alt.X("at:Q", scale=scale, axis=alt.Axis(title="@along", **axis)),
            y=alt.Y("to:Q", scale=scale, axis=alt.Axis(title="@up", **axis)),
        )
    )
    base = rows("heads").encode(
        x=across,
        y=upward,
        tooltip=[alt.Tooltip("label:N", title="head"), alt.Tooltip("shown:N", title="scores")],
    )
    points = base.mark_point(
        shape={"expr": "datum.open ? 'diamond' : 'circle'"},
        size={"expr": "datum.open ? 130 : 50"},
        fill=ACTIVE,
        fillOpacity={"expr": "datum.open ? 1 : 0.35"},
        stroke=ACTIVE,
        opacity=1,
        **button("datum.label + ', ' + datum.shown"),
    ).add_params(head_selection())
    texts = base.mark_text(align="left", dx=7, dy=-6, color=INK, fontSize=12).encode(text="text:N")
    return finish(alt.layer(diagonal, points, texts))
