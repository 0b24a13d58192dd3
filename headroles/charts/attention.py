"""Charts of one head: its attention pattern and its offset profile.

As in :mod:`headroles.charts.heads`, a chart takes plain numbers and does not depend on the page's
theme. A long prompt has more cells than a screen has room for (20,100 at 200
tokens), so a pattern over more than :data:`MOST` tokens is drawn in blocks of b x b cells, each
shaded by its largest weight, and only the blocks are sent.

>>> cells = pattern_cells(attention, targets)  # doctest: +SKIP
>>> drawing = attention_pattern(cells, labels, ROLES["induction"])  # doctest: +SKIP
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import altair as alt
import numpy as np

from headroles.charts.base import ACTIVE, INK, QUIET, STRONGEST, TARGET, rows
from headroles.charts.drawing import Drawing, template
from headroles.roles import Role
from headroles.types import Evidence

MOST = 80
"""Most rows and columns of a pattern; more tokens than this are drawn in blocks."""
PATTERN_SIZE = 540
"""Pixels of the side of an attention pattern, at most."""
LABEL = 14
"""Pixels that a token's label needs."""
SHADES = (0.0, 0.05, 0.25, 0.5, 1.0)
"""Weights that the legend of a pattern names."""
HIDDEN_TITLE = ("Resting column hidden:", "every row is rescaled to 100%")
"""Stands above a pattern that does not show what the head's rows really add up to."""


def shade(weight: float) -> float:
    """Opacity of an attention weight: its square root, so that 1 % can still be seen."""
    return round(STRONGEST * max(weight, 0.0) ** 0.5, 3)


class Cells(NamedTuple):
    """What an attention pattern draws."""

    columns: dict[str, np.ndarray]
    """A value per square: query and key (its first positions), weight 0..1, target."""
    block: int
    """Cells along the side of a square; 1 where every cell is drawn."""
    first: int
    """The first position that is drawn."""
    last: int
    """The last position that is drawn."""

    @property
    def starts(self) -> list[int]:
        """The first position of every row of squares."""
        return list(range(self.first, self.last + 1, self.block))


def pattern_cells(
    attention: Sequence[Sequence[float]],
    targets: Iterable[Evidence] = (),
    *,
    window: tuple[int, int] | None = None,
) -> Cells:
    """The causal squares of a pattern, marked where the role predicts a cell.

    Args:
        attention: [query key] one head's pattern.
        targets: the cells that the role predicts.
        window: first and last position to draw; by default all of them.
    """
    weights = np.asarray(attention, dtype=np.float32)
    first, last = window or (0, len(weights) - 1)
    weights = weights[first : last + 1, first : last + 1]
    length = len(weights)
    block = -(-length // MOST)
    predicted = np.zeros_like(weights, dtype=bool)
    for cell in targets:
        if first <= cell.key and cell.query <= last:
            predicted[cell.query - first, cell.key - first] = True
    query, key = np.tril_indices(-(-length // block))
    columns = {
        "query": (query * block + first).astype(np.uint16),
        "key": (key * block + first).astype(np.uint16),
        "weight": largest(weights, block)[query, key].round(4),
        "target": largest(predicted, block)[query, key],
    }
    return Cells(columns, block, first, last)


def largest(values: np.ndarray, block: int) -> np.ndarray:
    """The largest value of every block x block square; a square at the edge may be cut off."""
    sides = -(-len(values) // block)
    missing = sides * block - len(values)
    padded = np.pad(values, ((0, missing), (0, missing)))
    return padded.reshape(sides, block, sides, block).max(axis=(1, 3))


def cell_step(squares: int) -> float:
    """Pixels of a square of a pattern that has so many of them along its side."""
    return min(46.0, PATTERN_SIZE / squares)


def pattern_width(cells: Cells, labels: Sequence[str]) -> int:
    """Pixels that make the squares of a pattern square, the labels beside them included."""
    longest = max(len(label) for label in labels[cells.first : cells.last + 1])
    squares = len(cells.starts)
    return round(cell_step(squares) * squares + 7 * min(longest + 4, 13) + 40)


def attention_pattern(
    cells: Cells, labels: Sequence[str], role: Role | str, *, rest_hidden: bool = False
) -> Drawing:
    """One head's attention: rows look, columns are looked at; the role's cells are outlined.

    Args:
        cells: from :func:`pattern_cells`.
        labels: [pos] the tokens as short text.
        role: names the outline in the tooltip; or what is outlined instead, in words.
        rest_hidden: whether the resting column was hidden; the chart's title says so.
    """
    step = cell_step(len(cells.starts))
    shape = _pattern_template(
        blocks=cells.block > 1,
        # Crowded outlines must not hide the cells.
        outline=2 if step > 10 else 0.8,
        numbers=step >= 26,
        rest_hidden=rest_hidden,
    )
    values = {
        "tokens": list(labels[cells.first : cells.last + 1]),
        "starts": cells.starts,
        "outlined": f"outlined ({role if isinstance(role, str) else role.name})",
        "first": cells.first,
        "last": cells.last,
        "block": cells.block,
        "squares": len(cells.starts),
        "pixels": round(step, 2),
    }
    height = round(step * len(cells.starts))
    return Drawing(shape, {"cells": cells.columns}, height, values)


@template
def _pattern_template(
    *, blocks: bool, outline: float, numbers: bool, rest_hidden: bool
) -> alt.LayerChart:
    """The squares as cells or as blocks, their outlines so many pixels wide."""
    domain = alt.Scale(domain=["@starts"], padding=0)
    across = token_axis("looks at", pixels="(width / squares)", blocks=blocks)
    down = token_axis("this token", pixels="pixels", blocks=blocks)
    base = _squares(blocks=blocks).encode(
        x=alt.X("key:O", scale=domain, axis=alt.Axis(orient="top", labelAngle=-60, **across)),
        y=alt.Y("query:O", scale=domain, axis=alt.Axis(**down)),
    )
    fill = base.mark_rect(fill=ACTIVE).encode(
        fillOpacity=alt.FillOpacity(
            "weight:Q",
            scale=alt.Scale(type="sqrt", domain=[0, 1], range=[0, STRONGEST]),
            legend=None,
        )
    )
    targets = base.transform_filter("datum.target").mark_rect(
        fillOpacity=0, stroke=TARGET, strokeWidth=outline, strokeOpacity=0.75 if blocks else 1
    )
    layers = [fill, targets, *([_numbers(base)] if numbers else [])]
    title = {"title": _title(HIDDEN_TITLE)} if rest_hidden else {}
    names = ("tokens", "first", "last", "block", "squares", "pixels")
    return (
        alt.layer(*layers)
        .add_params(*(alt.param(name=name, value=f"@{name}") for name in names))
        .properties(
            width="container",
            autosize=alt.AutoSizeParams(type="fit-x", contains="padding"),
            # On a phone labels become longer than their place was measured for.
            padding={"left": 2, "right": 2, "top": 16, "bottom": 2},
            **title,
        )
        .configure_view(stroke=QUIET, strokeOpacity=0.35)
    )


def token_axis(title: str, *, pixels: str, blocks: bool = False) -> dict[str, object]:
    """The settings of an axis of tokens. A label needs :data:`LABEL` pixels, so where squares are
    narrower only every few are labelled, and their position says which ones they are. The chart has
    the parameters ``tokens``, ``first`` (the first position) and ``block`` (cells per square).

    Args:
        title: what the axis stands for.
        pixels: pixels of a square, as a Vega expression: a phone has fewer than a desk.
        blocks: whether squares are blocks of cells.
    """
    every = f"ceil({LABEL} / {pixels})"
    token = "tokens[datum.value - first]"
    named = f"datum.value + ' ' + {token}" if blocks else token
    return {
        "title": title,
        "labelExpr": f"((datum.value - first) / block) % {every} ? '' : "
        f"{every} > 1 ? datum.value + ' ' + {token} : {named}",
        "labelFontSize": 12,
        "titleFontSize": 12,
        "labelLimit": 90,
        "labelOverlap": False,
        "ticks": False,
        "domain": False,
        "titleFontWeight": "normal",
    }


def _squares(*, blocks: bool) -> alt.Chart:
    """The squares with their tooltip: a single cell by its tokens, a block by its positions."""
    if blocks:
        name = "'positions ' + datum.{0} + ' to ' + min(datum.{0} + block - 1, last)"
    else:
        name = "tokens[datum.{0} - first] + ' (' + datum.{0} + ')'"
    names = {"looks": name.format("query"), "at": name.format("key")}
    weight = "largest attention" if blocks else "attention"
    return (
        rows("cells")
        .transform_calculate(predicted="datum.target ? 'yes' : 'no'", **names)
        .encode(
            tooltip=[
                alt.Tooltip("looks:N", title="token"),
                alt.Tooltip("at:N", title="looks at"),
                alt.Tooltip("weight:Q", title=weight, format=".1%"),
                alt.Tooltip("predicted:N", title="@outlined"),
            ]
        )
    )


def _numbers(base: alt.Chart) -> alt.Chart:
    """Whole percents in the cells, on a screen where these are wide enough to hold them."""
    return (
        base.transform_filter("datum.weight >= 0.005")
        .transform_calculate(number="format(datum.weight * 100, '.0f')")
        .mark_text(color=INK, fontSize=12, opacity={"expr": "width / squares >= 24 ? 1 : 0"})
        .encode(text="number:N")
    )


def _title(lines: Sequence[str]) -> alt.TitleParams:
    return alt.TitleParams(
        text=list(lines), anchor="start", color=INK, fontSize=13, fontWeight="bold", offset=6
    )


def _sparse_distances() -> str:
    """Every label where there is room; else every third distance and all other labels."""
    number = "toNumber(replace(datum.label, '−', ''))"
    keep = f"width / bars >= 28 || !isValid({number}) || {number} % 3 == 0"
    return f"{keep} ? datum.label : ''"


def _distances() -> alt.Chart:
    """The distances along the x axis, each with its tooltip."""
    return rows("distances").encode(
        x=alt.X(
            "label:N",
            sort=["@order"],
            scale=alt.Scale(paddingInner=0.25, paddingOuter=0.1),
            axis=alt.Axis(
                title="tokens back (0 is the token itself)",
                labelExpr=_sparse_distances(),
                labelAngle=0,
                labelOverlap=False,
                ticks=False,
                domain=False,
                titleFontWeight="normal",
                titleFontSize=12,
            ),
        ),
        tooltip=[
            alt.Tooltip("name:N", title="distance"),
            alt.Tooltip("share:Q", title="mean attention", format=".1%"),
            alt.Tooltip("chance:Q", title="an even spread", format=".1%"),
            alt.Tooltip("rows:Q", title="tokens averaged"),
        ],
    )


def offset_bars(records: Sequence[Mapping[str, object]]) -> Drawing:
    """A bar per distance, from the far left to the token itself, and the first token on its own.

    Args:
        records: in the order of drawing: label, name, share 0..1, chance 0..1, rows, alone
            (drawn hollow, because it is not a distance).
    """
    bars = [
        {**r, "share": round(float(r["share"]), 4), "chance": round(float(r["chance"]), 4)}
        for r in records
    ]
    values = {"order": [record["label"] for record in records], "bars": len(records)}
    return Drawing(_offsets_template(), {"distances": bars}, 220, values)


@template
def _offsets_template() -> alt.LayerChart:
    base = _distances()
    scale = alt.Scale(domain=[0, 1], nice=False)
    axis = alt.Axis(
        title=None,
        format="%",
        values=[0, 0.25, 0.5, 0.75, 1],
        labelFontSize=12,
        domain=False,
        gridOpacity=0.25,
    )
    bars = base.mark_bar(
        cornerRadius=2,
        fill={"expr": f"datum.alone ? '{QUIET}' : '{ACTIVE}'"},
        fillOpacity={"expr": "datum.alone ? 0.2 : 1"},
        stroke={"expr": f"datum.alone ? '{QUIET}' : '{ACTIVE}'"},
        strokeWidth=1.5,
    ).encode(y=alt.Y("share:Q", scale=scale, axis=axis), y2=alt.datum(0))
    ticks = base.mark_tick(orient="horizontal", thickness=3, color=INK, opacity=1).encode(
        y=alt.Y("chance:Q", scale=scale)
    )
    numbers = (
        base.transform_filter("datum.share >= 0.005")
        .transform_calculate(
            number="format(datum.share * 100, '.0f')", top="max(datum.share, datum.chance)"
        )
        .mark_text(color=INK, fontSize=12, dy=-9)
        .encode(y=alt.Y("top:Q", scale=scale), text="number:N")
    )
    return (
        alt.layer(bars, ticks, numbers)
        .add_params(alt.param(name="bars", value="@bars"))
        .properties(
            width="container",
            autosize=alt.AutoSizeParams(type="fit-x", contains="padding"),
            padding={"left": 2, "right": 4, "top": 12, "bottom": 2},
        )
        .configure_view(strokeWidth=0)
    )
