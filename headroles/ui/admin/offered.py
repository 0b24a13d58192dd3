"""Models that students can choose: which, in which order, and in which state."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from headroles import models, store, view
from headroles.errors import HeadrolesError
from headroles.ui.admin import state
from headroles.ui.admin.desk import perform, run_action
from headroles.ui.app import elements
from headroles.view.html import table

if TYPE_CHECKING:
    from headroles.models import CatalogueEntry
    from headroles.ui.admin.desk import AdminSession


def draw(desk: AdminSession) -> None:
    """Draw the list, what can be done with a model of it, and the form that adds one."""
    st.subheader("Models that students can choose", anchor=False)
    if fault := models.listed.read().fault:
        elements.show_error(
            HeadrolesError(fault.message, hint=f"Students keep the last good list. {fault.hint}")
        )
    offered = view.offer.offered(hidden=True)
    hidden = models.listed.read().models.hide
    rows = [_row(key, is_hidden=key in hidden) for key in offered]
    elements.html(table(["Model", "State", "Key", "From"], rows))
    _edit(desk, offered, hidden)
    _add(desk)
    st.caption(
        "Folders and GGUF files can be added only on the server: in the file "
        f"`{models.listed.path().name}`, or with `python -m scripts.models_list`."
    )


def _row(key: str, *, is_hidden: bool) -> list[str]:
    choice = view.offer.choice(key)
    words = view.offer.state_words(choice)
    words = f"hidden; {words}" if is_hidden else words
    return [choice.entry.name, words, key, _origin(choice.entry)]  # a phone shows the first ones


def _origin(entry: CatalogueEntry) -> str:
    if entry.is_bundled:
        return "headroles"
    if entry.is_local:
        kind = "file" if entry.is_gguf else "folder"
        return f"{kind} {models.portable_source(entry.source)}"
    revision = f", {entry.revision[:12]}" if entry.revision else ""
    return f"{entry.source}{revision}"


def _edit(desk: AdminSession, offered: list[str], hidden: frozenset[str]) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom", key="admin-edit_models"):
        key = st.selectbox(
            "Model to change",
            offered,
            format_func=lambda key: f"{models.name_of(key)} ({key})",
            key=state.LISTED,
            persist_state="session",
            width=320,
        )
        place = offered.index(key)
        _button(desk, "Up", "arrow_upward", _swapped(offered, place, place - 1))
        _button(desk, "Down", "arrow_downward", _swapped(offered, place, place + 1))
        if key in hidden:
            _button(desk, "Show", "visibility", ("show", key))
        else:
            is_first = key == models.DEFAULT_MODEL  # what every visit begins with
            _button(desk, "Hide", "visibility_off", None if is_first else ("hide", key))
        is_listed = key in models.listed.read().models.entries
        _button(desk, "Remove", "delete", ("remove", key) if is_listed else None)
        _button(desk, "Undo", "undo", ("undo", "") if store.model_list.can_undo() else None)


def _swapped(keys: list[str], place: int, other: int) -> tuple[str, list[str]] | None:
    if not 0 <= other < len(keys):
        return None
    keys = list(keys)
    keys[place], keys[other] = keys[other], keys[place]
    return "order", keys


def _button(
    desk: AdminSession, label: str, icon: str, edit: tuple[str, str | list[str]] | None
) -> None:
    st.button(
        label,
        icon=f":material/{icon}:",
        key=f"admin-models_{label.lower()}",
        disabled=edit is None,
        on_click=perform,
        args=(lambda: desk.office.edit_models(desk.ticket, *edit), _DONE[label]),
    )


_DONE = {
    "Up": "Moved up.",
    "Down": "Moved down.",
    "Show": "Students can choose it again.",
    "Hide": "Students can no longer choose it.",
    "Remove": "Removed. Its reference scores are kept.",
    "Undo": "The last change of the list was undone.",
    "Add": "Added. Students can choose it from their next click.",
}


def _add(desk: AdminSession) -> None:
    with st.form("admin-add_model", border=True):
        left, middle, right = st.columns(3, gap="medium")
        with left:
            st.text_input(
                "Id on the Hugging Face Hub",
                key=state.NEW_HUB_ID,
                placeholder="EleutherAI/pythia-1b",
                max_chars=200,
            )
        with middle:
            st.text_input(
                "Revision",
                key=state.NEW_REVISION,
                placeholder="main",
                max_chars=100,
                help="A commit, branch or tag. Only a commit can never change.",
            )
        with right:
            st.text_input(
                "Name", key=state.NEW_NAME, placeholder="What students read", max_chars=200
            )
        st.form_submit_button(
            "Add", icon=":material/add:", key="admin-models_add", on_click=_add_typed, args=(desk,)
        )


def _add_typed(desk: AdminSession) -> None:
    fields = {"hub": state.NEW_HUB_ID, "revision": state.NEW_REVISION, "name": state.NEW_NAME}
    typed = {field: (st.session_state[key] or "").strip() for field, key in fields.items()}
    if run_action(lambda: desk.office.add_model(desk.ticket, **typed)):
        for key in fields.values():
            st.session_state[key] = ""
        state.set_notice(state.Notice("done", f"{typed['hub']}: {_DONE['Add']}"))
