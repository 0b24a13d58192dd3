"""Running the model and reading its analysis; errors are shown on the page, with a way out."""

from __future__ import annotations

import streamlit as st

from headroles import models
from headroles.errors import (
    CategoriesMissingError,
    ChatTemplateError,
    EmptyPromptError,
    HeadrolesError,
    LimitError,
)
from headroles.paths import BUNDLED
from headroles.roles import DEFINITIONS_VERSION
from headroles.ui.app import (
    caches,
    chat_format,
    download_progress,
    elements,
    scope,
    session,
    turns,
)
from headroles.view import html


def run(prompt: str | None = None) -> caches.Answer | None:
    """Run the prompt, or a second one; None, with the reason shown, if it cannot be run.

    While the model is being downloaded, its progress is shown.
    """
    model, is_second = st.session_state[session.MODEL], prompt is not None
    prompt = st.session_state[session.PROMPT] if prompt is None else prompt
    name = models.name_of(model)
    try:
        if not download_progress.is_here(model):
            return None
        with (
            st.spinner(
                f"Loading {html.plain(name)} and reading your prompt. "
                f"The first time takes a moment.{turns.slowed_down()}"
            ),
            st.skeleton(height=420),
        ):
            answer = caches.answer(model, prompt, chat=chat_format.is_on(model))
    except HeadrolesError as error:
        show_model_error(error)
        return None
    if answer.precision != "float32" and not is_second:
        st.caption(html.plain(html.precision_sentence(name)))
    return answer


def model_is_local() -> bool:
    """Whether the model is on this server; if not, its download is shown, or why it fails."""
    try:
        return download_progress.is_here(st.session_state[session.MODEL])
    except HeadrolesError as error:
        show_model_error(error)
        return False


def show_model_error(error: HeadrolesError) -> None:
    """Show why the model cannot be run, with the ways out where the prompt is not the reason."""
    elements.show_error(error)
    if not isinstance(error, ChatTemplateError | EmptyPromptError | LimitError):
        _ways_out(st.session_state[session.MODEL])


def _ways_out(model: str) -> None:
    """What to do where a model other than the bundled one is not available."""
    if model in BUNDLED:
        return
    with st.container(horizontal=True):
        if not scope.is_class():  # its link fixes the model
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
    """The stored analysis; without one, the reason is shown and provisional thresholds are used."""
    try:
        reference = caches.reference(answer)
    except HeadrolesError as error:
        return without_reference(error)
    warn_about_reference(reference)
    return reference


def without_reference(error: HeadrolesError) -> caches.Reference:
    """Show why there is no analysis, and what is used instead."""
    if isinstance(error, CategoriesMissingError):
        st.warning(
            "**Nobody has analysed this model yet, so its heads have no known roles.** You can "
            f"still look at every head on this prompt.  \n{html.sentence(error.hint)}"
        )
    else:
        elements.show_error(error, kind=st.warning)
    st.caption("Here every head is judged by provisional thresholds, which are no measurements.")
    if scope.offers(session.ADMIN):
        st.page_link(
            session.ADMIN,
            label="An instructor can have it analysed on the Admin page",
            icon=":material/admin_panel_settings:",
        )
    return caches.provisional()


def warn_about_reference(reference: caches.Reference) -> None:
    """Warn if the scores are not ours, if an earlier file replaces a damaged one, or if roles were
    defined otherwise then."""
    is_ours = reference.entry is None or not reference.entry.made_elsewhere
    made_with = reference.entry.definitions_version if reference.entry else DEFINITIONS_VERSION
    if not is_ours:
        st.caption(html.MADE_ELSEWHERE)
    elif made_with != DEFINITIONS_VERSION:
        st.caption(
            f"This model's reference scores were made with version {made_with} of the roles' "
            f"definitions. This page judges prompts and describes roles by version "
            f"{DEFINITIONS_VERSION}, so the two do not match everywhere. An instructor can "
            f"analyse the model again on the Admin page."
        )
    if since := reference.backup_since:
        st.caption(
            "The file of reference scores is damaged. These are from the version of "
            f"{since.day} {since:%B %Y, %H:%M} UTC; an instructor can restore it on the Admin page."
        )
