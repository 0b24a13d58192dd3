"""Charts of the Circuits page: positional scores, and composition between heads.

Colours are those of :mod:`headroles.charts`; the number behind a shade is always printed or in the
tooltip.

>>> chart = offset_scores([0.1, 2.3, 0.4])  # doctest: +SKIP
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import altair as alt
import pandas as pd

from headroles.charts.base import ACTIVE, INK, QUIET, TARGET


def offset_scores(values: Sequence[float]) -> alt.Chart:
    """One strip of squares: the score that distance alone gives, from 0 to len - 1 tokens back."""
    frame = pd.DataFrame({"offset": range(len(values)), "score": [round(v, 3) for v in values]})
    return _strip(frame, alt.X("offset:O", axis=_axis("tokens back (0 is the token itself)")), 46)


def position_scores(scores: Sequence[Sequence[float]]) -> alt.Chart:
    """A triangle of squares: the score of each query position for each earlier key position."""
    frame = pd.DataFrame(
        [
            {"query": query, "key": key, "score": round(row[key], 3)}
            for query, row in enumerate(scores)
            for key in range(query + 1)
        ]
    )
    chart = _strip(frame, alt.X("key:O", axis=_axis("key position")), 340)
    return chart.encode(y=alt.Y("query:O", axis=_axis("query position")))


def _axis(title: str) -> alt.Axis:
    return alt.Axis(title=title, labelAngle=0, labelOverlap=True, ticks=False, domain=False)


def _strip(frame: pd.DataFrame, x: alt.X, height: int) -> alt.Chart:
    low, high = float(frame["score"].min()), float(frame["score"].max())
    span = (high - low) or 1.0
    return (
        alt.Chart(frame)
        .transform_calculate(shade=f"pow((datum.score - ({low})) / {span}, 2)")
        .mark_rect(fill=ACTIVE, stroke=QUIET, strokeOpacity=0.25, strokeWidth=0.5)
        .encode(
            x=x,
            fillOpacity=alt.FillOpacity(
                "shade:Q", scale=alt.Scale(domain=[0, 1], range=[0.02, 1]), legend=None
            ),
            tooltip=[
                *[alt.Tooltip(f"{name}:O") for name in ("offset", "query", "key") if name in frame],
                alt.Tooltip("score:Q", format=".2f"),
            ],
        )
        .properties(**_size(height))
        .configure_view(strokeWidth=0)
    )


def _size(height: int) -> dict[str, object]:
    """As wide as its place, exactly ``height`` pixels of squares; axes come on top of that."""
    return {
        "width": "container",
        "height": height,
        "autosize": alt.AutoSizeParams(type="fit-x", contains="padding"),
        "padding": {"left": 4, "right": 4, "top": 2, "bottom": 2},
    }


def composition_map(records: Sequence[Mapping[str, object]], *, unit: str) -> alt.LayerChart:
    """One square per pair of heads; the strongest pairs have a frame and their number.

    Args:
        records: one per pair: earlier, later (labels), value, hundredths, top (whether
            it is among the strongest).
        unit: what the number is, for the tooltip.
    """
    frame = pd.DataFrame(records)
    order = list(dict.fromkeys(frame["earlier"])), list(dict.fromkeys(frame["later"]))
    high = max(float(frame["value"].max()), 1e-6)
    low = max(float(frame["value"].min()), 0.0)
    side = max(16, min(26, 560 // max(len(order[0]), 1)))
    base = alt.Chart(frame).encode(
        x=alt.X("later:N", sort=order[1], axis=_side("later head: reads", -90)),
        y=alt.Y("earlier:N", sort=order[0], axis=_side("earlier head: writes", 0)),
        tooltip=[
            alt.Tooltip("earlier:N", title="writes"),
            alt.Tooltip("later:N", title="reads"),
            alt.Tooltip("value:Q", title=unit, format=".3f"),
        ],
    )
    squares = base.mark_rect(
        fill=ACTIVE,
        stroke={"expr": f"datum.top ? '{TARGET}' : '{QUIET}'"},
        strokeWidth={"expr": "datum.top ? 2.5 : 0.4"},
    ).encode(
        fillOpacity=alt.FillOpacity(
            "value:Q",
            scale=alt.Scale(domain=[low, high], range=[0.02, 1], clamp=True),
            legend=None,
        )
    )
    numbers = (
        base.transform_filter("datum.top")
        .mark_text(fontSize=9, fontWeight=700, color=INK)
        .encode(text=alt.Text("hundredths:Q", format=".0f"))
    )
    return (
        alt.layer(squares, numbers)
        .properties(**_size(side * len(order[0])))
        .configure_view(strokeWidth=0)
    )


def _side(title: str, angle: int) -> alt.Axis:
    return alt.Axis(title=title, labelAngle=angle, labelOverlap=False, ticks=False, domain=False)
