"""The roles in which the head is gray on this prompt, each with the prompt that wakes it."""

from __future__ import annotations

from functools import partial
from html import escape
from typing import TYPE_CHECKING

from headroles import verdicts
from headroles.ui.app import elements, extended_state, waking
from headroles.ui.head_closeup import state
from headroles.view import waking as words

if TYPE_CHECKING:
    from headroles.store import StoredRole
    from headroles.ui.head_closeup.subject import Subject


def draw(subject: Subject) -> None:
    """Draw a line for each role that lists the head; none for a role of which nothing was tried."""
    for stored in _gray(subject):
        sentence, prompt = words.of_head(stored, subject.head, besides=subject.answer.run.prompt)
        if prompt is None:
            elements.html(f'<div class="hr-small">{escape(sentence)}</div>')
        else:
            waking.line(
                sentence,
                prompt,
                key=f"head_closeup-wake_{stored.role.key}",
                on_click=partial(state.wake, role=stored.role.key),
            )


def _gray(subject: Subject) -> list[StoredRole]:
    entry = subject.reference.entry
    if entry is None:
        return []
    stored = [entry.role(key) for key in entry.hints if subject.head in entry.listed(key)]
    return [role for role in stored if _is_shown(role) and not _is_active(subject, role)]


def _is_shown(stored: StoredRole) -> bool:
    return stored.role.level == "basic" or extended_state.shown()


def _is_active(subject: Subject, stored: StoredRole) -> bool:
    if stored.role.level == "basic":
        return subject.verdict(stored.role.key).is_active
    judged = verdicts.judge_heads(stored, subject.answer.run, subject.answer.scores)
    return next(one.is_active for one in judged if one.head == subject.head)
