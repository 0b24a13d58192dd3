"""The picture of a detection pattern, and the scores of many prompts.

As in :mod:`headroles.charts.heads`, a chart takes plain records and does not depend on the page's
theme.

>>> drawing = pattern_picture([(2, 1, 1.0)], ["start", "·The", "·cat"])  # doctest: +SKIP
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import altair as alt

from headroles.charts.attention import token_axis
from headroles.charts.base import ACTIVE, INK, QUIET, TARGET, finish, rows
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


def score_histogram(
    records: Sequence[Mapping[str, object]], *, chance: float | None, title: str
) -> Drawing:
    """How many prompts have which score; the thick tick is chance, as on every scale.

    Args:
        records: one per bar: from, to, prompts, shown.
        chance: an even spread's score, on average; None draws no tick.
        title: names the scores.
    """
    ends = [records[0]["from"], records[-1]["to"]]
    data = {"bars": records} | ({} if chance is None else {"chance": [{"at": chance}]})
    return Drawing(
        _histogram_template(chance=chance is not None), data, 130, {"title": title, "ends": ends}
    )


@template
def _histogram_template(*, chance: bool) -> alt.LayerChart:
    axis = {"grid": False, "domain": False, "titleFontWeight": "normal"}
    scale = alt.Scale(domain=["@ends"], nice=False)
    bars = (
        rows("bars")
        .mark_bar(color=ACTIVE, opacity=0.8, binSpacing=1)
        .encode(
            x=alt.X("from:Q", bin="binned", scale=scale, axis=alt.Axis(title="@title", **axis)),
            x2="to:Q",
            y=alt.Y("prompts:Q", axis=alt.Axis(title="prompts", tickMinStep=1, **axis)),
            tooltip=[alt.Tooltip("shown:N", title="score")],
        )
    )
    tick = rows("chance").mark_rule(stroke=INK, strokeWidth=3.5)
    low = {"y": alt.value({"expr": "height - 22"}), "y2": alt.value("height")}
    return finish(
        alt.layer(bars, *([tick.encode(x=alt.X("at:Q", scale=scale), **low)] if chance else []))
    )
