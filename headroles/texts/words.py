"""Words of one kind, of which one may stand for another: names, days, months, towns, colours.

A prompt with another word of the same kind asks the same of a model, and has another answer.

>>> kind_of("Mary"), kind_of("Tuesday"), kind_of("cat")
('names', 'days', '')
"""

from __future__ import annotations

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

KINDS = {
    "names": NAMES,
    "days": words_of("Monday Tuesday Wednesday Thursday Friday Saturday Sunday"),
    "months": words_of(
        "January February March April May June July August September October November December"
    ),
    "towns": words_of("Paris London Rome Berlin Madrid Vienna Athens Moscow Tokyo Oslo Chicago"),
    "countries": words_of("France England Italy Germany Spain Greece Russia Japan China India"),
    "colours": words_of("red blue green black white yellow brown gray pink purple"),
    "numbers": words_of("one two three four five six seven eight nine ten eleven twelve"),
}
"""{kind: its words}."""


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
