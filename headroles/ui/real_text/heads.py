"""The choice of a head, for the sections of the page Real text that are about one."""

from __future__ import annotations

import streamlit as st

from headroles.types import Head
from headroles.ui.app import address, session
from headroles.ui.real_text import state


def choose(layers: int, heads: int, *, first: Head | None = None) -> Head:
    """The head in the box; another model's head falls back to ``first`` or the last layer's first.

    Args:
        layers: of the model.
        heads: of each layer.
        first: the head where none was chosen yet.
    """
    address.check(layers, heads)
    head = st.session_state[session.HEAD] or first or Head(layers - 1, 0)
    st.session_state[session.HEAD] = head
    st.session_state[state.HEAD_BOX] = head.label
    st.selectbox(
        "Head",
        [one.label for one in Head.every(layers, heads)],
        key=state.HEAD_BOX,
        on_change=state.choose_head,
        width=130,
    )
    return head
