"""The names in the address of the page Answer."""

from __future__ import annotations

import streamlit as st

from headroles.ui.answer import pair_link, state
from headroles.ui.app import link
from headroles.ui.app.link import Row

SECTIONS = dict(zip(("contributions", "pair", "paths"), state.SECTION_NAMES, strict=True))
"""{name in a link: the section}."""


def _section() -> str:
    shown = st.session_state.get(state.SECTION)
    return next((name for name, section in SECTIONS.items() if section == shown), "contributions")


def _open(name: str) -> None:
    st.session_state[state.SECTION] = SECTIONS[name]


ROWS = (
    link.MODEL,
    link.PROMPT,
    *pair_link.ROWS,
    Row("section", state.SECTION, "section", link.one_of(SECTIONS, "sections"),
        first="contributions", put=_open, get=_section),
    link.CHAT,
)  # fmt: skip
