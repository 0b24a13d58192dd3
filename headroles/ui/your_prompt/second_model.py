"""A second model on the same prompt, side by side with the chosen one."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import streamlit as st

from headroles import models, view
from headroles.errors import HeadrolesError
from headroles.ui.app import (
    caches,
    chat_format,
    download_button,
    download_progress,
    elements,
    scope,
    session,
)
from headroles.ui.your_prompt import files, state
from headroles.view import html

if TYPE_CHECKING:
    from headroles.ui.app.caches import Answer, Reference


def offer() -> None:
    """The menu of the models that can be put beside the chosen one; none in a class."""
    if scope.is_class():  # its link fixes the model
        return
    offered = view.offer.offered()
    names = view.offer.names(offered)
    others = [key for key in offered if key != st.session_state[session.MODEL]]
    st.menu_button(
        "Compare with another model",
        others,
        format_func=names.__getitem__,
        key=state.MODELS,
        icon=":material/compare:",
        disabled=not others,
        on_click=_chosen,
    )


def _chosen() -> None:
    if (model := st.session_state[state.MODELS]) in view.offer.offered():
        state.compare_models(model)


def draw(answer: Answer, reference: Reference) -> None:
    """Draw the comparison, if a second model was chosen.

    Args:
        answer: the chosen model's, to the present prompt.
        reference: what is known about its heads.
    """
    second = state.second_model()
    if second is None:
        return
    with st.container(border=True, key="your_prompt-two_models"):
        st.subheader("Two models on this prompt", anchor=False)
        try:
            other = _answer(second, answer.run.prompt)
        except HeadrolesError as error:
            elements.show_error(error)
            other = None
        if other is not None:
            _side_by_side((answer, reference), (other, _reference(other)))
        _ways_out(swaps=other is not None and not scope.is_class())


def _ways_out(*, swaps: bool) -> None:
    with st.container(horizontal=True, key="your_prompt-two_models_ways"):
        if swaps:
            st.button(
                "Swap the two",
                icon=":material/swap_horiz:",
                key="your_prompt-swap_models",
                on_click=state.swap_models,
                help="All pages then show the second model",
            )
        st.button(
            "Stop comparing",
            icon=":material/close:",
            key="your_prompt-stop_models",
            on_click=state.compare_models,
            args=(None,),
        )


def _answer(model: str, prompt: str) -> Answer | None:
    """The second model's answer; None while the model has to be downloaded.

    Raises:
        HeadrolesError: if the model cannot be had, or cannot run the prompt.
    """
    caches.check_offered(model)
    choice = view.offer.choice(model)
    if not choice.is_here and st.session_state[state.TO_DOWNLOAD] != model:
        st.button(
            f"Download {html.plain(choice.entry.name)} and compare",
            icon=":material/download:",
            key="your_prompt-download_second",
            on_click=_download,
            args=(model,),
        )
        st.caption(html.plain(f"{view.offer.about(choice)} It downloads only when you click."))
        return None
    if not download_progress.is_here(model, is_chosen=False):
        return None
    with (
        st.spinner(f"Loading {html.plain(choice.entry.name)} and reading your prompt …"),
        st.skeleton(height=300),
    ):
        return caches.answer(model, prompt, chat=chat_format.is_on(model))


def _download(model: str) -> None:
    download_progress.try_again(model)  # an earlier one may have failed
    st.session_state[state.TO_DOWNLOAD] = model


def _reference(answer: Answer) -> Reference:
    try:
        return caches.reference(answer)
    except HeadrolesError:  # said in words below the table
        return caches.provisional()


def _side_by_side(first: tuple[Answer, Reference], second: tuple[Answer, Reference]) -> None:
    sides = [
        view.two_models.side(
            models.name_of(answer.run.model_name).partition(" (")[0],
            answer.scores,
            entry=reference.entry,
            thresholds=reference.thresholds,
            guesses=answer.run.next_tokens,
        )
        for answer, reference in (first, second)
    ]
    names = [side.name for side in sides]
    elements.conclusion(escape(view.two_models.summary(*sides)))
    elements.html(html.table(["Role", *names], view.two_models.table_rows(*sides)))
    if said := view.two_models.without_analysis(*sides):
        st.caption(html.plain(said))
    with st.container(key="your_prompt-two_strips"):
        for place, (answer, _) in enumerate((first, second)):
            with st.container(key=f"your_prompt-model_strip_{place}"):
                st.markdown(f"**{html.plain(names[place])} reads it as**")
                elements.cut_off(answer.run.encoding)
                elements.html(html.token_strip(answer.run.encoding))
                said = html.strip_sentence(answer.run.encoding)
                elements.html(f'<div class="hr-small">{escape(said)}</div>')
    elements.html(html.table(["Next", *names], view.two_models.guess_rows(*sides)))
    with st.container(horizontal=True, key="your_prompt-two_models_files"):
        download_button.buttons(files.of_models(first, second))
