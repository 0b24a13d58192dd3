"""The session keys of Your Prompt, and the functions that change more than one of them."""

from __future__ import annotations

import streamlit as st

from headroles.ui.app import session
from headroles.ui.app.keys import Keys

key = Keys(__name__)
SECOND = key("second_prompt", None)
"""The second prompt, with which the first is compared; None while there is none."""
PRESENT = key("present", False)
"""Whether the page is shown in large type, one role at a time."""
CARD = key("card", 0)
"""The place of the role that is shown then."""
PRESENTED = key("presented", None)
"""The reader's own prompt when presenting began."""
SECOND_MODEL = key("second_model", None)
"""The model with which the chosen one is compared, by its key; None while there is none."""
TO_DOWNLOAD = key("to_download", None)
"""The second model whose download was asked for."""
# widget keys
SECOND_BOX = key("second_box")
"""The text in its box."""
MODELS = key("models")
"""The menu of the models to compare with."""

begin = key.begin


def compare_with(second: str | None) -> None:
    """Put a second prompt beside the first, in place of a second model, or take it away."""
    st.session_state[SECOND] = second
    if second is not None:
        st.session_state[SECOND_BOX] = second
        st.session_state[SECOND_MODEL] = None


def revisit_second(second: str | None) -> None:
    """Take over a link's second prompt; the one that is shown already changes nothing."""
    if second != st.session_state.get(SECOND):
        compare_with(second)


def second_model() -> str | None:
    """The model beside the chosen one; None where there is none, or where it is the same."""
    second = st.session_state.get(SECOND_MODEL)
    return second if second != st.session_state[session.MODEL] else None


def compare_models(second: str | None) -> None:
    """Put a second model beside the chosen one, in place of a second prompt, or take it away."""
    st.session_state[SECOND_MODEL] = second
    if second is not None:
        st.session_state[SECOND] = None


def run_both() -> None:
    """Run what stands in the box, or in both boxes."""
    session.run_box()
    if st.session_state[SECOND] is not None:
        st.session_state[SECOND] = st.session_state[SECOND_BOX]


def swap_prompts() -> None:
    """Swap the first and the second prompt, and what stands in their boxes."""
    now = st.session_state
    if now[SECOND] is None:  # two clicks, the first of which ended the comparison
        return
    now[session.PROMPT], now[SECOND] = now[SECOND], now[session.PROMPT]
    now[session.BOX], now[SECOND_BOX] = now[SECOND_BOX], now[session.BOX]
    now[session.PREVIOUS_PROMPT] = None


def swap_models() -> None:
    """Make the second model the chosen one, and the other way round."""
    first, second = st.session_state[session.MODEL], st.session_state[SECOND_MODEL]
    if second is None:  # two clicks, the first of which ended the comparison
        return
    session.use_model(second)
    compare_models(first)
