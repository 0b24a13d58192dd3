"""Prompts that the page offers. The ones that wake a role are in the role registry.

A model that was trained on simple stories knows few words; any other can be shown facts, names and
code. So there are two sets.
"""

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


STORY_EXAMPLES = (
    Example("A phrase twice", DEFAULT_PROMPT),
    Example("Nothing repeated", "The old man walked slowly to the river with his dog."),
    Example("Counting again", "one two three four one two three four one two"),
    Example("Who gets the drink?", "When Mary and John went to the store, John gave a drink to"),
    Example("Days in order", "Monday, Tuesday, Wednesday,"),
)
"""The chips under the prompt box, in the few words that a model of simple stories knows."""

TEXT_EXAMPLES = (
    Example("A phrase twice", DEFAULT_PROMPT),
    Example(
        "Random words twice",
        "copper violin garden thunder pencil mirror coffee copper violin garden thunder pencil "
        "mirror coffee copper violin",
    ),
    Example(
        "Capitals",
        "The capital of France is Paris. The capital of Japan is Tokyo. The capital of Italy is",
    ),
    Example("Who gets the drink?", "When Mary and John went to the store, John gave a drink to"),
    Example(
        "A name again", "Mrs. Quillen met Dr. Zhao in Lisbon. A year later, Mrs. Quillen met Dr."
    ),
    Example("Code", "for name in names:\n    print(name)\n\nfor name in names:\n    print"),
    Example(
        "Nothing repeated", "The Eiffel Tower in Paris was built in 1889 by the engineer Gustave"
    ),
)
"""The chips of a model that reads any text."""


def examples(*, stories: bool) -> tuple[Example, ...]:
    """The chips of a model of simple stories, or of one that reads any text."""
    return STORY_EXAMPLES if stories else TEXT_EXAMPLES


def repeating(*, stories: bool) -> str:
    """The chip whose text repeats whole stretches, for a model of simple stories or for any."""
    return examples(stories=stories)[0 if stories else 1].prompt
