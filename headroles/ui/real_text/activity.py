"""The section *Roles in the wild*: how often each role's heads are at work on the text."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import streamlit as st

from headroles import charts
from headroles.errors import HeadrolesError
from headroles.ui.app import caches, elements, session
from headroles.ui.real_text import files, state, texts
from headroles.view import real_text as words
from headroles.view.html import table

if TYPE_CHECKING:
    from headroles.store import ModelEntry
    from headroles.view.real_text import Wild

LEGEND = (
    '<div class="hr-legend"><span><i class="hr-key hr-key-active"></i>active at so many of 1,000 '
    'tokens where the role applies</span><span><i class="hr-key hr-key-dot"></i>listed for the '
    "role</span></div>"
)
RULE = (
    "A head is active at a token when its attention there reaches what the role asks of it on a "
    "prompt, with the chance level of that token; a head that spreads its attention evenly never "
    "is. Activation is the mean over all tokens where the role applies, ± its standard error over "
    "documents. Of the roles of repetition only tokens count whose earlier copy was followed by "
    "what really comes next. A head that the analysis found to do the same without a role's cue "
    "is never active, as on a prompt. Whether a head of First token (resting) writes something "
    "while it rests is not asked here."
)
SHUFFLED = (
    "With the tokens of a passage shuffled, the role's places stay where they were: a head that "
    "goes by place does the same there, one that goes by content does not."
)


def draw() -> None:
    """Draw the section."""
    given = texts.draw()
    if given is None:
        return
    entry = _entry(given.asked.model)
    roles = words.wild(given.record, entry)
    if not roles:
        st.info("These results say nothing of roles: read the text again.")
        return
    elements.conclusion(escape(words.conclusion(roles)))
    elements.html(table(words.HEADERS, words.activity_rows(roles)))
    chosen = _choose(roles)
    place = st.container(horizontal=True, vertical_alignment="center")
    _map(chosen)
    with place:
        files.draw_activity(given, entry, chosen)
        st.button(
            "Passages of these heads",
            icon=":material/format_quote:",
            key="real_text-to_passages",
            on_click=state.show_passages,
            args=((chosen.listed or (chosen.most_active,))[0], chosen.role.key),
            disabled=not chosen.listed,
            help=None if chosen.listed else "No head is listed for this role.",
        )
    st.subheader("Content or place?", anchor=False)
    elements.html(table(words.HEAD_HEADERS, words.head_rows(chosen)))
    elements.note(escape(f"{SHUFFLED} {words.shuffled_sentence(chosen)}"))
    if found := given.record.copy_suppression:
        st.subheader("Copy suppression", anchor=False)
        elements.html(f'<p class="hr-explain">{escape(words.suppression_sentence(found))}</p>')
        elements.html(table(words.SUPPRESSION_HEADERS, words.suppression_rows(found)))
        elements.note(
            "Direct effect on the logit of the token that followed an earlier copy, times the "
            "attention on it, ± standard error; below zero the head writes against what it looks "
            "at. On the right the same attention with another token of the passage."
        )
    with st.expander("How this is counted", type="compact", key="real_text-rule"):
        st.caption(RULE)


def _entry(model: str) -> ModelEntry | None:
    """The model's reference scores; without them, the reason is said."""
    try:
        return caches.stored(model).entry
    except HeadrolesError as error:
        elements.note(escape(f"{error.message} So no head is listed here."))
        return None


def _choose(roles: list[Wild]) -> Wild:
    """The role whose map is shown."""
    by_key = {one.role.key: one for one in roles}
    wanted = st.session_state[state.ROLE]
    if wanted not in by_key:
        first = next((one for one in roles if one.role.key == "induction" and one.listed), None)
        first = first or next((one for one in roles if one.listed), roles[0])
        wanted = first.role.key
    st.session_state[state.ROLE_BOX] = wanted
    st.subheader("Which heads, role by role", anchor=False)
    st.selectbox(
        "Role",
        list(by_key),
        format_func=lambda key: by_key[key].role.name,
        key=state.ROLE_BOX,
        on_change=state.choose_role,
        width=250,
    )
    return by_key[wanted]


def _map(chosen: Wild) -> None:
    elements.html(LEGEND)
    said = words.map_sentence(chosen)
    elements.chart(
        charts.heads.head_map(words.map_records(chosen), words.MAP_TITLE),
        key=session.chart_key(state.MAP),
        alt_text=f"Map of all heads. {said}",
        on_select=state.click,
    )
    elements.note(escape(f"{said} A click shows the head's passages."))
