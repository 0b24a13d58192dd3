"""Who may enter the instructor's page: a password or a one-time token, tickets, and slowing.

With a password hash (argon2, from ``.streamlit/secrets.toml``) the page asks for the password.
Without one, a random token is written to the server's log, as Jupyter does; it works once, and the
next one follows at once. Either begins a sign-in (:mod:`headroles.admin.sign_ins`), whose *ticket*
every protected action checks again.

Wrong attempts are slowed in two ways. A session waits 1, 2, 4 ... 60 seconds after its second,
third, fourth ... wrong attempt. And after ten wrong ones within five minutes, whoever made them,
all sessions wait in one line (:mod:`headroles.admin.waiting_line`): the server looks at one secret
every two seconds, so fresh sessions do not help an attacker, and an instructor who waits gets a
turn, two seconds for each one before in the line. Nothing here sleeps: an early attempt is refused
unseen, and :meth:`Gate.wait` says how long. Secrets are looked at one at a time.

Several server processes count each for itself.

>>> gate = Gate(announce=lambda line: None)
>>> gate.needs
'token'
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import secrets
import sys
import threading
import time
import unicodedata
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from argon2 import PasswordHasher, extract_parameters
from argon2.exceptions import InvalidHashError, VerificationError, VerifyMismatchError

from headroles.admin.sign_ins import SignIns, Ticket
from headroles.admin.waiting_line import WaitingLine
from headroles.errors import AccessConfigError, TooManyAttemptsError, WrongSecretError

LONGEST_SECRET = 1_000
"""Characters; longer ones are wrong without being looked at."""

FREE_ATTEMPTS = 1
"""Wrong attempts of one session that cost it no wait."""
LONGEST_WAIT = 60.0
"""Seconds that one session waits at most for its own wrong attempts."""

WINDOW = 300.0
"""Seconds for which a wrong attempt counts, a session's own ones since its last."""
CROWD = 10
"""Wrong attempts of all sessions in the window after which there is a line."""
AT_THE_DOOR = 10
"""Attempts that wait together for the one that is looked at; another one is refused."""
DOOR_SECONDS = 5.0
"""How long one that was refused for this should wait: for ten looks of a third of a second each."""

_KEPT = 1_000
"""Sessions that are remembered; beyond that, the oldest is forgotten."""


@dataclass
class _Attempts:
    """What is known of a session that is slowed."""

    wrong: int = 0
    last_wrong: float = 0.0
    opens: float = 0.0
    """The moment from which the next attempt is taken."""


def _to_log(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


class Gate:
    """The lock of the instructor's page, one per server; safe to use from every session's thread.

    Args:
        password_hash: an argon2 hash as text, or None for one-time tokens.
        clock: seconds that only go forward.
        log: told about every sign-in and every wrong attempt, never about a secret.
        announce: writes a line to the server's log, where only an instructor reads it.

    Raises:
        AccessConfigError: if the hash is not one of argon2's.
    """

    needs: Literal["password", "token"]
    """What the page must ask for."""
    sign_ins: SignIns
    """Who is signed in."""

    def __init__(
        self,
        password_hash: str | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        log: logging.Logger = logging.getLogger("headroles.admin.access"),  # noqa: B008 - one by name
        announce: Callable[[str], None] = _to_log,
    ) -> None:
        self._hash = None if password_hash is None else _checked_hash(password_hash)
        self._clock, self._log, self._announce = clock, log, announce
        self._entering = threading.Lock()  # one attempt at a time: no race past the waits
        self._state = threading.Lock()
        self.sign_ins = SignIns(clock)
        self._attempts: OrderedDict[str, _Attempts] = OrderedDict()
        self._wrong: deque[float] = deque(maxlen=CROWD)  # more says no more
        self._line = WaitingLine()
        self._door = threading.BoundedSemaphore(AT_THE_DOOR)
        self._token = ""
        self.needs = "token" if self._hash is None else "password"
        if self._hash is None:
            self._next_token()

    def enter(self, secret: str, *, session: str) -> Ticket:
        """Sign in with the password or the token.

        Args:
            secret: what was typed.
            session: whatever tells one browser session from another; it is kept as a digest.

        Raises:
            TooManyAttemptsError: if it came too early (``.wait`` seconds); it was not looked at.
            WrongSecretError: if it is wrong; the next attempt may have to wait.
        """
        wait = self.wait(session)
        if wait > 0:
            raise TooManyAttemptsError(wait)
        if not self._door.acquire(blocking=False):
            raise TooManyAttemptsError(DOOR_SECONDS)
        try:
            return self._enter(secret, session)
        finally:
            self._door.release()

    def _enter(self, secret: str, session: str) -> Ticket:
        name = session_name(session)
        with self._entering:
            wait = self.wait(session)  # others may have been looked at meanwhile
            if wait > 0:
                raise TooManyAttemptsError(wait)
            with self._state:
                self._line.use(_digest(session).hex())
            if len(secret) > LONGEST_SECRET or not self._is_right(secret):
                count = self._note_wrong(session)
                self._log.warning("wrong %s from %s, attempt %d", self.needs, name, count)
                raise WrongSecretError(self.needs)
            if self._hash is None:
                self._next_token()
        with self._state:
            self._attempts.pop(_digest(session).hex(), None)
        self._log.info("%s signed in", name)
        return self.sign_ins.begin(name)

    def check(self, ticket: Ticket | None, *, is_use: bool = False) -> str:
        """The short public name of the sign-in that a ticket belongs to, e.g. ``session 3f2a``.

        Args:
            ticket: of the session.
            is_use: whether somebody did something, and not a page by itself.

        Raises:
            NotSignedInError: if there is no ticket, or its sign-in has ended.
        """
        return self.sign_ins.check(ticket, is_use=is_use)

    def leave(self, ticket: Ticket | None) -> None:
        """Sign out, in every tab: the sign-in opens nothing any more."""
        self.sign_ins.end(ticket)

    def wait(self, session: str) -> float:
        """Seconds until this session's next attempt is taken; 0 when it is taken now.

        While there is a line, a session joins it with its first question, so a page that asks when
        it is drawn has most of the wait behind it when the password is typed. It should go on
        asking, about every second: who is not heard of loses the place.
        """
        key, now = _digest(session).hex(), self._clock()
        with self._state:
            own = self._attempts[key].opens - now if key in self._attempts else 0.0
            line = self._line.wait(key, now=now) if self._is_crowded(now) else 0.0
            return max(0.0, own, line)

    def _note_wrong(self, session: str) -> int:
        """Count a wrong attempt and set the time of the next; how many the session has made."""
        key, now = _digest(session).hex(), self._clock()
        with self._state:
            self._wrong.append(now)
            attempts = self._attempts.pop(key, _Attempts())
            if now - attempts.last_wrong > WINDOW:
                attempts.wrong = 0
            attempts.wrong, attempts.last_wrong = attempts.wrong + 1, now
            attempts.opens = now + own_wait(attempts.wrong)
            self._attempts[key] = attempts
            _forget_oldest(self._attempts)
            return attempts.wrong

    def _is_crowded(self, now: float) -> bool:
        while self._wrong and now - self._wrong[0] > WINDOW:
            self._wrong.popleft()
        return len(self._wrong) == CROWD

    def _is_right(self, secret: str) -> bool:
        if self._hash is None:
            return hmac.compare_digest(_bytes(secret.strip()), self._token.encode())
        try:
            return PasswordHasher().verify(self._hash, _bytes(secret))
        except VerifyMismatchError:
            return False
        except (VerificationError, InvalidHashError) as error:  # looked like a hash, and is none
            raise AccessConfigError from error

    def _next_token(self) -> None:
        self._token = secrets.token_urlsafe(24)
        self._announce(
            "headroles: no password is set for the instructor's page. To sign in there, enter this "
            f"token; it works once:\n\n    {self._token}\n\n"
            "To set a password instead: python -m scripts.hash_password"
        )


def own_wait(wrong: int) -> float:
    """Seconds that a session waits after so many wrong attempts of its own.

    >>> [own_wait(n) for n in (1, 2, 3, 4, 7, 8, 1_000_000)]
    [0.0, 1.0, 2.0, 4.0, 32.0, 60.0, 60.0]
    """
    over = min(wrong - FREE_ATTEMPTS, 32)  # no power of a number that an attacker chooses
    return min(LONGEST_WAIT, 2.0 ** (over - 1)) if over > 0 else 0.0


def session_name(session: str) -> str:
    """A session's short public name; it does not give the session's id away."""
    return f"session {_digest(session).hex()[:4]}"


def hash_password(password: str) -> str:
    """The argon2 hash that :class:`Gate` takes for this password."""
    return PasswordHasher().hash(_bytes(password))


def _checked_hash(password_hash: object) -> str:
    try:
        extract_parameters(str(password_hash).strip())
    except InvalidHashError:
        raise AccessConfigError from None  # its message might hold what was taken for a hash
    return str(password_hash).strip()


def _bytes(secret: str) -> bytes:
    """One text has one form whatever the keyboard made of its accents; lone surrogates pass."""
    return unicodedata.normalize("NFC", secret).encode("utf-8", "surrogatepass")


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


def _forget_oldest(kept: OrderedDict[str, _Attempts]) -> None:
    while len(kept) > _KEPT:
        kept.popitem(last=False)
