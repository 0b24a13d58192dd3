"""The earlier contents of a file, in a folder ``history/`` beside it; they are not parsed here.

A version is named after its file and the moment since when it was the live one, in UTC to the
microsecond: ``history/head_categories.2026-01-31T12-00-00.000000Z.json``. Everything that changes
something is for the holder of the file's lock (:func:`headroles.store.files.writing`).

>>> kept(Path("data/head_categories.json"))[0]  # doctest: +SKIP
('head_categories.2026-01-31T12-00-00.000000Z.json', datetime.datetime(2026, 1, 31, 12, 0, ...))
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from headroles.store import files

HISTORY = 10
"""Versions kept of a file."""

_STAMP = "%Y-%m-%dT%H-%M-%S.%fZ"


def folder(path: Path) -> Path:
    """Where the versions of a file lie."""
    return path.parent / "history"


def kept(path: Path) -> list[tuple[str, datetime]]:
    """(file name, since when it was live) of every version, newest first."""
    pattern = re.compile(_names(path))
    versions = []
    with contextlib.suppress(OSError):  # no folder, no history
        for file in folder(path).iterdir():
            if match := pattern.fullmatch(file.name):
                with contextlib.suppress(ValueError):  # a month 13 is nobody's version
                    when = datetime.strptime(match[1], _STAMP).replace(tzinfo=UTC)
                    if when.year < 9000:  # nothing comes after the end of time
                        versions.append((file.name, when))
    return sorted(versions, reverse=True)


def _names(path: Path) -> str:
    """The pattern of a version's name; files that share a folder keep their versions apart."""
    stamp = r"\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d\.\d{6}Z"
    return rf"{re.escape(path.stem)}\.({stamp}){re.escape(path.suffix)}"


def keep(path: Path) -> None:
    """Put a copy of the live file into the history, unless it is the newest version already.

    Raises:
        OSError: if the disk does not take it.
    """
    try:
        live = files.read(path)
    except OSError:
        if not path.is_file():  # a pipe, a device or a folder: out of the way
            move_in(path)
        else:  # it cannot be copied, but it can have a second name
            os.link(path, _new(path, files.date_of(path)))
        return
    versions = kept(path)
    if live is None or (versions and files.bytes_of(folder(path) / versions[0][0]) == live.raw):
        return
    files.replace_file(_new(path, live.when), live.raw)


def move_in(path: Path) -> None:
    """Make the live file a version; there is no live file afterwards. This takes no disk space.

    Raises:
        OSError: if the disk does not take it.
    """
    os.replace(path, _new(path, files.date_of(path)))
    files.sync_folder(folder(path))
    files.sync_folder(path.parent)


def _new(path: Path, when: datetime) -> Path:
    """A free name, later than all others even after the clock was set back: order is age."""
    folder(path).mkdir(exist_ok=True)
    for _, newest in kept(path)[:1]:
        when = max(when, newest + timedelta(microseconds=1))
    return folder(path) / f"{path.stem}.{when.strftime(_STAMP)}{path.suffix}"


def prune(path: Path, *, is_readable: Callable[[Path], bool]) -> None:
    """Remove all but the newest :data:`HISTORY` versions; the newest readable one always stays.

    What cannot be removed stays until the next time: it is no reason to fail a write.
    """
    versions = [folder(path) / name for name, _ in kept(path)]
    staying, old = versions[:HISTORY], versions[HISTORY:]
    if old and not any(is_readable(file) for file in staying):
        staying[-1:] = [file for file in old if is_readable(file)][:1] or staying[-1:]
    for file in versions:
        if file not in staying:
            with contextlib.suppress(OSError):
                file.unlink()


def replace(path: Path, raw: bytes, *, is_good: Callable[[bytes], bool]) -> None:
    """Put new contents in the place of the live file, which goes into the history first.

    Raises:
        OSError, DiskError: if the disk does not take it.
    """
    sweep(path)
    keep(path)
    files.replace_file(path, raw)
    prune(path, is_readable=lambda version: _holds(version, is_good) is not None)


def bring_back(path: Path, *, is_good: Callable[[bytes], bool]) -> bool:
    """Make the newest version that is in order, and another than the live file, the live one.

    Returns:
        Whether there was one.
    """
    for name, _ in kept(path):
        raw = _holds(folder(path) / name, is_good)
        if raw is not None and raw != files.bytes_of(path):
            replace(path, raw, is_good=is_good)
            return True
    return False


def _holds(version: Path, is_good: Callable[[bytes], bool]) -> bytes | None:
    """A version's contents; None where they are not in order."""
    raw = files.bytes_of(version)
    return raw if raw is not None and is_good(raw) else None


def sweep(path: Path) -> None:
    """Remove what killed writers of this file left behind, here and in the history."""
    files.sweep(path.parent, re.escape(path.name))
    files.sweep(folder(path), _names(path))
