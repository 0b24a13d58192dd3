"""TransformerLens runs the probe texts; one hook per layer hands out the attention pattern.

TransformerLens 4 (Nanda & Bloom 2022) wraps a transformers model in a ``TransformerBridge``. Only
the pattern of each layer is looked at (and its heads' outputs, where they are asked for), and it is
given to the caller before the next layer runs, so the attention of the whole model is never in
memory at once. The pass ends with what the last layer gives: neither the last MLP nor the logits (a
third of the work on GPT-2) are computed.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Iterator, Mapping, Sequence

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from transformer_lens.model_bridge import TransformerBridge

from headroles.errors import AnalysisError, NotANumberError, UnsupportedModelError, ours
from headroles.models import (
    are_numbers,
    load_tokenizer,
    load_weights,
    local_files,
    resolve_source,
)
from headroles.models.blocks import SeenEnough
from headroles.models.catalogue import spoken_name
from headroles.models.sight import Sights, own_masks

OnLayer = Callable[
    [int, Float[Tensor, "batch head query key"], Bool[Tensor, "query key"] | None], None
]
OnOutput = Callable[[int, Float[Tensor, "batch query head dim"]], None]
OnEnd = Callable[[Float[Tensor, "batch pos model"]], None]


def load_bridge(name_or_folder: str) -> TransformerBridge:
    """Load a catalogue model, a folder or a Hub id into TransformerLens.

    Raises:
        UnknownModelError: if there is no such model.
        ModelUnavailableError: if its files cannot be read.
        UnsupportedModelError: if it is no decoder-only model, or one that TransformerLens has no
            adapter for.
    """
    source, key = resolve_source(name_or_folder), spoken_name(name_or_folder)
    # Loaded by the project's own rules (safetensors only); TransformerLens would take a pickle too.
    weights = load_weights(source, key)
    place, tokenizer = local_files(source), load_tokenizer(source)
    # It reports its progress by print.
    with ours(lambda error: _no_adapter(key, error)), contextlib.redirect_stdout(io.StringIO()):
        bridge = TransformerBridge.boot_transformers(
            place, device="cpu", hf_model=weights, tokenizer=tokenizer
        ).eval()
    bridge.key = key
    return bridge


def _no_adapter(key: str, error: BaseException) -> UnsupportedModelError:
    return UnsupportedModelError(
        key,
        why="TransformerLens, which the analysis runs it with, cannot take it over "
        f"({first_sentence(error)}).",
    )


def first_sentence(error: BaseException) -> str:
    """What a library's error says first, without the full stop; its kind if it says nothing."""
    lines = f"{error}".strip().splitlines()
    return lines[0].split(". ")[0].rstrip(".")[:160] if lines else type(error).__name__


def run_hooked(
    bridge: TransformerBridge,
    token_ids: Int[Tensor, "batch pos"],
    hooks: Sequence[tuple[str, Callable[..., object]]] = (),
    *,
    returns: str | None = None,
    **settings: object,
) -> object:
    """One pass through TransformerLens, whatever of it is asked for.

    Args:
        bridge: the model.
        token_ids: the tokens.
        hooks: (place, hook); one that raises :class:`SeenEnough` ends the pass.
        returns: ``logits``, ``logits_and_cache`` or None for nothing.
        **settings: for the model, such as ``past_key_values``.

    Returns:
        What was asked for; None where a hook ended the pass.

    Raises:
        AnalysisError: if the model does not run, or lacks the place of a hook.
    """
    # Unless told otherwise, transformers would keep every layer's pattern, keys and values.
    settings = {"output_attentions": False, "use_cache": False} | settings
    with ours(_does_not_run), torch.inference_mode(), contextlib.suppress(SeenEnough):
        return bridge.run_with_hooks(
            token_ids, return_type=returns, fwd_hooks=list(hooks), **settings
        )
    return None


def _does_not_run(error: BaseException) -> AnalysisError:
    return AnalysisError(
        "TransformerLens, which the analysis runs the model with, stops here "
        f"({first_sentence(error)}).",
        hint="The other pages do not need it. Choose another model for an analysis.",
    )


def each_layer(
    bridge: TransformerBridge,
    token_ids: Int[Tensor, "batch pos"],
    on_layer: OnLayer,
    on_output: OnOutput | None = None,
    on_end: OnEnd | None = None,
) -> None:
    """Run a batch once and call ``on_layer(layer, pattern, visible)`` for every layer in turn.

    ``visible`` is what the layer's heads can see: True where they can look, None where that is
    every token so far (:mod:`headroles.models.sight`).
    ``on_output(layer, z)`` is given the heads' outputs before the projection; whether before or
    after the pattern differs by family. ``on_end(hidden)`` is given what the final norm gives.

    Raises:
        AnalysisError: if the model does not run in TransformerLens.
        NotANumberError: if a layer gives NaN or infinity.
    """
    last = bridge.cfg.n_layers - 1
    awaited = _Awaited([take for take in (on_layer, on_output, on_end) if take])
    sights = Sights(bridge.cfg.model_name, token_ids.shape[1])
    masks: dict[int, list[Tensor]] = {}

    def hook_for(layer: int, take: OnLayer | OnOutput) -> Callable[..., None]:
        def hook(tensor: Tensor, hook: object) -> None:
            forget_patterns(bridge)
            if not are_numbers(tensor):
                raise not_a_number(bridge, f"layer {layer}")
            if take is on_layer:
                take(layer, tensor, sights.of(masks.pop(layer)))
            else:
                take(layer, tensor)
            if layer == last:
                awaited.taken(take)

        return hook

    def end(hidden: Tensor, hook: object) -> None:
        if on_layer not in awaited:  # a family may norm its embeddings by the same module
            on_end(hidden)
            awaited.taken(on_end)

    layers = range(last + 1)
    hooks = [(f"blocks.{n}.attn.hook_pattern", hook_for(n, on_layer)) for n in layers]
    if on_output:
        hooks += [(f"blocks.{n}.attn.hook_z", hook_for(n, on_output)) for n in layers]
    hooks += [("ln_final.hook_out", end)] if on_end else []
    with noting(bridge, masks):
        run_hooked(bridge, token_ids, hooks)


class _Awaited(list):
    """What a pass is still to give of its last layer, in any order, and of its end."""

    def taken(self, take: Callable[..., None]) -> None:
        """One of them is there; the pass ends with the last.

        Raises:
            SeenEnough: if nothing else is awaited.
        """
        self.remove(take)
        if not self:
            raise SeenEnough


def not_a_number(bridge: TransformerBridge, where: str) -> NotANumberError:
    """The error for a model that computes NaN or infinity somewhere."""
    return NotANumberError(getattr(bridge, "key", bridge.cfg.model_name), where=where)


@contextlib.contextmanager
def noting(bridge: TransformerBridge, masks: dict[int, list[Tensor]]) -> Iterator[None]:
    """Put the masks of each layer into ``masks`` while a pass runs: handed on, and its own."""

    def note(layer: int) -> Callable[..., None]:
        def keep(module: nn.Module, _args: object, given: Mapping[str, object]) -> None:
            mask = given.get("attention_mask")
            masks[layer] = ([mask] if isinstance(mask, Tensor) else []) + own_masks(module)

        return keep

    handles = [
        block.attn.register_forward_pre_hook(note(layer), with_kwargs=True)
        for layer, block in enumerate(bridge.blocks)
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def forget_patterns(bridge: TransformerBridge) -> None:
    """Let go of earlier layers' patterns: every attention module of the bridge keeps its last.

    Every hook calls it, so it looks at the attention modules alone: a walk through all modules of a
    model of 30 layers takes 15 ms, half a second a pass.
    """
    for block in bridge.blocks:
        if getattr(block.attn, "_pattern", None) is not None:
            block.attn._pattern = None
