"""Your Prompt: type a sentence, and see which heads know what to do with it.

The page draws its controls first, and right below them the answer: a lamp per role and one
sentence. The cards, the tokens and the guesses follow.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import streamlit as st

from headroles.ui.app import (
    caches,
    copy_link,
    elements,
    extended_switch,
    literature,
    run_prompt,
    saved_roles,
    scope,
    session,
)
from headroles.ui.your_prompt import (
    extended_roles,
    files,
    pair_cards,
    presenter,
    second_model,
    second_prompt,
    state,
    tokens_and_guesses,
)
from headroles.ui.your_prompt import role_cards as your_prompt_role_cards
from headroles.view import RoleCard, RolePair, html, lamps, resting_layers, role_cards, two_prompts


def page() -> None:
    """Draw the page from top to bottom."""
    elements.begin()
    state.begin()
    if presenter.is_on():
        presenter.draw()
        return
    elements.title(
        "Your Prompt",
        answers="An attention head is a small part of a language model that "
        "picks, for each token, which earlier tokens to look at.",
        first="Type a sentence: the heads that know what to do with it light up.",
        beside=invitation if scope.offers(session.LESSONS) else None,
    )
    second_prompt.boxes()
    answer = run_prompt.run()
    second = (
        run_prompt.run(st.session_state[session.SECOND])
        if answer and second_prompt.is_open()
        else None
    )
    if answer is not None:
        draw(answer, second)


def invitation() -> None:
    """The way to the first lesson, for whoever is new."""
    st.page_link(session.LESSONS, label="New here? Start with a lesson", icon=":material/school:")


def draw(answer: caches.Answer, second: caches.Answer | None) -> None:
    """The answer, then the cards, the ways on, and how the model reads the prompt."""
    at_once = st.container(key="your_prompt-answer", gap="small")
    reference = run_prompt.reference_or_provisional(answer)
    firsts, seconds = (your_prompt_role_cards.of(shown, reference) for shown in (answer, second))
    pairs = two_prompts.role_pairs(firsts, seconds) if seconds else []
    with at_once:
        lamps_and_sentence([answer, second], reference, cards=firsts, pairs=pairs)
        for shown in filter(None, (answer, second)):
            elements.cut_off(shown.run.encoding)
            if bytes_only := html.byte_repeats_sentence(shown.run.encoding):
                elements.note(escape(bytes_only))
    second_model.draw(answer, reference)
    if reference.entry is not None:
        legend(paired=bool(pairs))
    if pairs:
        pair_cards.draw(pairs)
    elif reference.entry is not None:
        one_prompt(answer, reference, firsts)
    else:
        literature.draw(answer)
    if second is None:
        saved_roles.cards(answer)
    ways(answer, reference, second=second, pairs=pairs)
    if second is None:
        tokens_and_guesses.draw(answer.run)
    else:
        pair_cards.strips(answer.run, second.run)


def lamps_and_sentence(
    answers: Sequence[caches.Answer | None],
    reference: caches.Reference,
    *,
    cards: Sequence[RoleCard],
    pairs: Sequence[RolePair],
) -> None:
    """The answer at a glance: a lamp per role, and what to conclude from them."""
    shown = [answer for answer in answers if answer is not None]
    if pairs:
        row, words = two_prompts.lamps(pairs), two_prompts.summary(pairs)
    elif cards:
        row, words = lamps.of_cards(cards), role_cards.overall(cards)
    else:
        counts = [lamps.active_counts(one.scores, reference.thresholds) for one in shown]
        heads = shown[0].scores.resting.numel()
        row = lamps.of_all(counts, heads)
        words = lamps.overall_of_all(counts, heads)
    if len(shown) == 1:
        row.append(tokens_and_guesses.lamp(shown[0].run))
    elements.html(
        '<h2 class="hr-unseen">What the heads are doing</h2>'
        f'<ul class="hr-lamps">{"".join(row)}</ul>'
    )
    elements.conclusion(escape(words))


def legend(*, paired: bool) -> None:
    """What a bar is made of, in a line above the cards."""
    with st.container(horizontal=True, vertical_alignment="center", key="your_prompt-legend"):
        elements.bar_legend(paired=paired)
        elements.how_to_read()


def ways(
    answer: caches.Answer,
    reference: caches.Reference,
    *,
    second: caches.Answer | None,
    pairs: Sequence[RolePair],
) -> None:
    """A quiet row: to all heads, to the files and to the link."""
    with st.container(horizontal=True, vertical_alignment="center", key="your_prompt-ways"):
        scope.button(
            session.MAP,
            "All heads on this prompt",
            icon=":material/grid_view:",
            on_click=session.show_all_heads,
            key="your_prompt-all_heads",
            help="The head map shows every head, listed or not",
        )
        files.draw(answer, reference, second=second, pairs=pairs)
        copy_link.draw()
        second_prompt.offer()
        presenter.offer()


def one_prompt(
    answer: caches.Answer, reference: caches.Reference, cards: Sequence[RoleCard]
) -> None:
    """The cards of one prompt: the five roles, and the extended ones behind their switch."""
    threshold = reference.thresholds["positional"]
    layers = resting_layers.resting_layers(answer.scores, threshold)
    your_prompt_role_cards.draw(cards, reference.entry, layers)
    if extended_switch.draw(reference.entry, model=answer.run.model_name):
        extended_roles.draw(reference.entry, answer)


page()
