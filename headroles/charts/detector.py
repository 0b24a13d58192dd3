"""The picture of a detection pattern.

As in :mod:`headroles.charts.heads`, a chart takes plain records and does not depend on the page's
theme.

>>> drawing = pattern_picture([(2, 1, 1.0)], ["start", "·The", "·cat"])  # doctest: +SKIP
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import altair as alt

from headroles.charts.attention import token_axis
from headroles.charts.base import QUIET, TARGET, finish, rows
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
    step = cell_step(size)
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
    values = {"tokens": shown, "places": list(range(size)), "squares": size, "pixels": step}
    return Drawing(_template(), {"cells": records}, round(step * size), values)


def cell_step(squares: int) -> float:
    """Pixels of a cell of a picture with so many of them along its side."""
    return min(30.0, SIZE / squares)


def picture_width(squares: int) -> int:
    """Pixels that make the cells square, with the labels beside them; a phone has fewer."""
    return round(cell_step(squares) * squares) + 110


@template
def _template() -> alt.LayerChart:
    base = _tokens_by_tokens()
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
    values = {
        "tokens": "@tokens",
        "squares": "@squares",
        "pixels": "@pixels",
        "first": 0,
        "block": 1,
    }
    params = [alt.param(name=name, value=value) for name, value in values.items()]
    return finish(alt.layer(empty, filled).add_params(*params))


def _tokens_by_tokens() -> alt.Chart:
    """The axes: the token that looks downwards, what it may look at across."""
    places = alt.Scale(domain=["@places"], padding=0.06)
    across = token_axis("looks at", pixels="(width / squares)")
    down = token_axis("this token", pixels="pixels")
    return rows("cells").encode(
        x=alt.X("key:O", scale=places, axis=alt.Axis(orient="top", labelAngle=-60, **across)),
        y=alt.Y("query:O", scale=places, axis=alt.Axis(**down)),
        tooltip=[
            alt.Tooltip("looks:N", title="at the token"),
            alt.Tooltip("at:N", title="the head may look at"),
            alt.Tooltip("value:Q", title="expected", format=".2~f"),
        ],
    )
