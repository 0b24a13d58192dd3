"""The session keys of the section *When the pattern changes*, and what changes them."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from headroles import charts, limits
from headroles.types import Head
from headroles.ui.app import session
from headroles.ui.find_heads.state import key

KIND_NAMES = (
    "repeat", "gap", "names", "things", "between", "counting", "days", "letters", "months",
)  # fmt: skip
"""The kinds of sequences, :data:`headroles.texts.sequences.KINDS`, whose import waits for torch."""
FIRST_PERIODS = (3, 4, 5)
"""The periods that are compared at first, :data:`headroles.texts.sequences.PERIODS`."""
EVERY_PERIOD = tuple(range(int(limits.PERIODS.least), int(limits.PERIODS.most) + 1))
"""Those that can be chosen."""
FEWEST_PERIODS = 2
"""With fewer there is nothing to compare."""
# widget keys
KIND = key("kind", KIND_NAMES[0])
"""The kind of sequence."""
PERIODS = key("periods", lambda: list(FIRST_PERIODS))
"""The periods that are compared, in the order in which they were chosen."""
WITHOUT_ITSELF = key("without_itself", False)
"""Whether a token's attention on itself is left out."""
HEAD_BOX = key("sequence_head")
"""The head in its box."""
MAP, TABLE = key("sequence_map"), key("sequence_table")
"""The map and the table of all heads."""
WORK = "sequences"
"""The part of the page, for :mod:`headroles.ui.app.long_work`."""


def periods() -> tuple[int, ...]:
    """The chosen periods, the shortest first."""
    return tuple(sorted(set(st.session_state[PERIODS])))


def choose_periods(chosen: Sequence[int]) -> None:
    """Compare other periods."""
    st.session_state[PERIODS] = list(chosen)


def choose(head: Head | None) -> None:
    """Look at another head."""
    if head is not None:
        st.session_state[session.HEAD] = head


def choose_from_box() -> None:
    """Take over the head in the box."""
    choose(Head.parse(st.session_state[HEAD_BOX]))


def choose_from_map() -> None:
    """Take over the head that was clicked on the map."""
    head = charts.head_of_event(st.session_state.get(session.chart_key(MAP)))
    if head is not None:
        session.forget_selection(MAP)
        choose(head)


def choose_from_table(heads: list[Head]) -> None:
    """Take over the head of the row that was clicked."""
    head = session.head_of_row(st.session_state.get(session.chart_key(TABLE)), heads)
    if head is not None:
        session.forget_selection(TABLE)
        choose(head)


def try_out(head: Head, text: str) -> None:
    """Lead to the close-up of a head on a sequence; the reader's own text can be put back."""
    session.use_example(text)
    session.open_closeup(head)
