"""Whose secret is looked at next, while many wrong ones are tried.

Visits cost an attacker nothing, so looks are counted for the whole server: one every
:data:`LOOK_SECONDS`, however many visits there are. They go to the visitors in the order in which
they came. Who comes gets the last place in the line; nothing that others do moves it back, and it
moves up when those before it have had their turn or are gone. At the head, a visitor gets a *turn*:
one look within :data:`TURN_SECONDS`, so that a slow typist holds up nobody.

A page that shows the wait asks every second. Who has not asked for :data:`HEARD_SECONDS` is gone;
who never asked again after coming, for :data:`NEW_SECONDS`. So a flood of visits that come and go
leaves the line soon, and holding somebody up takes visits that stay: a visitor waits
:data:`LOOK_SECONDS` for each of them that came before it.

>>> line = WaitingLine()
>>> [line.wait("a", now=0.0), line.wait("b", now=0.0), line.wait("c", now=0.0)]
[0.0, 2.0, 4.0]
"""

from __future__ import annotations

from dataclasses import dataclass

LOOK_SECONDS = 2.0
"""Between two turns: 30 looks a minute."""
NEW_SECONDS = 10.0
"""How long a visitor that has just come is waited for."""
HEARD_SECONDS = 30.0
"""How long one that has asked again since is waited for: a busy server answers late."""
TURN_SECONDS = 120.0
"""A turn that is not taken by then is over."""
PLACES = 2_000
"""Visitors in the line at most; others get the places that become free."""


@dataclass
class _Visitor:
    came: float
    heard: float

    def is_gone(self, now: float) -> bool:
        has_stayed = self.heard - self.came > 0.5  # a page asks twice while it is drawn
        return now - self.heard > (HEARD_SECONDS if has_stayed else NEW_SECONDS)


class WaitingLine:
    """The line and the turns; not safe for threads by itself."""

    def __init__(self) -> None:
        self._line: dict[str, _Visitor] = {}
        self._turns: dict[str, float] = {}
        self._next_turn = self._next_sweep = float("-inf")

    def wait(self, visitor: str, *, now: float) -> float:
        """Seconds until a visitor's next secret is looked at; 0 for one whose turn it is.

        A visitor without a place gets one, if one is free; else it is told the longest wait.
        """
        self._sweep(now)
        if visitor in self._line:
            self._line[visitor].heard = now
        elif visitor not in self._turns:
            if len(self._line) >= PLACES:
                return PLACES * LOOK_SECONDS
            self._line[visitor] = _Visitor(now, now)
        self._give_turn(now)
        if visitor in self._turns:
            return 0.0
        before = list(self._line).index(visitor)
        return self._next_turn - now + before * LOOK_SECONDS

    def use(self, visitor: str) -> None:
        """A visitor's secret is looked at: the next turn has to be waited for."""
        self._turns.pop(visitor, None)

    def _sweep(self, now: float) -> None:
        """Let those go who are gone; not for every question, for there may be many."""
        if now < self._next_sweep:
            return
        self._next_sweep = now + 1
        self._line = {name: who for name, who in self._line.items() if not who.is_gone(now)}
        self._turns = {name: until for name, until in self._turns.items() if until > now}

    def _give_turn(self, now: float) -> None:
        if self._line and self._next_turn <= now:
            first = next(iter(self._line))
            del self._line[first]
            self._turns[first] = now + TURN_SECONDS
            self._next_turn = now + LOOK_SECONDS
