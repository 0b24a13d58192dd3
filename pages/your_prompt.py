"""Your Prompt: type a sentence, and see which heads know what to do with it.

The page draws its controls first; what needs the model fills the place below them.
"""

from __future__ import annotations

import streamlit as st

from headroles.ui import ask, caches, cards, pieces, prompt_form, reading, state, view


def page() -> None:
    """Draw the page from top to bottom."""
    pieces.begin()
    st.title("Your Prompt", anchor=False)
    pieces.html(
        '<p class="hr-lead">Type a sentence. The attention heads that know what to do with it '
        "light up; the others stay gray and say why.</p>"
    )
    prompt_form.draw()
    found = ask.answer()
    if found is not None:
        reading.draw(found.run)
        roles(found)


def roles(found: caches.Answer) -> None:
    """The listed heads in cards, and the way to all the others."""
    from headroles.head_detection import summarize

    st.subheader("What the heads are doing", anchor=False)
    reference = ask.known(found)
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
    if reference.entry is not None:
        role_cards = view.role_cards(summarize(reference.entry, found.scores))
        st.markdown(
            f"**{view.overall(role_cards)}** Click a bar to look at that head more closely."
        )
        pieces.bar_legend()
        cards.draw(role_cards, reference.entry)


page()
