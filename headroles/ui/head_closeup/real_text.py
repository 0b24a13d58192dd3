"""On real text: the head's strongest passages, and the way to all of them."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import streamlit as st

from headroles import view
from headroles.errors import HeadrolesError
from headroles.roles import ROLES
from headroles.ui.app import address, caches, elements, passages, scope, session

if TYPE_CHECKING:
    from headroles.types import Head
    from headroles.ui.head_closeup.subject import Subject

SHOWN = 3
"""Passages that are shown here."""


def draw(subject: Subject) -> None:
    """A box, closed at first, with passages in which the head is at its strongest."""
    with elements.opened("On real text", key="head_closeup-real_text") as is_open:
        if not is_open:
            return
        model, head, read = st.session_state[session.MODEL], subject.head, None
        try:
            read = passages.stored(model)
            if read is None or read.record.evidence is None:
                elements.note("No results on real text are stored for this model yet.")
            else:
                _passages(model, read, subject)
        except HeadrolesError as error:
            elements.show_error(error, kind=st.warning)
        _pattern(read, head)
        scope.button(
            session.REAL_TEXT,
            "All passages of this head, and other texts",
            icon=":material/auto_stories:",
            key="head_closeup-to_real_text",
            on_click=address.follow,
            args=(session.REAL_TEXT,),
            kwargs={"section": "passages", "head": head, "role": _role(read, subject)},
        )


def _pattern(read: passages.ReadText | None, head: Head) -> None:
    """For a head of *Other*: the simple pattern that explains it best."""
    found = read.record.proposals if read else None
    try:
        fits_nothing = head in caches.stored(st.session_state[session.MODEL]).entry.listed("other")
    except HeadrolesError:
        return  # the passport says what is wrong with the scores
    if found is None or not fits_nothing:
        return
    elements.html(
        '<p class="hr-explain">It fits none of the five basic roles. '
        f"{escape(view.proposals.conclusion(found, head))}</p>"
    )
    scope.button(
        session.REAL_TEXT,
        "Patterns proposed for this head",
        icon=":material/lightbulb:",
        key="head_closeup-to_pattern",
        on_click=address.follow,
        args=(session.REAL_TEXT,),
        kwargs={"section": "pattern", "head": head},
    )


def _role(read: passages.ReadText | None, subject: Subject) -> str | None:
    """The role that the head is seen as, if there are passages for it; None for its looks."""
    roles = read.record.evidence.roles if read and read.record.evidence else {}
    key = subject.role.key
    return key if subject.head.label in roles.get(key, {}) else None


def _passages(model: str, read: passages.ReadText, subject: Subject) -> None:
    head, role = subject.head, _role(read, subject)
    found = read.record.evidence.of(head, role)
    elements.html(
        f'<p class="hr-explain">{escape(view.real_text.evidence_sentence(head, role, found))}</p>'
    )
    if found is None:
        return
    elements.html(view.passages.LEGEND)
    seen = f"as {ROLES[role].name}" if role else "whatever it looks at"
    elements.note(escape(f"At its strongest, {seen}; each is the best token of its passage."))
    passages.draw(
        model, read, found.strongest[:SHOWN],
        head=head, role=role, key="head_closeup-real_text_passage",
    )  # fmt: skip
