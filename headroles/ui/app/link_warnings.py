"""Warnings about a link, above the page, until they are dismissed."""

from __future__ import annotations

import streamlit as st

from headroles.ui.app import elements, session


def draw() -> None:
    """Draw a warning per value; their place is always there, so that nothing below moves."""
    place = st.empty()
    errors = st.session_state[session.LINK_ERRORS]
    if not errors:
        return
    with place.container(key="app-link_notes"):
        for error in errors:
            elements.show_error(error, kind=st.warning)
        st.button(
            "Dismiss" if len(errors) == 1 else f"Dismiss these {len(errors)} notes",
            icon=":material/close:",
            key="app-dismiss_link_errors",
            on_click=session.dismiss_link_errors,
        )
