"""The names in the address of the Head close-up."""

from __future__ import annotations

import streamlit as st

from headroles import limits
from headroles.ui.app import link, saved_roles
from headroles.ui.app.link import Row
from headroles.ui.head_closeup import state

_TEXTS = {"prompt": state.PROMPT, "repeats": state.REPEATS}
_NAMES = {text: name for name, text in _TEXTS.items()}


def _read_text(name: str) -> str:
    return _TEXTS[link.one_of(_TEXTS, "texts")(name)]


def _seed_in_use() -> int | None:
    now = st.session_state
    return now.get(state.SEED) if now.get(state.TEXT) == state.REPEATS else None


ROWS = (
    link.MODEL,
    link.PROMPT,
    link.ROLE,
    link.HEAD,
    Row("position", state.TOKEN, "position", link.read_position),
    link.HIDE_RESTING,
    link.CHAT,
    saved_roles.ROW,
    Row("text", state.TEXT, "text", _read_text, _NAMES.get, first=state.PROMPT),
    Row("text_seed", state.SEED, "seed", link.whole(limits.SEED, "seed"), first=0,
        get=_seed_in_use),
)  # fmt: skip
