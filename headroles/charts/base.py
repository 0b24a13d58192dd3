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

# The look is the page's or the picture's: without this Altair adds sizes of its own.
alt.theme.enable("none")


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
        titleFontSize=11,
        labelFontSize=11,
        titlePadding=4,
        **settings,
    )


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
