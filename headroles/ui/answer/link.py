"""The names in the address of the page Answer."""

from __future__ import annotations

import re

import streamlit as st

from headroles.types import Head
from headroles.ui.answer import pair_link, state
from headroles.ui.app import link
from headroles.ui.app.link import Row, Unusable

SECTIONS = dict(zip(("contributions", "pair", "paths"), state.SECTION_NAMES, strict=True))
"""{name in a link: the section}."""
_POSITION = re.compile("[0-9]{1,4}")


def _section() -> str:
    shown = st.session_state.get(state.SECTION)
    return next((name for name, section in SECTIONS.items() if section == shown), "contributions")


def _open(name: str) -> None:
    st.session_state[state.SECTION] = SECTIONS[name]


def _read_position(text: str) -> int:
    if not _POSITION.fullmatch(text):
        raise Unusable("which is not a position.", "A position is a number from 0 up, e.g. 7.")
    return int(text)


def _take_head(head: Head | None) -> None:
    st.session_state[state.HEAD], st.session_state[state.MODEL] = head, None


ROWS = (
    link.MODEL,
    link.PROMPT,
    *pair_link.ROWS,
    Row("section", state.SECTION, "section", link.one_of(SECTIONS, "sections"),
        first="contributions", old="s", put=_open, get=_section),
    Row("answer", state.ANSWER, "next token", link.read_token, first=""),
    Row("against", state.AGAINST, "token to hold against it", link.read_token, first=""),
    Row("position", state.POSITION, "position", _read_position),
    link.HEAD._replace(key=state.HEAD, put=_take_head),
    link.CHAT,
)  # fmt: skip
