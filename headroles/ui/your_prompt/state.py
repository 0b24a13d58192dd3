"""The session keys of Your Prompt, and the functions that change more than one of them."""

from __future__ import annotations

import streamlit as st

from headroles.ui.app import session
from headroles.ui.app.keys import Keys

key = Keys(__name__)
PRESENT = key("present", False)
"""Whether the page is shown in large type, one role at a time."""
CARD = key("card", 0)
"""The place of the role that is shown then."""
PRESENTED = key("presented", None)
"""The reader's own prompt when presenting began."""
TO_DOWNLOAD = key("to_download", None)
"""The second model whose download was asked for."""
# widget keys
MODELS = key("models")
"""The menu of the models to compare with."""

begin = key.begin


def second_model() -> str | None:
    """The model beside the chosen one; None where there is none, or where it is the same."""
    second = st.session_state.get(session.SECOND_MODEL)
    return second if second != st.session_state[session.MODEL] else None


def compare_models(second: str | None) -> None:
    """Put a second model beside the chosen one, in place of a second prompt, or take it away."""
    st.session_state[session.SECOND_MODEL] = second
    if second is not None:
        st.session_state[session.SECOND] = None


def swap_prompts() -> None:
    """Swap the first and the second prompt, and what stands in their boxes."""
    now = st.session_state
    if now[session.SECOND] is None:  # two clicks, the first of which ended the comparison
        return
    now[session.PROMPT], now[session.SECOND] = now[session.SECOND], now[session.PROMPT]
    now[session.BOX], now[session.SECOND_BOX] = now[session.SECOND_BOX], now[session.BOX]
    now[session.PREVIOUS_PROMPT] = None


def swap_models() -> None:
    """Make the second model the chosen one, and the other way round."""
    first, second = st.session_state[session.MODEL], st.session_state[session.SECOND_MODEL]
    if second is None:  # two clicks, the first of which ended the comparison
        return
    session.use_model(second)
    compare_models(first)
