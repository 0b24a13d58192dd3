"""The charts of the circuit lesson and of components: bars with errors, each labelled.

Colours and marks are those of :mod:`headroles.charts.base`; a word repeats what each colour says.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import altair as alt

from headroles.charts.base import ACTIVE, INK, QUIET, TARGET, full_width, rows, zero
from headroles.charts.drawing import ZERO, Drawing, template

CIRCUIT_ALT = (
    "The tokens A, B and later A again. Step 1: a previous-token head at the first B looks one "
    "token back and notes that A stood before it. Step 2: at the later A an induction head looks "
    "for a token that follows an A, finds B by that note, and copies B as its guess."
)
"""The alternative text of :func:`circuit`."""


def circuit() -> Drawing:
    """The two-step circuit as a picture: solid is step 1, dashed is step 2."""
    return Drawing(_circuit_template(), {}, 250)


@template
def _circuit_template() -> alt.LayerChart:
    tokens = [{"x": 1, "text": "A"}, {"x": 2, "text": "B"}, {"x": 3, "text": "…"},
              {"x": 4, "text": "A"}, {"x": 5, "text": "B?"}]  # fmt: skip
    place = alt.X("x:Q", scale=alt.Scale(domain=[0.4, 5.6]), axis=None)
    y = alt.Y("y:Q", scale=alt.Scale(domain=[-3.3, 3.3]), axis=None)
    boxed = _given(*(token for token in tokens if token["text"] != "…")).transform_calculate(y="0")
    boxes = boxed.mark_point(shape="square", size=1500, stroke=INK, strokeWidth=1.5, filled=False)
    letters = _given(*tokens).transform_calculate(y="0")
    words = [
        {"x": 0.5, "y": 2.95, "text": "Step 1 · previous-token head", "bold": True},
        {"x": 0.5, "y": 2.35, "text": "B looks one back, notes: “A was before me”", "bold": False},
        {"x": 0.5, "y": -2.4, "text": "Step 2 · induction head", "bold": True},
        {"x": 0.5, "y": -3.0, "text": "A looks for “a token after A”, copies it", "bold": False},
    ]
    captions = _given(*words).encode(x=place, y=y, text="text:N")
    note = _given({"x": 2.18, "y": 1.0, "text": "note: after A"})
    return full_width(
        alt.layer(
            boxes.encode(x=place, y=y),
            letters.mark_text(fontSize=17, fontWeight="bold", color=INK).encode(
                x=place, y=y, text="text:N"
            ),
            *_arrow([(2, 0.85), (1.85, 1.5), (1.15, 1.5), (1, 0.85)], ACTIVE, place, y, [1, 0]),
            *_arrow([(4, -0.85), (3.7, -1.7), (2.3, -1.7), (2, -0.85)], TARGET, place, y, [7, 4]),
            *_arrow([(4.28, 0), (4.7, 0)], TARGET, place, y, [7, 4]),
            note.mark_text(fontSize=12, fontStyle="italic", align="left", color=INK).encode(
                x=place, y=y, text="text:N"
            ),
            captions.transform_filter("datum.bold").mark_text(
                fontSize=14, fontWeight="bold", align="left", color=INK
            ),
            captions.transform_filter("!datum.bold").mark_text(
                fontSize=13, align="left", color=INK
            ),
        )
    )


def _given(*records: dict[str, object]) -> alt.Chart:
    """A chart that always draws the same."""
    return alt.Chart(alt.InlineData(values=list(records)))


def _arrow(
    points: Sequence[tuple[float, float]],
    colour: str,
    x: alt.X,
    y: alt.Y,
    dash: Sequence[int],
) -> list[alt.Chart]:
    """A smooth line through points, and its head at the last one."""
    along = [{"x": x, "y": y, "order": order} for order, (x, y) in enumerate(points)]
    (x0, y0), (x1, y1) = points[-2:]
    upright = abs(x1 - x0) < 0.3
    angle = (0 if y1 > y0 else 180) if upright else (90 if x1 > x0 else 270)
    line = _given(*along).mark_line(
        interpolate="basis", strokeWidth=2.5, color=colour, strokeDash=list(dash)
    )
    head = _given(along[-1]).mark_point(
        shape="triangle-up", size=110, filled=True, color=colour, opacity=1, angle=angle
    )
    return [line.encode(x=x, y=y, order="order:Q"), head.encode(x=x, y=y)]


def falls(records: Sequence[Mapping[str, object]], *, names: Sequence[str]) -> Drawing:
    """Three bars per head, 0 to 1, with one standard error each and a mark for chance.

    Args:
        records: head, who, value, low, high (None without an error), chance.
        names: the values of ``who`` in order: untouched, without the heads, without others.
    """
    heads = list(dict.fromkeys(record["head"] for record in records))
    values = {"heads": heads, "names": list(names)}
    return Drawing(_falls_template(), {"runs": records}, 54 * len(heads) + 10, values)


@template
def _falls_template() -> alt.LayerChart:
    base = rows("runs").encode(
        y=alt.Y(
            "head:N",
            sort=["@heads"],
            axis=alt.Axis(title=None, domain=False, ticks=False, labelFontSize=12),
            scale=alt.Scale(paddingInner=0.28),
        ),
        yOffset=alt.YOffset("who:N", sort=["@names"]),
        tooltip=[
            alt.Tooltip("head:N", title="head"),
            alt.Tooltip("who:N", title="run"),
            alt.Tooltip("value:Q", title="activation", format=".3f"),
            alt.Tooltip("chance:Q", title="chance", format=".3f"),
        ],
    )
    x = alt.X(
        "value:Q",
        scale=alt.Scale(domain=[0, 1]),
        axis=alt.Axis(title="induction activation, 0 to 1", grid=True, gridOpacity=0.25,
                      domain=False, titleFontWeight="normal", tickCount=5),
    )  # fmt: skip
    bars = base.mark_bar(opacity=0.9, stroke=INK, strokeWidth=0.6).encode(
        x=x,
        color=alt.Color(
            "who:N",
            scale=alt.Scale(domain=["@names"], range=[ACTIVE, TARGET, QUIET]),
            # Without this the symbols take the stroke of the rules and ticks above the bars.
            legend=alt.Legend(
                title=None,
                orient="top",
                labelLimit=400,
                direction="vertical",
                symbolStrokeWidth=0,
            ),
        ),
    )
    errors = base.mark_rule(strokeWidth=1.6, color=INK).encode(x="low:Q", x2="high:Q")
    chance = base.mark_tick(thickness=2, color=INK, opacity=0.8).encode(x="chance:Q")
    return full_width(alt.layer(bars, errors, chance))


def shares(records: Sequence[Mapping[str, object]]) -> Drawing:
    """The share of weight of every component, largest first.

    Args:
        records: component (1 the largest), share 0..1.
    """
    return Drawing(_shares_template(), {"components": records}, 180)


@template
def _shares_template() -> alt.Chart:
    return full_width(
        rows("components")
        .mark_bar(color=ACTIVE)
        .encode(
            x=alt.X("component:O", axis=alt.Axis(title="component, largest first", labelAngle=0)),
            y=alt.Y("share:Q", axis=alt.Axis(title="share of the weight", format="%",
                    gridOpacity=0.25, titleFontWeight="normal")),
            tooltip=[
                alt.Tooltip("component:O", title="component"),
                alt.Tooltip("share:Q", title="share", format=".1%"),
            ],
        )
    )  # fmt: skip


def offsets(records: Sequence[Mapping[str, object]], *, names: Sequence[str]) -> Drawing:
    """What each part adds to the attention scores by how far back it looks.

    Args:
        records: offset, who, value.
        names: the values of ``who`` in order; each has a line and a mark of its own.
    """
    data = {"zero": ZERO, "scores": records}
    return Drawing(_offsets_template(), data, 280, {"names": list(names)})


@template
def _offsets_template() -> alt.LayerChart:
    base = rows("scores").encode(
        x=alt.X("offset:Q", axis=alt.Axis(title="tokens back", tickMinStep=1, grid=False)),
        y=alt.Y("value:Q", axis=alt.Axis(title="added to the score", gridOpacity=0.25,
                titleFontWeight="normal")),
        color=alt.Color("who:N", sort=["@names"],
                        legend=alt.Legend(title=None, orient="top", columns=3, symbolSize=90)),
        shape=alt.Shape("who:N", sort=["@names"]),
        tooltip=[
            alt.Tooltip("who:N", title="part"),
            alt.Tooltip("offset:Q", title="tokens back"),
            alt.Tooltip("value:Q", title="added", format="+.3f"),
        ],
    )  # fmt: skip
    lines, marks = base.mark_line(strokeWidth=1.6), base.mark_point(filled=True, size=60, opacity=1)
    return full_width(alt.layer(zero().encode(y="at:Q"), lines, marks))
