"""Who is drawn next: the line of this server, and the room before it when there is too much.

Every run of a page waits for a place (:mod:`headroles.ui.app.line`) and says how many are before
it. While it waits, a newer request of the same visitor replaces it. When the line is so long that a
new visitor would look at nothing for long, they wait in the *room*, which costs the server nothing:
the page opens by itself when it is their turn.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from headroles.ui.app.keys import Keys
from headroles.ui.app.line import LONG, SHORT, Line

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator

FULL = 5.0
"""Where the next in the line has waited so many seconds, new visitors wait in the room."""
AT_ONCE = 10
"""Visitors who may leave the room together."""
BEAT = 3.0
"""Seconds between two looks of somebody in the room."""
GONE = 90.0
"""Seconds without a look after which somebody has left the room; a browser lets the timers of a
page in the background go off once a minute."""
MOST_PLACES = 4
"""More than this at once would only wait for each other: Python runs one thread at a time, and not
all of a page is torch's."""

key = Keys(__name__)
IS_IN = key("is_in", False)
"""Whether this visitor was let in; who is in stays in."""


def cores() -> int:
    """Processor cores that this process may use; a container's share of time is not looked at."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class Room:
    """The visitors who wait to be let in, in the order in which they came.

    Args:
        is_full: whether those who are in have to wait too long already.
        clock: seconds.
    """

    def __init__(
        self, is_full: Callable[[], bool], *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._is_full, self._clock = is_full, clock
        self._lock = threading.Lock()
        self._seen: dict[str, float] = {}

    def before(self, visitor: str) -> int | None:
        """How many are before a visitor; None if the visitor may come in."""
        now = self._clock()
        with self._lock:
            self._seen[visitor] = now  # who is there already keeps the place
            self._seen = {who: seen for who, seen in self._seen.items() if now - seen < GONE}
            place = list(self._seen).index(visitor)
            if place < AT_ONCE and not self._is_full():
                del self._seen[visitor]
                return None
            return place


line = Line(min(cores(), MOST_PLACES))
"""The line of this server."""
room = Room(lambda: line.wait > FULL)
"""The room before it."""


@contextlib.contextmanager
def page(*, may_be_full: bool = True) -> Iterator[None]:
    """A page's turn; what is drawn in the block waits for it.

    Args:
        may_be_full: whether new visitors wait in the room when there is too much; not those who
            have to see to it.
    """
    key.begin()
    place = st.empty()  # in every run, so that what follows keeps its position
    if may_be_full and not st.session_state[IS_IN]:
        _come_in(place)
    with line.place(SHORT, on_wait=lambda before: _say(place, before)):
        place.empty()
        yield


def page_part() -> contextlib.AbstractContextManager[bool]:
    """The turn of a part of a page that is redrawn alone."""
    return line.place(SHORT)


def steps(
    on_wait: Callable[[int], None] | None = None,
) -> contextlib.AbstractContextManager[bool]:
    """The turn of some steps of long work.

    Args:
        on_wait: told how many are before; without it, nobody waits, and the block is told by False
            that there is no place now.
    """
    if on_wait is None:
        return line.place(LONG, patience=0)
    return line.place(LONG, on_wait=on_wait)


def share_of_cores() -> int:
    """How many cores a session may use now: all of them where nobody else works or waits."""
    return max(1, cores() // max(1, line.busy))


def aside() -> contextlib.AbstractContextManager[None]:
    """Let others work while this session waits for something else than the processor."""
    return line.aside()


def before_you(count: int) -> str:
    """How many are before somebody, in a sentence."""
    if count == 0:
        return "You are next."
    return f"{count:,} people are before you." if count > 1 else "One person is before you."


_slow: list[Callable[[], bool]] = []


def register(analysis_runs: Callable[[], bool]) -> None:
    """Say how to know whether an analysis takes a part of the server now."""
    _slow[:] = [analysis_runs]


def slowed_down() -> str:
    """Why the server is slower than usual, as a sentence after a space; empty if it is not."""
    if not any(runs() for runs in _slow):
        return ""
    return " An analysis is running on this server, so this takes a little longer."


def _say(place: DeltaGenerator, before: int) -> None:
    # Streamlit ends the run here if the visitor has asked for something else meanwhile.
    place.info(
        f"Many people are asking at once. {before_you(before)}{slowed_down()}",
        icon=":material/group:",
    )


def _come_in(place: DeltaGenerator) -> None:
    context = get_script_run_ctx()
    visitor = context.session_id if context else ""
    if room.before(visitor) is None:
        st.session_state[IS_IN] = True
        return
    with place.container():
        st.fragment(_wait, run_every=BEAT)(visitor)
    st.stop()


def _wait(visitor: str) -> None:
    """The part of the page that a timer in the browser runs while the visitor waits."""
    before = room.before(visitor)
    if before is None:
        st.session_state[IS_IN] = True
        st.rerun()
    st.info(
        f"headroles is full at the moment. {before_you(before)} "
        "This page opens by itself when it is your turn.",
        icon=":material/group:",
    )
