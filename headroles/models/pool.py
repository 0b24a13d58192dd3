"""The models in memory: each loaded once however many ask for it, and only so many at a time.

Threads that ask for the same model wait for one of them to load it; different models may be
downloaded side by side. Building a model from its files goes one at a time, because transformers
changes torch for the whole process while it builds. A folder or GGUF file whose weights are others
by now is loaded anew; whoever uses the old ones keeps them until the end. When there is no more
room, by number or by memory, the model that has been idle the longest goes; one that somebody is
using never does.

>>> pool = ModelPool(most=2)
>>> with pool.borrow("demo") as loaded:  # doctest: +SKIP
...     run = capture(loaded, "The cat sat.")
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator

from headroles.errors import ServerBusyError
from headroles.models import catalogue, hub, loading, memory, revisions
from headroles.models.loading import LoadedModel

PATIENCE = 120.0
"""Seconds that a model waits for room while every other one is in use."""


class ModelPool:
    """The models of one server.

    Args:
        most: models that are in memory together.
        load: what makes a model out of its name, when its files are on this disk.
        fetch: what brings its files there; told the bytes as it goes.
        fits: whether the free memory is enough for a model by its name; idle ones go until it is.
        patience: seconds to wait for room.
    """

    def __init__(
        self,
        most: int = 2,
        *,
        load: Callable[[str], LoadedModel] = loading.load_model,
        fetch: Callable[..., object] = loading.fetch_model,
        fits: Callable[[str], bool] = loading.fits_whole,
        patience: float = PATIENCE,
    ) -> None:
        self._most, self._load, self._fetch, self._fits = most, load, fetch, fits
        self._patience = patience
        # By source, for two folders may share a name; the longest idle one first.
        self._here: OrderedDict[str, LoadedModel] = OrderedDict()
        self._users: dict[str, int] = {}
        self._doors: dict[str, threading.Lock] = {}
        self._changed = threading.Condition()
        self._building = threading.Lock()

    @contextlib.contextmanager
    def borrow(self, name: str, *, progress: hub.Progress | None = None) -> Iterator[LoadedModel]:
        """The model, loaded if need be; it stays in memory until the block ends.

        Keep nothing of it beyond the block, or its memory cannot go back.

        Args:
            name: as :func:`headroles.models.loading.load_model` takes it.
            progress: told the bytes of the download, if this call is the one that downloads.

        Raises:
            HeadrolesError: as :func:`headroles.models.loading.load_model`.
            ServerBusyError: if every model in memory stays in use.
        """
        key = catalogue.resolve_source(name)
        with self._changed:
            self._users[key] = self._users.get(key, 0) + 1
        try:
            yield self._get(key, name, progress)
        finally:
            with self._changed:
                self._users[key] -= 1
                if not self._users[key]:
                    del self._users[key]
                self._changed.notify_all()

    def names(self) -> list[str]:
        """The catalogue keys of the models in memory, the longest idle one first."""
        with self._changed:
            return [loaded.key for loaded in self._here.values()]

    def _get(self, key: str, name: str, progress: hub.Progress | None) -> LoadedModel:
        if ready := self._look(key):
            return ready
        with self._changed:
            door = self._doors.setdefault(key, threading.Lock())
        with door:
            if ready := self._look(key):  # somebody else has loaded it meanwhile
                return ready
            self._fetch(name, progress=progress)
            with self._building:
                self._make_room(name)
                loaded = self._load(name)
                with self._changed:
                    self._here[key] = loaded
                memory.settle()
            return loaded

    def _look(self, key: str) -> LoadedModel | None:
        now = revisions.state_of(key)
        with self._changed:
            if key not in self._here:
                return None
            if self._here[key].state == now:
                self._here.move_to_end(key)
                return self._here[key]
            del self._here[key]
        memory.give_back()
        return None

    def _make_room(self, name: str) -> None:
        """Let go of idle models until one more fits, waiting for one if the number forbids it.

        Where only memory is short and nobody is idle, loading decides: 16 bits, or a sentence.
        """
        until = time.monotonic() + self._patience
        with self._changed:
            while len(self._here) >= self._most or not self._fits(name):
                idle = next((key for key in self._here if key not in self._users), None)
                if idle is not None:
                    del self._here[idle]
                    memory.give_back()
                elif len(self._here) < self._most:
                    break
                elif not self._changed.wait(until - time.monotonic()):
                    raise ServerBusyError(loaded.key for loaded in self._here.values())
