"""A box for text that is run by a button; what is shown always belongs to a text that is named.

Typed text is a *draft* until it is run. The box is a part of its own, so a draft costs no run of
the page; it stays in the session, on other pages too. The line above the box says whether there is
a draft, and the style sheet fades what stands below the box while there is one. ``draft_box.js``
hands the text over while somebody types, and makes Ctrl+Enter run.
"""

from __future__ import annotations

from functools import partial
from html import escape

import streamlit as st

from headroles import limits
from headroles.formatting import in_one_line
from headroles.ui.app import elements
from headroles.ui.app.part import part


@partial(part, in_address=False)
def draw(
    label: str,
    *,
    box: str,
    shown: str,
    run: str,
    placeholder: str = "",
    most: int = limits.BOX,
) -> None:
    """Draw the box with the line above it.

    Args:
        label: what the box is called.
        box: the session key of the text in it.
        shown: the session key of the text that was run last.
        run: the key of the button that runs it; Ctrl+Enter presses it.
        placeholder: what an empty box says.
        most: the most characters that it takes.
    """
    text = st.session_state[shown]
    is_edited = st.session_state[box] != text
    line = _line(label, _edited(text), is_edited=is_edited, run=run)
    with st.container(key=f"{box}_draft", gap=None):
        with st.container(horizontal=True, vertical_alignment="center", key=f"{box}_line"):
            elements.html(line)
            if is_edited:
                st.button(
                    "Put it back",
                    type="tertiary",
                    on_click=_put_back,
                    args=(box, shown),
                    key=f"{box}_put_back",
                    help="The text that was run last",
                )
        st.text_area(
            label,
            key=box,
            height="content",
            max_chars=most,
            placeholder=placeholder,
            label_visibility="collapsed",
            persist_state="session",
        )


def run_button(label: str, *, key: str, **settings: object) -> None:
    """The button that runs the texts in the boxes that name its key."""
    st.button(
        label,
        type="primary",
        icon=":material/play_arrow:",
        key=key,
        help="Or press Ctrl+Enter in the box",
        **settings,
    )


def _put_back(box: str, shown: str) -> None:
    st.session_state[box] = st.session_state[shown]


def changed(label: str, *, is_changed: bool, run: str, below: str) -> None:
    """The same line above controls other than a box; keep all of them in a ``part``.

    Args:
        label: what it says otherwise.
        is_changed: whether they differ from what was run.
        run: the key of the button that runs them.
        below: what is still shown.
    """
    note = f"<b>Changed, not run yet.</b> {escape(below)}"
    elements.html(_line(label, note, is_edited=is_changed, run=run))


def _edited(shown: str) -> str:
    """HTML: there is a draft, and this is the text to which the page belongs."""
    text = escape(in_one_line(" ".join(shown.split()), limit=90))
    below = f"Below: <q>{text}</q>" if text else "Nothing has been run yet."
    return f"<b>Edited, not run yet.</b> {below}"


def _line(label: str, note: str, *, is_edited: bool, run: str) -> str:
    """What the box is called or, while it holds a draft, the note about it."""
    return (
        f'<div class="hr-draft{" hr-edited" if is_edited else ""}" data-run="{run}" '
        f'role="status"><span class="hr-as-run">{escape(label)}</span>'
        f'<span class="hr-as-edited">{note}</span></div>'
    )
