"""Points for a gradebook, and every answer as a file."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import streamlit as st

from headroles import export, view
from headroles.ui.admin import state
from headroles.ui.app import download_button, files, lesson_files
from headroles.view.html import count

if TYPE_CHECKING:
    from headroles.lessons.classroom import Class
    from headroles.view.gradebooks import Grading

EVERY = "all lessons together"
BASES = {"taking part": "participation", "the score": "score"}
"""{what the reader sees: what points are for}."""


def draw(found: Class) -> None:
    """Draw the choice of points, and a button per file."""
    grading = _grading(found)
    st.caption(
        "Taking part: points for the share of questions that were answered, right or wrong; a "
        "prediction is no examination. The score: the mean mark, a question left out counts as 0."
    )
    if unknown := view.gradebooks.nameless(found):
        st.caption(
            f"{count(len(unknown), 'student')} without any name are left out of the gradebooks."
        )
    offered = [
        files.File("Points for Moodle", "headroles_moodle.csv", files.CSV,
                   partial(_gradebook, found, "moodle", grading)),
        files.File("Points for Canvas", "headroles_canvas.csv", files.CSV,
                   partial(_gradebook, found, "canvas", grading)),
        files.File("Every answer as CSV", "headroles_answers.csv", files.CSV,
                   lambda: export.csv_bytes(view.gradebooks.long_csv(found))),
        files.File("Everything as JSON", "headroles_class.json", files.JSON,
                   lambda: files.utf8(view.gradebooks.as_json(found))),
    ]  # fmt: skip
    with st.container(horizontal=True, key="admin-class_files"):
        download_button.buttons(offered, keys="admin-", icon=":material/download:", width="content")
    st.markdown(
        "- **Moodle**: *Upload grading worksheet* in the assignment takes the file as it is, if "
        "the zip came from Moodle; *Grades, Import, CSV file* takes any: map *Name on the "
        "worksheet* or *Email address* to the student, *Grade* and *Feedback comments* to the "
        "grade item.\n"
        "- **Canvas**: *Grades, Import* takes the file as it is. Students are found by their ID, "
        "where the zip came from Canvas, or else by login or name; the column’s name is that of "
        "the assignment."
    )


def _grading(found: Class) -> Grading:
    here = lesson_files.stored(hidden=True).by_key
    titles = {key: read.lesson.title for key, read in here.items()}
    with st.container(horizontal=True, vertical_alignment="bottom", key="admin-grading"):
        points = st.number_input(
            "Points, at most", 0.0, 1_000.0, 10.0, step=1.0, key=state.POINTS,
            persist_state="session", width=140,
        )  # fmt: skip
        basis = st.segmented_control(
            "Points for",
            list(BASES),
            key=state.BASIS,
            default=next(iter(BASES)),
            required=True,
            persist_state="session",
        )
        if st.session_state.get(state.GRADED) not in (None, EVERY, *found.totals):
            del st.session_state[state.GRADED]
        lesson = st.selectbox(
            "Lesson", [EVERY, *found.totals], format_func=lambda key: titles.get(key, key),
            key=state.GRADED, persist_state="session", width=280,
        )  # fmt: skip
        name = st.text_input(
            "Name of the assignment in Canvas",
            view.gradebooks.ASSIGNMENT,
            max_chars=120,
            key=state.ASSIGNMENT,
            persist_state="session",
            width=260,
        )
    named = " ".join((name or "").split()) or view.gradebooks.ASSIGNMENT
    return view.gradebooks.Grading(points, BASES[basis], None if lesson == EVERY else lesson, named)


def _gradebook(found: Class, system: str, grading: Grading) -> bytes:
    return files.utf8(view.gradebooks.gradebook(found, system, grading))
