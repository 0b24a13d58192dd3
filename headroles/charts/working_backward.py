"""The answer as heads are taken away, and a pair of heads alone and together.

A filled circle is a point where the answer is first, an open one where it is not; random orders are
a gray band around a dashed line.
"""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt

from headroles.ablation.working_backward import Curve
from headroles.charts.base import ACTIVE, INK, QUIET, TARGET, full_width, rows, zero
from headroles.charts.drawing import ZERO, Drawing, template

HEIGHT = 280
FIRST, NOT_FIRST = "answer first", "not first"


def taking_away(curve: Curve, *, measure: str, axis: str) -> Drawing:
    """The answer against the number of heads left, from all of them to none.

    Args:
        curve: the points; more may be to come.
        measure: ``log_probability`` or ``loss``.
        axis: what it is, with its unit.
    """
    found = curve.smallest if curve.is_whole else None
    points = [
        {
            "left": point.left,
            "taken": point.taken.label if point.taken else "none yet",
            "value": getattr(point.standing, measure),
            "rank": point.standing.rank,
            "says": point.says,
            "is": FIRST if point.standing.rank == 1 else NOT_FIRST,
        }
        for point in curve.points
    ]
    band = [
        {"left": at.left, "low": at.mean - at.spread, "high": at.mean + at.spread, "mean": at.mean,
         "first": f"{at.first} of {at.orders}"}
        for at in curve.band(measure)
    ]  # fmt: skip
    mark = [{"left": found.left, "text": f"{found.left} left"}] if found else []
    data = {"points": points, "band": band, "mark": mark}
    size = "46" if curve.total <= 64 else "16"  # an expression
    across = f"heads left: from all {curve.total:,} to none"
    values = {"axis": axis, "across": across, "total": curve.total, "size": size}
    return Drawing(_taking_template(), data, HEIGHT, values)


@template
def _taking_template() -> alt.LayerChart:
    x = alt.X(
        "left:Q",
        scale=alt.Scale(domain=[0, "@total"], nice=False, reverse=True),
        axis=alt.Axis(title="@across", grid=False, titleFontWeight="normal", tickCount=9),
    )
    axis = alt.Axis(title="@axis", gridOpacity=0.25, domain=False, titleFontWeight="normal")
    y = alt.Y("value:Q", scale=alt.Scale(zero=False), axis=axis)
    tips = [
        alt.Tooltip("left:Q", title="heads left"),
        alt.Tooltip("taken:N", title="went last"),
        alt.Tooltip("value:Q", title="@axis", format=".3f"),
        alt.Tooltip("rank:Q", title="rank of the answer"),
        alt.Tooltip("says:N", title="the model says"),
    ]
    of_random = [
        alt.Tooltip("left:Q", title="heads left"),
        alt.Tooltip("mean:Q", title="random orders, mean", format=".3f"),
        alt.Tooltip("first:N", title="answer first in"),
    ]
    names = alt.Scale(domain=[FIRST, NOT_FIRST], range=[ACTIVE, TARGET])
    legend = alt.Legend(title=None, orient="top", symbolSize=90)
    shape = alt.Shape(
        "is:N", scale=alt.Scale(domain=[FIRST, NOT_FIRST], range=["circle", "triangle-down"]),
        legend=legend,
    )  # fmt: skip
    base = rows("points").encode(x=x, y=y)
    band, mark = rows("band"), rows("mark")
    return full_width(
        alt.layer(
            band.mark_area(color=QUIET, opacity=0.25).encode(x=x, y=alt.Y("low:Q"), y2="high:Q"),
            band.mark_line(color=QUIET, strokeDash=[5, 4], strokeWidth=2).encode(
                x=x, y=alt.Y("mean:Q"), tooltip=of_random
            ),
            mark.mark_rule(color=INK, strokeWidth=1.5, strokeDash=[2, 2]).encode(x=x),
            mark.mark_text(
                align="right", dx=-6, baseline="top", color=INK, fontSize=12, fontWeight="bold"
            ).encode(x=x, y=alt.value(2), text="text:N"),
            base.mark_line(color=ACTIVE, strokeWidth=1.5, opacity=0.7),
            base.mark_point(filled=True, opacity=1, size={"expr": "@size"}).encode(
                color=alt.Color("is:N", scale=names, legend=legend), shape=shape, tooltip=tips
            ),
        )
    )


def pair_bars(records: Sequence[dict[str, object]], *, axis: str) -> Drawing:
    """What A, B, their sum and both together cost, as bars with the number beside each.

    Args:
        records: what, cost, shown; in order.
        axis: what a cost is, with its unit.
    """
    values = {"names": [record["what"] for record in records], "axis": axis}
    data = {"zero": ZERO, "costs": list(records)}
    return Drawing(_pair_template(), data, 30 * len(records) + 70, values)


@template
def _pair_template() -> alt.LayerChart:
    y = alt.Y(
        "what:N",
        sort=["@names"],
        axis=alt.Axis(title=None, domain=False, ticks=False, labelFontSize=12, labelLimit=220),
    )
    axis = alt.Axis(title="@axis", gridOpacity=0.25, domain=False, tickCount=5,
                    titleFontWeight="normal")  # fmt: skip
    base = rows("costs").encode(x=alt.X("cost:Q", axis=axis), y=y)
    is_sum = alt.datum.what == "sum of both"
    bars = base.mark_bar(height=16, strokeWidth=1.5, stroke=INK).encode(
        color=alt.condition(is_sum, alt.value("transparent"), alt.value(ACTIVE)),
        strokeDash=alt.condition(is_sum, alt.value([3, 3]), alt.value([1, 0])),
        tooltip=[alt.Tooltip("what:N"), alt.Tooltip("cost:Q", title="@axis", format="+.3f")],
    )
    numbers = base.mark_text(align="left", dx=6, color=INK, fontSize=12).encode(text="shown:N")
    right = numbers.transform_filter("datum.cost >= 0")
    left = numbers.mark_text(align="right", dx=-6, color=INK, fontSize=12).transform_filter(
        "datum.cost < 0"
    )
    return full_width(alt.layer(zero().encode(x="at:Q"), bars, right, left))
