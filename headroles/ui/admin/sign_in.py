"""The form in front of the instructor's page."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import streamlit as st

from headroles import admin
from headroles.formatting import rough_duration
from headroles.ui.admin import desk, state
from headroles.ui.app import elements
from headroles.view.html import count

if TYPE_CHECKING:
    from headroles.admin import AdminService

_ASKS = {
    "password": "This page changes what all students see, so it is locked.",
    "token": "No password is set on this server, so sign in with a **one-time token**: the last "
    "one in the server's log. You find the log in the terminal that runs `streamlit run`; on "
    "Community Cloud, under *Manage app* at the lower right of the app.",
}


def draw(office: AdminService) -> None:
    """Draw the form; a right secret puts a ticket into the session and starts the page anew."""
    desk.notice()
    needs = office.gate.needs
    st.markdown(_ASKS[needs])
    session = st.session_state[state.VISITOR]
    wait = office.gate.wait(session)
    with st.container(key="admin-sign_in_form"):
        _form(office, needs, is_slowed=wait > 0)
    st.caption(how_long())
    if wait > 0:
        _count_down(office, session)


def _form(office: AdminService, needs: str, *, is_slowed: bool) -> None:
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
            disabled=is_slowed,
            on_click=_try,
            args=(office,),
        )


def how_long() -> str:
    """When a sign-in ends."""
    idle = rough_duration(admin.sign_ins.IDLE_SECONDS)
    longest = rough_duration(admin.sign_ins.LONGEST_SECONDS)
    return (
        "You stay signed in on this browser tab, even after a reload, until you sign out or close "
        f"it. Without a click on this page you are signed out after {idle}, and in any case after "
        f"{longest}."
    )


def _try(office: AdminService) -> None:
    def enter() -> None:
        secret, session = st.session_state[state.SECRET], st.session_state[state.VISITOR]
        ticket = office.sign_in(secret, session=session)
        state.sign_in(ticket, office.gate.sign_ins.new_key(ticket))

    desk.run_action(enter)


@st.fragment(run_every=1.0)
def _count_down(office: AdminService, session: str) -> None:
    """Seconds to the next attempt; when they are over, the button opens again."""
    wait = office.gate.wait(session)
    if wait <= 0:
        st.rerun()
    seconds = math.ceil(wait)
    elements.html(
        f'<p class="hr-asleep" role="status">You can try again in <b>{count(seconds, "second")}'
        "</b>. Keep this page open, or you lose your place in the line.</p>"
    )
