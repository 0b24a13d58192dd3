"""The session keys of the sections *Two prompts* and *Paths*.

The two prompts are the session's, and their answers are the page's: other parts show them, too.
"""

from __future__ import annotations

import streamlit as st

from headroles.ui.answer import state
from headroles.ui.app.keys import Keys

key = Keys(__name__)
# widget keys
DIRECTION = key("direction", "denoise")
"""Which sentence runs: ``denoise`` or ``noise``."""
HEADS = key("pair_heads", list)
"""Labels of the heads that are patched token by token; empty for the strongest."""

begin = key.begin


def forget_answers() -> None:
    """Watch the model's own guesses."""
    st.session_state[state.ANSWER] = st.session_state[state.AGAINST] = ""
