"""The sections of the knock-out lab: a line here and a module each."""

from __future__ import annotations

import contextlib

import streamlit as st

from headroles import models
from headroles.errors import HeadrolesError
from headroles.ui.app import sections, session
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
    if sections.draw("headroles.ui.knockout_lab", SECTIONS, key=state.SECTION):
        _what_is_left_out()


def _what_is_left_out() -> None:
    """A caption for a model whose guesses differ slightly from the published one's."""
    model = models.entry_of(st.session_state[session.MODEL])
    if model.tokenizer is None:
        return
    with contextlib.suppress(HeadrolesError):  # the section has shown it
        if lost := caches.bias_left_out(model.key):
            st.caption(html.plain(html.bias_sentence(model.name, lost)))
