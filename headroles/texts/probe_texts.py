"""Probe texts: sentences, random repeated sequences, and the random-token control.

Repeats are made as *token ids*, never as text: decoding random ids and tokenising the string again
gives other ids, and then the repetition is no longer exact. A head's score depends on the kind of
repeat, so there are several (:data:`KINDS`); in each of them the segment's length varies, so that a
head that always looks a fixed distance back cannot pass for an induction head.

>>> import numpy as np
>>> probe = repeated_sequences(range(1, 50), 3, start_id=0, rng=np.random.default_rng(0))
>>> probe.token_ids[:, 0].tolist()
[0, 0, 0]
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from headroles.texts import start_tokens
from headroles.texts.sentences import HELD_OUT_FILE, HELD_OUT_TEXTS, HELD_OUT_TOKENS, SENTENCES
from headroles.texts.text_files import read_text
from headroles.texts.tokenization import encode, token_texts
from headroles.types import Encoding, Sequences


class RepeatKind(NamedTuple):
    """One way to repeat a segment of random tokens."""

    name: str
    """As people read it, after "on"."""
    segment: tuple[int, int]
    """Shortest and longest repeated segment, in tokens."""
    gap: tuple[int, int]
    """Fewest and most random tokens between two copies."""
    copies: int
    """Of the segment, the first included."""


KINDS = (
    RepeatKind("two copies side by side", (10, 32), (0, 0), 2),
    RepeatKind("two copies with a gap", (10, 32), (1, 16), 2),
    RepeatKind("three copies", (10, 24), (0, 8), 3),
    RepeatKind("four short copies", (5, 9), (0, 4), 4),
)
"""The kinds of random repeats; a row's kind is its place modulo their number."""
SAID_TWICE = "a sentence said twice"
"""The kind of repeat that is no random tokens: measured beside the others, in no score."""
SENTENCES_TWICE, MOST_TWICE = 16, 32
"""How many sentences are said twice, and how many tokens of each at most."""

LEAST_TOKENS = 3
"""The start token, one to be read, one to be guessed."""


def pack(rows: Sequence[Sequence[int]]) -> Sequences:
    """Pad rows of ids on the right with their own first id, which stands for "start" everywhere."""
    lengths = torch.tensor([len(row) for row in rows])
    token_ids = torch.full((len(rows), int(lengths.max())), rows[0][0])
    for place, row in enumerate(rows):
        token_ids[place, : len(row)] = torch.as_tensor(row)
    return Sequences(token_ids, lengths)


def ordinary_ids(tokenizer: PreTrainedTokenizerBase) -> list[int]:
    """Every id that has a text and an embedding and is not a special token, in order."""
    special = set(start_tokens.special_tokens(tokenizer).values())
    return [token_id for token_id in known_ids(tokenizer) if token_id not in special]


def known_ids(tokenizer: PreTrainedTokenizerBase) -> list[int]:
    """Every id that has a text and that the model has an embedding for, in order.

    Vocabularies have holes, embeddings are padded to round numbers, and tokens are added to
    tokenizers that the model never learned.
    """
    rows = start_tokens.start_token(tokenizer).rows
    ids = sorted({*tokenizer.get_vocab().values()})
    return [token_id for token_id in ids if token_id >= 0 and (rows is None or token_id < rows)]


def sentence_sequences(tokenizer: PreTrainedTokenizerBase) -> Sequences:
    """The sentences as ids, under the project's tokenisation policy."""
    return pack([encode(tokenizer, sentence).token_ids for sentence in SENTENCES])


def held_out_lines(source: str) -> list[str]:
    """The first :data:`HELD_OUT_TEXTS` passages in the :data:`HELD_OUT_FILE` of a model's folder;
    none where the source is no folder, or holds no such file.

    Raises:
        TextFileError: if the file cannot be read as text.
    """
    path = Path(source) / HELD_OUT_FILE
    if not path.is_file():
        return []
    lines = [line for line in read_text(path).splitlines() if line.strip()]
    return lines[:HELD_OUT_TEXTS]


def held_out_sequences(tokenizer: PreTrainedTokenizerBase, source: str) -> Sequences | None:
    """The passages in the :data:`HELD_OUT_FILE` of a model's folder, as ids.

    Returns:
        The first :data:`HELD_OUT_TEXTS`, each cut to :data:`HELD_OUT_TOKENS`; None where the
        source is no folder, or holds no such file with two passages of three tokens.

    Raises:
        TextFileError: if the file cannot be read as text.
    """
    rows = [
        encode(tokenizer, line, max_tokens=HELD_OUT_TOKENS).token_ids
        for line in held_out_lines(source)
    ]
    rows = [row for row in rows if len(row) >= LEAST_TOKENS]
    return pack(rows) if len(rows) > 1 else None


def random_like(texts: Sequences, ids: Sequence[int], *, rng: np.random.Generator) -> Sequences:
    """The control: random tokens in rows as long as ``texts``, each behind the same start token."""
    pool = np.asarray(ids)
    start = int(texts.token_ids[0, 0])
    return pack([[start, *rng.choice(pool, int(n) - 1).tolist()] for n in texts.lengths])


def repeated_sequences(
    ids: Sequence[int], n: int, *, start_id: int, rng: np.random.Generator
) -> Sequences:
    """[start] segment (gap segment)+ of random ids, of every kind of :data:`KINDS` in turn.

    Args:
        ids: the ids to draw from.
        n: number of rows.
        start_id: the id at position 0.
        rng: the source of randomness.
    """
    pool = np.asarray(ids)

    def draw(bounds: tuple[int, int]) -> np.ndarray:
        return rng.choice(pool, int(rng.integers(bounds[0], bounds[1] + 1)))

    rows = []
    for place in range(n):
        kind = KINDS[place % len(KINDS)]
        segment = draw(kind.segment)
        row = [np.asarray([start_id]), segment]
        for _ in range(kind.copies - 1):
            row += [draw(kind.gap), segment]
        rows.append(np.concatenate(row).tolist())
    return pack(rows)


def said_twice(sentences: Sequences) -> Sequences:
    """[start] sentence sentence: the first :data:`SENTENCES_TWICE`, each twice as the same ids."""
    rows = []
    for row, length in zip(sentences.token_ids.tolist(), sentences.lengths.tolist(), strict=True):
        words = row[1:length][:MOST_TWICE]
        rows.append([row[0], *words, *words])
    return pack(rows[:SENTENCES_TWICE])


def encoding_of(tokenizer: PreTrainedTokenizerBase, token_ids: Sequence[int]) -> Encoding:
    """Ids that nobody typed, start token first, as what a prompt is read as."""
    start = start_tokens.start_token(tokenizer)
    return Encoding(
        token_ids=tuple(token_ids),
        tokens=token_texts(tokenizer, token_ids),
        start_token=start.text,
        start_is_stand_in=start.is_stand_in,
        full_length=len(token_ids),
        start_passed_over=start.passed_over,
    )


def as_texts(tokenizer: PreTrainedTokenizerBase, sequences: Sequences) -> tuple[str, ...]:
    """[row] the text of each row of ids, without the start token.

    Read again it may give other ids: random tokens seldom join as they were drawn.
    """
    rows = zip(sequences.token_ids.tolist(), sequences.lengths.tolist(), strict=True)
    return tuple(
        tokenizer.decode(ids[1:length], clean_up_tokenization_spaces=False) for ids, length in rows
    )


def repeated_once(
    tokenizer: PreTrainedTokenizerBase, *, seed: int, max_tokens: int
) -> tuple[int, ...]:
    """[pos] the ids of one random segment in two copies: the first of :func:`generated`'s repeats
    with that seed.

    Args:
        tokenizer: the model's.
        seed: fixes what is drawn.
        max_tokens: what is longer is cut at its end.
    """
    rows, _ = generated("repeats", 1, tokenizer=tokenizer, seed=seed, max_tokens=max_tokens)
    return tuple(rows.token_ids[0].tolist())


def batches(
    texts: Sequences,
    *,
    max_cells: int,
    max_tokens: int | None = None,
    longer: float = math.inf,
) -> list[Int[Tensor, " rows"]]:
    """Indices of rows that run together, of like length, with rows x longest^2 bounded.

    Attention costs the square of the padded length, so sorting by length saves work and the bound
    keeps memory flat whatever the number of sequences.

    Args:
        texts: the texts.
        max_cells: the bound.
        max_tokens: how many tokens, padding included, run together at most; a longer text runs
            alone.
        longer: how many times as long as a batch's shortest text its longest may be.
    """
    order = texts.lengths.argsort(stable=True)
    groups: list[list[int]] = [[]]
    for row in order.tolist():
        longest = int(texts.lengths[row])  # ascending, so this row sets the width
        rows = len(groups[-1]) + 1
        is_full = rows * longest**2 > max_cells or rows * longest > (max_tokens or math.inf)
        if groups[-1] and (is_full or longest > longer * int(texts.lengths[groups[-1][0]])):
            groups.append([])
        groups[-1].append(row)
    return [torch.tensor(group) for group in groups]


GENERATED = {
    "repeats": "Random tokens, repeated",
    "sentences": "Sentences",
    "random": "Random tokens, not repeated",
}
"""Kinds of prompts that can be generated, as people read them."""


def generated(
    kind: str, n: int, *, tokenizer: PreTrainedTokenizerBase, seed: int, max_tokens: int
) -> tuple[Sequences, int]:
    """Prompts of a kind of :data:`GENERATED`; the same seed gives the same prompts.

    Args:
        kind: ``repeats``, ``sentences`` (the project's own, at most 32) or ``random``.
        n: how many.
        tokenizer: the model's.
        seed: fixes what is drawn.
        max_tokens: longer rows are cut at their end.

    Returns:
        The prompts, and how many of them were cut.
    """
    rng = np.random.default_rng(seed)
    sentences = sentence_sequences(tokenizer)
    ids = ordinary_ids(tokenizer)
    if kind == "repeats":
        start = int(sentences.token_ids[0, 0])
        prompts = repeated_sequences(ids, n, start_id=start, rng=rng)
    elif kind == "random":
        rows = torch.arange(n) % len(sentences)
        same = Sequences(sentences.token_ids[rows], sentences.lengths[rows])
        prompts = random_like(same, ids, rng=rng)
    else:
        order = torch.from_numpy(rng.permutation(len(sentences)))[:n]
        prompts = Sequences(sentences.token_ids[order], sentences.lengths[order])
    lengths = prompts.lengths.clamp_max(max_tokens)
    cut = int((prompts.lengths > max_tokens).sum())
    return Sequences(prompts.token_ids[:, : int(lengths.max())], lengths), cut
