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
    look_for: str = ""
    """What to look for; empty where the cards say it."""


_RISING = Example(
    "Names and numbers",
    "Adam is 1. Tom is 2. Anna is 3. Ben is 4. Lily is",
    "Nothing repeats but “is” and the full stop: the numbers rise. Which heads look from number to "
    "number, and which simply four tokens back? The Detector lab has this as an experiment.",
)

STORY_EXAMPLES = (
    Example("A phrase twice", DEFAULT_PROMPT),
    Example("Nothing repeated", "The old man walked slowly to the river with his dog."),
    Example("Counting again", "one two three four one two three four one two"),
    Example("Who gets the drink?", "When Mary and John went to the store, John gave a drink to"),
    Example("Days in order", "Monday, Tuesday, Wednesday,"),
    _RISING,
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
    _RISING,
    Example("Code", "for name in names:\n    print(name)\n\nfor name in names:\n    print"),
    Example(
        "Nothing repeated", "The Eiffel Tower in Paris was built in 1889 by the engineer Gustave"
    ),
)
"""The chips of a model that reads any text."""


def examples(*, stories: bool) -> tuple[Example, ...]:
    """The chips of a model of simple stories, or of one that reads any text."""
    return STORY_EXAMPLES if stories else TEXT_EXAMPLES


def look_for(prompt: str, *, stories: bool) -> str:
    """What to look for on an example's prompt; empty for any other prompt."""
    return next((one.look_for for one in examples(stories=stories) if one.prompt == prompt), "")


def repeating(*, stories: bool) -> str:
    """The chip whose text repeats whole stretches, for a model of simple stories or for any."""
    return examples(stories=stories)[0 if stories else 1].prompt
