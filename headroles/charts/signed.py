"""Charts of the extended roles: maps of signed scores, and reference offset profiles.

A sign is told by a word and by the number's own sign; the two colours of the project (blue for,
orange against) only repeat it.

>>> chart = signed_map(records, limit=1.0, title="direct effect")  # doctest: +SKIP
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import altair as alt
import pandas as pd

from headroles import formatting
from headroles.charts.heads import (
    ACTIVE,
    INK,
    QUIET,
    TARGET,
    _clickable,
    _finish,
    _share_axis,
    has_numbers,
    layers_by_heads,
    marks,
)
from headroles.types import Head

FINE = 0.5
"""A map whose largest size is below this shows two decimals."""


def signed_map(
    records: Sequence[Mapping[str, object]],
    *,
    limit: float,
    title: str,
    percent: bool = False,
    opened: Head | None = None,
    clickable: bool = True,
) -> alt.LayerChart:
    """Every head of the model, layer by head, shaded by the size of a number that has a sign.

    Args:
        records: one a head: layer, head, label, value, listed, shown.
        limit: the size that gets the full shade.
        title: names the values.
        percent: whether the cells show whole percent instead of decimals.
        opened: the head that is looked at; its cell is framed.
        clickable: whether a click selects a head.
    """
    frame = pd.DataFrame(records)
    frame["open"] = [opened == Head(r["layer"], r["head"]) for r in records]
    frame["shade"] = [min(abs(float(r["value"])) / limit, 1.0) for r in records]
    digits = 0 if percent else 2 if limit < FINE else 1
    factor = 100 if percent else 1
    frame["number"] = [_number(factor * float(r["value"]), digits) for r in records]
    roomy = has_numbers(records)
    row = 32 if roomy else 16
    base = layers_by_heads(frame)
    cells = (
        base.mark_rect(
            fill={"expr": f"datum.value < 0 ? '{TARGET}' : '{ACTIVE}'"},
            stroke=INK,
            strokeOpacity={"expr": "datum.open ? 1 : 0.15"},
            strokeWidth={"expr": "datum.open ? 3 : 1"},
            cursor="pointer" if clickable else "default",
        )
        .encode(
            fillOpacity=alt.FillOpacity(
                "shade:Q", scale=alt.Scale(domain=[0, 1], range=[0.03, 1]), legend=None
            ),
            tooltip=[
                alt.Tooltip("label:N", title="head"),
                alt.Tooltip("shown:N", title=title),
            ],
        )
        .add_params(*([_clickable()] if clickable else []))
    )
    layers = [cells, *marks(base, row=row, roomy=roomy)]
    if roomy:
        layers.append(base.mark_text(color=INK, fontSize=10).encode(text="number:N"))
    return _finish(alt.layer(*layers), height=row * frame["layer"].nunique())


def _number(value: float, digits: int) -> str:
    """A number with its sign; what rounds to nothing has none.

    >>> _number(-0.26, 1), _number(0.01, 1), _number(0.01, 2), _number(-26.0, 0)
    ('−0.3', '0', '+0.01', '−26')
    """
    text = formatting.signed(value, digits=digits)
    return text if text[0] in "+−" else "0"


def reference_profile(records: Sequence[Mapping[str, object]]) -> alt.LayerChart:
    """A head's mean attention by distance on sentences and on random tokens, with errors.

    Args:
        records: one a distance and kind of text: distance, text (``sentences`` or ``random
            tokens``), share, low, high, chance, shown.
    """
    frame = pd.DataFrame(records)
    top = max(float(frame["high"].max()), float(frame["chance"].max()), 0.05) * 1.05
    base = alt.Chart(frame).encode(
        x=alt.X(
            "distance:O",
            sort="descending",
            axis=alt.Axis(
                title="tokens back",
                labelExpr="'−' + datum.label",
                labelAngle=0,
                ticks=False,
                domain=False,
                titleFontWeight="normal",
                labelOverlap=True,
            ),
        )
    )
    scale = alt.Scale(domain=[0, min(top, 1.0)], nice=False)
    axis = _share_axis("mean attention")
    axis.values = alt.Undefined
    axis.tickCount = 4
    sentences = base.transform_filter("datum.text == 'sentences'")
    random = base.transform_filter("datum.text == 'random tokens'")
    bars = sentences.mark_bar(color=ACTIVE, opacity=0.75).encode(
        y=alt.Y("share:Q", scale=scale, axis=axis),
        tooltip=[alt.Tooltip("distance:O", title="tokens back"), alt.Tooltip("shown:N")],
    )
    spread = sentences.mark_rule(stroke=INK, strokeWidth=1.4).encode(y="low:Q", y2="high:Q")
    control = random.mark_point(
        shape="diamond", size=55, stroke=TARGET, strokeWidth=2, filled=False, opacity=1
    ).encode(y="share:Q", tooltip=[alt.Tooltip("shown:N", title="random tokens")])
    even = sentences.mark_tick(color=QUIET, thickness=3, opacity=1).encode(y="chance:Q")
    return _finish(alt.layer(bars, even, spread, control), height=170)
