"""What an analysis will take, estimated before it starts: time, memory, and whether there is room.

:func:`estimate` puts time and memory together from three measured constants each:

    seconds = start + 4 parameters / reading + sequences * drawing
            + scoring / (share * machine) + knocking out / (knock-outs' share * machine)
    scoring = 2 * parameters outside the embeddings * tokens
    knocking out = 2 * (later * parameters outside the embeddings + counted * one table)
                 * (knock-outs * their texts) tokens
    tokens  = sentences + hints + sequences * length + extended roles
    bytes   = libraries + files + copies * 4 parameters + kept * 4 * heads * cells

``machine`` is the speed of one matrix product, measured here; ``cells`` are those of one batch. The
constants of the time were fitted by hand to eight runs of ``python -m scripts.analyze_heads`` on
two cores (the bundled model, and GPT-2 small and medium with random weights, 8, 64 and 256
sequences) and come within 10 % of them; two models that took no part, Pythia 70M and Qwen 0.5B in
16 bits, took 8.6 s and 31 s (estimated 11.5 s and 37 s). The tokens of the extended roles were
counted, not fitted. The knock-outs' share was fitted to SmolLM2 on two quiet cores (48 of its 312
knock-outs in 35 s) when they began to start at the first changed layer. Peaks of memory, knock-outs
included: the bundled model .75 GB (estimated .74), GPT-2 small 1.40 GB from the Admin page, 1.60
from a terminal (1.81).

Reading real text is another formula, with the same start and the same memory:

    seconds = start + 4 parameters / reading + reading text + tokens * counting
            + 2 * parameters outside the embeddings * (1.1 tokens + copying) / (share * machine)

Fitted by hand to three runs of ``python -m scripts.read_texts`` on one core: the bundled model with
2,668 and 7,127 tokens took 22.0 and 27.0 s of processor time (21.8 and 26.8 by the formula),
SmolLM2 with 1,889 took 61.3 s (61.9).

>>> estimate(inspect_model("demo"), sequences=64).seconds  # doctest: +SKIP
'4 s to 16 s'
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import lru_cache

import torch

from headroles.errors import TooLargeError
from headroles.models import ModelFacts, free_disk
from headroles.models import container_rooms as container_rooms
from headroles.paths import BUNDLED
from headroles.reference import CAUSAL_TEXTS, MAX_CELLS, causal_conditions
from headroles.texts import HELD_OUT_TEXTS

START_SECONDS = 7.0
"""Python, torch, transformers and TransformerLens; 5 to 6 of them are imports."""
READING = 1e9
"""Bytes of weights that are read and converted in a second, from a warm disk."""
DRAWING_SECONDS = 0.01
"""A sequence's random cells, whatever the model."""
SHARE = 0.45
"""How much of the speed of one large matrix product the scoring reaches."""
CAUSAL_SHARE = 0.75
"""How much of it the knock-outs reach: they do little beside matrix products."""
SENTENCE_TOKENS = 1_350
"""Sentences and their control together, padded."""
SEQUENCE_TOKENS = 80
"""A random repeated sequence, padded."""
HINT_TOKENS = 1_300
"""The prompts that are tried on the listed heads, padded."""
EXTENDED_TOKENS = 4_400
"""Pairs of sentences, IOI prompts and their controls, and single words, padded."""
EXTENDED_SEQUENCES = 32
"""Of the repeated sequences, run again with a control of the same length."""
END_KNOCK_OUT_TOKENS = 40
"""One head knocked out at the end of the IOI prompts and their control, from its layer on."""
CAUSAL_REPEAT_TOKENS, CAUSAL_SENTENCE_TOKENS = 45, 15
"""One of the shortest repeated sequences and sentences, padded."""
LATER, COUNTED = 0.65, 0.6
"""Of the layers, those from the first that a knock-out changes on; of the tokens, those whose guess
counts."""
CAUSAL_HELD_OUT_TOKENS = 31
"""One of the bundled models' held-out passages, padded; all of these are run."""
READ_SECONDS, READ_TOKEN_SECONDS = 12.0, 0.001
"""Of reading real text, whatever the model: the texts and the patterns to propose; what every token
adds to the counts."""
READ_AGAIN, READ_COPYING_TOKENS = 1.1, 6_000
"""Passages that are read shuffled, too, times the tokens; those on which copy suppression is
measured."""
RANGE = (0.5, 2.0)
"""Times the estimate: other work on the server, a cold disk, an unusual architecture."""

LIBRARY_BYTES = 700_000_000
"""The process without a model, with what the knock-outs of a small one let go and keep."""
COPIES = 1.1
"""Of the weights as 32-bit numbers, beside the files that they are read from."""
KEPT_PATTERNS = 2.5
"""Copies of one layer's attention pattern that are in memory together."""
SEQUENCE_CELLS = 11_000
"""Length^2 of a long sequence: what one of few takes up in its batch."""


@dataclass(frozen=True)
class Estimate:
    """How long an analysis is likely to take, without the download, and its peak memory."""

    seconds: float
    low: float
    high: float
    memory_bytes: int


def estimate(
    facts: ModelFacts,
    *,
    sequences: int,
    extended: bool = True,
    causal: bool = True,
    read_tokens: int = 0,
    speed: float | None = None,
) -> Estimate:
    """Time and memory of an analysis; the module says where the formula comes from.

    Args:
        facts: of the model.
        sequences: random repeated sequences.
        extended: whether the extended roles are measured too.
        causal: whether heads are knocked out too.
        read_tokens: tokens of real text that are read instead of all of that; 0 for an analysis.
        speed: operations per second of one matrix product; measured when not given.
    """
    weights = 4 * facts.parameters
    if read_tokens:
        work, other = _reading(facts, read_tokens)
    else:
        work = _analysis(facts, sequences, extended=extended, causal=causal)
        other = DRAWING_SECONDS * sequences
    seconds = START_SECONDS + weights / READING + other + work / (speed or machine_speed())
    cells = min(MAX_CELLS, SEQUENCE_CELLS * sequences)
    patterns = KEPT_PATTERNS * 4 * facts.num_heads * cells
    stored = weights if facts.stored_bytes is None else facts.stored_bytes
    memory = LIBRARY_BYTES + stored + COPIES * weights + patterns
    return Estimate(seconds, RANGE[0] * seconds, RANGE[1] * seconds, int(memory))


def _analysis(facts: ModelFacts, sequences: int, *, extended: bool, causal: bool) -> float:
    """Operations of an analysis, at the speed of one large matrix product."""
    tokens = SENTENCE_TOKENS + HINT_TOKENS + SEQUENCE_TOKENS * sequences
    if extended:
        tokens += EXTENDED_TOKENS + 2 * SEQUENCE_TOKENS * min(sequences, EXTENDED_SEQUENCES)
        tokens += END_KNOCK_OUT_TOKENS * facts.num_layers * facts.num_heads
    work = 2 * facts.computed_parameters * tokens / SHARE
    if causal:
        table = facts.vocabulary * facts.width  # the loss needs logits
        each = LATER * facts.computed_parameters + COUNTED * table
        work += 2 * each * _causal_tokens(facts) / CAUSAL_SHARE
    return work


def _reading(facts: ModelFacts, tokens: int) -> tuple[float, float]:
    """Operations of reading so many tokens, and the seconds that do not depend on the model."""
    work = 2 * facts.computed_parameters * (READ_AGAIN * tokens + READ_COPYING_TOKENS) / SHARE
    return work, READ_SECONDS + READ_TOKEN_SECONDS * tokens


def _causal_tokens(facts: ModelFacts) -> int:
    on_repeats, on_sentences = causal_conditions(facts.num_layers, facts.num_heads)
    text = CAUSAL_TEXTS * CAUSAL_SENTENCE_TOKENS
    if facts.key in BUNDLED:
        text = HELD_OUT_TEXTS * CAUSAL_HELD_OUT_TOKENS
    return on_repeats * CAUSAL_TEXTS * CAUSAL_REPEAT_TOKENS + on_sentences * text


def refuse_what_cannot_fit(facts: ModelFacts, estimate: Estimate, available: int) -> None:
    """Stop before a model that needs more memory, or more of the disk, than there is.

    Raises:
        TooLargeError: naming both numbers and the way out.
    """
    if estimate.memory_bytes > available:
        raise TooLargeError(
            facts.key, what="memory", needs=estimate.memory_bytes, available=available
        )
    room = free_disk() if facts.download_bytes else 0
    if facts.download_bytes > room:
        raise TooLargeError(
            facts.key, what="disk space", needs=facts.download_bytes, available=room
        )


@lru_cache(maxsize=1)
def machine_speed() -> float:
    """Operations per second of a matrix product as large as a layer's; measured once, in 0.1 s."""
    side = 1_024
    matrix = torch.ones(side, side)

    def once() -> float:
        began = time.perf_counter()
        matrix @ matrix
        return time.perf_counter() - began

    once()  # the first one also starts the threads
    return 2 * side**3 / min(once() for _ in range(5))
