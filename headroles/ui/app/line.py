"""A line before the processor: so many at once, short work before long work, nobody for ever.

A Python process does one thing at a time. If a hundred sessions do theirs together, everybody waits
for the last; one after the other, the first has its answer at once and the average waits half as
long. So a session takes a place, does its work and leaves.

>>> line = Line(places=2)
>>> with line.place(SHORT):
...     line.length
0
"""

from __future__ import annotations

import bisect
import contextlib
import itertools
import threading
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

LOOK = 0.5
"""Seconds between two looks of somebody who waits: at who is before them, at Stop."""


class Kind(NamedTuple):
    """How urgent some work is."""

    name: str
    head_start: float
    """Seconds. Work of this kind goes before work that came so much earlier, so that something
    urgent passes, and what is not urgent still gets its turn some time."""


SHORT = Kind("short", 20.0)
"""A page: it is drawn in a fraction of a second, and somebody is looking at it."""
LONG = Kind("long", 0.0)
"""Some steps of long work. One place is always kept free of it."""


class Ticket:
    """The turn of somebody who waits, and then works."""

    def __init__(self, kind: Kind, number: int, since: float) -> None:
        self.kind, self.since = kind, since
        self.order = (since - kind.head_start, number)
        """The smallest is the next."""
        self.ready = threading.Event()
        """Set when it has a place."""


class Line:
    """The line of one server.

    Args:
        places: how many work at once; at least 2, of which long work takes all but one.
        clock: seconds.
    """

    def __init__(self, places: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._places = max(2, places)
        self._clock = clock
        self._lock = threading.Lock()
        self._numbers = itertools.count()
        self._waiting: list[Ticket] = []
        self._working: list[Ticket] = []
        self._mine = threading.local()

    @property
    def length(self) -> int:
        """How many wait."""
        return len(self._waiting)

    @property
    def busy(self) -> int:
        """How many work or wait."""
        return len(self._working) + len(self._waiting)

    @property
    def wait(self) -> float:
        """Seconds that the first of those with short work has waited; 0 where nobody waits."""
        with self._lock:
            since = [ticket.since for ticket in self._waiting if ticket.kind is SHORT]
            return self._clock() - since[0] if since else 0.0

    @contextlib.contextmanager
    def place(
        self,
        kind: Kind,
        *,
        on_wait: Callable[[int], None] = lambda before: None,
        patience: float = float("inf"),
    ) -> Iterator[bool]:
        """Wait for a place and keep it for the block.

        A thread that has a place already gives it back for the time of the block and then waits
        for it again, unless it asks for the same kind: then the block runs in the place it has.

        Args:
            kind: :data:`SHORT` or :data:`LONG`.
            on_wait: told how many are before, every :data:`LOOK` seconds; what it raises ends the
                wait.
            patience: seconds after which it goes on without a place; the block is told by False.
        """
        if (held := self._held) is not None and held.kind is kind:
            yield True
            return
        with self.aside():
            ticket = self._join(kind)
            try:
                yield self._wait(ticket, on_wait, patience)
            finally:
                self._leave(ticket)

    @contextlib.contextmanager
    def aside(self) -> Iterator[None]:
        """Give this thread's place, if it has one, to others while it waits for something else.

        The place is taken again after an error too, for a page goes on to show it; not after what
        is no ``Exception``: then Streamlit ends the run.
        """
        if (held := self._held) is None:
            yield
            return
        self._leave(held)
        try:
            yield
        except Exception:
            self._wait_again(held)
            raise
        self._wait_again(held)

    def _wait_again(self, held: Ticket) -> None:
        self._wait(self._join(held.kind), lambda before: None, float("inf"))

    @property
    def _held(self) -> Ticket | None:
        """The place of this thread, if it has one."""
        return getattr(self._mine, "ticket", None)

    def _join(self, kind: Kind) -> Ticket:
        with self._lock:
            ticket = Ticket(kind, next(self._numbers), self._clock())
            bisect.insort(self._waiting, ticket, key=lambda waiting: waiting.order)
            self._let_in()
        return ticket

    def _wait(self, ticket: Ticket, on_wait: Callable[[int], None], patience: float) -> bool:
        """Whether it got a place in time; where the wait ends without one, it leaves the line."""
        until = self._clock() + patience
        try:
            while not ticket.ready.wait(min(LOOK, max(0.0, until - self._clock()))):
                if self._clock() >= until:
                    break
                on_wait(self._before(ticket))
        except BaseException:
            self._leave(ticket)
            raise
        with self._lock:
            has_place = ticket in self._working
            if has_place:
                self._mine.ticket = ticket
            else:
                self._waiting.remove(ticket)
        return has_place

    def _before(self, ticket: Ticket) -> int:
        with self._lock:
            return sum(other.order < ticket.order for other in self._waiting)

    def _leave(self, ticket: Ticket) -> None:
        """Give back the place of this thread, or the ticket's where it has not been taken yet."""
        held = self._held or ticket
        self._mine.ticket = None
        with self._lock:
            if held in self._waiting:
                self._waiting.remove(held)
            elif held in self._working:
                self._working.remove(held)
            self._let_in()

    def _let_in(self) -> None:
        """Give the free places to the first that may have one; the lock is held."""
        for ticket in list(self._waiting):
            busy = len(self._working)
            long_ones = sum(working.kind is LONG for working in self._working)
            if busy >= self._places:
                return
            if ticket.kind is LONG and long_ones >= self._places - 1:
                continue
            self._waiting.remove(ticket)
            self._working.append(ticket)
            ticket.ready.set()
