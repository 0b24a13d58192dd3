"""The section *Kinds of tokens*: from what kind of token to what kind a head looks."""

from __future__ import annotations

from functools import partial
from html import escape
from typing import TYPE_CHECKING

import streamlit as st

from headroles import charts, export
from headroles.ui.app import download_button, elements, files, scope, session
from headroles.ui.real_text import heads, texts
from headroles.view import token_kinds as words
from headroles.view.html import table

if TYPE_CHECKING:
    from headroles.store.token_kinds import KindTable
    from headroles.types import Head
    from headroles.ui.real_text.texts import Given

READING = (
    "Each row shares out the attention of one kind of token; its number is a percentage. Framed: "
    "at least 10% and clearly more than a head would put there that spreads its attention evenly "
    "over all tokens so far. A token's look at itself has a column of its own."
)
KINDS = (
    "A number is made of digits; a first word is a capitalised word that begins a sentence; "
    "capitalised words are all others, names among them; a later piece continues a word. Tokens "
    "are those of this model, so a long word may be one token or several."
)


def draw() -> None:
    """Draw the section."""
    given = texts.draw()
    if given is None:
        return
    found = given.record.kinds
    if found is None:
        st.info(
            "The stored results hold no kinds of tokens. Choose a text above to read it now, or "
            "make them anew with python -m scripts.read_texts."
        )
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        head = heads.choose(given.record.num_layers, given.record.num_heads, first=_first(found))
        scope.button(
            session.CLOSEUP,
            "Close-up",
            icon=":material/zoom_in:",
            key="real_text-kinds_closeup",
            on_click=session.open_closeup,
            args=(head,),
        )
        _files(given, found, head)
    elements.conclusion(escape(words.conclusion(found, head)))
    if own := words.own_kind(found, head):
        elements.note(escape(own))
    elements.chart(
        charts.token_kinds.kind_map(words.records(found, head), title=words.TITLE),
        key="real_text-kinds_map",
        alt_text=f"{head.label}, from kinds of tokens to kinds. {words.conclusion(found, head)}",
    )
    elements.note(escape(READING))
    with st.expander("The same as a table", type="compact", key="real_text-kinds_table"):
        elements.html(table(words.HEADERS, words.table_rows(found, head)))
    with st.expander("What the kinds are", type="compact", key="real_text-kinds_words"):
        st.caption(KINDS)


def _first(found: KindTable) -> Head | None:
    """The head that looks most clearly from numbers at numbers, as the first example."""
    if found.rows[found.queries.index("number")] < words.FEWEST:
        return None
    return words.best_heads(found, "number", "number", most=1)[0][0]


def _files(given: Given, found: KindTable, head: Head) -> None:
    model = given.asked.model
    about = files.about_picture(model)
    with download_button.popover():
        download_button.buttons(
            [
                *files.tables(
                    "Kinds of tokens", partial(_rows, given, found, head),
                    name=(model, f"{head.label} kinds of tokens"), rows="pairs",
                ),
                *files.pictures(
                    partial(
                        charts.token_kinds.kind_map, words.records(found, head), title=words.TITLE
                    ),
                    name=(model, f"{head.label} kinds of tokens"),
                    title=words.conclusion(found, head),
                    about=about,
                ),
            ]
        )  # fmt: skip
        download_button.about("Every pair of kinds, with an even spread beside it.")


def _rows(given: Given, found: KindTable, head: Head) -> files.Table:
    return export.token_kinds.kind_rows(found, [head]), export.real_text.about(given.record)
