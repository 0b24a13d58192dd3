"""Running a detection for the page: a bar and a Stop button while it runs, errors as sentences."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import streamlit as st

from headroles.types import Head
from headroles.ui.app import long_work, run_prompt, session
from headroles.ui.detector_lab import detection, state
from headroles.view import html

if TYPE_CHECKING:
    from headroles.ui.detector_lab.measures import Asked
    from headroles.ui.detector_lab.prompts import Typed


def request(typed: Typed, asked: Asked) -> detection.Request | None:
    """The chosen detection; None, with the reason shown, if something is missing."""
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
        typed.chat,
    )


def result(wanted: detection.Request) -> detection.Result | None:
    """Its result; None, with the reason shown, while it runs, if it fails, or if it was stopped."""
    if not run_prompt.model_is_local():
        return None
    answer: detection.Result | None = long_work.run(
        state.WORK,
        wanted,
        partial(detection.plan, wanted),
        doing="Running your prompts",
        show_error=run_prompt.show_model_error,
    )
    if answer is not None and answer.left_out:
        st.warning(
            f"{answer.left_out:,} of {html.count(len(answer.prompts), 'prompt')} "
            f"{'is' if answer.left_out == 1 else 'are'} longer than the "
            f"{int(answer.prompts.sequences.lengths.max()):,} tokens that the model reads; the "
            "rest was cut off.",
            icon=":material/content_cut:",
        )
    if answer is not None and answer.cautions:
        st.warning(html.plain(" ".join(answer.cautions)), icon=":material/data_array:")
    return answer
