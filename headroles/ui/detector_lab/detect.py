"""The section *Detect*: any detection pattern against every head of the model."""

from __future__ import annotations

import streamlit as st

from headroles.ui.app import caches
from headroles.ui.detector_lab import measures, own_patterns, prompts, ready, result, run


def draw() -> None:
    """Draw the section: the controls, and what needs the model above and below them."""
    answer = st.container(key="detector_lab-answer")
    with answer:
        caches.import_libraries()
    with st.container(key="detector_lab-desk"):
        with st.container(key="detector_lab-controls"):
            ready.draw()
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
