"""The session keys of the page Real text, and the functions that change more than one of them."""

from __future__ import annotations

import streamlit as st

from headroles import charts
from headroles.types import Head
from headroles.ui.app import session
from headroles.ui.app.keys import Keys

PAGE = session.REAL_TEXT
"""The page's path."""
key = Keys(__name__)
SECTIONS = {
    "Roles in the wild": "activity",
    "A head's passages": "evidence",
    "Kinds of tokens": "classes",
    "A pattern for a head": "proposal",
}
"""{what the reader sees: the module of this package}; the first one is open at first."""
SECTION_NAMES = tuple(SECTIONS)
"""In the order of :data:`headroles.ui.real_text.link.SECTIONS`."""
STORED, OWN = "stored", "own"
"""The results of the server's own run; a text that the reader brings."""
TEXTS = {
    STORED: "Stored results",
    "manual": "Python's manual",
    "code": "Python's library (code)",
    "stories": "Stories",
    OWN: "Your own text",
}
"""{key: what the reader sees}; all but the first and the last are those of
:data:`headroles.texts.SOURCES`."""
TOKENS = (2_000, 10_000, 50_000)
"""How many tokens are read at once, at most."""
ROLE = key("role", None)
"""The role whose passages and map are shown; None for the head's attention as such."""
OWN_SHOWN = key("own_shown", "")
"""The reader's own text that was read."""
# widget keys
SECTION = key("section", SECTION_NAMES[0])
"""The open section."""
TEXT = key("text", STORED)
"""Which text: a key of :data:`TEXTS`."""
MOST = key("tokens", TOKENS[0])
"""One of :data:`TOKENS`."""
OWN_BOX = key("own_box", "")
"""The reader's own text in its box."""
FILES = key("files")
"""Files that the reader uploaded."""
HEAD_BOX, ROLE_BOX = key("head_box"), key("role_box")
"""The head and the role in their boxes."""
MAP = key("map")
"""The map of all heads."""

begin = key.begin


def read_own() -> None:
    """Read the text that stands in the box."""
    st.session_state[OWN_SHOWN] = st.session_state[OWN_BOX]


def choose_role() -> None:
    """Take over the role in the box."""
    st.session_state[ROLE] = st.session_state[ROLE_BOX]


def choose_head() -> None:
    """Take over the head in the box."""
    st.session_state[session.HEAD] = Head.parse(st.session_state[HEAD_BOX])


def show_passages(head: Head, role: str | None = None) -> None:
    """Lead to the passages of a head."""
    st.session_state[SECTION] = SECTION_NAMES[1]
    st.session_state[session.HEAD], st.session_state[ROLE] = head, role


def click() -> None:
    """Lead to the passages of the head that was clicked on the map."""
    head = charts.head_of_event(st.session_state.get(session.chart_key(MAP)))
    if head is not None:
        session.forget_selection(MAP)
        show_passages(head, st.session_state[ROLE_BOX])
