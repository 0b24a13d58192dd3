"""The roles that an instructor keeps for the class, ``data/class_roles.json``.

Every visitor sees them beside the roles of the analysis. A change replaces the file in one step
under its lock, and what it replaces stays in ``history/``, so that it can be undone. While the file
is damaged, the roles that were read last, or those of the newest version in order, are used.

>>> keep(SavedRole(offset(2), "demo", ((Head(0, 6), 0.9),)))  # doctest: +SKIP
>>> read().roles[0].name  # doctest: +SKIP
'Same offset −2'
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from headroles import limits, paths
from headroles.errors import ClassRolesError, HeadrolesError
from headroles.roles import saved_roles
from headroles.roles.saved_roles import SavedRole
from headroles.store import versions
from headroles.store.class_file import ClassFile

FILE = "class_roles.json"
"""Its name, in the data folder."""


class Kept(NamedTuple):
    """The roles of the class, and what is wrong with their file."""

    roles: tuple[SavedRole, ...]
    """In the order in which they were kept; while the file is damaged, the last good ones."""
    fault: ClassRolesError | None
    """Why the file itself cannot be used; None where it can, or where there is none."""

    def of(self, model: str) -> tuple[SavedRole, ...]:
        """Those of one model."""
        return tuple(saved for saved in self.roles if saved.model == model)


def _from_plain(plain: dict) -> tuple[SavedRole, ...] | None:
    listed = plain.get("roles")
    if not isinstance(listed, list):
        return None
    limits.CLASS_ROLES.check(len(listed))
    roles = tuple(map(saved_roles.from_plain, listed))
    if len({(saved.model, saved.name) for saved in roles}) < len(roles):
        raise HeadrolesError("two roles of a model have the same name.")
    return roles


def _to_plain(roles: Sequence[SavedRole]) -> dict[str, object]:
    return {"roles": [saved_roles.to_plain(role) for role in roles]}


STORED: ClassFile[tuple[SavedRole, ...]] = ClassFile(
    FILE,
    holds="list of roles",
    nothing=(),
    from_plain=_from_plain,
    to_plain=_to_plain,
    fault=ClassRolesError,
    limit=limits.CLASS_ROLES_FILE,
)
"""How they are read and written."""


def path() -> Path:
    """Where the file of this server lies: beside the reference scores."""
    return paths.CATEGORIES.parent / FILE


def read(file: Path | None = None) -> Kept:
    """The roles of the class; the file is read again only when it has changed."""
    return Kept(*STORED.read(file or path()))


# ------------------------------------------------------------------ writing


def keep(role: SavedRole, file: Path | None = None) -> None:
    """Keep a role at the end; the same pattern of the same model is replaced.

    Raises:
        LimitError: if there are as many already as a class may have, or its pattern is too large.
        ClassRolesError: if another role of the model has its name, or the file is damaged.
        DiskError, FileBusyError: if the disk or another writer is in the way; nothing changes.
    """
    role = saved_roles.from_plain(saved_roles.to_plain(role))  # what could not be read back

    def change(roles: tuple[SavedRole, ...]) -> tuple[SavedRole, ...]:
        others = tuple(
            one for one in roles if (one.model, one.pattern.key) != (role.model, role.pattern.key)
        )
        limits.CLASS_ROLES.check(len(others) + 1)
        _check_free(role.name, role.model, others)
        return (*others, role)

    STORED.edit(change, file or path())


def remove(model: str, name: str, file: Path | None = None) -> None:
    """Remove a role.

    Raises:
        ClassRolesError: if there is no such role, or the file is damaged.
        DiskError, FileBusyError: as :func:`keep`.
    """

    def change(roles: tuple[SavedRole, ...]) -> tuple[SavedRole, ...]:
        role = _find(roles, model, name)
        return tuple(one for one in roles if one is not role)

    STORED.edit(change, file or path())


def rename(model: str, name: str, new: str, file: Path | None = None) -> None:
    """Give a role another name.

    Raises:
        PatternError, LimitError: if the name cannot be used.
        ClassRolesError: if there is no such role, another one has the name, or the file is damaged.
        DiskError, FileBusyError: as :func:`keep`.
    """

    def change(roles: tuple[SavedRole, ...]) -> tuple[SavedRole, ...]:
        role = _find(roles, model, name)
        named = role._replace(pattern=saved_roles.renamed(role.pattern, new))
        _check_free(named.name, model, [one for one in roles if one is not role])
        return tuple(named if one is role else one for one in roles)

    STORED.edit(change, file or path())


def undo(file: Path | None = None) -> None:
    """Bring back what the last change replaced; undone once more, the change is back.

    It also replaces a damaged file.

    Raises:
        ClassRolesError: if nothing is kept that could come back.
        DiskError, FileBusyError: as :func:`keep`.
    """
    STORED.undo(file or path())


def can_undo(file: Path | None = None) -> bool:
    """Whether an earlier version of the file is kept."""
    return bool(versions.kept(file or path()))


def _find(roles: Sequence[SavedRole], model: str, name: str) -> SavedRole:
    found = next((one for one in roles if (one.model, one.name) == (model, name)), None)
    if found is None:
        raise ClassRolesError(FILE, why=f"it holds no role “{name[:60]}” of that model.")
    return found


def _check_free(name: str, model: str, others: Sequence[SavedRole]) -> None:
    if any((one.model, one.name) == (model, name) for one in others):
        raise ClassRolesError(FILE, why=f"another role of the model is called “{name}” already.")
