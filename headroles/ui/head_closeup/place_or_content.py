"""Place or content, for one head."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from headroles.ui.app import download_button, elements, extended_state, files
from headroles.view import two_texts
from headroles.view.html import table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from headroles.store import ModelEntry
    from headroles.types import Head


def passport(entry: ModelEntry, thresholds: Mapping[str, float], head: Head) -> None:
    """The same for one head: every role that was measured on both kinds of text."""
    by_role = two_texts.two_texts(entry, thresholds, extended=extended_state.shown())
    if not by_role:
        return
    elements.html('<p class="hr-explain"><b>Place or content?</b></p>')
    rows = [
        [texts.name, *texts.pair(head), texts.verdict(head).sentence]
        for texts in by_role.values()
        if head in texts.heads
    ]
    elements.html(f'<div class="hr-one-line">{table(two_texts.HEADERS, rows)}</div>')
    title = "The rule behind it, and a file"
    with st.expander(title, type="compact", key="head_closeup-place_rule"):
        st.caption(f"Scores of 1 ± standard error. {two_texts.PLACE_OR_CONTENT_RULE}")
        with st.container(key="head_closeup-place_files"):
            download_button.buttons(files.place_or_content(entry, by_role, only=head))
