"""The section *A pattern for a head*: the simple expression that explains its attention best."""

from __future__ import annotations

from functools import partial
from html import escape
from typing import TYPE_CHECKING

import streamlit as st

from headroles import export
from headroles.errors import HeadrolesError
from headroles.types import Head
from headroles.ui.app import address, caches, download_button, elements, files, scope, session
from headroles.ui.real_text import heads, texts
from headroles.view import proposals as words
from headroles.view.html import table

if TYPE_CHECKING:
    from headroles.store.token_kinds import Proposals
    from headroles.ui.real_text.texts import Given


def draw() -> None:
    """Draw the section."""
    given = texts.draw()
    if given is None:
        return
    found = given.record.proposals
    if found is None:
        st.info(
            "The stored results propose no patterns. Choose a text above to read it now, or make "
            "them anew with python -m scripts.read_texts."
        )
        return
    if not found.held_out or not found.chosen_on:
        st.info(
            "All of this text is one passage: a pattern is chosen on some passages and tested on "
            "others. Add some text, or read more tokens."
        )
        return
    others = _others(given)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        head = heads.choose(
            given.record.num_layers, given.record.num_heads, first=words.best_example(found, others)
        )
        scope.button(
            session.CLOSEUP,
            "Close-up",
            icon=":material/zoom_in:",
            key="real_text-proposal_closeup",
            on_click=session.open_closeup,
            args=(head,),
        )
        _files(given, found, head, others)
    elements.conclusion(escape(words.conclusion(found, head)))
    if found.of(head):
        elements.html(table(words.HEADERS, words.pattern_rows(found, head)))
        _open_in_lab(found, head)
    elements.note(escape(f"{words.measured_on(found)} {words.RULE}"))
    _table_of_others(found, others)


def _others(given: Given) -> list[Head]:
    """The heads of *Other*; none without reference scores."""
    try:
        return list(caches.stored(given.asked.model).entry.listed("other"))
    except HeadrolesError:
        return []


def _open_in_lab(found: Proposals, head: Head) -> None:
    """A button per pattern: the Detector lab with it, on the present prompt."""
    with st.container(horizontal=True):
        for place, one in enumerate(found.of(head), start=1):
            pattern = found.patterns[one.pattern]
            scope.button(
                session.DETECTOR_LAB,
                f"Open pattern {place} in the Detector lab",
                icon=":material/search:",
                key=f"real_text-lab_{place}",
                on_click=address.follow,
                args=(session.DETECTOR_LAB,),
                kwargs={"pattern": pattern, "head": head},
                help="It is held against every head on your prompt there, and can be saved as a "
                "role of this session.",
            )


def _table_of_others(found: Proposals, others: list[Head]) -> None:
    st.subheader("All heads of Other", anchor=False)
    if not others:
        elements.note("The reference scores of this model list no head as Other.")
        return
    elements.note(escape(words.count_sentence(found, others)))
    elements.html(table(words.HEAD_HEADERS, words.head_rows(found, others)))


def _files(given: Given, found: Proposals, head: Head, others: list[Head]) -> None:
    model = given.asked.model
    every = list(Head.every(given.record.num_layers, given.record.num_heads))
    with download_button.popover():
        download_button.buttons(
            [
                *files.tables(
                    f"Patterns for {head.label}", partial(_rows, given, found, [head]),
                    name=(model, f"{head.label} patterns"), rows="rows",
                ),
                *files.tables(
                    "Patterns for all heads", partial(_rows, given, found, every),
                    name=(model, "patterns"), rows="rows",
                ),
            ]
        )  # fmt: skip
        download_button.about("The three best patterns of each head, with their figures.")


def _rows(given: Given, found: Proposals, chosen: list[Head]) -> files.Table:
    return export.token_kinds.proposal_rows(found, chosen), export.real_text.about(given.record)
