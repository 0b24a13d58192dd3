"""The button "Download" of every page, and the files behind it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import streamlit as st

from headroles.ui.app import extended_state, files, session
from headroles.ui.head_closeup import files as head_closeup_files
from headroles.ui.head_map import files as head_map_files
from headroles.ui.your_prompt import files as your_prompt_files

if TYPE_CHECKING:
    from headroles.ui.app.caches import Answer, Reference
    from headroles.ui.app.files import File
    from headroles.ui.head_closeup.pattern import Shown
    from headroles.ui.head_closeup.subject import Subject
    from headroles.view import ModelMap, RolePair

_NO_PICTURES = (
    "The chart cannot be saved as a picture here, because the library for it is not installed: "
    "run `pip install vl-convert-python`."
)


def of_prompts(
    found: Answer, reference: Reference, *, second: Answer | None, pairs: Sequence[RolePair]
) -> None:
    """What Your Prompt shows, of one prompt or of two."""
    with _popover():
        _buttons(your_prompt_files.of_prompt(found, reference))
        if second is not None and pairs:
            _buttons(
                your_prompt_files.of_comparison(found, second, reference=reference, pairs=pairs)
            )
        _about("Script and notebook make these numbers again with the headroles package.")


def of_closeup(subject: Subject, drawn: Shown) -> None:
    """The attention pattern that the close-up shows."""
    with _popover():
        _buttons(head_closeup_files.of_closeup(subject, drawn, extended=extended_state.shown()))
        _about(
            "The attention is of the whole prompt, whatever part the picture is zoomed to. “Roles” "
            "are the head's numbers in every role."
        )


def of_map(model: ModelMap, *, on_prompt: bool, reference: Reference) -> None:
    """The table of all heads, and the map of a role as a picture."""
    name = st.session_state[session.MODEL]
    prompt = st.session_state[session.PROMPT] if on_prompt else None
    with _popover():
        _buttons(head_map_files.of_map(name, prompt, reference, extended=extended_state.shown()))
        more = "" if extended_state.shown() else " With “Extended roles” switched on, those, too."
        _about(f"Every head in every role.{more}")
        if files.can_draw():
            where = "on one prompt" if on_prompt else "measured beforehand"
            _role_picture(name, model, where=where)


@st.fragment
def _role_picture(name: str, model: ModelMap, *, where: str) -> None:
    """Which role's map is saved; only this part runs again on a choice."""
    role = st.selectbox(
        "The map of",
        list(model.roles),
        format_func=lambda key: model.roles[key].role.name,
        key=session.PICTURE,
    )
    _buttons(head_map_files.of_role_map(name, model.roles[role], where=where))


def _popover() -> object:
    return st.popover("Download", icon=":material/download:", key="download")


def _buttons(offered: Iterable[File]) -> None:
    for file in offered:
        st.download_button(
            file.label,
            data=file.make,
            file_name=file.name,
            mime=file.mime,
            key=file.key,
            on_click="ignore",
            width="stretch",
        )


def _about(words: str) -> None:
    origin = "CSV and JSON say which model, revision, prompt and tokens they are of."
    st.caption(f"{words} {origin}")
    if not files.can_draw():
        st.caption(_NO_PICTURES)
