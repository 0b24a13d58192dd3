"""Circuits: which tokens a head looks for and what it writes, read from its weights alone."""

from __future__ import annotations

import streamlit as st

from headroles import models, store
from headroles.errors import HeadrolesError
from headroles.ui.app import caches, elements, run_prompt, session
from headroles.ui.circuits import (
    composition,
    controls,
    embedding,
    second_head,
    state,
    summary,
    table,
)
from headroles.view.html import plain


def page() -> None:
    """Draw the page from top to bottom."""
    elements.begin()
    state.begin()
    elements.title(
        "Circuits",
        answers="What is a head made to do? Its weights show which tokens it looks for (QK) and "
        "what it writes once it has found one (OV). No prompt needed.",
        first="Choose a head.",
    )
    model = st.session_state[session.MODEL]
    if not run_prompt.model_is_local():
        return
    try:
        with st.spinner(f"Loading {plain(models.name_of(model))}. The first time takes a moment."):
            caches.import_libraries()
        with caches.borrow(model) as loaded:
            draw(loaded)
    except HeadrolesError as error:
        run_prompt.show_model_error(error)


def draw(loaded) -> None:
    """Everything that needs the model: the answer first, then what it was read from."""
    vocab = loaded.model.get_input_embeddings().weight.shape[0]
    frequencies = store.read_frequencies(loaded.key, vocab)
    head = controls.head(loaded)
    answer = st.container(key="circuits-answer")
    settings = controls.settings(head, frequencies)
    with answer:
        ready = embedding.is_ready(loaded, head, settings)
        place = st.empty()
    if ready:
        summary.conclude(place, loaded, head, settings, frequencies)
        if rows := table.draw(loaded, head, settings, frequencies):
            summary.conclude(place, loaded, head, settings, frequencies, best=rows[0])
        summary.draw(loaded, head, settings, frequencies)
        if rows:
            second_head.draw(loaded, head, settings, frequencies, rows)
    controls.left_out(loaded, head, settings)
    norm = "none" if settings.norm == "none" else "folded"
    composition.draw(loaded, head, norm=norm)
    summary.all_heads(loaded, settings, frequencies)


page()
