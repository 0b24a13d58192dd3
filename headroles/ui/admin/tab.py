"""A sign-in that survives a reload: the tab holds a key for which a new session is let in.

Streamlit lets an app read cookies but set none, so a small script keeps the key in the tab. What
protects it is told in docs/deployment.md.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from headroles.errors import NotSignedInError
from headroles.ui.admin import state
from headroles.ui.app import elements

if TYPE_CHECKING:
    from headroles.admin import Gate

_tab = st.components.v2.component(
    "headroles_admin_tab",
    html="<span hidden></span>",
    js=Path(__file__).with_suffix(".js").read_text(encoding="utf-8"),
)


def draw(gate: Gate) -> None:
    """Ask the tab for its key, give it a new one, or let it forget; drawn in every run.

    The answer comes with a run of its own, before which a session without a ticket may have one.
    """
    is_out = st.session_state[state.TICKET] is None
    is_asked = is_out and not st.session_state[state.TAB_ASKED]
    with st.container(key="admin-tab_script"):
        # While the tab is asked, the style sheet hides the form to sign in for a moment.
        elements.html(f'<i class="{"hr-asked" if is_asked else ""}"></i>')
        _tab(
            key=state.TAB,
            data={
                "ask": is_asked,
                "keep": st.session_state[state.NEW_KEY] or "",
                "forget": is_out and not is_asked,
            },
            on_held_change=lambda: _answered(gate),
        )


def _answered(gate: Gate) -> None:
    held, ticket = str(st.session_state[state.TAB].held or ""), st.session_state[state.TICKET]
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
