"""Worksheets as they come in: files, folders, and the zips that Moodle and Canvas make of them.

Who handed a file in stands in its path, where the course system wrote it:

- Moodle puts each file into ``Full Name_123_assignsubmission_file/``, or before the file's name
  (``mod/assign/classes/downloader.php`` of Moodle); 123 numbers the participants of the assignment;
- Canvas puts ``lastfirst_LATE_123_456_`` before the file's name (``lib/content_zipper.rb`` of
  Canvas): 123 is the student's ID there, 456 the file's. ``LATE`` is there for late ones only, and
  an anonymous student is ``anon_`` and some letters.

A zip is read as a stranger's: nothing is written to the disk, and what it says of its own sizes is
not believed.

>>> owner_of("Ada L._12_assignsubmission_file/worksheet.json", typed="ada").name
'Ada L.'
"""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import Literal, NamedTuple

from headroles import disk
from headroles.errors import HeadrolesError
from headroles.formatting import in_one_line, size
from headroles.lessons import worksheet

MOST_FILES = 3_000
"""Files that are looked at together, folders of a zip included."""
MOST_BYTES = 256 << 20
"""Bytes that they have together, unpacked."""
LARGEST_ZIP = 64 << 20
"""Bytes of a zip."""
LONGEST_PATH = 400
"""Characters of a path that are kept."""
LONGEST_NAME = 120
"""Characters of a name that are kept."""
_MOODLE = re.compile(r"(?P<name>.+)_(?P<number>\d+)_assignsubmission_[a-z]+(?:_.*)?", re.DOTALL)
_CANVAS = re.compile(
    r"(?P<name>.+?)(?:_LATE)?_(?P<number>\d+)_\d+_.+|(?:LATE_)?(?P<anon>anon_\w+?)_\d+_.+",
    re.DOTALL,
)
_PACKINGS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""How files of a zip are packed; others cannot be unpacked up to a number of bytes."""
_ENCRYPTED = 0x1


class File(NamedTuple):
    """A file that may be a worksheet."""

    path: str
    """What it is called, with the folders that it lies in, ``/`` between them."""
    raw: bytes
    """What it holds."""


class LeftOut(NamedTuple):
    """A file that does not count."""

    path: str
    """As :attr:`File.path`."""
    why: str
    """The reason, in a sentence."""


class Owner(NamedTuple):
    """Who handed a file in."""

    key: str
    """What tells this student from others: the course system's number, else the name, else the
    file."""
    name: str
    """What to call them."""
    typed: str = ""
    """What they called themselves on the worksheet."""
    system: Literal["", "Moodle", "Canvas"] = ""
    """The course system that named the file; "" where none did."""
    number: str = ""
    """Its number: Moodle's of the participant, Canvas's of the student."""


def owner_of(path: str, *, typed: str) -> Owner:
    """Who handed a file in, by what the course system says of it, or else by the worksheet.

    Args:
        path: of the file.
        typed: the name on the worksheet.
    """
    typed = _spoken(typed)
    *folders, last = PurePosixPath(path).parts or (path,)
    for part in (*reversed(folders), last):
        if found := _MOODLE.fullmatch(part):
            number = found["number"]
            return Owner(f"Moodle {number}", _spoken(found["name"]), typed, "Moodle", number)
    if found := _CANVAS.fullmatch(last):
        number = found["number"] or found["anon"]
        name = typed or _spoken(found["name"] or found["anon"])
        return Owner(f"Canvas {number}", name, typed, "Canvas", number)
    if typed:
        return Owner(f"named {typed.casefold()}", typed, typed)
    return Owner(f"file {path}", _spoken(PurePosixPath(last).stem) or "?")


def _spoken(name: str) -> str:
    """A name without line ends, and no longer than one is."""
    return " ".join(name.split())[:LONGEST_NAME]


def is_litter(path: str) -> bool:
    """Whether an operating system left this file behind, and nobody handed it in.

    >>> is_litter("__MACOSX/a/._worksheet.json"), is_litter("a/worksheet.json")
    (True, False)
    """
    parts = PurePosixPath(path).parts
    litter = {"thumbs.db", "desktop.ini", "__macosx"}
    return any(part.startswith(".") or part.lower() in litter for part in parts)


def unpacked(files: Iterable[File | LeftOut]) -> Iterator[File | LeftOut]:
    """All files, those in zips among them; what nobody handed in is passed over.

    Raises:
        HeadrolesError: if there are more files or bytes than any class has.
    """
    count = total = 0
    for file in files:
        for found in _within(file):
            if is_litter(found.path):
                continue
            count, total = count + 1, total + len(getattr(found, "raw", b""))
            if count > MOST_FILES or total > MOST_BYTES:
                raise _too_much(f"more than {MOST_FILES:,} files or {size(MOST_BYTES)}")
            yield found


def _within(file: File | LeftOut) -> Iterable[File | LeftOut]:
    if isinstance(file, LeftOut):
        return [file]
    return _of_zip(file) if _ending(file.path) == ".zip" else [_looked_at(file)]


def _too_much(what: str) -> HeadrolesError:
    return HeadrolesError(
        f"These are {what}: more than a class hands in.",
        hint="Choose the folder or the zip with the worksheets and nothing else.",
    )


def _ending(path: str) -> str:
    return PurePosixPath(path).suffix.lower()


def _looked_at(file: File) -> File | LeftOut:
    """A file whose name says that it may be a worksheet."""
    path, ending = file.path[-LONGEST_PATH:], _ending(file.path)
    if ending == ".json":
        return File(path, file.raw)
    if ending in (".html", ".htm"):
        return LeftOut(path, "It is a page to read. The worksheet is the file that ends in .json.")
    if ending == ".zip":
        return LeftOut(path, "It is a zip within a zip. Unpack it first.")
    return LeftOut(path, "Its name does not end in .json.")


def _of_zip(file: File) -> Iterator[File | LeftOut]:
    """The files of a zip, each read up to the largest that a worksheet can be."""
    if len(file.raw) > LARGEST_ZIP:
        yield LeftOut(file.path, f"A zip has at most {size(LARGEST_ZIP)}.")
        return
    try:
        with zipfile.ZipFile(io.BytesIO(file.raw)) as archive:
            inside = [info for info in archive.infolist() if not info.is_dir()]
            if len(inside) > MOST_FILES:
                raise _too_much(f"{len(inside):,} files in {file.path}")
            for info in inside:
                yield _of_member(archive, info, file.path)
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        yield LeftOut(file.path, f"It is no zip that can be read: {in_one_line(str(error))}.")


def _of_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, within: str) -> File | LeftOut:
    path = f"{within}/{info.filename}".replace("\\", "/")[-LONGEST_PATH:]
    looked_at = _looked_at(File(path, b""))
    if isinstance(looked_at, LeftOut) or is_litter(path):
        return looked_at
    if info.flag_bits & _ENCRYPTED:
        return LeftOut(path, "It is locked with a password.")
    if info.compress_type not in _PACKINGS:
        return LeftOut(path, "It is packed in a way that is not read here. Make the zip anew.")
    try:
        with archive.open(info) as content:
            raw = content.read(worksheet.LARGEST + 1)
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, ValueError, RuntimeError) as error:
        return LeftOut(path, f"It is damaged in the zip: {in_one_line(str(error), limit=200)}.")
    if len(raw) > worksheet.LARGEST:
        return LeftOut(path, f"A worksheet has at most {size(worksheet.LARGEST)}.")
    return File(path, raw)


def of_paths(paths: Iterable[Path]) -> Iterator[File | LeftOut]:
    """Files, zips (still packed), and all that lies in folders, for :func:`unpacked`."""
    for path in paths:
        if path.is_dir():
            for found in sorted(path.rglob("*")):
                name = f"{path.resolve().name}/{found.relative_to(path).as_posix()}"
                if not is_litter(name) and found.is_file():
                    yield from _of_path(found, name)
        else:
            yield from _of_path(path, path.name)


def _of_path(path: Path, name: str) -> Iterator[File | LeftOut]:
    looked_at = _looked_at(File(name, b""))
    is_zip = _ending(name) == ".zip"
    if isinstance(looked_at, LeftOut) and not is_zip:
        yield looked_at
        return
    try:
        raw, _ = disk.read(path, most=LARGEST_ZIP if is_zip else worksheet.LARGEST)
    except OSError as error:
        yield LeftOut(name, f"It cannot be read: {error.strerror or error}.")
        return
    yield File(name, raw)
