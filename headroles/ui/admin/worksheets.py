"""The worksheets of a class: files in, what the class did and believed out.

Nothing of it is written to the server's disk: files and results stay with the session.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import streamlit as st

from headroles import lessons, limits, view
from headroles.errors import HeadrolesError
from headroles.ui.admin import state, worksheet_files, worksheet_questions, worksheet_remaking
from headroles.ui.app import elements, lesson_files
from headroles.view.html import count, plain, table

if TYPE_CHECKING:
    from headroles.lessons.classroom import Class, Pile
    from headroles.lessons.reading import Lessons
    from headroles.view.class_worksheets import Names

BY_FILE, BY_FOLDER = "Files or a zip", "A folder"
QUESTIONS, STUDENTS, MADE, GRADEBOOK = "Questions", "Students", "Check the numbers", "Gradebook"
HOW_TO = (
    "1. Students work through a lesson on the page *Lessons* and save their worksheet there: one "
    "file that ends in `.json`.\n"
    "2. They hand it in as any other file, in an assignment of Moodle, Canvas or another course "
    "system, or by mail.\n"
    "3. Download all submissions there as one zip and upload it here as it is: who handed in what "
    "is read off the names that the course system gave.\n\n"
    "To try this page before, let `python -m scripts.make_class FOLDER` make up a class of thirty."
)


def draw() -> None:
    """Draw the uploader, and what was read from its files."""
    st.subheader("Worksheets of a class", anchor=False)
    st.caption(
        "What your students predicted in the lessons, question by question. The files and what is "
        "read from them stay in this visit’s memory and are not stored on the server."
    )
    pile: Pile | HeadrolesError | None = st.session_state[state.PILE]
    # Another key folds it away when there is something to see below.
    which = "first" if pile is None else "other"
    label = "Choose worksheets" if pile is None else "Choose other worksheets"
    with st.expander(label, expanded=pile is None, key=f"admin-{which}_worksheets"):
        _uploader()
    if st.session_state[state.TO_READ] is not None:
        _read(st.session_state[state.TO_READ])
        st.rerun()
    if pile is None:
        st.info("**No worksheets yet.** How to collect them:", icon=":material/inbox:")
        st.markdown(HOW_TO)
    elif isinstance(pile, HeadrolesError):
        elements.show_error(pile)
    else:
        _class(pile)


def _uploader() -> None:
    how = st.segmented_control(
        "What you have",
        [BY_FILE, BY_FOLDER],
        key=state.HOW,
        default=BY_FILE,
        required=True,
        persist_state="session",
    )
    key = state.FOLDER if how == BY_FOLDER else state.FILES
    st.file_uploader(
        f"{how} with worksheets",
        type=["json", "zip"],
        accept_multiple_files="directory" if how == BY_FOLDER else True,
        key=key,
        on_change=_take,
        args=(key,),
        help=f"Up to {limits.UPLOAD.most >> 20} MB each. Folders in it may be nested; what is no "
        "worksheet is named and left out. Larger zips: unpack them and choose the folder.",
    )
    if st.session_state[state.PILE] is not None:
        st.button(
            "Forget these worksheets",
            icon=":material/delete:",
            key="admin-forget_worksheets",
            on_click=state.forget_worksheets,
        )


def _take(key: str) -> None:
    st.session_state[state.TO_READ] = key


def _read(key: str) -> None:
    """Read the files of an uploader, with a bar."""
    files = st.session_state.get(key) or []
    state.forget_worksheets()
    if not files:
        return
    bar = st.progress(0.0, "Reading worksheets")

    def tell(done: int, of: int) -> None:
        if done % 10 == 0:
            bar.progress(done / max(of, 1), f"Reading worksheets: {done:,} of {of:,}")

    try:
        given = [lessons.handed_in.File(file.name, file.getvalue()) for file in files]
        st.session_state[state.PILE] = lessons.classroom.pile(given, tell)
    except HeadrolesError as error:
        st.session_state[state.PILE] = error
    bar.empty()


def _gathered(pile: Pile, here: Lessons, *, altered: bool) -> Class:
    made_of = (id(pile), altered, tuple((k, read.digest) for k, read in here.by_key.items()))
    kept = st.session_state[state.GATHERED]
    if kept is None or kept[0] != made_of:
        found = lessons.classroom.gather(pile, here, altered=altered)
        kept = st.session_state[state.GATHERED] = (made_of, found)
    return kept[1]


def _class(pile: Pile) -> None:
    here = lesson_files.stored(hidden=True)
    with st.container(horizontal=True, vertical_alignment="center", key="admin-class_switches"):
        hidden = st.toggle(
            "Hide names",
            key=state.HIDE_NAMES,
            persist_state="session",
            help="For the projector: a number stands for each student and file. What students "
            "wrote is shown as it is, and files to download hold the names.",
        )
        altered = pile.altered and st.toggle(
            "Count altered worksheets",
            key=state.COUNT_ALTERED,
            persist_state="session",
            help="They were changed after they were saved, by hand or by a program; nobody can "
            "tell what was changed.",
        )
    found = _gathered(pile, here, altered=bool(altered))
    names = view.class_worksheets.Names(found, hidden=hidden)
    elements.conclusion(escape(view.class_worksheets.summary(pile, found)))
    _apart(pile, names, counts=bool(altered))
    for said in view.class_worksheets.notes(found, names):
        st.caption(f":material/info: {plain(said)}")
    if not found.questions:
        st.info("No worksheet that counts holds an answer.", icon=":material/inbox:")
        return
    _view(found, names, here)


def _view(found: Class, names: Names, here: Lessons) -> None:
    shown = st.segmented_control(
        "What to show",
        [QUESTIONS, STUDENTS, MADE, GRADEBOOK],
        key=state.CLASS_VIEW,
        default=QUESTIONS,
        required=True,
        persist_state="session",
        label_visibility="collapsed",
    )
    if shown == STUDENTS:
        elements.html(
            table(view.class_worksheets.STUDENTS, view.class_worksheets.student_rows(found, names))
        )
        st.caption(
            "Questions are those of all lessons that anybody in the class worked on. *Sure and "
            "wrong*: answers held for fairly sure or certain with less than half the mark."
        )
    elif shown == MADE:
        worksheet_remaking.draw(found, here)
    elif shown == GRADEBOOK:
        worksheet_files.draw(found)
    else:
        worksheet_questions.draw(found, names, here)


def _apart(pile: Pile, names: Names, *, counts: bool) -> None:
    """The files that are no worksheets, and those that were altered, each by name."""
    if pile.altered:
        files = [names.file(one.path) for one in pile.altered]
        they, do = ("It", "does") if len(files) == 1 else ("They", "do")
        counted = f"{they} {do} {'' if counts else 'not '}count"
        st.warning(
            f"**{count(len(files), 'worksheet')} altered after saving.** {counted}: "
            f"{plain(', '.join(files))}.",
            icon=":material/edit_document:",
        )
    if pile.left_out:
        label = f"{count(len(pile.left_out), 'file')} left out, with the reason"
        with st.expander(label, icon=":material/warning:", key="admin-left_out"):
            rows = [[names.file(one.path), one.why] for one in pile.left_out]
            elements.html(table(["File", "Why it does not count"], rows))
