"""The model picker in the sidebar, on every page."""

from __future__ import annotations

import streamlit as st

from headroles.formatting import size
from headroles.models import CATALOGUE
from headroles.ui.app import session


def draw() -> None:
    """Draw the picker; the choice is ``state.MODEL``."""
    session.begin()
    with st.sidebar:
        key = st.selectbox(
            "Model",
            list(CATALOGUE),
            format_func=lambda name: CATALOGUE[name].name,
            key=session.MODEL,
            on_change=session.forget_head,
        )
        entry = CATALOGUE[key]
        st.caption(
            f"{entry.about} {entry.parameters} parameters, {entry.family} family; takes "
            f"{size(entry.memory_bytes)} of memory. Licence: {entry.licence}."
        )
