"""The names in the address of the Knock-out lab: the section with its heads.

Positions, single looks and the reader's own prompts are not part of a link.
"""

from __future__ import annotations

import streamlit as st

from headroles.roles import SCORED_ROLES
from headroles.types import Head
from headroles.ui.app import link, session
from headroles.ui.app.link import Row
from headroles.ui.knockout_lab import state

SECTIONS = dict(
    zip(("one", "many", "offsets", "circuit", "components"), state.SECTION_NAMES, strict=True)
)
"""{name in a link: the section}."""
ONE_HEAD = ("offsets", "components")
"""The sections that show one head."""
ABLATIONS = dict(zip(("mean", "zero", "first", "even"), state.HOWS, strict=True))
"""{name in a link: how heads are knocked out}."""

MORES = dict(zip(("tokens", "looks", "roles"), state.MORES, strict=True))
"""{name in a link: what else is shown of a knock-out}."""
VIEWS = dict(zip(("both", "difference"), state.VIEWS, strict=True))
"""{name in a link: how the attention is shown}."""


def _section() -> str:
    shown = st.session_state.get(state.SECTION)
    return next((name for name, section in SECTIONS.items() if section == shown), "one")


def _open(name: str) -> None:
    st.session_state[state.SECTION] = SECTIONS[name]
    if state.LAB_WHAT in st.session_state:
        st.session_state[state.LAB_WHAT] = state.HEADS
    state.link_to(SECTIONS[name], ())


def _heads() -> tuple[Head, ...]:
    model = st.session_state[session.MODEL]
    return tuple(map(Head.parse, state.heads_of(SECTIONS[_section()], model=model)))


def _take_heads(heads: tuple[Head, ...] | None) -> None:
    if heads and _section() not in ONE_HEAD:
        state.link_to(SECTIONS[_section()], heads)


def _several_heads() -> tuple[Head, ...] | None:
    return None if _section() in ONE_HEAD else _heads()[: link.MOST_HEADS] or None


def _take_head(head: Head | None) -> None:
    if head and _section() in ONE_HEAD:
        state.link_to(SECTIONS[_section()], (head,))


def _one_head() -> Head | None:
    return next(iter(_heads()), None) if _section() in ONE_HEAD else None


def _take_ablation(name: str) -> None:
    st.session_state[state.LAB_HOW] = ABLATIONS[name]


def _ablation() -> str | None:
    shown = st.session_state.get(state.LAB_HOW) if _section() == "one" else None
    return next((name for name, how in ABLATIONS.items() if how == shown), None)


def _named(name: str, key: str, what: str, them: str, values: dict[str, str]) -> Row:
    """A row for a box of the section *Knock out* that holds one of some words."""
    back = {word: name for name, word in values.items()}

    def get() -> str | None:
        return back.get(st.session_state.get(key)) if _section() == "one" else None

    def put(name: str) -> None:
        st.session_state[key] = values[name]

    return Row(name, key, what, link.one_of(values, them), first=next(iter(values)),
               put=put, get=get)  # fmt: skip


def _watched() -> Head | None:
    shown = st.session_state.get(state.LAB_WATCHED) if _section() == "one" else None
    return None if shown in (None, state.CHANGES_MOST) else Head.parse(shown)


def _watch(head: Head | None) -> None:
    st.session_state[state.LAB_WATCHED] = head.label if head else state.CHANGES_MOST


# The section comes before its heads, because it decides where they are put.
ROWS = (
    link.MODEL,
    link.PROMPT,
    Row("section", state.SECTION, "section", link.one_of(SECTIONS, "sections"),
        first="one", old="s", put=_open, get=_section),
    link.HEAD._replace(key=None, put=_take_head, get=_one_head),
    Row("heads", None, "list of heads", link.read_heads,
        lambda heads: ",".join(head.label for head in heads),
        old="hs", put=_take_heads, get=_several_heads),
    Row("ablation", state.LAB_HOW, "way to knock heads out", link.one_of(ABLATIONS, "ways"),
        first="mean", old="w", put=_take_ablation, get=_ablation),
    _named("more", state.LAB_MORE, "view of what else changes", "views", MORES),
    Row("watched", state.LAB_WATCHED, "watched head", link.read_head, lambda head: head.label,
        put=_watch, get=_watched),
    _named("look", state.LAB_VIEW, "view of the attention", "views", VIEWS),
    _named("changed", state.LAB_ROLE, "changed role", "roles",
           {state.CHANGES_MOST: state.CHANGES_MOST, **{r.key: r.key for r in SCORED_ROLES}}),
    link.CHAT,
)  # fmt: skip
