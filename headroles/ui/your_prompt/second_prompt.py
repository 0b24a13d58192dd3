"""The boxes of one prompt or of two with their one Run, and the buttons of the comparison."""

from __future__ import annotations

import streamlit as st

from headroles.ui.app import address, draft_box, prompt_form, scope, session
from headroles.ui.your_prompt import second_model, state
from headroles.view import suggestion
from headroles.view.html import named


def is_open() -> bool:
    """Whether a second prompt stands beside the first."""
    return st.session_state[session.SECOND] is not None


def boxes() -> None:
    """The box of the prompt, the second one's beside it if there is one, and one Run for both."""
    with st.container(key="your_prompt-asking"):
        with st.container(key="your_prompt-prompts"):
            with st.container(key="your_prompt-first_prompt"):
                prompt_form.box()
            if is_open():
                with st.container(key="your_prompt-second_prompt_place"):
                    draft_box.draw(
                        "Second sentence, to compare with",
                        box=session.SECOND_BOX,
                        shown=session.SECOND,
                        run=prompt_form.RUN,
                        placeholder="Change one thing, and see which heads notice.",
                    )
        prompt_form.actions(session.run_both)
        if is_open():
            with st.container(horizontal=True, key="your_prompt-compare_ways"):
                _ways()


def offer() -> None:
    """The buttons that put a second prompt beside the first, or a second model; one at a time."""
    if is_open():
        return
    suggested = suggestion(st.session_state[session.PROMPT])
    st.button(
        "Compare with a second prompt",
        icon=":material/compare_arrows:",
        key="your_prompt-compare",
        on_click=session.compare_with,
        args=(suggested,),
        help=named(suggested, limit=120),
    )
    second_model.offer()


def _ways() -> None:
    """What fills the second box, and the ways out of the comparison."""
    first = st.session_state[session.PROMPT]
    _fill("Second: the first, changed", suggestion(first), key="your_prompt-suggest_second")
    _fill("Second: the first itself", first, key="your_prompt-same_second")
    scope.button(
        session.ANSWER_PAGE,
        "Which head carries the difference?",
        icon=":material/account_tree:",
        key="your_prompt-which_head",
        on_click=address.follow,
        args=(session.ANSWER_PAGE,),
        kwargs={"section": "pair"},
        help="Puts one head of the first sentence after another into the second",
    )
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
        on_click=session.compare_with,
        args=(None,),
    )


def _fill(label: str, prompt: str, *, key: str) -> None:
    st.button(
        label,
        key=key,
        on_click=session.compare_with,
        args=(prompt,),
        help=named(prompt, limit=120) if prompt.strip() else None,
    )
