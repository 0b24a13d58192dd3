"""How well the model reads plain text behind each token that might stand at position 0.

The start token itself is chosen by a rule (:mod:`headroles.texts.start_tokens`), which the app
follows without an analysis. Here the rule is put to the test once: the same texts behind every
candidate, and behind none, in two passes each.

>>> measure_starts(bridge, tokenizer, probe)[0]  # doctest: +SKIP
StartCandidate(token='<|endoftext|>', token_id=0, sentence_loss=4.01, repeat_loss=1.62)
"""

from __future__ import annotations

import math

import torch
from torch.nn.functional import cross_entropy
from transformer_lens.model_bridge import TransformerBridge
from transformers import PreTrainedTokenizerBase

from headroles.analysis.bridge import forget_patterns, not_a_number, run_hooked
from headroles.analysis.knockout_passes import counted_positions
from headroles.analysis.measure import ProbeTexts
from headroles.store import StartCandidate
from headroles.texts import start_tokens
from headroles.types import Sequences

TEXTS = 16
"""Texts of each kind: the differences that matter are tenths of a nat."""
CLEARLY = 0.1
"""Nats per token, mean of both kinds, by which another candidate must do better to be noted."""
DECIMALS = 4
"""Of a stored loss."""


def measure_starts(
    bridge: TransformerBridge, tokenizer: PreTrainedTokenizerBase, probe: ProbeTexts
) -> list[StartCandidate]:
    """The next-token loss behind every candidate, the chosen one first; behind none last."""
    found = [*start_tokens.candidates(tokenizer).items(), (None, None)]
    return [
        StartCandidate(
            token=text,
            token_id=token_id,
            sentence_loss=round(
                loss_behind(bridge, probe.sentences, token_id, kind="sentences"), DECIMALS
            ),
            repeat_loss=round(
                loss_behind(bridge, probe.repeats, token_id, kind="repeats"), DECIMALS
            ),
        )
        for text, token_id in found
    ]


def loss_behind(
    bridge: TransformerBridge, texts: Sequences, token_id: int | None, *, kind: str
) -> float:
    """Mean next-token loss (nats) of the first :data:`TEXTS` texts behind another start token.

    Args:
        bridge: the model.
        texts: with a start token at position 0.
        token_id: what stands there instead; None for nothing.
        kind: which tokens count (:func:`headroles.analysis.knockout_passes.counted_positions`);
            the first token of a text never does, for without a start token nothing predicts it.
    """
    losses = []
    for row in range(min(TEXTS, len(texts))):
        one = Sequences(
            texts.token_ids[row, None, : int(texts.lengths[row])], texts.lengths[row, None]
        )
        (counted,) = counted_positions(one, kind).nonzero(as_tuple=True)[1:]
        ids = one.token_ids.clone() if token_id is not None else one.token_ids[:, 1:]
        if token_id is not None:
            ids[0, 0] = token_id
        else:
            counted = counted - 1
        logits = run_hooked(bridge, ids, returns="logits")
        forget_patterns(bridge)
        losses.append(
            cross_entropy(logits[0, counted].float(), ids[0, counted + 1], reduction="none")
        )
    loss = float(torch.cat(losses).mean())
    if not math.isfinite(loss):
        raise not_a_number(bridge, "its guesses")
    return loss


def note_of(candidates: list[StartCandidate]) -> list[str]:
    """A sentence where another candidate does clearly better than the chosen one."""
    if not candidates:
        return []
    chosen, *others = candidates
    best = min(others, key=lambda other: other.mean_loss, default=chosen)
    if chosen.mean_loss - best.mean_loss < CLEARLY:
        return []
    return [
        f"After {best.token or 'no start token'} this model guesses plain text better than after "
        f"{chosen.token}, which stands at position 0: {best.mean_loss:.2f} against "
        f"{chosen.mean_loss:.2f} nats per token."
    ]
