"""Words that somebody brings, as tokens of a model: one on every line of a file.

A word counts where it is a single token, with a space in front (as within a sentence) or without;
both forms are taken where both are. A word that the model reads in pieces is left out, and named.

>>> read_words("cat\\nwhale\\n", tokenizer, name="mine.txt").ids  # doctest: +SKIP
(412, 1904)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from headroles import limits
from headroles.errors import TextFileError
from headroles.formatting import count, in_one_line, listing, quoted
from headroles.texts.tokenization import ids_of

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

NAMED = 5
"""More words than this that were left out are counted."""
FEWEST = 2
"""Fewer tokens make no table."""


class Words(NamedTuple):
    """The words of a file as tokens."""

    ids: tuple[int, ...]
    """Their tokens, each once, in the order of the file."""
    left_out: tuple[str, ...]
    """Words that are no single token."""
    name: str
    """What the file is called."""

    @property
    def sentence(self) -> str:
        """How many tokens there are, and what was left out."""
        said = f"{count(len(self.ids), 'token')} of {in_one_line(self.name, limit=60)}."
        if not self.left_out:
            return said
        named = [quoted(in_one_line(word, limit=24)) for word in self.left_out[:NAMED]]
        if more := self.left_out[NAMED:]:
            named.append(f"{len(more):,} more")
        them = "it" if len(self.left_out) == 1 else "them"
        return f"{said} Left out, because this model reads {them} in pieces: {listing(named)}."


def read_words(text: str, tokenizer: PreTrainedTokenizerBase, *, name: str) -> Words:
    """The words of a file that are single tokens.

    Args:
        text: all of it; a word on every line.
        tokenizer: the model's.
        name: what the file is called.

    Raises:
        LimitError: if there are too many words, or one is too long.
        TextFileError: if fewer than two tokens are left.
    """
    words = list(dict.fromkeys(word for line in text.splitlines() if (word := line.strip())))
    limits.WORDS.check(len(words))
    limits.TOKEN.check(max(map(len, words), default=0))
    ids: dict[int, None] = {}
    left_out = []
    for word in words:
        found = _single(tokenizer, word)
        ids.update(dict.fromkeys(found))
        if not found:
            left_out.append(word)
    if len(ids) < FEWEST:
        raise TextFileError(
            f"Of {count(len(words), 'word')} in {in_one_line(name, limit=60)}, "
            f"{len(ids) or 'none'} is a single token of this model; a table takes {FEWEST}.",
            hint="Write a common word on every line, without punctuation.",
        )
    return Words(tuple(ids), tuple(left_out), name)


def _single(tokenizer: PreTrainedTokenizerBase, word: str) -> Sequence[int]:
    forms = (ids_of(tokenizer, form) for form in (f" {word}", word))
    return [ids[0] for ids in forms if len(ids) == 1]
