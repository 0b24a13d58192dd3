"""Which head it is, what is known about it, and the ways to other heads."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import streamlit as st

from headroles import verdicts
from headroles.roles import BASIC_ROLES, ROLES, SCORED_ROLES
from headroles.types import Head
from headroles.ui.app import elements, session
from headroles.ui.head_closeup import state
from headroles.view import conclusions

if TYPE_CHECKING:
    from headroles.ui.head_closeup.subject import Subject


def draw(subject: Subject) -> None:
    """Draw the head's name with its roles, what to conclude about it, and the ways to others."""
    passport = subject.passport
    elements.html(
        f'<div class="hr-head"><h2>{subject.head.label}</h2>'
        f'<p class="hr-headline">{escape(passport.headline)}</p></div>'
    )
    judged = [subject.verdict(role.key) for role in SCORED_ROLES]
    beyond = conclusions.closeup(passport, judged)
    elements.conclusion(f"<b>{escape(_in_words(subject))}</b> {escape(beyond)}")
    with st.container(horizontal=True, vertical_alignment="bottom", key="head_closeup-controls"):
        _controls(subject)


def _controls(subject: Subject) -> None:

    layers, heads = subject.answer.scores.resting.shape
    labels = [head.label for head in Head.every(layers, heads)]
    beside = verdicts.neighbours(subject.head, layers=layers, heads=heads)
    _step(
        "Previous", beside.previous, icon=":material/arrow_back:", key="head_closeup-previous_head"
    )
    st.selectbox("Head", labels, key=state.HEAD_BOX, on_change=state.choose_head, width=120)
    _step("Next", beside.next, icon=":material/arrow_forward:", key="head_closeup-next_head")
    st.selectbox(
        "Seen as",
        list(BASIC_ROLES),
        format_func=lambda key: (
            ROLES[key].name if ROLES[key].has_cells else f"{ROLES[key].name} (no cells)"
        ),
        key=state.ROLE_BOX,
        on_change=state.choose_role,
        width=250,
    )
    _another(subject)


def _step(name: str, head: Head | None, *, icon: str, key: str) -> None:
    st.button(
        f"{name}: {head.label}" if head else name,
        icon=icon,
        key=key,
        disabled=head is None,
        on_click=session.move_to,
        args=(head,),
    )


def _another(subject: Subject) -> None:

    role, reference = subject.role, subject.reference
    head = verdicts.same_role(
        reference.entry or subject.answer.scores,
        role.key,
        head=subject.head,
        threshold=reference.thresholds.get(role.key),
    )
    st.button(
        f"Another of this role: {head.label}" if head else "No other head has this role",
        icon=":material/switch_access_shortcut:",
        key="head_closeup-another_head",
        disabled=head is None,
        on_click=session.move_to,
        args=(head,),
        help=f"The next head whose role is {role.name}",
    )


def _in_words(subject: Subject) -> str:

    return verdicts.describe(
        subject.head,
        subject.answer.scores,
        attention=subject.attention,
        token_ids=subject.answer.run.copy_ids,
        labels=subject.labels,
        thresholds=subject.reference.thresholds,
    )
