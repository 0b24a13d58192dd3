"""Answer: which head wrote this answer, and through which path."""

from __future__ import annotations

from headroles.ui.answer import sections, state
from headroles.ui.app import elements


def page() -> None:
    """Draw the page from top to bottom."""
    elements.begin()
    state.begin()
    elements.title(
        "Answer",
        answers="Who wrote the next token? Every head, every MLP and every bias added something to "
        "its score, and it all adds up.",
        first="Type a sentence and see who said what.",
    )
    sections.draw()


page()
