"""The names in the address of the page Circuits."""

from __future__ import annotations

import streamlit as st

from headroles import limits
from headroles.types import Head
from headroles.ui.app import link, session
from headroles.ui.app.link import Row
from headroles.ui.circuits import state

NORMS = ("applied", "folded", "none")
"""What is done with the layer norm (:class:`headroles.circuits.qk_ov.CircuitSettings`)."""
EMBEDDINGS = ("first_block", "bare")
"""What heads above the first layer find of a token (the same class)."""
TOKENS = ("words", "all")
"""Which tokens the table has: whole words, or fragments too."""
SWITCHES = dict(zip(("biases", "bos", "mean"), state.SWITCHES, strict=True))
"""{name of what a link can switch off: the key of its switch}."""


def _head() -> Head | None:
    label = st.session_state.get(state.HEAD)
    return Head.parse(label) if label else st.session_state[session.HEAD]


def _take_head(head: Head | None) -> None:
    st.session_state[session.HEAD] = head
    st.session_state[state.HEAD] = None  # the session's head, once the model's shape is known


def _take_tokens(which: str) -> None:
    st.session_state[state.FRAGMENTS] = which == TOKENS[1]


def _tokens() -> str:
    return TOKENS[bool(st.session_state.get(state.FRAGMENTS))]


def _switched_off() -> tuple[str, ...]:
    now = st.session_state
    return tuple(name for name, key in SWITCHES.items() if not now.get(key, True))


def _switch_off(names: tuple[str, ...]) -> None:
    for name, key in SWITCHES.items():
        st.session_state[key] = name not in names


ROWS = (
    link.MODEL,
    link.PROMPT,
    link.HEAD._replace(put=_take_head, get=_head),
    Row("norm", state.NORM, "way with the layer norm", link.one_of(NORMS, "ways"),
        first=NORMS[0], old="n"),
    Row("embedding", state.EMBEDDING, "kind of embedding", link.one_of(EMBEDDINGS, "kinds"),
        first=EMBEDDINGS[0]),
    Row("tokens", None, "choice of tokens", link.one_of(TOKENS, "choices"),
        first=TOKENS[0], put=_take_tokens, get=_tokens),
    Row("without", None, "switch", link.some_of(tuple(SWITCHES), "switches"), ",".join,
        first=(), old="o", put=_switch_off, get=_switched_off),
    Row("keys", state.KEYS, "number of rows", link.whole(limits.ROWS, "number of rows"), first=10),
    Row("queries", state.QUERIES, "number of queries", link.whole(limits.ROWS, "number of queries"),
        first=20),
    Row("outputs", state.OUTPUTS, "number of outputs", link.whole(limits.ROWS, "number of outputs"),
        first=20),
    Row("second_head", state.SECOND, "second head", lambda text: link.read_head(text).label),
    link.CHAT,
)  # fmt: skip
