"""A lesson that is being written: its text, what is wrong with it, what models answer, put live."""

from __future__ import annotations

import hashlib
from functools import partial
from typing import TYPE_CHECKING

import streamlit as st

from headroles import lessons, limits, models, store
from headroles.errors import HeadrolesError
from headroles.formatting import in_one_line
from headroles.ui.admin import lesson_state, state
from headroles.ui.admin.desk import run_action
from headroles.ui.app import caches, elements, lesson_files, long_work, session
from headroles.view.html import count, plain, table

if TYPE_CHECKING:
    from headroles.lessons import Lesson, Lessons
    from headroles.lessons.checking import Row
    from headroles.ui.admin.desk import AdminSession

_SECONDS = {True: 0.3, False: 4.0}
"""{whether a model is bundled: about how long one question takes}."""


def draw(desk: AdminSession, found: Lessons) -> None:
    """Draw the box and what follows from its text."""
    st.subheader("Write a lesson", anchor=False)
    st.caption(
        "A lesson is one text file. Choose a file, paste a text, or take a lesson above as a "
        "beginning. Nothing is seen by students before you put it live."
    )
    _box()
    text = st.session_state[lesson_state.DRAFT]
    if not text.strip():
        st.info(
            "The box is empty. `docs/teachers.md` writes a lesson from nothing in a quarter of an "
            "hour.",
            icon=":material/edit_note:",
        )
        return
    name = _name()
    try:
        read = lessons.reading.parse(text.encode("utf-8", "replace"), name="The text")
    except lessons.reading.LessonError as error:
        _wrong(error, text)
        return
    st.success(
        f"The form is in order: **{plain(read.lesson.title)}**, "
        f"{count(len(read.lesson.steps), 'step')}, {_questions(read.lesson)}.",
        icon=":material/check_circle:",
    )
    _see(name, text)
    _check(read.lesson, name or "draft", text)
    _live(desk, name, text, found)


def _questions(lesson: Lesson) -> str:
    return f"{count(len(lesson.questions), 'question')} among them"


def _box() -> None:
    st.file_uploader(
        "A lesson's file",
        type=["toml", "txt"],
        key=lesson_state.UPLOAD,
        on_change=_uploaded,
    )
    if said := st.session_state[lesson_state.READ]:
        st.warning(plain(said), icon=":material/error:")
    st.text_area(
        "The text of the lesson",
        key=lesson_state.DRAFT,
        on_change=_typed,
        height=420,
        max_chars=limits.LESSON.most,
        persist_state="session",
        help="Ctrl + Enter checks it.",
    )
    with st.container(horizontal=True):
        st.button("Check the text", icon=":material/spellcheck:", key="admin-lesson_look")
        if st.session_state[lesson_state.BEFORE] is not None:
            st.button(
                "Bring back the text before",
                icon=":material/undo:",
                key="admin-lesson_back",
                on_click=lesson_state.bring_back,
            )


def _uploaded() -> None:
    file = st.session_state[lesson_state.UPLOAD]
    st.session_state[lesson_state.READ] = None
    if file is None:
        return
    raw = file.getvalue()
    try:
        limits.LESSON.check(len(raw))
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        st.session_state[lesson_state.READ] = (
            f"{file.name} is not in UTF-8. {lessons.reading.AS_UTF8} The text below is as it was."
        )
    except HeadrolesError as error:
        st.session_state[lesson_state.READ] = str(error)
    else:
        stem = file.name.rsplit(".", 1)[0]
        lesson_state.put_in(text, stem if lessons.lesson.is_key(stem) else "")


def _typed() -> None:
    """What was wrong with a file is no longer of interest."""
    st.session_state[lesson_state.READ] = None


def _name() -> str:
    """The name that it is going to have; "" while it is none."""
    st.text_input(
        "Its name in links",
        key=lesson_state.NAME,
        max_chars=store.class_lessons.LONGEST_KEY,
        persist_state="session",
        placeholder="my-lesson",
        help="Small letters, digits and hyphens: as the file is called, without .toml.",
        width=320,
    )
    name = (st.session_state[lesson_state.NAME] or "").strip()
    if name and not lessons.lesson.is_key(name):
        st.caption(f"“{plain(name)}” cannot be a name. Use small letters, digits and hyphens.")
    return name if lessons.lesson.is_key(name) else ""


def _wrong(error: lessons.reading.LessonError, text: str) -> None:
    """Every fault, with its line as it stands in the box, which shows no numbers of lines."""
    if not error.faults:
        elements.show_error(error)
        return
    rows = text.split("\n")
    body = "".join(
        f"\n- {plain(str(fault))}"
        + (f"  \n  {plain(in_one_line(rows[fault.line - 1], limit=100))}" if fault.line else "")
        for fault in error.faults
    )
    st.error(
        f"**{count(len(error.faults), 'thing')} to mend before it is a lesson:**\n{body}",
        icon=":material/error:",
    )


def _see(name: str, text: str) -> None:
    """The lesson on the page Lessons, for this session alone."""
    preview, shown = lesson_files.Preview(name or "draft", text), lesson_files.shown()
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            "See it as a student",
            icon=":material/visibility:",
            key="admin-lesson_preview",
            on_click=lesson_files.set_preview,
            args=(preview,),
            help="It stands first among the lessons, for you alone, until you end the preview.",
        )
        if shown is not None:
            st.button(
                "End the preview",
                icon=":material/close:",
                key="admin-lesson_end_preview",
                on_click=lesson_files.set_preview,
                args=(None,),
            )
    if shown == preview:
        st.page_link(
            session.LESSONS,
            label="Open the page Lessons: there it stands first, and you alone see it",
            icon=":material/school:",
        )
    elif shown is not None:
        st.caption("The preview shows an earlier text. See it as a student once more for this one.")


# ------------------------------------------------------------------ what models answer


def _check(lesson: Lesson, name: str, text: str) -> None:
    named = list(dict.fromkeys(m for step in lesson.steps for m in _models(lesson, step)))
    here = [model for model in named if _is_here(model)]
    away = [model for model in named if model not in here]
    if away:
        st.caption(
            f"Not on this server, so it cannot be checked on: {plain(', '.join(away))}. "
            "Load a model on any page, then come back."
        )
    if not here:
        return
    digest = hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
    chosen = st.multiselect(
        "Models that are asked",
        here,
        default=here,
        format_func=models.name_of,
        key=f"{lesson_state.ON}_{'_'.join(here)}",
    )
    if not chosen:
        st.caption("Choose at least one model.")
        return
    asked = [(m, step) for m in chosen for step in lesson.steps if m in _models(lesson, step)]
    work = (name, digest, tuple(chosen))
    seconds = sum(_SECONDS[models.entry_of(model).is_bundled] for model, _ in asked)
    if not long_work.offer(
        "lesson_check",
        work,
        "Ask every question",
        what="check of a lesson",
        seconds=max(seconds, long_work.LIGHT + 1),
    ):
        return
    plan = partial(long_work.Plan, [partial(_ask, name, *one) for one in asked])
    rows = long_work.run("lesson_check", work, plan, doing="Asking the models")
    if rows is not None:
        _answers(rows)


def _models(lesson: Lesson, step: object) -> tuple[str, ...]:
    return lessons.checking.models_of(step, lesson)


def _is_here(model: str) -> bool:
    try:
        caches.check_offered(model)
        return models.is_here(model)
    except HeadrolesError:
        return False


def _ask(name: str, model: str, step: object) -> Row:
    with caches.borrow(model) as loaded:
        return lessons.checking.check_step(name, step, loaded)


def _answers(rows: list[Row]) -> None:
    bad = [row for row in rows if row.faults]
    if bad:
        st.warning(
            f"{len(bad)} of {count(len(rows), 'answer')} do not hold.", icon=":material/error:"
        )
    else:
        st.success(
            f"All {len(rows)} hold: every question can be asked, and what the text relies on is "
            "so on these models.",
            icon=":material/check_circle:",
        )
    headers = ["Step", "Model", "Holds", "The text relies on", "The model says"]
    elements.html(
        table(
            headers,
            [
                [
                    row.step,
                    models.name_of(row.model),
                    " ".join(("✗ no:", *row.faults)) if row.faults else "✓ yes",
                    row.expected or "—",
                    row.found or "—",
                ]
                for row in rows
            ],
        )
    )


# ------------------------------------------------------------------ for everybody


def _live(desk: AdminSession, name: str, text: str, found: Lessons) -> None:
    of_class = name in found.of_class
    in_folder = name in lessons.reading.lie_in_folders()
    if not name:
        st.caption("Give it a name to put it live.")
    if of_class:
        st.checkbox(f"Replace the lesson “{plain(name)}” of the class", key=lesson_state.REPLACE)
    elif in_folder:
        st.checkbox(
            f"Stand in for the lesson “{plain(name)}” that is there already",
            key=lesson_state.REPLACE,
            help="Removing it later brings that lesson back.",
        )
    agreed = bool(st.session_state.get(lesson_state.REPLACE))
    st.button(
        "Put it live",
        type="primary",
        icon=":material/publish:",
        key="admin-lesson_live",
        disabled=not name or ((of_class or in_folder) and not agreed),
        on_click=_put,
        args=(desk, name, text, of_class),
    )


def _put(desk: AdminSession, name: str, text: str, replace: bool) -> None:
    if run_action(lambda: desk.office.keep_lesson(desk.ticket, name, text, replace=replace)):
        lesson_files.set_preview(None)
        st.session_state[lesson_state.REPLACE] = False
        said = f"“{name}” is live. Students see it from their next click."
        state.set_notice(state.Notice("done", said, "Undo, in the list below, takes it back."))
        st.toast(plain(said), icon=":material/check:")  # the notice stands far above the button
