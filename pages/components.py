"""Components: the parts of a layer's matrices, and what each of them does."""

from __future__ import annotations

from headroles.ui.app import elements, sections
from headroles.ui.components import picture_state, state


def page() -> None:
    """Draw the page from top to bottom."""
    elements.begin()
    state.begin()
    picture_state.begin()
    elements.title(
        "Components",
        answers="Below the head: each matrix of a layer is a sum of small parts. Which of them "
        "work on your prompt, for which tokens, and in how many heads at once?",
        first="Choose a matrix.",
    )
    sections.draw("headroles.ui.components", state.SECTIONS, key=state.SECTION)
    state.opened()


page()
