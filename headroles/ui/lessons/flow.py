"""One lesson: how far one is, the step that is shown, and the ways to the others."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from headroles import models, view
from headroles.errors import HeadrolesError
from headroles.formatting import listing
from headroles.ui.app import caches as app_caches
from headroles.ui.app import (
    copy_link,
    download_progress,
    elements,
    page_settings,
    run_prompt,
    scope,
    session,
)
from headroles.ui.lessons import caches, overview, question, showing, state, summary, words
from headroles.ui.lessons.caches import Asked
from headroles.view.html import plain

if TYPE_CHECKING:
    from headroles.lessons import Lesson, Step
    from headroles.lessons.reading import Read

_ARRIVE = Path(__file__).with_name("arrive.js").read_text(encoding="utf-8")


def draw() -> None:
    """The open lesson; if there is none of that name, the list with a sentence."""
    key = st.session_state[state.LESSON]
    st.button(
        "All lessons",
        icon=":material/arrow_back:",
        type="tertiary",
        key="lessons-leave",
        on_click=state.leave,
    )
    read = caches.everything().by_key.get(key)
    if read is None:
        st.title("Lessons", anchor=False)
        st.warning(f"There is no lesson called “{plain(key)}” on this server. These are there:")
        overview.draw()
        return
    wanted = st.session_state[state.STEP]
    place = state.place_in(key, read.lesson)
    if wanted not in (None, st.session_state[state.STEP]):
        st.warning(f"This lesson has no step “{plain(wanted)}”. It begins here instead.")
    _head(read.lesson)
    _about_model(read.lesson)
    _progress(key, read.lesson, place)
    with st.container(key="lessons-body"):
        if place == len(read.lesson.steps):
            state.at_end(key, read.lesson)
            summary.draw(key, read.lesson)
        else:
            _step(key, read, place)
    _ways(key, read.lesson, place)
    _arrive(key, read.lesson, place)


def _head(lesson: Lesson) -> None:
    st.title(lesson.title, anchor=False)
    name = models.name_of(st.session_state[session.MODEL])
    goal = view.lesson_texts.filled(lesson.goal, model=name)
    elements.html(
        f'<div class="hr-lesson hr-goal">{view.lesson_texts.to_html(goal, everyday=True)}</div>'
    )


def _about_model(lesson: Lesson) -> None:
    """Say so if the lesson names other models than the chosen one, and offer to switch."""
    chosen = st.session_state[session.MODEL]
    if chosen in lesson.models:
        return
    offered = view.offer.offered()
    names = listing([plain(models.name_of(model)) for model in lesson.models], last="or")
    here = plain(models.name_of(chosen))
    st.info(
        f"This lesson was written for {names}. Its answers here are computed from {here} all the "
        "same; a sentence may not fit it.",
        icon=":material/info:",
    )
    if scope.is_class():  # whose model is fixed
        return
    for model in [model for model in lesson.models if model in offered][:1]:
        st.button(
            f"Switch to {plain(models.name_of(model))}",
            key="lessons-switch",
            on_click=session.use_model,
            args=(model,),
        )


# ------------------------------------------------------------------ how far one is


def _progress(key: str, lesson: Lesson, place: int) -> None:
    """Where one is in words, a dot per step, and whether any of them may be opened."""
    count = len(lesson.steps)
    where = "Summary" if place == count else f"Step {place + 1} of {count}"
    made = view.lesson_progress.progress(key, lesson, st.session_state[state.ENTRIES])
    with st.container(horizontal=True, vertical_alignment="center", key="lessons-progress"):
        elements.html(
            f'<p class="hr-small hr-where" role="status"><b>{where}</b> · {escape(made.words)}</p>',
            width="content",
        )
        with st.container(horizontal=True, key="lessons-dots", width="content"):
            for number, step in enumerate(lesson.steps):
                _dot(key, step, number, place)
            _last_dot(key, count, place)
        st.toggle(
            "Free order",
            key=state.FREE,
            persist_state="session",
            help="Open any step at any time. Without it, steps open one after the other.",
        )


def _dot(key: str, step: Step, number: int, place: int) -> None:
    is_text, shown = step.kind == "read", "radio_button_unchecked"
    what = "to read" if is_text else "not answered"
    if state.answers_to(key, step.key) or (is_text and number < state.reached(key)):
        shown, what = "check_circle", "read" if is_text else "answered"
    if number == place:
        shown, what = "radio_button_checked", "shown now"
    st.button(
        f"Step {number + 1}: {plain(step.title)} ({what})",
        icon=f":material/{shown}:",
        type="tertiary",
        key=f"lessons-dot_{number}",
        help=f"{number + 1}. {plain(step.title)}",
        disabled=not _may_open(key, number),
        on_click=state.go,
        args=(step.key,),
    )


def _last_dot(key: str, count: int, place: int) -> None:
    st.button(
        f"Summary{' (shown now)' if place == count else ''}",
        icon=":material/flag:",
        type="tertiary",
        key="lessons-dot_summary",
        help="Summary",
        disabled=not _may_open(key, count),
        on_click=state.go,
        args=(state.END,),
    )


def _may_open(key: str, place: int) -> bool:
    return st.session_state[state.FREE] or place < state.reached(key)


# ------------------------------------------------------------------ one step


def _step(key: str, read: Read, place: int) -> None:
    """The step's title, its text, and what it shows or asks."""
    step = read.lesson.steps[place]
    model = step.model or st.session_state[session.MODEL]
    elements.html(f'<h2 class="hr-step" id="lessons-here" tabindex="-1">{escape(step.title)}</h2>')
    if model != st.session_state[session.MODEL]:
        name = escape(models.name_of(model) if _is_known(model) else model)
        elements.note(f"This step asks another model: <b>{name}</b>.")
    asked = Asked(model, key, step)
    try:
        if words.needs_model(step) and not _is_here(model):
            return
        with st.spinner(f"Loading {plain(models.name_of(model))} …", show_time=False):
            said = words.of(asked)
        said.draw(step.text)
        if step.kind == "read":
            showing.draw(asked)
        else:
            question.draw(asked, read.digest, said)
    except HeadrolesError as error:
        _show_error(error, model, way_on="Next" if step.kind == "read" else "Skip")


def _is_known(model: str) -> bool:
    return model in view.offer.offered(hidden=True)


def _is_here(model: str) -> bool:
    """Whether a model is on this server; if not, its download is shown."""
    app_caches.check_offered(model)
    return download_progress.is_here(model, is_chosen=model == st.session_state[session.MODEL])


def _show_error(error: HeadrolesError, model: str, *, way_on: str) -> None:
    """Why a step cannot be shown, and that the lesson goes on."""
    is_chosen = model == st.session_state[session.MODEL]
    if is_chosen and model not in app_caches.models_in_memory().names():
        run_prompt.show_model_error(error)
    else:
        elements.show_error(error)
    elements.note(f"This step stops here. The rest of the lesson goes on: press <b>{way_on}</b>.")


# ------------------------------------------------------------------ the ways on


def _ways(key: str, lesson: Lesson, place: int) -> None:
    """Back and Next; a question that is not answered is skipped."""
    names = [*(step.key for step in lesson.steps), state.END]
    with st.container(horizontal=True, vertical_alignment="center", key="lessons-ways"):
        st.button(
            "Back",
            icon=":material/arrow_back:",
            key="lessons-back",
            disabled=place == 0,
            on_click=state.go,
            args=(names[max(place - 1, 0)],),
        )
        if place < len(lesson.steps):
            _next(lesson, place, names, is_open=_is_open(key, lesson, place))
        with st.container(horizontal=True, key="lessons-share", width="content"):
            copy_link.draw()


def _is_open(key: str, lesson: Lesson, place: int) -> bool:
    """Whether the step that is shown waits for an answer."""
    step = lesson.steps[place]
    return step.kind != "read" and state.is_asked(key, step.key)


def _next(lesson: Lesson, place: int, names: Sequence[str], *, is_open: bool) -> None:
    is_last = place == len(lesson.steps) - 1
    st.button(
        "Skip" if is_open else "To the summary" if is_last else "Next",
        icon=":material/arrow_forward:",
        icon_position="right",
        type="secondary" if is_open else "primary",
        key="lessons-next",
        on_click=state.go,
        args=(names[place + 1],),
    )


def _arrive(key: str, lesson: Lesson, place: int) -> None:
    """Let the browser go to what a click has brought: a step, or the answer to its question."""
    if not st.session_state[state.MOVED]:
        return
    told = (
        place < len(lesson.steps)
        and lesson.steps[place].kind != "read"
        and not _is_open(key, lesson, place)
        and st.session_state[state.TOLD] == st.session_state[state.MOVED]
    )
    script = _ARRIVE.replace("TARGET", "lessons-answer" if told else "lessons-here")
    page_settings.script(f"// {st.session_state[state.MOVED]}\n{script}")
