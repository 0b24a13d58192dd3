"""What was predicted beside what came: bars of options, and a number on its line.

>>> drawing = bars(records, title="activation", whole=True)  # doctest: +SKIP
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence

import altair as alt

from headroles.charts.base import ACTIVE, INK, QUIET, finish, rows
from headroles.charts.drawing import Drawing, template
from headroles.charts.heads import CHANCE, NEEDED, UPRIGHT

ROW = 44
"""Pixels that a bar takes with its line of text."""
LINE = 92
"""Pixels of a number's line with its words."""
FORMS = {True: "~%", False: "~r"}
"""{whether it is a share: how an axis writes a number (d3)}; with "g", ten heads would be 1e+1."""
LETTERS = 34
"""Most characters of an option on one line of a phone: as many as it holds beside the number."""
NARROW = 480
"""Pixels of a chart below which options go over several lines."""
LINE_HEIGHT = 16
"""Pixels from one line of an option to the next."""
LARGE = 0.25
"""From this share on an axis goes to all of it, so that no bar looks like the whole."""
_BELOW = 9  # pixels from the middle of a row of one line of text down to its bar
_EDGE = 0.25  # words nearer to an end than this share of the line begin, or end, there


def bars(
    records: Sequence[Mapping[str, object]], *, title: str, whole: bool, is_share: bool
) -> Drawing:
    """One bar per option, its name and number above it; what was right is filled.

    Args:
        records: from :func:`headroles.view.lesson_records.option_records` or ``wake_record``.
        title: what the numbers are.
        whole: whether the axis goes from 0 to 1 whatever the numbers are.
        is_share: whether the axis writes them in percent.
    """
    values = [0.0, *(float(record["value"]) for record in records)]
    low, high = (0.0, 1.0) if whole else (min(values), max(values))
    high = 1.0 if is_share and LARGE <= high < 1 else high
    places = {"title": title, "low": low, "high": high if high > low else low + 1}
    places["form"] = FORMS[is_share]
    lines = [textwrap.wrap(str(record["label"]), LETTERS) for record in records]
    more = LINE_HEIGHT * (max(map(len, lines)) - 1)
    options = [
        {
            **record,
            "lines": "\n".join(own),
            "close": more / 2 - _BELOW,
            "first": _first(len(own), more),
            "below": _BELOW + more / 2,
            "crosses": low < 0,
        }
        for record, own in zip(records, lines, strict=True)
    ]
    return Drawing(_bars_template(), {"options": options}, (ROW + more) * len(records), places)


def _first(lines: int, more: float) -> float:
    """Pixels from the middle of a row to its first line; the last one stands above the bar."""
    return more / 2 - _BELOW - LINE_HEIGHT * (lines - 1)


def _axis(ticks: int, **look: object) -> alt.Axis:
    return alt.Axis(
        title="@title",
        format="@form",
        tickCount=ticks,
        grid=False,
        labelFlush=True,
        titleFontWeight="normal",
        titlePadding=4,
        **look,
    )


@template
def _bars_template() -> alt.LayerChart:
    scale = alt.Scale(domain=["@low", "@high"], nice=False, zero=False)
    axis = _axis(3, domain=False)
    base = rows("options").encode(y=alt.Y("order:O", axis=None, scale=alt.Scale(padding=0)))
    bar = {"height": 10, "yOffset": {"expr": "datum.below"}, "cornerRadius": 3}
    track = base.mark_bar(fill=QUIET, fillOpacity=0.14, **bar).encode(
        x=alt.value(0), x2=alt.value("width")
    )
    colour = {"expr": f"datum.right ? '{ACTIVE}' : '{QUIET}'"}
    filled = base.mark_bar(
        fill=colour,
        fillOpacity={"expr": "datum.right ? 1 : 0.2"},
        stroke=colour,
        strokeWidth=1.5,
        **bar,
    ).encode(x=alt.X("value:Q", scale=scale, axis=axis), x2=alt.datum(0))
    marks = [
        base.transform_filter(f"isValid(datum.{name})")
        .mark_point(shape=UPRIGHT, size=size, yOffset={"expr": "datum.below"}, **look)
        .encode(x=alt.X(f"{name}:Q", scale=scale))
        for name, size, look in (("chance", 64, CHANCE), ("needed", 256, NEEDED))
    ]
    at_zero = (
        base.transform_filter("datum.crosses")
        .mark_point(
            shape=UPRIGHT,
            size=256,
            yOffset={"expr": "datum.below"},
            stroke=INK,
            strokeWidth=1,
            opacity=1,
        )
        .encode(x=alt.X(datum=0, scale=scale))
    )
    return finish(alt.layer(track, filled, at_zero, *marks, *_words(base)))


def _words(base: alt.Chart) -> list[alt.Chart]:
    """Above each bar: the option, marked as it was chosen, and its number."""
    text = {"color": INK, "fontSize": 13, "baseline": "middle"}
    narrow = f"width < {NARROW}"
    dy = {"expr": f"{narrow} ? datum.first : datum.close"}
    left = base.mark_text(
        align="left",
        dy=dy,
        text={"expr": f"{narrow} ? datum.lines : datum.label"},
        fontWeight={"expr": "datum.yours ? 700 : 400"},
        limit={"expr": "width - 7.2 * length(datum.differs + datum.shown) - 10"},
        lineBreak="\n",
        lineHeight=LINE_HEIGHT,
        **text,
    ).encode(
        x=alt.value(0),
        tooltip=[
            alt.Tooltip("name:N", title="option"),
            alt.Tooltip("shown:N", title="it is"),
            alt.Tooltip("needs:N", title="needs"),
        ],
    )
    right = (
        base.transform_calculate(said="datum.differs + datum.shown")
        .mark_text(align="right", dy=dy, fontWeight={"expr": "datum.right ? 700 : 400"}, **text)
        .encode(x=alt.value("width"), text="said:N")
    )
    return [left, right]


def number_line(record: Mapping[str, object], *, title: str, is_share: bool) -> Drawing:
    """A number on its line: above it what was said, below it what came, with the band around it
    that counts as right.

    Args:
        record: from :func:`headroles.view.lesson_records.line_record`.
        title: what the number is.
        is_share: whether the axis writes it in percent.
    """
    span = float(record["high"]) - float(record["low"])
    places = {"title": title, "low": record["low"], "high": record["high"]}
    places["form"] = FORMS[is_share]
    data = {"number": [{**record, "span": span}]}
    return Drawing(_line_template(), data, LINE, places)


@template
def _line_template() -> alt.LayerChart:
    scale = alt.Scale(domain=["@low", "@high"], nice=False, zero=False)
    axis = _axis(5)
    base = rows("number")
    band = base.mark_rect(
        fill=ACTIVE, fillOpacity=0.22, stroke=ACTIVE, strokeDash=[4, 2], strokeWidth=1.2
    ).encode(
        x=alt.X("from:Q", scale=scale, axis=axis), x2="to:Q", y=alt.value(28), y2=alt.value(64)
    )
    line = base.mark_rule(color=INK, opacity=0.5).encode(
        x=alt.value(0), x2=alt.value("width"), y=alt.value(46)
    )
    it = base.mark_rule(color=ACTIVE, strokeWidth=4).encode(
        x=alt.X("value:Q", scale=scale), y=alt.value(28), y2=alt.value(64)
    )
    you = base.mark_point(shape="triangle-down", size=140, fill=INK, stroke=INK, opacity=1).encode(
        x=alt.X("said:Q", scale=scale), y=alt.value(38)
    )
    words = [
        base.mark_text(
            align={"expr": _towards_the_middle(at)},
            color=INK,
            fontSize=13,
            fontWeight=weight,
            baseline="middle",
        ).encode(x=alt.X(f"{at}:Q", scale=scale), y=alt.value(y), text=f"{text}:N")
        for at, text, y, weight in (("said", "you", 14, 400), ("value", "it", 78, 700))
    ]
    return finish(alt.layer(band, line, it, you, *words))


def _towards_the_middle(at: str) -> str:
    """How words at a place are aligned so that they stay within the line."""
    along = f"(datum.{at} - {{low}}) / datum.span".format(low="datum.low")
    return f"{along} < {_EDGE} ? 'left' : {along} > {1 - _EDGE} ? 'right' : 'center'"
