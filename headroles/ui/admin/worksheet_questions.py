"""A lesson's questions as a class answered them, and one of them in full."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import streamlit as st

from headroles import charts, lessons, view
from headroles.ui.admin import state
from headroles.ui.app import elements
from headroles.view.html import plain, table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headroles.lessons.class_question import ClassQuestion, Group
    from headroles.lessons.classroom import Class
    from headroles.lessons.reading import Lessons
    from headroles.view.class_worksheets import Names

CLASS_LEGEND = (
    '<div class="hr-legend">'
    '<span><i class="hr-key hr-key-against"></i>class: students who chose the cell</span>'
    '<span><i class="hr-key hr-key-active"></i>head: its attention in %</span>'
    '<span><i class="hr-key hr-key-frame"></i>the strongest cells, which are right</span></div>'
)


def draw(found: Class, names: Names, here: Lessons) -> None:
    """Draw the questions of the chosen lesson, one of them in full, and certainty over all."""
    lesson = _lesson(found, here)
    questions = found.of_lesson(lesson)
    elements.html(
        table(view.class_worksheets.QUESTIONS, view.class_worksheets.question_rows(found, lesson))
    )
    question = _chosen(questions)
    _one(question, names)
    _certainty(found, lesson)


def _lesson(found: Class, here: Lessons) -> str:
    keys = list(found.totals)
    if st.session_state.get(state.CLASS_LESSON) not in keys:
        st.session_state[state.CLASS_LESSON] = keys[0]

    def title(key: str) -> str:
        return here.by_key[key].lesson.title if key in here.by_key else f"{key} (not here)"

    return st.selectbox(
        "Lesson", keys, format_func=title, key=state.CLASS_LESSON, persist_state="session"
    )


def _chosen(questions: Sequence[ClassQuestion]) -> ClassQuestion:
    by_key = {question.step: question for question in questions}
    keys = list(by_key)
    if st.session_state.get(state.CLASS_QUESTION) not in by_key:
        st.session_state[state.CLASS_QUESTION] = keys[0]
    place = keys.index(st.session_state[state.CLASS_QUESTION])
    with st.container(horizontal=True, vertical_alignment="bottom", key="admin-class_question_row"):
        chosen = st.selectbox(
            "Question",
            keys,
            format_func=lambda key: f"{keys.index(key) + 1}. {by_key[key].title}",
            key=state.CLASS_QUESTION,
            persist_state="session",
        )
        for label, icon, to in (("Before", "arrow_back", -1), ("Next", "arrow_forward", 1)):
            st.button(
                label,
                icon=f":material/{icon}:",
                key=f"admin-question_{label.lower()}",
                disabled=not 0 <= place + to < len(keys),
                on_click=_go,
                args=(keys[min(max(place + to, 0), len(keys) - 1)],),
            )
    return by_key[chosen]


def _go(key: str) -> None:
    st.session_state[state.CLASS_QUESTION] = key


def _one(question: ClassQuestion, names: Names) -> None:
    """One question in full."""
    group = question.groups[0]
    if len(question.groups) > 1:
        place = st.selectbox(
            "Students of whom the same was asked",
            range(len(question.groups)),
            format_func=lambda place: view.class_worksheets.group_name(question, place),
            key=f"{state.CLASS_GROUP}-{question.lesson}-{question.step}",
            help="Their numbers differ (other weights, or another version of the lesson), so their "
            "predictions are not counted together.",
        )
        group = question.groups[place]
    st.markdown(f"#### {plain(question.title)}")
    if group.step is not None:
        elements.html(_text(group, group.step.question))
    if group.answer.prompt and group.kind != "wake":
        st.caption(f"Prompt: {plain(group.answer.prompt)}")
    elements.conclusion(escape(view.class_worksheets.misunderstanding(group)))
    st.caption(plain(view.class_worksheets.result(group)))
    if said := view.class_worksheets.feedback(group):
        st.caption("What the lesson says to that:")
        elements.html(view.lesson_texts.to_html(said))
    _DRAW[group.kind](group, names)


def _text(group: Group, text: str) -> str:
    """A text of the lesson as HTML: it loads nothing, and its words explain themselves."""
    return view.lesson_texts.to_html(view.class_worksheets.filled(group, text))


def _cells(group: Group, _names: Names) -> None:
    pattern = view.worksheet_records.pattern(group)
    elements.chart(
        charts.classroom.class_and_head(*pattern),
        key="admin-class_cells",
        alt_text=f"Where {group.size} students expected the head to look, beside its attention. "
        f"{view.class_worksheets.misunderstanding(group)}",
    )
    elements.html(CLASS_LEGEND)
    _as_table(view.worksheet_records.CELLS, view.worksheet_records.pattern_rows(group))


def _options(group: Group, _names: Names) -> None:
    bars = view.worksheet_records.option_records(group)
    said = "; ".join(f"{bar['name']}: {bar['said']}" for bar in bars)
    elements.chart(
        charts.classroom.option_counts(bars, group.size),
        key="admin-class_options",
        alt_text=f"How many of {group.size} students chose each option. {said}.",
    )
    elements.note("✓ and a filled bar: right on this model.")
    _as_table(view.worksheet_records.OPTIONS, view.worksheet_records.option_rows(group))


def _numbers(group: Group, _names: Names) -> None:
    scale = view.worksheet_records.slider(group)
    bins = charts.classroom.bins(group.numbers, scale.low, scale.high, scale.step)
    answer = view.class_worksheets.number(group, group.answer.value)
    elements.chart(
        charts.classroom.numbers(bins, group.answer.value, title=scale.title, unit=scale.unit),
        key="admin-class_numbers",
        alt_text=f"What {group.size} students said; the model says {answer}. "
        f"{view.class_worksheets.misunderstanding(group)}",
    )
    elements.note(f"Dashed line: the model’s number, {escape(answer)}.")
    _as_table(view.worksheet_records.NUMBERS, view.worksheet_records.number_rows(group, bins))


def _prompts(group: Group, names: Names) -> None:
    elements.html(
        table(view.worksheet_records.PROMPTS, view.worksheet_records.prompt_rows(group, names))
    )


_DRAW = {
    "cells": _cells,
    "active": _options,
    "largest": _options,
    "number": _numbers,
    "wake": _prompts,
}


def _as_table(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    with st.expander("As a table", type="compact", key="admin-class_table"):
        elements.html(table(headers, rows))


def _certainty(found: Class, lesson: str) -> None:
    """Certainty against correctness, over all questions of the lesson."""
    entries = [e for student in found.students for e in student.entries if e.lesson == lesson]
    levels = lessons.class_question.certainty(entries)
    if not (said := view.class_worksheets.certainty(levels)):
        return
    st.markdown("#### How sure, and how right: the whole lesson")
    elements.chart(
        charts.classroom.certainty(view.worksheet_records.level_records(levels)),
        key="admin-class_certainty",
        alt_text=said,
    )
    elements.note(escape(said))
    with st.expander("As a table", type="compact", key="admin-certainty_table"):
        elements.html(
            table(
                ["How sure", "Answers", "Mean mark"], view.class_worksheets.certainty_rows(levels)
            )
        )
