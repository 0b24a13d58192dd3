"""Detector lab: any detection pattern against every head of the model.

The page draws its title first; what needs the model fills the place below.
"""

from __future__ import annotations

import streamlit as st

from headroles.ui.app import caches, elements
from headroles.ui.detector_lab import measures, own_patterns, prompts, result, run, state


def page() -> None:
    """Draw the page from top to bottom."""
    elements.begin()
    elements.title(
        "Detector lab",
        answers="A <b>detection pattern</b> is a guess about where a head looks: one "
        "marked cell for every “this token should look at that one”. The lab compares your guess "
        "with what every head of the model really does.",
    )
    caches.import_libraries()
    state.begin()
    with st.container(key="detector_lab-desk"):
        with st.container(key="detector_lab-controls"):
            typed = prompts.draw()
            own_patterns.draw()
            asked = measures.draw()
        with st.container(border=True, key="detector_lab-picture"):
            picture = st.container()
    request = run.request(typed, asked)
    detection = run.result(request) if request else None
    if detection is not None:
        with picture:
            place = result.picture(detection)
        own_patterns.paint_on(detection)
        result.draw(request, detection, place)


page()
