"""The roles of the class: patterns of the detector lab that every visitor sees as roles."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from headroles import limits, models, store
from headroles.errors import HeadrolesError
from headroles.ui.admin import state
from headroles.ui.admin.desk import perform
from headroles.ui.app import elements, saved_roles
from headroles.view.html import count, named, plain, table

if TYPE_CHECKING:
    from collections.abc import Callable

    from headroles.roles import SavedRole
    from headroles.ui.admin.desk import AdminSession


def draw(desk: AdminSession) -> None:
    """Draw the roles that are kept, what can be done with them, and those of this visit."""
    st.subheader("Roles that every visitor sees", anchor=False)
    kept = store.class_roles.read()
    if kept.fault:
        hint = f"Students keep the last good roles. {kept.fault.hint}"
        elements.show_error(HeadrolesError(kept.fault.message, hint=hint))
    if kept.roles:
        headers = ["Role", "Model", "Looks at", "Heads"]
        elements.html(table(headers, [_row(role) for role in kept.roles]))
        _edit(desk, kept.roles)
    else:
        st.info("No role is kept for the class yet.", icon=":material/bookmark:")
    can_undo = store.class_roles.can_undo()
    if can_undo or kept.roles or kept.fault:
        _button(desk, "Undo", "undo", lambda: desk.office.edit_role(desk.ticket, "undo"), can_undo)
    _of_this_visit(desk)


def _row(role: SavedRole) -> list[str]:
    heads = ", ".join(f"{head.label} {score:.2f}" for head, score in role.heads)
    return [role.name, models.name_of(role.model), role.pattern.spec, heads]


def _edit(desk: AdminSession, roles: tuple[SavedRole, ...]) -> None:
    places = {(role.model, role.name): role for role in roles}
    if st.session_state.get(state.KEPT_ROLE) not in places:
        st.session_state[state.KEPT_ROLE] = next(iter(places))
    with st.container(horizontal=True, vertical_alignment="bottom", key="admin-edit_roles"):
        model, name = st.selectbox(
            "Role to change",
            list(places),
            format_func=lambda place: f"{place[1]} ({models.name_of(place[0])})",
            key=state.KEPT_ROLE,
            persist_state="session",
            width=320,
        )
        st.text_input("New name", key=state.NEW_ROLE_NAME, max_chars=limits.NAME.most, width=240)
        _button(desk, "Rename", "edit", lambda: _rename(desk, model, name))
        _button(
            desk,
            "Remove",
            "delete",
            lambda: desk.office.edit_role(desk.ticket, "remove", model, name),
        )


def _rename(desk: AdminSession, model: str, name: str) -> None:
    new = " ".join((st.session_state[state.NEW_ROLE_NAME] or "").split())
    desk.office.edit_role(desk.ticket, "rename", model, name, new)
    st.session_state[state.NEW_ROLE_NAME] = ""


_DONE = {
    "Rename": "Renamed. Students see the new name from their next click.",
    "Remove": "Removed. Undo brings it back.",
    "Undo": "The last change of the roles was undone.",
    "Keep": "Kept. Students see it from their next click.",
}


def _button(
    desk: AdminSession,
    label: str,
    icon: str,
    action: Callable[[], None],
    can: bool = True,
    *,
    which: str = "",
) -> None:
    st.button(
        label,
        icon=f":material/{icon}:",
        key=f"admin-roles_{label.lower()}{which}",
        disabled=not can,
        on_click=perform,
        args=(action, _DONE[label]),
    )


def _of_this_visit(desk: AdminSession) -> None:
    """The roles that this browser made or was sent in a link, each with a button to keep it."""
    st.subheader("Roles of this visit", anchor=False)
    own = saved_roles.saved()
    if not own:
        st.caption(
            "There are none. Make a pattern in the Detector lab and save it as a role of this "
            "session, or open a link that carries one; then come back here to keep it."
        )
        st.page_link("pages/detector_lab.py", label="Detector lab", icon=":material/biotech:")
        return
    st.caption(f"{count(len(own), 'role')}. Painted patterns of up to "
               f"{limits.KEPT_MATRIX.most} tokens can be kept.")  # fmt: skip
    for place, role in enumerate(own):
        with st.container(horizontal=True, vertical_alignment="center"):
            heads = ", ".join(head.label for head, _ in role.heads)
            st.markdown(
                f"**{named(role.name)}**, {plain(models.name_of(role.model))}: {plain(heads)}"
            )
            _button(
                desk,
                "Keep",
                "bookmark_added",
                lambda role=role: desk.office.keep_role(desk.ticket, role),
                which=f"_{place}",
            )
