"""The reference offset profile of a head: how far back it looks, measured beforehand.

>>> chart = reference_profile(records)  # doctest: +SKIP
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import altair as alt
import pandas as pd

from headroles.charts.base import ACTIVE, INK, QUIET, TARGET, finish, share_axis


def reference_profile(records: Sequence[Mapping[str, object]]) -> alt.LayerChart:
    """A head's mean attention by distance on sentences and on random tokens, with errors.

    Args:
        records: one per distance and kind of text: distance, text (``sentences`` or ``random
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
    return finish(alt.layer(bars, even, spread, control), height=170)
