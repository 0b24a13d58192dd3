"""Charts of one head: its attention pattern and its offset profile.

As in :mod:`headroles.charts`, whose colours are used here, a chart takes plain numbers and does not
depend on the page's theme. A long prompt has more cells than a screen has room for (20,100 at 200
tokens), so a pattern over more than :data:`MOST` tokens is drawn in blocks of b x b cells, each
shaded by its largest weight, and only the blocks are sent.

>>> cells = pattern_cells(attention, targets)  # doctest: +SKIP
>>> chart = attention_pattern(cells, labels, ROLES["induction"])  # doctest: +SKIP
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import altair as alt
import numpy as np
import pandas as pd

from headroles.charts.base import ACTIVE, INK, QUIET, TARGET
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
    return round(max(weight, 0.0) ** 0.5, 3)


class Cells(NamedTuple):
    """What an attention pattern draws."""

    frame: pd.DataFrame
    """One row per square: query and key (its first positions), weight 0..1, target."""
    block: int
    """Cells along the side of a square; 1 where every cell is drawn."""
    first: int
    """The first position that is drawn."""
    last: int
    """The last position that is drawn."""


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
    frame = pd.DataFrame(
        {
            "query": (query * block + first).astype(np.uint16),
            "key": (key * block + first).astype(np.uint16),
            "weight": _largest(weights, block)[query, key].round(4),
            "target": _largest(predicted, block)[query, key],
        }
    )
    return Cells(frame, block, first, last)


def _largest(values: np.ndarray, block: int) -> np.ndarray:
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
    squares = cells.frame["query"].nunique()
    return round(cell_step(squares) * squares + 7 * min(longest + 4, 13) + 40)


def attention_pattern(
    cells: Cells, labels: Sequence[str], role: Role, *, rest_hidden: bool = False
) -> alt.LayerChart:
    """One head's attention: rows look, columns are looked at; the role's cells are outlined.

    Args:
        cells: from :func:`pattern_cells`.
        labels: [pos] the tokens as short text.
        role: names the outline in the tooltip.
        rest_hidden: whether the resting column was hidden; the chart's title says so.
    """
    starts = list(range(cells.first, cells.last + 1, cells.block))
    step = cell_step(len(starts))
    tokens = alt.param(name="tokens", value=list(labels[cells.first : cells.last + 1]))
    domain = alt.Scale(domain=starts, padding=0)
    across = _token_axis(cells, "looks at", pixels=f"(width / {len(starts)})")
    down = _token_axis(cells, "this token", pixels=f"{step:.2f}")
    base = _squares(cells, role).encode(
        x=alt.X("key:O", scale=domain, axis=alt.Axis(orient="top", labelAngle=-60, **across)),
        y=alt.Y("query:O", scale=domain, axis=alt.Axis(**down)),
    )
    fill = base.mark_rect(fill=ACTIVE).encode(
        fillOpacity=alt.FillOpacity(
            "weight:Q", scale=alt.Scale(type="sqrt", domain=[0, 1], range=[0, 1]), legend=None
        )
    )
    outline = base.transform_filter("datum.target").mark_rect(
        fillOpacity=0,
        stroke=TARGET,
        # Crowded outlines must not hide the cells.
        strokeWidth=2 if step > 10 else 0.8,
        strokeOpacity=1 if cells.block == 1 else 0.75,
    )
    layers = [fill, outline, *([_numbers(base, len(starts))] if step >= 26 else [])]
    title = {"title": _title(HIDDEN_TITLE)} if rest_hidden else {}
    return (
        alt.layer(*layers)
        .add_params(tokens)
        .properties(
            width="container",
            height=round(step * len(starts)),
            autosize=alt.AutoSizeParams(type="fit-x", contains="padding"),
            padding={"left": 2, "right": 2, "top": 2, "bottom": 2},
            **title,
        )
        .configure_view(stroke=QUIET, strokeOpacity=0.35)
    )


def _token_axis(cells: Cells, title: str, *, pixels: str) -> dict[str, object]:
    """The settings of an axis of tokens. A label needs :data:`LABEL` pixels, so where squares are
    narrower only every few are labelled, and their position says which ones they are.

    Args:
        cells: what is drawn.
        title: what the axis stands for.
        pixels: pixels of a square, as a Vega expression: a phone has fewer than a desk.
    """
    every = f"ceil({LABEL} / {pixels})"
    token = f"tokens[datum.value - {cells.first}]"
    named = token if cells.block == 1 else f"datum.value + ' ' + {token}"
    return {
        "title": title,
        "labelExpr": f"((datum.value - {cells.first}) / {cells.block}) % {every} ? '' : "
        f"{every} > 1 ? datum.value + ' ' + {token} : {named}",
        "labelFontSize": 12,
        "labelLimit": 90,
        "labelOverlap": False,
        "ticks": False,
        "domain": False,
        "titleFontWeight": "normal",
    }


def _squares(cells: Cells, role: Role) -> alt.Chart:
    """The squares with their tooltip: a single cell by its tokens, a block by its positions."""
    if cells.block == 1:
        tokens, weight = f"tokens[datum.{{0}} - {cells.first}] + ' (' + datum.{{0}} + ')'", ""
        names = {"looks": tokens.format("query"), "at": tokens.format("key")}
    else:
        last = f"min(datum.{{0}} + {cells.block - 1}, {cells.last})"
        span, weight = "'positions ' + datum.{0} + ' to ' + " + last, "largest "
        names = {"looks": span.format("query"), "at": span.format("key")}
    return (
        alt.Chart(cells.frame)
        .transform_calculate(predicted="datum.target ? 'yes' : 'no'", **names)
        .encode(
            tooltip=[
                alt.Tooltip("looks:N", title="token"),
                alt.Tooltip("at:N", title="looks at"),
                alt.Tooltip("weight:Q", title=f"{weight}attention", format=".1%"),
                alt.Tooltip("predicted:N", title=f"outlined ({role.name})"),
            ]
        )
    )


def _numbers(base: alt.Chart, squares: int) -> alt.Chart:
    """Whole percents in the cells, on a screen where these are wide enough to hold them."""
    return (
        base.transform_filter("datum.weight >= 0.005")
        .transform_calculate(number="format(datum.weight * 100, '.0f')")
        .mark_text(color=INK, fontSize=11, opacity={"expr": f"width / {squares} >= 22 ? 0.9 : 0"})
        .encode(text="number:N")
    )


def _title(lines: Sequence[str]) -> alt.TitleParams:
    return alt.TitleParams(
        text=list(lines), anchor="start", color=INK, fontSize=13, fontWeight="bold", offset=6
    )


def _sparse_distances(bars: int) -> str:
    """Every label where there is room; else every third distance and all other labels."""
    number = "toNumber(replace(datum.label, '−', ''))"
    keep = f"width / {bars} >= 26 || !isValid({number}) || {number} % 3 == 0"
    return f"{keep} ? datum.label : ''"


def _distances(records: Sequence[Mapping[str, object]]) -> alt.Chart:
    """The distances along the x axis, each with its tooltip."""
    frame = pd.DataFrame(records)
    frame[["share", "chance"]] = frame[["share", "chance"]].round(4)
    order = list(frame["label"])
    return alt.Chart(frame).encode(
        x=alt.X(
            "label:N",
            sort=order,
            scale=alt.Scale(paddingInner=0.25, paddingOuter=0.1),
            axis=alt.Axis(
                title="tokens back (0 is the token itself)",
                labelExpr=_sparse_distances(len(frame)),
                labelAngle=0,
                labelFontSize=11,
                labelOverlap=False,
                ticks=False,
                domain=False,
                titleFontWeight="normal",
            ),
        ),
        tooltip=[
            alt.Tooltip("name:N", title="distance"),
            alt.Tooltip("share:Q", title="mean attention", format=".1%"),
            alt.Tooltip("chance:Q", title="an even spread", format=".1%"),
            alt.Tooltip("rows:Q", title="tokens averaged"),
        ],
    )


def offset_bars(records: Sequence[Mapping[str, object]]) -> alt.LayerChart:
    """A bar per distance, from the far left to the token itself, and the first token on its own.

    Args:
        records: in the order of drawing: label, name, share 0..1, chance 0..1, rows, alone
            (drawn hollow, because it is not a distance).
    """
    base = _distances(records)
    scale = alt.Scale(domain=[0, 1], nice=False)
    axis = alt.Axis(
        title=None, format="%", values=[0, 0.25, 0.5, 0.75, 1], domain=False, gridOpacity=0.25
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
        .mark_text(color=INK, fontSize=11, dy=-9)
        .encode(y=alt.Y("top:Q", scale=scale), text="number:N")
    )
    return (
        alt.layer(bars, ticks, numbers)
        .properties(
            width="container",
            height=220,
            autosize=alt.AutoSizeParams(type="fit-x", contains="padding"),
            padding={"left": 2, "right": 4, "top": 12, "bottom": 2},
        )
        .configure_view(strokeWidth=0)
    )
