"""The audit list: who did what on the instructor's page, when, and how it ended.

One JSON object per line, only ever added to, so that a crash can spoil the last line at most; what
cannot be read is skipped and counted. Past 5,000 rows the oldest go. The list never stands in the
way: when the disk does not take a row, the action that it records goes on.

>>> append(AuditRow(who="session 3f2a", action="started", model="gpt2"), path)  # doctest: +SKIP
True
"""

from __future__ import annotations

import contextlib
import datetime
import logging
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from headroles import disk
from headroles.admin.fields import Count, Moment, Seconds, Text
from headroles.errors import HeadrolesError
from headroles.store import replace_file, writing

MOST_ROWS = 5_000
"""Past so many, the list is cut."""
KEPT_ROWS = 4_000
"""So many of the newest stay then."""
LOCK_SECONDS = 5
"""How long a row waits for another one to be written."""
LARGEST_LIST = 64 << 20
"""Bytes; as many rows as are kept take less, whatever they hold."""

_log = logging.getLogger("headroles.admin.audit")

Action = Literal[
    "signed_in",
    "refused",
    "started",
    "finished",
    "failed",
    "cancelled",
    "lost",
    "wrote",
    "restored",
    "set_aside",
    "edited_models",
    "edited_roles",
    "edited_lessons",
]
"""What can stand in the list. ``refused``: a wrong password; ``lost``: the server went away
during an analysis; ``set_aside``: a broken file was moved out of the way; ``edited_models``: the
list of models that students can choose was changed; ``edited_roles``: the roles of the class
were; ``edited_lessons``: the lessons."""


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC).replace(microsecond=0)


class AuditRow(BaseModel):
    """One line of the list."""

    model_config = ConfigDict(frozen=True, protected_namespaces=())

    when: Moment = Field(default_factory=_now)
    """The moment, in UTC."""
    who: Text
    """The short public name of the session."""
    action: Action
    model: Text = ""
    """The catalogue key or Hub id."""
    revision: Text = ""
    """What pins the model's weights."""
    seed: Count | None = None
    sequences: Count | None = None
    """Random repeated sequences asked for."""
    seconds: Seconds | None = None
    outcome: Text = ""


@dataclass(frozen=True)
class AuditList:
    """What a reader found."""

    rows: tuple[AuditRow, ...]
    """Newest first."""
    damaged: int = 0
    """Lines that could not be read, in the whole file."""
    fault: str = ""
    """A sentence, when the file itself could not be read."""


def append(row: AuditRow, path: Path) -> bool:
    """Add a row; False, with a line in the server's log, when the disk does not take it."""
    line = row.model_dump_json().encode() + b"\n"
    try:
        with writing(path, wait=LOCK_SECONDS):
            _add_line(path, line)
            _cut(path)
    except (HeadrolesError, OSError) as error:
        _log.warning("the audit list did not take a row (%s): %s", error, line.decode().strip())
        return False
    return True


def read(path: Path, *, limit: int = 200) -> AuditList:
    """The newest rows first; never fails."""
    try:
        lines = _lines(path)
    except OSError as error:
        return AuditList((), fault=f"The audit list cannot be read: {error.strerror}.")
    parsed = [_parsed(line) for line in lines]
    rows = [row for row in reversed(parsed) if row is not None]
    return AuditList(tuple(rows[:limit]), damaged=len(parsed) - len(rows))


def _parsed(line: bytes) -> AuditRow | None:
    try:
        return AuditRow.model_validate_json(line, strict=True)
    except ValidationError:
        return None


def _lines(path: Path) -> list[bytes]:
    try:
        content, _ = disk.read(path, most=LARGEST_LIST)
    except FileNotFoundError:
        return []
    return [line for line in content.split(b"\n") if line.strip()]


class _End(NamedTuple):
    size: int
    is_torn: bool


def _end_of(path: Path) -> _End:
    """Where the file ends, and whether a writer was stopped in the middle of its last line."""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        if not size:
            return _End(0, is_torn=False)
        file.seek(-1, os.SEEK_END)
        return _End(size, is_torn=file.read(1) != b"\n")


def _add_line(path: Path, line: bytes) -> None:
    if path.exists() and not path.is_file():  # opening a pipe would block
        raise OSError("it is not a file")
    end = _end_of(path) if path.exists() else _End(0, is_torn=False)
    try:
        with path.open("ab", buffering=0) as file:
            # One call: a full disk leaves a part of it at most, which is taken off again.
            written = file.write(b"\n" + line if end.is_torn else line)
            if written != len(line) + end.is_torn:
                raise OSError("the disk took only a part of it")
            os.fsync(file.fileno())
    except OSError:
        with contextlib.suppress(OSError):
            os.truncate(path, end.size)
        raise


def _cut(path: Path) -> None:
    lines = _lines(path)
    if len(lines) > MOST_ROWS:
        replace_file(path, b"\n".join(lines[-KEPT_ROWS:]) + b"\n")
