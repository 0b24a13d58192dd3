"""The texts of published recipes, made as their sources make them.

Sources draw without a seed, or with one of another library: the *way* is theirs, the draw is ours.
Where they put a start token before a text, it is the one that the model's tokenizer declares, as in
their code, also where this project would pass it over (:mod:`headroles.texts.start_tokens`).

>>> TEXTS["olsson"].n
10
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from transformers import PreTrainedTokenizerBase

from headroles.texts import known_ids, pack, probe_texts, start_token
from headroles.texts.probe_texts import ordinary_ids, repeated_sequences
from headroles.types import Sequences

EXCLUDED = 0.04
"""Share of the most and of the least common tokens that Bansal et al. (2023) leave out."""
DEMO_IDS = (1_000, 10_000)
"""The ids that the Main Demo of TransformerLens draws from, the last one not included."""

REPEATING_PROMPTS = (
    "one two three one two three one two three",
    "1 2 3 4 5 1 2 3 4 1 2 3 1 2 3 4 5 6 7",
    "green ideas sleep furiously; green ideas don't sleep furiously",
)
"""The three prompts of TransformerLens' Head Detector Demo for duplicate-token and induction."""
PLAIN_PROMPTS = (
    "This is the first the test prompt.",
    "This is another test prompt, being just a sequence of tokens.",
    "If you're interested in mechanistic interpretability, this is how the sausage REALLY is made.",
)
"""The three prompts of the same notebook for previous-token."""


@dataclass(frozen=True, eq=False)
class Maker:
    """What texts are made with."""

    tokenizer: PreTrainedTokenizerBase
    rng: np.random.Generator
    max_tokens: int
    """Longer texts are cut."""

    @cached_property
    def vocabulary(self) -> int:
        """How many ids the sources would draw from: the rows of the model's embedding."""
        rows = start_token(self.tokenizer).rows
        return rows if rows is not None else max(known_ids(self.tokenizer)) + 1

    @cached_property
    def start(self) -> int:
        """The declared start token, or what stands in for one that is not declared."""
        declared = self.tokenizer.bos_token_id
        return start_token(self.tokenizer).token_id if declared is None else int(declared)

    @cached_property
    def ranked(self) -> list[int]:
        """Ids by the order in which the tokenizer learned them, the most common first.

        The order of its merges, as Bansal et al. and Crosbie & Shutova take it; where a tokenizer
        has no merges, the order of its ids.
        """
        backend = getattr(self.tokenizer, "backend_tokenizer", None)
        model = json.loads(backend.to_str())["model"] if backend is not None else {}
        merged = [
            pair.replace(" ", "") if isinstance(pair, str) else "".join(pair)
            for pair in model.get("merges") or ()
        ]
        vocabulary = self.tokenizer.get_vocab()
        ids = [vocabulary[token] for token in dict.fromkeys(merged) if token in vocabulary]
        return [token for token in ids if token < self.vocabulary] or ordinary_ids(self.tokenizer)

    def neither_common_nor_rare(self) -> np.ndarray:
        """The ids that are left when both ends of :attr:`ranked` are cut off."""
        cut = int(EXCLUDED * len(self.ranked))
        return np.asarray(self.ranked[cut : len(self.ranked) - cut])

    def random(self, size: int, *, first: int = 0, last: int | None = None) -> list[int]:
        """So many ids, each from the whole vocabulary or a part of it."""
        last = self.vocabulary if last is None else min(last, self.vocabulary)
        return self.rng.integers(first if first < last else 0, last, size).tolist()

    def read(self, text: str) -> list[int]:
        """The ids of a text behind the start token, as ``to_tokens`` of TransformerLens does it."""
        ids = self.tokenizer(text, add_special_tokens=False)["input_ids"]
        return [self.start, *ids]


class RecipeTexts(NamedTuple):
    """One way to make texts."""

    about: str
    """What they are, for people."""
    n: int
    """How many the source takes."""
    make: Callable[[Maker, int], Sequence[Sequence[int]]]
    """Makes the ids of so many."""
    usual: int | None = None
    """How many are taken here unless asked otherwise; None for as many as the source."""
    is_fixed: bool = False
    """Whether there are just these, so that no other number can be asked for."""


def _main_demo(maker: Maker, n: int) -> list[list[int]]:
    first, last = DEMO_IDS
    return [2 * maker.random(50, first=first, last=last) for _ in range(n)]


def _arena(maker: Maker, n: int) -> list[list[int]]:
    return [[maker.start, *(2 * maker.random(50))] for _ in range(n)]


def _ioi(maker: Maker, n: int) -> list[list[int]]:
    return [2 * maker.random(100) for _ in range(n)]


def _olsson(maker: Maker, n: int) -> list[list[int]]:
    pool = maker.neither_common_nor_rare()
    return [[maker.start, *(4 * maker.rng.choice(pool, 25).tolist())] for _ in range(n)]


def _crosbie(maker: Maker, n: int) -> list[list[int]]:
    pool = maker.neither_common_nor_rare()
    return [
        [maker.start, *(4 * maker.rng.choice(pool, 50, replace=False).tolist())] for _ in range(n)
    ]


def _read_again(maker: Maker, n: int) -> list[list[int]]:
    return [maker.read(maker.tokenizer.decode(row)) for row in _arena(maker, n)]


def _repeating(maker: Maker, _n: int) -> list[list[int]]:
    return [maker.read(prompt) for prompt in REPEATING_PROMPTS]


def _plain(maker: Maker, _n: int) -> list[list[int]]:
    return [maker.read(prompt) for prompt in PLAIN_PROMPTS]


def _own_repeats(maker: Maker, n: int) -> list[list[int]]:
    start = start_token(maker.tokenizer).token_id
    ids = ordinary_ids(maker.tokenizer)
    return rows_of(repeated_sequences(ids, n, start_id=start, rng=maker.rng))


def _sentences(maker: Maker, n: int) -> list[list[int]]:
    return rows_of(probe_texts.sentence_sequences(maker.tokenizer))[:n]


def rows_of(sequences: Sequences) -> list[list[int]]:
    """Sequences without their padding."""
    ids, lengths = sequences.token_ids.tolist(), sequences.lengths.tolist()
    return [row[:length] for row, length in zip(ids, lengths, strict=True)]


TEXTS: dict[str, RecipeTexts] = {
    "repeats": RecipeTexts("this project's random repeats of four kinds, 10 to 100 tokens",
                           32, _own_repeats),
    "sentences": RecipeTexts("this project's sentences", 32, _sentences, is_fixed=True),
    "main_demo": RecipeTexts("50 random ids from 1,000 to 9,999, twice; no start token",
                             10, _main_demo),
    "arena": RecipeTexts("start token, 50 random ids, the same again", 10, _arena),
    "ioi": RecipeTexts("100 random ids, twice; no start token", 10, _ioi),
    "olsson": RecipeTexts("start token, 25 random ids that are neither common nor rare, four times",
                          10, _olsson),
    "crosbie": RecipeTexts("start token, 50 different ids that are neither common nor rare, four "
                           "times", 5, _crosbie),
    "read_again": RecipeTexts("start token, 50 random ids, the same again; decoded to text and "
                              "tokenised again", 1_000, _read_again, usual=32),
    "repeating": RecipeTexts("three short prompts of the Head Detector Demo with repeats",
                             3, _repeating, is_fixed=True),
    "plain": RecipeTexts("three short sentences of the Head Detector Demo", 3, _plain,
                         is_fixed=True),
}  # fmt: skip
"""{key: how texts are made}."""


def make_texts(maker: Maker, key: str, n: int | None = None) -> Sequences:
    """The texts of a recipe, cut to what the model reads.

    Args:
        maker: what they are made with.
        key: of :data:`TEXTS`.
        n: how many; None for the usual number. Texts that are fixed come as they are.
    """
    texts = TEXTS[key]
    wanted = texts.usual or texts.n if n is None or texts.is_fixed else n
    rows = texts.make(maker, wanted)
    return pack([row[: maker.max_tokens] for row in rows])
