"""Find heads: by any two numbers, by likeness, layer by layer, and across models."""

from __future__ import annotations

from headroles.ui.app import elements, sections
from headroles.ui.find_heads import state


def page() -> None:
    """Draw the page from top to bottom."""
    elements.begin()
    state.begin()
    elements.title(
        "Find heads",
        answers="Which heads stand out, which do the same thing, and where in a model are they? "
        "Here heads are found by their numbers, by how alike they are, and by their pictures.",
        first="Choose a way to look.",
    )
    sections.draw("headroles.ui.find_heads", state.SECTIONS, key=state.SECTION)


page()
