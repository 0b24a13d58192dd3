"""Work that takes longer than a moment: a bar that moves, a Stop button, and what there is so far.

The work is a list of steps. A run of the page does steps for a moment, then hands back, and a timer
in the browser goes on; so a click on Stop takes effect between two steps, and what was done by then
stays on the page.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import streamlit as st

from headroles.errors import HeadrolesError
from headroles.ui.app import elements
from headroles.ui.app.keys import Keys
from headroles.ui.app.long_work import bar_row, stopped_row

WORKS = Keys(__name__)("works")
"""{name: the :class:`Work` of that part of a page}."""
MOMENT = 0.7
"""Seconds of work a run of the page; a step is never cut."""


@dataclass
class Work:
    """The work behind one part of a page, in a session."""

    identity: str
    """What it is about; other settings make other work."""
    total: int
    """Steps."""
    results: list[object] = field(default_factory=list)
    """[step] what was found so far."""
    stopped: bool = False
    """Whether the reader stopped it."""
    error: HeadrolesError | None = None
    """Why it cannot go on."""

    @property
    def is_open(self) -> bool:
        """Whether there is more to do."""
        return not self.stopped and self.error is None and len(self.results) < self.total


def draw(
    name: str,
    steps: Sequence[Callable[[], object]],
    *,
    identity: str,
    show: Callable[[list[object], bool], None],
    doing: str,
) -> None:
    """Do the steps, and show what there is.

    Args:
        name: a name among the session's works, part of widget keys.
        steps: the steps, in order.
        identity: what the work is about; when it changes, the work starts anew.
        show: draws (results so far, whether they are all).
        doing: what is being done, for the bar.
    """
    works = st.session_state.setdefault(WORKS, {})
    work = works.get(name)
    if work is None or work.identity != identity:
        work = works[name] = Work(identity, len(steps))
    every = 0.1 if work.is_open else None
    st.fragment(_part, run_every=every)(name, work, steps, show, doing, ticking=bool(every))


def _part(
    name: str,
    work: Work,
    steps: Sequence[Callable[[], object]],
    show: Callable[[list[object], bool], None],
    doing: str,
    *,
    ticking: bool,
) -> None:
    if work.is_open and not ticking:
        st.rerun()  # it goes on: the page's next run starts the timer
    place = st.container(key=f"app-work_{name}")
    if work.is_open:
        with place:
            bar = bar_row(name, _said(work, doing), on_click=stop)
        _go_on(work, steps)
        bar.progress(*_said(work, doing))
    if not work.is_open and ticking:
        st.rerun()  # the timer goes with the page's next run
    if work.error is not None:
        elements.show_error(work.error)
    if work.stopped:
        said = f"Stopped after {len(work.results)} of {work.total} steps."
        stopped_row(name, said, on_click=go_on)
    if work.results:
        show(list(work.results), len(work.results) == work.total)


def _said(work: Work, doing: str) -> tuple[float, str]:
    done = len(work.results)
    return done / max(1, work.total), f"{doing}: {done} of {work.total}"


def _go_on(work: Work, steps: Sequence[Callable[[], object]]) -> None:
    """Do steps for a moment."""
    until = time.monotonic() + MOMENT
    while work.is_open and time.monotonic() < until:
        try:
            work.results.append(steps[len(work.results)]())
        except HeadrolesError as error:
            work.error = error


def stop(name: str) -> None:
    """Stop after the step that is being done."""
    st.session_state[WORKS][name].stopped = True


def go_on(name: str) -> None:
    """Go on where it was stopped."""
    st.session_state[WORKS][name].stopped = False
