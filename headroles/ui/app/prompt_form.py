"""The prompt box, its Run button, recent prompts, example chips, chat format and the way back."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from headroles.texts.examples import examples, look_for
from headroles.ui.app import chat_format, draft_box, elements, history, session
from headroles.view.html import named

RUN = "app-run"
"""The key of the button that runs the box."""


def box() -> None:
    """The box alone."""
    history.note()
    draft_box.draw(
        "Your sentence",
        box=session.BOX,
        shown=session.PROMPT,
        run=RUN,
        placeholder="Type a sentence, or take one of the examples below.",
    )


def actions(
    run: Callable[[], None] = session.run_box,
    *,
    way_back: bool = True,
    instead: Callable[[], None] | None = None,
) -> None:
    """One row: Run, recent prompts and the examples, which scroll sideways where they must.

    Args:
        run: takes over the texts in the boxes.
        way_back: whether the way back to the student's own text stands before the examples.
        instead: draws what stands in place of the examples, which are one sentence each.
    """
    with st.container(horizontal=True, vertical_alignment="center", key="app-actions"):
        draft_box.run_button("Run", on_click=run, key=RUN)
        history.draw()
        with st.container(horizontal=True, wrap=False, key="app-examples"):
            if way_back:
                _way_back()
            (instead or _examples)()
        chat_format.draw()
    if instead is None:
        prompt = st.session_state[session.PROMPT]
        elements.look_for(look_for(prompt, stories=session.knows_stories_only()))


def _examples() -> None:
    for number, example in enumerate(examples(stories=session.knows_stories_only())):
        st.button(
            example.label,
            on_click=session.use_example,
            args=(example.prompt,),
            key=f"app-example_{number}",
            help=named(example.prompt),
        )


def folded(*, key: str) -> None:
    """The same form, folded behind a line with the prompt, for pages about its heads."""
    prompt = " ".join(st.session_state[session.PROMPT].split())
    as_chat = " as a chat message" if chat_format.is_on(st.session_state[session.MODEL]) else ""
    label = f"On the prompt “{named(prompt, limit=70)}”{as_chat}"
    if session.is_edited():
        label += " · the box holds another text, not run yet"
    with st.expander(label, icon=":material/edit_note:", key=key):
        box()
        actions(way_back=False)
    _way_back()


def _way_back() -> None:
    own = st.session_state[session.PREVIOUS_PROMPT]
    if own is None or own == st.session_state[session.PROMPT]:
        return
    st.button(
        "Back to my prompt",
        icon=":material/undo:",
        on_click=session.undo,
        key="app-undo",
        help=named(own, limit=80) if own.strip() else None,
    )
