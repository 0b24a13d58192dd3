"""What an instructor keeps for the class: roles and lessons; a part of the service."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path

from headroles.admin.access import Gate, Ticket
from headroles.roles import SavedRole
from headroles.store import class_lessons, class_roles

_LESSON_EDITS = {
    "remove": class_lessons.remove,
    "hide": class_lessons.hide,
    "show": class_lessons.show,
}


class ForClass(ABC):
    """The actions on both.

    Args:
        gate: who may enter.
        folder: the data folder.
    """

    def __init__(self, gate: Gate, *, folder: Path) -> None:
        self.gate = gate
        self._roles_file = folder / class_roles.FILE
        self._lessons_file = folder / class_lessons.FILE

    @abstractmethod
    def _note(self, who: str, action: str, **more: object) -> None:
        """Leave a line in the audit list."""

    def keep_role(self, ticket: Ticket | None, role: SavedRole) -> None:
        """Keep a role of the detector lab for every visitor.

        Raises:
            NotSignedInError: without a valid ticket.
            LimitError, ClassRolesError: if there are too many, or its name is taken.
            DiskError, FileBusyError: see the store.
        """
        who = self.gate.check(ticket)
        class_roles.keep(role, self._roles_file)
        self._note(who, "edited_roles", model=role.model, outcome=f"kept “{role.name}”")

    def edit_role(
        self, ticket: Ticket | None, edit: str, model: str = "", name: str = "", new: str = ""
    ) -> None:
        """Change the roles of the class.

        Args:
            ticket: of the session.
            edit: ``remove``, ``rename`` or ``undo``.
            model: the role's model; nothing for ``undo``.
            name: the role's name.
            new: another name for it.

        Raises:
            NotSignedInError: without a valid ticket.
            PatternError, LimitError: if the new name cannot be used.
            ClassRolesError: if there is no such role, its new name is taken, or nothing to undo.
            DiskError, FileBusyError: see the store.
        """
        who = self.gate.check(ticket)
        if edit == "undo":
            class_roles.undo(self._roles_file)
            outcome = "undone"
        elif edit == "rename":
            class_roles.rename(model, name, new, self._roles_file)
            outcome = f"renamed “{name}” to “{new}”"
        else:
            class_roles.remove(model, name, self._roles_file)
            outcome = f"removed “{name}”"
        self._note(who, "edited_roles", model=model, outcome=outcome)

    def keep_lesson(
        self, ticket: Ticket | None, key: str, text: str, *, replace: bool = False
    ) -> None:
        """Put a lesson live; that it is one, the page has seen.

        Raises:
            NotSignedInError: without a valid ticket.
            LimitError, ClassLessonsError: if there are too many, or its name is taken.
            DiskError, FileBusyError: see the store.
        """
        who = self.gate.check(ticket)
        class_lessons.keep(key, text, self._lessons_file, replace=replace)
        self._note(who, "edited_lessons", outcome=f"put “{key}” live")

    def edit_lesson(
        self,
        ticket: Ticket | None,
        edit: str,
        key: str = "",
        new: str = "",
        *,
        taken: frozenset[str] = frozenset(),
    ) -> None:
        """Change which lessons students see.

        Args:
            ticket: of the session.
            edit: ``remove``, ``rename``, ``hide``, ``show`` or ``undo``.
            key: the lesson; nothing for ``undo``.
            new: another name for it.
            taken: names of lessons that are not the class's own.

        Raises:
            NotSignedInError: without a valid ticket.
            ClassLessonsError: if there is no such lesson, its new name is taken, or nothing to
                undo.
            DiskError, FileBusyError: see the store.
        """
        who, file = self.gate.check(ticket), self._lessons_file
        if edit == "undo":
            class_lessons.undo(file)
        elif edit == "rename":
            class_lessons.rename(key, new, file, taken=taken)
        else:
            _LESSON_EDITS[edit](key, file)
        to = f" to “{new}”" if new else ""
        self._note(who, "edited_lessons", outcome=f"{edit} “{key}”{to}" if key else edit)
