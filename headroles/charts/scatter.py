"""All heads by two of their numbers, one point per head; shapes and colours say layer or role.

>>> drawing = scatter(records, colour="layer", ...)  # doctest: +SKIP
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import altair as alt

from headroles.charts.base import ACTIVE, INK, QUIET, TARGET, button, rows
from headroles.charts.drawing import Drawing, template
from headroles.charts.heads import head_selection

HEIGHT = 420
REGION = "region"
"""Name of the selection of a rectangle."""
SHAPES = {
    "previous_token": ("circle", ACTIVE),
    "induction": ("square", TARGET),
    "duplicate_token": ("triangle-up", "#3f8f4f"),
    "positional": ("cross", QUIET),
    "diffuse": ("diamond", "#8a6bd1"),
}
"""{role: shape and colour}; a head of no role is a small hollow circle."""
THIRD_SHAPES = {"early": "circle", "middle": "square", "late": "triangle-up"}
"""{third of the depth: shape}."""


def scatter(
    records: Sequence[Mapping[str, object]],
    *,
    names: tuple[str, str],
    shares: tuple[bool, bool],
    thresholds: tuple[float | None, float | None] = (None, None),
    by_role: bool = False,
    region: tuple[float, float, float, float] | None = None,
    marking: bool = False,
    clickable: bool = True,
) -> Drawing:
    """A point per head.

    Args:
        records: from :func:`headroles.view.scatter.points`.
        names: of the numbers along and up.
        shares: whether each is a share, written in percent.
        thresholds: the line that decides, of each; None for none.
        by_role: whether shape and colour stand for the role, not for the layer.
        region: left, right, lower and upper edge of what is marked; None for nothing.
        marking: whether a rectangle can be drawn with the pointer.
        clickable: whether a click chooses a head.
    """
    data: dict[str, object] = {"heads": records}
    for name, limit, axis in zip(("across", "upward"), thresholds, ("x", "y"), strict=True):
        inside = limit is not None and _between(limit, records, axis)
        data[name] = [{"at": limit}] if inside else []
    data["box"] = [dict(zip(("x", "x2", "y", "y2"), region, strict=True))] if region else []
    values = {"along": names[0], "up": names[1]}
    for axis in ("x", "y"):
        values[f"{axis}_domain"] = domain([record[axis] for record in records])
    shape = _template(
        by_role=by_role, shares=shares, marking=marking, clickable=clickable,
        lines=tuple(bool(data[name]) for name in ("across", "upward")), box=region is not None,
    )  # fmt: skip
    used = {name: rows_ for name, rows_ in data.items() if rows_ or name == "heads"}
    return Drawing(shape, used, HEIGHT, values)


def domain(values: Sequence[float]) -> list[float]:
    """The ends of an axis, with a little room beyond the outermost heads.

    >>> domain([0.0, 0.5]), domain([0.25, 0.25])
    ([-0.02, 0.52], [0.23, 0.27])
    """
    low, high = (min(values), max(values)) if values else (0.0, 1.0)
    room = 0.04 * (high - low) or 0.02
    return [round(low - room, 6), round(high + room, 6)]


def _between(limit: float, records: Sequence[Mapping[str, object]], axis: str) -> bool:
    low, high = domain([record[axis] for record in records])
    return low <= limit <= high


@template
def _template(
    *,
    by_role: bool,
    shares: tuple[bool, bool],
    marking: bool,
    clickable: bool,
    lines: tuple[bool, bool],
    box: bool,
) -> alt.LayerChart:
    base, layers = _heads(shares), []
    if box:
        layers.append(
            rows("box")
            .mark_rect(fill=ACTIVE, fillOpacity=0.08, stroke=INK, strokeDash=[4, 3])
            .encode(x="x:Q", x2="x2:Q", y="y:Q", y2="y2:Q")
        )
    rule = {"stroke": INK, "strokeWidth": 1.4, "strokeDash": [5, 3], "opacity": 0.7}
    if lines[0]:
        layers.append(rows("across").mark_rule(**rule).encode(x="at:Q"))
    if lines[1]:
        layers.append(rows("upward").mark_rule(**rule).encode(y="at:Q"))
    layers.append(_points(base, by_role=by_role, marking=marking, clickable=clickable))
    return (
        alt.layer(*layers, *_named(base))
        .properties(
            width="container",
            autosize=alt.AutoSizeParams(type="fit-x", contains="padding"),
            padding={"left": 4, "right": 12, "top": 8, "bottom": 4},
        )
        .configure_view(stroke=QUIET, strokeOpacity=0.35)
    )


def _heads(shares: tuple[bool, bool]) -> alt.Chart:
    """Every head at its two numbers."""
    axes = [
        alt.Axis(
            title=f"@{name}",
            format=".0~%" if share else "~g",
            tickCount=6,
            gridOpacity=0.2,
            domain=False,
            labelFlush=True,
            titleFontWeight="normal",
            titlePadding=6,
        )
        for name, share in zip(("along", "up"), shares, strict=True)
    ]
    scales = [alt.Scale(domain=[f"@{axis}_domain"], nice=False, zero=False) for axis in "xy"]
    return rows("heads").encode(
        x=alt.X("x:Q", scale=scales[0], axis=axes[0]),
        y=alt.Y("y:Q", scale=scales[1], axis=axes[1]),
        tooltip=[alt.Tooltip("label:N", title="head"), alt.Tooltip("shown:N", title="numbers")],
    )


def _named(base: alt.Chart) -> list[alt.Chart]:
    """The ring of the chosen head, and the names of a few, each on the side that has room."""
    names = base.transform_filter("datum.named").mark_text(
        align={"expr": _choice("datum.side", {"right": "left", "left": "right"}, "center")},
        dx={"expr": "datum.side == 'right' ? 11 : datum.side == 'left' ? -11 : 0"},
        dy={"expr": "datum.side == 'above' ? -15 : datum.side == 'below' ? 15 : 0"},
        color=INK,
        fontSize=12,
        fontWeight={"expr": "datum.open ? 700 : 400"},
    )
    ring = base.transform_filter("datum.open").mark_point(
        shape="circle", size=260, stroke=INK, strokeWidth=2.4, filled=False, opacity=1
    )
    return [ring, names.encode(text="named:N")]


def _points(base: alt.Chart, *, by_role: bool, marking: bool, clickable: bool) -> alt.Chart:
    if by_role:
        shape = _choice("datum.role", {key: one[0] for key, one in SHAPES.items()}, "circle")
        colour = _choice("datum.role", {key: one[1] for key, one in SHAPES.items()}, QUIET)
        full = "datum.role == 'other' ? 0 : 0.75"
        size = "datum.role == 'other' ? 26 : 70"
    else:
        shape, colour = _choice("datum.third", THIRD_SHAPES, "circle"), f"'{ACTIVE}'"
        full, size = "0.1 + 0.65 * datum.depth", "60"
    points = base.mark_point(
        shape={"expr": shape},
        size={"expr": size},
        fill={"expr": colour},
        stroke={"expr": colour},
        strokeWidth=1.3,
        fillOpacity={"expr": f"({full}) * (datum.inside ? 1 : 0.25)"},
        strokeOpacity={"expr": "datum.inside ? 1 : 0.3"},
        opacity=1,
        **(button("datum.label + ', ' + datum.shown") if clickable and not marking else {}),
    )
    if clickable and not marking:
        return points.add_params(head_selection())
    if marking:
        return points.add_params(alt.selection_interval(name=REGION, encodings=["x", "y"]))
    return points


def _choice(what: str, named: Mapping[str, str], otherwise: str) -> str:
    """A Vega expression that picks a word."""
    cases = "".join(f"{what} == '{key}' ? '{word}' : " for key, word in named.items())
    return f"{cases}'{otherwise}'"


def region_of_event(event: object) -> tuple[float, float, float, float] | None:
    """The rectangle that was drawn: left, right, lower and upper edge; None for none.

    >>> region_of_event({"selection": {"region": {"x": [0.1, 0.5], "y": [0.2, 0.9]}}})
    (0.1, 0.5, 0.2, 0.9)
    """
    if not isinstance(event, Mapping):
        return None
    drawn = (event.get("selection") or {}).get(REGION)
    try:
        (left, right), (low, high) = drawn["x"], drawn["y"]
        edges = (*sorted((float(left), float(right))), *sorted((float(low), float(high))))
    except (KeyError, TypeError, ValueError):
        return None
    return edges if edges[0] < edges[1] and edges[2] < edges[3] else None
