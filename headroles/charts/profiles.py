"""Offset profiles: how far back a head looks, measured beforehand; and all heads' together.

>>> drawing = reference_profile(records)  # doctest: +SKIP
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import altair as alt

from headroles.charts.base import (
    ACTIVE,
    INK,
    LIGHTEST,
    QUIET,
    STRONGEST,
    TARGET,
    button,
    finish,
    rows,
    share_axis,
)
from headroles.charts.drawing import Drawing, template
from headroles.charts.heads import head_selection


def reference_profile(records: Sequence[Mapping[str, object]]) -> Drawing:
    """A head's mean attention by distance on sentences and on random tokens, with errors.

    Args:
        records: one per distance and kind of text: distance, text (``sentences`` or ``random
            tokens``), share, low, high, chance, shown.
    """
    top = 1.05 * max(
        0.05, *(record[name] for record in records for name in ("high", "chance") if record[name])
    )
    return Drawing(_template(), {"distances": records}, 170, {"top": min(top, 1.0)})


@template
def _template() -> alt.LayerChart:
    base = rows("distances").encode(
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
    scale = alt.Scale(domain=[0, "@top"], nice=False)
    axis = share_axis("mean attention")
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
    return finish(alt.layer(bars, even, spread, control))


LOW, HIGH = 16, 24
"""Pixels of a head's row, where there are many and where there are few."""
FEW = 16
"""Most rows that are high."""


def every_profile(records: Sequence[Mapping[str, object]], *, clickable: bool = True) -> Drawing:
    """A row per head and a column per distance, shaded by its mean attention; the best is framed.

    Args:
        records: one per head and distance, in the order of the rows: row (the head's label), layer,
            head, distance, shade (0..1), number, best, shown.
        clickable: whether a click selects a head.
    """
    names = list(dict.fromkeys(record["row"] for record in records))
    distances = sorted({record["distance"] for record in records}, reverse=True)
    height = HIGH if len(names) <= FEW else LOW
    values = {"names": names, "distances": distances, "columns": len(distances)}
    shape = _every_template(clickable=clickable)
    return Drawing(shape, {"cells": records}, height * len(names), values)


@template
def _every_template(*, clickable: bool) -> alt.LayerChart:
    axis = {"ticks": False, "domain": False, "titleFontWeight": "normal", "labelAngle": 0}
    base = rows("cells").encode(
        x=alt.X(
            "distance:O",
            scale=alt.Scale(domain=["@distances"], padding=0),
            axis=alt.Axis(
                title="tokens back",
                orient="top",
                labelExpr="'−' + datum.label",
                labelOverlap=True,
                **axis,
            ),
        ),
        y=alt.Y(
            "row:N",
            sort=["@names"],
            scale=alt.Scale(padding=0),
            axis=alt.Axis(title=None, labelOverlap=False, **axis),
        ),
        tooltip=[alt.Tooltip("row:N", title="head"), alt.Tooltip("shown:N", title="attention")],
    )
    spoken = button("datum.row + ', ' + datum.shown") if clickable else {}
    cells = base.mark_rect(
        fill=ACTIVE, stroke=INK, strokeOpacity=0.12, strokeWidth=0.5, **spoken
    ).encode(
        fillOpacity=alt.FillOpacity(
            "shade:Q", scale=alt.Scale(domain=[0, 1], range=[LIGHTEST, STRONGEST]), legend=None
        )
    )
    best = base.transform_filter("datum.best").mark_rect(fillOpacity=0, stroke=INK, strokeWidth=1.8)
    numbers = base.mark_text(
        color=INK, fontSize=12, opacity={"expr": "width / columns >= 24 ? 1 : 0"}
    ).encode(text="number:N")
    layers = [cells.add_params(head_selection()) if clickable else cells, best, numbers]
    params = [alt.param(name="columns", value="@columns")]
    return finish(alt.layer(*layers).add_params(*params))
