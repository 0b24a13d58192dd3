"""The sections of the page Answer; only the open one is imported and drawn."""

from __future__ import annotations

from importlib import import_module

import streamlit as st

from headroles.ui.answer import state
from headroles.ui.app import copy_link, run_prompt

SECTIONS = dict(zip(state.SECTION_NAMES, ("contributions", "two_prompts", "paths"), strict=True))
"""{what the reader sees: the module of this package}; the first one is open at first."""


def draw() -> None:
    """The choice of a section, and the section."""
    with st.container(horizontal=True, vertical_alignment="center"):
        chosen = st.segmented_control(
            "Section",
            list(SECTIONS),
            key=state.SECTION,
            required=True,
            label_visibility="collapsed",
            persist_state="session",
        )
        copy_link.draw()
    if run_prompt.model_is_local():
        name = SECTIONS[chosen or state.SECTION_NAMES[0]]
        import_module(f"headroles.ui.answer.{name}").draw()
