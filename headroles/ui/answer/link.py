"""The names in the address of the page Answer."""

from __future__ import annotations

import streamlit as st

from headroles.types import Head
from headroles.ui.answer import pair_link, state
from headroles.ui.app import link
from headroles.ui.app.link import Row

SECTIONS = dict(zip(("contributions", "pair", "paths"), state.SECTION_NAMES, strict=True))
"""{name in a link: the section}."""


def _take_head(head: Head | None) -> None:
    st.session_state[state.HEAD], st.session_state[state.MODEL] = head, None


ROWS = (
    link.MODEL,
    link.PROMPT,
    *pair_link.ROWS,
    link.section(state.SECTION, SECTIONS),
    Row("answer", state.ANSWER, "next token", link.read_token, first=""),
    Row("against", state.AGAINST, "token to hold against it", link.read_token, first=""),
    Row("position", state.POSITION, "position", link.read_position),
    link.HEAD._replace(key=state.HEAD, put=_take_head),
    link.CHAT,
)  # fmt: skip
