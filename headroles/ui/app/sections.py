"""The choice between the sections of a page; only the open one is imported and drawn.

A section is a module with ``draw()``: it gets what it needs (the model, a prompt) itself, and shows
an error if that is not available.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module

import streamlit as st

from headroles.ui.app import copy_link, run_prompt


def draw(package: str, modules: Mapping[str, str], *, key: str) -> bool:
    """The choice of a section, and the section; whether the model is here, so that it was drawn.

    Args:
        package: the page's.
        modules: {what the reader sees: the module of the package}; the first one is open at first.
        key: where the session keeps what is open.
    """
    names = list(modules)
    st.session_state.setdefault(key, names[0])
    with st.container(horizontal=True, vertical_alignment="center"):
        chosen = st.segmented_control(
            "Section",
            names,
            key=key,
            required=True,
            label_visibility="collapsed",
            persist_state="session",
        )
        copy_link.draw()
    if not run_prompt.model_is_local():
        return False
    import_module(f"{package}.{modules[chosen or names[0]]}").draw()
    return True
