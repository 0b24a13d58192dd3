"""Sequences with a period: the same again and again, or one form with new words in it.

A sequence is a row of *items* of ``period`` tokens each. In some kinds every token comes back after
a period (``repeat``); in others only the form does (``names``: "Adam is one. Emma is two."). Each
is a text that a model reads in exactly ``period`` tokens an item, so that "three tokens back" means
the same place of every item; a draw that it reads otherwise is drawn again.

>>> import numpy as np
>>> [KINDS[key].name for key in ("repeat", "names")]
['The same words again', 'Names and numbers']
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from transformers import PreTrainedTokenizerBase

from headroles.errors import SequenceError
from headroles.formatting import count
from headroles.texts.tokenization import encode
from headroles.texts.words import KINDS as WORD_KINDS
from headroles.texts.words import NAMES, ORDERS, WORDS, single_tokens, words_of
from headroles.types import Encoding

PERIODS = (3, 4, 5)
"""Tokens of an item, in the order in which they are compared."""
ITEMS = 7
"""Items of a sequence. The first two serve as what can be looked back at; rows of the other five
count."""
DRAWS = 8
"""Sequences of a kind and period, each with other words."""
TRIES = 40
"""How often one of them is drawn again before the kind is given up for a model."""
NAME, NUMBER = "name", "number"
"""Slots: what stands at a place of every item."""

MORE_WORDS = words_of(
    "lion mouse sheep goat cow pig duck fox bear wolf cake soup boat ship train cloud rain snow "
    "wind fire lamp candle flower leaf hill lake field wall floor roof bell drum shoe coat spoon "
    "plate cup box bag rope coin ring"
)
"""More ordinary words, for sequences that never say a word twice."""

Piece = tuple[str, str]
"""One token as it is typed, and the slot that it fills ("" for none). A point is a piece without a
space before it."""


class Kind(NamedTuple):
    """One kind of sequence."""

    key: str
    """What links and options call it."""
    name: str
    """As people read it."""
    about: str
    """What comes back after a period and what does not, in a sentence."""
    make: Callable[[_Words, int], list[Piece]]
    """Draws all pieces of one sequence of a period."""
    slots: tuple[str, ...] = ()
    """The slots that are filled by a new word in every item."""


@dataclass(frozen=True, eq=False)
class PeriodicText:
    """One sequence, as a model reads it."""

    kind: str
    """The key of its kind."""
    period: int
    """Tokens of an item."""
    text: str
    """What one would type."""
    encoding: Encoding
    """Its tokens; position 0 is the start token, item i begins at ``1 + i * period``."""
    slots: tuple[str, ...]
    """[pos] the slot that a token fills, "" for none."""

    @property
    def counted(self) -> range:
        """The rows that count: all from which two whole periods can be looked back."""
        return range(2 * self.period + 1, len(self.encoding.token_ids))

    def places(self, slot: str) -> list[int]:
        """The positions that a slot fills, one per item."""
        return [place for place, filled in enumerate(self.slots) if filled == slot]


class _Words:
    """The words that are one token of a model, and the chance by which they are drawn."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase, rng: np.random.Generator) -> None:
        self._tokenizer, self.rng = tokenizer, rng

    def known(self, words: Sequence[str]) -> list[str]:
        """Those that the model reads as one token each."""
        ids = single_tokens(self._tokenizer, words)
        return [word for word in words if word in ids]

    def some(self, words: Sequence[str], number: int) -> list[str]:
        """So many of them, each once.

        Raises:
            SequenceError: if the model knows too few as single tokens.
        """
        known = self.known(words)
        if len(known) < number:
            raise _too_few(len(known), number)
        return [known[place] for place in self.rng.permutation(len(known))[:number]]

    def in_order(self, order: str, number: int, *, first: int | None = None) -> list[str]:
        """A stretch of an order without a gap, from a random place or from its ``first``.

        Raises:
            SequenceError: if the model knows no stretch so long as single tokens.
        """
        words, goes_round = ORDERS[order]
        known = set(self.known(words))
        around = [*words, *words[: number - 1]] if goes_round else list(words)
        starts = [
            place
            for place in range(len(around) - number + 1 if number <= len(words) else 0)
            if known.issuperset(around[place : place + number])
        ]
        if first is not None:
            starts = [place for place in starts if place == first]
        if not starts:
            raise _too_few(len(known), number)
        start = starts[int(self.rng.integers(len(starts)))]
        return around[start : start + number]


def _too_few(known: int, needed: int) -> SequenceError:
    return SequenceError(
        f"Of the words that this sequence needs, the model reads {known:,} as one token each; "
        f"{count(needed, 'word')} of them are needed.",
        hint="Choose another kind of sequence, or a shorter period.",
        value=known,
    )


# ------------------------------------------------------------------ the kinds


def _again(words: Sequence[str]) -> list[Piece]:
    return [(word, "") for _ in range(ITEMS) for word in words]


def _repeat(words: _Words, period: int) -> list[Piece]:
    return _again(words.some(WORDS, period))


def _with_a_new_word(words: _Words, period: int) -> list[Piece]:
    drawn = words.some((*WORDS, *MORE_WORDS), period - 1 + ITEMS)
    same, new = drawn[: period - 1], drawn[period - 1 :]
    return [(word, "") for item in range(ITEMS) for word in (*same, new[item])]


def _counting(words: _Words, period: int) -> list[Piece]:
    return _again(words.in_order("numbers", period))


def _days(words: _Words, period: int) -> list[Piece]:
    return _again(words.in_order("days", period))


def _months(words: _Words, period: int) -> list[Piece]:
    return _again(words.in_order("months", period))


def _letters(words: _Words, period: int) -> list[Piece]:
    return _again(words.in_order("letters", period))


def _names(words: _Words, period: int) -> list[Piece]:
    names, numbers = words.some(NAMES, ITEMS), words.in_order("numbers", ITEMS, first=0)
    return _form(period, names, numbers, slots=(NAME, NUMBER), verb="is")


def _things(words: _Words, period: int) -> list[Piece]:
    things = words.some((*WORDS, *MORE_WORDS), ITEMS)
    return _form(period, things, words.some(WORD_KINDS["colours"], ITEMS), slots=("", ""))


def _form(
    period: int,
    subjects: Sequence[str],
    values: Sequence[str],
    *,
    slots: tuple[str, str],
    verb: str = "was",
) -> list[Piece]:
    """ "Adam is one": three tokens; with a point four, with "now" before the value five.

    Longer items say "now" more than once before the value, so that any period can be had.
    """
    rows = []
    for subject, value in zip(subjects, values, strict=True):
        middle = [(word, "") for word in (verb, *["now"] * max(0, period - 4))]
        end = [(".", "")] if period > 3 else []
        rows += [(subject, slots[0]), *middle, (value, slots[1]), *end]
    return rows


def _between(words: _Words, period: int) -> list[Piece]:
    numbers = words.in_order("numbers", ITEMS, first=0)
    others = words.some((*WORDS, *MORE_WORDS), ITEMS * (period - 1))
    rows: list[Piece] = []
    for item, number in enumerate(numbers):
        after = others[item * (period - 1) : (item + 1) * (period - 1)]
        rows += [(number, NUMBER), *((word, "") for word in after)]
    return rows


KINDS: dict[str, Kind] = {
    kind.key: kind
    for kind in (
        Kind("repeat", "The same words again",
             "A few random words, again and again: every token comes back after a period.",
             _repeat),
        Kind("gap", "The same words, one of them new",
             "All words of an item but the last come back; the last one is new each time.",
             _with_a_new_word),
        Kind("names", "Names and numbers",
             "“Adam is one. Emma is two.”: the form comes back, with other names and with numbers "
             "in order.",
             _names, slots=(NAME, NUMBER)),
        Kind("things", "Things and colours",
             "“cat was red. door was blue.”: the same form with other words, which have no order.",
             _things),
        Kind("between", "Numbers in order, other words between",
             "“one cat tree two door milk three”: only that every so many tokens a number comes; "
             "no word is said twice.",
             _between, slots=(NUMBER,)),
        Kind("counting", "Counting, again and again",
             "A few numbers in order, and from the start again.", _counting),
        Kind("days", "Days, again and again", "A few days in order, and from the start again.",
             _days),
        Kind("letters", "Letters, again and again",
             "A few letters in order, and from the start again.", _letters),
        Kind("months", "Months, again and again",
             "A few months in order, and from the start again.", _months),
    )
}  # fmt: skip
"""{key: kind}, in the order of a list. A new kind comes last: the place is a seed."""


# ------------------------------------------------------------------ drawing


def draw(
    tokenizer: PreTrainedTokenizerBase,
    kind: str,
    period: int,
    *,
    n: int = DRAWS,
    seed: int = 0,
) -> list[PeriodicText]:
    """Draw sequences of one kind and period; the same seed gives the same sequences.

    Where a kind has fewer different sequences than asked for (seven stretches of days), there are
    as many as it has.

    Args:
        tokenizer: the model's.
        kind: a key of :data:`KINDS`.
        period: tokens of an item, from 3 up.
        n: how many.
        seed: fixes what is drawn.

    Raises:
        SequenceError: if the model reads too few of the words as single tokens.
    """
    rng = np.random.default_rng([seed, period, list(KINDS).index(kind)])
    words, found = _Words(tokenizer, rng), {}
    for _ in range(n * TRIES):
        if len(found) == n:
            break
        made = _read(tokenizer, kind, period, KINDS[kind].make(words, period))
        if made is not None:
            found.setdefault(made.text, made)
    if not found:
        raise SequenceError(
            f"The model does not read “{KINDS[kind].name}” in {count(period, 'token')} an item.",
            hint="Choose another kind of sequence, or another period.",
            value=period,
        )
    return list(found.values())


def _read(
    tokenizer: PreTrainedTokenizerBase, kind: str, period: int, pieces: Sequence[Piece]
) -> PeriodicText | None:
    """The sequence, if the model reads every piece as one token; else None."""
    text = "".join(piece if piece == "." else f" {piece}" for piece, _ in pieces).strip()
    encoding = encode(tokenizer, text)
    wanted = [piece for piece, _ in pieces]
    if [token.strip() for token in encoding.tokens[1:]] != wanted:
        return None
    return PeriodicText(kind, period, text, encoding, ("", *(slot for _, slot in pieces)))


def shuffled(text: PeriodicText, *, rng: np.random.Generator) -> list[int]:
    """The control: the same ids in random order behind the same start token."""
    first, *rest = text.encoding.token_ids
    return [first, *np.asarray(rest)[rng.permutation(len(rest))].tolist()]


def swapped(
    text: PeriodicText, tokenizer: PreTrainedTokenizerBase, *, rng: np.random.Generator
) -> list[int]:
    """The control of slots: ids with an ordinary word in place of every name and number.

    Raises:
        SequenceError: if the model knows too few such words.
    """
    ids = list(text.encoding.token_ids)
    places = [place for place, slot in enumerate(text.slots) if slot]
    free = {
        word: token
        for word, token in single_tokens(tokenizer, (*WORDS, *MORE_WORDS)).items()
        if token not in ids
    }
    drawn = _Words(tokenizer, rng).some(list(free), len(places))
    for place, word in zip(places, drawn, strict=True):
        ids[place] = free[word]
    return ids
