"""The session keys of the page Lessons, and the functions that change more than one of them.

What a student answered is a tuple of entries (:class:`headroles.lessons.Entry`), the one thing that
a worksheet keeps. All else (what stands on the page, hints that were shown) lasts for the visit.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import streamlit as st

from headroles.ui.app.keys import Keys

if TYPE_CHECKING:
    from datetime import datetime

    from headroles.lessons import Entry, Lesson, Worksheet

END = "_summary"
"""In place of a step's key: the summary behind the last step. No step can be called so."""

key = Keys(__name__)
LESSON = key("lesson", None)
"""The key of the open lesson; None for the list of them."""
STEP = key("step", None)
"""The key of the step that is shown, or :data:`END`; None for where the lesson is to go on."""
PLACES = key("places", dict)
"""{lesson: the step that was shown last}."""
REACHED = key("reached", dict)
"""{lesson: how many of its steps were reached}; the summary counts as one."""
SEEN = key("seen", ())
"""Lessons whose summary was seen: those without questions are done by it."""
ENTRIES = key("entries", ())
"""Every answer, in the order in which they were given: a tuple of entries."""
SAVED = key("saved", ())
"""The answers that are in a file: those of the last download, or of the worksheet read."""
ASKED = key("asked", dict)
"""{(lesson, step): UTC, when the question was first on the screen}."""
HINTS = key("hints", dict)
"""{(lesson, step): hints shown}."""
AGAIN = key("asked_again", ())
"""((lesson, step), ...): questions that are being answered once more."""
WANTED = key("wanted", None)
"""The question whose answer is to be revealed, by :func:`widget`; None between two."""
ROUND = key("round", 0)
"""How often everything was started over: a part of widgets' keys, so that they are empty then."""
MOVED = key("moved", 0)
"""How often a click led on: the browser then goes to what is new."""
TOLD = key("told", 0)
"""The value of :data:`MOVED` with which the last answer was told."""
UNDO = key("before", None)
"""What was there before the last start over or load: :class:`Before`; None for nothing."""
TAB = key("tab")
"""The script that keeps the answers in the browser's tab."""
TAB_ASKED = key("tab_asked", False)
"""Whether the tab is not asked any more: it gave answers back, or there were some here."""
LOADED = key("loaded", None)
"""What became of the file that was read last: an error, or a sentence; None for nothing."""

# widget keys
NAME = key("name", "")
"""What the student is called in the worksheet."""
FREE = key("free", False)
"""Whether any step may be opened at any time."""
UPLOAD = key("upload")
"""The box for a worksheet; one key per round and file."""

begin = key.begin


class Before(NamedTuple):
    """What a click replaced."""

    what: str
    """What happened, for the button that undoes it."""
    entries: tuple[Entry, ...]
    """The answers before."""
    saved: tuple[Entry, ...]
    """Those of them that were in a file."""
    name: str
    """The name before."""
    hints: dict[tuple[str, str], int]
    """The hints that were shown."""
    reached: dict[str, int]
    """How far each lesson was."""
    places: dict[str, str]
    """Where each lesson stood."""


# ------------------------------------------------------------------ where one is


def has_begun() -> bool:
    """Whether any lesson was opened or answered."""
    return bool(st.session_state[PLACES] or st.session_state[ENTRIES])


def open_lesson(lesson: str) -> None:
    """Open a lesson where it is to go on."""
    st.session_state[LESSON], st.session_state[STEP] = lesson, None
    _moved()


def leave() -> None:
    """Back to the list of lessons."""
    st.session_state[LESSON] = st.session_state[STEP] = None


def go(step: str) -> None:
    """Show a step of the open lesson, or its summary."""
    st.session_state[STEP] = step
    _moved()


def _moved() -> None:
    st.session_state[MOVED] += 1


def place_in(key: str, lesson: Lesson) -> int:
    """The place of the step that is shown, from 0; the summary stands behind the last one.

    A lesson without a place goes on where it was left, or behind its last answer.
    """
    names = [*(step.key for step in lesson.steps), END]
    shown = st.session_state[STEP] or st.session_state[PLACES].get(key)
    place = names.index(shown) if shown in names else _first_open(key, lesson)
    st.session_state[STEP] = names[place]
    st.session_state[PLACES] = {**st.session_state[PLACES], key: names[place]}
    reached = max(st.session_state[REACHED].get(key, 0), place + 1, _answered_to(key, lesson) + 1)
    st.session_state[REACHED] = {**st.session_state[REACHED], key: reached}
    return place


def _first_open(key: str, lesson: Lesson) -> int:
    """Where a lesson begins, or goes on after a worksheet was read: behind its last answer."""
    return min(_answered_to(key, lesson), len(lesson.steps))


def _answered_to(key: str, lesson: Lesson) -> int:
    """How many steps lie up to the last one that was answered."""
    answered = {entry.step for entry in st.session_state[ENTRIES] if entry.lesson == key}
    return max((n for n, step in enumerate(lesson.steps, 1) if step.key in answered), default=0)


def at_end(key: str, lesson: Lesson) -> None:
    """The summary of a lesson is shown."""
    if not lesson.questions and key not in st.session_state[SEEN]:
        st.session_state[SEEN] = (*st.session_state[SEEN], key)


def reached(key: str) -> int:
    """How many steps of a lesson were reached, the summary counted."""
    return st.session_state[REACHED].get(key, 0)


# ------------------------------------------------------------------ answers


def answers_to(lesson: str, step: str) -> list[Entry]:
    """All answers to a question, the first one first."""
    return [e for e in st.session_state[ENTRIES] if (e.lesson, e.step) == (lesson, step)]


def reveal(wanted: str | None) -> None:
    """Ask for the answer to a question, by :func:`widget`; it stays asked for until it is there."""
    st.session_state[WANTED] = wanted


def is_wanted(question: str) -> bool:
    """Whether the answer to a question was asked for."""
    return st.session_state[WANTED] == question


def answered(entry: Entry) -> None:
    """Keep an answer; the question is shown with it from now on."""
    st.session_state[ENTRIES] = (*st.session_state[ENTRIES], entry)
    done = (entry.lesson, entry.step)
    st.session_state[AGAIN] = tuple(one for one in st.session_state[AGAIN] if one != done)
    st.session_state[UNDO] = st.session_state[LOADED] = st.session_state[WANTED] = None
    _moved()
    st.session_state[TOLD] = st.session_state[MOVED]


def answer_again(lesson: str, step: str) -> None:
    """Ask a question once more; the first answer stays the one that counts."""
    st.session_state[AGAIN] = (*st.session_state[AGAIN], (lesson, step))
    _moved()


def keep_answer(lesson: str, step: str) -> None:
    """Do not answer it again after all."""
    open_again = st.session_state[AGAIN]
    st.session_state[AGAIN] = tuple(one for one in open_again if one != (lesson, step))


def is_asked(lesson: str, step: str) -> bool:
    """Whether a question waits for an answer."""
    return (lesson, step) in st.session_state[AGAIN] or not answers_to(lesson, step)


def first_asked(lesson: str, step: str, now: datetime) -> datetime:
    """When a question, or its repetition, was first on the screen."""
    name = (lesson, step, len(answers_to(lesson, step)))
    return st.session_state[ASKED].setdefault(name, now)


def hints(lesson: str, step: str) -> int:
    """How many hints to a question were shown."""
    return st.session_state[HINTS].get((lesson, step), 0)


def hint(lesson: str, step: str) -> None:
    """Show one more."""
    shown = st.session_state[HINTS]
    st.session_state[HINTS] = {**shown, (lesson, step): shown.get((lesson, step), 0) + 1}


def widget(lesson: str, step: str) -> str:
    """The beginning of the keys of a question's widgets: another one for each time it is asked."""
    times = len(answers_to(lesson, step))
    return f"lessons-{lesson}_{step}_{times}_{st.session_state[ROUND]}"


# ------------------------------------------------------------------ the worksheet


def is_saved() -> bool:
    """Whether every answer is in a file."""
    return st.session_state[ENTRIES] == st.session_state[SAVED]


def saved(entries: tuple[Entry, ...]) -> None:
    """These answers are in a file now."""
    st.session_state[SAVED] = entries


def start_over() -> None:
    """Forget every answer; it can be undone."""
    _remember("Put my answers back")
    st.session_state[ROUND] += 1
    key.forget(ENTRIES, SAVED, SEEN, PLACES, REACHED, HINTS, ASKED, AGAIN, LOADED)
    st.session_state[STEP] = None


def is_new() -> bool:
    """Whether this session never had an answer: after a reload, too, until the tab gives them."""
    return not (st.session_state[ENTRIES] or st.session_state[TAB_ASKED])


def came_back(sheet: Worksheet, saved: int) -> None:
    """Go on with the answers that the tab has kept; the page stays where its address says.

    Args:
        sheet: the answers, and the name.
        saved: how many of them, from the first one on, are in a file.
    """
    st.session_state[TAB_ASKED] = True
    st.session_state[ENTRIES], st.session_state[SAVED] = sheet.entries, sheet.entries[:saved]
    st.session_state[NAME] = sheet.name


def load(merged: Worksheet, read: Sequence[Entry], said: str) -> None:
    """Go on with the answers of a worksheet and those that were here; it can be undone.

    Args:
        merged: both together.
        read: the answers of the file.
        said: what became of it, for the page.
    """
    _remember("Undo the loading")
    here = st.session_state[ENTRIES]
    st.session_state[ENTRIES] = merged.entries
    # What was here alone is in no file yet.
    st.session_state[SAVED] = merged.entries if set(_ids(here)) <= set(_ids(read)) else ()
    st.session_state[NAME] = merged.name
    st.session_state[LOADED] = said
    key.forget(PLACES, AGAIN)
    st.session_state[STEP] = None


def _ids(entries: Sequence[Entry]) -> list[tuple[object, ...]]:
    return [(entry.lesson, entry.step, entry.answered) for entry in entries]


def _remember(what: str) -> None:
    now = st.session_state
    st.session_state[UNDO] = Before(
        what,
        now[ENTRIES],
        now[SAVED],
        now[NAME],
        now[HINTS],
        now[REACHED],
        now[PLACES],
    )


def undo() -> None:
    """What was there before the last start over or load."""
    if (before := st.session_state[UNDO]) is None:
        return
    now = st.session_state
    now[ENTRIES], now[SAVED], now[NAME] = before.entries, before.saved, before.name
    now[HINTS], now[REACHED], now[PLACES] = before.hints, before.reached, before.places
    now[UNDO] = now[LOADED] = None
