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
        answers="Which head looks where you expect it to? Your guess is a <b>pattern</b>: a "
        "marked cell means “this token looks at that one”.",
        first="Choose a pattern below, or make your own.",
    )
    answer = st.container(key="detector_lab-answer")
    with answer:
        caches.import_libraries()
    state.begin()
    with st.container(key="detector_lab-desk"):
        with st.container(key="detector_lab-controls"):
            typed = prompts.draw()
            own_patterns.draw()
            asked = measures.draw()
        with st.container(border=True, key="detector_lab-picture"):
            picture = st.container()
    with answer:
        request = run.request(typed, asked)
        detection = run.result(request) if request else None
    if detection is not None:
        with picture:
            place = result.picture(detection)
        with answer:
            result.conclude(detection, place)
        own_patterns.paint_on(detection)
        result.draw(request, detection, place)


page()
