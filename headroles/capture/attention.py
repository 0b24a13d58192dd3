"""One PyVene forward pass over a prompt: the only place that imports pyvene.

A ``CollectIntervention`` sits on the probe of every layer (:mod:`headroles.models`), so a single
pass gives the attention of the whole model together with the next-token guesses, exactly as
transformers' eager attention computes them.

PyVene (Wu et al. 2024, arXiv 2403.07809) hooks the shared model while it runs and removes *every*
forward hook afterwards, so each run holds the model's lock.

Many prompts at once go through :func:`each_layer`, which hands out one layer's patterns at a time.

>>> run = capture(load_model("demo"), "The cat sat on the mat.")  # doctest: +SKIP
>>> run.attention.shape  # doctest: +SKIP
torch.Size([4, 8, 8, 8])
"""

from __future__ import annotations

import contextlib
import inspect
import io
from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from headroles.models import LoadedModel
from headroles.texts import encode, token_texts
from headroles.types import Encoding, NextToken, PromptRun

with contextlib.redirect_stdout(io.StringIO()):  # it prints which optional backends are missing
    import pyvene

TOP_TOKENS = 10
"""How many next-token guesses are kept."""


def capture(loaded: LoadedModel, prompt: str, *, top: int = TOP_TOKENS) -> PromptRun:
    """Run a prompt once and keep every head's attention.

    Args:
        loaded: a model from :func:`headroles.models.loading.load_model`.
        prompt: any text; what is longer than the model reads is cut at the end.
        top: number of next-token guesses to keep.

    Raises:
        EmptyPromptError: if the prompt is empty or blank.
        LimitError: if it is too long even to be tokenised.
    """
    encoding = encode(loaded.tokenizer, prompt, max_tokens=loaded.max_tokens)
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
    with loaded.lock, torch.no_grad():  # in inference mode the probes would copy every pattern
        # Without `output_original_output` PyVene makes a single pass; a collecting intervention
        # changes nothing, so the "intervened" output is the model's own.
        inputs = {"input_ids": ids, **_last_logits_only(loaded)}
        (_, patterns), output = _collector(loaded)(inputs, unit_locations=None, use_cache=False)
        logits = output.logits[0, -1].float().clone()
    length = ids.shape[1]
    stacked = torch.stack([pattern.reshape(-1, length, length) for pattern in patterns])
    return stacked.float(), logits


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


class _SeenEnough(Exception):  # noqa: N818 - a signal to stop, not an error
    """Raised at the last pattern: nothing after it is wanted."""


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

    def take(layer: int) -> Callable[[Tensor], None]:
        def hand(pattern: Tensor) -> None:
            on_layer(layer, pattern.reshape(batch, -1, length, length).float())
            if layer == loaded.num_layers - 1:
                raise _SeenEnough

        return hand

    with loaded.lock, torch.inference_mode():
        runner = _runner(loaded, "hand_over", _HandOver)
        probes = list(runner.interventions.values())  # in the order of the probes' paths
        for layer, probe in enumerate(probes):
            probe.take = take(layer)
        try:
            with contextlib.suppress(_SeenEnough):  # PyVene removes its hooks all the same
                runner({"input_ids": token_ids}, unit_locations=None, use_cache=False)
        finally:
            for probe in probes:
                probe.take = None


def _last_logits_only(loaded: LoadedModel) -> dict[str, int]:
    """Ask for the logits of the last token alone, where the model can be asked.

    A third of GPT-2's work goes into logits that nobody looks at.
    """
    takes = inspect.signature(loaded.model.forward).parameters
    return {"logits_to_keep": 1} if "logits_to_keep" in takes else {}


def _collector(loaded: LoadedModel) -> pyvene.IntervenableModel:
    """The PyVene model that collects every probe."""
    return _runner(loaded, "collector", pyvene.CollectIntervention)


def _runner(
    loaded: LoadedModel, name: str, intervention: type[pyvene.CollectIntervention]
) -> pyvene.IntervenableModel:
    """A PyVene model with one intervention on the probe of every layer; made once per model."""
    if name not in loaded.tools:
        config = pyvene.IntervenableConfig(
            [
                pyvene.RepresentationConfig(
                    component=f"{path}.output",
                    unit="t",  # the whole tensor: gathering single heads returns wrong splits
                    intervention=intervention(),
                )
                for path in loaded.probe_paths
            ]
        )
        loaded.tools[name] = pyvene.IntervenableModel(config, model=loaded.model)
    return loaded.tools[name]


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
