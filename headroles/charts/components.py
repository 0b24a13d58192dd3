"""Charts of components: their share in each head, and how they were trained.

A share is a shade of blue with its number in the cell; the spread is a bar with its number beside.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import altair as alt

from headroles.charts.base import ACTIVE, INK, QUIET, STRONGEST, TARGET, finish, full_width, rows
from headroles.charts.drawing import Drawing, template

ROW = 22
"""Pixels of a component's row."""
AXIS = 60
"""Pixels of an axis below, with its title."""
NAME = 9
"""Pixels of a character of a head's name, with its part of the gap to the next name."""
PLACES = ("names", "begin", "bar", "columns", "longest", "shortest")
"""What the expressions of :func:`head_shares` know of a drawing."""
FITTING = {
    "cell": "width / columns",
    "spare": f"cell < {NAME} * longest ? 'H' : '|'",
    "every": f"spare == 'H' ? ceil({NAME} * shortest / cell) : 1",
}
"""How names fit over cells that are so many pixels wide: without room they lose their H, and where
that is not enough only every second or third ... is written."""
BARS = 3.4
"""Columns that the bars of the spread take, with their numbers, in cells of a head; for more heads
than twelve they grow with these."""


def head_shares(
    records: Mapping[str, Sequence[Mapping[str, object]]], names: Sequence[str]
) -> Drawing:
    """A row per component: its share in each head as cells, and its spread as a bar.

    Args:
        records: from :func:`headroles.view.components.map_records`: ``cells`` and ``bars``.
        names: [head] what the heads are called.
    """
    heads = len(names)
    room = BARS * max(1.0, heads / 12)
    labels = [bar["row"] for bar in records["bars"]]
    values = {
        "names": list(names),
        "rows": labels,
        "places": [place + 0.5 for place in range(heads)],
        "heads": heads,
        "begin": heads + 0.15 * room,
        "bar": 0.55 * room,
        "across": [0, heads + room],
        "columns": heads + room,
        "longest": max(map(len, names)),
        "shortest": max(len(name.replace("H", "")) for name in names),
        "most": f"{math.log(heads):.2f}",
    }
    data = {name: list(records[name]) for name in ("cells", "bars")}
    return Drawing(_shares_template(), data, ROW * len(labels), values)


@template
def _shares_template() -> alt.LayerChart:
    scale = alt.Scale(domain=["@across"], nice=False)
    axis = _heads_axis()
    y = alt.Y(
        "row:N",
        sort=["@rows"],
        scale=alt.Scale(padding=0),
        axis=alt.Axis(
            title=None,
            ticks=False,
            domain=False,
            labelOverlap=False,
            labelFlush=False,  # or the first name stands below the middle of its row
        ),
    )
    cells = (
        rows("cells")
        .transform_calculate(left="datum.head", right="datum.head + 1", middle="datum.head + 0.5")
        .encode(
            y=y,
            tooltip=[
                alt.Tooltip("row:N", title="component"),
                alt.Tooltip("name:N", title="head"),
                alt.Tooltip("shown:N", title="share of it"),
            ],
        )
    )
    squares = cells.mark_rect(fill=ACTIVE, stroke=QUIET, strokeOpacity=0.3, strokeWidth=0.5).encode(
        x=alt.X("left:Q", scale=scale, axis=axis),
        x2="right:Q",
        fillOpacity=alt.FillOpacity(
            "share:Q",
            scale=alt.Scale(domain=[0, 1], range=[0.02, STRONGEST], type="sqrt"),
            legend=None,
        ),
    )
    numbers = cells.mark_text(
        color=INK, fontSize=12, opacity={"expr": "width / columns >= 34 ? 1 : 0"}
    ).encode(x=alt.X("middle:Q", scale=scale), text="shown:N")
    params = [alt.param(name=name, value=f"@{name}") for name in PLACES]
    params += [alt.param(name=name, expr=expression) for name, expression in FITTING.items()]
    layers = (squares, numbers, *_spread_bars(y, scale))
    return finish(alt.layer(*layers).add_params(*params)).properties(
        padding={"left": 4, "right": 4, "top": 18, "bottom": 2}
    )


def _heads_axis() -> alt.Axis:
    """The names of the heads above their columns."""
    return alt.Axis(
        title="head, and the spread over heads as a bar",
        titleFontWeight="normal",
        orient="top",
        values=["@places"],
        tickCount=1_000,  # or Vega leaves out every second one of many in a narrow place
        labelExpr="floor(datum.value) % every ? '' : "
        "join(split(names[floor(datum.value)], spare), '')",
        labelAngle=0,
        labelOverlap=False,
        grid=False,
        ticks=False,
        domain=False,
    )


def _spread_bars(y: alt.Y, scale: alt.Scale) -> tuple[alt.Chart, ...]:
    """Track, bar and number of each component's spread."""
    spread = rows("bars").transform_calculate(
        start="begin", end="begin + bar * datum.part", full="begin + bar"
    )
    tips = [
        alt.Tooltip("row:N", title="component"),
        alt.Tooltip("entropy:Q", title="entropy (nats)", format=".2f"),
        alt.Tooltip("shown:N", title="heads at once"),
    ]
    track = spread.mark_bar(height=10, fill=QUIET, fillOpacity=0.16).encode(
        y=y, x=alt.X("start:Q", scale=scale), x2="full:Q", tooltip=tips
    )
    bars = spread.mark_bar(height=10, fill=QUIET).encode(
        y=y, x=alt.X("start:Q", scale=scale), x2="end:Q", tooltip=tips
    )
    said = spread.mark_text(align="left", dx=5, color=INK, fontSize=12).encode(
        y=y, x=alt.X("full:Q", scale=scale), text="shown:N"
    )
    return track, bars, said


def effects(
    records: Sequence[Mapping[str, object]], *, axis: str, down: str = "missing in"
) -> Drawing:
    """What the absence of something costs, e.g. of a component in all heads and in each: a bar with
    its number.

    Args:
        records: what, cost (0 or more), shown; in order.
        axis: what a cost is, with its unit.
        down: what the bars are.
    """
    most = max(float(record["cost"]) for record in records) or 1.0
    values = {
        "names": [record["what"] for record in records],
        "axis": axis,
        "down": down,
        "across": [0, 1.15 * most],
    }
    high = ROW * len(records) + AXIS
    return Drawing(_effects_template(), {"costs": list(records)}, high, values)


@template
def _effects_template() -> alt.LayerChart:
    axis = alt.Axis(
        title="@axis", gridOpacity=0.25, domain=False, tickCount=4, titleFontWeight="normal"
    )
    base = rows("costs").encode(
        x=alt.X("cost:Q", axis=axis, scale=alt.Scale(domain=["@across"], nice=False)),
        y=alt.Y(
            "what:N",
            sort=["@names"],
            axis=alt.Axis(
                title="@down",
                domain=False,
                ticks=False,
                titleFontWeight="normal",
                labelOverlap=False,
                labelFlush=False,
            ),
        ),
        tooltip=[alt.Tooltip("what:N", title="@down"), alt.Tooltip("shown:N", title="@axis")],
    )
    bars = base.mark_bar(height=12, cornerRadius=2, color=ACTIVE, opacity=0.85)
    numbers = base.mark_text(align="left", dx=6, color=INK, fontSize=12).encode(text="shown:N")
    return full_width(alt.layer(bars, numbers))


def training(records: Sequence[Mapping[str, object]], *, title: str) -> Drawing:
    """One figure over the steps of the training, as a line.

    Args:
        records: step, value.
        title: what it is.
    """
    return Drawing(_training_template(), {"steps": list(records)}, 210, {"title": title})


@template
def _training_template() -> alt.LayerChart:
    look = {"titleFontWeight": "normal", "domain": False, "ticks": False}
    base = rows("steps").encode(
        x=alt.X("step:Q", axis=alt.Axis(title="step", grid=False, tickCount=4, **look)),
        y=alt.Y(
            "value:Q",
            scale=alt.Scale(type="sqrt"),  # the first steps are far above the rest
            axis=alt.Axis(
                title=None,
                gridOpacity=0.25,
                tickCount=4,
                labelExpr="format(datum.value, ',~r')",  # a format alone becomes 8e+2
                **look,
            ),
        ),
        tooltip=[
            alt.Tooltip("step:Q", format=","),
            alt.Tooltip("value:Q", title="@title", format=",.3~r"),
        ],
    )
    return full_width(
        alt.layer(base.mark_line(color=ACTIVE), base.mark_point(color=ACTIVE, size=18, filled=True))
    )


def left(lines: Sequence[Mapping[str, object]], band: Sequence[Mapping[str, object]]) -> Drawing:
    """What is left of a role as components are taken away, beside as many others at random.

    Args:
        lines: taken (1 or more), value (0 to 1), which; in order.
        band: taken, low, high, value: the random others.
    """
    names = list(dict.fromkeys(str(line["which"]) for line in lines))
    most = max([int(line["taken"]) for line in lines], default=1)
    data = {"lines": list(lines), "band": list(band)}
    return Drawing(_left_template(), data, 190, {"names": names, "across": [1, max(2, most)]})


@template
def _left_template() -> alt.LayerChart:
    look = {"titleFontWeight": "normal", "domain": False}
    x = alt.X(
        "taken:Q",
        scale=alt.Scale(type="log", base=2, domain=["@across"], nice=False, padding=10),
        axis=alt.Axis(title="components taken away", grid=False, format="d", **look),
    )
    y = alt.Y(
        "value:Q",
        scale=alt.Scale(domain=[0, 1]),
        axis=alt.Axis(title="activation that is left", gridOpacity=0.25, **look),
    )
    which = {"type": "nominal", "sort": None}
    legend = alt.Legend(
        title=None,
        orient="top",
        columns={"expr": "width < 700 ? 1 : 3"},  # side by side, a phone has no room for the last
        symbolSize=90,
        labelLimit=400,
    )
    scale = alt.Scale(domain=["@names"], range=[ACTIVE, TARGET, QUIET])
    shapes = alt.Scale(domain=["@names"], range=["circle", "diamond", "triangle-up"])
    base = rows("lines").encode(
        x=x,
        y=y,
        color=alt.Color("which", scale=scale, legend=legend, **which),
        tooltip=[
            alt.Tooltip("which:N", title="without"),
            alt.Tooltip("taken:Q", title="components"),
            alt.Tooltip("value:Q", title="left", format=".2f"),
        ],
    )
    area = rows("band").mark_area(color=QUIET, opacity=0.2)
    return finish(  # the rows of the legend come on top of its height
        alt.layer(
            area.encode(x=x, y=alt.Y("low:Q"), y2="high:Q"),
            base.mark_line(strokeWidth=1.5, opacity=0.8),
            base.mark_point(size=60, filled=True, opacity=1).encode(
                shape=alt.Shape("which", scale=shapes, legend=legend, **which)
            ),
        )
    )
