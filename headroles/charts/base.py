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
        titleFontSize=11,
        labelFontSize=11,
        titlePadding=4,
        **settings,
    )


def finish(chart: alt.LayerChart, *, height: int) -> alt.LayerChart:
    """As wide as its place, exactly ``height`` pixels of rows; axes come on top of that."""
    return chart.properties(
        width="container",
        height=height,
        autosize=alt.AutoSizeParams(type="fit-x", contains="padding"),
        padding={"left": 4, "right": 4, "top": 2, "bottom": 2},
    ).configure_view(strokeWidth=0)


def full_width(chart: alt.Chart | alt.LayerChart, *, height: int) -> alt.Chart | alt.LayerChart:
    """As wide as its place and ``height`` pixels high, axes not counted; without a frame."""
    return chart.properties(width="container", height=height).configure_view(strokeWidth=0)
