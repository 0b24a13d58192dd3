"""Running a detection for the page: a bar and a way out while it takes, errors as sentences."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import streamlit as st

from headroles.errors import HeadrolesError
from headroles.types import Head
from headroles.ui import ask, lab_caches, text
from headroles.ui import state as session
from headroles.ui.lab import state

if TYPE_CHECKING:
    from headroles.ui.lab.measures import Asked
    from headroles.ui.lab.prompts import Typed

PATIENCE = 0.8
"""Seconds after which a bar is drawn."""


def request(typed: Typed, asked: Asked) -> lab_caches.Request | None:
    """What is asked for; None, with the reason said, if something is missing."""
    patterns = tuple(st.session_state[state.CHOSEN])
    if not typed.prompts and not typed.generated[0]:
        st.info("Type at least one prompt.", icon=":material/edit_note:")
        return None
    if not patterns:
        st.info("Choose at least one pattern.", icon=":material/grid_on:")
        return None
    return lab_caches.Request(
        st.session_state[session.MODEL],
        typed.prompts,
        typed.generated,
        patterns,
        asked.exclude_bos,
        asked.exclude_current_token,
        tuple(Head.parse(label) for label in asked.heads),
    )


def result(wanted: lab_caches.Request) -> lab_caches.Result | None:
    """Run it; None, with the reason said, if it cannot be run or was cancelled."""
    if st.session_state[state.CANCELLED] == wanted and lab_caches.kept(wanted) is None:
        st.info("The detection was cancelled.", icon=":material/cancel:")
        st.button("Run it", icon=":material/play_arrow:", on_click=state.resume, key="lab_resume")
        return None
    if lab_caches.kept(wanted) is None and not ask.ready():
        return None
    place = st.empty()
    try:
        with place, st.spinner("Loading the model and reading your prompts."):
            found = lab_caches.run(wanted, progress=_progress(place, wanted))
    except HeadrolesError as error:
        place.empty()
        ask.refuse(error)
        return None
    place.empty()
    if found.left_out:
        st.warning(
            f"{text.count(found.left_out, 'prompt')} longer than the model reads: cut at the end.",
            icon=":material/content_cut:",
        )
    return found


def _progress(place: object, wanted: lab_caches.Request):
    """Tells how far it is, once it takes long; the way out is a button beside the bar."""
    began, drawn = time.monotonic(), []

    def told(done: int, total: int) -> None:
        if done == total or time.monotonic() - began < PATIENCE:
            return
        if not drawn:
            with place.container():
                drawn.append(st.progress(0.0))
                st.button(
                    "Cancel",
                    icon=":material/cancel:",
                    on_click=state.cancel,
                    args=(wanted,),
                    key="lab_cancel",
                )
        drawn[0].progress(done / total, text=f"{done:,} of {total:,} prompts")

    return told
