"""Knock-out lab: take heads away, and see whether the model can do without them."""

from __future__ import annotations

import streamlit as st

from headroles.ui.app import elements
from headroles.ui.knockout_lab import sections


def page() -> None:
    """Draw the page from top to bottom."""
    elements.begin()
    st.title("Knock-out lab", anchor=False)
    elements.html(
        '<p class="hr-lead">A pattern shows where a head looks, not whether the model needs it. '
        "Take the head away and see what the model says then.</p>"
    )
    sections.draw()


page()
