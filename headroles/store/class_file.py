"""A JSON file of what an instructor keeps for the class: read when it changes, changed in one step.

A change replaces the file whole under its lock, and what it replaces stays in ``history/``, so that
it can be undone. While the file is damaged, what was read last, or the newest version in order, is
used, and the fault is told.

>>> ROLES.read(Path("data/class_roles.json"))  # doctest: +SKIP
((), None)
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

from headroles import disk
from headroles.errors import HeadrolesError
from headroles.limits import Limit
from headroles.store import files, versions

FORMAT = 1
"""What such a file says of its own form."""
LOCK_SECONDS = 30
"""How long a writer waits for another one."""

T = TypeVar("T")


@dataclass(frozen=True)
class ClassFile(Generic[T]):
    """What such a file holds, and how that is written."""

    name: str
    """What the file is called."""
    holds: str
    """What it holds, in words."""
    nothing: T
    """What there is without a file."""
    from_plain: Callable[[dict], T | None]
    """Reads what JSON gave; None where it has another shape. Raises a HeadrolesError of its own."""
    to_plain: Callable[[T], dict[str, object]]
    """The reverse."""
    fault: Callable[..., HeadrolesError]
    """The class of its errors, which takes the file and ``why``."""
    limit: Limit
    """Bytes of the file."""
    ascii: bool = False
    """Whether all else is written in escapes, halves of surrogates among it."""
    readings: dict[Path, tuple[disk.Stamp, tuple[T, HeadrolesError | None]]] = field(
        default_factory=dict
    )
    """{file: its stamp, and what was read}."""

    def read(self, file: Path) -> tuple[T, HeadrolesError | None]:
        """What is kept, and why the file itself cannot be used; None where it can, or where there
        is none. It is read again only when it has changed."""
        stamp = disk.stamp(file)
        if stamp is None:
            return self.nothing, None
        known = self.readings.get(file)
        if known is None or known[0] != stamp:
            last = None if known is None else known[1][0]
            known = self.readings[file] = (stamp, self._read(file, last=last))
        return known[1]

    def _read(self, file: Path, *, last: T | None) -> tuple[T, HeadrolesError | None]:
        try:
            return self._load(file), None
        except FileNotFoundError:  # removed a moment ago
            return self.nothing, None
        except HeadrolesError as fault:
            return self._newest_version(file) if last is None else last, fault

    def _load(self, file: Path) -> T:
        try:
            raw, _ = disk.read(file, most=self.limit.most)
        except FileNotFoundError:
            raise
        except OSError as error:
            raise self.fault(file.name, why=f"{error.strerror}.") from error
        return self.parse(raw, name=file.name)

    def parse(self, raw: bytes, *, name: str = "") -> T:
        """What a file's bytes hold.

        Raises:
            HeadrolesError: of the file's own class, if they are not what such a file holds.
        """
        name = name or self.name
        try:
            plain = json.loads(raw)
        except (ValueError, RecursionError) as error:
            raise self.fault(name, why="it is not valid JSON.") from error
        held = None
        if isinstance(plain, dict) and plain.get("format") == FORMAT:
            try:
                held = self.from_plain(plain)
            except HeadrolesError as error:
                raise self.fault(name, why=error.message) from error
        if held is None:
            raise self.fault(name, why=f"it holds no {self.holds} in format {FORMAT}.")
        return held

    def _newest_version(self, file: Path) -> T:
        for version in disk.earlier_versions(file):
            try:
                return self._load(version)
            except (HeadrolesError, OSError):
                continue
        return self.nothing

    def edit(self, change: Callable[[T], T], file: Path) -> None:
        """Replace what is kept by what a change makes of it, unless that is the same.

        Raises:
            HeadrolesError: of the file's own class, if the file is damaged; whatever the change
                raises; LimitError, if the file would be too large.
            DiskError, FileBusyError: if the disk or another writer is in the way; nothing changes.
        """
        with files.writing(file, wait=LOCK_SECONDS):
            try:
                held = self._load(file)
            except FileNotFoundError:  # so that the first change can be undone as well
                held = self.nothing
                files.replace_file(file, self._written(held))
            new = self._written(change(held))
            if new != self._written(held):
                self.limit.check(len(new))
                versions.replace(file, new, is_good=self._is_good)

    def undo(self, file: Path) -> None:
        """Bring back what the last change replaced; undone once more, the change is back.

        It also replaces a damaged file.

        Raises:
            HeadrolesError: of the file's own class, if nothing is kept that could come back.
            DiskError, FileBusyError: as :meth:`edit`.
        """
        with files.writing(file, wait=LOCK_SECONDS):
            if not versions.bring_back(file, is_good=self._is_good):
                raise self.fault(file.name, why="there is no earlier version of it.")

    def _written(self, held: T) -> bytes:
        plain = {"format": FORMAT, **self.to_plain(held)}
        return (json.dumps(plain, ensure_ascii=self.ascii, indent=1) + "\n").encode()

    def _is_good(self, raw: bytes) -> bool:
        try:
            self.parse(raw)
        except HeadrolesError:
            return False
        return True
