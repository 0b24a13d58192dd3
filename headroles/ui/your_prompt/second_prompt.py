"""The box of the second prompt, and the buttons that open and close it."""

from __future__ import annotations

import streamlit as st

from headroles.formatting import in_one_line
from headroles.ui.app import prompt_form, session
from headroles.ui.your_prompt import state
from headroles.view import suggestion


def is_open() -> bool:
    """Whether a second prompt stands beside the first."""
    return st.session_state[state.SECOND] is not None


def offer() -> None:
    """The button that puts a second prompt beside the first."""
    suggested = suggestion(st.session_state[session.PROMPT])
    st.button(
        "Compare with a second prompt",
        icon=":material/compare_arrows:",
        key="your_prompt-compare",
        on_click=state.compare_with,
        args=(suggested,),
        help=f"`{in_one_line(suggested.replace('`', ''), limit=120)}`",
    )


def draw() -> None:
    """Draw the second box."""
    with st.form("second_form", border=True):
        prompt_form.box(
            "Second sentence, to compare with",
            "Change one thing, and see which heads notice.",
            key=state.SECOND_BOX,
        )
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            prompt_form.run_button(
                "Run the second", on_click=state.run_second, key="your_prompt-run_second"
            )
            first = st.session_state[session.PROMPT]
            _chip("The first, changed", suggestion(first), key="your_prompt-suggest_second")
            _chip("The first itself", first, key="your_prompt-same_second")
    with st.container(horizontal=True, key="your_prompt-compare_ways"):
        st.button(
            "Swap the two",
            icon=":material/swap_horiz:",
            key="your_prompt-swap",
            on_click=state.swap_prompts,
        )
        st.button(
            "Stop comparing",
            icon=":material/close:",
            key="your_prompt-stop_comparing",
            on_click=state.compare_with,
            args=(None,),
        )


def _chip(label: str, prompt: str, *, key: str) -> None:
    st.form_submit_button(
        label,
        key=key,
        on_click=state.compare_with,
        args=(prompt,),
        help=f"`{in_one_line(prompt.replace('`', ''), limit=120)}`" if prompt.strip() else None,
    )
