"""Many passages through a model in batches; collectors look at each layer's attention once.

A collector keeps sums, counts or the best few of what it sees, never a pattern, so the memory of a
pass does not grow with the text. What runs the model is handed in: ``capture.each_layer`` (PyVene)
and ``analysis.bridge.each_layer`` (TransformerLens) hand out the same patterns.

>>> loaded = load_model("demo")  # doctest: +SKIP
>>> corpus = tokenize(loaded.tokenizer, read_passages(MANUAL), most_tokens=10_000)  # doctest: +SKIP
>>> read(corpus, [classes], partial(each_layer, loaded))  # doctest: +SKIP
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from headroles.errors import EmptyPromptError
from headroles.roles import Prompts
from headroles.scoring import Visible
from headroles.store.real_text import PASSAGE_TOKENS
from headroles.texts import batches, encode, pack
from headroles.texts.sources import Passage, TextSource, read_passages, shuffled
from headroles.types import Encoding

MAX_TOKENS = PASSAGE_TOKENS
"""Tokens of a passage that are run, the start token included."""
MAX_CELLS = 400_000
"""Passages x length^2 that run together: 14 MB of attention per layer for nine heads."""

FEWEST_DOCUMENTS = 8
"""With fewer documents than this, their passages stand for themselves (:func:`units`)."""

OnLayer = Callable[[int, Float[Tensor, "batch head query key"], Visible], None]
EachLayer = Callable[[Int[Tensor, "batch pos"], OnLayer], None]
"""Runs a batch and hands out each layer's attention in turn, with what its heads can see."""
Progress = Callable[[int, int], None]
"""Called as ``progress(tokens done, tokens in all)`` after every batch."""


@dataclass(frozen=True, eq=False)
class Corpus:
    """Passages as one model reads them."""

    passages: tuple[Passage, ...]
    """In the order in which they were drawn."""
    encodings: tuple[Encoding, ...]
    """[passage] its tokens, cut to what is run; position 0 is the start token."""

    @cached_property
    def prompts(self) -> Prompts:
        """All passages as one padded batch, for :meth:`Prompts.some`."""
        sequences = pack([encoding.token_ids for encoding in self.encodings])
        copies = pack([encoding.copy_ids for encoding in self.encodings]).token_ids
        return Prompts(sequences, tuple(one.tokens for one in self.encodings), copies)

    @property
    def tokens(self) -> int:
        """Tokens of text that are run, start tokens not counted."""
        return sum(len(encoding.token_ids) - 1 for encoding in self.encodings)

    def __len__(self) -> int:
        return len(self.passages)


def units(corpus: Corpus) -> Int[Tensor, " passage"]:
    """[passage] the number of its document, in the order of the documents' digests.

    Passages of a document are alike, so halves and errors are made of whole documents; of fewer
    than :data:`FEWEST_DOCUMENTS`, of passages.
    """
    many = len({(one.source, one.document) for one in corpus.passages}) >= FEWEST_DOCUMENTS

    def unit(passage: Passage) -> str:
        name = f"{passage.source}/{passage.document}"
        return hashlib.sha256(name.encode()).hexdigest() if many else passage.digest

    found = [unit(passage) for passage in corpus.passages]
    place = {name: at for at, name in enumerate(sorted(set(found)))}
    return torch.tensor([place[name] for name in found])


@dataclass(frozen=True, eq=False)
class Batch:
    """Some passages of a corpus that run together."""

    corpus: Corpus
    rows: Int[Tensor, " batch"]
    """[batch] which passages they are."""
    prompts: Prompts
    """Their ids, padded on the right, and the text of every token."""

    @cached_property
    def is_text(self) -> Bool[Tensor, "batch pos"]:
        """[batch pos] True on tokens of the text; False on position 0 and on padding."""
        lengths = self.prompts.sequences.lengths
        places = torch.arange(self.prompts.sequences.token_ids.shape[1])
        return (places > 0) & (places < lengths.unsqueeze(-1))


@runtime_checkable
class Collector(Protocol):
    """Looks at the attention of every batch, and keeps a little of it."""

    def begin(self, batch: Batch) -> None:
        """A batch is about to run: draw cells, look up classes."""

    def on_layer(
        self, layer: int, attention: Float[Tensor, "batch head query key"], visible: Visible
    ) -> None:
        """One layer's attention on the batch, and as [query key] what its heads can see (None:
        every token so far). Both are gone after the call."""

    def end(self) -> None:
        """The batch has run: fold what it gave into what is kept."""


@dataclass(frozen=True, eq=False)
class Reading:
    """A pass in steps, for a page with a bar: :meth:`step` for each of :attr:`batches`."""

    corpus: Corpus
    collectors: Sequence[Collector]
    max_cells: int = MAX_CELLS
    """Passages x length^2 of a batch, at most, unless it is one passage."""

    @cached_property
    def batches(self) -> list[Int[Tensor, " rows"]]:
        """Passages that run together, of like length; the batches are in random order, so that what
        the first of them show holds for the others, and the time that is left can be told."""
        found = batches(self.corpus.prompts.sequences, max_cells=self.max_cells)
        return [found[place] for place in np.random.default_rng(0).permutation(len(found))]

    def step(self, each_layer: EachLayer, rows: Int[Tensor, " rows"]) -> int:
        """Run some passages once; returns how many tokens of text that were.

        Raises:
            NotANumberError: if the model computes NaN or infinity.
            UnsupportedModelError: if what its heads see cannot be told.
        """
        batch = Batch(self.corpus, rows, self.corpus.prompts.some(rows))
        for collector in self.collectors:
            collector.begin(batch)

        def on_layer(layer: int, attention: Tensor, visible: Visible = None) -> None:
            attention = attention.float()
            for collector in self.collectors:
                collector.on_layer(layer, attention, visible)

        each_layer(batch.prompts.sequences.token_ids, on_layer)
        for collector in self.collectors:
            collector.end()
        return int((batch.prompts.sequences.lengths - 1).sum())


def tokenize(
    tokenizer: PreTrainedTokenizerBase,
    passages: Sequence[Passage],
    *,
    max_tokens: int = MAX_TOKENS,
    most_tokens: int | None = None,
) -> Corpus:
    """Passages as a model reads them, each cut to ``max_tokens``; none of under three tokens.

    Args:
        tokenizer: the model's.
        passages: in the order in which they are wanted.
        max_tokens: the start token included.
        most_tokens: stop before the passage that would make it more; at least one is kept.

    Raises:
        EmptyPromptError: if no passage has a token.
    """
    kept: list[tuple[Passage, Encoding]] = []
    total = 0
    for passage in passages:
        encoding = encode(tokenizer, passage.text, max_tokens=max_tokens)
        if len(encoding.token_ids) < 3:
            continue
        total += len(encoding.token_ids) - 1
        if kept and most_tokens is not None and total > most_tokens:
            break
        kept.append((passage, encoding))
    if not kept:
        raise EmptyPromptError
    texts, encodings = zip(*kept, strict=True)
    return Corpus(texts, encodings)


def draw(
    tokenizer: PreTrainedTokenizerBase,
    sources: Sequence[TextSource],
    *,
    tokens: int,
    seed: int,
    max_tokens: int = MAX_TOKENS,
) -> Corpus:
    """Passages drawn at random, about equally many tokens of each source.

    Args:
        tokenizer: the model's.
        sources: where they come from.
        tokens: at most so many in all; one passage of each source is always read.
        seed: fixes the choice.
        max_tokens: of a passage, as in :func:`tokenize`.

    Raises:
        EmptyPromptError: if a source has no passage with a token.
    """
    parts = [
        tokenize(
            tokenizer,
            shuffled(read_passages(source), seed=seed),
            max_tokens=max_tokens,
            most_tokens=tokens // len(sources),
        )
        for source in sources
    ]
    return Corpus(
        tuple(passage for part in parts for passage in part.passages),
        tuple(encoding for part in parts for encoding in part.encodings),
    )


def read(
    corpus: Corpus,
    collectors: Sequence[Collector],
    each_layer: EachLayer,
    *,
    progress: Progress | None = None,
) -> None:
    """Run a whole corpus; the results are in the collectors.

    Raises:
        NotANumberError: if the model computes NaN or infinity.
        UnsupportedModelError: if what its heads see cannot be told.
    """
    reading = Reading(corpus, collectors)
    done = 0
    for rows in reading.batches:
        done += reading.step(each_layer, rows)
        if progress:
            progress(done, corpus.tokens)
