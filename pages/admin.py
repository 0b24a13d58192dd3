"""Admin: recompute the roles in the background, look first, then write. For instructors only.

What is shown here is no protection: every action checks the sign-in on the server.
"""

from __future__ import annotations

import streamlit as st

from headroles.ui import pieces, state
from headroles.ui.admin import confirm, history, look, office, progress, sign_in, start, versions
from headroles.ui.admin import desk as desks


@desks.guarded
def page() -> None:
    """Draw the form to sign in, or the chosen part of the page."""
    pieces.begin()
    with st.container(horizontal=True, vertical_alignment="center", key="admin_title"):
        st.title("Admin", anchor=False, width="stretch")
        place = st.container(width="content")
    pieces.html(
        '<p class="hr-lead">Recompute the roles of a model, look at what changes, and only then '
        "put it in front of the students.</p>"
    )
    desk = desks.Desk(office.administration(), st.session_state[state.TICKET])
    who = desk.who()
    if who is None:
        sign_in.draw(desk.office)
        return
    with place:
        st.button(
            "Sign out",
            icon=":material/logout:",
            key="sign_out",
            on_click=leave,
            args=(desk,),
            help=f"You are {who} in the audit list.",
        )
    work(desk)


def leave(desk: desks.Desk) -> None:
    """Sign out."""
    desk.office.sign_out(desk.ticket)
    state.sign_out()


def work(desk: desks.Desk) -> None:
    """The chosen part of the page; only that one does anything."""
    desks.notice(desk)
    section = st.segmented_control(
        "Part of the page",
        state.SECTIONS,
        key=state.SECTION,
        required=True,
        persist_state="session",
        label_visibility="collapsed",
    )
    if section == state.LOOK:
        look.draw(desk)
    elif section == state.VERSIONS:
        versions.draw(desk)
    elif section == state.AUDIT:
        history.draw(desk)
    else:
        start.draw(desk)
        progress.draw(desk)
    confirm.draw(desk)


page()
