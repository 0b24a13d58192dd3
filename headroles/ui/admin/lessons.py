"""The lessons that students see: which, where they come from, and the changes to that."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import streamlit as st

from headroles import lessons, store
from headroles.errors import HeadrolesError
from headroles.ui.admin import lesson_draft, lesson_state
from headroles.ui.admin.desk import perform, run_action
from headroles.ui.app import elements, lesson_files
from headroles.view.html import plain, table

if TYPE_CHECKING:
    from collections.abc import Callable

    from headroles.lessons.reading import Lessons
    from headroles.ui.admin.desk import AdminSession


class _Line(NamedTuple):
    """One lesson of the list."""

    key: str
    title: str
    is_hidden: bool
    of_class: bool


def draw(desk: AdminSession) -> None:
    """Draw the list, what can be done with a lesson of it, and the box to write one."""
    lesson_state.begin()
    found = lesson_files.stored(hidden=True)
    st.subheader("Lessons that students see", anchor=False)
    if fault := store.class_lessons.read().fault:
        hint = f"Students keep the last good lessons. {fault.hint}"
        elements.show_error(HeadrolesError(fault.message, hint=hint))
    lines = _lines(found)
    if lines:
        headers = ["Lesson", "Name in links", "Steps", "Models", "From"]
        elements.html(table(headers, [_row(line, found) for line in lines]))
    else:
        st.info("There are no lessons yet. Write one below.", icon=":material/school:")
    _faults(found)
    _edit(desk, lines)
    lesson_draft.draw(desk, found)


def _lines(found: Lessons) -> list[_Line]:
    """Every lesson, and every file of the class that is none: it can be removed, too."""
    broken = [name.removesuffix(".toml") for name in found.faults]
    titles = {key: read.lesson.title for key, read in found.by_key.items()}
    titles |= {key: key for key in broken if key not in titles}
    return [
        _Line(key, title, key in found.hidden, key in found.of_class)
        for key, title in titles.items()
    ]


def _row(line: _Line, found: Lessons) -> list[str]:
    origin = "headroles" if line.key in lessons.reading.that_ship() else "the server's folder"
    origin = "the class" if line.of_class else origin
    if line.is_hidden:
        origin += "; hidden"
    read = found.by_key.get(line.key)
    if read is None:
        return [line.title, line.key, "no lesson, see below", "", origin]
    models = ", ".join(read.lesson.models)
    return [line.title, line.key, str(len(read.lesson.steps)), models, origin]


def _faults(found: Lessons) -> None:
    for name, fault in found.faults.items():
        told = getattr(fault, "faults", ())
        body = "".join(f"\n- {plain(str(one))}" for one in told) or f" {plain(str(fault))}"
        st.warning(
            f"**{plain(name)}** is no lesson, so students do not see it:\n{body}",
            icon=":material/error:",
        )


def _edit(desk: AdminSession, lines: list[_Line]) -> None:
    can_undo = store.class_lessons.can_undo()
    by_key = {line.key: line for line in lines}
    with st.container(horizontal=True, vertical_alignment="bottom", key="admin-edit_lessons"):
        if by_key:
            if st.session_state.get(lesson_state.CHOSEN) not in by_key:
                st.session_state[lesson_state.CHOSEN] = next(iter(by_key))
            key = st.selectbox(
                "Lesson to change",
                list(by_key),
                format_func=lambda key: f"{by_key[key].title} ({key})",
                key=lesson_state.CHOSEN,
                persist_state="session",
                width=320,
            )
            _of_one(desk, by_key[key])
        if can_undo:
            _button("Undo", "undo", partial(desk.office.edit_lesson, desk.ticket, "undo"))
    if by_key and by_key[key].of_class:
        _rename(desk, key)


def _of_one(desk: AdminSession, line: _Line) -> None:
    edit = partial(desk.office.edit_lesson, desk.ticket)
    if line.is_hidden:
        _button("Show", "visibility", partial(edit, "show", line.key))
    else:
        _button("Hide", "visibility_off", partial(edit, "hide", line.key))
    remove = partial(edit, "remove", line.key)
    _button("Remove", "delete", remove, can=line.of_class, help_text=_REMOVE)
    st.download_button(
        "Its file",
        data=partial(_file, line.key),
        file_name=f"{line.key}.toml",
        mime="application/toml",
        icon=":material/download:",
        key="admin-lessons_file",
        on_click="ignore",
    )
    st.button(
        "Take it as a beginning",
        icon=":material/edit:",
        key="admin-lessons_begin",
        on_click=_take,
        args=(line.key,),
        help="Its text goes into the box below, where you can change it.",
    )


_REMOVE = "Only lessons that were put live here can be removed; any other can be hidden."


def _file(key: str) -> bytes:
    return lessons.reading.text_of(key).encode("utf-8", "replace")


def _take(key: str) -> None:
    run_action(lambda: lesson_state.put_in(lessons.reading.text_of(key), key))


def _rename(desk: AdminSession, key: str) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom", key="admin-rename_lesson"):
        st.text_input(
            "New name in links",
            key=lesson_state.NEW_NAME,
            max_chars=store.class_lessons.LONGEST_KEY,
            width=320,
            help="Worksheets name a lesson by this: answers that were handed in before belong to "
            "the old name.",
        )
        _button("Rename", "drive_file_rename_outline", lambda: _renamed(desk, key))


def _renamed(desk: AdminSession, key: str) -> None:
    new = (st.session_state[lesson_state.NEW_NAME] or "").strip()
    taken = lessons.reading.lie_in_folders()
    desk.office.edit_lesson(desk.ticket, "rename", key, new, taken=taken)
    st.session_state[lesson_state.NEW_NAME] = ""
    st.session_state[lesson_state.CHOSEN] = new


_DONE = {
    "Hide": "Hidden. Students no longer see it from their next click.",
    "Show": "Students see it again from their next click.",
    "Remove": "Removed. Undo brings it back.",
    "Rename": "Renamed. Links with the old name no longer lead to it.",
    "Undo": "The last change of the lessons was undone.",
}


def _button(
    label: str, icon: str, action: Callable[[], object], *, can: bool = True, help_text: str = ""
) -> None:
    st.button(
        label,
        icon=f":material/{icon}:",
        key=f"admin-lessons_{label.lower()}",
        disabled=not can,
        on_click=perform,
        args=(action, _DONE[label]),
        help=help_text or None,
    )
