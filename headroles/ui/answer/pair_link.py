"""The names in the address of the sections *Two prompts* and *Paths*."""

from __future__ import annotations

import re

import streamlit as st

from headroles.ui.answer import pair_state, state
from headroles.ui.app import link
from headroles.ui.app.link import Row, Unusable

_HEAD = r"L\d{1,3}H\d{1,3}"
_GROUP = r"(?P<layer>L\d{1,3})H\d{1,3}(/(?P=layer)H\d{1,3})*"  # heads of one layer, together
_PATH = re.compile(rf"{_HEAD}>(logits|{_GROUP}\.(q|query|k|key|v|value))")
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


def _read_paths(text: str) -> tuple[str, ...]:
    """Arrows with commas between them, each once: ``L23H0>logits,L14H2>L23H0.q``."""
    paths = text.split(",")
    if len(paths) > pair_state.MOST_ARROWS:
        raise Unusable(
            f"which has more than {pair_state.MOST_ARROWS} arrows.", "Name fewer arrows."
        )
    if not all(map(_PATH.fullmatch, paths)):
        raise Unusable(
            "not all of which are arrows.",
            "An arrow is written as L23H0>logits or L14H2>L23H0.query.",
        )
    return tuple(dict.fromkeys(map(_whole, paths)))


def _whole(path: str) -> str:
    """An arrow with its input in full."""
    start, dot, read = path.partition(".")
    return start + dot + next((name for name in pair_state.INPUTS if name[:1] == read[:1]), "")


def _short(paths: tuple[str, ...]) -> str:
    return ",".join(re.sub(r"\.([qkv])\w+$", r".\1", path) for path in paths)


def _paths() -> tuple[str, ...] | None:
    return (st.session_state.get(pair_state.PATHS) or None) if is_shown(2) else None


def _take_paths(paths: tuple[str, ...] | None) -> None:
    st.session_state[pair_state.PATHS], st.session_state[pair_state.DRAWN_FOR] = paths or (), None


def _pairs() -> int | None:
    return st.session_state.get(pair_state.PAIRS) if is_shown(2) else None


def _read_pairs(text: str) -> int:
    return int(link.one_of(map(str, pair_state.MOST_PAIRS), "numbers of pairs")(text))


ROWS = (
    link.SECOND_PROMPT._replace(get=_second_prompt),
    Row("direction", pair_state.DIRECTION, "direction", link.one_of(DIRECTIONS, "directions"),
        first="denoise", get=_direction),
    Row("pairs", pair_state.PAIRS, "number of pairs", _read_pairs, first=1, get=_pairs),
    Row("paths", pair_state.PATHS, "list of arrows", _read_paths, _short, put=_take_paths,
        get=_paths),
)  # fmt: skip
