"""Charts as PNG and SVG files."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Mapping, Sequence

import vl_convert

from headroles.errors import ExportError

THEMES = {"light": ("#ffffff", "#10151b"), "dark": ("#14171c", "#e8ebef")}
"""{theme: (background, ink)}, as ``.streamlit/config.toml`` has them."""


_NO_XML = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that no SVG can hold. A token may have them, and the converter ends the process."""
_SIZE = re.compile(r'<svg [^>]*?width="([\d.]+)" height="([\d.]+)"')
_NAMES = re.compile(r'(\bid="|url\(#|href="#)')
WIDTH = 720
"""Pixels of a picture whose chart is as wide as its place on the page."""


def chart_image(
    spec: Mapping[str, object],
    kind: str,
    *,
    theme: str = "light",
    width: int = WIDTH,
    scale: float = 2.0,
    title: str = "",
    about: str = "",
) -> bytes:
    """A chart as a picture that can be read on its own.

    The charts of the pages take the page's text colour (``currentColor``) and the width of their
    place; a picture has neither, so both become concrete.

    Args:
        spec: a Vega-Lite chart, as ``chart.to_dict()`` gives it.
        kind: ``png`` or ``svg``.
        theme: a key of :data:`THEMES`.
        width: pixels, for a chart that has no width of its own.
        scale: pixels of a PNG for each pixel of the chart.
        title: the picture's own title; on a page the text around the chart says it.
        about: a second line, smaller: the model, the prompt, the day of the analysis.

    Raises:
        ExportError: for an unknown kind or theme, or a chart that cannot be drawn.
    """
    _check_choice("picture format", kind, ("png", "svg"))
    _check_choice("theme", theme, THEMES)
    # No data is ever fetched for a picture: a chart brings its own.
    settings = {
        "vl_spec": _concrete_chart(spec, theme, width, (title, about)),
        "allowed_base_urls": [],
    }
    try:
        if kind == "png":
            return vl_convert.vegalite_to_png(scale=scale, **settings)
        return vl_convert.vegalite_to_svg(**settings).encode()
    except ValueError as error:
        raise ExportError(
            f"The picture could not be made: {_why(error)}",
            hint="Export the numbers instead, or try another chart.",
            value=kind,
        ) from error


def side_by_side(
    pictures: Sequence[bytes],
    kind: str,
    *,
    columns: int = 2,
    theme: str = "light",
    scale: float = 2.0,
) -> bytes:
    """Several pictures as one, row by row.

    Args:
        pictures: SVGs of :func:`chart_image`.
        kind: ``png`` or ``svg``.
        columns: how many stand in a row.
        theme: a key of :data:`THEMES`; its background fills what the pictures leave free.
        scale: pixels of a PNG for each pixel of the pictures.

    Raises:
        ExportError: for an unknown kind or theme, or pictures that cannot be put together.
    """
    _check_choice("picture format", kind, ("png", "svg"))
    _check_choice("theme", theme, THEMES)
    sizes = [tuple(map(float, _SIZE.search(picture.decode()).groups())) for picture in pictures]
    wide = [max(width for width, _ in sizes[at::columns]) for at in range(min(columns, len(sizes)))]
    rows = range(0, len(sizes), columns)
    high = [max(height for _, height in sizes[at : at + columns]) for at in rows]
    placed = [
        f'<svg x="{sum(wide[: at % columns]):g}" y="{sum(high[: at // columns]):g}" '
        f"{_own_names(picture.decode(), at).removeprefix('<svg ')}"
        for at, picture in enumerate(pictures)
    ]
    size = f'width="{sum(wide):g}" height="{sum(high):g}"'
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size}>'
        f'<rect width="100%" height="100%" fill="{THEMES[theme][0]}"/>{"".join(placed)}</svg>'
    )
    if kind == "svg":
        return svg.encode()
    try:
        return vl_convert.svg_to_png(svg, scale=scale)
    except ValueError as error:
        raise ExportError(
            f"The picture could not be made: {_why(error)}",
            hint="Save it as SVG, or one picture at a time.",
            value=kind,
        ) from error


def _own_names(svg: str, number: int) -> str:
    """A picture whose inner names (of clips, say) no other picture has."""
    return _NAMES.sub(rf"\1picture{number}-", svg)


def _check_choice(what: str, value: str, known: Iterable[str]) -> None:
    if value not in known:
        raise ExportError(
            f"There is no {what} '{value}'.", hint=f"Choose {' or '.join(known)}.", value=value
        )


def _why(error: Exception) -> str:
    """The line of a converter's message that says what is wrong."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    errors = [line for line in lines if "Error: " in line]
    return (errors or lines or [type(error).__name__])[0].rstrip(".:") + "."


def _concrete_chart(
    spec: Mapping[str, object], theme: str, width: int, words: tuple[str, str]
) -> dict[str, object]:
    background, ink = THEMES[theme]
    chart = _concrete(_drawable(spec), ink, width)
    chart |= {"background": background, "padding": 16}
    title, about = map(str, map(_drawable, words))
    if title:
        chart["title"] = {
            "text": textwrap.wrap(title, max(width // 8, 20)),  # about 8 pixels a letter
            "subtitle": textwrap.wrap(about, max(width // 7, 24)),
            "anchor": "start",
            "frame": "group",
            "fontSize": 14,
            "subtitleFontSize": 12,
            "subtitlePadding": 4,
            "offset": 12,
        }
    chart["config"] = _merged(_config(ink), chart.get("config", {}))
    return chart


def _drawable(part: object) -> object:
    """A copy of a part of a chart, data included, with only characters that SVG can hold."""
    if isinstance(part, str):
        return _NO_XML.sub("\N{REPLACEMENT CHARACTER}", part)
    if isinstance(part, list):
        return [_drawable(item) for item in part]
    if isinstance(part, dict):
        return {key: _drawable(value) for key, value in part.items()}
    return part


def _config(ink: str) -> dict[str, object]:
    """The ink of everything that a chart does not colour itself."""
    labels = {"labelColor": ink, "titleColor": ink}
    return {
        "font": "sans-serif",
        "axis": {**labels, "domainColor": ink, "tickColor": ink, "gridColor": "#7d8590"},
        "legend": labels,
        "header": labels,
        "title": {"color": ink, "subtitleColor": ink},
        "text": {"color": ink},
    }


def _concrete(part: object, ink: str, width: int) -> object:
    """A part of a chart without ``currentColor`` and ``container``; data stay as they are."""
    if isinstance(part, str):
        return part.replace("currentColor", ink)
    if isinstance(part, list):
        return [_concrete(item, ink, width) for item in part]
    if not isinstance(part, dict):
        return part
    # A parameter with a name holds data (the tokens), which may well say "currentColor".
    data = {"data", "datasets"} | ({"value"} if "name" in part else set())
    concrete = {
        key: value if key in data else _concrete(value, ink, width) for key, value in part.items()
    }
    for side in ("width", "height"):
        if concrete.get(side) == "container":
            concrete[side] = width
    return concrete


def _merged(under: Mapping[str, object], over: Mapping[str, object]) -> dict[str, object]:
    """``over`` laid on ``under``, one level deep."""
    both = {**under, **over}
    return {
        key: {**under[key], **value}
        if isinstance(value, dict) and isinstance(under.get(key), dict)
        else value
        for key, value in both.items()
    }
