"""Where a pattern can be collected: an ``nn.Identity`` on each attention module.

While the pattern passes, the probe also holds the mask, from which
:class:`headroles.models.sight.Sights` knows what the heads can see.
"""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING

import torch
from torch import nn
from transformers import AttentionInterface, AttentionMaskInterface, AutoModelForCausalLM
from transformers.masking_utils import eager_mask

from headroles.errors import UnsupportedModelError
from headroles.models.numbers import are_numbers, not_a_number

if TYPE_CHECKING:
    from torch import Tensor, nn
    from transformers import PreTrainedModel


PROBE = "attention_probe"
"""Name of the probe module on each attention module."""


class Probe(nn.Identity):
    """What a pattern passes through."""

    mask: Tensor | None = None
    """While a pattern passes, the mask that it was computed with."""


_IMPLEMENTATION = "headroles_probe"


_DROPOUTS = ("attn_dropout", "attention_dropout")


def attention_for(config: object) -> str:
    """The probe where the family takes an attention function by name, its eager code elsewhere."""
    model_class = AutoModelForCausalLM._model_mapping.get(type(config), None)
    takes_functions = getattr(model_class, "_supports_attention_backend", False)
    return _IMPLEMENTATION if takes_functions else "eager"


def register_attention() -> None:
    """Make transformers know the attention with a probe, once a process."""
    AttentionInterface.register(_IMPLEMENTATION, probed_attention)
    AttentionMaskInterface.register(_IMPLEMENTATION, eager_mask)


def probed_attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    **settings: object,
) -> tuple[Tensor, Tensor]:
    """Eager attention of the module's own family, with the pattern passed through its probe.

    Args:
        module: the attention module; its file defines ``eager_attention_forward``.
        query: [batch head query dim].
        key: [batch kv_head key dim], fewer heads than ``query`` where the model groups them.
        value: [batch kv_head key dim].
        attention_mask: additive mask that broadcasts over [batch head query key].
        **settings: whatever the family passes on (scaling, dropout, soft cap, sinks).

    Returns:
        The output [batch query head dim] and the pattern [batch head query key].
    """
    eager = sys.modules[type(module).__module__].eager_attention_forward
    output, pattern = eager(module, query, key, value, attention_mask, **settings)
    probe = getattr(module, PROBE, None)
    if probe is None:  # the pass that finds the attention modules
        _seen.append((module, pattern))
        return output, pattern
    handed, version = _watched(pattern)
    probe.mask = attention_mask
    try:
        changed = probe(handed)
    finally:
        probe.mask = None
    if changed is handed and _is_untouched(handed, version, pattern):
        return output, pattern
    groups = query.shape[1] // value.shape[1]
    values = value.repeat_interleave(groups, dim=1)  # [batch head key dim]
    return (changed @ values).transpose(1, 2).contiguous(), changed


def _watched(pattern: Tensor) -> tuple[Tensor, int | None]:
    """What the probe is given, so that a change in place is seen too (PyVene writes in place).

    Torch counts the writes to a tensor, but not in inference mode: there the probe gets a copy.
    """
    if pattern.is_inference():
        return pattern.clone(), None
    return pattern, pattern._version


def _is_untouched(handed: Tensor, version: int | None, pattern: Tensor) -> bool:
    return torch.equal(handed, pattern) if version is None else handed._version == version


_seen: list[tuple[nn.Module, Tensor]] = []


_discovery = threading.Lock()


def install_probes(model: PreTrainedModel, key: str) -> tuple[tuple[str, ...], int]:
    """Find where the patterns pass by running two tokens, and put a probe there.

    Returns:
        [layer] the paths of the probes, and the number of query heads.
    """
    names = {module: path for path, module in model.named_modules()}
    dropouts = [module for module in names if names[module].rpartition(".")[2] in _DROPOUTS]
    patterns = _run_two_tokens(model, dropouts)
    by_function = [module for module, _ in patterns if module not in dropouts]
    # A family may own dropout modules and still compute its attention past them (Falcon).
    if not by_function and (not dropouts or len(patterns) != len(dropouts)):
        raise UnsupportedModelError(
            key, why="its attention can be reached neither by a function nor by a module."
        )
    if len({module for module, _ in patterns}) < len(patterns):
        raise UnsupportedModelError(key, why="a layer of it attends more than once.")
    if not all(are_numbers(pattern) for _, pattern in patterns):
        raise not_a_number(model, key, torch.zeros(1, 2, dtype=torch.long))
    if any(pattern.reshape(-1, 2, 2)[:, 0, 1].any() for _, pattern in patterns):
        raise UnsupportedModelError(key, why="its tokens also look at the ones after them.")
    if not by_function:
        paths = tuple(names[module] for module, _ in patterns)
        return paths, model.config.get_text_config().num_attention_heads
    if len({pattern.shape[1] for module, pattern in patterns if module in by_function}) > 1:
        raise UnsupportedModelError(key, why="its layers differ in their numbers of heads.")
    for module in by_function:
        module.add_module(PROBE, Probe())
    return tuple(f"{names[module]}.{PROBE}" for module in by_function), patterns[0][1].shape[1]


def _run_two_tokens(
    model: PreTrainedModel, dropouts: list[nn.Module]
) -> list[tuple[nn.Module, Tensor]]:
    """Which modules a pattern passes through, with the pattern, in the order of the layers."""

    def record(module: nn.Module, _inputs: object, output: Tensor) -> None:
        _seen.append((module, output))

    with _discovery, torch.no_grad():
        _seen.clear()
        hooks = [module.register_forward_hook(record) for module in dropouts]
        try:
            model(torch.zeros(1, 2, dtype=torch.long))
            return list(_seen)
        finally:
            _seen.clear()
            for hook in hooks:
                hook.remove()
