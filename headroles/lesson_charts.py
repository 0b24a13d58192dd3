"""The charts of the circuit lesson and of components: bars with errors, each named in words.

Colours and marks are those of :mod:`headroles.charts`; what a colour says, a word says too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import altair as alt
import pandas as pd

from headroles.charts import ACTIVE, INK, QUIET, TARGET


def falls(records: Sequence[Mapping[str, object]], *, names: Sequence[str]) -> alt.LayerChart:
    """Three bars a head, 0 to 1, with one standard error each and a mark for chance.

    Args:
        records: head, who, value, low, high (None without an error), chance.
        names: the values of ``who`` in order: untouched, without the heads, without others.
    """
    frame = pd.DataFrame(records)
    heads = list(dict.fromkeys(frame["head"]))
    base = alt.Chart(frame).encode(
        y=alt.Y(
            "head:N",
            sort=heads,
            axis=alt.Axis(title=None, domain=False, ticks=False, labelFontSize=12),
            scale=alt.Scale(paddingInner=0.28),
        ),
        yOffset=alt.YOffset("who:N", sort=list(names)),
        tooltip=[
            alt.Tooltip("head:N", title="head"),
            alt.Tooltip("who:N", title="run"),
            alt.Tooltip("value:Q", title="activation", format=".3f"),
            alt.Tooltip("chance:Q", title="chance", format=".3f"),
        ],
    )
    x = alt.X(
        "value:Q",
        scale=alt.Scale(domain=[0, 1]),
        axis=alt.Axis(title="induction activation, 0 to 1", grid=True, gridOpacity=0.25,
                      domain=False, titleFontWeight="normal", tickCount=5),
    )  # fmt: skip
    bars = base.mark_bar(opacity=0.9, stroke=INK, strokeWidth=0.6).encode(
        x=x,
        color=alt.Color(
            "who:N",
            scale=alt.Scale(domain=list(names), range=[ACTIVE, TARGET, QUIET]),
            legend=alt.Legend(title=None, orient="top", labelLimit=400, direction="vertical"),
        ),
    )
    errors = base.mark_rule(strokeWidth=1.6, color=INK).encode(x="low:Q", x2="high:Q")
    chance = base.mark_tick(thickness=2, color=INK, opacity=0.8).encode(x="chance:Q")
    return _finish(alt.layer(bars, errors, chance), height=54 * len(heads) + 10)


def shares(records: Sequence[Mapping[str, object]]) -> alt.Chart:
    """The share of weight of every component, largest first.

    Args:
        records: component (1 the largest), share 0..1.
    """
    return _finish(
        alt.Chart(pd.DataFrame(records))
        .mark_bar(color=ACTIVE)
        .encode(
            x=alt.X("component:O", axis=alt.Axis(title="component, largest first", labelAngle=0)),
            y=alt.Y("share:Q", axis=alt.Axis(title="share of the weight", format="%",
                    gridOpacity=0.25, titleFontWeight="normal")),
            tooltip=[
                alt.Tooltip("component:O", title="component"),
                alt.Tooltip("share:Q", title="share", format=".1%"),
            ],
        ),
        height=180,
    )  # fmt: skip


def offsets(records: Sequence[Mapping[str, object]], *, names: Sequence[str]) -> alt.LayerChart:
    """What each part adds to the attention scores by how far back it looks.

    Args:
        records: offset, who, value.
        names: the values of ``who`` in order; each has a line and a mark of its own.
    """
    base = alt.Chart(pd.DataFrame(records)).encode(
        x=alt.X("offset:Q", axis=alt.Axis(title="tokens back", tickMinStep=1, grid=False)),
        y=alt.Y("value:Q", axis=alt.Axis(title="added to the score", gridOpacity=0.25,
                titleFontWeight="normal")),
        color=alt.Color("who:N", sort=list(names),
                        legend=alt.Legend(title=None, orient="top", columns=3, symbolSize=90)),
        shape=alt.Shape("who:N", sort=list(names)),
        tooltip=[
            alt.Tooltip("who:N", title="part"),
            alt.Tooltip("offset:Q", title="tokens back"),
            alt.Tooltip("value:Q", title="added", format="+.3f"),
        ],
    )  # fmt: skip
    lines, marks = base.mark_line(strokeWidth=1.6), base.mark_point(filled=True, size=60, opacity=1)
    zero = alt.Chart(pd.DataFrame([{"at": 0}])).mark_rule(strokeDash=[3, 3], color=INK, opacity=0.5)
    return _finish(alt.layer(zero.encode(y="at:Q"), lines, marks), height=280)


def _finish(chart: alt.Chart | alt.LayerChart, *, height: int) -> alt.Chart | alt.LayerChart:
    return chart.properties(width="container", height=height).configure_view(strokeWidth=0)
