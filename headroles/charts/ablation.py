"""The charts of the knock-out lab: an effect beside its control, and a profile by offset.

Colours and marks are those of :mod:`headroles.charts.base`; shape tells apart what colour does.
"""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt

from headroles.ablation import Judgement, Profile
from headroles.charts.base import ACTIVE, INK, QUIET, TARGET, full_width, rows, zero
from headroles.charts.drawing import ZERO, Drawing, template


def control_strip(
    judgement: Judgement, others: Sequence[tuple[str, float]], *, name: str, axis: str
) -> Drawing:
    """A diamond for the effect, a ring for each draw of the control, its mean and spread.

    Args:
        judgement: the effect beside the control's.
        others: (heads, effect) of each draw.
        name: what was knocked out.
        axis: what the effect is, with its unit.
    """
    low, high = judgement.mean - judgement.spread, judgement.mean + judgement.spread
    data = {
        "zero": ZERO,
        "draws": [
            {"row": "random others", "heads": heads, "effect": effect} for heads, effect in others
        ],
        "own": [{"row": "yours", "heads": name, "effect": judgement.effect}],
        "band": [{"row": "random others", "low": low, "high": high, "at": judgement.mean}],
    }
    return Drawing(_strip_template(), data, 150, {"axis": axis})


@template
def _strip_template() -> alt.LayerChart:
    y = alt.Y(
        "row:N",
        sort=["yours", "random others"],
        axis=alt.Axis(title=None, domain=False, ticks=False, labelFontSize=12),
    )
    x = alt.X("effect:Q", axis=_axis("@axis"))
    tips = [
        alt.Tooltip("heads:N", title="ablated"),
        alt.Tooltip("effect:Q", title="@axis", format="+.3f"),
    ]
    ring = {"size": 70, "stroke": QUIET, "strokeWidth": 2, "filled": False, "opacity": 0.9}
    diamond = {"shape": "diamond", "size": 190, "filled": True, "color": ACTIVE, "opacity": 1}
    middle = [alt.Tooltip("at:Q", title="mean", format="+.3f")]
    spans, means = rows("band"), rows("band")
    return full_width(
        alt.layer(
            zero().encode(x="at:Q"),
            spans.mark_rule(strokeWidth=9, color=QUIET, opacity=0.28).encode(
                x="low:Q", x2="high:Q", y=y
            ),
            rows("draws").mark_point(**ring).encode(x=x, y=y, tooltip=tips),
            means.mark_tick(thickness=3, size=30, color=INK, opacity=1).encode(
                x="at:Q", y=y, tooltip=middle
            ),
            rows("own").mark_point(**diamond).encode(x=x, y=y, tooltip=tips),
        )
    )


def offset_profile(profile: Profile, *, head: str) -> Drawing:
    """What a head carries from k tokens back, with standard errors, and random others of its layer.

    Args:
        profile: the test of a head.
        head: how it is written, e.g. ``L0H6``.
    """
    data = {"zero": ZERO, "points": _profile_records(profile, head=head)}
    return Drawing(_profile_template(), data, 260, {"head": head})


@template
def _profile_template() -> alt.LayerChart:
    names = ["@head", "random others"]
    base = rows("points").encode(
        x=alt.X(
            "offset:O",
            scale=alt.Scale(paddingInner=0.5, paddingOuter=0.2),
            axis=alt.Axis(title="tokens back (offset k)", labelAngle=0, titleFontWeight="normal"),
        ),
        xOffset=alt.XOffset("who:N", scale=alt.Scale(domain=names, paddingOuter=0.5)),
    )
    shape = alt.Shape(
        "who:N",
        scale=alt.Scale(domain=names, range=["diamond", "circle"]),
        legend=alt.Legend(title=None, orient="top", symbolSize=110),
    )
    colour = alt.Color(
        "who:N",
        scale=alt.Scale(domain=names, range=[ACTIVE, TARGET]),
        legend=alt.Legend(title=None, orient="top", symbolSize=110),
    )
    y = alt.Y("carried:Q", axis=_axis("carried (nats)"))
    bars = base.mark_rule(strokeWidth=2).encode(y=alt.Y("low:Q"), y2="high:Q", color=colour)
    marks = base.mark_point(size=120, filled=True, opacity=1).encode(
        y=y,
        color=colour,
        shape=shape,
        tooltip=[
            alt.Tooltip("who:N", title="ablated"),
            alt.Tooltip("offset:O", title="tokens back"),
            alt.Tooltip("carried:Q", title="carried (nats)", format="+.3f"),
        ],
    )  # fmt: skip
    return full_width(alt.layer(zero().encode(y="at:Q"), bars, marks))


def _profile_records(profile: Profile, *, head: str) -> list[dict[str, object]]:
    """One record per offset and series."""
    records = []
    for point in profile.points:
        parts = [(head, point.carried, point.carried_error)]
        if point.other is not None:
            parts.append(("random others", point.other, point.other_error))
        records += [
            {
                "offset": point.offset,
                "who": who,
                "carried": value,
                "low": value - error,
                "high": value + error,
            }
            for who, value, error in parts
        ]
    return records


def _axis(title: str) -> alt.Axis:
    return alt.Axis(
        title=title, grid=True, gridOpacity=0.25, domain=False, tickCount=5,
        titleFontWeight="normal",
    )  # fmt: skip
