"""The scores of all heads in one role on one line, with the threshold and chance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import altair as alt

from headroles.charts.base import (
    ACTIVE,
    INK,
    QUIET,
    finish,
    rows,
    share_axis,
)
from headroles.charts.drawing import Drawing, template
from headroles.charts.heads import share_title
from headroles.roles import Role

MARK = 0.025
"""Of the scale: two marks of a distribution that are nearer than this stand at two heights."""


def stacked(values: Sequence[float]) -> list[int]:
    """The height of every mark of a distribution: the lowest at which it covers no other.

    >>> stacked([0.013, 0.5, 0.011, 0.04])
    [1, 0, 0, 0]
    """
    heights = [0] * len(values)
    last: list[float] = []  # the rightmost mark at each height
    for place in sorted(range(len(values)), key=values.__getitem__):
        value = values[place]
        free = (height for height, mark in enumerate(last) if value - mark >= MARK)
        heights[place] = next(free, len(last))
        last[heights[place] : heights[place] + 1] = [value]
    return heights


def score_distribution(
    records: Sequence[Mapping[str, object]],
    role: Role,
    *,
    threshold: float | None,
    chance: float | None,
) -> Drawing:
    """One mark per head at its score from 0 to 1, near ones stacked, with threshold and chance.

    Args:
        records: one per head: label, value, active, listed, shown.
        role: names the axis.
        threshold: 0..1, the dashed line; None draws none.
        chance: 0..1, the thick tick; None draws none.
    """
    places = stacked([record["value"] for record in records])
    highest = max(places) + 1
    heads = [{**record, "place": place} for record, place in zip(records, places, strict=True)]
    levels = {"threshold": threshold, "chance": chance}
    data = {name: [{"at": level}] for name, level in levels.items() if level is not None}
    return Drawing(
        _distribution_template(tuple(data), crowded=highest > 16),
        {"heads": heads, **data},
        min(max(9 * highest, 70), 200),
        {"title": f"score: {share_title(role)}", "top": max(highest, 5) + 0.2},
    )


@template
def _distribution_template(levels: tuple[str, ...], *, crowded: bool) -> alt.LayerChart:
    """The marks, and a line for each level: ``threshold``, ``chance``."""
    x = {"scale": alt.Scale(domain=[0, 1], nice=False)}
    y = alt.Y("place:Q", axis=None, scale=alt.Scale(domain=[-0.6, "@top"], nice=False))
    colour = {"expr": f"datum.active ? '{ACTIVE}' : '{QUIET}'"}
    marks = (
        rows("heads")
        .mark_point(
            shape={"expr": "datum.listed ? 'square' : 'circle'"},
            size=16 if crowded else 36,
            fill=colour,
            fillOpacity={"expr": "datum.active ? 1 : 0.15"},
            stroke=colour,
            strokeWidth=1.2,
            opacity=1,
        )
        .encode(
            x=alt.X("value:Q", axis=share_axis("@title", unit=".1~f"), **x),
            y=y,
            tooltip=[
                alt.Tooltip("label:N", title="head"),
                alt.Tooltip("shown:N", title="score"),
            ],
        )
    )
    # The threshold is a dashed line over the whole height, chance a thick tick on the axis.
    rule = rows("threshold").mark_rule(stroke=INK, strokeWidth=1.6, strokeDash=[5, 3])
    tick = rows("chance").mark_rule(stroke=INK, strokeWidth=3.5)
    low = {"y": alt.value({"expr": "height - 22"}), "y2": alt.value("height")}
    lines = {
        "threshold": rule.encode(x=alt.X("at:Q", **x)),
        "chance": tick.encode(x=alt.X("at:Q", **x), **low),
    }
    return finish(alt.layer(marks, *(lines[level] for level in levels)))
