"""The session keys of the detector lab, and the functions that change them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import streamlit as st

from headroles import charts, limits, roles
from headroles.errors import HeadrolesError, LimitError
from headroles.types import Head
from headroles.ui.app import saved_roles, session
from headroles.ui.app.keys import Keys

if TYPE_CHECKING:
    from headroles.roles import Role, SavedRole

PAGE = session.DETECTOR_LAB
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
READY = key("ready", None)
"""The ready experiment that is shown, by its key; None for none of them."""
WANTED = key("wanted", None)
"""The ready experiment of a link, until the page is drawn and torch is here."""
SECTIONS = {"Detect": "detect", "Recipes of papers": "recipes"}
"""{what the reader sees: the module of this package}; the first one is open at first."""
LINK_NAMES = ("detect", "recipes")
"""What a link calls the sections, in their order."""
SECTION = key("section", next(iter(SECTIONS)))
"""The open section."""
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
PROMPTS_OF = key("prompts_of", None)
"""The head whose scores are shown prompt by prompt, by its label; None for the best one."""
ROW_FAULT = key("row_fault", None)
"""Why the prompt that was clicked last could not be opened: a HeadrolesError, or None."""
WORK = "detection"
"""The part of the page that takes long, for :mod:`headroles.ui.app.long_work`."""
FAULT = key("fault", None)
"""The error of the last pattern that could not be added or saved: a HeadrolesError, or None."""

RECIPES_OF = key("recipes_of", "induction")
"""The role whose recipes are compared."""
SCORED = key("scored", None)
"""The head that all recipes score; None for the one on which they differ most."""
SCORED_BOX = key("scored_box")
"""The head in its box."""
ALONG, UP = key("along", "ours"), key("up", None)
"""The two recipes of the scatter; None for the one that differs most from ours."""
RECIPE_SEED = key("recipe_seed", 0)
"""What the texts of the recipes are drawn with."""
RECIPE_WORK = "recipes"
"""The part of the page that scores by all recipes, for :mod:`headroles.ui.app.long_work`."""
POINTS, SCORED_TABLE = "detector_lab-points", "detector_lab-scored_table"
"""The scatter and the table of all heads."""

ASKED = key("asked", None)
"""The expression of a link, or of a button on another page, until the lab has taken it over."""


def begin() -> None:
    """Set first values, and take over the pattern that a link names: it alone is ticked."""
    key.begin()
    if text := st.session_state[ASKED]:
        st.session_state[ASKED], st.session_state[CHOSEN] = None, []
        try:
            add(roles.of_expression(text))
        except HeadrolesError as error:
            st.session_state[FAULT], st.session_state[CHOSEN] = error, _first_pattern()


def score(head: Head | None) -> None:
    """Show another head by every recipe."""
    if head is not None:
        st.session_state[SCORED] = head


def score_from_box() -> None:
    """Take over the head in the box."""
    score(Head.parse(st.session_state[SCORED_BOX]))


def score_from_point() -> None:
    """Take over the head that was clicked in the scatter."""
    head = charts.head_of_event(st.session_state.get(session.chart_key(POINTS)))
    if head is not None:
        session.forget_selection(POINTS)
        score(head)


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

    taken = {role.name for role in (*roles.BUILT_IN, *kept(), *st.session_state[OWN])}
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
    """Save a pattern as a role of this visit; that there are too many is shown on the page."""
    try:
        saved_roles.save(role)
    except LimitError as error:
        st.session_state[FAULT] = error
    else:
        st.session_state[FAULT] = None


def kept() -> list[Role]:
    """The patterns that the instructor keeps for the chosen model, but not those of the lab."""
    model = st.session_state[session.MODEL]
    return [saved.pattern for saved in saved_roles.kept(model) if saved.pattern.level == "lab"]


def offered() -> list[Role]:
    """Every pattern that can be ticked; what is no longer among them is unticked.

    An instructor may have removed or renamed one since the last click.
    """
    every: dict[Role, None] = dict.fromkeys([*roles.BUILT_IN, *kept(), *st.session_state[OWN]])
    chosen = st.session_state[CHOSEN]
    if any(pattern not in every for pattern in chosen):
        st.session_state[CHOSEN] = [pattern for pattern in chosen if pattern in every]
    return list(every)
