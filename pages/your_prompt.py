"""Your Prompt: type a sentence, and see which heads know what to do with it.

The page draws its controls first; what needs the model fills the place below them.
"""

from __future__ import annotations

import streamlit as st

from headroles.errors import HeadrolesError
from headroles.models import CATALOGUE
from headroles.ui import caches, cards, head_map, pattern, pieces, prompt_form, reading, state, view


def page() -> None:
    """Draw the page from top to bottom."""
    pieces.begin()
    st.title("Your Prompt", anchor=False)
    pieces.html(
        '<p class="hr-lead">Type a sentence. The attention heads that know what to do with it '
        "light up; the others stay gray and say why.</p>"
    )
    prompt_form.draw()
    found = answer()
    if found is not None:
        reading.draw(found.run)
        roles(found)


def answer() -> caches.Answer | None:
    """Run the prompt; None, with the reason said, if it cannot be run."""
    model, prompt = st.session_state[state.MODEL], st.session_state[state.PROMPT]
    name = CATALOGUE[model].name
    try:
        with (
            st.spinner(f"Loading {name} and reading your prompt. The first time takes a moment."),
            st.skeleton(height=420),
        ):
            return caches.answer(model, prompt)
    except HeadrolesError as error:
        pieces.show_error(error)
        if not CATALOGUE[model].is_bundled:
            st.button(
                "Use the bundled model",
                icon=":material/home:",
                on_click=state.use_default_model,
                key="use_default_model",
            )
    return None


def roles(found: caches.Answer) -> None:
    """The heads and their roles: the listed ones in cards, or all of them on a map."""
    from headroles.head_detection import summarize

    st.subheader("What the heads are doing", anchor=False)
    reference = known(found)
    listed = False
    if reference.entry is not None:
        with st.container(horizontal=True, vertical_alignment="center"):
            chosen = st.segmented_control(
                "Which heads",
                state.VIEWS,
                key=state.VIEW,
                default=state.LISTED,
                required=True,
                persist_state="session",
                label_visibility="collapsed",
                on_change=state.close_pattern,
            )
            pieces.how_to_read()
        listed = chosen != state.ALL
    if listed:
        role_cards = view.role_cards(summarize(reference.entry, found.scores))
        st.markdown(f"**{view.overall(role_cards)}** Click a bar to see where that head looks.")
        pieces.bar_legend()
        cards.draw(role_cards, reference.entry)
    else:
        head_map.draw(found.scores, reference)
    pattern.draw(found, reference)


def known(found: caches.Answer) -> caches.Reference:
    """The stored analysis; without one, the reason is said and provisional thresholds serve."""
    layers, heads = found.scores.resting.shape
    try:
        reference = caches.reference(st.session_state[state.MODEL], (layers, heads))
    except HeadrolesError as error:
        pieces.show_error(error, kind=st.warning)
        st.caption(
            "Until then nobody knows which heads have which role. Below are all heads on this "
            "prompt, judged by provisional thresholds."
        )
        return caches.provisional()
    if since := reference.stands_in_since:
        st.caption(
            "The file of reference scores is damaged. These are from the version of "
            f"{since.day} {since:%B %Y, %H:%M} UTC; an instructor can restore it on the Admin page."
        )
    return reference


page()
