"""The buttons that copy a link, and the frame that embeds it in a page.

Only the browser may write to the clipboard, and only on a click, so the button is a small component
of its own. Where the browser refuses, the link appears in a box, selected and ready to copy.
"""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from headroles.errors import HeadrolesError

_HERE = Path(__file__).parent
_copy = st.components.v2.component(
    "headroles_copy_link",
    html='<div class="share"><button type="button"><svg viewBox="0 0 24 24" aria-hidden="true">'
    '<path d="M10 13a4 4 0 0 0 6 .5l3-3a4 4 0 0 0-6-6l-1.5 1.5M14 11a4 4 0 0 0-6-.5l-3 3a4 4 0 0 0 '
    '6 6l1.5-1.5"/></svg>Copy link</button>'
    '<button type="button" class="frame" title="Copy HTML that shows this in your own page">'
    '<svg viewBox="0 0 24 24" aria-hidden="true"><path d="M8 8l-4 4 4 4M16 8l4 4-4 4"/></svg>'
    "Embed</button>"
    '<span class="said" role="status" aria-live="polite"></span>'
    '<input type="text" readonly hidden aria-label="What was copied"></div>',
    css=(_HERE / "copy_buttons.css").read_text(encoding="utf-8"),
    js=(_HERE / "copy_buttons.js").read_text(encoding="utf-8"),
)


def draw(query: str, error: HeadrolesError | None, *, key: str) -> None:
    """The two buttons for one link.

    Args:
        query: what stands behind its question mark.
        error: why it should not be shared; None if it can.
        key: of the buttons.
    """
    problem = f"{error.message} {error.hint}" if error else ""
    _copy(key=key, data={"query": query, "problem": problem}, width="content")
