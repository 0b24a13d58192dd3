"""Files that are replaced whole or not at all, by one writer at a time.

A new content goes to a temporary file in the same folder, is flushed to the disk and renamed over
the old one. Whoever reads sees the old content or the new one, and so does the next start after a
crash or a power cut at any moment in between.

>>> with writing(path, wait=30):  # doctest: +SKIP
...     replace_file(path, b"{}")
"""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from filelock import FileLock, Timeout

from headroles import disk
from headroles.errors import DiskError, FileBusyError


class Content(NamedTuple):
    """A file's bytes at one moment."""

    raw: bytes
    """All of them."""
    when: datetime
    """UTC: when these very bytes were written."""


def read(path: Path) -> Content | None:
    """A file as it is now, or None where there is none.

    Raises:
        OSError: if there is one, and it cannot be read; see :func:`headroles.disk.read`.
    """
    try:
        raw, status = disk.read(path)
    except FileNotFoundError:
        return None
    return Content(raw, _date(status))


def bytes_of(path: Path) -> bytes | None:
    """A file's bytes, or None where they cannot be had."""
    try:
        return disk.read(path)[0]
    except OSError:
        return None


def date_of(path: Path) -> datetime:
    """UTC: when the file was written; it need not be readable."""
    try:
        return _date(path.stat())
    except OSError:  # a link that leads nowhere
        return _date(path.lstat())


def _date(stat: os.stat_result) -> datetime:
    return datetime.fromtimestamp(stat.st_mtime, UTC)


@contextlib.contextmanager
def writing(path: Path, *, wait: float) -> Iterator[None]:
    """Be the only writer of a file; its folder is made where there is none.

    The lock belongs to the process: when a writer is killed, the system lets it go.

    Args:
        path: the file.
        wait: seconds to wait for another writer.

    Raises:
        FileBusyError: if another writer holds the file for longer than that.
        DiskError: for every fault of the disk, in the block too.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{path}.lock", timeout=wait):
            yield
    except Timeout as error:  # it is an OSError as well, so it comes first
        raise FileBusyError(path, seconds=wait) from error
    except OSError as error:
        raise DiskError(path, error) from error


def replace_file(path: Path, content: bytes) -> None:
    """Replace a file in one step; whatever happens in between, the old one stays whole.

    Raises:
        OSError: if the disk does not take it; no temporary file is left then.
    """
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Flush a folder's list of names, so that a rename outlives a power cut.

    By now the new name is there for everybody, so a disk that cannot do this is not an error.
    """
    if not hasattr(os, "O_DIRECTORY"):  # Windows has no such call
        return
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def sweep(folder: Path, name: str) -> None:
    """Remove the temporary files that killed writers left; only for who holds the lock.

    Every writer makes its temporary file under the lock, so the ones found by its present holder
    belong to nobody.

    Args:
        folder: where they lie.
        name: a regular expression for the names of the files that they were meant to replace.
    """
    leftover = re.compile(rf"\.{name}\.[a-z0-9_]{{8}}\.tmp")  # as mkstemp names them
    with contextlib.suppress(OSError):  # a leftover that stays harms nobody
        for file in list(folder.iterdir()):
            if leftover.fullmatch(file.name):
                file.unlink()
