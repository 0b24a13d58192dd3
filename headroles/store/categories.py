"""The only reader and writer of ``data/head_categories.json``, and the keeper of its history.

The file is one JSON object keyed by model. Every entry is validated on the way in and on the way
out (:mod:`headroles.store.schema`), and a write replaces the file in one step under a lock
(:mod:`headroles.store.files`), so that writers of different models never lose each other's entries.
What a write replaces is kept in ``history/`` beside the file: the last :data:`HISTORY` versions.

>>> entry = read_entry("demo")  # doctest: +SKIP
>>> entry.categories["induction"].top_heads[0].score  # doctest: +SKIP
0.97
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from headroles import disk, paths
from headroles.errors import (
    CategoriesBrokenError,
    CategoriesMissingError,
    StaleWriteError,
    UnknownVersionError,
)
from headroles.store import contents, files
from headroles.store import versions as store_versions
from headroles.store.records import Category, Control, Tokenization, TopHead
from headroles.store.schema import (
    SCHEMA_VERSION,
    ModelEntry,
    digest,
    notes_in,
    to_json,
    validate,
)
from headroles.store.versions import HISTORY

__all__ = [
    "HISTORY",
    "SCHEMA_VERSION",
    "Category",
    "Control",
    "Good",
    "ModelEntry",
    "Tokenization",
    "TopHead",
    "Version",
    "digest",
    "entry_digest",
    "fault",
    "file_digest",
    "folder_is_gone",
    "good_entry",
    "read_all",
    "read_entry",
    "read_good",
    "read_version",
    "restore",
    "set_aside",
    "to_json",
    "version_digest",
    "versions",
    "write_entry",
]

LOCK_SECONDS = 30
"""How long a writer waits for another one."""


@dataclass(frozen=True)
class Version:
    """One earlier content of the file."""

    name: str
    """Its file's name, which is what :func:`read_version` and :func:`restore` take."""
    when: datetime
    """UTC: since when it was the live file."""
    models: tuple[str, ...]
    """The models it holds; none if it cannot be read."""
    fault: str
    """Why it cannot be read, as a sentence; empty if it can."""
    size: int
    """Bytes."""


class Good(NamedTuple):
    """The best entries to show to a reader who cannot repair the file."""

    entries: dict[str, ModelEntry]
    """By model."""
    fault: CategoriesBrokenError | None
    """Why the present file is not used; None where these are its entries."""
    since: datetime | None
    """UTC: when this content became the live file; None where there is no file."""


_last_good: dict[Path, files.Content] = {}
"""What this process read last from each file that was in order."""


# ------------------------------------------------------------------ reading


def read_all(path: Path | None = None) -> dict[str, ModelEntry]:
    """Every entry of the file by model; an absent file is an empty one.

    Raises:
        CategoriesBrokenError: if the file is unreadable, no JSON, or not of the schema.
    """
    path = path or paths.CATEGORIES
    content = _look(path)
    return dict(_parsed(content.raw, path)) if content else {}


def _look(path: Path) -> files.Content | None:
    """The file as it is now, or None where there is none."""
    try:
        content = files.read(path)
    except OSError as error:
        raise CategoriesBrokenError(path, why=f"{error.strerror}.") from error
    if content is None and folder_is_gone(path):
        raise CategoriesBrokenError(path, why="the data folder is gone.")
    return content


def folder_is_gone(path: Path) -> bool:
    """Whether a data folder that this process has read from is no longer there.

    A disk that comes back would be hidden behind a new folder, so nobody should make one meanwhile.
    """
    return path in _last_good and not path.parent.is_dir()


def _parsed(raw: bytes, path: Path) -> dict[str, ModelEntry]:
    """Kept by content: dates, sizes and inodes may all return within a tick of the clock."""
    parsed = _entries_or_fault(raw, path)
    if isinstance(parsed, str):
        raise CategoriesBrokenError(path, why=parsed)
    return parsed


@lru_cache(maxsize=HISTORY + 6)
def _entries_or_fault(raw: bytes, path: Path) -> dict[str, ModelEntry] | str:
    """The entries, or what is wrong with them: a damaged file is not parsed for every click."""
    try:
        return validate(raw, path)
    except CategoriesBrokenError as error:
        return error.why


def read_entry(
    model_name: str, path: Path | None = None, *, given: str | None = None
) -> ModelEntry:
    """The entry of one model.

    Args:
        model_name: the key of its scores.
        path: another file than the live one.
        given: how a command line was told the model, which may be a folder or GGUF file.

    Raises:
        CategoriesMissingError: if there is no file, or no entry for this model in it.
        CategoriesBrokenError: if the file cannot be read.
    """
    return _entry_of(read_all(path), model_name, given)


def _entry_of(
    entries: dict[str, ModelEntry], model_name: str, given: str | None = None
) -> ModelEntry:
    key = contents.key_in(entries, model_name)
    if key is None:
        known = f" The file holds {', '.join(entries)}." if entries else ""
        raise CategoriesMissingError(
            f"There are no reference scores for '{model_name}' yet.{known}",
            model=given or model_name,
        )
    entry = entries[key]
    return entry if key == model_name else entry.model_copy(update={"model_name": model_name})


def fault(path: Path | None = None) -> CategoriesBrokenError | None:
    """Why the file cannot be read; None if it can, or if there is none."""
    try:
        read_all(path)
    except CategoriesBrokenError as error:
        return error
    return None


def file_digest(path: Path | None = None) -> str:
    """SHA-256 of the file's bytes: "" where there is none, "unreadable" where none can be had."""
    try:
        content = _look(path or paths.CATEGORIES)
    except CategoriesBrokenError:
        return "unreadable"
    return hashlib.sha256(content.raw).hexdigest() if content else ""


def entry_digest(model_name: str, path: Path | None = None) -> str:
    """SHA-256 of what the file says about one model; "" where it says nothing.

    Raises:
        CategoriesBrokenError: if the file cannot be read.
    """
    return digest(read_all(path).get(model_name))


def read_good(path: Path | None = None) -> Good:
    """The file's entries; of a damaged file the newest ones that can still be had.

    These are the last ones that this process read, or the newest readable version.

    Raises:
        CategoriesBrokenError: if the file is damaged and there is no other content.
    """
    path = path or paths.CATEGORIES
    try:
        content = _look(path)
        entries = dict(_parsed(content.raw, path)) if content else {}
    except CategoriesBrokenError as error:
        older = _newest_readable(path)
        if older is None:
            raise
        return Good(dict(_parsed(older.raw, path)), error, older.when)
    if content is None:
        return Good(entries, None, None)
    _last_good[path] = content
    return Good(entries, None, content.when)


def _newest_readable(path: Path) -> files.Content | None:
    """The newest good content other than the live one: from this process or from the history."""
    known = [_last_good[path]] if path in _last_good else []
    for name, when in store_versions.kept(path):
        raw = files.bytes_of(store_versions.folder(path) / name)
        with contextlib.suppress(CategoriesBrokenError):
            if raw is not None:
                _parsed(raw, path)
                known.append(files.Content(raw, when))
                break
    return max(known, key=lambda content: content.when, default=None)


def good_entry(model_name: str, path: Path | None = None) -> tuple[ModelEntry, Good]:
    """One model's entry of :func:`read_good`, and where it comes from.

    Raises:
        CategoriesMissingError: if there is no file, or no entry for this model in it.
        CategoriesBrokenError: if the file is damaged and no other content has the model.
    """
    good = read_good(path)
    if good.fault and contents.key_in(good.entries, model_name) is None:
        raise good.fault
    return _entry_of(good.entries, model_name), good


# ------------------------------------------------------------------ writing


@contextlib.contextmanager
def _writing(path: Path) -> Iterator[None]:
    if folder_is_gone(path):
        raise CategoriesBrokenError(path, why="the data folder is gone.")
    with files.writing(path, wait=LOCK_SECONDS):
        yield


def write_entry(
    entry: ModelEntry, path: Path | None = None, *, expecting: str | None = None
) -> None:
    """Add or replace one model's entry; every other entry stays, and the old file is kept.

    Args:
        entry: what to write.
        path: another file than the project's.
        expecting: the :func:`entry_digest` that the writer had looked at; None writes over any.

    Raises:
        CategoriesBrokenError: if the present file cannot be read: it is left untouched, because
            writing over it would lose the other models. The same for an entry that could not be
            read back.
        StaleWriteError: if the live entry is no longer the expected one.
        DiskError, FileBusyError: if the disk or another writer is in the way; nothing changes.
    """
    path = path or paths.CATEGORIES
    with _writing(path):
        entries = read_all(path)
        if expecting is not None and digest(entries.get(entry.model_name)) != expecting:
            raise StaleWriteError(f"'{entry.model_name}'")
        text = to_json({**entries, entry.model_name: entry}, notes=_notes(path))
        validate(text, path)  # an entry made past the schema must not spoil the file
        _put(path, text.encode())


def _notes(path: Path) -> dict[str, object]:
    raw = files.bytes_of(path)
    return notes_in(raw) if raw else {}


def restore(
    name: str, path: Path | None = None, *, model: str | None = None, expecting: str | None = None
) -> None:
    """Make an earlier version the live one again; the present one is kept, even a damaged one.

    Args:
        name: one of :func:`versions`.
        path: another file than the project's.
        model: take only this model's entry; every other entry stays as it is.
        expecting: the :func:`file_digest` that the writer had looked at; None writes over any.

    Raises:
        UnknownVersionError: if no such version is kept.
        CategoriesBrokenError: if that version cannot be read; for one model, also if the live
            file cannot.
        CategoriesMissingError: if that version does not hold the model.
        StaleWriteError: if the live file is no longer the expected one.
        DiskError, FileBusyError: if the disk or another writer is in the way; nothing changes.
    """
    path = path or paths.CATEGORIES
    with _writing(path):
        if expecting is not None and file_digest(path) != expecting:
            raise StaleWriteError("the file")
        older, raw = _version_content(name, path)
        if model is not None:
            entries = {**read_all(path), model: _entry_of(older, model)}
            raw = to_json(entries, notes=_notes(path)).encode()
        _put(path, raw)


def set_aside(path: Path | None = None) -> None:
    """Move a damaged file into the history, so that a new one can be written.

    A file that is in order stays where it is: somebody else has repaired it.

    Raises:
        DiskError, FileBusyError: if the disk or another writer is in the way; nothing changes.
    """
    path = path or paths.CATEGORIES
    with _writing(path):
        if fault(path):
            store_versions.move_in(path)
            _prune(path)


def _put(path: Path, raw: bytes) -> None:
    """Replace the live file, the present one going into the history first."""
    store_versions.sweep(path)
    if files.bytes_of(path) == raw:  # a version equal to its successor would only push others out
        return
    if len(raw) > disk.LARGEST:
        raise CategoriesBrokenError(path, why="it would be too large to be read again.")
    store_versions.keep(path)
    files.replace_file(path, raw)
    _prune(path)


def _prune(path: Path) -> None:
    store_versions.prune(path, is_readable=lambda file: fault(file) is None)


# ------------------------------------------------------------------ history


def versions(path: Path | None = None) -> list[Version]:
    """The kept earlier contents of the file, newest first."""
    path = path or paths.CATEGORIES
    return [_version(path, name, when) for name, when in store_versions.kept(path)]


def read_version(name: str, path: Path | None = None) -> dict[str, ModelEntry]:
    """Every entry of an earlier version by model.

    Args:
        name: one of :func:`versions`; nothing else is opened.
        path: another file than the project's.

    Raises:
        UnknownVersionError: if no such version is kept.
        CategoriesBrokenError: if it cannot be read.
    """
    return _version_content(name, path or paths.CATEGORIES)[0]


def version_digest(name: str, path: Path | None = None) -> str:
    """The :func:`file_digest` of an earlier version.

    Raises:
        UnknownVersionError, CategoriesBrokenError: as :func:`read_version`.
    """
    return hashlib.sha256(_version_content(name, path or paths.CATEGORIES)[1]).hexdigest()


def _version_content(name: str, path: Path) -> tuple[dict[str, ModelEntry], bytes]:
    if name not in dict(store_versions.kept(path)):
        raise UnknownVersionError(name)
    file = store_versions.folder(path) / name
    content = _look(file)
    if content is None:  # pruned a moment ago
        raise UnknownVersionError(name)
    return dict(_parsed(content.raw, file)), content.raw


def _version(path: Path, name: str, when: datetime) -> Version:
    raw = files.bytes_of(store_versions.folder(path) / name)
    size = len(raw or b"")
    try:
        return Version(name, when, tuple(read_version(name, path)), "", size)
    except (CategoriesBrokenError, UnknownVersionError) as error:
        return Version(name, when, (), error.message, size)
