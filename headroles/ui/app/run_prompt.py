"""Asking the model, and the file: what cannot be had is said on the page, with the way out."""

from __future__ import annotations

import streamlit as st

from headroles.errors import HeadrolesError
from headroles.models import CATALOGUE
from headroles.ui.app import caches, download_progress, elements, session
from headroles.view import html


def run(prompt: str | None = None) -> caches.Answer | None:
    """Run the prompt, or a second one; None, with the reason said, if it cannot be run.

    The reason may be that the model is still on its way: then its download is shown.
    """
    model, is_second = st.session_state[session.MODEL], prompt is not None
    prompt = st.session_state[session.PROMPT] if prompt is None else prompt
    name = CATALOGUE[model].name
    try:
        if not download_progress.is_here(model):
            return None
        with (
            st.spinner(f"Loading {name} and reading your prompt. The first time takes a moment."),
            st.skeleton(height=420),
        ):
            answer = caches.answer(model, prompt)
    except HeadrolesError as error:
        show_model_error(error)
        return None
    if answer.precision != "float32" and not is_second:
        st.caption(html.precision_sentence(name))
    return answer


def model_is_local() -> bool:
    """Whether the model is on this server; if not, its download is shown, or why it fails."""
    try:
        return download_progress.is_here(st.session_state[session.MODEL])
    except HeadrolesError as error:
        show_model_error(error)
        return False


def show_model_error(error: HeadrolesError) -> None:
    """Say why the model cannot be asked, with the ways out."""
    elements.show_error(error)
    _ways_out(st.session_state[session.MODEL])


def _ways_out(model: str) -> None:
    """What can be done where a model other than the bundled one cannot be had."""
    if CATALOGUE[model].is_bundled:
        return
    with st.container(horizontal=True):
        st.button(
            "Use the bundled model",
            icon=":material/home:",
            on_click=session.use_default_model,
            key="app-use_default_model",
        )
        st.button(
            "Try again",
            icon=":material/refresh:",
            on_click=download_progress.try_again,
            args=(model,),
            key="app-try_again",
        )


def reference_or_provisional(answer: caches.Answer) -> caches.Reference:
    """The stored analysis; without one, the reason is said and provisional thresholds serve."""
    layers, heads = answer.scores.resting.shape
    try:
        reference = caches.reference(st.session_state[session.MODEL], (layers, heads))
    except HeadrolesError as error:
        return without_reference(error)
    warn_about_backup(reference)
    return reference


def without_reference(error: HeadrolesError) -> caches.Reference:
    """Say why there is no analysis, and what stands in for it."""
    elements.show_error(error, kind=st.warning)
    st.caption(
        "Until then nobody knows which heads have which role. Every head can still be looked at on "
        "this prompt, judged by provisional thresholds."
    )
    st.page_link(
        session.ADMIN,
        label="An instructor can have it analysed on the Admin page",
        icon=":material/admin_panel_settings:",
    )
    return caches.provisional()


def warn_about_backup(reference: caches.Reference) -> None:
    """Say so if an earlier version of the file stands in for a damaged one."""
    if since := reference.backup_since:
        st.caption(
            "The file of reference scores is damaged. These are from the version of "
            f"{since.day} {since:%B %Y, %H:%M} UTC; an instructor can restore it on the Admin page."
        )
