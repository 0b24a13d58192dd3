"""Prompts that the page offers. The ones that wake a role are in the role registry."""

from __future__ import annotations

from typing import NamedTuple

DEFAULT_PROMPT = "The cat sat on the mat. The cat sat on the mat. The cat"
"""Answered when the page opens: its repeats give every role something to do."""


class Example(NamedTuple):
    """One example chip."""

    label: str
    """Two or three words on the chip."""
    prompt: str
    """What it puts into the box."""


EXAMPLES = (
    Example("A phrase twice", DEFAULT_PROMPT),
    Example("Nothing repeated", "The old man walked slowly to the river with his dog."),
    Example("Counting again", "one two three four one two three four one two"),
    Example("Who gets the drink?", "When Mary and John went to the store, John gave a drink to"),
    Example("Days in order", "Monday, Tuesday, Wednesday,"),
)
"""The chips under the prompt box."""
