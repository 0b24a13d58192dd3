"""Charts of the detector lab: a detection pattern as a picture, and every head's score.

As in :mod:`headroles.charts`, whose colours they share, a chart takes plain records and never knows
the page's theme.

>>> chart = pattern_picture([(2, 1, 1.0)], ["start", "·The", "·cat"])  # doctest: +SKIP
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import altair as alt
import pandas as pd

from headroles.charts.heads import ACTIVE, INK, QUIET, TARGET, _clickable, _finish, layers_by_heads
from headroles.types import Head

MOST = 40
"""Most tokens of a pattern's picture; a longer prompt shows its first ones."""
SIZE = 400
"""Pixels of its side, at most."""


def pattern_picture(
    cells: Iterable[tuple[int, int, float]], labels: Sequence[str]
) -> alt.LayerChart:
    """The cells that a pattern predicts, over the tokens of a prompt.

    Args:
        cells: (query, key, value) of every cell that is not 0.
        labels: [pos] the tokens as short text; at most :data:`MOST` are drawn.
    """
    shown = list(labels[:MOST])
    size = len(shown)
    step = min(30.0, SIZE / size)
    wanted = {(query, key): value for query, key, value in cells if query < size}
    frame = pd.DataFrame(
        [
            {"query": q, "key": k, "value": wanted.get((q, k), 0.0)}
            for q in range(size)
            for k in range(q + 1)
        ]
    )
    frame["looks"] = [shown[q] for q in frame["query"]]
    frame["at"] = [shown[k] for k in frame["key"]]
    names = alt.param(name="tokens", value=shown)
    axis = {
        "labelExpr": "tokens[datum.value]",
        "labelLimit": 90,
        "ticks": False,
        "domain": False,
        "titleFontWeight": "normal",
        "labelOverlap": step < 11,
        "labelFontSize": 11,
    }
    above = {"orient": "top", "labelAngle": -60, "labelAlign": "left"}
    places = alt.Scale(domain=list(range(size)), padding=0.06)
    base = alt.Chart(frame).encode(
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
    side = round(step * size)
    return (
        alt.layer(empty, filled)
        .add_params(names)
        .properties(
            width=side,
            height=side,
            padding={"left": 4, "right": 4, "top": 4, "bottom": 4},
        )
        .configure_view(strokeWidth=0)
    )


def score_map(
    records: Sequence[Mapping[str, object]],
    *,
    domain: tuple[float, float],
    opened: Head | None = None,
) -> alt.LayerChart:
    """Every head, layer by head, shaded by its score; clickable.

    Args:
        records: one a head: layer, head, label, value (None without one), mark (what stands in
            the cell), top (whether it is among the best), shown.
        domain: the scores that are drawn lightest and darkest.
        opened: the head that is looked at; its cell is framed.
    """
    frame = pd.DataFrame(records)
    frame["open"] = [opened == Head(r["layer"], r["head"]) for r in records]
    wide = int(frame["head"].max()) + 1
    roomy = wide <= 16
    row = 32 if roomy else 16
    base = layers_by_heads(frame)
    cells = (
        base.mark_rect(
            fill={"expr": f"isValid(datum.value) ? '{ACTIVE}' : 'transparent'"},
            stroke=INK,
            strokeOpacity={"expr": "datum.open ? 1 : isValid(datum.value) ? 0.15 : 0.4"},
            strokeWidth={"expr": "datum.open ? 3 : 1"},
            strokeDash={"expr": "isValid(datum.value) ? [1, 0] : [3, 3]"},
            cursor="pointer",
        )
        .encode(
            fillOpacity=alt.FillOpacity(
                "value:Q",
                scale=alt.Scale(domain=list(domain), range=[0.03, 1], clamp=True),
                legend=None,
            ),
            tooltip=[
                alt.Tooltip("label:N", title="head"),
                alt.Tooltip("shown:N", title="score"),
            ],
        )
        .add_params(_clickable())
    )
    layers = [cells]
    if roomy:
        layers.append(
            base.mark_text(
                color=INK,
                fontSize=11,
                fontWeight={"expr": "datum.top ? 700 : 400"},
                opacity={"expr": "isValid(datum.value) ? 1 : 0.7"},
            ).encode(text="mark:N")
        )
    layers.append(
        base.transform_filter("datum.top").mark_point(
            shape="circle",
            size=0.38 * row**2 if not roomy else 0.75 * row**2,
            stroke=INK,
            strokeWidth=1.6,
            filled=False,
        )
    )
    return _finish(alt.layer(*layers), height=row * frame["layer"].nunique())
