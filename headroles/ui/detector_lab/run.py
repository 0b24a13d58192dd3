"""Running a detection for the page: a bar and a way out while it takes, errors as sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from headroles.errors import HeadrolesError
from headroles.types import Head
from headroles.ui.app import long_work, run_prompt, session
from headroles.ui.detector_lab import detection, state
from headroles.view import html

if TYPE_CHECKING:
    from headroles.ui.detector_lab.measures import Asked
    from headroles.ui.detector_lab.prompts import Typed

PATIENCE = 0.8
"""Seconds after which a bar is drawn."""


def request(typed: Typed, asked: Asked) -> detection.Request | None:
    """What is asked for; None, with the reason said, if something is missing."""
    patterns = tuple(st.session_state[state.CHOSEN])
    if not typed.prompts and not typed.generated[0]:
        st.info("Type at least one prompt.", icon=":material/edit_note:")
        return None
    if not patterns:
        st.info("Choose at least one pattern.", icon=":material/grid_on:")
        return None
    return detection.Request(
        st.session_state[session.MODEL],
        typed.prompts,
        typed.generated,
        patterns,
        asked.exclude_bos,
        asked.exclude_current_token,
        tuple(Head.parse(label) for label in asked.heads),
    )


def result(wanted: detection.Request) -> detection.Result | None:
    """Run it; None, with the reason said, if it cannot be run or was stopped."""
    if not run_prompt.model_is_local():
        return None
    try:
        with st.spinner("Loading the model and reading your prompts."):
            found = long_work.ask(
                state.WORK,
                wanted,
                lambda tell: detection.run(wanted, progress=tell),
                title="The detection",
                size=detection.size_of,
                patience=PATIENCE,
            )
    except HeadrolesError as error:
        run_prompt.show_model_error(error)
        return None
    if found is not None and found.left_out:
        st.warning(
            f"{html.count(found.left_out, 'prompt')} of {len(found.prompts):,} longer than the "
            f"{int(found.prompts.sequences.lengths.max()):,} tokens that the model reads: cut at "
            "the end.",
            icon=":material/content_cut:",
        )
    return found
