"""The sections of the knock-out lab; only the open one is imported and drawn.

A section is a line here and a module with ``draw()``: it asks for what it needs (the model, a
prompt) itself, and says so if that is not to be had.
"""

from __future__ import annotations

from importlib import import_module

import streamlit as st

from headroles.ui.knockout import state

SECTIONS = {
    "Knock out": "lab",
    "Many at once": "many",
    "Previous-token test": "offsets",
    "Two-step circuit": "lesson",
    "Components": "components",
}
"""{what the reader sees: the module of this package}; the first one is open at first."""


def draw() -> None:
    """The choice of a section, and the section."""
    names = list(SECTIONS)
    chosen = st.segmented_control(
        "Section",
        names,
        default=names[0],
        key=state.SECTION,
        label_visibility="collapsed",
        persist_state="session",
    )
    import_module(f"headroles.ui.knockout.{SECTIONS[chosen or names[0]]}").draw()
