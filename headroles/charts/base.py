"""What all charts share: colours, the axis of shares, and how a chart fills its place."""

from __future__ import annotations

import altair as alt

ACTIVE = "#2e7fd0"
"""Blue: attention, and a head that is active."""
QUIET = "#7d8590"
"""Gray: a head that is not."""
TARGET = "#cc6a14"
"""Orange: the cells that a role predicts."""
INK = "currentColor"
"""The text colour of the page."""

SMALLEST = 12
"""Pixels of the smallest text in a chart."""

LIGHTEST = 0.03
"""Opacity of a cell whose number is nothing: still a cell."""
STRONGEST = 0.75
"""Opacity of the strongest shade of a ramp: ink on it keeps 4.5 to 1 in either theme. As opacity,
more is a stronger colour on white and on the dark background alike."""


@alt.theme.register("headroles", enable=True)
def look() -> alt.theme.ThemeConfig:
    """What every chart has, on a page and as a picture.

    Guides are written in the page's ink, for Streamlit's own gray has a contrast of 3.7 to 1. A
    chart is read out by its alt text, and of its marks only what :func:`button` names. A canvas
    knows neither the ink nor the names, so charts of many marks are drawn as SVG too.
    """
    guide = {"labelFontSize": SMALLEST, "titleFontSize": SMALLEST, "aria": False}
    ink = {"labelColor": INK, "labelOpacity": 0.8, "titleColor": INK, "titleOpacity": 0.8}
    return alt.theme.ThemeConfig(
        config={
            "axis": {**guide, **ink},
            "legend": {**guide, "labelColor": INK, "titleColor": INK},
            "title": {"color": INK, "aria": False},
            "text": {"fontSize": SMALLEST},
            "mark": {"aria": False},
        },
        usermeta={"embedOptions": {"renderer": "svg"}},
    )


def button(spoken: str) -> dict[str, object]:
    """The settings of a mark that can be clicked: it can be reached with the keyboard, too.

    ``ui/app/chart_keys.js`` does the rest.

    Args:
        spoken: a Vega expression for what is read out of a mark, e.g. ``datum.label``.
    """
    return {
        "cursor": "pointer",
        "aria": True,
        "ariaRole": "button",
        "ariaRoleDescription": "button",
        "description": {"expr": spoken},
    }


def rows(name: str) -> alt.Chart:
    """A chart of the data set that a drawing gives by this name."""
    return alt.Chart(alt.NamedData(name))


def zero() -> alt.Chart:
    """A dashed line at zero, where a drawing gives its data set ``zero``."""
    return rows("zero").mark_rule(strokeDash=[3, 3], color=INK, opacity=0.5)


def share_axis(title: str | None, *, unit: str = "%", **settings: object) -> alt.Axis:
    """The axis of a share of attention, marked at nothing, a half and all of it."""
    return alt.Axis(
        title=title,
        format=unit,
        values=[0, 0.5, 1],
        grid=False,
        domain=False,
        labelFlush=True,
        titleFontWeight="normal",
        titlePadding=4,
        **settings,
    )


def named_rows(field: str, *, limit: int) -> alt.Y:
    """Rows whose names, of so many pixels at most, stand in the drawing's own list ``names``."""
    axis = alt.Axis(
        title=None,
        labelExpr="names[datum.value]",
        labelFontSize=13,
        labelLimit=limit,
        labelOverlap=False,
        labelPadding=8,
        ticks=False,
        domain=False,
    )
    return alt.Y(field, axis=axis)


def finish(chart: alt.Chart | alt.LayerChart) -> alt.Chart | alt.LayerChart:
    """As wide as its place, exactly as high as its drawing says; axes come on top of that."""
    return chart.properties(
        width="container",
        autosize=alt.AutoSizeParams(type="fit-x", contains="padding"),
        padding={"left": 4, "right": 4, "top": 2, "bottom": 2},
    ).configure_view(strokeWidth=0)


def full_width(chart: alt.Chart | alt.LayerChart) -> alt.Chart | alt.LayerChart:
    """As wide as its place, as high as its drawing says with axes not counted; without a frame."""
    return chart.properties(width="container").configure_view(strokeWidth=0)
