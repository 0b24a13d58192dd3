"""Knock-out lab: knock heads out, and see whether the model can do without them."""

from __future__ import annotations

from headroles.ui.app import elements
from headroles.ui.knockout_lab import sections


def page() -> None:
    """Draw the page from top to bottom."""
    elements.begin()
    elements.title(
        "Knock-out lab",
        answers="Does the model really need a head?",
        first="Knock it out and see what the model predicts then.",
    )
    sections.draw()


page()
