"""Glossary: every word of the field that the app uses, with a sentence and a picture."""

from __future__ import annotations

from headroles.ui.app import elements, glossary


def page() -> None:
    """Draw the page from top to bottom."""
    elements.begin()
    elements.title(
        "Glossary",
        answers="What do the words mean? One sentence and one picture each.",
        first="On every page, point at a word with a dotted line, or tap it, to see what it means.",
    )
    glossary.draw()


page()
