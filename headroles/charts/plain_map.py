"""A head map as plain SVG, for files that hold a map of every role.

It draws the records of :func:`headroles.charts.heads.head_map`, with the same shades and colours.
Why not that chart itself: it is drawn by Vega-Lite, in a browser or by a converter (``vl-convert``,
which is optional), while a report is one file that needs neither a script nor the converter. Here a
map has a third of the size and the reader's theme: ink is ``currentColor``, shades are opacities.

Blue is above zero and orange below, the number says the sign too; a frame marks a head that has the
role, a square in the corner one that is listed, a diamond one that papers name.

>>> head_map(records, "Induction").startswith("<svg")  # doctest: +SKIP
True
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from headroles.charts.base import LIGHTEST, STRONGEST

ROOM = 860
"""Pixels across, where the cells can be small enough for that."""
NARROWEST, WIDEST, ROW = 27, 64, 22
"""Pixels of a cell: across at least and at most, and down."""
LEFT, TOP = 34, 34
"""Pixels for the numbers of heads and of layers."""


def head_map(records: Sequence[Mapping[str, object]], title: str) -> str:
    """Every head of the model, shaded by a number: layers from left to right, heads downwards.

    Args:
        records: one per head, from :func:`headroles.view.head_records.head_record`.
        title: what is read out for the whole map.
    """
    layers = 1 + max(int(record["layer"]) for record in records)
    heads = 1 + max(int(record["head"]) for record in records)
    wide = min(max((ROOM - LEFT) // layers, NARROWEST), WIDEST)
    width, height = LEFT + layers * wide + 4, TOP + heads * ROW + 4
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" role="img" aria-label="{escape(title)}">',
        *_axes(layers, heads, wide),
        *(_cell(record, wide) for record in records),
        "</svg>",
    ]
    return "".join(parts)


def _axes(layers: int, heads: int, wide: int) -> list[str]:
    middle = LEFT + layers * wide / 2
    parts = [f'<g aria-hidden="true"><text x="{middle:g}" y="11" text-anchor="middle">layer</text>']
    parts += [
        f'<text x="{LEFT + (layer + 0.5) * wide:g}" y="27" text-anchor="middle">{layer}</text>'
        for layer in range(layers)
    ]
    parts += [
        f'<text x="{LEFT - 6}" y="{TOP + head * ROW + 15}" text-anchor="end">{head}</text>'
        for head in range(heads)
    ]
    return [*parts, '<text x="0" y="27">head</text></g>']


def _cell(record: Mapping[str, object], wide: int) -> str:
    x, y = LEFT + int(record["layer"]) * wide, TOP + int(record["head"]) * ROW
    says = f"<title>{escape(str(record['label']))}: {escape(str(record['shown']))}</title>"
    box = f'x="{x + 1}" y="{y + 1}" width="{wide - 2}" height="{ROW - 2}"'
    if record["value"] is None:
        dashes = 'fill="none" stroke="currentColor" stroke-opacity=".5" stroke-dasharray="3 3"'
        return f"<g>{says}<rect {box} {dashes}/></g>"
    shade = LIGHTEST + float(record["shade"]) * (STRONGEST - LIGHTEST)
    colour = "a" if record["against"] else "u"
    frame = ' stroke="currentColor" stroke-width="2"' if record["active"] else ""
    parts = [f'<g>{says}<rect class="{colour}" {box} fill-opacity="{shade:.2f}"{frame}/>']
    if record["number"]:
        number = escape(str(record["number"]))
        place = f'x="{x + wide / 2:g}" y="{y + 15}"'
        parts.append(f'<text {place} text-anchor="middle">{number}</text>')
    if record["listed"]:
        parts.append(
            f'<rect x="{x + 3}" y="{y + ROW - 7}" width="4" height="4" fill="currentColor"/>'
        )
    if record["papers"]:
        parts.append(
            f'<path d="M{x + wide - 7} {y + 2}l4 4l-4 4l-4-4z" fill="none" stroke="currentColor"/>'
        )
    return "".join([*parts, "</g>"])
