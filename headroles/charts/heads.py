"""Charts: plain records in, an Altair chart out. The only place that imports altair.

A chart does not depend on the page's theme. Two mid-tone colours (a blue and an orange that people
with any colour vision tell apart) keep a contrast of at least 3.6 to 1 on white and on the dark
background; text and ticks take the page's own text colour; shades are opacities. A shape or a word
repeats what each colour says.

>>> chart = head_bars(records, ROLES["induction"])  # doctest: +SKIP
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import altair as alt
import pandas as pd

from headroles.charts.base import ACTIVE, INK, QUIET, TARGET, finish, share_axis
from headroles.roles import LOGITS, RATE, Role
from headroles.types import Head, NextToken

SELECTION = "head"
"""Name of the selection in every clickable chart."""

ROW = 42
"""Pixels that a bar takes with its line of text."""
_UPRIGHT = "M0,-1L0,1"
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


def _clickable() -> alt.Parameter:
    return alt.selection_point(name=SELECTION, fields=["layer", "head"], on="click")


def share_title(role: Role) -> str:
    """What a score of this role measures."""
    if role.unit == LOGITS:
        return "direct effect"
    if role.unit == RATE:
        return "share of the words"
    return f"attention on {role.looks_at}" if role.has_cells else "evenness of its attention"


def head_bars(records: Sequence[Mapping[str, object]], role: Role) -> alt.LayerChart:
    """One bar per head, 0 to 1, with the chance mark and the threshold on every bar.

    Args:
        records: one per head: order, layer, head, label, note, value, chance, threshold, state,
            applies, shown, reason.
        role: names the axis.
    """
    frame = pd.DataFrame(records)
    y = alt.Y("order:O", axis=None, scale=alt.Scale(padding=0))
    x = alt.X(
        "value:Q",
        scale=alt.Scale(domain=[0, 1], nice=False),
        axis=share_axis(share_title(role)),
    )
    base = alt.Chart(frame).encode(y=y)
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
    marks = base.transform_filter("datum.applies")
    threshold = marks.mark_point(
        shape=_UPRIGHT, size=256, yOffset=_BELOW, stroke=INK, strokeWidth=1.4, strokeDash=[3, 2]
    ).encode(x="threshold:Q")
    chance = marks.mark_point(
        shape=_UPRIGHT, size=169, yOffset=_BELOW, stroke=INK, strokeWidth=3
    ).encode(x="chance:Q")
    layers = alt.layer(track, bars, threshold, chance, *_row_texts(base), _row_hits(base))
    return finish(layers, height=ROW * len(frame))


def _row_texts(base: alt.Chart) -> list[alt.Chart]:
    """Above each bar: the head and its other role on the left, value and state on the right."""
    heavy = {"expr": "datum.state == 'active' ? 700 : 400"}
    text = {"dy": -8, "color": INK, "fontSize": 13, "baseline": "middle"}
    left = base.mark_text(align="left", fontWeight=600, **text).encode(
        x=alt.value(0), text="label:N"
    )
    note = base.mark_text(align="left", **{**text, "fontSize": 11, "opacity": 0.75}).encode(
        x=alt.value(48), text="note:N"
    )
    right = base.mark_text(align="right", fontWeight=heavy, **text).encode(
        x=alt.value("width"), text="shown:N"
    )
    return [left, note, right]


def _row_hits(base: alt.Chart) -> alt.Chart:
    """A clear area over the whole row: it takes the click and shows the tooltip."""
    return (
        base.mark_rect(fillOpacity=0, cursor="pointer")
        .encode(
            x=alt.value(-4),
            x2=alt.value("width"),
            tooltip=[
                alt.Tooltip("label:N", title="head"),
                alt.Tooltip("shown:N", title="on this prompt"),
                alt.Tooltip("chance:Q", title="chance", format=".0%"),
                alt.Tooltip("threshold:Q", title="threshold", format=".0%"),
                alt.Tooltip("reason:N", title="why"),
            ],
        )
        .add_params(_clickable())
    )


def next_tokens(guesses: Sequence[NextToken], labels: Sequence[str]) -> alt.LayerChart:
    """The model's guesses for the next token, best first, as shares of 1."""
    frame = pd.DataFrame(
        {
            "rank": range(len(guesses)),
            "token": list(labels),
            "probability": [guess.probability for guess in guesses],
            "id": [guess.token_id for guess in guesses],
            "shown": [
                "<1%" if guess.probability < 0.005 else f"{guess.probability:.0%}"
                for guess in guesses
            ],
        }
    )
    names = alt.param(name="names", value=list(labels))
    base = alt.Chart(frame).encode(
        y=alt.Y(
            "rank:O",
            axis=alt.Axis(
                title=None,
                labelExpr="names[datum.value]",
                labelFontSize=13,
                labelLimit=110,
                ticks=False,
                domain=False,
                labelPadding=8,
                labelOverlap=False,
            ),
        ),
        x=alt.X("probability:Q", scale=alt.Scale(domain=[0, 1.16]), axis=None),
        tooltip=[
            alt.Tooltip("token:N", title="token"),
            alt.Tooltip("probability:Q", format=".1%"),
            alt.Tooltip("id:Q", title="id", format="d"),
        ],
    )
    bars = base.mark_bar(color=ACTIVE, height=12, cornerRadius=3).encode(x2=alt.datum(0))
    words = base.mark_text(align="left", dx=6, color=INK, fontSize=12).encode(text="shown:N")
    return finish(alt.layer(bars, words).add_params(names), height=24 * len(frame))


def has_numbers(records: Sequence[Mapping[str, object]]) -> bool:
    """Whether a map has room for a number in every cell: up to 16 heads per layer."""
    return max(int(record["head"]) for record in records) < 16


def head_map(
    records: Sequence[Mapping[str, object]],
    title: str,
    *,
    opened: Head | None = None,
    clickable: bool = True,
    small: bool = False,
) -> alt.LayerChart:
    """Every head of the model, layer by head, shaded by a number.

    Blue is above zero and orange below; the number in the cell shows the sign too. A cell without
    a number is empty and has a dashed border.

    Args:
        records: one per head: layer, head, label, value (None without one), shade (0..1), number
            (the text in the cell), against, active, listed, papers, shown.
        title: names the values.
        opened: the head that is looked at; its cell is framed.
        clickable: whether a click selects a head.
        small: whether it is one of several side by side.
    """
    frame = pd.DataFrame(records)
    frame["open"] = [opened == Head(r["layer"], r["head"]) for r in records]
    roomy = has_numbers(records)
    row = (32 if small else 44) if roomy else (16 if small else 20)
    base = _layers_by_heads(frame)
    longest = max(len(str(record["number"])) for record in records)
    area = 0.32 if longest <= 2 or not roomy else 0.62  # the ring goes round the number
    rings = base.transform_filter("datum.active").mark_point(
        shape="circle", size=area * row**2, stroke=INK, strokeWidth=2, filled=False
    )
    layers = [_map_cells(base, title, clickable=clickable), rings]
    layers += _map_marks(base, row=row, roomy=roomy)
    if roomy:
        size = 10 if longest > 3 else 11 if small else 12
        layers.append(base.mark_text(color=INK, fontSize=size).encode(text="number:N"))
    return finish(alt.layer(*layers), height=row * frame["layer"].nunique())


def _map_cells(base: alt.Chart, title: str, *, clickable: bool) -> alt.Chart:
    colour = f"datum.against ? '{TARGET}' : isValid(datum.value) ? '{ACTIVE}' : 'transparent'"
    cells = base.mark_rect(
        fill={"expr": colour},
        stroke=INK,
        strokeOpacity={"expr": "datum.open ? 1 : isValid(datum.value) ? 0.15 : 0.4"},
        strokeWidth={"expr": "datum.open ? 3 : 1"},
        strokeDash={"expr": "isValid(datum.value) ? [1, 0] : [3, 3]"},
        cursor="pointer" if clickable else "default",
    ).encode(
        fillOpacity=alt.FillOpacity(
            "shade:Q", scale=alt.Scale(domain=[0, 1], range=[0.03, 1]), legend=None
        ),
        tooltip=[alt.Tooltip("label:N", title="head"), alt.Tooltip("shown:N", title=title)],
    )
    return cells.add_params(_clickable()) if clickable else cells


def _layers_by_heads(frame: pd.DataFrame) -> alt.Chart:
    """The axes that every map of a model's heads has: layers down, heads across."""
    ticks = {"ticks": False, "domain": False, "labelAngle": 0, "titleFontWeight": "normal"}
    return alt.Chart(frame).encode(
        x=alt.X("head:O", axis=alt.Axis(title="head", orient="top", **ticks)),
        y=alt.Y("layer:O", axis=alt.Axis(title="layer", **ticks)),
    )


def _map_marks(base: alt.Chart, *, row: int, roomy: bool) -> list[alt.Chart]:
    """The marks in a cell: a square for a listed head, a diamond for one that papers name."""
    offset = 0.39 * row if roomy else 0
    dots = base.transform_filter("datum.listed").mark_point(
        shape="square", size=26, filled=True, color=INK, opacity=1, yOffset=offset
    )
    diamonds = base.transform_filter("datum.papers").mark_point(
        shape="diamond", size=40, filled=False, stroke=INK, strokeWidth=2, yOffset=-offset
    )
    return [dots, diamonds] if base.data["papers"].any() else [dots]


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
) -> alt.LayerChart:
    """One mark per head at its score from 0 to 1, near ones stacked, with threshold and chance.

    Args:
        records: one per head: label, value, active, listed, shown.
        role: names the axis.
        threshold: 0..1, the dashed line; None draws none.
        chance: 0..1, the thick tick; None draws none.
    """
    frame = pd.DataFrame(records)
    frame["place"] = stacked(list(frame["value"]))
    highest = int(frame["place"].max()) + 1
    height = min(max(9 * highest, 70), 200)
    x = {"scale": alt.Scale(domain=[0, 1], nice=False)}
    y = alt.Y(
        "place:Q", axis=None, scale=alt.Scale(domain=[-0.6, max(highest, 5) + 0.2], nice=False)
    )
    colour = {"expr": f"datum.active ? '{ACTIVE}' : '{QUIET}'"}
    marks = (
        alt.Chart(frame)
        .mark_point(
            shape={"expr": "datum.listed ? 'square' : 'circle'"},
            size=36 if highest <= 16 else 16,
            fill=colour,
            fillOpacity={"expr": "datum.active ? 1 : 0.15"},
            stroke=colour,
            strokeWidth=1.2,
            opacity=1,
        )
        .encode(
            x=alt.X("value:Q", axis=share_axis(f"score: {share_title(role)}", unit=".1~f"), **x),
            y=y,
            tooltip=[
                alt.Tooltip("label:N", title="head"),
                alt.Tooltip("shown:N", title="score"),
            ],
        )
    )
    lines = _level_lines(threshold, chance, x=x, height=height)
    return finish(alt.layer(marks, *lines), height=height)


def _level_lines(
    threshold: float | None, chance: float | None, *, x: dict[str, object], height: int
) -> list[alt.Chart]:
    """The threshold as a dashed line and chance as a thick tick, where there are any."""
    lines = []
    if threshold is not None:
        rule = alt.Chart(pd.DataFrame({"at": [threshold]})).mark_rule(
            stroke=INK, strokeWidth=1.6, strokeDash=[5, 3]
        )
        lines.append(rule.encode(x=alt.X("at:Q", **x)))
    if chance is not None:
        tick = alt.Chart(pd.DataFrame({"at": [chance]})).mark_rule(stroke=INK, strokeWidth=3.5)
        lines.append(
            tick.encode(x=alt.X("at:Q", **x), y=alt.value(height - 22), y2=alt.value(height))
        )
    return lines
