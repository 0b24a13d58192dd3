"""The reference offset profile of a head: how far back it looks, measured beforehand.

>>> drawing = reference_profile(records)  # doctest: +SKIP
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import altair as alt

from headroles.charts.base import ACTIVE, INK, QUIET, TARGET, finish, rows, share_axis
from headroles.charts.drawing import Drawing, template


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
