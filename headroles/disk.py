"""Reading a file that somebody else may have replaced by something that is no file.

A pipe blocks whoever opens it and a device never ends, so only regular files up to a size are read.

>>> read(Path("data/head_categories.json"))[0][:1]  # doctest: +SKIP
b'{'
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
import threading
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

LARGEST = 32 << 20
"""Bytes of the largest file that is read; a categories file holds about .1 MB per small model."""

Stamp = tuple[int, int, int, int]
"""What changes whenever a file does."""

_digests: dict[tuple[Path, ...], tuple[tuple[Stamp | None, ...], str]] = {}
_digesting: dict[tuple[Path, ...], threading.Lock] = defaultdict(threading.Lock)

_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


def read(path: Path, *, most: int = LARGEST) -> tuple[bytes, os.stat_result]:
    """A regular file's bytes, and what the system says of that very file.

    Args:
        path: the file; a link to one is followed.
        most: bytes.

    Raises:
        FileNotFoundError: if there is none.
        OSError: if it is no regular file, is larger than ``most``, or cannot be read.
    """
    _check(os.stat(path), path, most=most)  # some devices do something when they are opened
    handle = os.open(path, _FLAGS)
    with os.fdopen(handle, "rb") as file:
        status = os.fstat(handle)
        _check(status, path, most=most)  # it may have been replaced since
        content = file.read(most + 1)
    if len(content) > most:  # it grew, or has no size, as the files in /proc
        raise _too_large(path, most)
    return content, status


def stamp(path: Path) -> Stamp | None:
    """What changes whenever a file does; None where there is none, or none can be looked at."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino


def sha256(files: Sequence[Path]) -> str:
    """The SHA-256 of files, one after the other, read once for as long as they stay.

    Raises:
        OSError: if one cannot be read.
    """
    places = tuple(file.resolve() for file in files)
    with _digesting[places]:  # many sessions may ask for large files at once
        if known := _known_sha256(places):
            return known
        stamps, digest = tuple(map(stamp, places)), hashlib.sha256()
        for place in places:
            with place.open("rb") as content:
                while piece := content.read(1 << 20):  # never a gigabyte at once
                    digest.update(piece)
        _digests[places] = stamps, digest.hexdigest()
        return digest.hexdigest()


def known_sha256(files: Sequence[Path]) -> str:
    """The same if this process has read the files as they are now; else "". Reads nothing."""
    return _known_sha256(tuple(file.resolve() for file in files))


def _known_sha256(places: tuple[Path, ...]) -> str:
    stamps, digest = _digests.get(places, (None, ""))
    return digest if stamps == tuple(map(stamp, places)) else ""


def earlier_versions(path: Path) -> list[Path]:
    """The earlier contents of a file that :mod:`headroles.store.versions` keeps, newest first."""
    kept = (path.parent / "history").glob(f"{path.stem}.*Z{path.suffix}")
    return sorted(kept, reverse=True)  # they are named after their moments


def _check(status: os.stat_result, path: Path, *, most: int) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "It is a pipe or a device and not a file", str(path))
    if status.st_size > most:
        raise _too_large(path, most)


def _too_large(path: Path, most: int) -> OSError:
    return OSError(errno.EFBIG, f"It is larger than {most >> 20 or 1} MB", str(path))
