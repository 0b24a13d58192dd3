"""What a class predicted: cells beside the head's pattern, options, numbers, certainty.

>>> drawing = class_and_head(records, lines, tokens)  # doctest: +SKIP
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import altair as alt

from headroles.charts.attention import token_axis
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
    share_axis,
)
from headroles.charts.drawing import Drawing, template

ROW = 30
"""Pixels of a row of cells."""
BAR = 30
"""Pixels of a bar with its name."""
HIGH = 170
"""Pixels of a histogram."""
BINS = 12
"""Bars of a histogram, about."""
NAME = 220
"""Pixels of the name of an option, at most."""


def class_and_head(
    records: Sequence[Mapping[str, object]], lines: Sequence[str], tokens: Sequence[str]
) -> Drawing:
    """Two rows of cells for each token that looks: the class's predictions, and the head.

    Args:
        records: a cell each: line (its row, from 0), key, shade 0..1, number (as text), is_class,
            is_right (outlined), said (for the tooltip).
        lines: [line] what each row is.
        tokens: [pos] the tokens as short text.
    """
    values = {
        "names": list(lines),
        "lines": list(range(len(lines))),
        "tokens": list(tokens),
        "keys": list(range(len(tokens))),
        "count": len(tokens),
    }
    return Drawing(_cells_template(), {"cells": list(records)}, ROW * len(lines), values)


@template
def _cells_template() -> alt.LayerChart:
    across = token_axis("looks at", pixels="(width / count)")
    down = named_rows("line:O", limit=150)
    down.scale = alt.Scale(domain=["@lines"], paddingInner=0.08)
    base = rows("cells").encode(
        x=alt.X(
            "key:O",
            scale=alt.Scale(domain=["@keys"], paddingInner=0.04),
            axis=alt.Axis(orient="top", labelAngle=-60, **across),
        ),
        y=down,
        tooltip=[alt.Tooltip("said:N", title=" ")],
    )
    fill = base.mark_rect(
        fill={"expr": f"datum.is_class ? '{TARGET}' : '{ACTIVE}'"},
        fillOpacity={"expr": f"{LIGHTEST} + {STRONGEST - LIGHTEST} * sqrt(datum.shade)"},
    )
    outline = base.transform_filter("datum.is_right").mark_rect(
        fillOpacity=0, stroke=INK, strokeWidth=1.6
    )
    numbers = base.mark_text(
        color=INK, fontSize=12, opacity={"expr": "width / count >= 17 ? 1 : 0"}
    ).encode(text="number:N")
    params = [
        alt.param(name="names", value="@names"),
        alt.param(name="tokens", value="@tokens"),
        alt.param(name="count", value="@count"),
        alt.param(name="first", value=0),
        alt.param(name="block", value=1),
    ]
    return finish(alt.layer(fill, outline, numbers).add_params(*params))


def option_counts(records: Sequence[Mapping[str, object]], students: int) -> Drawing:
    """A bar for each option, as long as the number of students who chose it.

    Args:
        records: in order: place, name, times, is_right, said (beside the bar).
        students: how many answered, the length of the scale.
    """
    values = {"names": [record["name"] for record in records], "most": students}
    return Drawing(_options_template(), {"options": list(records)}, BAR * len(records), values)


@template
def _options_template() -> alt.LayerChart:
    base = rows("options").encode(
        y=named_rows("place:O", limit=NAME),
        tooltip=[alt.Tooltip("name:N", title="option"), alt.Tooltip("said:N", title="chosen by")],
    )
    axis = alt.Axis(title="students", tickMinStep=1, format="d", grid=False, domain=False,
                    titleFontWeight="normal")  # fmt: skip
    x = alt.X("times:Q", scale=alt.Scale(domain=[0, "@most"], nice=False), axis=axis)
    bars = base.mark_bar(
        fill={"expr": f"datum.is_right ? '{ACTIVE}' : '{QUIET}'"},
        fillOpacity={"expr": "datum.is_right ? 0.75 : 0.25"},
        stroke={"expr": f"datum.is_right ? '{ACTIVE}' : '{QUIET}'"},
        strokeWidth=1.4,
        cornerRadius=2,
    ).encode(x=x, x2=alt.datum(0))
    said = base.mark_text(
        align={"expr": "datum.times > most / 2 ? 'right' : 'left'"},
        dx={"expr": "datum.times > most / 2 ? -6 : 6"},
        color=INK,
        fontSize=12,
    ).encode(x=x, text="said:N")
    params = [alt.param(name="names", value="@names"), alt.param(name="most", value="@most")]
    return finish(alt.layer(bars, said).add_params(*params))


def bins(numbers: Sequence[float], low: float, high: float, step: float) -> list[dict[str, float]]:
    """Numbers counted in bins of one width, which is whole steps of the slider; the last bin holds
    its right end too.

    >>> [one["times"] for one in bins([0, 0.1, 1], 0, 1, 0.5)]
    [2, 1]
    """
    low, high = min([low, *numbers]), max([high, *numbers])
    width = max(math.ceil((high - low) / BINS / step), 1) * step if high > low else step
    many = max(math.ceil((high - low) / width - 1e-9), 1)
    counts = [0] * many
    for number in numbers:
        counts[min(int((number - low) / width + 1e-9), many - 1)] += 1
    return [
        {"from": low + place * width, "to": low + (place + 1) * width, "times": times}
        for place, times in enumerate(counts)
    ]


def numbers(
    counted: Sequence[Mapping[str, float]], answer: float, *, title: str, unit: str
) -> Drawing:
    """A histogram of what was said, with the model's number as a dashed line.

    Args:
        counted: from :func:`bins`.
        answer: the model's number.
        title: of the axis.
        unit: its format, as Vega writes numbers: ``%``, ``~f``.
    """
    most = max((one["times"] for one in counted), default=0)
    ends = [counted[0]["from"], counted[-1]["to"], answer]
    values = {"title": title, "low": min(ends), "high": max(ends), "most": max(most, 4)}
    data = {"bins": list(counted), "answer": [{"at": answer}]}
    return Drawing(_numbers_template(unit), data, HIGH, values)


@template
def _numbers_template(unit: str) -> alt.LayerChart:
    scale = alt.Scale(domain=["@low", "@high"], nice=False)
    quiet = {"grid": False, "domain": False, "titleFontWeight": "normal"}
    x = alt.X("from:Q", scale=scale, axis=alt.Axis(title="@title", format=unit, **quiet))
    y = alt.Y(
        "times:Q",
        scale=alt.Scale(domain=[0, "@most"], nice=False),
        axis=alt.Axis(title="students", format="d", tickMinStep=1, **quiet),
    )
    base = rows("bins").encode(
        tooltip=[
            alt.Tooltip("from:Q", title="from", format=unit),
            alt.Tooltip("to:Q", title="to", format=unit),
            alt.Tooltip("times:Q", title="students"),
        ]
    )
    bars = base.mark_rect(
        fill=TARGET, fillOpacity=0.4, stroke=TARGET, strokeWidth=1.2, cornerRadius=1
    ).encode(x=x, x2="to:Q", y=y, y2=alt.datum(0))
    rule = rows("answer").mark_rule(stroke=INK, strokeWidth=2, strokeDash=[5, 3])
    return finish(alt.layer(bars, rule.encode(x=alt.X("at:Q", scale=scale))))


def certainty(records: Sequence[Mapping[str, object]]) -> Drawing:
    """A bar for each certainty, as long as the mean mark of its answers.

    Args:
        records: in order: place, name, score 0..1, said (beside the bar).
    """
    values = {"names": [record["name"] for record in records]}
    return Drawing(_certainty_template(), {"levels": list(records)}, BAR * len(records), values)


@template
def _certainty_template() -> alt.LayerChart:
    base = rows("levels").encode(y=named_rows("place:O", limit=NAME))
    scale = alt.Scale(domain=[0, 1], nice=False)
    x = alt.X("score:Q", scale=scale, axis=share_axis("mean mark"))
    bars = base.mark_bar(
        fill=ACTIVE, fillOpacity=0.45, stroke=ACTIVE, strokeWidth=1.2, cornerRadius=2
    ).encode(x=x, x2=alt.datum(0))
    said = base.mark_text(
        align={"expr": "datum.score > 0.5 ? 'right' : 'left'"},
        dx={"expr": "datum.score > 0.5 ? -6 : 6"},
        color=INK,
        fontSize=12,
    ).encode(x=x, text="said:N")
    return finish(alt.layer(bars, said).add_params(alt.param(name="names", value="@names")))
