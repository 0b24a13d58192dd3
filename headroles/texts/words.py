"""Words of one kind, of which one may stand for another: names, days, months, towns, colours.

A prompt with another word of the same kind asks the same of a model, and has another answer. A head
may look from one word of a category to others of it.

>>> kind_of("Mary"), kind_of("Tuesday"), kind_of("cat")
('names', 'days', '')
"""

from __future__ import annotations

import string
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def words_of(text: str) -> tuple[str, ...]:
    """The words of a line."""
    return tuple(text.split())


NAMES = words_of(
    "John Mary Tom James Peter Paul David Mark Daniel Henry Robert George Michael Andrew Anna Emma "
    "Sara Kate Jane Alice Rose Grace Laura Julia Maria Helen Susan Emily Sarah Lisa William Richard"
)
"""Common first names; those that are one token take part."""

ORDERS: dict[str, tuple[tuple[str, ...], bool]] = {
    "numbers": (
        words_of(
            "one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
            "fifteen sixteen seventeen eighteen nineteen twenty"
        ),
        False,
    ),
    "letters": (tuple(string.ascii_uppercase), False),
    "days": (words_of("Monday Tuesday Wednesday Thursday Friday Saturday Sunday"), True),
    "months": (
        words_of(
            "January February March April May June July August September October November December"
        ),
        True,
    ),
}
"""{class: (its words in order, whether the first follows the last)}."""

WORDS = words_of(
    "cat dog bird horse tree house river stone bread milk chair table window door garden road "
    "friend mother father king queen doctor teacher farmer apple fish ball book hat letter"
)
"""Ordinary words without an order."""

KINDS = {
    "names": NAMES,
    "days": ORDERS["days"][0],
    "months": ORDERS["months"][0],
    "towns": words_of("Paris London Rome Berlin Madrid Vienna Athens Moscow Tokyo Oslo Chicago"),
    "countries": words_of("France England Italy Germany Spain Greece Russia Japan China India"),
    "colours": words_of("red blue green black white yellow brown gray pink purple"),
    "numbers": ORDERS["numbers"][0][:12],
}
"""{kind: its words}."""


CATEGORIES = {
    **KINDS,
    "animals": words_of(
        "cat dog bird horse cow sheep pig fox bear lion tiger wolf mouse rabbit duck fish frog"
    ),
}
"""{category: its words}: the kinds, and animals; numbers in digits are numbers, too."""


def category_of(word: str) -> str:
    """The category of a word, whatever its first letter at the beginning of a sentence; "" if none.

    >>> category_of("Blue"), category_of("1984"), category_of("rose"), category_of("Rose")
    ('colours', 'numbers', '', 'names')
    """
    if word.isdecimal():
        return "numbers"
    options = (word, word.lower()) if word.istitle() else (word,)
    return next((kind for one in options for kind, words in CATEGORIES.items() if one in words), "")


def kind_of(word: str) -> str:
    """The kind of a word; "" if it is of none."""
    return next((kind for kind, words in KINDS.items() if word in words), "")


def word_id(tokenizer: PreTrainedTokenizerBase, word: str) -> int | None:
    """The id of a word inside a sentence where it is a single token; else None.

    It is encoded behind another word: some tokenizers put a mark of their own at a text's start.
    """
    before = tokenizer("and", add_special_tokens=False)["input_ids"]
    both = tokenizer(f"and {word}", add_special_tokens=False)["input_ids"]
    if len(both) != len(before) + 1 or both[:-1] != before:
        return None
    return None if both[-1] in tokenizer.all_special_ids else both[-1]


def single_tokens(tokenizer: PreTrainedTokenizerBase, words: Sequence[str]) -> dict[str, int]:
    """{word: id} of the words that are one token, each id once."""
    id_of = {word: word_id(tokenizer, word) for word in words}
    ids = list(id_of.values())
    return {
        word: token for word, token in id_of.items() if token is not None and ids.count(token) == 1
    }
