"""The section *List*: all components of a matrix, and in which heads they are."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import streamlit as st

from headroles import charts, view
from headroles.types import Component
from headroles.ui.app import elements
from headroles.ui.components import files, origin, state, subject
from headroles.view.html import table

if TYPE_CHECKING:
    from headroles.ui.components.subject import Subject

FIRST = 15
"""Rows of the list before it is opened."""
MAPPED = 24
"""Components of the map."""
OFFERED = 8
"""Components that are offered to be looked at closely."""
EXPLAINS = {
    True: "Importance (its causal importance): from 0 (this token can do without it) to 1 (it "
    "cannot), as a small network that was trained beside the component says; here its mean over "
    "the prompt. Alive: on how many "
    "tokens it is above 0.1. ",
    False: "Nothing was trained to say which of these matter. So the list goes by size: the length "
    "of what each writes on this prompt, out of the sum over all of them. ",
}
"""{whether they were trained: what the first numbers are}."""
COLUMNS = (
    "The start token is left out. Spread: in how many heads it is at once (1 for a single head; e "
    "to the entropy of its shares). Size: of the component itself, whatever the prompt. Text: "
)


def draw() -> None:
    """Draw the section."""
    asked = subject.draw()
    if asked is None:
        return
    elements.conclusion(view.components.conclusion(asked.matrix, asked.prompt, asked.found))
    _closely(asked)
    _list(asked)
    _heads(asked)
    files.draw_list(asked, asked.found[:MAPPED])
    origin.draw(asked)


def _closely(asked: Subject) -> None:
    labels = [one.component.label for one in asked.found[:OFFERED] if not one.remark]
    st.pills(
        "Look at one closely",
        labels,
        key=state.PILLS,
        on_change=_open,
    )


def _open() -> None:
    label = st.session_state[state.PILLS]
    if label is not None:
        state.choose_component(Component.parse(label))
        state.open_section(state.SECTION_NAMES[1])


def _list(asked: Subject) -> None:
    st.subheader("All of them", anchor=False)
    headers, rows = view.components.headers(asked.matrix.kind), view.components.rows(asked.found)
    first, others = (
        view.components.without_remarks(headers, part) for part in (rows[:FIRST], rows[FIRST:])
    )
    elements.html(f'<div class="hr-one-line hr-wide">{table(*first)}</div>')
    elements.note(
        escape(EXPLAINS[asked.is_trained] + COLUMNS + view.components.text_words(asked.text))
    )
    if rows[FIRST:]:
        with st.expander(f"The other {len(rows) - FIRST}", key="components-others"):
            elements.html(f'<div class="hr-one-line hr-wide">{table(*others)}</div>')


def _heads(asked: Subject) -> None:
    shown = asked.found[:MAPPED]
    st.subheader("Component by head", anchor=False)
    said = view.components.map_sentence(shown)
    elements.html(f'<p class="hr-explain"><b>{escape(said)}</b></p>')
    elements.chart(
        charts.components.head_shares(view.components.map_records(shown), shown[0].heads),
        key="components-map",
        alt_text=f"Map of the share of each component in each head, with its spread. {said}",
    )
    does = "of what it reads" if asked.chosen.matrix == "o" else "of what it writes"
    how = "matter" if asked.is_trained else "write"
    more = f" The {len(shown)} that {how} most here." if len(shown) < len(asked.found) else ""
    elements.note(
        f"A row adds up to 100%: the share {does} that is in each head. Bar: the entropy of the "
        "row, from 0 (one head) to its most (all heads alike); the number is e to it, the heads "
        f"at once.{more}"
    )
    with st.expander("The map as a table", key="components-map_table"):
        headers, rows = view.components.map_rows(shown)
        elements.html(f'<div class="hr-one-line">{table(headers, rows)}</div>')
