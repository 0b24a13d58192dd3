"""The end of a lesson: what was right, certainty held against it, and where to go next."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import streamlit as st

from headroles import view
from headroles.ui.app import elements, scope, session
from headroles.ui.lessons import caches, state, worksheet
from headroles.view.html import plain, table

if TYPE_CHECKING:
    from headroles.lessons import Lesson

MOST_AGAIN = 4
"""Most questions that get a button of their own."""


def draw(key: str, lesson: Lesson) -> None:
    """The whole summary of a lesson.

    Args:
        key: the lesson's.
        lesson: the lesson.
    """
    words = view.lesson_progress
    rows = words.rows(key, lesson, st.session_state[state.ENTRIES])
    firsts = [row.first for row in rows if row.first is not None]
    elements.html('<h2 class="hr-step" id="lessons-here" tabindex="-1">Summary</h2>')
    levels = words.by_certainty(firsts)
    said = [words.outcome(rows), words.certainty_sentence(levels)]
    elements.conclusion(escape(" ".join(filter(None, said))))
    _again(rows)
    if rows:
        with st.expander("Question by question", expanded=bool(firsts), key="lessons-by_question"):
            elements.html(table(words.TABLE, words.table_rows(rows)))
        elements.note(
            "The first answer counts: only it was given before the model's was known. Partly "
            "right means that some of it was: some cells or ticks, or a number not far off."
        )
    _onward(key, is_done=len(firsts) == len(rows))
    worksheet.draw(stands_out=True)


def _again(rows: list[view.lesson_progress.Row]) -> None:
    """The questions that are worth a second look, and those that are left."""
    surprises = view.lesson_progress.surprises(rows)
    if surprises:
        elements.html(
            f'<p class="hr-explain">{escape(view.lesson_progress.surprise_sentence(surprises))}</p>'
        )
    left = [row for row in rows if row.first is None]
    shown = [("Look again", row) for row in surprises] + [("Answer", row) for row in left]
    if not shown:
        return
    with st.container(horizontal=True, key="lessons-second_look"):
        for what, row in shown[:MOST_AGAIN]:
            st.button(
                f"{what}: {plain(row.question.title)}",
                key=f"lessons-second_{row.question.key}",
                on_click=state.go,
                args=(row.question.key,),
            )


def _onward(key: str, *, is_done: bool) -> None:
    """The next lesson, which stands out once this one is done, and a sentence of one's own."""
    found = caches.everything()
    upcoming = view.lesson_progress.next_lesson(
        found.by_key,
        st.session_state[state.ENTRIES],
        after=key,
        seen=st.session_state[state.SEEN],
    )
    with st.container(horizontal=True, vertical_alignment="center", key="lessons-onward"):
        if upcoming is not None:
            title = found.by_key[upcoming].lesson.title
            st.button(
                f"Next lesson: {plain(title)}",
                icon=":material/arrow_forward:",
                icon_position="right",
                type="primary" if is_done else "secondary",
                key="lessons-next_lesson",
                on_click=state.open_lesson,
                args=(upcoming,),
            )
        else:
            elements.note("There is no other lesson left to do.")
        if scope.offers(session.YOUR_PROMPT):
            st.page_link(
                session.YOUR_PROMPT,
                label="Try it on a sentence of your own",
                icon=":material/edit_note:",
            )
