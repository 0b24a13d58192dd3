"""Before and after a knock-out: what a head looks at, and how well each token is expected.

Two series on one axis. Shape, dash and words repeat what each colour says.

>>> drawing = token_lines(records, [(8, 16)], labels, names=("untouched", "L1H4 off"))
... # doctest: +SKIP
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import altair as alt

from headroles.charts.attention import token_axis
from headroles.charts.base import ACTIVE, INK, QUIET, TARGET, finish, rows, zero
from headroles.charts.drawing import ZERO, Drawing, template

Names = tuple[str, str]
"""The two series, in order."""
MARKED = 90
"""Most tokens whose points are drawn; of a longer text the running mean is."""
ROW = 22
"""Pixels of a token's row."""


# ------------------------------------------------------------------ token by token


def token_lines(
    records: Sequence[Mapping[str, object]],
    repeated: Sequence[tuple[int, int]],
    labels: Sequence[str],
    *,
    names: Names,
) -> Drawing:
    """The probability of every token after the first one, on a logarithmic axis, as two lines.

    Args:
        records: one per token, by position from 1: position, token, before and after 0..1, low and
            high (the band of random others; None without), was, now, random, again (for hovering).
        repeated: first and last position of each stretch that repeats.
        labels: [pos] the tokens as short text.
        names: the two lines, untouched first.
    """
    least = min(record[name] for record in records for name in ("before", "after"))
    lowest = min(-1, math.floor(math.log10(least)))
    step = -(lowest // 5)  # at most six labels
    window = running(len(records))
    points = [
        {"position": record["position"], "who": who, "p": record[name], "mean": mean}
        for name, who in zip(("before", "after"), names, strict=True)
        for record, mean in zip(records, _means([r[name] for r in records], window), strict=True)
    ]
    longest = max(repeated, key=lambda span: span[1] - span[0], default=None)
    banded = all(record["low"] is not None for record in records)
    data = {
        "points": points,
        "tokens": _smooth_band(records, window) if banded else records,
        "spans": [
            {"from": a - 0.5, "to": b + 0.5, "word": "↻ repeats" if (a, b) == longest else ""}
            for a, b in repeated
        ],
    }
    values = {
        "names": list(names),
        "labels": list(labels),
        "places": list(range(1, len(records) + 1)),
        "ends": [0.5, len(records) + 0.5],
        "count": len(records),
        "floor": 10.0**lowest,
        "ticks": [10.0**power for power in range(0, lowest - 1, -step)],
    }
    shape = _lines_template(band=banded, points=len(records) <= MARKED, spans=bool(repeated))
    return Drawing(shape, data, 240, values)


def running(tokens: int) -> int:
    """Over how many tokens the bold lines of a text are a running mean; 1 for each on its own.

    >>> running(17), running(400)
    (1, 13)
    """
    return 1 if tokens <= MARKED else 2 * (tokens // 60) + 1


def _means(shares: Sequence[float], window: int) -> list[float]:
    """The running geometric mean, over what there is of the window at the ends."""
    logs, side = [math.log(share) for share in shares], window // 2
    parts = [logs[max(0, place - side) : place + side + 1] for place in range(len(logs))]
    return [math.exp(sum(part) / len(part)) for part in parts]


def _smooth_band(
    records: Sequence[Mapping[str, object]], window: int
) -> list[Mapping[str, object]]:
    """The records with the edges of the band as running means, like the bold lines."""
    low, high = (_means([record[edge] for record in records], window) for edge in ("low", "high"))
    edges = zip(low, high, strict=True)
    return [
        {**record, "low": least, "high": most}
        for record, (least, most) in zip(records, edges, strict=True)
    ]


@template
def _lines_template(*, band: bool, points: bool, spans: bool) -> alt.LayerChart:
    axis = token_axis("token (and what stands before it is known)", pixels="(width / squares)")
    across = alt.Axis(**{**axis, "title": "the token to guess"}, values=["@places"], grid=False,
                      labelAngle=-60)  # fmt: skip
    scale = alt.Scale(domain=["@ends"], nice=False, zero=False)
    x, left = (alt.X(f"{name}:Q", scale=scale, axis=across) for name in ("position", "from"))
    upright = {
        "scale": alt.Scale(type="log", domain=["@floor", 1], nice=False, clamp=True),
        "axis": alt.Axis(
            title="probability (log scale)",
            values=["@ticks"],
            labelExpr="format(datum.value * 100, '~g') + '%'",
            gridOpacity=0.25,
            domain=False,
            titleFontWeight="normal",
        ),
    }
    y = alt.Y("p:Q", **upright)
    colour, shape = _series("who:N", filled=points)
    dash = alt.StrokeDash(
        "who:N",
        scale=alt.Scale(domain=["@names"], range=[[1, 0], [5, 3]]),
        legend=None if points else _legend(symbolOpacity=1),
    )
    lines = rows("points").encode(x=x, color=colour, strokeDash=dash)
    bold = lines.mark_line(strokeWidth=2 if points else 3).encode(y=alt.Y("mean:Q", **upright))
    layers = [bold]
    if not points:
        each = rows("points").mark_line(strokeWidth=1, opacity=0.2)
        layers.insert(0, each.encode(x=x, y=y, color=colour))
    if points:
        marks = rows("points").mark_point(filled=True, size=55, opacity=1)
        layers.append(marks.encode(x=x, y=y, color=colour, shape=shape))
    if band:
        area = rows("tokens").mark_area(color=QUIET, opacity=0.3 if points else 0.6)
        layers.insert(0 if points else 1, area.encode(x=x, y=alt.Y("low:Q"), y2="high:Q"))
    if spans:
        stretch = rows("spans").encode(x=left, x2="to:Q")
        layers.insert(0, stretch.mark_rect(fill=TARGET, fillOpacity=0.1))
        word = rows("spans").mark_text(
            align="left", baseline="bottom", dx=2, color=INK, fontSize=12
        )
        layers.append(word.encode(x=left, y=alt.value(-3), text="word:N"))
    layers.append(_hover(alt.X("left:Q", scale=scale, axis=across)))
    params = {"tokens": "@labels", "first": 0, "block": 1, "squares": "@count"}
    return finish(
        alt.layer(*layers).add_params(*(alt.param(name=n, value=v) for n, v in params.items()))
    )


def _hover(x: alt.X) -> alt.Chart:
    """A clear column over every token, with its words."""
    return (
        rows("tokens")
        .transform_calculate(left="datum.position - 0.5", right="datum.position + 0.5")
        .mark_rect(fillOpacity=0)
        .encode(
            x=x,
            x2="right:Q",
            tooltip=[
                alt.Tooltip("token:N", title="token"),
                alt.Tooltip("position:Q", title="position"),
                alt.Tooltip("was:N", title="untouched"),
                alt.Tooltip("now:N", title="knocked out"),
                alt.Tooltip("random:N", title="random others"),
                alt.Tooltip("again:N", title="repeats"),
            ],
        )
    )


_RUNS = {"range": [ACTIVE, TARGET]}, {"range": ["circle", "diamond"]}
_CHANGES = {"range": [TARGET, QUIET]}, {"range": ["diamond", "circle"]}
"""Colours and shapes of two runs, and of the knock-out's change beside that of random others: what
is knocked out looks the same in both."""


def _legend(**settings: object) -> alt.Legend:
    return alt.Legend(
        title=None, orient="top", symbolSize=90, labelLimit=420, columns=1, direction="vertical",
        **settings,
    )  # fmt: skip


def _series(
    field: str, *, changes: bool = False, filled: bool = True
) -> tuple[alt.Color, alt.Shape]:
    """Colour and shape of two series, under one legend."""
    colours, shapes = _CHANGES if changes else _RUNS
    legend = _legend(symbolStrokeWidth=0) if filled else _legend(symbolOpacity=1)
    order = ["@names"]
    return (
        alt.Color(field, scale=alt.Scale(domain=order, **colours), legend=legend),
        alt.Shape(field, scale=alt.Scale(domain=order, **shapes), legend=legend),
    )


# ------------------------------------------------------------------ where a head looks


def looks_by_token(
    records: Sequence[Mapping[str, object]],
    labels: Sequence[str],
    *,
    names: Names,
    title: str,
    signed: bool,
) -> Drawing:
    """A head's attention at one position, a row per token, two marks in each.

    Args:
        records: row (0, 1, ... from the top), who, token, share, low and high (of a whisker; the
            share itself without one), shown.
        labels: [row] the tokens.
        names: the two series.
        title: of the axis.
        signed: whether the numbers are differences.
    """
    values = {**_values(records, names=names, title=title), "labels": list(labels)}
    return Drawing(
        _by_token_template(signed=signed),
        {"zero": ZERO, "looks": records},
        ROW * len(labels),
        values,
    )


def _values(
    records: Sequence[Mapping[str, object]], *, names: Names, title: str
) -> dict[str, object]:
    ends = [record[name] for record in records for name in ("low", "high")]
    low, high = min(0.0, *ends), max(0.05, *ends)
    room = 0.04 * (high - low)
    return {
        "names": list(names),
        "title": title,
        "ends": [low - room * (low < 0), min(high + room, 1.02)],
    }


_POINTS = (
    "(datum.value > 0 ? '+' : datum.value < 0 ? '−' : '') + format(abs(datum.value) * 100, '~r')"
)
"""A difference of shares in percentage points, with its sign."""


def _shares(field: str, *, signed: bool) -> dict[str, object]:
    """The settings of the axis of shares, or of their differences."""
    return {
        "shorthand": field,
        "scale": alt.Scale(domain=["@ends"], nice=False, zero=False),
        "axis": alt.Axis(
            title="@title",
            tickCount=5,
            **({"labelExpr": _POINTS} if signed else {"format": ".0%"}),
            gridOpacity=0.25,
            domain=False,
            titleFontWeight="normal",
        ),
    }


_TOOLTIP = [
    alt.Tooltip("token:N", title="token"),
    alt.Tooltip("who:N", title="run"),
    alt.Tooltip("shown:N", title="attention"),
]


@template
def _by_token_template(*, signed: bool) -> alt.LayerChart:
    y = alt.Y(
        "row:O",
        axis=alt.Axis(
            title=None,
            labelExpr="labels[datum.value]",
            labelLimit=130,
            labelOverlap=False,
            ticks=False,
            domain=False,
            grid=True,
            gridOpacity=0.12,
        ),
    )
    colour, shape = _series("who:N", changes=signed)
    base = rows("looks").encode(y=y, tooltip=_TOOLTIP)
    marks = base.mark_point(filled=True, size=85, opacity=1).encode(
        x=alt.X(**_shares("share:Q", signed=signed)), color=colour, shape=shape
    )
    whiskers = base.mark_rule(strokeWidth=2).encode(x="low:Q", x2="high:Q", color=colour)
    return finish(
        alt.layer(zero().encode(x="at:Q"), whiskers, marks).add_params(
            alt.param(name="labels", value="@labels")
        )
    )


def looks_by_offset(
    records: Sequence[Mapping[str, object]],
    places: Sequence[str],
    *,
    names: Names,
    title: str,
    signed: bool,
) -> Drawing:
    """A head's mean attention by offset from the query position, with standard errors.

    Args:
        records: token (the place), who, share, low, high, shown.
        places: every place in order: 0, 1, ..., further back, the start token.
        names: the two series.
        title: of the axis.
        signed: whether the numbers are differences.
    """
    values = {**_values(records, names=names, title=title), "places": list(places)}
    return Drawing(
        _by_offset_template(signed=signed), {"zero": ZERO, "looks": records}, 230, values
    )


_LOWER = "width < 450 && indexof(datum.label, 'start') == 0 ? '\u200b \u200b ' : ''"
_PLACE = f"split(({_LOWER}) + datum.label, ' ')"
"""A word per line; on a phone the last place stands below its neighbour, which is as wide."""


@template
def _by_offset_template(*, signed: bool) -> alt.LayerChart:
    colour, shape = _series("who:N", changes=signed)
    base = rows("looks").encode(
        x=alt.X(
            "token:N",
            sort=["@places"],
            scale=alt.Scale(paddingInner=0.3, paddingOuter=0.15),
            axis=alt.Axis(
                title="Offset from query position",
                labelAngle=0,
                labelExpr=_PLACE,
                labelOverlap=False,
                titleFontWeight="normal",
                domain=False,
            ),
        ),
        xOffset=alt.XOffset("who:N", scale=alt.Scale(domain=["@names"], paddingOuter=0.5)),
        tooltip=_TOOLTIP,
    )
    marks = base.mark_point(filled=True, size=85, opacity=1).encode(
        y=alt.Y(**_shares("share:Q", signed=signed)), color=colour, shape=shape
    )
    whiskers = base.mark_rule(strokeWidth=2).encode(y="low:Q", y2="high:Q", color=colour)
    return finish(alt.layer(zero().encode(y="at:Q"), whiskers, marks))
