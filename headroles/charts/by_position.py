"""Numbers of heads or layers at every token of a prompt, signed: rows of heads, columns of tokens.

Blue is above zero and orange below, as on every signed map; the number in a cell says it too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import altair as alt

from headroles.charts.attention import token_axis
from headroles.charts.base import ACTIVE, INK, LIGHTEST, STRONGEST, TARGET, finish, rows
from headroles.charts.drawing import Drawing, template

HIGH, LOW = 30, 15
"""Pixels of a row, where there are few and where there are many."""
FEW = 12
"""Most rows that are high."""


def position_map(
    records: Sequence[Mapping[str, object]], tokens: Sequence[str], *, title: str, down: str
) -> Drawing:
    """A cell per row and position.

    Args:
        records: row (its name), position, value, shade (0..1), number, against, shown.
        tokens: [position] the whole prompt's tokens as short text.
        title: names the values.
        down: what a row is.
    """
    names = list(dict.fromkeys(record["row"] for record in records))
    positions = sorted({record["position"] for record in records})
    height = HIGH if len(names) <= FEW else LOW
    values = {
        "title": title,
        "down": down,
        "names": names,
        "tokens": list(tokens[positions[0] :]),
        "first": positions[0],
        "squares": len(positions),
    }
    shape = _template(numbers=height == HIGH)
    return Drawing(shape, {"cells": records}, height * len(names), values)


@template
def _template(*, numbers: bool) -> alt.LayerChart:
    axis = {"ticks": False, "domain": False, "titleFontWeight": "normal"}
    across = token_axis("at this token", pixels="(width / squares)")
    base = rows("cells").encode(
        x=alt.X(
            "position:O",
            scale=alt.Scale(padding=0),
            axis=alt.Axis(orient="top", labelAngle=-60, **across),
        ),
        y=alt.Y(
            "row:N",
            sort=["@names"],
            scale=alt.Scale(padding=0),
            axis=alt.Axis(title="@down", labelOverlap=True, **axis),
        ),
        tooltip=[alt.Tooltip("shown:N", title="@title")],
    )
    cells = base.mark_rect(
        fill={"expr": f"datum.against ? '{TARGET}' : '{ACTIVE}'"},
        stroke=INK,
        strokeOpacity=0.15,
        strokeWidth=0.5,
    ).encode(
        fillOpacity=alt.FillOpacity(
            "shade:Q", scale=alt.Scale(domain=[0, 1], range=[LIGHTEST, STRONGEST]), legend=None
        )
    )
    texts = base.mark_text(
        color=INK, fontSize=12, opacity={"expr": "width / squares >= 26 ? 1 : 0"}
    ).encode(text="number:N")
    names = ("tokens", "first", "squares")
    params = [alt.param(name=name, value=f"@{name}") for name in names]
    params.append(alt.param(name="block", value=1))
    return finish(alt.layer(cells, *([texts] if numbers else [])).add_params(*params)).properties(
        padding={"left": 4, "right": 4, "top": 16, "bottom": 2}
    )
