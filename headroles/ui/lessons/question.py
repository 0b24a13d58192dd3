"""A question: a prediction, how sure one is, and only then the model's answer."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import streamlit as st

from headroles import lessons, models, view
from headroles.errors import HeadrolesError
from headroles.formatting import count
from headroles.roles import ROLES
from headroles.ui.app import elements, long_work
from headroles.ui.lessons import asking, caches, revealing, state, waking
from headroles.view.html import plain

if TYPE_CHECKING:
    from headroles.lessons import Entry, Prediction
    from headroles.ui.lessons.caches import Asked
    from headroles.ui.lessons.words import Words


def draw(asked: Asked, digest: str, said: Words) -> None:
    """The question, or its answer once that was told.

    Args:
        asked: the step and the model.
        digest: of the lesson's file.
        said: makes HTML of the step's texts.

    Raises:
        HeadrolesError: if it cannot be asked of this model.
    """
    said.draw(asked.step.question, kind="hr-question")
    if not state.is_asked(asked.lesson, asked.step.key):
        _told(asked, digest, said)
    elif asked.step.kind == "wake":
        _wake(asked, digest, said)
    else:
        _ask(asked, digest, said)


def _ask(asked: Asked, digest: str, said: Words) -> None:
    step, key = asked.step, state.widget(asked.lesson, asked.step.key)
    began = state.first_asked(asked.lesson, step.key, lessons.worksheet.now())
    with st.spinner("Preparing the question …"):
        prediction = asking.draw(step, asked, key=key)
    sure = _certainty(key)
    _hints(asked, said)
    missing = _missing(prediction, sure)
    with st.container(horizontal=True, vertical_alignment="center", key="lessons-reveal_row"):
        st.button(
            "Reveal",
            icon=":material/visibility:",
            type="primary",
            key="lessons-reveal",
            disabled=bool(missing),
            on_click=state.reveal,
            args=(key,),
        )
        if missing:
            st.caption(missing)
        _keep_old(asked)
    if state.is_wanted(key) and prediction is not None and sure is not None:
        found = long_work.run(
            "lessons_answer",
            caches.name(asked),
            partial(caches.plan, asked),
            doing="Asking the model",
            show_error=_give_up,
            bar_first=lessons.measuring.knocks_out(asked.step),
        )
        if found is None:  # it goes on below, or has told why it cannot
            return
        state.answered(_entry(asked, digest, prediction, found, sure=sure, asked_at=began))
        st.rerun()


def _give_up(error: HeadrolesError) -> None:
    state.reveal(None)
    elements.show_error(error)


def _certainty(key: str) -> int | None:
    return st.segmented_control(
        "How sure are you?",
        range(1, len(lessons.lesson.CERTAINTIES) + 1),
        format_func=lambda sure: lessons.lesson.CERTAINTIES[sure - 1],
        key=f"{key}_sure",
        persist_state="session",
    )


def _missing(prediction: Prediction | None, sure: int | None) -> str:
    """What is still to be said before the answer is; "" for nothing."""
    parts = ["your prediction"] * (prediction is None) + ["how sure you are"] * (sure is None)
    return f"Still missing: {' and '.join(parts)}." if parts else ""


def _hints(asked: Asked, said: Words) -> None:
    """The hints that were asked for, and the button for the next one."""
    hints, lesson, step = asked.step.hints, asked.lesson, asked.step.key
    shown = min(state.hints(lesson, step), len(hints))
    for number, hint in enumerate(hints[:shown], 1):
        said.draw(f"**Hint {number}.** {hint}", kind="hr-hint")
    if shown < len(hints):
        st.button(
            f"Show a hint ({shown + 1} of {len(hints)})",
            icon=":material/lightbulb:",
            type="tertiary",
            key="lessons-hint",
            on_click=state.hint,
            args=(lesson, step),
            help="Your worksheet says how many hints you took",
        )


def _keep_old(asked: Asked) -> None:
    """The way back from answering once more."""
    if state.answers_to(asked.lesson, asked.step.key):
        st.button(
            "Back to my answer",
            type="tertiary",
            key="lessons-keep",
            on_click=state.keep_answer,
            args=(asked.lesson, asked.step.key),
        )


def _entry(
    asked: Asked,
    digest: str,
    prediction: Prediction,
    found: lessons.Answer,
    *,
    sure: int | None,
    asked_at: object,
    **settings: object,
) -> Entry:
    """What is kept of an answer.

    Raises:
        HeadrolesError: if the prediction does not fit the question.
    """
    return lessons.Entry(
        lesson=asked.lesson,
        lesson_digest=digest,
        step=asked.step.key,
        kind=asked.step.kind,
        prediction=prediction,
        sure=sure,
        answer=found,
        score=lessons.mark(asked.step, found, prediction).score,
        asked=asked_at,
        answered=lessons.worksheet.now(),
        **{"hints": state.hints(asked.lesson, asked.step.key), **settings},
    )


def _wake(asked: Asked, digest: str, said: Words) -> None:
    """A prompt is written until the head wakes, or the solution is asked for."""
    step = asked.step
    began = state.first_asked(asked.lesson, step.key, lessons.worksheet.now())
    done = waking.draw(step, asked, key=state.widget(asked.lesson, step.key))
    _keep_old(asked)
    if done is None or done.answer is None or not done.is_over:
        return
    entry = _entry(
        asked,
        digest,
        lessons.Prediction(prompt=done.prompt),
        done.answer,
        sure=None,
        asked_at=began,
        hints=done.hints,
        tries=done.tries,
    )
    state.answered(entry)
    st.rerun()


# ------------------------------------------------------------------ the answer


def _told(asked: Asked, digest: str, said: Words) -> None:
    """The prediction with the model's answer over it, and why it is so."""
    answers = state.answers_to(asked.lesson, asked.step.key)
    entry = answers[-1]
    elements.html('<h3 class="hr-unseen" id="lessons-answer" tabindex="-1">The answer</h3>')
    if entry.kind != asked.step.kind:
        st.info(
            "This question was another one when you answered it. Your worksheet keeps that answer; "
            "you can answer it again as it is now."
        )
    else:
        revealing.draw(asked.step, entry, key=f"{state.widget(asked.lesson, entry.step)}_told")
        if entry.lesson_digest == digest:  # else it may speak to other options
            _feedback(asked, entry, said)
        said.draw(asked.step.explain, kind="hr-why")
    with st.container(horizontal=True, vertical_alignment="center", key="lessons-told_row"):
        st.button(
            "Answer again",
            icon=":material/replay:",
            type="tertiary",
            key="lessons-again",
            on_click=state.answer_again,
            args=(asked.lesson, asked.step.key),
            help="Your first answer stays the one that counts",
        )
        if notes := _notes(asked, answers):
            st.caption(" ".join(notes))


def _feedback(asked: Asked, entry: Entry, said: Words) -> None:
    """What the lesson says to this very prediction, where it says anything."""
    several = lessons.marking.feedback(asked.step, entry.answer, entry.prediction)
    for told in several:
        to = f"**{_to(told.to)}:** " if len(several) > 1 else ""
        said.draw(f"{to}{told.text}", kind="hr-feedback")


def _to(predicted: str) -> str:
    """What a lesson speaks to, as the student saw it (Markdown)."""
    if predicted in (lessons.lesson.TOO_LOW, lessons.lesson.TOO_HIGH):
        return predicted.capitalize()
    if predicted in ROLES:
        return plain(ROLES[predicted].name)
    return "Start token" if predicted == "0" else f"“{plain(predicted)}”"


def _notes(asked: Asked, answers: list[Entry]) -> list[str]:
    """What else is to be known of an answer: earlier ones, and another model."""
    notes, entry = [], answers[-1]
    if len(answers) > 1:
        was = view.lesson_progress.result(answers[0].score)
        notes.append(
            f"Answered {count(len(answers), 'time')}; the first answer counts, and it was {was}."
        )
    if entry.answer.model != asked.model:
        names = [plain(models.name_of(model)) for model in (entry.answer.model, asked.model)]
        notes.append(f"This is the answer of {names[0]}. To ask {names[1]}, answer again.")
    return notes
