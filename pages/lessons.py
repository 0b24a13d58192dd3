"""Lessons: predict what a head does, then look; ten minutes each, with a worksheet to hand in."""

from __future__ import annotations

import streamlit as st

from headroles.ui.app import elements, lesson_files
from headroles.ui.lessons import flow, overview, state, tab


def page() -> None:
    """Draw the page from top to bottom: the list of lessons, or one of them."""
    elements.begin()
    state.begin()
    tab.draw()
    lesson_files.note()
    if st.session_state[state.LESSON] is not None:
        flow.draw()
        return
    elements.title(
        "Lessons",
        answers="Ten minutes each. You say what you expect, and how sure you are. Then the model "
        "answers, and you see where you were right.",
        first="" if state.has_begun() else "Begin with the first one.",
    )
    overview.draw()


page()
