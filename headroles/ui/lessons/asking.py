"""What a student chooses before the answer is shown: one widget per kind of question.

Each returns a :class:`headroles.lessons.Prediction`, or None as long as something is missing.
What was chosen stays in the session, on other pages too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from headroles import lessons, view
from headroles.errors import HeadrolesError
from headroles.formatting import count
from headroles.ui.app import elements
from headroles.ui.lessons import caches, revealing
from headroles.view.html import plain

if TYPE_CHECKING:
    from headroles.lessons import Prediction
    from headroles.lessons.lesson import Active, Cells, Largest, Question, Value
    from headroles.ui.lessons.caches import Asked

NONE_OF_THEM = "None of them"


def draw(step: Question, asked: Asked, *, key: str) -> Prediction | None:
    """Draw the widget of a question other than ``wake``; what is chosen, None while it is no whole
    prediction.

    Args:
        step: the question.
        asked: the same, with the model that is asked.
        key: what the keys of the widgets begin with; another one for every question and model.
    """
    try:
        return {"cells": _cells, "active": _active, "largest": _largest, "number": _number}[
            step.kind
        ](step, asked, key)
    except HeadrolesError as error:
        elements.show_error(error)
        return None


# ------------------------------------------------------------------ cells


def _cells(step: Cells, asked: Asked, key: str) -> Prediction | None:
    """A row of words for every token that looks; the words are what it can look at."""
    revealing.prompt(lessons.places.text_of(step.prompt, asked.model))
    with st.spinner("Reading the prompt …"):
        tokens = caches.tokens(asked)
    names = view.lessons.names(tokens)
    queries = [lessons.places.position_of(tokens, query) for query in step.queries]
    first = int(step.without_first)
    chosen = {}
    for query in queries:
        row = f"{key}_{len(tokens)}_{query}"
        with st.container(key=f"{row}_chips", gap="xsmall"):
            chosen[query] = _row(names, query, first=first, each=step.each, key=row)
    elements.note(view.lessons.chips_note(names, without_first=step.without_first))
    if left := sum(not keys for keys in chosen.values()):
        if len(queries) > 1 and left < len(queries):
            st.caption(f"{count(left, 'row')} still without a choice.")
        return None
    cells = tuple((query, k) for query, keys in chosen.items() for k in sorted(keys))
    return lessons.Prediction(cells=cells)


def _row(names: list[str], query: int, *, first: int, each: int, key: str) -> list[int]:
    """The tokens up to one, as chips; the positions of those that are chosen."""
    most = min(each, query + 1 - first)
    asks = view.lessons.row_question(names, query, most=most)
    elements.html(f'<p class="hr-laid-from">{asks}</p>')
    chosen = st.pills(
        # Read out, never shown, so nothing in it is Markdown.
        view.lessons.row_question(names, query, most=most, spoken=True),
        range(first, query + 1),
        format_func=lambda place: view.lessons.chip(names, place),
        selection_mode="single" if most == 1 else "multi",
        key=key,
        on_change=_keep_latest,
        args=(key, most),
        label_visibility="collapsed",
        persist_state="session",
    )
    keys = [chosen] if isinstance(chosen, int) else chosen or []
    return [place for place in keys if isinstance(place, int)][-most:]


def _keep_latest(key: str, most: int) -> None:
    """One more than may be chosen takes the place of the earliest choice."""
    chosen = st.session_state[key]
    if isinstance(chosen, list) and len(chosen) > most:
        st.session_state[key] = chosen[-most:]


# ------------------------------------------------------------------ roles or heads


def _active(step: Active, asked: Asked, key: str) -> Prediction | None:
    """A box to tick per role or head, and one for none of them."""
    revealing.prompt(lessons.places.text_of(step.prompt, asked.model))
    with st.spinner("Reading the prompt …"):
        labels = [option.label for option in caches.answer(asked).options]
    none = f"{key}_none"
    none_of_them = bool(st.session_state.get(none))
    with st.container(key=f"{key}_boxes", gap="xsmall"):
        ticked = [
            label
            for place, label in enumerate(labels)
            if st.checkbox(
                plain(label),
                key=f"{key}_tick_{place}",
                disabled=none_of_them,
                persist_state="session",
            )
            and not none_of_them
        ]
        st.checkbox(NONE_OF_THEM, key=none, disabled=bool(ticked), persist_state="session")
    if not ticked and not none_of_them:
        return None
    return lessons.Prediction(chosen=tuple(ticked))


# ------------------------------------------------------------------ one of several


def _largest(step: Largest, asked: Asked, key: str) -> Prediction | None:
    """One of the options, or that they are about the same."""
    if step.case.prompt is not None:
        revealing.prompt(lessons.places.text_of(step.case.prompt, asked.model))
    labels = [option.label for option in step.options]
    if step.same_within is not None:
        labels.append(lessons.lesson.SAME)
    place = st.radio(
        "Your prediction",
        range(len(labels)),
        index=None,
        format_func=lambda place: plain(labels[place]),
        key=f"{key}_option",
        persist_state="session",
    )
    if note := view.lessons.same_note(step):
        st.caption(note)
    return None if place is None else lessons.Prediction(chosen=(labels[place],))


# ------------------------------------------------------------------ a number


def _number(step: Value, asked: Asked, key: str) -> Prediction | None:
    """A slider, which begins in the middle and counts once it was moved."""
    if step.case.prompt is not None:
        revealing.prompt(lessons.places.text_of(step.case.prompt, asked.model))
    moved = f"{key}_moved"
    steps = round((step.high - step.low) / step.step)
    value = st.slider(
        view.lessons.slider_label(step),
        float(step.low),
        float(step.high),
        float(step.low + steps // 2 * step.step),
        float(step.step),
        format=view.lessons.slider_format(step),
        key=f"{key}_slider",
        on_change=_set_moved,
        args=(moved,),
        persist_state="session",
    )
    if not st.session_state.get(moved):
        st.caption("Move it to what you expect, with the mouse, a finger or the arrow keys.")
        return None
    return lessons.Prediction(number=round(value, 10))


def _set_moved(moved: str) -> None:
    st.session_state[moved] = True
