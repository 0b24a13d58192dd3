"""Your Prompt: type a sentence, and see which heads know what to do with it.

The page draws its controls first; what needs the model fills the place below them.
"""

from __future__ import annotations

import streamlit as st

from headroles.ui import ask, caches, cards, literature, pieces, prompt_form, reading, state, view
from headroles.ui.compare import cards as pair_cards
from headroles.ui.compare import form, numbers
from headroles.ui.download import popover
from headroles.ui.extended import prompt as extended
from headroles.ui.extended import switch
from headroles.ui.lab import saved
from headroles.ui.share import button


def page() -> None:
    """Draw the page from top to bottom."""
    pieces.begin()
    st.title("Your Prompt", anchor=False)
    pieces.html(
        '<p class="hr-lead">Type a sentence. The attention heads that know what to do with it '
        "light up; the others stay gray and say why.</p>"
    )
    prompts()
    found = ask.answer()
    second = ask.answer(st.session_state[state.SECOND]) if found and form.is_open() else None
    if found is not None:
        if second is None:
            reading.draw(found.run)
        else:
            pair_cards.strips(found.run, second.run)
        roles(found, second)


def prompts() -> None:
    """The box of the prompt, and beside it that of the second one where there is one."""
    with st.container(key="prompts"):
        with st.container(key="first_prompt"):
            prompt_form.draw()
            if not form.is_open():
                form.offer()
        if form.is_open():
            with st.container(key="second_prompt_place"):
                form.draw()


def roles(found: caches.Answer, second: caches.Answer | None) -> None:
    """The listed heads in cards, and the way to all the others."""
    st.subheader("What the heads are doing", anchor=False)
    reference = ask.known(found)
    pairs = paired(found, second, reference)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            "All heads on this prompt",
            icon=":material/grid_view:",
            on_click=state.show_all_heads,
            key="all_heads",
            help="The head map: also heads that no list names",
        )
        if reference.entry is not None:
            pieces.how_to_read()
        popover.of_prompts(found, reference, second=second, pairs=pairs)
        button.draw()
    if pairs:
        st.markdown(
            f"**{numbers.summary(pairs)}** Click a pair of bars to look at that head on the first "
            "prompt."
        )
        pair_cards.draw(pairs)
    elif reference.entry is not None:
        one_prompt(found, reference)
    else:
        literature.draw(found)
    if second is None:
        saved.draw(found)


def one_prompt(found: caches.Answer, reference: caches.Reference) -> None:
    """A card a role, and the box about the sleeping ones."""
    from headroles.head_detection import summarize

    role_cards = view.role_cards(summarize(reference.entry, found.scores))
    st.markdown(f"**{view.overall(role_cards)}** Click a bar to look at that head more closely.")
    pieces.bar_legend()
    cards.draw(role_cards, reference.entry)
    if switch.draw(reference.entry, model=found.run.model_name):
        extended.draw(reference.entry, found)


def paired(
    found: caches.Answer, second: caches.Answer | None, reference: caches.Reference
) -> list[numbers.RolePair]:
    """The same heads on both prompts; none without a second prompt or without an analysis."""
    from headroles.head_detection import summarize

    if second is None or reference.entry is None:
        return []
    first_cards, second_cards = (
        view.role_cards(summarize(reference.entry, answer.scores)) for answer in (found, second)
    )
    return numbers.role_pairs(first_cards, second_cards)


page()
