"""Answers that survive a reload: the browser's tab keeps them as a worksheet until it is closed.

Whoever sits down at a computer in class after somebody else closes the tab, or starts over.
"""

from __future__ import annotations

import json

import streamlit as st

from headroles import lessons
from headroles.errors import HeadrolesError
from headroles.formatting import count
from headroles.ui.app import caches, tab_storage
from headroles.ui.lessons import state


def draw() -> None:
    """Give the tab what is answered so far, or ask it for what was there before a reload."""
    is_new = state.is_new()
    st.session_state[state.TAB_ASKED] = not is_new  # so that an undone loading stays undone
    keep = "" if is_new else _text()
    tab_storage.draw(
        state.TAB,
        keep=keep,
        forget=not is_new and not keep,
        ask="if held" if is_new else "",
        on_held=_come_back,
    )


def _text() -> str:
    """The answers, and how many of them are in a file; the same text for the same answers."""
    entries, saved = st.session_state[state.ENTRIES], st.session_state[state.SAVED]
    if not entries:
        return ""
    sheet = lessons.Worksheet(
        name=st.session_state[state.NAME].strip(), entries=entries, saved=entries[-1].answered
    )
    in_file = len(saved) if entries[: len(saved)] == saved else 0
    return json.dumps({"in_file": in_file, "sheet": lessons.worksheet.to_json(sheet)})


def _come_back() -> None:
    """What the tab has kept; nothing that cannot be read, and nothing over what is here."""
    if not state.is_new():
        return
    caches.import_libraries()
    try:
        kept = json.loads(tab_storage.held(state.TAB))
        sheet, in_file = lessons.worksheet.read(kept["sheet"]), int(kept["in_file"])
    except (HeadrolesError, ValueError, KeyError, TypeError):
        return  # of another version, or changed by hand: it is written anew with the next answer
    answers = count(len(sheet.entries), "answer")
    have = "is" if len(sheet.entries) == 1 else "are"
    state.came_back(sheet, in_file)
    st.toast(
        f"Your {answers} from before the reload {have} here again.", icon=":material/restore_page:"
    )
