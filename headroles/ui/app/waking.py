"""Prompts that wake gray heads, each with the button that runs it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from typing import TYPE_CHECKING

import streamlit as st

from headroles.ui.app import elements, session
from headroles.view.html import named

if TYPE_CHECKING:
    from headroles.view.waking import WakeUp


def draw(wake_ups: Sequence[WakeUp], tried: str, *, place: str) -> None:
    """Draw every prompt with its heads, and what is known of the heads without one.

    Args:
        wake_ups: the prompts.
        tried: how many were tried, and for which heads in vain.
        place: what the keys of the buttons begin with.
    """
    for number, wake_up in enumerate(wake_ups):
        line(wake_up.sentence, wake_up.prompt, key=f"{place}_{number}")
    if tried:
        elements.html(f'<div class="hr-small">{escape(tried)}</div>')


def line(
    sentence: str,
    prompt: str,
    *,
    key: str,
    on_click: Callable[[str], None] = session.use_tested,
) -> None:
    """A sentence, the prompt that it is about, and the button that runs it."""
    with st.container(horizontal=True, vertical_alignment="center", key=f"{key}_line"):
        elements.html(
            f'<div class="hr-explain">{escape(sentence)} <q class="hr-prompt">{escape(prompt)}</q>'
            "</div>",
            width="stretch",
        )
        _button("Try it", prompt, key=key, on_click=on_click)


def suggestion(prompt: str, *, key: str) -> None:
    """One prompt as a button with its beginning on it."""
    _button(f"Try this: “{named(prompt, limit=44)}”", prompt, key=key)


def _button(
    label: str,
    prompt: str,
    *,
    key: str,
    on_click: Callable[[str], None] = session.use_tested,
) -> None:
    """The button that puts a prompt into the box and runs it; the student's own is kept."""
    st.button(
        label,
        key=key,
        icon=":material/lightbulb:",
        on_click=on_click,
        args=(prompt,),
        help=named(prompt),
        wrap=False,
    )
