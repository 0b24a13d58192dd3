"""The QR code of a link, for a projector: it must be read from the back of a room.

What is read from far away are the squares, so a code has as few of them as the link allows: the
correction of errors is M (15% of the code may be lost) or L (7%) where M would take too many
squares, and then as much more as fits without adding any. The code is made by segno, after
ISO/IEC 18004; it is black on white with the four white squares around it that the standard wants.

>>> code = make("https://example.org/?model=demo")
>>> code.side, code.level
(29, 'M')
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from urllib.parse import urlsplit

import segno

from headroles.errors import LinkError

MOST_SIDE = 77
"""Most squares in a row: on a screen on which the code is one metre high, a square then has 12 mm.
That is version 15 of the standard, with 412 characters at M and 520 at L."""
QUIET = 4
"""White squares on each side."""
_LEAST_PIXELS = 1_200
"""The PNG has at least so many in a row."""
_EXPLAINED = 12
"""A part of a link with fewer characters is not worth shortening."""


@dataclass(frozen=True)
class Code:
    """A QR code."""

    side: int
    """Squares in a row, without the white ones around it."""
    level: str
    """How much of it may be lost: L 7%, M 15%, Q 25%, H 30%."""
    rows: tuple[bytes, ...]
    """[row column] 1 for a black square."""
    made: segno.QRCode
    """As segno keeps it."""

    def svg(self) -> bytes:
        """The picture without a size of its own."""
        return self._saved("svg", omitsize=True, xmldecl=False)

    def png(self) -> bytes:
        """The picture in whole pixels per square."""
        return self._saved("png", scale=-(-_LEAST_PIXELS // (self.side + 2 * QUIET)))

    def _saved(self, kind: str, **settings: object) -> bytes:
        out = io.BytesIO()
        self.made.save(out, kind=kind, border=QUIET, dark="black", light="white", **settings)
        return out.getvalue()


def make(link: str) -> Code:
    """The code of a link.

    Raises:
        LinkError: if the link is so long that its code could not be read across a room.
    """
    for level in "ML":
        try:
            made = segno.make(link, error=level, micro=False)
        except segno.DataOverflowError:
            continue
        side = made.symbol_size(border=0)[0]
        if side <= MOST_SIDE:
            return Code(side, made.error, tuple(bytes(row) for row in made.matrix), made)
    raise LinkError(
        f"This link has {len(link):,} characters, too many for a QR code that a phone can read "
        "across a room.",
        hint=_shorter(link),
        value=len(link),
    )


def _shorter(link: str) -> str:
    """What takes most of a link's length, as it is sent."""
    parts = (part.partition("=") for part in urlsplit(link).query.split("&"))
    sizes = {name: len(value) for name, _, value in parts}
    name = max(sizes, key=sizes.get)
    if sizes[name] < _EXPLAINED:
        return "Copy the link instead."
    what = name.replace("_", " ")
    return f"Shorten the {what}, which takes {sizes[name]:,} of them, or copy the link instead."
