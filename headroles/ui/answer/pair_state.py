"""The session keys of the sections *Two prompts* and *Paths*.

The two prompts are the session's, and their answers are the page's: other parts show them, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import streamlit as st

from headroles import charts
from headroles.ui.answer import state
from headroles.ui.app import session
from headroles.ui.app.keys import Keys

if TYPE_CHECKING:
    from headroles.texts import ReadyPair
    from headroles.types import Head

key = Keys(__name__)
ANSWER_BOX = "the answer"
"""The box on top of the drawing."""
INPUTS = ("query", "key", "value")
"""What a head reads with."""
MOST_PAIRS = (1, 4, 8)
"""Pairs of prompts over which paths can be averaged."""
MOST_ARROWS = 24
"""Most arrows of a drawing: more could not be read."""
PATHS = key("paths", tuple)
"""The arrows of the drawing as they were put in: ``L23H0>logits``, ``L14H2>L23H0.query``, or
``L20H0>L23H0/L23H1.query`` into several heads together."""
DRAWN_FOR = key("drawn_for", None)
"""The model that they belong to; None where a link named them."""
GROWING = key("growing", False)
"""Whether the strongest paths are being looked for."""
# widget keys
DIRECTION = key("direction", "denoise")
"""Which sentence runs: ``denoise`` or ``noise``."""
HEADS = key("pair_heads", list)
"""Labels of the heads that are patched token by token; empty for the strongest."""
READY = key("ready_pair")
"""The menu of ready-made pairs."""
PAIRS = key("path_pairs", 1)
"""Over how many pairs of prompts paths are averaged: one of :data:`MOST_PAIRS`."""
NODE = key("path_node", ANSWER_BOX)
"""The box of the drawing whose senders are shown."""
INPUT = key("path_input", "query")
"""What it reads with."""
DRAWING, SENDERS = key("path_drawing"), key("path_senders")
"""The drawing and the map of senders."""

begin = key.begin


def forget_answers() -> None:
    """Watch the model's own guesses."""
    st.session_state[state.ANSWER] = st.session_state[state.AGAINST] = ""


def use_pair(ready: ReadyPair) -> None:
    """Run a ready-made pair, as it was tried: not as a chat message."""
    session.use_tested(ready.first)
    session.compare_with(ready.second)
    st.session_state[state.ANSWER] = ready.answer
    st.session_state[state.AGAINST] = ready.against
    start_over()


def add_paths(arrows: Iterable[str]) -> None:
    """Put arrows into the drawing, each once."""
    now = st.session_state
    now[PATHS] = tuple(dict.fromkeys((*now[PATHS], *arrows)))[:MOST_ARROWS]


def take_back() -> None:
    """Take the last arrow out of the drawing, and look at a box that is still there."""
    st.session_state[PATHS] = st.session_state[PATHS][:-1]
    st.session_state[NODE] = ANSWER_BOX


def start_over() -> None:
    """An empty drawing."""
    st.session_state[PATHS], st.session_state[GROWING] = (), False
    st.session_state[NODE] = ANSWER_BOX


def grow() -> None:
    """Look for the strongest paths."""
    st.session_state[GROWING] = True


def click_box(names: Mapping[Head, str]) -> None:
    """Look at the box of the drawing that was clicked, by {its first head: its name}."""
    head = charts.head_of_event(st.session_state.get(session.chart_key(DRAWING)))
    if head is not None:
        session.forget_selection(DRAWING)
        st.session_state[NODE] = ANSWER_BOX if head.layer < 0 else names[head]


def click_sender(receiver: str) -> None:
    """Put the arrow from the head that was clicked into the drawing."""
    head = charts.head_of_event(st.session_state.get(session.chart_key(SENDERS)))
    if head is not None:
        session.forget_selection(SENDERS)
        add_paths([f"{head.label}>{receiver}"])
