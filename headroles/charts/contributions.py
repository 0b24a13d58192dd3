"""What a logit is made of: the sum of its parts, layer by layer, and one head's share by token.

Blue adds and orange takes away, as on the maps of heads; each number is written out with its sign.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import altair as alt

from headroles.charts.base import (
    ACTIVE,
    INK,
    QUIET,
    TARGET,
    finish,
    full_width,
    named_rows,
    rows,
    zero,
)
from headroles.charts.drawing import ZERO, Drawing, template

ROW = 26
"""Pixels of a row."""
_SIGNED = {"expr": f"datum.against ? '{TARGET}' : '{ACTIVE}'"}


def sums(records: Sequence[Mapping[str, object]]) -> Drawing:
    """Bars one after the other, each from where the one before ended, and the sum of all.

    Args:
        records: from :func:`headroles.view.contributions.sum_records`.
    """
    values = {"names": [record["name"] for record in records], "last": len(records) - 1}
    values |= _domain([record[end] for record in records for end in ("start", "end")])
    return Drawing(_sums_template(), {"parts": records, "zero": ZERO}, ROW * len(records), values)


@template
def _sums_template() -> alt.LayerChart:
    base = rows("parts").encode(
        y=named_rows("order:O", limit=150),
        tooltip=[alt.Tooltip("name:N", title="part"), alt.Tooltip("shown:N", title="logits")],
    )
    x = alt.X("start:Q", scale=_scale(), axis=None)
    colour = f"datum.whole ? '{QUIET}' : datum.against ? '{TARGET}' : '{ACTIVE}'"
    bars = base.mark_bar(
        height=14,
        cornerRadius=2,
        fill={"expr": colour},
        stroke={"expr": colour},
        fillOpacity={"expr": "datum.whole ? 0.35 : 0.85"},
    ).encode(x=x, x2="end:Q")
    # A step down from the end of every bar to the next.
    steps = (
        base.transform_filter("datum.order < last")
        .mark_tick(orient="vertical", size=ROW, thickness=1, yOffset=ROW / 2, color=INK)
        .encode(x=alt.X("end:Q", scale=_scale(), axis=None))
    )
    words = base.mark_text(align="left", dx=6, color=INK, fontSize=12).encode(
        x=alt.X("right:Q", scale=_scale(), axis=None), text="shown:N"
    )
    at_zero = zero().encode(x=alt.X("at:Q", scale=_scale(), axis=None))
    names = alt.param(name="names", value="@names"), alt.param(name="last", value="@last")
    return finish(alt.layer(at_zero, bars, steps, words).add_params(*names))


def by_layer(records: Sequence[Mapping[str, object]]) -> Drawing:
    """Two bars per layer: its heads together, filled, and its MLP, outlined.

    Args:
        records: from :func:`headroles.view.contributions.layer_records`.
    """
    return Drawing(_layers_template(), {"layers": records, "zero": ZERO}, 180)


@template
def _layers_template() -> alt.LayerChart:
    who = {"domain": ["heads", "MLP"]}
    axis = {"domain": False, "ticks": False, "titleFontWeight": "normal"}
    base = rows("layers").encode(
        x=alt.X("layer:O", axis=alt.Axis(title="layer", labelAngle=0, labelOverlap=True, **axis)),
        xOffset=alt.XOffset("who:N", scale=alt.Scale(**who)),
        y=alt.Y(
            "value:Q",
            axis=alt.Axis(title="logits", grid=True, gridOpacity=0.25, tickCount=5, **axis),
        ),
        tooltip=[
            alt.Tooltip("layer:O"),
            alt.Tooltip("who:N", title="part"),
            alt.Tooltip("shown:N", title="logits"),
        ],
    )
    legend = alt.Legend(title=None, orient="top", symbolSize=110)
    bars = base.mark_bar(strokeWidth=1.4).encode(
        fill=alt.Fill(
            "who:N", scale=alt.Scale(**who, range=[ACTIVE, "transparent"]), legend=legend
        ),
        stroke=alt.Stroke("who:N", scale=alt.Scale(**who, range=[ACTIVE, QUIET]), legend=legend),
    )
    return full_width(alt.layer(zero().encode(y="at:Q"), bars))


def by_token(records: Sequence[Mapping[str, object]]) -> Drawing:
    """One head: how much it looked at each token, outlined, and what it wrote for it.

    Args:
        records: from :func:`headroles.view.contributions.key_records`.
    """
    values = {"names": [record["name"] for record in records]}
    values |= _domain([record["value"] for record in records])
    return Drawing(_tokens_template(), {"keys": records, "zero": ZERO}, ROW * len(records), values)


@template
def _tokens_template() -> alt.LayerChart:
    base = rows("keys").encode(
        y=named_rows("order:O", limit=150),
        tooltip=[
            alt.Tooltip("name:N", title="token"),
            alt.Tooltip("looked:N", title="of its attention"),
            alt.Tooltip("value:Q", title="wrote (logits)", format="+.2f"),
        ],
    )
    x = alt.X("value:Q", scale=_scale(), axis=None)
    bars = base.mark_bar(
        height=14, cornerRadius=2, fill=_SIGNED, stroke=_SIGNED, fillOpacity=0.85
    ).encode(x=x, x2=alt.datum(0))
    words = base.mark_text(align="right", color=INK, fontSize=12).encode(
        x=alt.value("width"), text="shown:N"
    )
    at_zero = zero().encode(x=alt.X("at:Q", scale=_scale(), axis=None))
    return finish(
        alt.layer(at_zero, bars, words).add_params(alt.param(name="names", value="@names"))
    )


def _scale() -> alt.Scale:
    return alt.Scale(domain=["@low", "@high"], nice=False, zero=False)


def _domain(values: Sequence[float]) -> dict[str, float]:
    """From the lowest to the highest value and zero, with room for a number on the right."""
    low, high = min([0.0, *values]), max([0.0, *values])
    span = (high - low) or 1.0
    return {"low": low - 0.02 * span, "high": high + 0.35 * span}
