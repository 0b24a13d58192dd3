"""The session keys of the detector lab, and the functions that change them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import streamlit as st

from headroles import limits, roles
from headroles.errors import LimitError
from headroles.ui.app import session
from headroles.ui.app.keys import Keys

if TYPE_CHECKING:
    from headroles.roles import Role
    from headroles.types import Head

PAGE = "pages/detector_lab.py"
"""The page's path."""
ONE, SEVERAL, GENERATED = "This prompt", "Several prompts", "Generated prompts"
SOURCES = (ONE, SEVERAL, GENERATED)
BY_EXPRESSION, BY_OFFSET, BY_PAINT, BY_FILE = "Expression", "Same offset", "Paint", "CSV file"
WAYS = (BY_EXPRESSION, BY_OFFSET, BY_PAINT, BY_FILE)

FIRST_MANY = (
    "one two three one two three one two three\n"
    "The cat sat on the mat. The cat sat on the mat. The cat\n"
    "Tom has a red ball and a blue hat. Tom has a red ball and a blue"
)
"""The first text in the box for several prompts."""


def _first_pattern() -> list[Role]:
    """The role of a link, or of the head that was viewed, if it has cells; else induction."""
    role = roles.BASIC_ROLES.get(st.session_state[session.ROLE] or "")
    return [role if role and role.has_cells else roles.ROLES["induction"]]


key = Keys(__name__)
SOURCE = key("source", ONE)
"""Where the prompts come from: one of :data:`SOURCES`."""
MANY = key("many", FIRST_MANY)
"""The text in the box for several prompts, one per line."""
MANY_SHOWN = key("many_shown", FIRST_MANY)
"""The text of it that was run."""
FILE = key("file")
"""A file of prompts."""
KIND, COUNT, SEED = key("kind", "repeats"), key("count", 32), key("seed", 0)
"""What is generated, how much of it, and the seed."""
CHOSEN = key("chosen", _first_pattern)
"""The patterns that are ticked."""
OWN = key("own", ())
"""The patterns that the student made, oldest first."""
REMOVED = key("removed", None)
"""The pattern of the student's own that was removed last; else None."""
WAY = key("way", BY_EXPRESSION)
"""How a pattern is being made: one of :data:`WAYS`."""
EXPRESSION, OFFSET, TITLE = (
    key("expression", "t[k-1] == t[q] and k < q"),
    key("offset", 2),
    key("title", ""),
)
"""The contents of the boxes for a new pattern."""
START, CELLS = key("paint_start"), key("cells")
"""What the grid begins with, and the grid itself."""
UPLOAD = key("upload")
"""A CSV file with a pattern."""
MEASURE, NO_BOS, NO_SELF, HEADS = (
    key("measure", "activation"),
    key("no_bos", False),
    key("no_self", False),
    key("heads", list),
)
"""The measure, the two exclusions and the heads that are asked for."""
RANKED = key("ranked")
"""The pattern whose picture and ranking are shown."""
SAVED = key("saved", ())
"""The patterns that are roles of this session: a tuple of :class:`SavedRole`."""
WORK = "detection"
"""The part of the page that takes long, for :mod:`headroles.ui.app.long_work`."""
FAULT = key("fault", None)
"""The error of the last pattern that could not be added or saved: a HeadrolesError, or None."""

begin = key.begin


class SavedRole(NamedTuple):
    """A pattern that is a role of this session."""

    pattern: Role
    """The pattern."""
    model: str
    """The model whose heads were ranked."""
    heads: tuple[tuple[Head, float], ...]
    """The best heads with their activation in the lab."""


def run_many() -> None:
    """Run what stands in the box for several prompts."""
    st.session_state[MANY_SHOWN] = st.session_state[MANY]


def add(pattern: Role) -> None:
    """Keep a student's pattern, tick it, and show its picture.

    Raises:
        LimitError: if there are as many already as a session may have.
    """
    session = st.session_state
    if pattern not in session[OWN]:
        limits.OWN_PATTERNS.check(len(session[OWN]) + 1)
        pattern = _named_apart(pattern)
        session[OWN] = (*session[OWN], pattern)
    if pattern not in session[CHOSEN]:
        session[CHOSEN] = [*session[CHOSEN], pattern]
    session[RANKED] = pattern
    session[FAULT], session[TITLE] = None, ""


def _named_apart(pattern: Role) -> Role:
    """The pattern under a name that no other one has: names stand on pills and in tables."""

    taken = {role.name for role in (*roles.BUILT_IN, *st.session_state[OWN])}
    name, number = pattern.name, 2
    while name in taken:
        name, number = f"{pattern.name} ({number})", number + 1
    return pattern if name == pattern.name else replace(pattern, name=name)


def remove(pattern: Role) -> None:
    """Remove a student's pattern; it can be put back."""
    session = st.session_state
    session[REMOVED] = pattern
    session[OWN] = tuple(role for role in session[OWN] if role != pattern)
    session[CHOSEN] = [role for role in session[CHOSEN] if role != pattern]


def undo_remove() -> None:
    """Put back the pattern that was removed last, ticked."""
    pattern = st.session_state[REMOVED]
    if pattern is None:
        return
    try:
        add(pattern)
    except LimitError as error:
        st.session_state[FAULT] = error
    else:
        st.session_state[REMOVED] = None


def save(role: SavedRole) -> None:
    """Save a pattern as a role of this session; a newer ranking replaces the older one."""
    others = _others(role)
    try:
        limits.SESSION_ROLES.check(len(others) + 1)
    except LimitError as error:
        st.session_state[FAULT] = error
    else:
        st.session_state[SAVED], st.session_state[FAULT] = (*others, role), None


def forget(role: SavedRole) -> None:
    """Remove a role from this session."""
    st.session_state[SAVED] = _others(role)


def _others(role: SavedRole) -> tuple[SavedRole, ...]:
    return tuple(
        saved_role
        for saved_role in saved()
        if (saved_role.pattern, saved_role.model) != (role.pattern, role.model)
    )


def saved() -> tuple[SavedRole, ...]:
    """The roles of this session; none before the lab was opened."""
    return st.session_state.get(SAVED, ())
