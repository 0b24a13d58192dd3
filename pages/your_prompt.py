"""Your Prompt: type a sentence, and see which heads know what to do with it.

The page draws its controls first; what needs the model fills the place below them.
"""

from __future__ import annotations

import streamlit as st

from headroles import verdicts
from headroles.ui.app import (
    caches,
    copy_link,
    elements,
    extended_switch,
    literature,
    run_prompt,
    session,
)
from headroles.ui.detector_lab import session_roles
from headroles.ui.your_prompt import (
    extended_roles,
    files,
    pair_cards,
    second_model,
    second_prompt,
    state,
    tokens_and_guesses,
)
from headroles.ui.your_prompt import role_cards as your_prompt_role_cards
from headroles.view import resting_layers, two_prompts
from headroles.view import role_cards as view_role_cards


def page() -> None:
    """Draw the page from top to bottom."""
    elements.begin()
    state.begin()
    elements.title(
        "Your Prompt",
        answers="Type a sentence. The attention heads that know what to do with it "
        "light up; the others stay gray and say why.",
    )
    second_prompt.boxes()
    answer = run_prompt.run()
    second = (
        run_prompt.run(st.session_state[state.SECOND])
        if answer and second_prompt.is_open()
        else None
    )
    if answer is not None:
        if second is None:
            tokens_and_guesses.draw(answer.run)
        else:
            pair_cards.strips(answer.run, second.run)
        roles(answer, second)


def roles(answer: caches.Answer, second: caches.Answer | None) -> None:
    """The listed heads in cards, and the way to all the others."""
    st.subheader("What the heads are doing", anchor=False)
    reference = run_prompt.reference_or_provisional(answer)
    second_model.draw(answer, reference)
    pairs = paired(answer, second, reference)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            "All heads on this prompt",
            icon=":material/grid_view:",
            on_click=session.show_all_heads,
            key="your_prompt-all_heads",
            help="The head map: also heads that no list names",
        )
        if reference.entry is not None:
            elements.how_to_read()
        second_prompt.offer()
        files.draw(answer, reference, second=second, pairs=pairs)
        copy_link.draw()
    if pairs:
        st.markdown(
            f"**{two_prompts.summary(pairs)}** Click a pair of bars to look at that head on the "
            "first prompt."
        )
        pair_cards.draw(pairs)
    elif reference.entry is not None:
        one_prompt(answer, reference)
    else:
        literature.draw(answer)
    if second is None:
        session_roles.draw(answer)


def one_prompt(answer: caches.Answer, reference: caches.Reference) -> None:
    """One card per role, and the box about the sleeping ones."""

    summary = verdicts.summarize(reference.entry, answer.scores)
    role_cards = view_role_cards.role_cards(summary, reference.entry)
    st.markdown(
        f"**{view_role_cards.overall(role_cards)}** Click a bar to look at that head more closely."
    )
    elements.bar_legend()
    threshold = reference.thresholds["positional"]
    layers = resting_layers.resting_layers(answer.scores, threshold)
    your_prompt_role_cards.draw(role_cards, reference.entry, layers)
    if extended_switch.draw(reference.entry, model=answer.run.model_name):
        extended_roles.draw(reference.entry, answer)


def paired(
    answer: caches.Answer, second: caches.Answer | None, reference: caches.Reference
) -> list[two_prompts.RolePair]:
    """The same heads on both prompts; none without a second prompt or without an analysis."""

    if second is None or reference.entry is None:
        return []
    first_cards, second_cards = (
        view_role_cards.role_cards(
            verdicts.summarize(reference.entry, shown.scores), reference.entry
        )
        for shown in (answer, second)
    )
    return two_prompts.role_pairs(first_cards, second_cards)


page()
