"""One question before anything changes for the students."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from headroles.ui.admin import publish, state, versions
from headroles.ui.admin.desk import AdminSession, run_action, shows_errors
from headroles.view.html import plain

_YES: dict[str, tuple[str, Callable[[AdminSession, state.Confirm], None]]] = {
    "write": ("Publish", publish.perform),
    "restore": ("Restore", versions.perform_restore),
    "set_aside": ("Set aside", versions.perform_set_aside),
}
"""{kind: the label of its button, and what the button does}."""


def draw(desk: AdminSession) -> None:
    """Ask, if an action waits for confirmation."""
    confirm = st.session_state[state.CONFIRM]
    if confirm is not None:
        st.dialog(confirm.title, on_dismiss=_dismissed)(_ask)(desk, confirm)


def _dismissed() -> None:
    state.ask(None)


@shows_errors
def _ask(desk: AdminSession, confirm: state.Confirm) -> None:
    if st.session_state[state.CONFIRM] is None:  # the answer was just given
        st.rerun()
    label, _ = _YES[confirm.kind]
    st.markdown("**What changes for students**")
    st.markdown("\n".join(f"- {plain(line)}" for line in confirm.lines))
    for warning in confirm.warnings:
        st.warning(plain(warning), icon=":material/warning:")
    with st.container(horizontal=True):
        st.button(
            label,
            type="primary",
            key="admin-confirm_yes",
            icon=":material/check:",
            on_click=_answer,
            args=(desk, confirm),
        )
        st.button("Cancel", key="admin-confirm_no", on_click=state.ask, args=(None,))


def _answer(desk: AdminSession, confirm: state.Confirm) -> None:
    _, perform = _YES[confirm.kind]
    run_action(lambda: perform(desk, confirm))
    state.ask(None)
