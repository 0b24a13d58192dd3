"""Ready pairs of prompts that differ in a word or two on which the answer depends.

For activation patching: in the indirect-object task (IOI; Wang et al. 2022, arXiv 2211.00593) the
name that stands twice changes, in greater-than (Hanna et al. 2023, arXiv 2305.00586) the year, in a
list where it begins, in a repetition the word that is repeated. A pair is of use for a model only
if both prompts have as many tokens, and the model tells them apart
(:func:`headroles.ablation.pairs.told_apart`).

Most pairs name a word that does not matter for the answer, and words to exchange it for: what such
an exchange does is the control.

>>> READY_PAIRS[0].answer, READY_PAIRS[0].against
(' Mary', ' John')
>>> exchanged(READY_PAIRS[0].second, READY_PAIRS[0].exchange)[0]
'When Mary and John went to the park, Mary gave a drink to'
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class ReadyPair(NamedTuple):
    """Two prompts and what each should be continued with."""

    kind: str
    """The group that it belongs to."""
    name: str
    """A short name of its own."""
    first: str
    """The first prompt."""
    second: str
    """The second prompt."""
    answer: str
    """What should come after the first, with its leading space where it has one."""
    against: str
    """What should come after the second."""
    exchange: tuple[str, ...] = ()
    """A word of both prompts that does not matter, and words to exchange it for."""


def exchanged(text: str, words: Sequence[str]) -> tuple[str, ...]:
    """A prompt with the first of some words exchanged for each of the others.

    >>> exchanged("A small cat. A small", ("small", "big", "old"))
    ('A big cat. A big', 'A old cat. A old')
    """
    return tuple(text.replace(words[0], other) for other in words[1:])


PAIR_KINDS = (
    "Indirect object (IOI)",
    "Greater than",
    "Next in a list",
    "Repetition",
    "Facts",
)
"""The groups, in the order of a list."""

_PLACES = ("park", "garden", "house", "school")
_SIZES = ("big", "old", "red")


def _ioi(template: str, io: str, subject: str, exchange: tuple[str, ...]) -> tuple[ReadyPair, ...]:
    """The second name of a sentence in either place, with the indirect object named first, then
    second (ABB and BAB)."""
    return tuple(
        ReadyPair(
            PAIR_KINDS[0],
            f"{one} and {other}, {exchange[0]}",
            template.format(one, other, subject),
            template.format(one, other, io),
            f" {io}",
            f" {subject}",
            exchange,
        )
        for one, other in ((io, subject), (subject, io))
    )


_STORE = "When {} and {} went to the store, {} gave a drink to"
_PARK = "After {} and {} came to the park, {} gave a ball to"
_STATION = "While {} and {} were at the station, {} gave a book to"
_GARDEN = "{} and {} went to the garden. {} gave a flower to"

_IOI = (
    *_ioi(_STORE, "Mary", "John", ("store", *_PLACES)),
    *_ioi(_PARK, "Anna", "Tom", ("park", "garden", "house", "school", "store")),
    *_ioi(_STATION, "Peter", "Lucy", ("station", *_PLACES)),
    *_ioi(_GARDEN, "Anna", "Tom", ("flower", "book", "ball", "ring", "hat")),
)

_YEARS = (
    ("1732", "1702", "3", "0"),
    ("1564", "1514", "6", "1"),
    ("1782", "1712", "8", "1"),
)
_GREATER = tuple(
    ReadyPair(
        PAIR_KINDS[1],
        f"{later} and {earlier}",
        f"The war lasted from the year {later} to the year {later[:2]}",
        f"The war lasted from the year {earlier} to the year {earlier[:2]}",
        answer,
        against,
        ("war", "storm", "story", "day", "work"),
    )
    for later, earlier, answer, against in _YEARS
)

_LISTS = tuple(
    ReadyPair(PAIR_KINDS[2], *given)
    for given in (
        ("Monday and Friday", "Monday, Tuesday,", "Friday, Saturday,", " Wednesday", " Sunday"),
        (
            "Monday and Thursday",
            "Monday, Tuesday, Wednesday,",
            "Thursday, Friday, Saturday,",
            " Thursday",
            " Sunday",
        ),
        ("January and June", "January, February,", "June, July,", " March", " August"),
        ("one and five", "one, two, three,", "five, six, seven,", " four", " eight"),
    )
)

_REPEATS = tuple(
    ReadyPair(PAIR_KINDS[3], f"{word} and {other}", text.format(word, word)[: -len(word) - 1],
              text.format(other, other)[: -len(other) - 1], f" {word}", f" {other}", exchange)
    for text, word, other, exchange in (
        ("The small bird sang in the {}. The small bird sang in the {}", "tree", "box",
         ("small", *_SIZES)),
        ("Lily put the key in the {}. Lily put the key in the {}", "box", "hat",
         ("key", "book", "ring", "ball", "flower")),
        ("The old man went to the {}. The old man went to the {}", "market", "forest",
         ("old", "big", "small", "young", "happy")),
        ("Mrs {} was proud. Nobody thanked Mrs {}", "Green", "Brown",
         ("proud", "happy", "old", "sad")),
    )
)  # fmt: skip

_FACTS = tuple(
    ReadyPair(PAIR_KINDS[4], *given)
    for given in (
        ("France and Italy", "The capital of France is", "The capital of Italy is", " Paris",
         " Rome"),
        ("hot and big", "The opposite of hot is", "The opposite of big is", " cold", " small"),
    )
)  # fmt: skip

READY_PAIRS: tuple[ReadyPair, ...] = (*_IOI, *_GREATER, *_LISTS, *_REPEATS, *_FACTS)
"""Every ready pair, group by group."""
