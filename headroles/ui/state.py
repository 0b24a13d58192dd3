"""Every key of the session, and the only functions that change more than one of them.

The prompt that is *run* (``PROMPT``) is not the text in the box (``BOX``): the box may hold
something that was not run yet. ``BEFORE`` keeps what the box held before a button replaced it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import streamlit as st

from headroles.models import DEFAULT_MODEL
from headroles.types import Head
from headroles.ui.examples import DEFAULT_PROMPT

MODEL = "model"
"""The catalogue key of the chosen model (a widget's key)."""
BOX = "prompt_box"
"""The text in the prompt box (a widget's key)."""
PROMPT = "prompt"
"""The prompt that the page answers."""
BEFORE = "prompt_before"
"""The student's own text, while an example stands in the box; else None."""
OPENED = "opened"
"""The head whose attention pattern is open, or None."""
VIEW = "view"
"""Which heads are shown: a value of :data:`VIEWS` (a widget's key)."""
MAP_ROLE = "map_role"
"""The role that the map of all heads shows (a widget's key)."""
PATTERN_ROLE = "pattern_role"
"""The role whose cells are outlined in the open pattern (a widget's key)."""
PATTERN_HEAD = "pattern_head"
"""The head chosen in the list beside the open pattern (a widget's key)."""
OTHER_HEAD = "other_head"
"""The chip that is chosen in the card of heads that fit nothing (a widget's key)."""
SCROLL = "scroll_to_pattern"
"""True in the one run that follows the opening of a head."""
ENTERED = "entered"
"""True between the entry script and the page that it runs."""
_MOUNTS = "chart_mounts"
"""How often each chart was mounted anew, which is how its selection is cleared."""

LISTED, ALL = "Listed heads", "All heads on this prompt"
VIEWS = (LISTED, ALL)


class Opened(NamedTuple):
    """An open attention pattern: which head, seen as which role, and where it was clicked."""

    head: Head
    role: str
    chart: str


def begin() -> None:
    """Give every key its first value; the default prompt counts as run."""
    first = {
        MODEL: DEFAULT_MODEL,
        BOX: DEFAULT_PROMPT,
        PROMPT: DEFAULT_PROMPT,
        BEFORE: None,
        OPENED: None,
        SCROLL: False,
        _MOUNTS: {},
    }
    for key, value in first.items():
        st.session_state.setdefault(key, value)


def run_box() -> None:
    """Run what stands in the box: the student's own text."""
    st.session_state[PROMPT] = st.session_state[BOX]
    st.session_state[BEFORE] = None


def take(prompt: str) -> None:
    """Put an example into the box and run it; the student's own text is kept for the way back."""
    if st.session_state[BEFORE] is None:
        st.session_state[BEFORE] = st.session_state[BOX]
    st.session_state[BOX] = st.session_state[PROMPT] = prompt


def undo() -> None:
    """Put the student's own text back and run it."""
    own = st.session_state[BEFORE]
    if own is not None:
        st.session_state[BOX] = st.session_state[PROMPT] = own
    st.session_state[BEFORE] = None


def use_default_model() -> None:
    """Back to the bundled model."""
    st.session_state[MODEL] = DEFAULT_MODEL
    close_pattern()


def open_pattern(head: Head, role: str, *, chart: str = "") -> None:
    """Open a head's attention pattern; a chart where another head was clicked forgets that."""
    opened = st.session_state[OPENED]
    if opened is not None and opened.chart != chart:
        _forget_selection(opened.chart)
    st.session_state[OPENED] = Opened(head, role, chart)
    st.session_state[SCROLL] = opened is None or opened.head != head
    st.session_state[PATTERN_ROLE] = role
    st.session_state[PATTERN_HEAD] = head.label


def restore_pattern_widgets() -> None:
    """Let the pattern's widgets say what is open: Streamlit forgets them while out of sight."""
    opened = st.session_state[OPENED]
    st.session_state[PATTERN_HEAD] = opened.head.label if opened else None
    if opened is not None:
        st.session_state.setdefault(PATTERN_ROLE, opened.role)


def close_pattern() -> None:
    """Close the attention pattern."""
    opened = st.session_state[OPENED]
    if opened is not None:
        _forget_selection(opened.chart)
    st.session_state[OPENED] = None


def chart_key(chart: str) -> str:
    """The widget key of a clickable chart; it changes when the chart's selection is cleared."""
    return f"{chart}_{st.session_state[_MOUNTS].get(chart, 0)}"


def on_click(chart: str, role: str) -> Callable[[], None]:
    """The callback of a clickable chart: open the head that was clicked."""

    def clicked() -> None:
        from headroles.charts import head_of_event

        head = head_of_event(st.session_state.get(chart_key(chart)))
        opened = st.session_state[OPENED]
        if head is not None:
            open_pattern(head, role, chart=chart)
        elif opened is not None and opened.chart == chart:
            close_pattern()  # a click beside the bars

    return clicked


def _forget_selection(chart: str) -> None:
    if chart == OTHER_HEAD:
        st.session_state[OTHER_HEAD] = None
        return
    mounts = st.session_state[_MOUNTS]
    st.session_state[_MOUNTS] = {**mounts, chart: mounts.get(chart, 0) + 1}
