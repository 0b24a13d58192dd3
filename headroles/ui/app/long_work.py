"""Work that takes longer than a moment: a bar, Stop and Go on, and results that are kept.

The work is a list of steps. The page's own run does steps for a moment; if that is not enough, the
rest goes on in a part of the page that a timer in the browser runs again and again, so that a click
takes effect between two steps and what is done by then stays. Finished results are kept by name for
all sessions (:mod:`headroles.ui.app.keeper`).

Heavy work is *offered*: a click starts it, beside the time that it is likely to take, unless that
is a moment. One heavy work of the server goes on at a time, in the order of the clicks, and who
waits is told for what; everything else passes between two steps (:mod:`headroles.ui.app.line`).

A step borrows what it needs (a model) when it runs: the steps of a reader who stopped and never
came back must not hold a model in memory.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import streamlit as st

from headroles.errors import HeadrolesError
from headroles.formatting import count, rough_duration
from headroles.ui.app import caches, elements, keeper, session, turns
from headroles.ui.app.keys import Keys
from headroles.ui.app.line import LOOK
from headroles.ui.app.part import alone

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator

WORKS = Keys(__name__)("works")
"""{part of a page: its :class:`Work`}."""
MOMENT = 0.7
"""Seconds of work per run; a step is never cut."""
TICK = 0.1
"""Seconds between two runs of the part with the bar."""
LIGHT = 3.0
"""Offered work that is likely to take so many seconds begins by itself."""
GONE = 15.0
"""Seconds after which work that nobody looks at any more has lost its place among the heavy."""


class Plan(NamedTuple):
    """The steps of a piece of work."""

    steps: Sequence[Callable[[], Any]]
    """The steps, in order."""
    finish: Callable[[list], Any] = list
    """Makes the result from the results of the steps."""
    chained: bool = False
    """Whether each step is called with the results of the steps before it."""


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
    heavy: str = ""
    """What heavy work is called, e.g. "previous-token test"; empty for other work."""

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


class Queue:
    """The heavy works of a server, one of which goes on at a time; the same work counts once.

    Args:
        clock: seconds that only go forward.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._lock = clock, threading.Lock()
        self._seen: dict[Hashable, tuple[str, float]] = {}

    def before(self, work: Work) -> list[str]:
        """What the works before this one are called; none when it is its turn."""
        now, key = self._clock(), (work.part, work.name)
        with self._lock:
            self._seen[key] = (work.heavy, now)  # one that is there already keeps its place
            self._seen = {
                key: (what, seen) for key, (what, seen) in self._seen.items() if now - seen < GONE
            }
            names = list(self._seen)
            return [self._seen[other][0] for other in names[: names.index(key)]]

    def leave(self, work: Work) -> None:
        """It is done, or does not go on for now."""
        with self._lock:
            self._seen.pop((work.part, work.name), None)


queue = Queue()
"""The heavy works of this server."""


def offer(part: str, name: Hashable, label: str, *, what: str, seconds: float) -> bool:
    """Whether a heavy work has begun; if not, the button that begins it, with its likely time.

    :func:`run` follows with the same part and name.

    Args:
        part: the part of the page.
        name: what tells the result from all others of the part.
        label: of the button.
        what: what the work is called, for others who wait for it.
        seconds: how long it is likely to take; with :data:`LIGHT` or less it needs no click.
    """
    if begun(part, name):
        return True
    name = _of_weights(name)
    if seconds <= LIGHT:
        _work(part, name)
        return True
    with st.container(key=f"app-offer_{part}", horizontal=True, vertical_alignment="center"):
        st.button(
            label,
            type="primary",
            icon=":material/play_arrow:",
            key=f"app-begin_{part}",
            on_click=_begin,
            args=(part, name, what),
        )
        st.caption(f"Takes about {rough_duration(seconds)} with this model.")
    return False


def seconds_of(run: Callable[[], object]) -> float:
    """Processor seconds of a piece of work, for estimates; not the first of a model, which is
    longer, and not the wall's, as others may be at work just now."""

    def measure() -> float:
        began = time.thread_time()
        run()
        return time.thread_time() - began

    measure()
    return min(measure(), measure())


def _begin(part: str, name: Hashable, what: str) -> None:
    _work(part, name).heavy = what


def run(
    part: str,
    name: Hashable,
    plan: Callable[[], Plan],
    *,
    doing: str,
    show: Callable[[Any, bool], None] | None = None,
    show_error: Callable[[HeadrolesError], None] = elements.show_error,
    heavy: str = "",
    bar_first: bool = False,
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
        heavy: what a heavy work is called that another button than that of :func:`offer` began.
        bar_first: whether the first step alone may take long: the bar stands there before it.
    """
    name = _of_weights(name)
    if (result := keeper.results().get((part, name))) is None:
        work = _work(part, name)
        has_failed = work.error is not None
        work.error, work.heavy = None, work.heavy or heavy
        if work.is_open and (has_failed or not bar_first):
            with st.spinner(f"{doing} …"), turns.steps() as has_place:
                if has_place and not (work.heavy and queue.before(work)):
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
    name, work = _of_weights(name), st.session_state.get(WORKS, {}).get(part)
    return keeper.results().get((part, name)) is not None or (
        work is not None and work.name == name
    )


def kept(part: str, name: Hashable) -> Any:
    """The result of finished work, or None; nothing is drawn or begun.

    For what a page draws before the place where the work is offered.
    """
    return keeper.results().get((part, _of_weights(name)))


def _of_weights(name: Hashable) -> Hashable:
    """The name with the weights of the chosen model: it is other work once there are others."""
    return name, caches.weights_now(st.session_state.get(session.MODEL, ""))


def _work(part: str, name: Hashable) -> Work:
    works = st.session_state.setdefault(WORKS, {})
    if part not in works or works[part].name != name:
        if part in works:
            queue.leave(works[part])
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
            do = work.plan.steps[place]
            step = keeper.results().make(
                ("step", work.part, work.name, place),
                partial(do, tuple(work.done)) if work.plan.chained else do,
            )
            work.done.append(step)
            on_step()
    except HeadrolesError as error:
        work.error = error
    finally:
        if work.heavy and work.is_open:
            queue.before(work)  # a long step has not lost its place
        else:
            queue.leave(work)


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
                f"Stopped after {len(work.done)} of {count(work.total, 'step')}."
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

    while work.heavy and (others := queue.before(work)):
        share, words = _progress(work, doing)
        bar.progress(share, f"{words}. {who_is_first(others)}")  # Stop ends the run here
        time.sleep(LOOK)
    with turns.steps(wait):
        _go_on(work, plan=plan, on_step=lambda: bar.progress(*_progress(work, doing)))


def _progress(work: Work, doing: str) -> tuple[float, str]:
    if work.plan is None:
        return 0.0, f"{doing} …"
    return len(work.done) / max(
        1, work.total
    ), f"{doing}: {len(work.done)} of {count(work.total, 'step')}"


def _set_stopped(work: Work, stopped: bool) -> None:
    """Stop after the step that is being done, or go on where it was stopped."""
    work.stopped = stopped
    if stopped:
        queue.leave(work)


def who_is_first(others: Sequence[str]) -> str:
    """Whose heavy work goes first, in a sentence.

    >>> who_is_first(["previous-token test"])
    "Somebody else's previous-token test is running; yours is next."
    """
    running = f"Somebody else's {others[0]} is running"
    if len(others) == 1:
        return f"{running}; yours is next."
    return f"{running}, and {len(others) - 1} more before yours."
