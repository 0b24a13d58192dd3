"""The session keys of the Head close-up, and the functions that change more than one of them."""

from __future__ import annotations

import streamlit as st

from headroles.roles import BASIC_ROLES
from headroles.types import Head
from headroles.ui.app import session
from headroles.ui.app.keys import Keys

PROMPT, REPEATS = "This prompt", "Random repeats"
TEXTS = (PROMPT, REPEATS)

key = Keys(__name__)
TOKEN = key("token", None)
"""The position whose attention is read; None until one is chosen."""
# widget keys
TEXT, SEED = key("text", PROMPT), key("seed", 0)
"""On what its attention is shown: one of :data:`TEXTS`, and the seed of random repeats."""
HEAD_BOX, ROLE_BOX = key("head_box"), key("role_box")
"""The head and the role in the boxes."""
_WINDOW = key("window")

begin = key.begin


def window_key(length: int) -> str:
    """The key of the slider that zooms into a pattern; another length needs another range."""
    return f"{_WINDOW}_{length}"


def choose_head() -> None:
    """Take over the head in the box."""
    st.session_state[session.HEAD] = Head.parse(st.session_state[HEAD_BOX])


def choose_role() -> None:
    """Take over the role in the box."""
    st.session_state[session.ROLE] = st.session_state[ROLE_BOX]


def wake(prompt: str, *, role: str) -> None:
    """Run a prompt that wakes the head in a role, and look at the head in that role."""
    session.use_tested(prompt)
    if role in BASIC_ROLES:
        st.session_state[session.ROLE] = role


def show(head: Head, role: str) -> None:
    """Put the head and the role that are shown into the session and the boxes."""
    st.session_state[session.HEAD], st.session_state[session.ROLE] = head, role
    st.session_state[HEAD_BOX], st.session_state[ROLE_BOX] = head.label, role
