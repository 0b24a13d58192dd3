"""One PyVene forward pass over a prompt, with the attention of every head.

A ``CollectIntervention`` sits on the probe of every layer (:mod:`headroles.models`), so a single
pass gives the attention of the whole model together with the next-token guesses, exactly as
transformers' eager attention computes them. A second one sits before every output projection: what
a head writes is measured there and not kept (:mod:`headroles.capture.head_outputs`).

Many prompts at once go through :func:`each_layer`, which hands out one layer's patterns at a time.

>>> run = capture(load_model("demo"), "The cat sat on the mat.")  # doctest: +SKIP
>>> run.attention.shape  # doctest: +SKIP
torch.Size([4, 8, 8, 8])
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from functools import partial
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from headroles.capture import head_outputs
from headroles.capture.interventions import head_weights, output_projections
from headroles.capture.runner import Runner, inputs, pyvene
from headroles.errors import NotANumberError, UnsupportedModelError
from headroles.models import LoadedModel, are_logits, are_numbers, not_a_number
from headroles.models.blocks import SeenEnough
from headroles.models.sight import Sights, cut, layer_sight
from headroles.texts import encode, token_texts
from headroles.types import Encoding, NextToken, PromptRun

TOP_TOKENS = 10
"""How many next-token guesses are kept."""
_RUNNER, _ROOTS = "hand_over", "roots_of_head_outputs"


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
        NotANumberError: if the model computes NaN or infinity.
    """
    encoding = encode(loaded.tokenizer, prompt, max_tokens=loaded.max_tokens, chat=chat)
    return capture_encoded(loaded, encoding, prompt=prompt, top=top)


def capture_encoded(
    loaded: LoadedModel, encoding: Encoding, *, prompt: str, top: int = TOP_TOKENS
) -> PromptRun:
    """The same of tokens that need not come from a text; ``prompt`` says what they are.

    Raises:
        NotANumberError: if the model computes NaN or infinity.
    """
    collected = collect(loaded, encoding)
    return PromptRun(
        model_name=loaded.key,
        prompt=prompt,
        encoding=encoding,
        attention=collected.attention,
        next_tokens=_best_tokens(loaded, collected.logits, top=top),
        output_change=collected.output_change,
        sight=collected.sight,
        source=loaded.source,
        revision=loaded.revision,
    )


class Collected(NamedTuple):
    """What one pass gives."""

    attention: Float[Tensor, "layer head pos pos"]
    """[layer head pos pos] the attention of every head."""
    logits: Float[Tensor, " vocab"]
    """[vocab] after the last token."""
    output_change: Float[Tensor, "layer head"] | None = None
    """[layer head] how much each head's output changes from token to token, from
    :func:`headroles.capture.head_outputs.output_change`; None where it cannot be measured."""
    sight: tuple[Bool[Tensor, "pos pos"] | None, ...] = ()
    """[layer] what each layer's heads can see; empty where all see every token so far."""


def collect(loaded: LoadedModel, encoding: Encoding) -> Collected:
    """Run a tokenised prompt once.

    Raises:
        NotANumberError: if the model computes NaN or infinity.
    """
    ids = torch.tensor([encoding.token_ids])  # [1 pos]
    length = ids.shape[1]
    # Torch's default changes for all threads while another one loads a model in 16 bits.
    attention = torch.empty(
        loaded.num_layers, loaded.num_heads, length, length, dtype=torch.float32
    )
    roots = roots_of(loaded)
    outputs = (
        None
        if roots is None
        else torch.empty(
            loaded.num_layers, length, loaded.num_heads, roots.shape[-1], dtype=torch.float32
        )
    )  # [layer query head dim]

    sight: list[Tensor | None] = [None] * loaded.num_layers

    def keep(layer: int, pattern: Tensor, visible: Tensor | None) -> None:
        attention[layer] = pattern.reshape(-1, length, length)
        sight[layer] = visible

    def keep_output(layer: int, z: Tensor) -> None:
        outputs[layer] = z.reshape(outputs.shape[1:])

    # In inference mode the probes would copy every pattern.
    with loaded.lock, torch.no_grad():
        given = inputs(loaded, ids, last_only=True)
        output = _hand_over(loaded, given, keep, None if roots is None else keep_output)
        logits = output.logits[0, -1].float().clone()
        change = None if roots is None else head_outputs.output_change(outputs, roots)
        read = [attention] if change is None else [attention, change]
        if not (are_logits(logits) and all(map(are_numbers, read))):
            raise not_a_number(loaded.model, loaded.key, ids)
    return Collected(attention, logits, change, cut(sight, length))


def roots_of(loaded: LoadedModel) -> Float[Tensor, "layer head rank dim"] | None:
    """What the lengths of the heads' outputs are measured with, made once per model; None where
    the output of a single head is not to be found, or heads are not alike in all layers.
    """
    if _ROOTS not in loaded.tools:
        try:
            by_layer = [head_outputs.roots(W_O) for W_O in head_weights(loaded)]
        except UnsupportedModelError:
            by_layer = []
        except NotANumberError:  # the prompt's own pass says whether that is so on it, too
            return None
        alike = len({roots.shape for roots in by_layer}) == 1
        loaded.tools[_ROOTS] = torch.stack(by_layer) if alike else None
    return loaded.tools[_ROOTS]


OnLayer = Callable[
    [int, Float[Tensor, "batch head query key"], Bool[Tensor, "query key"] | None], None
]


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
    """Run a batch once and call ``on_layer(layer, patterns, visible)`` for every layer in turn.

    The attention of the whole model is never in memory at once, and the pass ends at the last
    layer's pattern: neither the last MLP nor the logits are computed. Rows may be padded on the
    right: attention is causal, so no token sees the padding after it.

    Args:
        loaded: a model from :func:`headroles.models.loading.load_model`.
        token_ids: [batch pos] ids; position 0 of every row is the start token.
        on_layer: is given each layer's patterns as [batch head query key], and as [query key] what
            its heads can see: True where they can look, None where that is every token so far.

    Raises:
        NotANumberError: if the model computes NaN or infinity; ``on_layer`` never gets these.
        UnsupportedModelError: if what they can see depends on the head or on the text.
    """
    batch, length = token_ids.shape
    broken, failed = False, None

    def take(layer: int, pattern: Tensor, visible: Tensor | None) -> None:
        nonlocal broken, failed
        broken = not are_numbers(pattern)
        if not broken:
            try:
                on_layer(layer, pattern.reshape(batch, -1, length, length).float(), visible)
            except Exception as error:  # the caller's own, and no failure of the model
                failed = error
        if broken or failed or layer == loaded.num_layers - 1:
            raise SeenEnough

    with loaded.lock:
        with torch.inference_mode(), contextlib.suppress(SeenEnough):
            _hand_over(loaded, inputs(loaded, token_ids), take)
        if failed:
            raise failed
        if broken:
            raise not_a_number(loaded.model, loaded.key, token_ids)


def _hand_over(
    loaded: LoadedModel,
    given: Mapping[str, object],
    take: Callable[[int, Tensor, Tensor | None], None],
    take_output: Callable[[int, Tensor], None] | None = None,
) -> object:
    """One pass that hands each layer's pattern to ``take``, with what the layer sees, and its
    heads' outputs z, side by side, to ``take_output``; the model's output."""
    sights = Sights(loaded.key, given["input_ids"].shape[1])

    def with_sight(layer: int, pattern: Tensor) -> None:
        take(layer, pattern, layer_sight(loaded, layer, sights))

    takers = {f"{path}.output": partial(with_sight, n) for n, path in enumerate(loaded.probe_paths)}
    if take_output:
        paths = enumerate(output_projections(loaded))
        takers |= {f"{path}.input": partial(take_output, n) for n, path in paths}
    key = f"{_RUNNER}: {len(takers)} places"
    if key not in loaded.tools:
        places = {place: _HandOver() for place in takers}
        loaded.tools[key] = Runner(loaded.model, places), places
    runner, places = loaded.tools[key]
    for place, taker in takers.items():
        places[place].take = taker
    try:
        return runner.run(given)
    finally:
        for place in places.values():
            place.take = None


def _best_tokens(
    loaded: LoadedModel, logits: Float[Tensor, " vocab"], *, top: int
) -> tuple[NextToken, ...]:
    nameless = loaded.nameless(len(logits))
    probabilities = logits.softmax(-1).index_fill(0, nameless, -1)  # these come last, and are cut
    best = probabilities.topk(min(top, len(logits) - len(nameless)))
    texts = token_texts(loaded.tokenizer, best.indices.tolist())
    return tuple(
        NextToken(text, token_id, probability)
        for text, token_id, probability in zip(
            texts, best.indices.tolist(), best.values.tolist(), strict=True
        )
    )
