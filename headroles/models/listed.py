"""The instructor's list of models, ``data/models.toml``: the second part of what a server offers.

The file is read again when it changes. While it is damaged, its last good version stays in use
(what this process read last, or the newest version in ``history/``), and :func:`read` says why.
Nothing but the standard library is imported where there is no such file.

>>> read().models.entries  # doctest: +SKIP
{'course-model': CatalogueEntry(key='course-model', source='/srv/models/course', ...)}
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from headroles import disk, models, paths
from headroles.errors import ModelListError
from headroles.models.builtin import CatalogueEntry

FILE = "models.toml"
LARGEST = 1 << 20
"""Bytes; a line per model takes a few hundred."""


class ModelList(NamedTuple):
    """What the file says."""

    entries: Mapping[str, CatalogueEntry]
    """By key, in the order of the file."""
    order: tuple[str, ...] = ()
    """Keys that come first, those that come with the project too."""
    hide: frozenset[str] = frozenset()
    """Keys that no picker offers."""


class Reading(NamedTuple):
    """The list in use."""

    models: ModelList
    fault: ModelListError | None
    """Why the present file is not in use; None where it is, or where there is none."""


_EMPTY = Reading(ModelList({}), None)
_readings: dict[Path, tuple[disk.Stamp, Reading]] = {}
_last_good: dict[Path, ModelList] = {}


def path() -> Path:
    """Where the list lies: beside the reference scores."""
    return paths.CATEGORIES.with_name(FILE)


def read(file: Path | None = None) -> Reading:
    """The list in use; of a damaged file the last version that was in order.

    Args:
        file: another one than the server's.
    """
    file = file or path()
    stamp = disk.stamp(file)
    if stamp is None:
        return _EMPTY
    known = _readings.get(file)
    if known is None or known[0] != stamp:
        known = _readings[file] = (stamp, _read(file))
    return known[1]


def _read(file: Path) -> Reading:
    try:
        good = parse(file)
    except FileNotFoundError:  # removed a moment ago
        return _EMPTY
    except ModelListError as error:
        return Reading(_last_good.get(file) or _newest_version(file), error)
    _last_good[file] = good
    return Reading(good, None)


def parse(file: Path, *, folder: Path | None = None) -> ModelList:
    """A list, checked.

    Args:
        file: the list.
        folder: where its relative paths begin; by default the list's own folder.

    Raises:
        FileNotFoundError: if there is none.
        ModelListError: if it cannot be read or is not as it should be.
    """
    try:
        raw, _ = disk.read(file, most=LARGEST)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise ModelListError(file.name, why=f"{error.strerror}.") from error
    return models.list_file.parse(raw, name=file.name, folder=folder or file.parent)


def _newest_version(file: Path) -> ModelList:
    for version in disk.earlier_versions(file):
        try:
            return parse(version, folder=file.parent)
        except (ModelListError, OSError):
            continue
    return _EMPTY.models
