"""Work that takes longer than a moment: a bar, a Stop button, and results that are kept.

Two kinds share the row with the bar. :func:`ask` makes one result that is of use only when it is
whole; the steps of :mod:`headroles.ui.app.stepped_work` are shown as they come.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, TypeVar

import streamlit as st

from headroles.ui.app.keys import Keys

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator

T = TypeVar("T")

STOPPED = Keys(__name__)("stopped_work")
"""{part of a page: the name of its work that the reader stopped}."""
MOST_BYTES = 200_000_000
"""What the kept results may take; one head of a 50,000-token model takes 50 MB."""
SMALL = 10_000
"""Bytes that a result counts for where nobody says."""


class Kept:
    """Results by name; the ones that were not asked for the longest go first."""

    def __init__(self, most: int = MOST_BYTES) -> None:
        self._most, self._lock = most, threading.Lock()
        self._here: OrderedDict[Hashable, tuple[object, int]] = OrderedDict()

    def get(self, name: Hashable) -> object | None:
        """A result, or None if it is not kept."""
        with self._lock:
            if name not in self._here:
                return None
            self._here.move_to_end(name)
            return self._here[name][0]

    def put(self, name: Hashable, result: object, size: int = SMALL) -> None:
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
    part: str,
    name: Hashable,
    make: Callable[[Callable[[int, int], None]], T],
    *,
    title: str,
    size: Callable[[T], int] = lambda _: SMALL,
    patience: float = 0.0,
) -> T | None:
    """A kept result, or one that is made now under a bar; None if the reader stopped it.

    Pressing Stop runs the page anew, which ends this run at the bar's next step.

    Args:
        part: the part of the page; one work of each can be stopped.
        name: what tells the result from all others.
        make: makes it; is given what to call with (done, of how many).
        title: what the bar says.
        size: bytes of the result.
        patience: seconds before the bar is drawn.

    Raises:
        HeadrolesError: whatever ``make`` raises; the bar is gone then.
    """
    found = kept().get(name)
    if found is not None:
        return found
    if st.session_state.get(STOPPED, {}).get(part) == name:
        stopped_row(part, f"{title} was stopped.", on_click=go_on)
        return None
    place = st.empty()
    try:
        result = make(_progress(place, part, name, title=title, patience=patience))
    finally:
        place.empty()
    kept().put(name, result, size(result))
    return result


def _progress(
    place: DeltaGenerator, part: str, name: Hashable, *, title: str, patience: float
) -> Callable[[int, int], None]:
    """What tells the bar how far it is; it is drawn when the patience is over."""
    began, drawn = time.monotonic(), []

    def draw() -> None:
        with place.container(key=f"app-busy_{part}"):
            drawn.append(bar_row(part, (0.0, f"{title} …"), on_click=stop, args=(name,)))

    def tell(done: int, total: int) -> None:
        if not drawn and done < total and time.monotonic() - began >= patience:
            draw()
        if drawn:
            drawn[0].progress(done / total, text=f"{title} … {done:,} of {total:,}")

    if not patience:
        draw()
    return tell


def bar_row(
    part: str, said: tuple[float, str], *, on_click: Callable[..., None], args: tuple = ()
) -> DeltaGenerator:
    """A bar with Stop beside it; ``on_click`` gets the part, then ``args``."""
    with st.container(horizontal=True, vertical_alignment="center"):
        bar = st.progress(*said)
        st.button(
            "Stop",
            icon=":material/stop_circle:",
            on_click=on_click,
            args=(part, *args),
            key=f"app-stop_{part}",
        )
    return bar


def stopped_row(part: str, said: str, *, on_click: Callable[[str], None]) -> None:
    """That it was stopped, and the way on; ``on_click`` gets the part."""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(said)
        st.button(
            "Go on",
            icon=":material/play_arrow:",
            on_click=on_click,
            args=(part,),
            key=f"app-go_on_{part}",
        )


def stop(part: str, name: Hashable) -> None:
    """Stop a work, and do not start it again by itself."""
    st.session_state[STOPPED] = {**st.session_state.get(STOPPED, {}), part: name}


def go_on(part: str) -> None:
    """Run what was stopped after all."""
    st.session_state[STOPPED] = {
        one: name for one, name in st.session_state.get(STOPPED, {}).items() if one != part
    }
