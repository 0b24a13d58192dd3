"""From what kind of token to what kind: a square per pair, shaded by the attention of one head."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import altair as alt

from headroles.charts.base import ACTIVE, INK, STRONGEST, finish, rows
from headroles.charts.drawing import Drawing, template

ROW = 24
"""Pixels of a row."""


def kind_map(records: Sequence[Mapping[str, object]], *, title: str) -> Drawing:
    """A cell per pair of kinds.

    Args:
        records: query, key (their names), shade (0..1), number, framed, shown.
        title: names the values.
    """
    queries = list(dict.fromkeys(record["query"] for record in records))
    keys = list(dict.fromkeys(record["key"] for record in records))
    values = {"title": title, "queries": queries, "keys": keys, "columns": len(keys)}
    return Drawing(_template(), {"cells": records}, ROW * len(queries), values)


@template
def _template() -> alt.LayerChart:
    axis = {"ticks": False, "domain": False, "titleFontWeight": "normal", "labelLimit": 110}
    base = rows("cells").encode(
        x=alt.X(
            "key:N",
            sort=["@keys"],
            scale=alt.Scale(padding=0),
            axis=alt.Axis(
                orient="top", labelAngle=-90, labelOverlap=False, title="is looked at", **axis
            ),
        ),
        y=alt.Y(
            "query:N",
            sort=["@queries"],
            scale=alt.Scale(padding=0),
            axis=alt.Axis(title="looks", **axis),
        ),
        tooltip=[alt.Tooltip("shown:N", title="@title")],
    )
    cells = base.mark_rect(fill=ACTIVE, stroke=INK, strokeOpacity=0.15, strokeWidth=0.5).encode(
        fillOpacity=alt.FillOpacity(
            "shade:Q", scale=alt.Scale(domain=[0, 1], range=[0.02, STRONGEST]), legend=None
        )
    )
    frames = base.transform_filter("datum.framed").mark_rect(fill=None, stroke=INK, strokeWidth=2)
    texts = base.mark_text(
        color=INK, fontSize=12, opacity={"expr": "width / columns >= 22 ? 1 : 0"}
    ).encode(text="number:N")
    params = [alt.param(name="columns", value="@columns")]
    return finish(alt.layer(cells, frames, texts).add_params(*params)).properties(
        padding={"left": 4, "right": 4, "top": 16, "bottom": 2}
    )
