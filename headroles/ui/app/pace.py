"""How long a model takes for a token of a batch, for estimates: what pages multiply with.

A pass to the logits takes as long (within 10% on the bundled model and on SmolLM2). A pass with all
that the page Real text collects takes 3 times as long on SmolLM2 and 7 times on the bundled model,
so that page times its own.
"""

from __future__ import annotations

from functools import partial

from headroles import capture, texts
from headroles.ui.app import caches, long_work

ROWS = 4
"""Sentences that are timed."""


@caches.keep
def token_seconds(model: str) -> float:
    """Processor seconds per token of a pass that hands out every layer's attention; measured once.

    Raises:
        HeadrolesError: if the model cannot be loaded.
    """
    with caches.borrow(model) as loaded:
        ids = texts.probe_texts.sentence_sequences(loaded.tokenizer).token_ids[:ROWS]
        run = partial(capture.each_layer, loaded, ids, lambda *_layer: None)
        return long_work.seconds_of(run) / ids.numel()
