"""One core for work that a second one would not speed up.

Torch splits an operation among threads that wait for each other at its end. Where another process
has one of the cores, such a wait takes milliseconds, and work of a thousand short operations takes
seconds instead of tenths.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch


@contextlib.contextmanager
def one_core() -> Iterator[None]:
    """One core for many short operations; afterwards as many as before."""
    count = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(count)
