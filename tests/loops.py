"""Coroutines in tests, apart from a loop that a browser test before them may have left running."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor


def apart(function: Callable, *args: object) -> object:
    """Call a function in a thread of its own; of a coroutine function, run what it returns."""

    def call() -> object:
        result = function(*args)
        return asyncio.run(result) if inspect.iscoroutine(result) else result

    with ThreadPoolExecutor(1) as thread:
        return thread.submit(call).result()
