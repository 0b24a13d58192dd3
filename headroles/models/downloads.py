"""Downloads of models that belong to the server: one per model, however many sessions wait for it.

A download runs in a thread of its own, so a student who goes on with another model, or closes the
page, neither stops nor repeats it, and everybody who waits sees the same bytes. How it ended is
kept for a moment, so that a class of thirty does not ask an unreachable Hub thirty times; then, or
after :meth:`Fetches.forget`, the next one who asks starts anew.

>>> fetch = Fetches().of("gpt2")  # doctest: +SKIP
>>> while not fetch.wait(0.2):  # doctest: +SKIP
...     print(fetch.done, "of", fetch.total)
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from headroles.models import loading

KEPT_SECONDS = 20.0
"""How long the end of a download answers for the next ones who ask."""
STEADY_SECONDS = 1.0
"""Before this, a speed would be a guess."""


class Fetch:
    """One model on its way to this disk; its numbers may be read from any thread."""

    def __init__(self, name: str, bring: Callable[..., object]) -> None:
        self.name = name
        self.done = 0
        """Bytes that are here."""
        self.total = 0
        """Bytes that there will be; 0 until the Hub has answered."""
        self.error: Exception | None = None
        """Why it failed; None while it runs and when it is done."""
        self.ended_at: float | None = None
        """On the monotonic clock."""
        self._download = bring
        self._first_byte_at: float | None = None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True, name=f"download {name}")
        self._thread.start()

    def wait(self, seconds: float) -> bool:
        """Wait until it has ended, at most so long; whether it has."""
        return self._ended.wait(seconds)

    @property
    def fraction(self) -> float:
        """0..1, how much is here."""
        return min(self.done / self.total, 1.0) if self.total else 0.0

    @property
    def speed(self) -> float | None:
        """Bytes per second so far; None while it is too early to tell."""
        took = time.monotonic() - (self._first_byte_at or time.monotonic())
        return self.done / took if took >= STEADY_SECONDS and self.done else None

    @property
    def seconds_left(self) -> float | None:
        """At the speed so far; None while it is too early to tell."""
        return (self.total - self.done) / self.speed if self.speed else None

    def _run(self) -> None:
        try:
            self._download(self.name, progress=self._count)
        except Exception as error:  # whoever waits raises it
            self.error = error
        finally:
            self.ended_at = time.monotonic()
            self._ended.set()

    def _count(self, done: int, total: int) -> None:
        if self._first_byte_at is None:
            self._first_byte_at = time.monotonic()
        self.done, self.total = done, total


class Fetches:
    """The downloads of one server.

    Args:
        bring: what brings a model's files to the disk, told the bytes as it goes.
        kept: seconds that the end of a download is kept.
    """

    def __init__(
        self, *, bring: Callable[..., object] = loading.fetch_model, kept: float = KEPT_SECONDS
    ) -> None:
        self._download, self._kept = bring, kept
        self._under_way: dict[str, Fetch] = {}
        self._lock = threading.Lock()

    def of(self, name: str) -> Fetch:
        """The download of a model: the one under way or just ended, or a new one."""
        with self._lock:
            fetch = self._under_way.get(name)
            if fetch is None or self._is_over(fetch):
                fetch = self._under_way[name] = Fetch(name, self._download)
            return fetch

    def forget(self, name: str) -> None:
        """Let the next one who asks start anew, unless it is still running."""
        with self._lock:
            fetch = self._under_way.get(name)
            if fetch is not None and fetch.wait(0):
                del self._under_way[name]

    def _is_over(self, fetch: Fetch) -> bool:
        return fetch.wait(0) and time.monotonic() - fetch.ended_at > self._kept
