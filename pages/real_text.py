"""Real text: what the heads of a model do out there, away from test sentences."""

from __future__ import annotations

from headroles.ui.app import elements, sections
from headroles.ui.real_text import state


def page() -> None:
    """Draw the page from top to bottom."""
    elements.begin()
    state.begin()
    elements.title(
        "Real text",
        answers="What do heads do on text that nobody wrote to test them? Thousands of tokens of "
        "a manual, of code, of stories or of your own text run through the model, and every head "
        "is watched at every token.",
        first="Read the blue line, then choose a head.",
    )
    sections.draw("headroles.ui.real_text", state.SECTIONS, key=state.SECTION)


page()
