"""Answer: which head wrote this answer, and through which path."""

from __future__ import annotations

from headroles.ui.answer import state
from headroles.ui.app import elements, sections


def page() -> None:
    """Draw the page from top to bottom."""
    elements.begin()
    state.begin()
    elements.title(
        "Answer",
        answers="Which head wrote the answer, what did it look at, and what happens without it? "
        "Every part of the model adds something to the next token's score, and it all adds up.",
        first="Type a sentence and read the blue line.",
    )
    sections.draw("headroles.ui.answer", state.SECTIONS, key=state.SECTION)


page()
