"""The section *A head's passages*: where it is at its strongest, and what it does typically."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import streamlit as st

from headroles.errors import HeadrolesError
from headroles.roles import ROLES
from headroles.types import Head
from headroles.ui.app import address, elements, passages, run_prompt, scope, session
from headroles.ui.real_text import files, state, texts
from headroles.view import passages as words
from headroles.view import real_text as real_text_words

if TYPE_CHECKING:
    from headroles.store.real_text import Evidence, HeadEvidence
    from headroles.ui.real_text.texts import Given

LOOKS = "Whatever it looks at"
"""The choice that is no role."""


def draw() -> None:
    """Draw the section."""
    given = texts.draw()
    if given is None:
        return
    evidence = given.record.evidence
    if evidence is None:
        st.info("These results hold no passages: read the text again.")
        return
    head, role = _choose(given, evidence)
    found = evidence.of(head, role)
    elements.conclusion(escape(real_text_words.evidence_sentence(head, role, found)))
    if found is None or not found.typical:
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        files.draw_evidence(given, head, role)
        scope.button(
            session.CLOSEUP,
            f"Close-up of {head.label}",
            icon=":material/zoom_in:",
            key="real_text-closeup",
            on_click=session.open_closeup,
            args=(head, role),
        )
    elements.html(words.LEGEND)
    try:
        _both(given, head, role, found)
    except HeadrolesError as error:
        run_prompt.show_model_error(error)


def _both(given: Given, head: Head, role: str | None, found: HeadEvidence) -> None:
    """The strongest beside the typical."""
    left, right = st.columns(2, gap="medium")
    with left:
        st.subheader("At its strongest", anchor=False)
        elements.note("Its best token of each of its best passages.")
        passages.draw(
            given.asked.model, given.read, found.strongest,
            head=head, role=role, key="real_text-strongest",
        )  # fmt: skip
    with right:
        st.subheader("Typically", anchor=False)
        elements.note("One token drawn from each tenth of all, the strongest tenth first.")
        typical = found.typical[::-1]
        passages.draw(
            given.asked.model, given.read, typical, head=head, role=role, key="real_text-typical",
            names=real_text_words.tenths(len(typical)),
        )  # fmt: skip


def _choose(given: Given, evidence: Evidence) -> tuple[Head, str | None]:
    """The head and the role; another model's head falls back to one that is there."""
    record = given.record
    address.check(record.num_layers, record.num_heads)
    head, role = st.session_state[session.HEAD], st.session_state[state.ROLE]
    role = role if role in evidence.roles and role in ROLES else None
    if head is None:
        first = next(iter(evidence.roles.get(role or "induction", {})), None)
        head = Head.parse(first) if first else Head(record.num_layers - 1, 0)
    roles = {None: LOOKS} | {
        key: ROLES[key].name
        for key, heads in evidence.roles.items()
        if key in ROLES and (head.label in heads or key == role)
    }
    st.session_state[session.HEAD] = head
    st.session_state[state.HEAD_BOX], st.session_state[state.ROLE_BOX] = head.label, role
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.selectbox(
            "Head",
            [one.label for one in Head.every(record.num_layers, record.num_heads)],
            key=state.HEAD_BOX,
            on_change=state.choose_head,
            width=130,
        )
        st.selectbox(
            "Seen as",
            list(roles),
            format_func=roles.__getitem__,
            key=state.ROLE_BOX,
            on_change=state.choose_role,
            placeholder=LOOKS,
            width=250,
            help="The roles that list this head. Without one, the passages show whatever it looks "
            "at.",
        )
    return head, role
