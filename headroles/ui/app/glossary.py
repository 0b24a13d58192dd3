"""The glossary as a page, and the line for somebody who is here for the first time."""

from __future__ import annotations

import streamlit as st

from headroles import limits
from headroles.ui.app import elements, link
from headroles.ui.app.keys import Keys
from headroles.ui.app.link import Row
from headroles.view import glossary

key = Keys(__name__)

SEARCH = key("glossary_search", "")
"""What the box of the glossary looks for: a word, or the key of a term."""

PAGE = "pages/glossary.py"


def _read(text: str) -> str:
    if text not in glossary.TERMS:
        raise link.Unusable("which the glossary does not have.", "Look for it in the box.")
    return text


def _looked_up() -> str | None:
    wanted = st.session_state[SEARCH]
    return wanted if wanted in glossary.TERMS else None


ROWS = (
    link.MODEL,
    Row("term", SEARCH, "term", _read, first="", get=_looked_up),
)
"""The names in the glossary's address: ``term=nats`` looks that term up."""


def begin() -> None:
    """Give the box its first value."""
    key.begin()


def draw() -> None:
    """The box to search in, and the terms by section."""
    begin()
    wanted = st.text_input(
        "Search",
        key=SEARCH,
        max_chars=limits.TOKEN.most,
        placeholder="for example nats, or threshold",
        icon=":material/search:",
    )
    sections = glossary.search(wanted)
    if not sections:
        st.info(
            "The glossary has no such word. Try a shorter one, or tell your instructor which "
            "word is missing."
        )
    for name, terms in sections.items():
        st.subheader(name, anchor=False)
        elements.html(glossary.entries(terms))
