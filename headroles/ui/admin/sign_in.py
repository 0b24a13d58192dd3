"""The form in front of the instructor's page."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import streamlit as st

from headroles.ui.admin import desk, state
from headroles.ui.app import elements

if TYPE_CHECKING:
    from headroles.admin import AdminService

_WHERE = (
    "No password is set on this server, so it takes a **one-time token**. The newest one is "
    "the last in the server's log: in the terminal that runs `streamlit run`; on Community Cloud "
    "under *Manage app*, at the lower right of the app. A token works once."
)


def draw(office: AdminService) -> None:
    """Draw the form; a right secret puts a ticket into the session and starts the page anew."""
    desk.notice()
    needs = office.gate.needs
    st.markdown(
        _WHERE if needs == "token" else "This page changes what all students see, so it is locked."
    )
    session = st.session_state[state.VISITOR]
    wait = office.gate.wait(session)
    with st.form("sign_in_form", border=True, width=460, clear_on_submit=True):
        st.text_input(
            needs.capitalize(),
            type="password",
            key=state.SECRET,
            autocomplete="current-password" if needs == "password" else "off",
        )
        st.form_submit_button(
            "Sign in",
            type="primary",
            icon=":material/login:",
            key="admin-sign_in",
            disabled=wait > 0,
            on_click=_try,
            args=(office,),
        )
    if wait > 0:
        _count_down(office, session)


def _try(office: AdminService) -> None:
    def enter() -> None:
        secret, session = st.session_state[state.SECRET], st.session_state[state.VISITOR]
        st.session_state[state.TICKET] = office.sign_in(secret, session=session)
        state.set_notice(None)

    desk.run_action(enter)


@st.fragment(run_every=1.0)
def _count_down(office: AdminService, session: str) -> None:
    """Seconds to the next attempt; when they are over, the button opens again."""
    wait = office.gate.wait(session)
    if wait <= 0:
        st.rerun()
    seconds = math.ceil(wait)
    elements.html(
        f'<p class="hr-asleep" role="status">The next attempt is taken in <b>{seconds} s</b>. '
        "Keep this page open: it keeps your place.</p>"
    )
