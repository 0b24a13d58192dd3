"""The session keys of the page Circuits."""

from __future__ import annotations

import streamlit as st

from headroles.types import Head
from headroles.ui.app import session

PAGE = "pages/circuits.py"
"""The page's path."""
HEAD = "circuit_head"
"""The label of the head in the box (a widget's key)."""
NORM, BIASES, MINUS_BOS, MINUS_MEAN = (
    "circuit_norm", "circuit_biases", "circuit_minus_bos", "circuit_minus_mean",
)  # fmt: skip
"""What is done to the weights (widgets' keys)."""
SWITCHES = (BIASES, MINUS_BOS, MINUS_MEAN)
"""The three that are on or off, in the order of :data:`headroles.ui.app.link.SWITCHES`."""
KEYS = "circuit_keys"
"""How many key tokens the table has (a widget's key)."""
LOOKUP = "circuit_lookup"
"""The reader's own token (a widget's key)."""
FULL = "circuit_full"
"""The key whose lists are shown whole (a widget's key)."""
KIND, SUBTRACT, LAYERS = "circuit_kind", "circuit_subtract", "circuit_layers"
"""Composition: Q, K or V; whether the baseline is taken away; the pair of layers."""


def begin() -> None:
    """Give every key its first value."""
    first = {
        NORM: "applied",
        BIASES: True,
        MINUS_BOS: True,
        MINUS_MEAN: True,
        KEYS: 10,
        LOOKUP: "",
        KIND: "K",
        SUBTRACT: True,
    }
    for key, value in first.items():
        st.session_state.setdefault(key, value)


def try_out(head: Head, prompt: str) -> None:
    """Lead to the close-up of a head on a prompt; the reader's own text can be put back."""
    session.use_example(prompt)
    session.open_closeup(head)


def reset() -> None:
    """Back to the settings of the first visit."""
    for key in (NORM, BIASES, MINUS_BOS, MINUS_MEAN, KEYS, LOOKUP):
        st.session_state.pop(key, None)
    begin()
