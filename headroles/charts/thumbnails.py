"""Small pictures of many heads' patterns in one chart, each a way to its head.

A pattern of 60 tokens has 1,830 cells, and a layer up to 32 heads: too many marks for a page. So
each pattern is one image, a PNG inside the chart's data, drawn in the same shades as the large
pattern of the close-up.

>>> drawing = grid(records, columns=5, side=150)  # doctest: +SKIP
"""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Mapping, Sequence

import altair as alt
import numpy as np

from headroles.charts.attention import largest
from headroles.charts.base import ACTIVE, INK, QUIET, STRONGEST, button, rows
from headroles.charts.drawing import Drawing, template
from headroles.charts.heads import head_selection

MOST_CELLS = 96
"""Squares along the side of a small picture; where there are more tokens, each is a block's
largest cell."""
SIDE = 192
"""Pixels along the side of an image at least, so that its squares stay sharp."""
WORDS = 40
"""Pixels of the two lines above a picture."""
GAP = 10
"""Pixels between two pictures."""


def image(attention: Sequence[Sequence[float]] | np.ndarray) -> str:
    """A pattern as the address of a PNG that it holds itself; what is above the diagonal is clear.

    Args:
        attention: [query key] weights from 0 to 1.
    """
    weights = np.asarray(attention, dtype=np.float32)
    block = -(-len(weights) // MOST_CELLS)
    squares = np.tril(largest(weights, block))
    alpha = np.sqrt(squares.clip(0, 1)) * STRONGEST * 255
    faint = np.tril(np.ones_like(alpha)) * 12  # so that the triangle can be seen where it is empty
    cells = np.zeros((*squares.shape, 4), dtype=np.uint8)
    cells[..., :3] = [int(ACTIVE[place : place + 2], 16) for place in (1, 3, 5)]
    cells[..., 3] = np.maximum(alpha, faint).round()
    times = -(-SIDE // len(cells))
    pixels = cells.repeat(times, 0).repeat(times, 1)
    return f"data:image/png;base64,{base64.b64encode(_png(pixels)).decode()}"


def _png(pixels: np.ndarray) -> bytes:
    """RGBA pixels [row column 4] as a PNG (ISO/IEC 15948)."""
    height, width = pixels.shape[:2]
    lines = np.concatenate([np.zeros((height, 1), np.uint8), pixels.reshape(height, -1)], 1)
    parts = {
        b"IHDR": struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0),
        b"IDAT": zlib.compress(lines.tobytes(), 9),
        b"IEND": b"",
    }
    chunks = (
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in parts.items()
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def grid(
    records: Sequence[Mapping[str, object]],
    *,
    columns: int,
    side: int,
    clickable: bool = True,
) -> Drawing:
    """A picture per head, row by row, with its label and what it does above it.

    Args:
        records: one per head: layer, head, label, does (a few words), image (:func:`image`), busy
            (does is then bold), open (framed), shown (what is said on it).
        columns: pictures in a row.
        side: pixels of a picture, where there is room.
        clickable: whether a click chooses a head.
    """
    row = side + WORDS + GAP
    lines = -(-len(records) // columns)
    placed = []
    for place, record in enumerate(records):
        top = (place // columns) * row
        at = {"left": place % columns, "right": place % columns + 1, "top": top}
        at |= {"label_y": top + 12, "does_y": top + 29, "image_y": top + WORDS}
        placed.append({**record, **at, "bottom": top + row - GAP / 2})
    values = {"columns": columns, "side": side, "down": [0, lines * row]}
    values["across"] = [0, columns]
    return Drawing(_template(clickable=clickable), {"heads": placed}, lines * row, values)


@template
def _template(*, clickable: bool) -> alt.LayerChart:
    room = f"(width / columns - {GAP})"
    size = {"expr": f"min({room}, side)"}
    text = {"align": "left", "color": INK, "xOffset": GAP / 2, "limit": {"expr": room}}
    pictures = (
        _at("image_y")
        .mark_image(width=size, height=size, align="left", baseline="top", xOffset=GAP / 2)
        .encode(url="image:N")
    )
    labels = _at("label_y").mark_text(fontSize=13, fontWeight=600, **text).encode(text="label:N")
    weight = {"expr": "datum.busy ? 700 : 400"}
    does = _at("does_y").mark_text(fontSize=12, fontWeight=weight, **text).encode(text="does:N")
    params = [alt.param(name=name, value=f"@{name}") for name in ("columns", "side")]
    return (
        alt.layer(pictures, labels, does, _frames(clickable=clickable))
        .add_params(*params)
        .properties(
            width="container",
            autosize=alt.AutoSizeParams(type="fit-x", contains="padding"),
            padding={"left": 2, "right": 2, "top": 2, "bottom": 2},
        )
        .configure_view(strokeWidth=0)
    )


def _at(field: str) -> alt.Chart:
    """A mark at the left edge of a head's place, so many pixels down."""
    across = alt.Scale(domain=["@across"], nice=False)
    down = alt.Scale(domain=["@down"], nice=False, reverse=True)
    return rows("heads").encode(
        x=alt.X("left:Q", scale=across, axis=None), y=alt.Y(f"{field}:Q", scale=down, axis=None)
    )


def _frames(*, clickable: bool) -> alt.Chart:
    """A frame around every picture, which takes the click."""
    frames = (
        _at("top")
        .mark_rect(
            fillOpacity=0,
            stroke={"expr": f"datum.open ? '{INK}' : '{QUIET}'"},
            strokeWidth={"expr": "datum.open ? 2.4 : 1"},
            strokeOpacity={"expr": "datum.open ? 1 : 0.3"},
            cornerRadius=4,
            **(button("datum.label + ', ' + datum.shown") if clickable else {}),
        )
        .encode(
            x2="right:Q",
            y2="bottom:Q",
            tooltip=[
                alt.Tooltip("label:N", title="head"),
                alt.Tooltip("shown:N", title="on this prompt"),
            ],
        )
    )
    return frames.add_params(head_selection()) if clickable else frames
