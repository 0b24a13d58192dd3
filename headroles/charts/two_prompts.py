"""Two prompts in one chart: two bars per head, the first prompt's above the second's.

As in :mod:`headroles.charts`, whose colours and marks it shares, colour and fill show the state of
a head; its place and the number in front of it show which prompt a bar belongs to.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import altair as alt

from headroles.charts.base import ACTIVE, INK, QUIET, finish, rows, share_axis
from headroles.charts.drawing import Drawing, template
from headroles.charts.heads import CHANCE, NEEDED, SELECTION, UPRIGHT, share_title
from headroles.roles import Role

_LEFT, _RIGHT = -0.075, 1.16
"""Where the scale begins and ends: room for the number of the prompt, and for the percents."""


def paired_bars(records: Sequence[Mapping[str, object]], role: Role) -> Drawing:
    """Two bars per head, 0 to 1, each with its own chance mark and the line that decides.

    Args:
        records: two per head: top, bottom, middle, line, from and to in pixels, side (1 or 2),
            layer, head, label, value, chance, needed, state, applies, number, idle, first,
            second, change, needs, turned.
        role: names the axis.
    """
    height = max(record["to"] for record in records)
    values = {"title": share_title(role), "height": height}
    return Drawing(_template(), {"bars": records}, height, values)


@template
def _template() -> alt.LayerChart:
    base = rows("bars")
    return finish(alt.layer(*_bars(base), *_marks(base), *_texts(base), _hits(base)))


def _bars(base: alt.Chart) -> list[alt.Chart]:
    """The track of every bar, and the bar on it."""
    x = alt.X(
        "value:Q",
        scale=alt.Scale(domain=[_LEFT, _RIGHT], nice=False, zero=False),
        axis=share_axis("@title"),
    )
    places = base.encode(
        y=alt.Y("top:Q", scale=alt.Scale(domain=["@height", 0], nice=False, zero=False), axis=None),
        y2="bottom:Q",
    )
    track = places.mark_rect(fill=QUIET, fillOpacity=0.14, cornerRadius=3).encode(
        x=alt.datum(0), x2=alt.datum(1)
    )
    colour = {"expr": f"datum.state == 'active' ? '{ACTIVE}' : '{QUIET}'"}
    bars = (
        places.transform_filter("datum.applies")
        .mark_rect(
            cornerRadius=3,
            fill=colour,
            fillOpacity={"expr": "datum.state == 'active' ? 1 : 0.12"},
            stroke=colour,
            strokeWidth=1.5,
            strokeDash={"expr": "datum.state == 'too_short' ? [3, 2] : [1, 0]"},
        )
        .encode(x=x, x2=alt.datum(0))
    )
    return [track, bars]


def _marks(base: alt.Chart) -> list[alt.Chart]:
    """The line that decides, where a number does, and chance on every bar."""
    marks = base.encode(y="middle:Q")
    needed = marks.transform_filter("isValid(datum.needed)").mark_point(
        shape=UPRIGHT, size=256, **NEEDED
    )
    chance = marks.transform_filter("datum.applies").mark_point(shape=UPRIGHT, size=64, **CHANCE)
    return [chance.encode(x="chance:Q"), needed.encode(x="needed:Q")]


def _texts(base: alt.Chart) -> list[alt.Chart]:
    """Before a bar its prompt's number, behind it the percents; above both the head's change."""
    small = {"color": INK, "baseline": "middle", "fontSize": 12}
    heavy = {"expr": "datum.state == 'active' ? 700 : 400"}
    bars = base.encode(y="middle:Q")
    sides = bars.mark_text(align="left", fontWeight=600, **small).encode(
        x=alt.value(0), text="side:N"
    )
    numbers = bars.mark_text(align="right", fontWeight=heavy, **small).encode(
        x=alt.value("width"), text="number:N"
    )
    idle = (
        bars.transform_filter("!datum.applies")
        .mark_text(align="left", dx=5, **small)
        .encode(x=alt.datum(0), text="idle:N")
    )
    lines = base.transform_filter("datum.side == 1").encode(y="line:Q")
    label = lines.mark_text(align="left", **{**small, "fontSize": 13, "fontWeight": 600}).encode(
        x=alt.value(0), text="label:N"
    )
    change = lines.mark_text(
        align="right",
        fontWeight={"expr": "datum.turned ? 700 : 400"},
        **small,
    ).encode(x=alt.value("width"), text="change:N")
    return [sides, numbers, idle, label, change]


def _hits(base: alt.Chart) -> alt.Chart:
    """A clear area over both bars of a head: it takes the click and shows the tooltip."""
    return (
        base.transform_filter("datum.side == 1")
        .mark_rect(fillOpacity=0, cursor="pointer")
        .encode(
            x=alt.value(-4),
            x2=alt.value("width"),
            y="from:Q",
            y2="to:Q",
            tooltip=[
                alt.Tooltip("label:N", title="head"),
                alt.Tooltip("first:N", title="first prompt"),
                alt.Tooltip("second:N", title="second prompt"),
                alt.Tooltip("change:N", title="change"),
                alt.Tooltip("needs:N", title="needs"),
            ],
        )
        .add_params(alt.selection_point(name=SELECTION, fields=["layer", "head"], on="click"))
    )
