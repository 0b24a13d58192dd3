"""Admin: recompute the roles in the background, look first, then write. For instructors only.

What is shown here is no protection: every action checks the sign-in on the server.
"""

from __future__ import annotations

import streamlit as st

from headroles.ui.admin import (
    audit_log,
    class_roles,
    confirm,
    lessons,
    new_analysis,
    offered,
    progress,
    real_text,
    review,
    server,
    sign_in,
    state,
    tab,
    versions,
    worksheets,
)
from headroles.ui.admin import desk as admin_desk
from headroles.ui.app import elements


@admin_desk.shows_errors
def page() -> None:
    """Draw the form to sign in, or the chosen part of the page."""
    elements.begin()
    state.begin()
    with st.container(horizontal=True, vertical_alignment="center", key="admin-title"):
        with st.container(width="stretch"):
            elements.title(
                "Admin",
                answers="Analyse a model, look at what would change, and only then publish it for "
                "all students.",
            )
        place = st.container(width="content")
    office = server.admin_service()
    tab.draw(office.gate)
    desk = admin_desk.AdminSession(office, st.session_state[state.TICKET])
    who = desk.who()
    if who is None:
        sign_in.draw(desk.office)
        return
    with place:
        st.button(
            "Sign out",
            icon=":material/logout:",
            key="admin-sign_out",
            on_click=leave,
            args=(desk,),
            help=f"The audit list calls you “{who}”. {sign_in.how_long()}",
        )
    work(desk)


def leave(desk: admin_desk.AdminSession) -> None:
    """Sign out."""
    desk.office.sign_out(desk.ticket)
    state.sign_out()


def _analyse(desk: admin_desk.AdminSession) -> None:
    """What runs comes first, and folds the form away: nobody should have to look for it."""
    jobs = desk.office.jobs(desk.ticket)
    running = [job.request for job in jobs if job.is_open]
    progress.draw(desk, jobs)
    st.subheader("A new analysis", anchor=False)
    if running:
        with st.expander("Set up another analysis", key="admin-another_analysis"):
            new_analysis.draw(desk, running)
    else:
        new_analysis.draw(desk, running)
    with st.expander("Read real text", key="admin-real_text"):
        real_text.draw(desk, running)


def work(desk: admin_desk.AdminSession) -> None:
    """The chosen part of the page; only that one does anything."""
    admin_desk.notice(desk)
    section = st.segmented_control(
        "Part of the page",
        state.SECTIONS,
        key=state.SECTION,
        required=True,
        persist_state="session",
        label_visibility="collapsed",
    )
    if section == state.LOOK:
        review.draw(desk)
    elif section == state.OFFERED:
        offered.draw(desk)
    elif section == state.CLASS_ROLES:
        class_roles.draw(desk)
    elif section == state.WORKSHEETS:
        worksheets.draw()
    elif section == state.LESSONS:
        lessons.draw(desk)
    elif section == state.VERSIONS:
        versions.draw(desk)
    elif section == state.AUDIT:
        audit_log.draw(desk)
    else:
        _analyse(desk)
    confirm.draw(desk)


page()
