"""The session keys of the page Circuits."""

from __future__ import annotations

from headroles.types import Head
from headroles.ui.app import session
from headroles.ui.app.keys import Keys

PAGE = "pages/circuits.py"
"""The page's path."""
key = Keys(__name__)
# widget keys
HEAD = key("head")
"""The label of the head in the box."""
NORM = key("norm", "applied")
"""What is done with the layer norm."""
BIASES, MINUS_BOS, MINUS_MEAN = key("biases", True), key("minus_bos", True), key("minus_mean", True)
"""What else is done to the weights, on or off."""
SWITCHES = (BIASES, MINUS_BOS, MINUS_MEAN)
"""The three that are on or off, in the order in which a link names them."""
EMBEDDING = key("embedding", "first_block")
"""What heads above the first layer find of a token."""
FRAGMENTS = key("fragments", False)
"""Whether the table has all tokens, not whole words only."""
KEYS = key("keys", 10)
"""How many key tokens the table has."""
QUERIES, OUTPUTS = key("queries", 20), key("outputs", 20)
"""How many queries and outputs the lists of a key have."""
WORDS_FILE = key("words_file")
"""A file with the words that the tables are about."""
SECOND = key("second", None)
"""The label of the head beside the first; None for none."""
LOOKUP = key("lookup", "")
"""The reader's own token."""
FULL = key("full")
"""The key whose lists are shown whole."""
KIND, SUBTRACT, LAYERS = key("kind", "K"), key("subtract", True), key("layers")
"""Composition: Q, K or V; whether the baseline is subtracted; the pair of layers."""

begin = key.begin


def try_out(head: Head, prompt: str) -> None:
    """Lead to the close-up of a head on a prompt; the reader's own text can be put back."""
    session.use_example(prompt)
    session.open_closeup(head)


def reset() -> None:
    """Back to the settings of the first visit."""
    key.forget(NORM, EMBEDDING, FRAGMENTS, *SWITCHES, KEYS, QUERIES, OUTPUTS, LOOKUP)
