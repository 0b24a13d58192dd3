"""How many cores a piece of work uses.

Torch splits an operation among threads that wait for each other at its end. Where another process
has one of the cores, such a wait takes milliseconds, and work of a thousand short operations takes
seconds instead of tenths.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch

SHORT = 256
"""Tokens, all rows of a pass together, that are not worth a second core."""


@contextlib.contextmanager
def one_core() -> Iterator[None]:
    """One core for many short operations; afterwards as many as before."""
    count = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(count)


def for_pass(tokens: int) -> contextlib.AbstractContextManager[None]:
    """One core for a short pass; for a longer one those that the session may use.

    Args:
        tokens: of all rows together.
    """
    return one_core() if tokens <= SHORT else contextlib.nullcontext()
