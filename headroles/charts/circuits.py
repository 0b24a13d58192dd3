"""Charts of the Circuits page: positional scores, and composition between heads.

Colours are those of :mod:`headroles.charts.base`; the number behind a shade is always printed or in
the tooltip.

>>> drawing = offset_scores([0.1, 2.3, 0.4])  # doctest: +SKIP
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import altair as alt

from headroles.charts.base import ACTIVE, INK, QUIET, STRONGEST, TARGET, finish, rows
from headroles.charts.drawing import Drawing, template


def offset_scores(values: Sequence[float]) -> Drawing:
    """One strip of squares: the score that distance alone gives, from 0 to len - 1 tokens back."""
    records = [{"offset": n, "score": round(value, 3)} for n, value in enumerate(values)]
    return Drawing(_strip_template(), {"scores": _shaded(records)}, 46)


def position_scores(scores: Sequence[Sequence[float]]) -> Drawing:
    """A triangle of squares: the score of each query position for each earlier key position."""
    records = [
        {"query": query, "key": key, "score": round(float(row[key]), 3)}
        for query, row in enumerate(scores)
        for key in range(query + 1)
    ]
    return Drawing(_triangle_template(), {"scores": _shaded(records)}, 340)


def _shaded(records: Sequence[Mapping[str, object]]) -> list[dict[str, object]]:
    """The same with a shade from 0, the lowest score, to 1, the highest."""
    scores = [record["score"] for record in records]
    low, span = min(scores), (max(scores) - min(scores)) or 1.0
    return [{**record, "shade": ((record["score"] - low) / span) ** 2} for record in records]


@template
def _strip_template() -> alt.Chart:
    x = alt.X("offset:O", axis=_axis("tokens back (0 is the token itself)"))
    return _squares("offset").encode(x=x)


@template
def _triangle_template() -> alt.Chart:
    x = alt.X("key:O", axis=_axis("key position"))
    y = alt.Y("query:O", axis=_axis("query position"))
    return _squares("query", "key").encode(x=x, y=y)


def _axis(title: str) -> alt.Axis:
    return alt.Axis(title=title, labelAngle=0, labelOverlap=True, ticks=False, domain=False)


def _squares(*places: str) -> alt.Chart:
    """A square per score; ``places`` are the fields that say where it stands."""
    chart = (
        rows("scores")
        .mark_rect(fill=ACTIVE, stroke=QUIET, strokeOpacity=0.25, strokeWidth=0.5)
        .encode(
            fillOpacity=alt.FillOpacity(
                "shade:Q", scale=alt.Scale(domain=[0, 1], range=[0.02, STRONGEST]), legend=None
            ),
            tooltip=[
                *[alt.Tooltip(f"{name}:O") for name in places],
                alt.Tooltip("score:Q", format=".2f"),
            ],
        )
    )
    return finish(chart)


def composition_map(records: Sequence[Mapping[str, object]], *, unit: str) -> Drawing:
    """One square per pair of heads; the strongest pairs have a frame and their number.

    Args:
        records: one per pair: earlier, later (labels), value, hundredths, top (whether
            it is among the strongest).
        unit: what the number is, for the tooltip.
    """
    earlier = list(dict.fromkeys(record["earlier"] for record in records))
    numbers = [float(record["value"]) for record in records]
    values = {
        "unit": unit,
        "earlier": earlier,
        "later": list(dict.fromkeys(record["later"] for record in records)),
        "low": max(min(numbers), 0.0),
        "high": max(*numbers, 1e-6),
    }
    side = max(16, min(26, 560 // max(len(earlier), 1)))
    return Drawing(_composition_template(), {"pairs": records}, side * len(earlier), values)


@template
def _composition_template() -> alt.LayerChart:
    base = rows("pairs").encode(
        x=alt.X("later:N", sort=["@later"], axis=_side("later head: reads", -90)),
        y=alt.Y("earlier:N", sort=["@earlier"], axis=_side("earlier head: writes", 0)),
        tooltip=[
            alt.Tooltip("earlier:N", title="writes"),
            alt.Tooltip("later:N", title="reads"),
            alt.Tooltip("value:Q", title="@unit", format=".3f"),
        ],
    )
    squares = base.mark_rect(
        fill=ACTIVE,
        stroke={"expr": f"datum.top ? '{TARGET}' : '{QUIET}'"},
        strokeWidth={"expr": "datum.top ? 2.5 : 0.4"},
    ).encode(
        fillOpacity=alt.FillOpacity(
            "value:Q",
            scale=alt.Scale(domain=["@low", "@high"], range=[0.02, STRONGEST], clamp=True),
            legend=None,
        )
    )
    numbers = (
        base.transform_filter("datum.top")
        .mark_text(fontSize=12, fontWeight=700, color=INK)
        .encode(text=alt.Text("hundredths:Q", format=".0f"))
    )
    return finish(alt.layer(squares, numbers))


def _side(title: str, angle: int) -> alt.Axis:
    return alt.Axis(title=title, labelAngle=angle, labelOverlap=False, ticks=False, domain=False)
