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
# widget keys
SECOND_BOX = key("second_box")
"""The text in its box."""

begin = key.begin


def compare_with(second: str | None) -> None:
    """Put a second prompt beside the first, or close the comparison."""
    st.session_state[SECOND] = second
    if second is not None:
        st.session_state[SECOND_BOX] = second


def run_second() -> None:
    """Run the text in the second box."""
    st.session_state[SECOND] = st.session_state[SECOND_BOX]


def swap_prompts() -> None:
    """Swap the first and the second prompt."""
    first, second = st.session_state[session.PROMPT], st.session_state[SECOND]
    session.run(second)
    compare_with(first)
