"""Charts of heads and of guesses: plain records in, a drawing out.

A chart does not depend on the page's theme. Two mid-tone colours (a blue and an orange that people
with any colour vision tell apart) keep a contrast of at least 3.6 to 1 on white and on the dark
background; text and ticks take the page's own text colour; shades are opacities. A shape or a word
repeats what each colour says.

>>> chart = head_bars(records, ROLES["induction"])  # doctest: +SKIP
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
    named_rows,
    rows,
    share_axis,
)
from headroles.charts.drawing import Drawing, template
from headroles.roles import UNIT_IN_WORDS, Role
from headroles.types import Head, NextToken

SELECTION = "head"
"""Name of the selection in every clickable chart."""

ROW = 42
"""Pixels that a bar takes with its line of text."""
UPRIGHT = "M0,-1L0,1"
NEEDED = {"stroke": INK, "strokeWidth": 2.2, "strokeDash": [4, 2]}
"""The line that decides in a bar, as on every scale of the app: dashed."""
CHANCE = {"stroke": INK, "strokeWidth": 3}
"""The mark of chance: a short thick tick."""
_BELOW = 9  # pixels from the middle of a row down to its bar


def head_of_event(event: object) -> Head | None:
    """The head that was clicked, from a chart's Streamlit event; None for no head.

    >>> head_of_event({"selection": {"head": [{"layer": 3, "head": 6}]}})
    Head(layer=3, head=6)
    """
    if not isinstance(event, Mapping):
        return None
    picked = (event.get("selection") or {}).get(SELECTION) or []
    try:
        return Head(int(picked[0]["layer"]), int(picked[0]["head"]))
    except (KeyError, IndexError, TypeError, ValueError):
        return None


def head_selection() -> alt.Parameter:
    """The selection of a head, for a mark whose records name one."""
    return alt.selection_point(name=SELECTION, fields=["layer", "head"], on="click")


def share_title(role: Role) -> str:
    """What a score of this role measures."""
    if not role.is_scored:
        return "attention on its cells" if role.has_cells else "largest score of any role"
    if role.unit in UNIT_IN_WORDS:
        return UNIT_IN_WORDS[role.unit]
    if not role.has_cells:
        return "evenness of its attention"
    # with what the role looks at, this one would be wider than a card
    return f"share of attention{role.aside}" if role.aside else f"attention on {role.looks_at}"


def head_bars(records: Sequence[Mapping[str, object]], role: Role) -> Drawing:
    """One bar per head, 0 to 1, with the chance mark and the line that decides on every bar.

    Args:
        records: one per head: order, layer, head, label, note, value, chance, needed, needs,
            state, applies, shown, reason.
        role: names the axis.
    """
    return Drawing(
        _bars_template(), {"heads": records}, ROW * len(records), {"title": share_title(role)}
    )


@template
def _bars_template() -> alt.LayerChart:
    y = alt.Y("order:O", axis=None, scale=alt.Scale(padding=0))
    x = alt.X("value:Q", scale=alt.Scale(domain=[0, 1], nice=False), axis=share_axis("@title"))
    base = rows("heads").encode(y=y)
    track = base.mark_bar(
        height=10, yOffset=_BELOW, fill=QUIET, fillOpacity=0.14, cornerRadius=3
    ).encode(x=alt.XDatum(0, scale=alt.Scale(domain=[0, 1])), x2=alt.datum(1))
    bars = (
        base.transform_filter("datum.applies")
        .mark_bar(
            height=10,
            yOffset=_BELOW,
            cornerRadius=3,
            fill={"expr": f"datum.state == 'active' ? '{ACTIVE}' : '{QUIET}'"},
            fillOpacity={"expr": "datum.state == 'active' ? 1 : 0.12"},
            stroke={"expr": f"datum.state == 'active' ? '{ACTIVE}' : '{QUIET}'"},
            strokeWidth=1.5,
            strokeDash={"expr": "datum.state == 'too_short' ? [3, 2] : [1, 0]"},
        )
        .encode(x=x, x2=alt.datum(0))
    )
    needed = (
        base.transform_filter("isValid(datum.needed)")
        .mark_point(shape=UPRIGHT, size=256, yOffset=_BELOW, **NEEDED)
        .encode(x="needed:Q")
    )
    chance = (
        base.transform_filter("datum.applies")
        .mark_point(shape=UPRIGHT, size=64, yOffset=_BELOW, **CHANCE)
        .encode(x="chance:Q")
    )
    return finish(alt.layer(track, bars, chance, needed, *_row_texts(base), _row_hits(base)))


def _row_texts(base: alt.Chart) -> list[alt.Chart]:
    """Above each bar: the head and its other role on the left, value and state on the right."""
    heavy = {"expr": "datum.state == 'active' ? 700 : 400"}
    text = {"dy": -8, "color": INK, "fontSize": 13, "baseline": "middle"}
    left = base.mark_text(align="left", fontWeight=600, **text).encode(
        x=alt.value(0), text="label:N"
    )
    note = base.mark_text(align="left", **{**text, "fontSize": 12, "opacity": 0.8}).encode(
        x=alt.value(48), text="note:N"
    )
    right = base.mark_text(align="right", fontWeight=heavy, **text).encode(
        x=alt.value("width"), text="shown:N"
    )
    return [left, note, right]


def _row_hits(base: alt.Chart) -> alt.Chart:
    """A clear area over the whole row: it takes the click and shows the tooltip."""
    return (
        base.mark_rect(
            fillOpacity=0, **button("datum.label + ', ' + replace(datum.shown, ' ·', ',')")
        )
        .encode(
            x=alt.value(-4),
            x2=alt.value("width"),
            tooltip=[
                alt.Tooltip("label:N", title="head"),
                alt.Tooltip("shown:N", title="on this prompt"),
                alt.Tooltip("chance:Q", title="chance", format=".0%"),
                alt.Tooltip("needs:N", title="needs here"),
                alt.Tooltip("reason:N", title="why"),
            ],
        )
        .add_params(head_selection())
    )


def next_tokens(guesses: Sequence[NextToken], labels: Sequence[str]) -> Drawing:
    """The model's guesses for the next token, best first, as shares of 1."""
    records = [
        {
            "rank": rank,
            "token": label,
            "probability": guess.probability,
            "id": guess.token_id,
            "shown": "<1%" if guess.probability < 0.005 else f"{guess.probability:.0%}",
        }
        for rank, (guess, label) in enumerate(zip(guesses, labels, strict=True))
    ]
    values = {"names": list(labels)}
    return Drawing(_guesses_template(), {"guesses": records}, 24 * len(records), values)


@template
def _guesses_template() -> alt.LayerChart:
    base = rows("guesses").encode(
        y=named_rows("rank:O", limit=110),
        x=alt.X("probability:Q", scale=alt.Scale(domain=[0, 1.16]), axis=None),
        tooltip=[
            alt.Tooltip("token:N", title="token"),
            alt.Tooltip("probability:Q", format=".1%"),
            alt.Tooltip("id:Q", title="id", format="d"),
        ],
    )
    bars = base.mark_bar(color=ACTIVE, height=12, cornerRadius=3).encode(x2=alt.datum(0))
    words = base.mark_text(align="left", dx=6, color=INK, fontSize=12).encode(text="shown:N")
    return finish(alt.layer(bars, words).add_params(alt.param(name="names", value="@names")))


TALL, SMALL = 580, 260
"""Most pixels that the rows of a map take together, alone and as one of several side by side."""


def map_row(layers: int, heads: int, *, small: bool = False) -> int:
    """Pixels of a map's row, so that the map is whole on a screen from 1 x 1 to 32 x 32 heads.

    A row holds one head of every layer. It is lower where there are many heads, and where there are
    many layers, whose columns are narrow; never under 6 pixels, which can still be pointed at.

    >>> map_row(4, 8), map_row(30, 9, small=True), map_row(32, 32, small=True)
    (34, 16, 8)
    """
    highest, across, down = (24, 480, SMALL) if small else (34, 960, TALL)
    return max(6, min(highest, across // layers, down // heads))


def head_map(
    records: Sequence[Mapping[str, object]],
    title: str,
    *,
    opened: Head | None = None,
    clickable: bool = True,
    small: bool = False,
) -> Drawing:
    """Every head of the model, shaded by a number: layers from left to right, heads downwards.

    Blue is above zero and orange below; the number in the cell shows the sign too, where cells have
    room for numbers. A cell without a number is empty and has a dashed border.

    Args:
        records: one per head: layer, head, label, value (None without one), shade (0..1), number
            (the text in the cell), against, active, listed, papers, shown; and, where there is any,
            aside (what stands beside the number where there is room) and own (a reader's own mark:
            ``up`` or ``down``).
        title: names the values.
        opened: the head that is looked at; its cell is framed.
        clickable: whether a click selects a head.
        small: whether it is one of several side by side.
    """
    layers = 1 + max(record["layer"] for record in records)
    heads = 1 + max(record["head"] for record in records)
    longest = max(len(str(record["number"])) for record in records)
    both = max(len(f"{record['number']}{record.get('aside', '')}") for record in records)
    row = map_row(layers, heads, small=small)
    shape = _map_template(
        row,
        digits=min(max(longest, 2), 4) if row >= 18 else None,
        aside=both if both > longest else None,
        papers=any(record["papers"] for record in records),
        own=any("own" in record for record in records),
        clickable=clickable,
    )
    cells = [{**r, "open": opened == Head(r["layer"], r["head"])} for r in records]
    return Drawing(shape, {"heads": cells}, row * heads, {"title": title, "layers": layers})


@template
def _map_template(
    row: int, *, digits: int | None, aside: int | None, papers: bool, own: bool, clickable: bool
) -> alt.LayerChart:
    """The map with rows of so many pixels and numbers of so many digits (None: without any), of so
    many characters with what stands beside them (``aside``; None: nothing does).

    How wide a column is, only the browser knows: it shows the numbers where they fit.
    """
    base = _layers_by_heads(row)
    rings = base.transform_filter("datum.active").mark_point(
        shape="circle",
        size={"expr": "0.6 * cell * cell"},  # an area: a little narrower than the cell
        stroke=INK,
        strokeWidth={"expr": "cell < 12 ? 1.2 : 2"},
        filled=False,
        opacity=0.85,
    )
    frame = base.transform_filter("datum.open").mark_rect(
        fillOpacity=0, stroke=INK, strokeWidth={"expr": "cell < 12 ? 2 : 3"}
    )
    fits = "false" if digits is None else f"width / layers >= {4 + 7 * digits}"
    wide = "false" if aside is None else f"width / layers >= {12 + 7 * aside}"
    sizes = {"cell": f"min({row}, width / layers)", "numbers": fits, "asides": wide}
    params = [alt.param(name="layers", value="@layers")]
    params += [alt.param(name=name, expr=expr) for name, expr in sizes.items()]
    layers = [_map_cells(base, clickable=clickable), frame, rings]
    layers += _map_marks(base, row, papers=papers, own=own)
    if digits is not None:
        numbers = base.mark_text(color=INK, fontSize=12, opacity={"expr": "numbers ? 1 : 0"})
        if aside is None:
            layers.append(numbers.encode(text="number:N"))
        else:
            numbers.mark.text = {"expr": "asides ? datum.number + datum.aside : datum.number"}
            layers.append(numbers)
    return finish(alt.layer(*layers).add_params(*params))


def _map_cells(base: alt.Chart, *, clickable: bool) -> alt.Chart:
    colour = f"datum.against ? '{TARGET}' : isValid(datum.value) ? '{ACTIVE}' : 'transparent'"
    cells = base.mark_rect(
        fill={"expr": colour},
        stroke=INK,
        strokeOpacity={"expr": "isValid(datum.value) ? 0.15 : 0.4"},
        strokeWidth={"expr": "cell < 12 ? 0.5 : 1"},
        strokeDash={"expr": "isValid(datum.value) ? [1, 0] : [3, 3]"},
        invalid="show",  # a head without a number can be opened all the same
        **(button("datum.label + (datum.shown ? ', ' + datum.shown : '')") if clickable else {}),
    ).encode(
        fillOpacity=alt.FillOpacity(
            "shade:Q", scale=alt.Scale(domain=[0, 1], range=[LIGHTEST, STRONGEST]), legend=None
        ),
    )
    return cells.add_params(head_selection()) if clickable else cells


def _layers_by_heads(row: int) -> alt.Chart:
    """What every map of a model's heads has: layers across, heads down, and words for a cell."""
    axis = {
        "ticks": False,
        "domain": False,
        "labelAngle": 0,
        "labelOverlap": True,  # leaves labels out where there is no room for all
        "labelPadding": 5,
        "titlePadding": 5,
        "titleFontWeight": "normal",
    }
    return rows("heads").encode(
        x=alt.X("layer:O", axis=alt.Axis(title="layer", orient="top", **axis)),
        y=alt.Y("head:O", axis=alt.Axis(title="head", **axis)),
        # On every mark, for in a small cell the marks lie over most of it.
        tooltip=[alt.Tooltip("label:N", title="head"), alt.Tooltip("shown:N", title="@title")],
    )


def _map_marks(base: alt.Chart, row: int, *, papers: bool, own: bool) -> list[alt.Chart]:
    """The marks in a cell: a square for a listed head, a diamond for one that papers name; in place
    of the square a reader's own mark, a triangle that points up, or down for a number below zero.

    They stand in two corners beside a number, else in the middle.
    """
    side, up = "numbers ? width / layers / 2 - 5 : 0", f"numbers ? {row / 2 - 5} : 0"
    dots = base.transform_filter("datum.listed").mark_point(
        shape="square",
        size={"expr": "numbers || cell > 14 ? 32 : 0.1 * cell * cell"},
        filled=True,
        color=INK,
        opacity=1,
        xOffset={"expr": f"-({side})"},
        yOffset={"expr": up},
    )
    diamonds = base.transform_filter("datum.papers").mark_point(
        shape="diamond",
        size={"expr": "numbers ? 40 : 0.35 * cell * cell"},
        filled=False,
        stroke=INK,
        strokeWidth=2,
        xOffset={"expr": side},
        yOffset={"expr": f"-({up})"},
    )
    triangles = base.transform_filter("datum.own").mark_point(
        shape={"expr": "datum.own == 'down' ? 'triangle-down' : 'triangle-up'"},
        size={"expr": "numbers ? 55 : 0.4 * cell * cell"},
        filled=True,
        color=INK,
        opacity=1,
        xOffset={"expr": f"-({side})"},
        yOffset={"expr": up},
    )
    return [triangles if own else dots, *([diamonds] if papers else [])]
