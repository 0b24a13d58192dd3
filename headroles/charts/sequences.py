"""How far back a head looks, token by token along a sequence.

>>> drawing = lane(records, marked=3, furthest=12, period=4)  # doctest: +SKIP
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import altair as alt

from headroles.charts.attention import token_axis
from headroles.charts.base import ACTIVE, INK, QUIET, TARGET, finish, rows
from headroles.charts.drawing import Drawing, template

HIGH = 132
"""Pixels of a lane."""


def lane(
    records: Sequence[Mapping[str, object]],
    *,
    marked: Sequence[int],
    furthest: int,
) -> Drawing:
    """One sequence: a point per token at the distance of its largest look.

    Args:
        records: from :func:`headroles.view.sequences.look_records`.
        marked: the distances that get a line: the typical one, and it in earlier copies.
        furthest: the largest distance of the scale, the same for all lanes.
    """
    first = records[0]["place"]
    values = {
        "tokens": [record["token"] for record in records],
        "places": [record["place"] for record in records],
        "first": first,
        "count": len(records),
        "top": furthest + 0.6,
    }
    lines = [{"at": distance} for distance in marked if distance <= furthest]
    return Drawing(_lane_template(), {"looks": records, "marked": lines}, HIGH, values)


@template
def _lane_template() -> alt.LayerChart:
    scale = alt.Scale(domain=[-0.6, "@top"], nice=False)
    across = token_axis("", pixels="(width / count)")
    axis = alt.Axis(
        title="tokens back", titleFontWeight="normal", grid=True, gridOpacity=0.15, domain=False,
        ticks=False, format="d", tickMinStep=1, tickCount=5,
    )  # fmt: skip
    up = alt.Y("distance:Q", scale=scale, axis=axis)
    base = rows("looks").encode(
        x=alt.X(
            "place:O",
            scale=alt.Scale(domain=["@places"]),
            axis=alt.Axis(labelAngle=-60, **across),
        ),
        tooltip=[
            alt.Tooltip("token:N", title="token"),
            alt.Tooltip("shown:N", title="largest look"),
        ],
    )
    lines = (
        rows("marked")
        .mark_rule(stroke=TARGET, strokeWidth=1.6, strokeDash=[5, 3])
        .encode(y=alt.Y("at:Q", scale=scale, axis=axis))
    )
    points = (
        base.transform_filter("isValid(datum.distance)")
        .mark_point(
            fill={"expr": f"datum.counted ? '{ACTIVE}' : 'transparent'"},
            stroke={"expr": f"datum.counted ? '{ACTIVE}' : '{QUIET}'"},
            size={"expr": "25 + 130 * datum.attention"},
            strokeWidth=1.4,
            fillOpacity=0.75,
            opacity=1,
        )
        .encode(y=up)
    )
    nowhere = (
        base.transform_filter("!isValid(datum.distance)")
        .mark_text(text="·", color=INK, fontSize=14)
        .encode(y=alt.value({"expr": "height"}))
    )
    params = [
        alt.param(name="tokens", value="@tokens"),
        alt.param(name="first", value="@first"),
        alt.param(name="block", value=1),
        alt.param(name="count", value="@count"),
    ]
    return finish(alt.layer(lines, points, nowhere).add_params(*params))
