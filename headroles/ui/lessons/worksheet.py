"""The worksheet: a name, the files to hand in, a file to go on with, and starting over.

What a student answered is in this visit's session, in the browser's tab over a reload
(:mod:`headroles.ui.lessons.tab`), and nowhere else until a file of it is saved.
"""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING

import streamlit as st

from headroles import lessons, limits, view
from headroles.errors import HeadrolesError
from headroles.formatting import count
from headroles.ui.app import caches, elements, files
from headroles.ui.lessons import caches as lesson_caches
from headroles.ui.lessons import state
from headroles.view.html import plain

if TYPE_CHECKING:
    from headroles.lessons import Entry, Worksheet

NAME_LENGTH = 80
"""Most characters of a name."""


def draw(*, stands_out: bool = False) -> None:
    """The name and the files, with what became of the file that was read last.

    Args:
        stands_out: whether the download is what to do next.
    """
    entries = st.session_state[state.ENTRIES]
    st.subheader("Your worksheet", anchor=False)
    _unsaved(entries)
    _undo()
    if entries:
        _hand_in(entries, stands_out=stands_out and not state.is_saved())
    else:
        elements.note(
            "Your answers are kept until you close this tab. Once you have answered a question, "
            "you can download them as a worksheet here, to go on later or to hand in."
        )
    _told()
    with st.expander("Go on with a worksheet", icon=":material/upload_file:", key="lessons-load"):
        _load()
    if entries:
        st.button(
            "Start over",
            icon=":material/restart_alt:",
            type="tertiary",
            key="lessons-start_over",
            on_click=state.start_over,
            help="Forgets every answer of all lessons; it can be undone",
        )


def _unsaved(entries: tuple[Entry, ...]) -> None:
    if not entries:
        return
    if state.is_saved():
        elements.note("Every answer is in your file.")
    else:
        new = len(entries) - sum(entry in st.session_state[state.SAVED] for entry in entries)
        st.warning(view.lesson_progress.unsaved_sentence(new), icon=":material/save:")


def _undo() -> None:
    before = st.session_state[state.UNDO]
    if before is not None:
        st.button(
            before.what,
            icon=":material/undo:",
            key="lessons-undo",
            on_click=state.undo,
        )


# ------------------------------------------------------------------ to hand in


def _hand_in(entries: tuple[Entry, ...], *, stands_out: bool) -> None:
    """The name, what is in the file, and the two files."""
    name = st.text_input(
        "Your name, or what your class has agreed on",
        key=state.NAME,
        max_chars=NAME_LENGTH,
        persist_state="session",
        placeholder="for example student-01",
    ).strip()
    elements.note(
        "The file holds this name, your answers and how sure you were, what the model said, the "
        "prompts you wrote, hints and times. Nothing is sent: you hand it in yourself."
    )
    with st.container(horizontal=True, key="lessons-files"):
        st.download_button(
            "Download worksheet",
            data=partial(_json, entries, name),
            file_name=file_name(name, "json"),
            mime=files.JSON,
            icon=":material/download:",
            type="primary" if stands_out else "secondary",
            key="lessons-download",
            on_click=state.saved,
            args=(entries,),
            help="One file, to hand in and to go on with",
        )
        st.download_button(
            "To read or print (HTML)",
            data=partial(_html, entries, name, lesson_caches.everything()),
            file_name=file_name(name, "html"),
            mime=files.HTML,
            icon=":material/print:",
            key="lessons-download_html",
            on_click="ignore",
        )


def file_name(name: str, ending: str) -> str:
    """What a worksheet's file is called.

    >>> file_name("Ada L./7b", "json"), file_name("", "html")
    ('worksheet-Ada-L-7b.json', 'worksheet.html')
    """
    kept = re.sub(r"[\W_]+", "-", name).strip("-")
    return f"worksheet{f'-{kept}' if kept else ''}.{ending}"


def _json(entries: tuple[Entry, ...], name: str) -> bytes:
    return files.utf8(lessons.worksheet.to_json(lessons.Worksheet(name=name, entries=entries)))


def _html(entries: tuple[Entry, ...], name: str, found: lessons.Lessons) -> bytes:
    sheet = lessons.Worksheet(name=name, entries=entries)
    return files.utf8(view.worksheets.html(sheet, found.by_key))


# ------------------------------------------------------------------ to go on


def _load() -> None:
    st.file_uploader(
        "A worksheet that this page saved (JSON)",
        type=["json"],
        key=state.UPLOAD,
        on_change=_take,
        help="Its answers are put together with those that are here; of two answers to a question "
        "the first one counts.",
    )


def _take() -> None:
    """Read the file that is in the box; what is here stays whatever it holds."""
    file = st.session_state.get(state.UPLOAD)
    st.session_state[state.LOADED] = None
    if file is None:
        return
    try:
        limits.UPLOAD.check(file.size)
        caches.import_libraries()
        read = lessons.worksheet.read(file.getvalue())
        here = lessons.Worksheet(
            name=st.session_state[state.NAME].strip(), entries=st.session_state[state.ENTRIES]
        )
        merged = lessons.worksheet.merged(here, read)
    except HeadrolesError as error:
        st.session_state[state.LOADED] = error
        return
    state.load(merged, read.entries, _said(here, read, merged))


def _said(here: Worksheet, read: Worksheet, merged: Worksheet) -> str:
    """What became of a file, in a sentence or two."""
    new = len(merged.entries) - len(here.entries)
    said = f"The worksheet holds {count(len(read.entries), 'answer')}"
    said += f"; {new:,} of them {'is' if new == 1 else 'are'} new here." if here.entries else "."
    if here.name and read.name and here.name != read.name:
        said += (
            f" It is called “{read.name}”, and yours “{here.name}”: if it is somebody else's, undo."
        )
    return said


def _told() -> None:
    """What became of the file that was read last."""
    told = st.session_state[state.LOADED]
    if isinstance(told, HeadrolesError):
        elements.show_error(told)
        if st.session_state[state.ENTRIES]:
            elements.note("Your answers here are as they were.")
    elif told is not None:
        st.success(plain(told), icon=":material/task_alt:")
