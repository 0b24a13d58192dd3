"""Where the head looks on a random segment that stands twice, in place of the prompt."""

from __future__ import annotations

from dataclasses import replace
from html import escape
from typing import TYPE_CHECKING

import streamlit as st

from headroles import limits, scoring, view
from headroles.errors import HeadrolesError
from headroles.ui.app import caches, elements, session
from headroles.ui.head_closeup import state
from headroles.view import random_repeats

if TYPE_CHECKING:
    from headroles.ui.head_closeup.subject import Subject


def choose(subject: Subject) -> Subject:
    """Draw the switch, and what the chosen text is; the head on that text."""
    with st.container(horizontal=True, vertical_alignment="bottom", key="head_closeup-text_row"):
        text = st.segmented_control(
            "On",
            state.TEXTS,
            key=state.TEXT,
            required=True,
            persist_state="session",
            help="Random repeats show what a head does where nothing but copies and positions can "
            "lead it: induction heads draw a stripe there.",
        )
        if text == state.PROMPT:
            return subject
        seed = st.number_input(
            "Seed", *limits.SEED, key=state.SEED, persist_state="session", width=130
        )
    try:
        answer = caches.on_repeats(st.session_state[session.MODEL], int(seed))
    except HeadrolesError as error:
        elements.show_error(error)
        return subject
    there = replace(subject, answer=answer, labels=tuple(view.token_labels(answer.run.encoding)))
    found = scoring.stripes(there.attention, answer.run.token_ids)
    said = random_repeats.stripes_sentence(there.head.label, found)
    elements.html(
        f'<p class="hr-explain">{escape(random_repeats.about(found, int(seed)))} '
        f"<b>{escape(said)}</b></p>"
    )
    return there
