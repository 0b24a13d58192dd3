"""What expressions can ask about the text of tokens, and the tensors that answer it.

Every function takes a position, or any arithmetic over ``q`` and ``k`` that gives one, and looks
the token up in a table ``[batch pos]``, which is made from the texts (:mod:`token_classes`).

>>> FUNCTIONS["is_number"].says
'a number is there'
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from headroles.errors import PatternError
from headroles.texts import token_classes
from headroles.texts.token_classes import PLACE, PUNCTUATION, Traits

Table = Callable[[Traits], Iterable[float]]


@dataclass(frozen=True)
class Function:
    """A question about tokens."""

    says: str
    """What is true where it holds."""
    table: Table | None = None
    """traits of a prompt -> [pos] numbers; None for what looks at cells."""
    takes: int = 1
    """How many positions, or expressions."""


def _is(*kinds: str) -> Table:
    return lambda traits: (float(kind in kinds) for kind in traits.kinds)


FUNCTIONS: dict[str, Function] = {
    "is_number": Function("a number is there", _is("number")),
    "is_capitalised": Function(
        "a word starts there with a capital letter", lambda traits: traits.capitalised
    ),
    "is_punctuation": Function("a punctuation mark is there", _is(*PUNCTUATION)),
    "is_sentence_end": Function("a sentence ends there", lambda traits: traits.sentence_end),
    "is_newline": Function("a line ends there", _is("newline")),
    "is_opening": Function("a bracket opens there", lambda traits: traits.opening),
    "is_closing": Function("a bracket closes there", lambda traits: traits.closing),
    "is_quote": Function("a quotation mark is there", lambda traits: traits.quote),
    "in_quotes": Function("the token is quoted", lambda traits: traits.in_quotes),
    "is_word_start": Function("a word or number starts there", lambda traits: traits.word_starts),
    "is_function_word": Function("a word of grammar is there", _is("function")),
    "kind": Function(
        'the kind of the token, as in kind(k) == kind(q) or kind(k) == "number"',
        lambda traits: (PLACE[kind] for kind in traits.kinds),
    ),
    "same_word": Function("both are in one word", lambda traits: traits.words, takes=2),
    "same_kind": Function(
        "both are of one kind", lambda traits: (PLACE[kind] for kind in traits.kinds), takes=2
    ),
    "last": Function("the last key before q where something holds: last(is_opening(k))"),
    "first": Function("the first key before q where something holds: first(t[k] == t[q])"),
}
"""{name: function}."""


@dataclass(frozen=True, eq=False)
class Lookup:
    """A batch of prompts, as an expression looks it up."""

    ids: Float[Tensor, "batch pos"]
    """[batch pos] the tokens' ids as doubles, which hold them exactly; NaN on padding."""
    within: Bool[Tensor, "batch pos"]
    """[batch pos] True on text."""
    tokens: tuple[tuple[str, ...], ...]
    """[prompt][pos] the texts, without padding; empty where they are not known."""
    _tables: dict[object, Tensor] = field(default_factory=dict)

    @property
    def length(self) -> int:
        """Positions of the longest prompt."""
        return self.ids.shape[1]

    def of(self, name: str) -> Float[Tensor, "batch pos"]:
        """[batch pos] a function's table; NaN on padding.

        Raises:
            PatternError: if the texts of the tokens are not known.
        """
        return self._table(name, lambda row: FUNCTIONS[name].table(token_classes.traits(row)))

    def is_text(self, text: str) -> Float[Tensor, "batch pos"]:
        """[batch pos] 1 where a token is this text, with or without the space that may stand in
        front of it; NaN on padding.

        Raises:
            PatternError: if the texts of the tokens are not known.
        """
        return self._table(
            ("text", text),
            lambda row: (float(text in (token, token_classes.bare(token))) for token in row),
        )

    def _table(self, key: object, numbers: Callable[[tuple[str, ...]], Iterable[float]]) -> Tensor:
        if key not in self._tables:
            if len(self.tokens) != len(self.ids):
                raise PatternError(
                    "The expression asks about the text of tokens, but only their ids are known.",
                    hint="Give the prompts with the text of their tokens "
                    "(headroles.roles.read_prompts).",
                )
            table = torch.full_like(self.ids, torch.nan)
            for row, tokens in enumerate(self.tokens):
                table[row, : len(tokens)] = table.new_tensor(list(numbers(tokens)))
            self._tables[key] = table.masked_fill(~self.within, torch.nan)
        return self._tables[key]


def at(place: Tensor, table: Float[Tensor, "batch pos"]) -> Tensor:
    """The numbers of a table at some positions, in their shape; NaN where there is no token."""
    batch, length = table.shape
    there = (place >= 0) & (place < length) & (place == place.floor())
    index = place.masked_fill(~there, 0).long().expand(batch, -1, -1)
    found = table.gather(1, index.flatten(1)).view(index.shape)
    return found.masked_fill(~there, torch.nan)


def nearest(holds: Tensor, length: int, *, last: bool) -> Bool[Tensor, "batch query key"]:
    """The last or the first key before each query where something holds.

    Args:
        holds: [batch query|1 key|1] where it does.
        length: positions.
        last: the last one; else the first.
    """
    keys = torch.arange(length)
    before = holds.expand(-1, length, length).tril(-1)
    wrong = -1 if last else length
    places = torch.where(before, keys, wrong)
    best = places.amax(-1, keepdim=True) if last else places.amin(-1, keepdim=True)
    return (keys == best) & (best != wrong)
