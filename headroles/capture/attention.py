"""One PyVene forward pass over a prompt, with the attention of every head.

A ``CollectIntervention`` sits on the probe of every layer (:mod:`headroles.models`), so a single
pass gives the attention of the whole model together with the next-token guesses, exactly as
transformers' eager attention computes them.

Many prompts at once go through :func:`each_layer`, which hands out one layer's patterns at a time.

>>> run = capture(load_model("demo"), "The cat sat on the mat.")  # doctest: +SKIP
>>> run.attention.shape  # doctest: +SKIP
torch.Size([4, 8, 8, 8])
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from functools import partial

import torch
from jaxtyping import Float, Int
from torch import Tensor

from headroles.capture.runner import Runner, inputs, pyvene
from headroles.models import LoadedModel
from headroles.models.blocks import SeenEnough
from headroles.texts import encode, token_texts
from headroles.types import Encoding, NextToken, PromptRun

TOP_TOKENS = 10
"""How many next-token guesses are kept."""
_RUNNER = "hand_over"


def capture(
    loaded: LoadedModel, prompt: str, *, top: int = TOP_TOKENS, chat: bool = False
) -> PromptRun:
    """Run a prompt once and keep every head's attention.

    Args:
        loaded: a model from :func:`headroles.models.loading.load_model`.
        prompt: any text; what is longer than the model reads is cut at the end.
        top: number of next-token guesses to keep.
        chat: whether the prompt is wrapped by the model's chat template.

    Raises:
        EmptyPromptError: if the prompt is empty or blank.
        LimitError: if it is too long even to be tokenised.
        ChatTemplateError: if it cannot be wrapped.
    """
    encoding = encode(loaded.tokenizer, prompt, max_tokens=loaded.max_tokens, chat=chat)
    attention, logits = collect(loaded, encoding)
    return PromptRun(
        model_name=loaded.key,
        prompt=prompt,
        encoding=encoding,
        attention=attention,
        next_tokens=_best_tokens(loaded, logits, top=top),
    )


def collect(
    loaded: LoadedModel, encoding: Encoding
) -> tuple[Float[Tensor, "layer head pos pos"], Float[Tensor, " vocab"]]:
    """The attention of every head on a tokenised prompt, and the logits after its last token."""
    ids = torch.tensor([encoding.token_ids])  # [1 pos]
    length = ids.shape[1]
    attention = torch.empty(loaded.num_layers, loaded.num_heads, length, length)

    def keep(layer: int, pattern: Tensor) -> None:
        attention[layer] = pattern.reshape(-1, length, length)

    # In inference mode the probes would copy every pattern.
    with loaded.lock, torch.no_grad():
        output = _hand_over(loaded, inputs(loaded, ids, last_only=True), keep)
        logits = output.logits[0, -1].float().clone()
    return attention, logits


OnLayer = Callable[[int, Float[Tensor, "batch head query key"]], None]


class _HandOver(pyvene.CollectIntervention):
    """Collects nothing: the pattern goes to a function at once and is not kept."""

    def __init__(self, **settings: object) -> None:
        super().__init__(**settings, keep_last_dim=True)  # else PyVene flattens the heads
        self.take: Callable[[Tensor], None] | None = None

    def forward(
        self, base: Tensor, source: Tensor | None = None, subspaces: object = None, **_: object
    ) -> Tensor:
        self.take(base)
        return base.new_empty(1, 0)


def each_layer(loaded: LoadedModel, token_ids: Int[Tensor, "batch pos"], on_layer: OnLayer) -> None:
    """Run a batch once and call ``on_layer(layer, patterns)`` for every layer in turn.

    The attention of the whole model is never in memory at once, and the pass ends at the last
    layer's pattern: neither the last MLP nor the logits are computed. Rows may be padded on the
    right: attention is causal, so no token sees the padding after it.

    Args:
        loaded: a model from :func:`headroles.models.loading.load_model`.
        token_ids: [batch pos] ids; position 0 of every row is the start token.
        on_layer: is given each layer's patterns as [batch head query key].
    """
    batch, length = token_ids.shape

    def take(layer: int, pattern: Tensor) -> None:
        on_layer(layer, pattern.reshape(batch, -1, length, length).float())
        if layer == loaded.num_layers - 1:
            raise SeenEnough

    with loaded.lock, torch.inference_mode(), contextlib.suppress(SeenEnough):
        _hand_over(loaded, inputs(loaded, token_ids), take)


def _hand_over(
    loaded: LoadedModel, given: Mapping[str, object], take: Callable[[int, Tensor], None]
) -> object:
    """One pass that hands each layer's pattern to ``take``; the model's output."""
    if _RUNNER not in loaded.tools:
        probes = [_HandOver() for _ in loaded.probe_paths]
        places = (f"{path}.output" for path in loaded.probe_paths)
        loaded.tools[_RUNNER] = Runner(loaded.model, dict(zip(places, probes, strict=True))), probes
    runner, probes = loaded.tools[_RUNNER]
    for layer, probe in enumerate(probes):
        probe.take = partial(take, layer)
    try:
        return runner.run(given)
    finally:
        for probe in probes:
            probe.take = None


def _best_tokens(
    loaded: LoadedModel, logits: Float[Tensor, " vocab"], *, top: int
) -> tuple[NextToken, ...]:
    best = logits.softmax(-1).topk(min(top, logits.shape[-1]))
    texts = token_texts(loaded.tokenizer, best.indices.tolist())
    return tuple(
        NextToken(text, token_id, probability)
        for text, token_id, probability in zip(
            texts, best.indices.tolist(), best.values.tolist(), strict=True
        )
    )
