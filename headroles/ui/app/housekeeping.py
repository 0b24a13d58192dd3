"""Garbage collection aside from the visitors' requests.

Streamlit would run a full collection whenever a page has been drawn; ``.streamlit/config.toml``
turns that off. A thread does it instead, now and then: what libraries and models brought is left
out (:func:`headroles.models.memory.settle`), and looked at as a whole only a few times an hour.
"""

from __future__ import annotations

import gc
import sys
import threading
import time

from streamlit import runtime

from headroles import models
from headroles.ui.app import keeper

EVERY = 15.0
"""Seconds between two collections."""
WHOLE = 600.0
"""Seconds between two looks at everything in memory."""


def start() -> None:
    """Start the thread of this server; only the first call does. A page under test has none."""
    if runtime.exists():
        _thread()


@keeper.once
def _thread() -> threading.Thread:
    thread = threading.Thread(target=_work, name="headroles-housekeeping", daemon=True)
    thread.start()
    return thread


def _work() -> None:
    imported, whole = len(sys.modules), time.monotonic()
    while True:
        time.sleep(EVERY)
        if time.monotonic() - whole > WHOLE:
            models.memory.give_back()
            whole = time.monotonic()
        elif len(sys.modules) > imported:
            models.memory.settle()
            imported = len(sys.modules)
        else:
            gc.collect()
            models.memory.trim()
