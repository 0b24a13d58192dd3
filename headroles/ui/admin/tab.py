"""A sign-in that survives a reload: the tab holds a key for which a new session is let in.

What protects the key is told in docs/deployment.md. Of two tabs with a copy of it, the first that
uses it changes it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from headroles.errors import NotSignedInError
from headroles.ui.admin import state
from headroles.ui.app import elements, tab_storage

if TYPE_CHECKING:
    from headroles.admin import Gate


def draw(gate: Gate) -> None:
    """Ask the tab for its key, give it a new one, or let it forget; drawn in every run.

    The answer comes with a run of its own, before which a session without a ticket may have one.
    """
    is_out = st.session_state[state.TICKET] is None
    is_asked = is_out and not st.session_state[state.TAB_ASKED]
    new_key = st.session_state[state.NEW_KEY] or ""
    with st.container(key="admin-tab_asked"):
        # While the tab is asked, the style sheet hides the form to sign in for a moment.
        elements.html(f'<i class="{"hr-asked" if is_asked else ""}"></i>')
    tab_storage.draw(
        state.TAB,
        keep=new_key,
        forget=is_out and not is_asked,
        ask="always" if is_asked or new_key else "",
        on_held=lambda: _answered(gate),
    )


def _answered(gate: Gate) -> None:
    held, ticket = tab_storage.held(state.TAB), st.session_state[state.TICKET]
    st.session_state[state.TAB_ASKED] = True
    st.session_state[state.NEW_KEY] = None
    try:
        if ticket is not None:
            gate.sign_ins.keep_key(ticket, held)
        elif held:
            ticket = gate.sign_ins.come_back(held)
            state.sign_in(ticket, gate.sign_ins.new_key(ticket))
    except NotSignedInError as error:
        state.sign_out(why=error)
