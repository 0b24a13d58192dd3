"""The prompt box, its Run button, the example chips, the chat format and the way back."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from headroles import limits
from headroles.formatting import in_one_line
from headroles.texts.examples import examples
from headroles.ui.app import chat_format, session
from headroles.view.html import plain


def draw() -> None:
    """Draw the form, and the way back."""
    _form()
    _way_back()


def _form() -> None:
    # The chips are submit buttons, so they see text that has not been run yet.
    with st.form("prompt_form", border=True):
        box("Your sentence", "Type a sentence, or take one of the examples below.", key=session.BOX)
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            run_button("Run", on_click=session.run_box, key="app-run")
            st.html('<span class="hr-small">or try</span>', width="content")
            for number, example in enumerate(examples(stories=session.knows_stories_only())):
                st.form_submit_button(
                    example.label,
                    on_click=session.use_example,
                    args=(example.prompt,),
                    key=f"app-example_{number}",
                    help=example.prompt,
                )
    chat_format.draw()


def folded(*, key: str) -> None:
    """The same form, folded behind a line with the prompt, for pages about its heads."""
    prompt = " ".join(st.session_state[session.PROMPT].split())
    as_chat = " as a chat message" if chat_format.is_on(st.session_state[session.MODEL]) else ""
    label = f"On the prompt “{plain(in_one_line(prompt, limit=70))}”{as_chat}"
    with st.expander(label, icon=":material/edit_note:", key=key):
        _form()
    _way_back()


def box(label: str, placeholder: str, *, key: str) -> None:
    """A box for a sentence; typed text outlives a visit to another page."""
    st.text_area(
        label,
        key=key,
        height=96,
        max_chars=limits.BOX,
        placeholder=placeholder,
        persist_state="session",
    )


def run_button(label: str, *, on_click: Callable[[], None], key: str) -> None:
    """The button that runs the text in the box of its form."""
    st.form_submit_button(
        label,
        type="primary",
        icon=":material/play_arrow:",
        on_click=on_click,
        key=key,
        help="Or press Ctrl+Enter in the box",
    )


def _way_back() -> None:
    own = st.session_state[session.PREVIOUS_PROMPT]
    if own is None or own == st.session_state[session.PROMPT]:
        return
    st.button(
        "Back to my prompt",
        icon=":material/undo:",
        on_click=session.undo,
        key="app-undo",
        help=f"`{in_one_line(own.replace('`', ''), limit=80)}`" if own.strip() else None,
    )
