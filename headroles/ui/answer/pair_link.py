"""The names in the address of the sections *Two prompts* and *Paths*."""

from __future__ import annotations

import streamlit as st

from headroles.ui.answer import pair_state, state
from headroles.ui.app import link
from headroles.ui.app.link import Row

DIRECTIONS = ("denoise", "noise")
"""Which prompt runs."""


def is_shown(*sections: int) -> bool:
    """Whether one of these sections is open, by its place."""
    shown = st.session_state.get(state.SECTION)
    return shown in [state.SECTION_NAMES[place] for place in sections]


def _direction() -> str | None:
    return st.session_state.get(pair_state.DIRECTION) if is_shown(1) else None


def _second_prompt() -> str | None:
    return link.SECOND_PROMPT.value() if is_shown(1, 2) else None


ROWS = (
    link.SECOND_PROMPT._replace(get=_second_prompt),
    Row("direction", pair_state.DIRECTION, "direction", link.one_of(DIRECTIONS, "directions"),
        first="denoise", get=_direction),
)  # fmt: skip
