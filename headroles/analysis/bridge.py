"""TransformerLens runs the probe texts; one hook per layer hands out the attention pattern.

TransformerLens 4 (Nanda & Bloom 2022) wraps a transformers model in a ``TransformerBridge``. Only
the pattern of each layer is looked at, and it is given to the caller before the next layer runs, so
the attention of the whole model is never in memory at once. The pass ends at the last layer's
pattern: neither the last MLP nor the logits (a third of the work on GPT-2) are computed.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from torch import Tensor
from transformer_lens.model_bridge import TransformerBridge

from headroles.errors import UnsupportedModelError
from headroles.models import (
    catalogue_key,
    load_tokenizer,
    load_weights,
    local_files,
    resolve_source,
)

OnLayer = Callable[[int, Float[Tensor, "batch head query key"]], None]


def load_bridge(name_or_folder: str) -> TransformerBridge:
    """Load a catalogue model, a folder or a Hub id into TransformerLens.

    Raises:
        UnknownModelError: if there is no such model.
        ModelUnavailableError: if its files cannot be read.
        UnsupportedModelError: if it is no decoder-only model, or one that TransformerLens has no
            adapter for.
    """
    source = resolve_source(name_or_folder)
    # Loaded by the project's own rules (safetensors only); TransformerLens would take a pickle too.
    weights = load_weights(source, catalogue_key(name_or_folder), attention="eager")
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # it reports its progress by print
            bridge = TransformerBridge.boot_transformers(
                local_files(source),
                device="cpu",
                hf_model=weights,
                tokenizer=load_tokenizer(source),
            )
    except (ValueError, KeyError, NotImplementedError) as error:
        raise UnsupportedModelError(name_or_folder, why=f"{error}".split("\n")[0]) from error
    return bridge.eval()


class SeenEnough(Exception):  # noqa: N818 - a signal to stop, not an error
    """Raised by the last hook: nothing after the last attention pattern is wanted."""


def each_layer(
    bridge: TransformerBridge, token_ids: Int[Tensor, "batch pos"], on_layer: OnLayer
) -> None:
    """Run a batch once and call ``on_layer(layer, pattern)`` for every layer in turn."""
    last = bridge.cfg.n_layers - 1

    def hook_for(layer: int) -> Callable[..., None]:
        def hook(pattern: Tensor, hook: object) -> None:
            forget_patterns(bridge)
            on_layer(layer, pattern)
            if layer == last:
                raise SeenEnough

        return hook

    hooks = [(f"blocks.{n}.attn.hook_pattern", hook_for(n)) for n in range(last + 1)]
    with torch.inference_mode(), contextlib.suppress(SeenEnough):
        # Unless told otherwise, transformers would keep every layer's pattern, keys and values.
        bridge.run_with_hooks(
            token_ids,
            return_type=None,
            fwd_hooks=hooks,
            output_attentions=False,
            use_cache=False,
        )


def forget_patterns(bridge: TransformerBridge) -> None:
    """Let go of earlier layers' patterns: every attention module of the bridge keeps its last."""
    for module in bridge.modules():
        if getattr(module, "_pattern", None) is not None:
            module._pattern = None
