"""Head close-up: one head on the prompt, from its roles to the single cells behind a bar.

Every click on a head leads here; opened from the navigation, the page chooses one.
"""

from __future__ import annotations

from functools import partial

import streamlit as st

from headroles.ui.app import (
    address,
    caches,
    copy_link,
    elements,
    prompt_form,
    run_prompt,
    saved_roles,
    scope,
    session,
)
from headroles.ui.head_closeup import (
    extended_roles,
    files,
    header,
    passport,
    pattern,
    profile,
    real_text,
    repeats,
    state,
    subject,
    tokens,
    waking,
)


def page() -> None:
    """Draw the page from top to bottom."""
    elements.begin()
    state.begin()
    elements.title(
        "Head close-up",
        answers="What does one head do on your prompt, and is that its job?",
        first="Choose a head, or step to the next one.",
    )
    prompt_form.folded(key="head_closeup-prompt")
    answer = run_prompt.run()
    if answer is not None:
        closeup(answer)


def closeup(answer: caches.Answer) -> None:
    """The head, and everything about it."""
    address.check(*answer.scores.resting.shape)
    chosen = subject.choose(answer, run_prompt.reference_or_provisional(answer))
    header.draw(chosen)
    waking.draw(chosen)
    elements.cut_off(answer.run.encoding)
    st.subheader("Where it looks", anchor=False)
    there = repeats.choose(chosen)
    rest_hidden = st.toggle(
        "Hide the resting column (rows rescaled)",
        key=session.HIDE_REST,
        persist_state="session",
        help="Leaves out the attention on the first token, where heads rest, and rescales what is "
        "left of every row to 100%.",
    )
    drawn = pattern.shown(there, rest_hidden=rest_hidden)
    with st.container(horizontal=True, vertical_alignment="center"):
        files.draw(there, drawn)
        copy_link.draw()
        scope.button(
            session.ANSWER_PAGE,
            "What did it write?",
            icon=":material/account_tree:",
            key="head_closeup-answer_page",
            on_click=partial(
                address.follow, session.ANSWER_PAGE, section="contributions", head=chosen.head
            ),
            help=f"What {chosen.head.label} added to the score of the next token, on the page "
            "Answer",
        )
    pattern.draw(there, drawn)
    tokens.draw(drawn)
    passport.draw(chosen)
    extended_roles.draw(chosen)
    saved_roles.of_head(answer, chosen.head)
    real_text.draw(chosen)
    left, right = st.columns([3, 2], gap="medium")
    with left:
        profile.draw(there)
    with right:
        passport.background(chosen)


page()
