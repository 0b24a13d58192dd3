"""The session keys of the page Answer, and the functions that change more than one of them."""

from __future__ import annotations

import streamlit as st

from headroles import charts
from headroles.types import Head
from headroles.ui.app import session
from headroles.ui.app.keys import Keys

PAGE = "pages/answer.py"
"""The page's path."""
key = Keys(__name__)
SECTIONS = {"Contributions": "contributions", "Two prompts": "two_prompts", "Paths": "paths"}
"""{what the reader sees: the module of this package}; the first one is open at first."""
SECTION_NAMES = tuple(SECTIONS)
"""In the order of :data:`headroles.ui.answer.link.SECTIONS`."""
MODEL = key("model", None)
"""The model that the head was chosen for; None while that is not known."""
HEAD = key("head", None)
"""The head that is looked at closely; None for the one that wrote most."""
POSITION = key("position", None)
"""The position whose next token is watched; None for the last one."""
# widget keys
SECTION = key("section", SECTION_NAMES[0])
"""The open section."""
ANSWER = key("answer", "")
"""The token that is watched; empty for the model's own first guess."""
AGAINST = key("against", "")
"""The token that is subtracted; empty for none."""
HEAD_BOX, POSITION_BOX = key("head_box"), key("position_box")
"""The head and the position in their boxes; one key per model or length of a prompt."""
MAP = key("map")
"""The map of all heads."""

begin = key.begin


def begin_with(model: str) -> None:
    """Forget the head that was chosen for another model."""
    if st.session_state[MODEL] not in (None, model):
        st.session_state[HEAD] = None
    st.session_state[MODEL] = model


def open_section(name: str) -> None:
    """Lead to another section of the page."""
    st.session_state[SECTION] = name


def watch(answer: str) -> None:
    """Watch a token; empty for the model's own first guess."""
    st.session_state[ANSWER] = answer


def hold_against(against: str) -> None:
    """Subtract a token; empty for none."""
    st.session_state[AGAINST] = against


def choose_head(box: str) -> None:
    """Take over the head in the box."""
    st.session_state[HEAD] = Head.parse(st.session_state[box])


def choose_position(box: str, last: int) -> None:
    """Take over the position in the box."""
    chosen = st.session_state[box]
    st.session_state[POSITION] = None if chosen == last else chosen


def click() -> None:
    """Take over the head that was clicked on the map."""
    head = charts.head_of_event(st.session_state.get(session.chart_key(MAP)))
    if head is not None:
        session.forget_selection(MAP)
        st.session_state[HEAD] = head
