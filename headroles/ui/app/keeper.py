"""What the server keeps between runs and for all sessions, in the module's own hands.

Streamlit's own caches are not used: any browser may ask the server to clear them, for everybody.
Results are shared and never copied, so nobody writes to one.

>>> results = Keeper(most=1_000_000)
>>> results.make("sum", lambda: 1 + 2), results.make("sum", lambda: 0)
(3, 3)
"""

from __future__ import annotations

import functools
import gc
import inspect
import sys
import threading
import types
from collections.abc import Callable, Hashable
from concurrent.futures import CancelledError, Future
from operator import itemgetter
from typing import Any

import cachetools

from headroles import models
from headroles.ui.app import turns

SHARE, LEAST, MOST = 1 / 8, 64_000_000, 128_000_000
"""The bound on all results: this share of the memory, within these bytes.

With the bundled model, the libraries and the model take 0.64 GB and what runs at the moment about
0.1 GB, so 128 MB of results leave 0.13 GB below 1 GB for the visits themselves. The longest prompt
takes 17 MB there and 75 MB in a model of GPT-2 small's size. A container of 512 MB still keeps
64 MB, so that a click does not run the prompt again."""


class Keeper:
    """Results by name, within a bound on their bytes; the least recently used are dropped first.

    However many threads ask for a result at once, one of them makes it and the others wait for it.

    Args:
        most: bytes of all results together. A result that is larger than that is kept alone.
    """

    def __init__(self, most: int) -> None:
        self._most, self._lock = most, threading.Lock()
        self._here = cachetools.LRUCache(most, getsizeof=itemgetter(1))
        self._being_made: dict[Hashable, Future] = {}

    def get(self, name: Hashable) -> Any:
        """A result, or None if it is not kept."""
        with self._lock:
            return self._here.get(name, (None,))[0]

    def put(self, name: Hashable, result: object) -> None:
        """Keep a result."""
        size = min(size_of(result), self._most)
        with self._lock:
            self._here[name] = (result, size)

    def make(self, name: Hashable, make: Callable[[], Any]) -> Any:
        """A result that is kept, or else made now; an error goes to all that wait and is not kept.

        Raises:
            Exception: what ``make`` raises.
        """
        while True:
            with self._lock:
                if name in self._here:
                    return self._here[name][0]
                if is_first := (future := self._being_made.get(name)) is None:
                    future = self._being_made[name] = Future()
            if is_first:
                return self._make(name, make, future)
            try:
                with turns.aside():
                    return future.result()
            except CancelledError:  # whoever made it was stopped: somebody else's turn
                continue

    def _make(self, name: Hashable, make: Callable[[], Any], future: Future) -> Any:
        try:
            result = make()
            self.put(name, result)
            future.set_result(result)
        except Exception as error:
            future.set_exception(error)
            raise
        finally:
            with self._lock:
                del self._being_made[name]
            future.cancel()  # does nothing once there is a result or an error
        return result

    def clear(self) -> None:
        """Drop all results."""
        with self._lock:
            self._here.clear()

    @property
    def size(self) -> int:
        """Bytes of all results."""
        with self._lock:
            return int(self._here.currsize)


def once(make: Callable[[], Any]) -> Callable[[], Any]:
    """Something the whole server has one of, made when it is first asked for.

    ``clear()`` forgets it, for tests.
    """
    lock, made = threading.Lock(), []

    @functools.wraps(make)
    def get() -> Any:
        with lock:
            if not made:
                made.append(make())
            return made[0]

    get.clear = made.clear
    return get


@once
def results() -> Keeper:
    """The results of the whole server."""
    share = int(SHARE * models.total_memory())
    return Keeper(min(max(share, LEAST), MOST))


def keep(function: Callable, *, besides: Callable[[Any], Hashable] | None = None) -> Callable:
    """Keep what a function returns, by its arguments.

    All arguments must be hashable, but for those whose name begins with ``_``: they do not count.

    Args:
        function: what makes the results.
        besides: what a result depends on besides, of the first argument.
    """
    signature, name = inspect.signature(function), f"{function.__module__}.{function.__qualname__}"

    @functools.wraps(function)
    def kept(*args: object, **settings: object) -> Any:
        bound = signature.bind(*args, **settings)
        bound.apply_defaults()
        by = tuple(value for key, value in bound.arguments.items() if not key.startswith("_"))
        if besides is not None:
            by += (besides(by[0]),)
        return results().make((name, by), lambda: function(*args, **settings))

    return kept


# Everybody's, or the interpreter's: no result is charged for them.
_SHARED = (type, types.ModuleType, types.FunctionType, types.BuiltinFunctionType)


def size_of(result: object) -> int:
    """Bytes of a result with all that it holds; what it holds twice counts once.

    A view of a tensor or array counts with its whole storage, which it keeps alive.
    """
    total, seen, left = 0, set(), [result]
    while left:
        value = left.pop()
        if isinstance(value, _SHARED) or id(value) in seen:
            continue
        seen.add(id(value))
        total += sys.getsizeof(value)
        left += gc.get_referents(value)
        if hasattr(value, "untyped_storage"):
            storage = value.untyped_storage()
            total += 0 if storage.data_ptr() in seen else storage.nbytes()
            seen.add(storage.data_ptr())
        elif hasattr(value, "__array_interface__"):  # numpy tells nobody what it is a view of
            left.append(value.base)
    return total
