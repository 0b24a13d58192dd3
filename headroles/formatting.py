"""How numbers, times, sizes, lists and tokens are written in sentences."""

from __future__ import annotations

import itertools
import math
import re
import textwrap
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache

import humanize

_NAMED = {
    "\0": ("NUL", "null"),
    "\b": ("BS", "backspace"),
    "\v": ("VT", "vertical tab"),
    "\f": ("FF", "form feed"),
    "\r": ("CR", "carriage return"),
    "\x1b": ("ESC", "escape"),
    "\x7f": ("DEL", "delete"),
    "\x85": ("NEL", "next line"),
    "\u00a0": ("NBSP", "no-break space"),
    "\u00ad": ("SHY", "soft hyphen"),
    "\u034f": ("CGJ", "grapheme joiner"),
    "\u061c": ("ALM", "Arabic letter mark"),
    "\u2003": ("EMSP", "em space"),
    "\u2009": ("THSP", "thin space"),
    "\u200b": ("ZWSP", "zero-width space"),
    "\u200c": ("ZWNJ", "zero-width non-joiner"),
    "\u200d": ("ZWJ", "zero-width joiner"),
    "\u200e": ("LRM", "left-to-right mark"),
    "\u200f": ("RLM", "right-to-left mark"),
    "\u2028": ("LSEP", "line separator"),
    "\u2029": ("PSEP", "paragraph separator"),
    "\u202a": ("LRE", "left-to-right embedding"),
    "\u202b": ("RLE", "right-to-left embedding"),
    "\u202c": ("PDF", "end of a change of direction"),
    "\u202d": ("LRO", "left-to-right override"),
    "\u202e": ("RLO", "right-to-left override"),
    "\u202f": ("NNBSP", "narrow no-break space"),
    "\u2060": ("WJ", "word joiner"),
    "\u2066": ("LRI", "left-to-right isolate"),
    "\u2067": ("RLI", "right-to-left isolate"),
    "\u2068": ("FSI", "first-strong isolate"),
    "\u2069": ("PDI", "end of an isolate"),
    "\u3000": ("IDSP", "ideographic space"),
    "\ufeff": ("BOM", "byte order mark"),
    "\ufffd": ("REPL", "replacement character"),
}
MARKS: dict[str, tuple[str, str]] = {
    " ": ("·", "space"),
    "\n": ("↵", "line break"),
    "\t": ("⇥", "tab"),
    **{character: (f"‹{short}›", name) for character, (short, name) in _NAMED.items()},
    **{chr(0xFE00 + k): (f"‹VS{k + 1}›", f"variation selector {k + 1}") for k in range(16)},
}
"""{character that cannot be seen: its mark, its name}. What is not here and cannot be printed
either is marked by its number, as ``‹U+E000›``."""
_VARIANTS = frozenset(map(chr, range(0xE0100, 0xE01F0)))
_BLANK = _VARIANTS | frozenset(
    "\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0\U00016fe4\U0001d159"
)
"""Characters that count as letters, signs or accents, and are blank all the same."""
_SHAPING = frozenset("\u200c\u200d") | {chr(0xFE00 + k) for k in range(16)} | _VARIANTS
"""What changes the look of the characters beside it."""
_BYTES = re.compile(r"(?:<0x[0-9A-F]{2}>)+")
_HEX = re.compile(r"‹(?:[0-9A-F]{2} ?)+›")
_FIRST_PART = re.compile(r" 1/(\d+)$")
_PARTS = re.compile("[\udc80-\udcff]+|.", re.DOTALL)
_ISOLATE = "\u2068{}\u2069"


def token_bytes(token: str) -> bytes | None:
    """The bytes of a token that is no text on its own, e.g. ``<0xF0><0x9F>``; None of others."""
    if _BYTES.fullmatch(token) is None:
        return None
    return bytes.fromhex(token.replace("<0x", "").replace(">", ""))


def marked(text: str, *, in_prompt: bool = False) -> list[tuple[str, str]]:
    """A text piece by piece: what to show for it, and its name where it could not be seen itself.

    Args:
        text: a token's, or a prompt's.
        in_prompt: whether spaces stay, and what joins or shapes the character before it.

    >>> marked("a\\u00a0")
    [('a', ''), ('‹NBSP›', 'no-break space')]
    """
    pieces: list[tuple[str, str]] = []
    joined = False
    for part in _PARTS.findall(_decoded(text)):
        shown, name = (" ", "space") if in_prompt and part == " " else _mark(part)
        before, unseen = pieces[-1] if pieces else ("", "nothing")
        shapes = unicodedata.category(part[0])[0] == "M" and not (part in MARKS or part in _BLANK)
        if in_prompt:
            shapes = shapes or part in _SHAPING or (joined and not name)
            joined = part == "\u200d" and not unseen
        if shapes and not unseen:
            pieces[-1] = (before + part, "")
        else:
            # An accent needs something to stand on.
            pieces.append((f"◌{shown}" if shapes and not name and not joined else shown, name))
    return pieces


def _decoded(text: str) -> str:
    """A text; of one that is bytes, each byte that is no whole character is a lone surrogate."""
    raw = token_bytes(text)
    return text if raw is None else raw.decode("utf-8", "surrogateescape")


def _mark(part: str) -> tuple[str, str]:
    if "\udc80" <= part[0] <= "\udcff":
        return f"‹{' '.join(f'{ord(byte) - 0xDC00:02X}' for byte in part)}›", "part of a character"
    if part in MARKS:
        return MARKS[part]
    if part.isprintable() and part not in _BLANK:
        return part, ""
    return f"‹U+{ord(part):04X}›", unicodedata.name(part, f"character {ord(part):X}").lower()


def visible(token: str, *, limit: int | None = None) -> str:
    """A token with all that cannot be seen made visible, for every place that shows one.

    A space is ``·``; other unseen characters have a mark of :data:`MARKS`; bytes that are no whole
    character are ``‹F0 9F›``. What is read from right to left is isolated, so that it does not turn
    the words around it.

    Args:
        token: its text, or ``<0xF0>`` for a byte.
        limit: most characters; the end of a longer one is left out.

    >>> visible(" cat"), visible("\\u200b"), visible("<0xF0><0x9F>")
    ('·cat', '‹ZWSP›', '‹F0 9F›')
    """
    return _together([shown for shown, _ in marked(token)], limit) or "∅"


def quoted(token: str) -> str:
    """A token in running text.

    >>> quoted(" sat")
    '“·sat”'
    """
    return f"“{visible(token)}”"


@lru_cache(maxsize=128)  # a page names its prompt, and the recent ones, in every run
def in_one_line(text: str, *, limit: int | None = None) -> str:
    """A prompt in running text: its spaces stay, and what else cannot be seen becomes visible.

    >>> in_one_line("a cat\\nsat"), in_one_line("a very long prompt", limit=8)
    ('a cat↵sat', 'a very…')
    """
    return _together([shown for shown, _ in marked(text, in_prompt=True)], limit)


def _together(pieces: Sequence[str], limit: int | None) -> str:
    """Pieces in one text, none of which is cut in two; isolated where they run right to left."""
    text = "".join(pieces)
    if limit is not None and len(text) > limit:
        text = ""
        for piece in pieces:
            if len(text) + len(piece) >= limit:
                break
            text += piece
        text = (text.rstrip() or pieces[0][: limit - 1]) + "…"
    turns = any(unicodedata.bidirectional(character) in ("R", "AL", "AN") for character in text)
    return _ISOLATE.format(text) if turns else text


def legend(shown: Iterable[str]) -> str:
    """What the marks in some shown tokens stand for, and the parts in their labels, in sentences.

    >>> legend(["a‹NBSP›b", "‹F0 9F›", "·cat"])
    '‹NBSP› no-break space, ‹F0 9F› bytes, a part of a character.'
    >>> legend(["é 1/2", "é 2/2"]), legend(["·cat"])
    ('“é 1/2” is the first of 2 tokens that are one character together.', '')
    """
    labels = list(shown)
    text = "".join(labels)
    marks = [f"{mark} {name}" for mark, name in MARKS.values() if mark != "·" and mark in text]
    if bytes_ := _HEX.search(text):
        marks.append(f"{bytes_[0]} bytes, a part of a character")
    sentences = [f"{', '.join(marks)}."] if marks else []
    if part := next(filter(None, map(_FIRST_PART.search, labels)), None):
        sentences.append(
            f"“{part.string}” is the first of {part[1]} tokens that are one character together."
        )
    return " ".join(sentences)


def percent(share: float) -> str:
    """A share of 1 in whole percent; a small one is not rounded to nothing.

    >>> percent(0.974), percent(0.002), percent(0), percent(math.nan)
    ('97%', '<1%', '0%', '–')
    """
    if not math.isfinite(share):
        return decimal(share)
    return "<1%" if 0 < share < 0.005 else true_minus(f"{share:z.0%}")


def told_apart(share: float, other: float) -> tuple[str, str]:
    """Two shares of 1 in percent, with a decimal where whole ones would look alike.

    >>> told_apart(0.409, 0.406), told_apart(0.45, 0.4)
    (('40.9%', '40.6%'), ('45%', '40%'))
    """
    whole = percent(share), percent(other)
    return (
        whole
        if whole[0] != whole[1]
        else (true_minus(f"{share:z.1%}"), true_minus(f"{other:z.1%}"))
    )


def count(number: int, noun: str, many: str = "") -> str:
    """A number with its noun, which may have a plural of its own.

    >>> count(1, "head"), count(0, "head"), count(3, "analysis", "analyses")
    ('1 head', '0 heads', '3 analyses')
    """
    return f"{number:,} {noun if number == 1 else many or f'{noun}s'}"


def places(noun: str, number: int) -> str:
    """The places of things that are counted from 0, e.g. layers.

    >>> places("layer", 4), places("head", 1)
    ('layers 0 to 3', 'head 0 only')
    """
    return f"{noun}s 0 to {number - 1}" if number > 1 else f"{noun} 0 only"


def listing(parts: Sequence[str], *, last: str = "and") -> str:
    """``a``, ``a and b``, ``a, b and c``; or with another word before the last."""
    return f" {last} ".join(filter(None, [", ".join(parts[:-1]), parts[-1]])) if parts else ""


def ordinal(number: int) -> str:
    """A place in an order.

    >>> ordinal(1), ordinal(12), ordinal(23), ordinal(1001)
    ('1st', '12th', '23rd', '1,001st')
    """
    return f"{number:,}{humanize.ordinal(number)[-2:]}"


def true_minus(text: str) -> str:
    """A text whose hyphens stand before numbers, with real minus signs instead."""
    return text.replace("-", "−")


def decimal(value: float, *, digits: int = 2) -> str:
    """A number with a real minus sign; what rounds to nothing has none.

    >>> decimal(-0.5), decimal(0.25), decimal(-0.001), decimal(-math.inf), decimal(math.nan)
    ('−0.50', '0.25', '0.00', '−∞', '–')
    """
    if not math.isfinite(value):
        return "–" if math.isnan(value) else "∞" if value > 0 else "−∞"
    return true_minus(f"{value:z.{digits}f}")


def signed(value: float, *, digits: int = 2) -> str:
    """A change with its sign; what rounds to nothing is neither up nor down.

    >>> signed(0.0126, digits=3), signed(-0.5), signed(-0.0001, digits=3)
    ('+0.013', '−0.50', '0.000')
    """
    text = decimal(value, digits=digits)
    return f"+{text}" if value > 0 and float(f"{value:.{digits}f}") else text


def small(value: float) -> str:
    """A size that may be anything from nothing up, with the two digits that count.

    >>> small(0.571), small(0.00123), small(3.2e-7), small(0), small(99.7), small(math.inf)
    ('0.57', '0.0012', '3.2 × 10⁻⁷', '0', '100', '∞')
    """
    if not math.isfinite(value) or value >= 99.5:
        return f"{value:,.0f}" if math.isfinite(value) else decimal(value)
    number, _, power = f"{value:.2g}".partition("e-")
    return f"{number} × 10⁻{str(int(power)).translate(_RAISED)}" if power else number


_RAISED = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


def duration(seconds: float) -> str:
    """A time that passed, to the second below ten minutes.

    >>> duration(7.6), duration(80), duration(7500)
    ('8 s', '1 min 20 s', '2 h 5 min')
    """
    minutes, left = divmod(max(round(seconds), 0), 60)
    if minutes >= 60:
        hours, minutes = divmod(minutes, 60)
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    if minutes >= 10 or (minutes and not left):
        return f"{minutes} min"
    return f"{minutes} min {left} s" if minutes else f"{left} s"


def rough_duration(seconds: float) -> str:
    """A guessed time: no more digits than a guess has.

    >>> rough_duration(3), rough_duration(47), rough_duration(130), rough_duration(5000)
    ('5 s', '50 s', '2 min', '1 h 25 min')
    """
    if seconds < 55:
        step = 5 if seconds < 20 else 10
        return f"{max(step * round(seconds / step), step)} s"
    if seconds < 600:
        return f"{max(round(seconds / 60), 1)} min"
    return duration(300 * round(seconds / 300))


def size(number: float) -> str:
    """Bytes in decimal units, as disks and models are sold.

    >>> size(1), size(900), size(54_300), size(1_250_000), size(722_300_000), size(2_000_000_000)
    ('1 byte', '900 bytes', '54 kB', '1.2 MB', '722 MB', '2.0 GB')
    """
    digits = 1 if 1e6 <= number < 1e7 or number >= 1e9 else 0
    return humanize.naturalsize(number, format=f"%.{digits}f").replace("Byte", "byte")


WIDTH = 100
"""Characters of a line that a table in plain text takes at most, where its words can be parted."""


def columns(
    headers: Sequence[str], rows: Sequence[Sequence[str]], *, width: int = WIDTH
) -> list[str]:
    """A table as plain text: a string per row, the headers first, each column as wide as it needs.

    Where that is wider than ``width`` characters, the widest columns are narrowed and their text is
    parted between words, so that a row takes several lines. A single word is never parted: a table
    of many columns can still be wider.

    >>> columns(["Head", "Share"], [["L1H3", "9%"]])
    ['Head  Share', 'L1H3  9%']
    >>> print(columns(["Head", "Looks at"], [["L1H3", "the token before"]], width=16)[1])
    L1H3  the token
          before
    """
    table = (headers, *rows)
    widths = _fitting(list(zip(*table, strict=True)), width)
    return ["\n".join(_lines(row, widths)) for row in table]


def _lines(row: Sequence[str], widths: Sequence[int]) -> Iterator[str]:
    cells = [
        textwrap.wrap(cell, size, break_long_words=False, break_on_hyphens=False)
        if len(cell) > size
        else [cell]
        for cell, size in zip(row, widths, strict=True)
    ]
    for parts in itertools.zip_longest(*cells, fillvalue=""):
        padded = (f"{part:{size}}" for part, size in zip(parts, widths, strict=True))
        yield "  ".join(padded).rstrip()


def _fitting(table: Sequence[Sequence[str]], width: int) -> list[int]:
    """[column] how wide each is: as its longest cell, or less where it is among the widest."""
    widths = [max(map(len, column)) for column in table]
    words = [max(len(word) for cell in column for word in cell.split(" ")) for column in table]
    while sum(widths) + 2 * (len(widths) - 1) > width:
        parted = [at for at, least in enumerate(words) if widths[at] > least]
        if not parted:
            break
        widths[max(parted, key=widths.__getitem__)] -= 1
    return widths
