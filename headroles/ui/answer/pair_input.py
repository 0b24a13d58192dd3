"""Two prompts that differ in one thing: their boxes, ready-made pairs, answers and tokens."""

from __future__ import annotations

from functools import partial
from html import escape
from typing import TYPE_CHECKING

import streamlit as st

from headroles import texts
from headroles.errors import HeadrolesError
from headroles.ui.answer import pair_caches, pair_state, state
from headroles.ui.answer.pair_caches import Asked, Measured
from headroles.ui.app import (
    chat_format,
    draft_box,
    elements,
    long_work,
    pace,
    prompt_form,
    run_prompt,
    session,
)
from headroles.view import patching

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

WRONG = " (this model gets it wrong)"
"""Behind the name of such a pair."""


def draw() -> tuple[Asked, Measured] | None:
    """The boxes, what the model answers, and the pair; None, with the way out, if there is none."""
    pair_state.begin()
    _boxes()
    if st.session_state[session.SECOND] is None:
        st.info(
            "Take a ready-made pair, or type a second sentence with one word exchanged. The page "
            "then puts what a head writes in one sentence into the other, to see which heads "
            "decide the answer."
        )
        return None
    asked = _asked()
    try:
        with st.spinner("Running both sentences."):
            measured = pair_caches.pair(asked.model, asked)
    except HeadrolesError as error:
        run_prompt.show_model_error(error)
        _own_guesses()
        return None
    _show(measured)
    return asked, measured


def _asked() -> Asked:
    now = st.session_state
    answer, against = (now[key].strip() and now[key] for key in (state.ANSWER, state.AGAINST))
    model = now[session.MODEL]
    is_chat = chat_format.is_on(model)
    return Asked(model, now[session.PROMPT], now[session.SECOND], answer, against, is_chat)


def _boxes() -> None:
    with st.container(key="answer-asking"):
        left, right = st.columns(2, gap="medium")
        with left:
            prompt_form.box()
        with right:
            if st.session_state[session.SECOND] is None:
                elements.html('<p class="hr-small">There is no second sentence yet.</p>')
                st.button(
                    "Type a second sentence",
                    icon=":material/edit:",
                    key="answer-second",
                    on_click=session.compare_with,
                    args=(st.session_state[session.PROMPT],),
                )
            else:
                draft_box.draw(
                    "Second sentence",
                    box=session.SECOND_BOX,
                    shown=session.SECOND,
                    run=prompt_form.RUN,
                    placeholder="The first sentence with one word exchanged.",
                )
        prompt_form.actions(session.run_both, instead=_ready)
        _which_are_right()
        left, right, _ = st.columns([1, 1, 1], gap="small", vertical_alignment="bottom")
        with left:
            st.text_input(
                "The first continues with",
                key=state.ANSWER,
                placeholder="the model’s own guess",
                persist_state="session",
            )
        with right:
            st.text_input(
                "The second continues with",
                key=state.AGAINST,
                placeholder="the model’s own guess",
                persist_state="session",
            )


def _ready() -> None:
    """The menu of ready-made pairs: those that the model gets right come first."""
    kept = long_work.kept("ready_pairs", st.session_state[session.MODEL])
    right = [ready for part in kept or () for ready in part]
    rest = [ready for ready in texts.READY_PAIRS if ready not in right]
    named = {f"{ready.kind}: {ready.name}": ready for ready in right}
    named |= {f"{ready.kind}: {ready.name}{WRONG * bool(right)}": ready for ready in rest}

    def chosen() -> None:
        if (ready := named.get(st.session_state[pair_state.READY])) is not None:
            pair_state.use_pair(ready)

    st.menu_button(
        "Ready-made pairs",
        list(named),
        key=pair_state.READY,
        icon=":material/library_books:",
        on_click=chosen,
    )


def _which_are_right() -> None:
    """Try the ready-made pairs once; the menu then shows which the model gets right."""
    model = st.session_state[session.MODEL]
    steps = [partial(pair_caches.told_apart, model, kind) for kind in texts.PAIR_KINDS]
    if long_work.kept("ready_pairs", model) is None and _tried(model, steps):
        st.rerun()


def _tried(model: str, steps: Sequence[Callable[[], object]]) -> bool:
    """Whether it is known which pairs the model gets right; a larger model is asked on demand."""
    rows = 2 * len(texts.READY_PAIRS)
    try:
        seconds = rows * pair_caches.WORDS * pace.token_seconds(model)
    except HeadrolesError:  # it is shown where the sentences are run
        return False
    return bool(
        long_work.offer(
            "ready_pairs",
            model,
            "Which of them does this model get right?",
            what="try of ready-made pairs",
            seconds=seconds,
        )
        and long_work.run(
            "ready_pairs", model, lambda: long_work.Plan(steps), doing="Trying ready-made pairs"
        )
    )


def _own_guesses() -> None:
    """The way out of answers that belong to other sentences."""
    if st.session_state[state.ANSWER].strip() or st.session_state[state.AGAINST].strip():
        st.button(
            "Use the model’s own guesses",
            icon=":material/auto_awesome:",
            key="answer-own_guesses",
            on_click=pair_state.forget_answers,
        )


def _show(measured: Measured) -> None:
    """The tokens side by side, and how far the model tells the sentences apart."""
    pair = measured.pair
    elements.html(patching.aligned(pair))
    notes = [patching.pair_sentence(pair), *pair.remarks]
    if not pair.is_told_apart:
        notes.append(patching.doubt(pair))
    elements.note(escape(" ".join(notes)))
