"""Components in pictures: importance against activation, components that are alive together, a
matrix beside the sum of its components, and where the attention of an induction head goes."""

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
    finish,
    named_rows,
    rows,
    zero,
)
from headroles.charts.drawing import ZERO, Drawing, template

HIGH, SMALL = 260, 96
"""Pixels of a scatter, and of each of a grid of them."""
CELL = 22
"""Pixels of a square of the map of couples."""
ROW = 26
"""Pixels of a bar."""

# ------------------------------------------------------------------ importance by activation


def importance_scatter(
    records: Sequence[Mapping[str, object]], *, alive: float, small: bool = False
) -> Drawing:
    """A point per token: a component's importance by its inner activation there.

    Args:
        records: activation, importance, token, where.
        alive: the importance that counts as alive: a dashed line.
        small: for a grid of many.
    """
    data = {"tokens": records, "limit": [{"at": alive}]}
    return Drawing(_scatter_template(small=small), data, SMALL if small else HIGH)


@template
def _scatter_template(*, small: bool) -> alt.LayerChart:
    axis = {"titleFontWeight": "normal", "domain": False, "ticks": False, "gridOpacity": 0.2}
    across = alt.X(
        "activation:Q",
        scale=alt.Scale(zero=True, nice=True),
        axis=alt.Axis(
            title=None if small else "inner activation", tickCount=3 if small else 7, **axis
        ),
    )
    up = alt.Y(
        "importance:Q",
        scale=alt.Scale(domain=[-0.03, 1.03], nice=False),
        axis=alt.Axis(title=None if small else "importance", values=[0, 0.5, 1], **axis),
    )
    points = (
        rows("tokens")
        .mark_circle(
            color=ACTIVE, opacity=0.6 if small else 0.45, size=14 if small else 36, strokeWidth=0
        )
        .encode(
            x=across,
            y=up,
            tooltip=[
                alt.Tooltip("token:N"),
                alt.Tooltip("where:N"),
                alt.Tooltip("activation:Q", title="inner activation", format="+.2f"),
                alt.Tooltip("importance:Q", format=".2f"),
            ],
        )
    )
    limit = (
        rows("limit").mark_rule(stroke=INK, strokeDash=[5, 3], strokeWidth=1.2, opacity=0.7)
    ).encode(y="at:Q")
    return finish(alt.layer(limit, points))


# ------------------------------------------------------------------ alive together


def couples(records: Sequence[Mapping[str, object]], *, unit: str) -> Drawing:
    """A square per key component and value component.

    Args:
        records: key, value_component (labels), value, shade (0..1), against, number, shown.
        unit: what the numbers are.
    """
    keys = list(dict.fromkeys(record["key"] for record in records))
    values = list(dict.fromkeys(record["value_component"] for record in records))
    places = {"unit": unit, "keys": keys, "values": values, "columns": len(values)}
    return Drawing(_couples_template(), {"couples": records}, CELL * len(keys), places)


@template
def _couples_template() -> alt.LayerChart:
    axis = {
        "ticks": False,
        "domain": False,
        "titleFontWeight": "normal",
        "labelOverlap": False,
        "labelFlush": False,  # or the first name stands below the middle of its row
    }
    base = rows("couples").encode(
        x=alt.X(
            "value_component:N",
            sort=["@values"],
            scale=alt.Scale(padding=0),
            axis=alt.Axis(
                title="value component",
                orient="top",
                # Slanted, names need more room across than a phone has.
                labelAngle={"expr": "width / columns < 16 ? -90 : -60"},
                **axis,
            ),
        ),
        y=alt.Y(
            "key:N",
            sort=["@keys"],
            scale=alt.Scale(padding=0),
            axis=alt.Axis(title="key component", **axis),
        ),
        tooltip=[
            alt.Tooltip("key:N"),
            alt.Tooltip("value_component:N", title="value"),
            alt.Tooltip("shown:N", title="@unit"),
        ],
    )
    return shaded(base, room=34)


# ------------------------------------------------------------------ a matrix and its components


def matrix(
    records: Sequence[Mapping[str, object]],
    edges: Sequence[float],
    *,
    shape: tuple[int, int],
    heads_across: bool,
    unit: str,
) -> Drawing:
    """One matrix in blocks: rows read, columns are written; lines part the heads.

    Args:
        records: row, column, value, shade (0..1), against, shown.
        edges: between the heads, in blocks.
        shape: rows and columns of blocks.
        heads_across: whether the heads lie side by side, or one above the other.
        unit: what the numbers are.
    """
    pixels = max(3, min(8, 300 // max(shape)))
    data = {"blocks": records, "edges": [{"at": edge} for edge in edges]}
    values = {"unit": unit, "across": shape[1], "down": shape[0]}
    shown = _matrix_template(heads_across=heads_across, edges=bool(edges))
    used = data if edges else {"blocks": records}
    return Drawing(shown, used, pixels * shape[0], values)


@template
def _matrix_template(*, heads_across: bool, edges: bool) -> alt.LayerChart:
    x_scale = alt.Scale(domain=[0, "@across"], nice=False, padding=0)
    y_scale = alt.Scale(domain=["@down", 0], nice=False, padding=0)
    cells = (
        rows("blocks")
        .mark_rect(fill={"expr": f"datum.against ? '{TARGET}' : '{ACTIVE}'"}, strokeWidth=0)
        .encode(
            x=alt.X("column:Q", scale=x_scale, axis=None),
            x2="right:Q",
            y=alt.Y("row:Q", scale=y_scale, axis=None),
            y2="bottom:Q",
            fillOpacity=alt.FillOpacity(
                "shade:Q", scale=alt.Scale(domain=[0, 1], range=[0, 1]), legend=None
            ),
            tooltip=[alt.Tooltip("shown:N", title="@unit")],
        )
    )
    layers = [cells]
    if edges:
        lines = rows("edges").mark_rule(stroke=INK, strokeWidth=0.8, opacity=0.6)
        place = {"x": alt.X("at:Q", scale=x_scale, axis=None)}
        if not heads_across:
            place = {"y": alt.Y("at:Q", scale=y_scale, axis=None)}
        layers.append(lines.encode(**place))
    return (
        alt.layer(*layers)
        .properties(
            width="container",
            autosize=alt.AutoSizeParams(type="fit-x", contains="padding"),
            padding={"left": 2, "right": 2, "top": 2, "bottom": 2},
        )
        .configure_view(stroke=QUIET, strokeOpacity=0.6)
    )


# ------------------------------------------------------------------ an induction head's attention


def where_it_looks(records: Sequence[Mapping[str, object]]) -> Drawing:
    """A bar per kind of token: the share of attention there; the right ones filled.

    Args:
        records: order, name, share, shown, right.
    """
    top = max(0.01, *(float(record["share"]) for record in records))
    values = {"names": [record["name"] for record in records], "high": 1.18 * top}
    return Drawing(_where_template(), {"kinds": records}, ROW * len(records), values)


@template
def _where_template() -> alt.LayerChart:
    base = rows("kinds").encode(
        y=named_rows("order:O", limit=230),
        tooltip=[alt.Tooltip("name:N", title="where"), alt.Tooltip("shown:N", title="attention")],
    )
    x = alt.X("share:Q", scale=alt.Scale(domain=[0, "@high"], nice=False), axis=None)
    bars = base.mark_bar(
        height=14,
        cornerRadius=2,
        fill={"expr": f"datum.right ? '{ACTIVE}' : 'transparent'"},
        stroke={"expr": f"datum.right ? '{ACTIVE}' : '{QUIET}'"},
        strokeWidth=1.4,
    ).encode(x=x, x2=alt.datum(0))
    words = base.mark_text(align="left", dx=6, color=INK, fontSize=12).encode(x=x, text="shown:N")
    return finish(alt.layer(bars, words).add_params(alt.param(name="names", value="@names")))


def pushes(records: Sequence[Mapping[str, object]]) -> Drawing:
    """A bar per pair of components: by how much it moves attention to a wrong token.

    Args:
        records: order, name, value, against, whole (the sum), shown.
    """
    numbers = [float(record["value"]) for record in records]
    low, high = min([0.0, *numbers]), max([0.0, *numbers])
    span = (high - low) or 1.0
    values = {
        "names": [record["name"] for record in records],
        "low": low - 0.02 * span,
        "high": high + 0.35 * span,
    }
    return Drawing(_pushes_template(), {"pairs": records, "zero": ZERO}, ROW * len(records), values)


@template
def _pushes_template() -> alt.LayerChart:
    scale = alt.Scale(domain=["@low", "@high"], nice=False, zero=False)
    colour = f"datum.whole ? '{QUIET}' : datum.against ? '{TARGET}' : '{ACTIVE}'"
    base = rows("pairs").encode(
        y=named_rows("order:O", limit=190),
        tooltip=[alt.Tooltip("name:N", title="pair"), alt.Tooltip("shown:N", title="pushes")],
    )
    x = alt.X("value:Q", scale=scale, axis=None)
    bars = base.mark_bar(
        height=14,
        cornerRadius=2,
        fill={"expr": colour},
        stroke={"expr": colour},
        fillOpacity={"expr": "datum.whole ? 0.35 : 0.85"},
    ).encode(x=x, x2=alt.datum(0))
    words = base.mark_text(align="right", color=INK, fontSize=12).encode(
        x=alt.value("width"), text="shown:N"
    )
    at_zero = zero().encode(x=alt.X("at:Q", scale=scale, axis=None))
    return finish(
        alt.layer(at_zero, bars, words).add_params(alt.param(name="names", value="@names"))
    )


def shaded(base: alt.Chart, *, room: int) -> alt.LayerChart:
    """Cells whose shade is a size, in another colour where it is against, with a number in each
    that has so many pixels of room."""
    cells = base.mark_rect(
        fill={"expr": f"datum.against ? '{TARGET}' : '{ACTIVE}'"},
        stroke=INK,
        strokeOpacity=0.12,
        strokeWidth=0.5,
    ).encode(
        fillOpacity=alt.FillOpacity(
            "shade:Q", scale=alt.Scale(domain=[0, 1], range=[LIGHTEST, STRONGEST]), legend=None
        )
    )
    numbers = base.mark_text(
        color=INK, fontSize=12, opacity={"expr": f"width / columns >= {room} ? 1 : 0"}
    ).encode(text="number:N")
    return finish(alt.layer(cells, numbers).add_params(alt.param(name="columns", value="@columns")))
