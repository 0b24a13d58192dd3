"""Which layers rest on a prompt: one column per layer, as high as it has heads.

>>> chart = layer_columns(records, heads=9)  # doctest: +SKIP
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import altair as alt

from headroles.charts.base import ACTIVE, INK, QUIET, button, finish, rows
from headroles.charts.drawing import Drawing, template
from headroles.charts.heads import head_selection

HEIGHT = 96
"""Pixels of a column."""
FEW = 12
"""Up to so many layers a column has room for its number."""


def layer_columns(records: Sequence[Mapping[str, object]], *, heads: int) -> Drawing:
    """Filled as far as its heads rest, then outlined as far as they look at the first token all the
    same; a click on a column names one head of the layer.

    Args:
        records: one per layer: layer, head, label, rests, looks, shown.
        heads: per layer.
    """
    numbers = len(records) <= FEW
    values = {"heads": heads, "ticks": [0, heads], "top": heads * (1.2 if numbers else 1)}
    return Drawing(_template(numbers=numbers), {"layers": records}, HEIGHT, values)


@template
def _template(*, numbers: bool) -> alt.LayerChart:
    axis = {"ticks": False, "domain": False, "grid": False, "titleFontWeight": "normal"}
    base = rows("layers").encode(
        x=alt.X(
            "layer:O",
            scale=alt.Scale(paddingInner=0.2, paddingOuter=0.1),
            axis=alt.Axis(title="layer", labelAngle=0, labelOverlap=True, **axis),
        )
    )
    scale = alt.Scale(domain=[0, "@top"], nice=False)
    y = alt.Axis(title="heads at rest", values=["@ticks"], format="d", **axis)
    track = base.mark_bar(fill=QUIET, fillOpacity=0.14).encode(
        y=alt.YDatum(0, scale=scale, axis=y), y2=alt.datum("@heads")
    )
    rest = base.mark_bar(fill=ACTIVE).encode(
        y=alt.Y("rests:Q", scale=scale, axis=y), y2=alt.datum(0)
    )
    look = (
        base.transform_filter("datum.looks > datum.rests")
        .mark_bar(fillOpacity=0, stroke=ACTIVE, strokeWidth=1.2, strokeDash=[3, 2])
        .encode(y=alt.Y("looks:Q", scale=scale), y2="rests:Q")
    )
    hit = (
        base.mark_bar(
            fillOpacity=0,
            width=alt.RelativeBandSize(1.25),
            **button("'Layer ' + datum.layer + ', ' + datum.shown + '. Opens ' + datum.label"),
        )
        .encode(
            y=alt.YDatum(0, scale=scale),
            y2=alt.datum("@heads"),
            tooltip=[
                alt.Tooltip("layer:O", title="layer"),
                alt.Tooltip("shown:N", title="on this prompt"),
                alt.Tooltip("label:N", title="a click opens"),
            ],
        )
        .add_params(head_selection())
    )
    words = base.mark_text(baseline="bottom", dy=-2, color=INK, fontSize=12).encode(
        y=alt.YDatum("@heads", scale=scale), text="rests:Q"
    )
    return finish(alt.layer(track, rest, look, *([words] if numbers else []), hit))
