"""Files of text that somebody brings: read as Unicode, or refused in a sentence.

A spreadsheet writes UTF-16, an editor a byte order mark, and some call a Word document ``.txt``.
What says which encoding it has is read by that; without a mark it must be UTF-8, or UTF-16 or
UTF-32 by its zeros. Nothing is guessed beyond that, because a wrong guess is analysed like a text.

>>> as_text("é".encode("utf-16"), name="notes.txt")
'é'
"""

from __future__ import annotations

import codecs
import re
from pathlib import Path

from headroles import disk, limits
from headroles.errors import TextFileError
from headroles.formatting import in_one_line

_MARKS = (  # that of UTF-32 begins with that of UTF-16
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_KINDS = (
    (b"PK\x03\x04", "a zip archive, or a document of Word, Excel or LibreOffice"),
    (b"PK\x05\x06", "an empty zip archive"),
    (b"\xd0\xcf\x11\xe0", "an older document of Word or Excel"),
    (b"%PDF", "a PDF document"),
    (b"{\\rtf", "a document with formatting (RTF)"),
    (b"\x1f\x8b", "a compressed file (gzip)"),
    (b"\x89PNG", "a picture"),
    (b"\xff\xd8\xff", "a picture"),
    (b"GIF8", "a picture"),
)
"""(first bytes, what such a file is)."""
_LONGEST_NAME = 60
_CONTROL = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f]")
"""The control characters that no text holds: all but those of its layout."""


def as_text(raw: bytes, *, name: str) -> str:
    """The text in a file's bytes, without a byte order mark.

    Args:
        raw: the whole file.
        name: what it is called, for the sentence.

    Raises:
        TextFileError: if it is empty, no text, or text in an encoding that it does not tell.
    """
    if not raw.strip(b"\0 \t\r\n"):
        raise _refused(name, "is empty")
    for begins, kind in _KINDS:
        if raw.startswith(begins):
            raise _refused(name, f"is {kind}, and no plain text")
    mark, encoding = _encoding(raw)
    try:
        text = raw[len(mark) :].decode(encoding)
    except UnicodeDecodeError:
        if mark or encoding != "utf-8":
            raise _refused(name, f"is damaged: it begins like {encoding[:6].upper()}") from None
        raise _refused(name, "is neither UTF-8 nor UTF-16 text") from None
    if not text.strip():
        raise _refused(name, "is empty")
    if found := _CONTROL.search(text):
        raise _refused(name, f"is no text: it holds the control character U+{ord(found[0]):04X}")
    return text


def read_text(path: Path, *, limit: limits.Limit = limits.UPLOAD) -> str:
    """The text of a file on disk.

    Raises:
        LimitError: if it has more bytes than ``limit`` allows.
        TextFileError: if it cannot be read, or as :func:`as_text`.
    """
    try:
        limit.check(path.stat().st_size)
        raw, _ = disk.read(path, most=limit.most)
    except (OSError, ValueError) as error:  # a name may hold a NUL
        why = getattr(error, "strerror", None) or str(error)
        raise _refused(str(path), f"cannot be read: {why}", hint="Give a text file.") from error
    return as_text(raw, name=path.name)


def _encoding(raw: bytes) -> tuple[bytes, str]:
    """The byte order mark and the encoding; without a mark, where the zeros of ASCII stand."""
    for mark, encoding in _MARKS:
        if raw.startswith(mark):
            return mark, encoding
    if b"\0" in raw:
        for width, order in ((4, "le"), (4, "be"), (2, "le"), (2, "be")):
            place = 0 if order == "le" else width - 1
            others = [raw[k::width] for k in range(width) if k != place]
            zeros = sum(part.count(0) for part in others)
            if len(raw) % width == 0 and zeros > 0.8 * sum(map(len, others)):
                return b"", f"utf-{8 * width}-{order}"
    return b"", "utf-8"


def _refused(name: str, why: str, *, hint: str = "") -> TextFileError:
    return TextFileError(
        f"The file {in_one_line(name, limit=_LONGEST_NAME)} {why}.",
        hint=hint or "Save it as plain text in UTF-8 and try again.",
        value=name,
    )
