"""Whether the numbers of a class's worksheets can be made again: ask the models again."""

from __future__ import annotations

import hashlib
from functools import partial
from html import escape
from typing import TYPE_CHECKING

import streamlit as st

from headroles import lessons, view
from headroles.errors import HeadrolesError
from headroles.ui.app import caches, elements, long_work
from headroles.view.html import count, table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headroles.lessons.classroom import Class
    from headroles.lessons.reading import Lessons
    from headroles.lessons.remaking import Asked, Remade

PART = "remaking"
"""The part of the page, for its long work."""
PER_QUESTION = 0.3
"""Seconds to ask a small model one question."""


def draw(found: Class, here: Lessons) -> None:
    """Draw what can be made again, the offer to do it, and what came of it."""
    asked = lessons.remaking.distinct(
        entry for student in found.students for entry in student.entries
    )
    revisions = {
        model: lessons.remaking.revision_here(model) for model in {one.model for one in asked}
    }
    stopped = [
        (one, lessons.remaking.obstacle(one, here, here=revisions[one.model])) for one in asked
    ]  # in the order of the questions
    cannot = [obstacle for _, obstacle in stopped if obstacle is not None]
    can = [one for one, obstacle in stopped if obstacle is None]
    answers = sum(len(one.entries) for one in can)
    st.markdown(
        f"{count(found.answers, 'answer')} were given to {count(len(asked), 'distinct question')}. "
        f"For {answers:,} of them, the model with the very weights and the lesson are on this "
        "server: ask it again, and hold its numbers (to "
        f"{lessons.remaking.NEAR:g}) and the mark against the worksheets."
    )
    if not can:
        _show(cannot, [], True)
        return
    name = _name(can, here)
    seconds = max(PER_QUESTION * len(can), long_work.LIGHT + 1)  # only on a click
    if not long_work.offer(PART, name, "Ask again", what="check of worksheets", seconds=seconds):
        _show(cannot, [], False)
        return
    long_work.run(
        PART,
        name,
        lambda: long_work.Plan([partial(_ask, one, here) for one in can]),
        doing="Asking again",
        show=partial(_show, cannot),
    )


def _ask(asked: Asked, here: Lessons) -> Remade:
    try:
        with caches.borrow(asked.model) as loaded:
            return lessons.remaking.remake(asked, loaded, here)
    except HeadrolesError as error:  # of the model: the others can still be asked
        return lessons.remaking.not_made(asked, "failed", error.message)


def _name(asked: Sequence[Asked], here: Lessons) -> str:
    """What the result belongs to: the questions and answers, and the lessons that are here."""
    digest = hashlib.sha256()
    for one in asked:
        read = here.by_key[one.lesson]
        digest.update(f"{one.model} {one.revision} {one.lesson} {read.digest}".encode())
        for entry in one.entries:
            digest.update(entry.model_dump_json().encode())
    return digest.hexdigest()


def _show(cannot: Sequence[Remade], made: Sequence[Remade], done: bool) -> None:
    """What came of it so far."""
    if made:
        said = view.class_worksheets.made_again(made)
        elements.conclusion(escape(said))
        differs = view.class_worksheets.made_rows(made)
        if differs:
            st.warning("These are not the same:", icon=":material/difference:")
            elements.html(table(view.class_worksheets.MADE, differs))
        with st.expander("Every question", type="compact", key="admin-every_remade"):
            every = view.class_worksheets.made_rows(made, all_of_them=True)
            elements.html(table(view.class_worksheets.MADE, every))
    if cannot:
        answers = sum(one.of for one in cannot)
        label = f"{count(answers, 'answer')} cannot be made again here, with the reason"
        with st.expander(label, key="admin-not_remade", expanded=done and not made):
            elements.html(
                table(view.class_worksheets.MADE, view.class_worksheets.made_rows(cannot))
            )
