"""The list of lessons: a card each, and the one to take next with the filled button."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import TYPE_CHECKING

import streamlit as st

from headroles import view
from headroles.formatting import count, listing
from headroles.ui.app import elements
from headroles.ui.lessons import caches, state, worksheet
from headroles.view.html import plain

if TYPE_CHECKING:
    from headroles.lessons.reading import Read


def draw() -> None:
    """The cards, the worksheet, and which files are no lessons."""
    found = caches.everything()
    entries = st.session_state[state.ENTRIES]
    upcoming = view.lesson_progress.next_lesson(
        found.by_key, entries, seen=st.session_state[state.SEEN]
    )
    if not found.by_key:
        st.info("There are no lessons on this server. An instructor can add some: see the docs.")
    numbered = dict(zip(found.by_key, range(1, len(found.by_key) + 1), strict=True))
    easy = {key: read for key, read in found.by_key.items() if not read.lesson.advanced}
    hard = {key: read for key, read in found.by_key.items() if read.lesson.advanced}
    _cards("cards", easy, numbered, upcoming)
    if hard:
        st.subheader("For the advanced", anchor=False)
        _cards("advanced", hard, numbered, upcoming)
    if found.faults:
        names = listing([plain(name) for name in found.faults])
        files = "This file holds" if len(found.faults) == 1 else "These files hold"
        st.caption(f"{files} no lesson, and an instructor can see why on the Admin page: {names}.")
    worksheet.draw()


def _cards(
    name: str, some: Mapping[str, Read], numbers: Mapping[str, int], upcoming: str | None
) -> None:
    if not some:
        return
    with st.container(key=f"lessons-{name}"):
        for key, read in some.items():
            with st.container(border=True, key=f"lessons-card_{key}", height="stretch"):
                _card(key, read, numbers[key], is_next=key == upcoming)


def _card(key: str, read: Read, number: int, *, is_next: bool) -> None:
    """A lesson's title, what can be done afterwards, how long it takes, and how far one is."""
    lesson = read.lesson
    made = view.lesson_progress.progress(key, lesson, st.session_state[state.ENTRIES])
    is_done = made.is_done or key in st.session_state[state.SEEN]
    begun = is_done or made.answered > 0 or key in st.session_state[state.PLACES]
    mark = "✓" if is_done else "◐" if begun else "○"
    goal = view.lesson_texts.to_html(
        view.lesson_texts.filled(lesson.goal, model="the model"), everyday=number == 1
    )
    elements.html(
        f'<div class="hr-cardhead{" hr-awake" if is_done else ""}">'
        f'<span class="hr-dot" aria-hidden="true">{mark}</span>'
        f"<h3>{number}. {escape(lesson.title)}</h3></div>"
        f'<div class="hr-lesson hr-goal">{goal}</div>'
        f'<p class="hr-small">{"Done · " if is_done else ""}{count(lesson.minutes, "minute")} · '
        f"{escape(made.words)}</p>"
    )
    st.button(
        "Look again" if is_done else "Go on" if begun else "Start",
        key=f"lessons-open_{key}",
        type="primary" if is_next else "secondary",
        icon=":material/play_arrow:" if is_next else None,
        on_click=state.open_lesson,
        args=(key,),
        help=f"Lesson {number}: {plain(lesson.title)}",
    )
