"""Which prompts the lab runs: the present one, several, or generated ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import streamlit as st

from headroles import limits, texts
from headroles.errors import HeadrolesError
from headroles.ui.app import chat_format, draft_box, elements, prompt_form, session
from headroles.ui.detector_lab import state
from headroles.view.html import count, named

if TYPE_CHECKING:
    from streamlit.runtime.uploaded_file_manager import UploadedFile


class Typed(NamedTuple):
    """The chosen prompts."""

    prompts: tuple[str, ...]
    """Texts; empty where they are generated."""
    generated: tuple[str, int, int] = ("", 0, 0)
    """Kind, number and seed."""
    chat: bool = False
    """Whether they are wrapped by the model's chat template."""


def draw() -> Typed:
    """Draw the controls."""
    source = st.segmented_control(
        "Prompts",
        state.SOURCES,
        key=state.SOURCE,
        required=True,
        persist_state="session",
    )
    if source == state.SEVERAL:
        return _several()
    if source == state.GENERATED:
        return _generated()
    prompt_form.folded(key="detector_lab-prompt")
    chat = chat_format.is_on(st.session_state[session.MODEL])
    return Typed((st.session_state[session.PROMPT],), chat=chat)


def _several() -> Typed:
    draft_box.draw(
        "One prompt per line",
        box=state.MANY,
        shown=state.MANY_SHOWN,
        run="detector_lab-run_many",
        most=limits.PROMPTS_TEXT.most,
    )
    draft_box.run_button("Run", key="detector_lab-run_many", on_click=state.run_many)
    with st.expander("Or a file", type="compact"):
        file = st.file_uploader(
            "A text file with a prompt on every line", type=["txt"], key=state.FILE
        )
    try:
        lines = _lines(st.session_state[state.MANY_SHOWN] if file is None else _text(file))
    except HeadrolesError as error:
        elements.show_error(error)
        return Typed(())
    if file is not None:
        name = named(file.name, limit=limits.NAME.most)
        st.caption(f"These are the prompts of {name}. Remove the file to use the box.")
    over = "it" if len(lines) == 1 else "them"
    st.caption(f"{count(len(lines), 'prompt')}. Each score is a mean over {over}.")
    return Typed(lines)


def _text(file: UploadedFile) -> str:
    """A file's text.

    Raises:
        LimitError: if it is too large.
        TextFileError: if it is no text.
    """
    limits.UPLOAD.check(file.size)
    return texts.as_text(file.getvalue(), name=file.name)


def _lines(text: str) -> tuple[str, ...]:
    """The prompts of a text.

    Raises:
        LimitError: if there are too many, or too long ones.
    """
    limits.PROMPTS_TEXT.check(len(text))
    lines = tuple(line for line in text.splitlines() if line.strip())
    limits.PROMPTS.check(len(lines))
    limits.PROMPT.check(max(map(len, lines), default=0))
    return lines


def _generated() -> Typed:

    kinds = list(texts.GENERATED)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        kind = st.selectbox(
            "Kind", kinds, format_func=texts.GENERATED.get, key=state.KIND, persist_state="session"
        )
        n = st.number_input(
            "How many", *limits.GENERATED, key=state.COUNT, persist_state="session", width=130
        )
        seed = st.number_input(
            "Seed", *limits.SEED, key=state.SEED, persist_state="session", width=130
        )
    about = {
        "repeats": "Nonsense, repeated two or three times. Only copies can help here, so this "
        "tells heads that find copies from heads that know English.",
        "sentences": f"Up to {len(texts.SENTENCES)} sentences written for this project.",
        "random": "Nonsense without repeats. What a head still does here, it does by position.",
    }
    st.caption(f"{about[kind]} The same seed gives the same prompts.")
    if kind == "sentences":
        n = min(int(n), len(texts.SENTENCES))
    return Typed((), (kind, int(n), int(seed)))
