"""Detector lab: any detection pattern against every head, and the recipes of papers."""

from __future__ import annotations

from headroles.ui.app import elements, sections
from headroles.ui.detector_lab import state


def page() -> None:
    """Draw the page from top to bottom."""
    elements.begin()
    state.begin()
    elements.title(
        "Detector lab",
        answers="Which head looks where you expect it to? Your guess is a <b>pattern</b>: a "
        "marked cell means “this token looks at that one”.",
        first="Choose a pattern, make your own, or see what papers’ recipes say.",
    )
    sections.draw("headroles.ui.detector_lab", state.SECTIONS, key=state.SECTION)


page()
