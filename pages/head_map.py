"""Head map: every head of the model, in every role, as measured beforehand or on this prompt."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import streamlit as st

from headroles.errors import HeadrolesError
from headroles.ui.app import (
    caches,
    copy_link,
    elements,
    extended_maps,
    extended_state,
    extended_switch,
    literature,
    prompt_form,
    run_prompt,
    saved_roles,
    session,
)
from headroles.ui.head_map import (
    files,
    multiples,
    offset_profiles,
    pair,
    place_or_content,
    position_zero,
    state,
    table,
)
from headroles.view import columns, head_maps

if TYPE_CHECKING:
    from headroles.store import ModelEntry


def page() -> None:
    """Draw the page from top to bottom."""
    elements.begin()
    state.begin()
    elements.title(
        "Head map",
        answers="Which head does what, and in which layer? Every head of the model is here.",
        first="Choose “This prompt” to find the heads that do a role’s job on your own sentence.",
    )
    missing, remark = None, st.container()
    try:
        reference = caches.stored(st.session_state[session.MODEL])
    except HeadrolesError as error:
        missing, reference = error, caches.provisional()
    on_prompt = source(reference) == session.PROMPTED
    answer = on_the_prompt() if on_prompt else None
    if on_prompt and answer is None:
        return
    with remark:  # only beside a map: a model that cannot be used has said so
        if missing:
            run_prompt.without_reference(missing)
        else:
            run_prompt.warn_about_reference(reference)
    if answer:
        model_map = of_prompt(answer)
    else:
        model_map = head_maps.of_entry(reference.entry, reference.thresholds)
    if extended_state.shown():
        entry = own_entry(reference, answer)
        model_map = replace(model_map, extended=columns(entry, answer.run if answer else None))
    multiples.draw(model_map)
    with st.container(horizontal=True, vertical_alignment="center"):
        files.draw(model_map, on_prompt=on_prompt, reference=reference)
        copy_link.draw()
    if answer is None:
        measured(reference)
    if model_map.by_papers:
        literature.draw(answer)
    further(reference, answer)
    if answer is not None:
        saved_roles.maps(answer)
    table.draw(model_map)
    offset_profiles.draw(own_entry(reference, answer), answer, reference)
    pair.draw(model_map)


def further(reference: caches.Reference, answer: caches.Answer | None) -> None:
    """The extended roles where they are wanted, and sentences against random tokens."""
    entry = own_entry(reference, answer)
    if extended_switch.draw(entry, model=st.session_state[session.MODEL]):
        extended_maps.draw(entry, None if answer is None else answer.run)
    if entry is not None and answer is None:
        place_or_content.draw(entry, reference.thresholds)


def own_entry(reference: caches.Reference, answer: caches.Answer | None) -> ModelEntry | None:
    """The stored analysis; none where it is of another shape than the model that answered."""
    entry = reference.entry
    if entry is None or answer is None:
        return entry
    shape = (entry.num_layers, entry.num_heads)
    return entry if shape == tuple(answer.scores.resting.shape) else None


def source(reference: caches.Reference) -> str:
    """Where the numbers come from; without an analysis only from the prompt."""
    if reference.entry is None:
        return session.PROMPTED
    return st.radio(
        "Which numbers",
        session.SOURCES,
        key=session.MAP_SOURCE,
        horizontal=True,
        persist_state="session",
        label_visibility="collapsed",
    )


def measured(reference: caches.Reference) -> None:
    """What the reference scores were measured on, as far as anybody knows."""
    if reference.entry.made_elsewhere:
        return
    st.caption(
        f"Each score is a mean over many texts, {reference.entry.sequences} random sequences among "
        f"them, measured on {reference.entry.analysis_date}."
    )
    position_zero.draw(reference.entry.tokenization)


def on_the_prompt() -> caches.Answer | None:
    """The model's answer to the present prompt, which can be changed here."""
    prompt_form.folded(key="head_map-prompt")
    answer = run_prompt.run()
    if answer is not None:
        elements.cut_off(answer.run.encoding)
    return answer


def of_prompt(answer: caches.Answer) -> head_maps.ModelMap:
    """The numbers of the prompt."""
    try:
        reference = caches.reference(answer)
    except HeadrolesError:  # shown above, or the file has another shape than the model
        reference = caches.provisional()
    return head_maps.of_prompt(
        answer.scores, reference.thresholds, reference.entry, papers=literature.heads(answer)
    )


page()
