"""The picture of a detection pattern.

As in :mod:`headroles.charts.heads`, a chart takes plain records and does not depend on the page's
theme.

>>> drawing = pattern_picture([(2, 1, 1.0)], ["start", "·The", "·cat"])  # doctest: +SKIP
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import altair as alt

from headroles.charts.base import QUIET, TARGET, rows
from headroles.charts.drawing import Drawing, template

MOST = 40
"""Most tokens of a pattern's picture; a longer prompt shows its first ones."""
SIZE = 400
"""Pixels of its side, at most."""


def pattern_picture(cells: Iterable[tuple[int, int, float]], labels: Sequence[str]) -> Drawing:
    """The cells that a pattern predicts, over the tokens of a prompt.

    Args:
        cells: (query, key, value) of every cell that is not 0.
        labels: [pos] the tokens as short text; at most :data:`MOST` are drawn.
    """
    shown = list(labels[:MOST])
    size = len(shown)
    step = min(30.0, SIZE / size)
    wanted = {(query, key): value for query, key, value in cells if query < size}
    records = [
        {
            "query": q,
            "key": k,
            "value": wanted.get((q, k), 0.0),
            "looks": shown[q],
            "at": shown[k],
        }
        for q in range(size)
        for k in range(q + 1)
    ]
    side = round(step * size)
    values = {"tokens": shown, "places": list(range(size))}
    return Drawing(
        _template(crowded=step < 11), {"cells": records}, side, values=values, width=side
    )


@template
def _template(*, crowded: bool) -> alt.LayerChart:
    base = _tokens_by_tokens(crowded=crowded)
    empty = base.mark_rect(fill=QUIET, fillOpacity=0.1)
    filled = (
        base.transform_filter("datum.value > 0")
        .mark_rect(fill=TARGET, stroke=TARGET, strokeWidth=1)
        .encode(
            fillOpacity=alt.FillOpacity(
                "value:Q", scale=alt.Scale(domain=[0, 1], range=[0.1, 1]), legend=None
            )
        )
    )
    return (
        alt.layer(empty, filled)
        .add_params(alt.param(name="tokens", value="@tokens"))
        .properties(padding={"left": 4, "right": 4, "top": 4, "bottom": 4})
        .configure_view(strokeWidth=0)
    )


def _tokens_by_tokens(*, crowded: bool) -> alt.Chart:
    """The axes: the token that looks downwards, what it may look at across."""
    axis = {
        "labelExpr": "tokens[datum.value]",
        "labelLimit": 90,
        "ticks": False,
        "domain": False,
        "titleFontWeight": "normal",
        "labelOverlap": crowded,
        "labelFontSize": 11,
    }
    above = {"orient": "top", "labelAngle": -60, "labelAlign": "left"}
    places = alt.Scale(domain=["@places"], padding=0.06)
    return rows("cells").encode(
        x=alt.X(
            "key:O",
            scale=places,
            axis=alt.Axis(title="looks at", **above, **axis),
        ),
        y=alt.Y("query:O", scale=places, axis=alt.Axis(title="this token", **axis)),
        tooltip=[
            alt.Tooltip("looks:N", title="at the token"),
            alt.Tooltip("at:N", title="the head may look at"),
            alt.Tooltip("value:Q", title="expected", format=".2~f"),
        ],
    )
