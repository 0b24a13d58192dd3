"""A role's best head of every layer, by relative depth, in several models at once.

>>> drawing = by_depth(records, title="score", share=True)  # doctest: +SKIP
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import altair as alt

from headroles.charts.base import ACTIVE, INK, QUIET, TARGET, button, rows
from headroles.charts.drawing import Drawing, template
from headroles.charts.heads import head_selection

HEIGHT = 320
LOOKS = (
    ("circle", ACTIVE, (1, 0)),
    ("square", TARGET, (6, 3)),
    ("triangle-up", "#3f8f4f", (2, 2)),
    ("diamond", "#8a6bd1", (8, 3, 2, 3)),
    ("triangle-down", "#c2508f", (4, 4)),
    ("cross", QUIET, (1, 3)),
)
"""Shape, colour and dashes of the first model, the second …"""


def by_depth(
    records: Sequence[Mapping[str, object]], *, title: str, share: bool, clickable: bool = True
) -> Drawing:
    """A line per model with a point per layer; a filled point has the role.

    Args:
        records: from :func:`headroles.view.depth.records`; at most as many models as :data:`LOOKS`.
        title: names the scores.
        share: whether they are shares, written in percent.
        clickable: whether a click opens a head.
    """
    models = list(dict.fromkeys(record["model"] for record in records))
    looks = {model: LOOKS[place % len(LOOKS)] for place, model in enumerate(models)}
    placed = [
        {
            **record,
            "series": models.index(record["model"]),
            "shape": looks[record["model"]][0],
            "colour": looks[record["model"]][1],
        }
        for record in records
    ]
    scores = [record["score"] for record in records]
    ends = [min(0.0, *scores), max(1.0 if share else 0.0, *scores)]
    values = {"title": title, "ends": ends}
    shape = _template(len(models), share=share, clickable=clickable)
    return Drawing(shape, {"layers": placed}, HEIGHT, values)


@template
def _template(models: int, *, share: bool, clickable: bool) -> alt.LayerChart:
    base = _layers(share=share)
    lines = [
        base.transform_filter(f"datum.series == {place}").mark_line(
            color=LOOKS[place % len(LOOKS)][1],
            strokeDash=list(LOOKS[place % len(LOOKS)][2]),
            strokeWidth=1.8,
            opacity=0.8,
        )
        for place in range(models)
    ]
    zero = alt.Chart(alt.Data(values=[{"at": 0}])).mark_rule(stroke=INK, opacity=0.3)
    return (
        alt.layer(zero.encode(y="at:Q"), *lines, _points(base, clickable=clickable))
        .properties(
            width="container",
            autosize=alt.AutoSizeParams(type="fit-x", contains="padding"),
            padding={"left": 4, "right": 12, "top": 8, "bottom": 4},
        )
        .configure_view(stroke=QUIET, strokeOpacity=0.35)
    )


def _layers(*, share: bool) -> alt.Chart:
    """The best head of a layer at its depth and score."""
    axis = {"gridOpacity": 0.2, "domain": False, "labelFlush": True, "titleFontWeight": "normal"}
    return rows("layers").encode(
        x=alt.X(
            "depth:Q",
            scale=alt.Scale(domain=[-0.03, 1.03], nice=False),
            axis=alt.Axis(
                title="depth: first layer 0%, last layer 100%",
                format=".0%",
                values=[0, 0.25, 0.5, 0.75, 1],
                titlePadding=6,
                **axis,
            ),
        ),
        y=alt.Y(
            "score:Q",
            scale=alt.Scale(domain=["@ends"], nice=True),
            axis=alt.Axis(title="@title", format=".0~%" if share else "~g", tickCount=6, **axis),
        ),
        tooltip=[
            alt.Tooltip("label:N", title="best head of the layer"),
            alt.Tooltip("shown:N", title="score"),
        ],
    )


def _points(base: alt.Chart, *, clickable: bool) -> alt.Chart:
    points = base.mark_point(
        shape={"expr": "datum.shape"},
        size=80,
        fill={"expr": "datum.colour"},
        stroke={"expr": "datum.colour"},
        fillOpacity={"expr": "datum.reaches ? 0.8 : 0"},
        strokeWidth=1.8,
        opacity=1,
        **(button("datum.label + ', ' + datum.shown") if clickable else {}),
    )
    if not clickable:
        return points
    selection = head_selection()
    selection.param.select.fields = ["layer", "head", "model"]
    return points.add_params(selection)


def model_of_event(event: object) -> str | None:
    """The model of the point that was clicked; None for none.

    >>> model_of_event({"selection": {"head": [{"layer": 1, "head": 2, "model": "demo"}]}})
    'demo'
    """
    try:
        return str(event["selection"]["head"][0]["model"])  # type: ignore[index]
    except (KeyError, IndexError, TypeError):
        return None
