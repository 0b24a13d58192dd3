"""The button "Download" of every page. What it offers is in the ``files.py`` of the page."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

import streamlit as st

from headroles.ui.app import files

if TYPE_CHECKING:
    from headroles.ui.app.files import File

_NO_PICTURES = (
    "The chart cannot be saved as a picture here, because the library for it is not installed: "
    "run `pip install vl-convert-python`."
)


def popover() -> AbstractContextManager[object]:
    """The button; what it opens is drawn inside."""
    return st.popover("Download", icon=":material/download:", key="app-download")


def buttons(offered: Iterable[File], *, keys: str = "", **look: object) -> None:
    """A button per file; the file is made when it is pressed.

    Args:
        offered: the files.
        keys: what the key of a button begins with.
        look: how it looks; by default it is as wide as its place.
    """
    look = {"width": "stretch", **look}
    for file in offered:
        st.download_button(
            file.label,
            data=file.make,
            file_name=file.name,
            mime=file.mime,
            key=f"{keys}{file.key}",
            on_click="ignore",
            **look,
        )


def about(words: str) -> None:
    """What the files are, and the origin that each of them states."""
    origin = "CSV and JSON files state their model, revision, prompt and tokens."
    st.caption(f"{words} {origin}".strip())
    if not files.can_draw():
        st.caption(_NO_PICTURES)
