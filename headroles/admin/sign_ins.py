"""Who is signed in, until when, and how a reloaded tab comes back.

A sign-in begins with a *ticket*, which never leaves the server: a session keeps it and every
protected action checks it. A reload of the tab begins a new session, so the tab also holds a *key*,
for which the server gives the new session a ticket of the same sign-in. A key is changed each time
it is used: the new one counts from then on, and the old one no longer once the tab has said that it
holds the new one. (A tab that is reloaded in between comes back with either.)

A sign-in ends, with every ticket and key of it, when one of its sessions signs out, some time after
its last use, and a teaching day after it began. The server keeps digests alone.

>>> sign_ins = SignIns()
>>> key = sign_ins.new_key(sign_ins.begin("session 3f2a"))
>>> sign_ins.check(sign_ins.come_back(key))
'session 3f2a'
"""

from __future__ import annotations

import hashlib
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from headroles.errors import NotSignedInError

LONGEST_SECONDS = 8 * 3600
"""How long a sign-in lasts at most: a teaching day."""
IDLE_SECONDS = 2 * 3600
"""How long it lasts without being used."""
KEPT = 1_000
"""Tickets that are remembered; beyond that, the oldest is forgotten."""


@dataclass(frozen=True)
class Ticket:
    """What a signed-in session keeps; the server keeps only its digest."""

    secret: str = field(repr=False)


@dataclass(eq=False)
class _SignIn:
    name: str
    ends: float
    """The moment at which it ends, however much it is used."""
    used: float
    """The moment of its last use."""
    keys: list[bytes] = field(default_factory=list)
    """Digests of the keys that open it: the one that the tab holds, the one that it is given."""


class SignIns:
    """Every sign-in of a server; safe to use from every session's thread.

    Args:
        clock: seconds that only go forward.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._lock = clock, threading.Lock()
        self._tickets: OrderedDict[bytes, _SignIn] = OrderedDict()

    def begin(self, name: str) -> Ticket:
        """The first ticket of a new sign-in, under the public name of its session."""
        now = self._clock()
        with self._lock:
            return self._ticket(_SignIn(name, ends=now + LONGEST_SECONDS, used=now))

    def check(self, ticket: Ticket | None, *, is_use: bool = False) -> str:
        """The public name of the sign-in that a ticket belongs to.

        Args:
            ticket: of the session.
            is_use: whether somebody did something, and not a page by itself.

        Raises:
            NotSignedInError: if there is no ticket, or its sign-in has ended.
        """
        with self._lock:
            sign_in = self._of(ticket)
            if is_use:
                sign_in.used = self._clock()
            return sign_in.name

    def end(self, ticket: Ticket | None) -> None:
        """End a sign-in: no ticket and no key of it opens anything any more."""
        with self._lock:
            sign_in = self._tickets.get(_digest(ticket.secret)) if ticket else None
            if sign_in is not None:
                self._forget(sign_in)

    def new_key(self, ticket: Ticket | None) -> str:
        """A key for the tab to hold, beside the one that it holds already.

        Raises:
            NotSignedInError: as :meth:`check`.
        """
        key = secrets.token_urlsafe(32)
        with self._lock:
            sign_in = self._of(ticket)
            sign_in.keys = [*sign_in.keys[:1], _digest(key)]
        return key

    def keep_key(self, ticket: Ticket | None, key: str) -> None:
        """The tab holds this key now, so no other one opens its sign-in any more.

        Raises:
            NotSignedInError: as :meth:`check`.
        """
        with self._lock:
            sign_in = self._of(ticket)
            if (digest := _digest(key)) in sign_in.keys:
                sign_in.keys = [digest]

    def come_back(self, key: str) -> Ticket:
        """A ticket of the sign-in that a key opens, for a session that has none.

        Raises:
            NotSignedInError: if it opens none, or none any more.
        """
        digest = _digest(key)
        with self._lock:
            for sign_in in self._tickets.values():
                if digest in sign_in.keys and self._is_open(sign_in):
                    sign_in.keys, sign_in.used = [digest], self._clock()
                    return self._ticket(sign_in)
        raise NotSignedInError

    def _ticket(self, sign_in: _SignIn) -> Ticket:
        ticket = Ticket(secrets.token_urlsafe(32))
        self._tickets[_digest(ticket.secret)] = sign_in
        while len(self._tickets) > KEPT:
            self._tickets.popitem(last=False)
        return ticket

    def _of(self, ticket: Ticket | None) -> _SignIn:
        sign_in = self._tickets.get(_digest(ticket.secret)) if ticket else None
        if sign_in is not None and self._is_open(sign_in):
            return sign_in
        if sign_in is not None:
            self._forget(sign_in)
        raise NotSignedInError

    def _is_open(self, sign_in: _SignIn) -> bool:
        now = self._clock()
        return now < sign_in.ends and now < sign_in.used + IDLE_SECONDS

    def _forget(self, ended: _SignIn) -> None:
        for key in [key for key, sign_in in self._tickets.items() if sign_in is ended]:
            del self._tickets[key]


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
