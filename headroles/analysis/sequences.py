"""Words with a fixed order, and random words for the control, as single tokens of a model.

A *class* is a list of token ids with each one's successor in the same list: days and months go
round, numbers and letters end. The control is a class of ordinary words in a made-up order
(Gould et al. 2023, arXiv 2312.09230, measure numbers, letters, days and months, too).

>>> [words.name for words in ordered_classes(tokenizer)]  # doctest: +SKIP
['numbers', 'letters', 'days', 'months']
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from headroles.texts.words import ORDERS, WORDS, single_tokens

LEAST = 5
"""Fewer single-token members than this make no class."""


@dataclass(frozen=True, eq=False)
class OrderedWords:
    """One class of words."""

    name: str
    ids: Int[Tensor, " word"]
    """[word] token ids, in order."""
    asked: Int[Tensor, " item"]
    """[item] places in ``ids`` of the words that have a successor."""
    wanted: Int[Tensor, " item"]
    """[item] places in ``ids`` of these successors."""


def ordered_classes(tokenizer: PreTrainedTokenizerBase) -> list[OrderedWords]:
    """The classes of which enough words are single tokens; a gap is never bridged."""
    classes = []
    for name, (words, goes_round) in ORDERS.items():
        known = single_tokens(tokenizer, words)
        kept = [word for word in words if word in known]
        follows = dict(zip(words, (*words[1:], words[0]), strict=True))
        if not goes_round:
            del follows[words[-1]]
        pairs = [(word, follows[word]) for word in kept if follows.get(word) in known]
        if len(pairs) >= LEAST:
            classes.append(
                OrderedWords(
                    name,
                    torch.tensor([known[word] for word in kept]),
                    torch.tensor([kept.index(word) for word, _ in pairs]),
                    torch.tensor([kept.index(word) for _, word in pairs]),
                )
            )
    return classes


def shuffled_class(
    tokenizer: PreTrainedTokenizerBase, size: int, *, rng: np.random.Generator
) -> OrderedWords | None:
    """As many ordinary words in a made-up round; None where too few are single tokens."""
    ids = list(single_tokens(tokenizer, WORDS).values())
    if len(ids) < LEAST:
        return None
    drawn = rng.permutation(ids)[:size]
    places = torch.arange(len(drawn))
    return OrderedWords("random words", torch.tensor(drawn), places, places.roll(-1))
