"""The buttons that copy the link to what is shown, and the frame that embeds it in a page.

Only the browser may write to the clipboard, and only on a click, so the button is a small component
of its own. Where the browser refuses, the link appears in a box, selected and ready to copy.
"""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from headroles.ui.app import address, embedding

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
    css=(_HERE / "copy_link.css").read_text(encoding="utf-8"),
    js=(_HERE / "copy_link.js").read_text(encoding="utf-8"),
)


def draw() -> None:
    """Draw them; the page calls it once it knows which head and role it shows.

    An embedded page has none: the line above it opens the app in a tab, where they are.
    """
    if embedding.is_on():
        return
    query, error = address.shared()
    _copy(
        key="app-copy_link",
        data={"query": query, "problem": f"{error.message} {error.hint}" if error else ""},
        width="content",
    )
