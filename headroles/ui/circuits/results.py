"""What the page has computed, kept for the next run of it, and the bar while it computes."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import TypeVar

import streamlit as st

from headroles.ui.circuits import state

T = TypeVar("T")

MOST_BYTES = 200_000_000
"""What the kept results may take; one head of a 50,000-token model takes 50 MB."""


class Kept:
    """Results by name; the ones that were not asked for the longest go first."""

    def __init__(self, most: int = MOST_BYTES) -> None:
        self._most, self._lock = most, threading.Lock()
        self._here: OrderedDict[tuple, tuple[object, int]] = OrderedDict()

    def get(self, name: tuple) -> object | None:
        """A result, or None if it is not kept."""
        with self._lock:
            if name not in self._here:
                return None
            self._here.move_to_end(name)
            return self._here[name][0]

    def put(self, name: tuple, result: object, size: int) -> None:
        """Keep a result of so many bytes."""
        with self._lock:
            self._here[name] = (result, size)
            while len(self._here) > 1 and sum(size for _, size in self._here.values()) > self._most:
                self._here.popitem(last=False)


@st.cache_resource(show_spinner=False)
def kept() -> Kept:
    """The results of the whole server."""
    return Kept()


def ask(
    name: tuple,
    make: Callable[[Callable[[int, int], None]], T],
    *,
    title: str,
    size: Callable[[T], int] = lambda _: 10_000,
) -> T | None:
    """A kept result, or one that is made now under a bar; None if the reader stopped it.

    Pressing the button runs the page anew, which ends this run at the bar's next step.

    Args:
        name: what tells the result from others; its second part is what can be stopped.
        make: makes it; is given what to call with (done, of how many).
        title: what the bar says.
        size: bytes of the result.
    """
    store = kept()
    found = store.get(name)
    if found is not None:
        return found
    stopped = st.session_state[state.STOPPED]
    if stopped == name:
        st.info(f"{title} was stopped.", icon=":material/pause_circle:")
        st.button(
            "Go on",
            icon=":material/play_arrow:",
            on_click=state.stop,
            args=(None,),
            key=f"go_on_{name[1]}",
        )
        return None
    place = st.empty()
    with place.container(key=f"busy_{name[1]}"):
        bar = st.progress(0.0, text=f"{title} …")
        st.button(
            "Stop",
            icon=":material/stop:",
            on_click=state.stop,
            args=(name,),
            key=f"stop_{name[1]}",
        )
    result = make(
        lambda done, total: bar.progress(done / total, text=f"{title} … {done:,} of {total:,}")
    )
    place.empty()
    store.put(name, result, size(result))
    return result
