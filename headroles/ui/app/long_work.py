"""Work that takes longer than a moment: a bar, Stop and Go on, and results that are kept.

The work is a list of steps. The page's own run does steps for a moment; if that is not enough, the
rest goes on in a part of the page that a timer in the browser runs again and again, so that a click
takes effect between two steps and what is done by then stays. Finished results are kept by name for
all sessions (:mod:`headroles.ui.app.keeper`).

A step borrows what it needs (a model) when it runs: the steps of a reader who stopped and never
came back must not hold a model in memory.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import streamlit as st

from headroles.errors import HeadrolesError
from headroles.ui.app import elements, keeper, turns
from headroles.ui.app.keys import Keys
from headroles.ui.app.part import alone

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator

WORKS = Keys(__name__)("works")
"""{part of a page: its :class:`Work`}."""
MOMENT = 0.7
"""Seconds of work per run; a step is never cut."""
TICK = 0.1
"""Seconds between two runs of the part with the bar."""


class Plan(NamedTuple):
    """The steps of a piece of work."""

    steps: Sequence[Callable[[], Any]]
    """The steps, in order."""
    finish: Callable[[list], Any] = list
    """Makes the result from the results of the steps."""


@dataclass
class Work:
    """The work behind one part of a page, in a session."""

    part: str
    """The part of the page."""
    name: Hashable
    """What the work is about; another name means different work."""
    plan: Plan | None = None
    """None until it is made."""
    done: list[Any] = field(default_factory=list)
    """[step] the results of the steps so far."""
    stopped: bool = False
    """Whether the reader stopped it."""
    error: HeadrolesError | None = None
    """Why it could not go on; the page's next run tries again."""

    @property
    def total(self) -> int:
        """Steps; 0 before the plan is made."""
        return len(self.plan.steps) if self.plan else 0

    @property
    def is_finished(self) -> bool:
        """Whether every step is done."""
        return self.plan is not None and len(self.done) == self.total

    @property
    def is_open(self) -> bool:
        """Whether it goes on by itself."""
        return not (self.stopped or self.error or self.is_finished)


def run(
    part: str,
    name: Hashable,
    plan: Callable[[], Plan],
    *,
    doing: str,
    show: Callable[[Any, bool], None] | None = None,
    show_error: Callable[[HeadrolesError], None] = elements.show_error,
) -> Any:
    """The result, if it is there after a moment; else None, and the page goes on working.

    The page's run that follows the last step returns the result.

    Args:
        part: the part of the page, which is part of widget keys; it has one work at a time.
        name: what tells the result from all others of the part.
        plan: makes the steps, and the function that makes the result.
        doing: what is being done, for the bar.
        show: draws (results of the steps so far, False), and at last (the result, True); None where
            a part of the steps makes no sense.
        show_error: shows why it cannot go on, and what to do.
    """
    if (result := keeper.results().get((part, name))) is None:
        work = _work(part, name)
        work.error = None
        if work.is_open:
            with st.spinner(f"{doing} …"), turns.steps() as has_place:
                if has_place:
                    _go_on(work, plan=plan)
        if not work.is_finished:
            _unfinished(part, work, plan, doing, show, show_error)
            return None
        result = work.plan.finish(work.done)
        keeper.results().put((part, name), result)
        del st.session_state[WORKS][part]
    if show is not None:
        show(result, True)
    return result


def begun(part: str, name: Hashable) -> bool:
    """Whether this work was begun in this session, or its result is kept."""
    work = st.session_state.get(WORKS, {}).get(part)
    return keeper.results().get((part, name)) is not None or (
        work is not None and work.name == name
    )


def _work(part: str, name: Hashable) -> Work:
    works = st.session_state.setdefault(WORKS, {})
    if part not in works or works[part].name != name:
        works[part] = Work(part, name)
    return works[part]


def _go_on(
    work: Work,
    *,
    plan: Callable[[], Plan],
    on_step: Callable[[], object] = lambda: None,
) -> None:
    """Do steps for a moment, of this plan if there is none yet; ``on_step`` comes after each."""
    until = time.monotonic() + MOMENT
    try:
        if work.plan is None:
            work.plan = plan()
        while work.is_open and time.monotonic() < until:
            place = len(work.done)
            # Many may ask for the same at once; each step of it is done for all of them.
            step = keeper.results().make(
                ("step", work.part, work.name, place), work.plan.steps[place]
            )
            work.done.append(step)
            on_step()
    except HeadrolesError as error:
        work.error = error


def _unfinished(
    part: str,
    work: Work,
    plan: Callable[[], Plan],
    doing: str,
    show: Callable[[Any, bool], None] | None,
    show_error: Callable[[HeadrolesError], None],
) -> None:
    """The bar of work in progress, or why it stopped, and the results so far."""
    if work.is_open:
        st.fragment(_busy, run_every=TICK)(part, work, plan, doing, show)
        return
    if work.error is not None:
        show_error(work.error)
    if work.stopped:
        with st.container(key=f"app-stopped_{part}", horizontal=True, vertical_alignment="center"):
            st.caption(
                f"Stopped after {len(work.done)} of {work.total} steps."
                if work.plan
                else "Stopped before it began."
            )
            st.button(
                "Go on",
                icon=":material/play_arrow:",
                on_click=_set_stopped,
                args=(work, False),
                key=f"app-go_on_{part}",
            )
    if show is not None and work.done:
        show(list(work.done), False)


def _busy(
    part: str,
    work: Work,
    plan: Callable[[], Plan],
    doing: str,
    show: Callable[[Any, bool], None] | None,
) -> None:
    """The part of the page that the timer runs."""
    if work.is_open:
        with st.container(key=f"app-busy_{part}", horizontal=True, vertical_alignment="center"):
            bar = st.progress(*_progress(work, doing))
            st.button(
                "Stop",
                icon=":material/stop_circle:",
                on_click=_set_stopped,
                args=(work, True),
                key=f"app-stop_{part}",
            )

        if alone():  # the page is drawn to its end first, however many have long work
            _take_turn(work, plan, doing, bar)
    if not work.is_open:
        st.rerun()  # the page draws the rest, without a timer
    if show is not None and work.done:
        show(list(work.done), False)


def _take_turn(work: Work, plan: Callable[[], Plan], doing: str, bar: DeltaGenerator) -> None:
    """Wait for a place, and do steps for a moment; the bar tells of both."""

    def wait(before: int) -> None:
        share, words = _progress(work, doing)
        bar.progress(share, f"{words}. {turns.before_you(before)}")

    with turns.steps(wait):
        _go_on(work, plan=plan, on_step=lambda: bar.progress(*_progress(work, doing)))


def _progress(work: Work, doing: str) -> tuple[float, str]:
    if work.plan is None:
        return 0.0, f"{doing}: waiting for its turn"
    return len(work.done) / max(1, work.total), f"{doing}: {len(work.done)} of {work.total} steps"


def _set_stopped(work: Work, stopped: bool) -> None:
    """Stop after the step that is being done, or go on where it was stopped."""
    work.stopped = stopped
