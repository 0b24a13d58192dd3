"""Every key of the session, and the only functions that change more than one of them.

The prompt that is *run* (``PROMPT``) is not the text in the box (``BOX``): the box may hold
something that was not run yet. ``BEFORE`` keeps what the box held before a button replaced it.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence

import streamlit as st

from headroles import charts
from headroles.errors import HeadrolesError
from headroles.models import DEFAULT_MODEL
from headroles.texts import DEFAULT_PROMPT
from headroles.types import Head
from headroles.ui.admin.state import (
    ANALYSE,
    CHOICES,
    CONFIRM,
    NOTICE,
    PROSPECTS,
    SECTION,
    TICKET,
    VISITOR,
)

MODEL = "model"
"""The catalogue key of the chosen model (a widget's key)."""
BOX = "prompt_box"
"""The text in the prompt box (a widget's key)."""
PROMPT = "prompt"
"""The prompt that the page answers."""
PREVIOUS_PROMPT = "prompt_before"
"""The student's own text, while an example stands in the box; else None."""
SECOND = "second_prompt"
"""The second prompt, with which the first is compared; None while there is none."""
SECOND_BOX = "second_box"
"""The text in its box (a widget's key)."""
HEAD = "head"
"""The head that the close-up shows; None until one is chosen."""
ROLE = "role"
"""The role that it is looked at for; None lets the head's own main role decide."""
NAVIGATE_TO = "go"
"""The page that a click leads to, a path; None in every other run."""
HEAD_BOX, ROLE_BOX = "head_box", "role_box"
"""The head and the role in the boxes of the close-up (widgets' keys)."""
HIDE_REST = "hide_rest"
"""Whether the resting column is hidden (a widget's key)."""
TOKEN = "token"
"""The position whose attention is read; None until one is chosen."""
OTHER_HEAD = "other_head"
"""The chip that is chosen in the card of heads that fit nothing (a widget's key)."""
MAP_SOURCE = "map_source"
"""Which numbers the head map shows: one of :data:`SOURCES` (a widget's key)."""
PAIR_ROLE, PAIR_MODEL = "pair_role", "pair_model"
"""The role on which two models are compared, and the second model (widgets' keys)."""
SEARCH = "search_heads"
"""What the table of all heads is searched for (a widget's key)."""
LINK_READ = "link_read"
"""True once the link that opened the session was read."""
LINK_ERRORS = "link_errors"
"""What could not be used of it: :class:`HeadrolesError` one by one, until they are dismissed."""
PAGE = "page"
"""The path of the page that is shown."""
PICTURE = "picture"
"""The role whose map is saved as a picture (a widget's key)."""
ENTERED = "entered"
"""True between the entry script and the page that it runs."""
_MOUNTS = "chart_mounts"
"""How often each chart was mounted anew, which is how its selection is cleared."""

YOUR_PROMPT, CLOSEUP, MAP = "pages/your_prompt.py", "pages/head_closeup.py", "pages/head_map.py"
"""The pages among which a click leads."""
ADMIN = "pages/admin.py"
"""The page for instructors."""

STORED, PROMPTED = "Reference scores (measured beforehand)", "This prompt"
SOURCES = (STORED, PROMPTED)


def begin() -> None:
    """Give every key its first value; the default prompt counts as run."""
    first = {
        MODEL: DEFAULT_MODEL,
        BOX: DEFAULT_PROMPT,
        PROMPT: DEFAULT_PROMPT,
        PREVIOUS_PROMPT: None,
        SECOND: None,
        LINK_READ: False,
        LINK_ERRORS: (),
        HEAD: None,
        ROLE: None,
        NAVIGATE_TO: None,
        TOKEN: None,
        HIDE_REST: False,
        MAP_SOURCE: STORED,
        PAIR_ROLE: "induction",
        PAIR_MODEL: None,
        SEARCH: "",
        TICKET: None,
        VISITOR: secrets.token_urlsafe(16),
        NOTICE: None,
        CONFIRM: None,
        SECTION: ANALYSE,
        PROSPECTS: {},
        CHOICES: {},
        _MOUNTS: {},
    }
    for key, value in first.items():
        st.session_state.setdefault(key, value)


def run_box() -> None:
    """Run what stands in the box: the student's own text."""
    st.session_state[PROMPT] = st.session_state[BOX]
    st.session_state[PREVIOUS_PROMPT] = None


def use_example(prompt: str) -> None:
    """Put an example into the box and run it; the student's own text is kept for the way back."""
    if st.session_state[PREVIOUS_PROMPT] is None:
        st.session_state[PREVIOUS_PROMPT] = st.session_state[BOX]
    st.session_state[BOX] = st.session_state[PROMPT] = prompt


def undo() -> None:
    """Put the student's own text back and run it."""
    own = st.session_state[PREVIOUS_PROMPT]
    if own is not None:
        st.session_state[BOX] = st.session_state[PROMPT] = own
    st.session_state[PREVIOUS_PROMPT] = None


def compare_with(second: str | None) -> None:
    """Put a second prompt beside the first, or take it away."""
    st.session_state[SECOND] = second
    if second is not None:
        st.session_state[SECOND_BOX] = second


def run_second() -> None:
    """Run what stands in the second box."""
    st.session_state[SECOND] = st.session_state[SECOND_BOX]


def swap_prompts() -> None:
    """Let the second prompt be the first, and the first the second."""
    first, second = st.session_state[PROMPT], st.session_state[SECOND]
    st.session_state[BOX] = st.session_state[PROMPT] = second
    st.session_state[PREVIOUS_PROMPT] = None
    compare_with(first)


def link_errors(errors: Sequence[HeadrolesError]) -> None:
    """Keep what could not be used of a link, to be said above the page; nothing twice."""
    kept = list(st.session_state[LINK_ERRORS])
    said = {error.message for error in kept}
    st.session_state[LINK_ERRORS] = (*kept, *(one for one in errors if one.message not in said))


def dismiss_link_errors() -> None:
    """The reader has seen what could not be used of a link."""
    st.session_state[LINK_ERRORS] = ()


def use_default_model() -> None:
    """Back to the bundled model."""
    st.session_state[MODEL] = DEFAULT_MODEL
    forget_head()


def forget_head() -> None:
    """Another model has other heads: let the close-up choose one; the role stays."""
    st.session_state[HEAD] = None


def open_closeup(head: Head, role: str | None = None, *, model: str | None = None) -> None:
    """Lead to the close-up of a head.

    Args:
        head: the head.
        role: the role that it was clicked for; None lets its main role decide.
        model: the head's model, where it is not the present one.
    """
    if model is not None:
        st.session_state[MODEL] = model
    st.session_state[HEAD], st.session_state[ROLE] = head, role
    st.session_state[NAVIGATE_TO] = CLOSEUP


def move_to(head: Head) -> None:
    """Show another head on the close-up; the role stays, so that two heads can be compared."""
    st.session_state[HEAD] = head


def choose_head() -> None:
    """Take over the head in the box of the close-up."""
    st.session_state[HEAD] = Head.parse(st.session_state[HEAD_BOX])


def choose_role() -> None:
    """Take over the role in the box of the close-up."""
    st.session_state[ROLE] = st.session_state[ROLE_BOX]


def show(head: Head, role: str) -> None:
    """Let the state and the boxes of the close-up say which head and role are shown."""
    st.session_state[HEAD], st.session_state[ROLE] = head, role
    st.session_state[HEAD_BOX], st.session_state[ROLE_BOX] = head.label, role


def show_all_heads(role: str | None = None) -> None:
    """Lead to the map of all heads on this prompt."""
    st.session_state[MAP_SOURCE] = PROMPTED
    if role is not None:
        st.session_state[PAIR_ROLE] = role
    st.session_state[NAVIGATE_TO] = MAP


def pop_navigation() -> str | None:
    """The page that the last click leads to, once."""
    page = st.session_state.get(NAVIGATE_TO)
    st.session_state[NAVIGATE_TO] = None
    return page


def window_key(length: int) -> str:
    """The key of the slider that zooms into a pattern; another length needs another range."""
    return f"window_{length}"


def chart_key(chart: str) -> str:
    """The widget key of a clickable chart or table; it changes when its selection is cleared."""
    return f"{chart}_{st.session_state[_MOUNTS].get(chart, 0)}"


def on_click(chart: str, role: str | None, *, model: str | None = None) -> Callable[[], None]:
    """The callback of a clickable chart: lead to the head that was clicked."""

    def clicked() -> None:

        head = charts.head_of_event(st.session_state.get(chart_key(chart)))
        if head is not None:
            forget_selection(chart)
            open_closeup(head, role, model=model)

    return clicked


def on_row(table: str, heads: Sequence[Head], role: str | None = None) -> Callable[[], None]:
    """The callback of a table with a head a row: lead to the head of the chosen row."""

    def chosen() -> None:
        head = head_of_row(st.session_state.get(chart_key(table)), heads)
        if head is not None:
            forget_selection(table)
            open_closeup(head, role)

    return chosen


def head_of_row(event: object, heads: Sequence[Head]) -> Head | None:
    """The head of the chosen row, from what Streamlit hands back for a table; None for no row.

    >>> head_of_row({"selection": {"rows": [1]}}, [Head(0, 0), Head(0, 1)])
    Head(layer=0, head=1)
    """
    if not isinstance(event, Mapping):
        return None
    try:
        (row,) = (event.get("selection") or {}).get("rows") or []
        return heads[row] if row >= 0 else None
    except (IndexError, TypeError, ValueError):
        return None


def forget_selection(chart: str) -> None:
    """Mount a chart or table anew, so that the same head can be clicked again."""
    mounts = st.session_state[_MOUNTS]
    st.session_state[_MOUNTS] = {**mounts, chart: mounts.get(chart, 0) + 1}


# ------------------------------------------------------------------ the instructor's page
