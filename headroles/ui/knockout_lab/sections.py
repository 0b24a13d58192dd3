"""The sections of the knock-out lab; only the open one is imported and drawn.

A section is a line here and a module with ``draw()``: it gets what it needs (the model, a
prompt) itself, and shows an error if that is not available.
"""

from __future__ import annotations

import contextlib
from importlib import import_module

import streamlit as st

from headroles import models
from headroles.errors import HeadrolesError
from headroles.ui.app import copy_link, run_prompt, session
from headroles.ui.knockout_lab import caches, state
from headroles.view import html

SECTIONS = dict(
    zip(
        state.SECTION_NAMES,
        (
            "one_knockout",
            "many_prompts",
            "offset_test",
            "induction_circuit",
            "components",
            "working_backward",
        ),
        strict=True,
    )
)
"""{what the reader sees: the module of this package}; the first one is open at first."""


def draw() -> None:
    """The choice of a section, and the section."""
    names = list(SECTIONS)
    st.session_state.setdefault(state.SECTION, names[0])
    with st.container(horizontal=True, vertical_alignment="center"):
        chosen = st.segmented_control(
            "Section",
            names,
            key=state.SECTION,
            required=True,
            label_visibility="collapsed",
            persist_state="session",
        )
        copy_link.draw()
    if run_prompt.model_is_local():
        import_module(f"headroles.ui.knockout_lab.{SECTIONS[chosen or names[0]]}").draw()
        _what_is_left_out()


def _what_is_left_out() -> None:
    """A caption for a model whose guesses differ slightly from the published one's."""
    model = models.entry_of(st.session_state[session.MODEL])
    if model.tokenizer is None:
        return
    with contextlib.suppress(HeadrolesError):  # the section has shown it
        if lost := caches.bias_left_out(model.key):
            st.caption(html.plain(html.bias_sentence(model.name, lost)))
