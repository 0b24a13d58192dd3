"""Where a pattern can be collected: an ``nn.Identity`` on each attention module.

The model runs in its family's own eager code, masks and choices of tokens included. Most families
take their attention function from transformers' ``AttentionInterface``; where that hands out an
eager function, here it is wrapped, so that the pattern passes the probe of the module that asked.
A model without probes is left as it is. Where a family does not ask the interface, the pattern is
found at a dropout module, which does nothing at inference.

One pass over a few tokens shows where the patterns pass. A model is taken only if each of its
layers shows exactly one, in order, with as many heads as its configuration says, and if that
pattern is what weighs the values; else it is refused, with what is wrong.

While the pattern passes, the probe also holds the mask, from which
:class:`headroles.models.sight.Sights` knows what the heads can see.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial, wraps
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from transformers import AttentionInterface

from headroles.errors import NotANumberError, UnsupportedModelError, ours
from headroles.formatting import listing
from headroles.models.numbers import are_numbers, not_a_number

if TYPE_CHECKING:
    from transformers import PreTrainedModel


PROBE = "attention_probe"
"""Name of the probe module on each attention module."""

LENGTH = 9
"""Tokens of the pass that finds the patterns: no head has a dimension of 9."""


_registering = threading.Lock()
_WRAPPED = "headroles_probes"
"""On transformers' method once it is wrapped here; other libraries may wrap it, too."""


class Probe(nn.Identity):
    """What a pattern passes through."""

    mask: Tensor | None = None
    """While a pattern passes, the mask that it was computed with."""


def register_attention() -> None:
    """Have eager attention functions wrapped where models ask for them, once a process.

    A function registered under a name of its own would not do: families look at that name, and
    those that choose tokens for a sparse kernel (DeepSeek 3.2) apply the choice to "eager" only.
    """
    with _registering:  # wrapped twice, every layer would seem to attend twice
        asked = AttentionInterface.get_interface
        if hasattr(asked, _WRAPPED):
            return

        @wraps(asked)
        def get_interface(self: AttentionInterface, name: str, default: Callable) -> Callable:
            function = asked(self, name, default)
            return partial(probed_attention, function) if name == "eager" else function

        setattr(get_interface, _WRAPPED, True)
        AttentionInterface.get_interface = get_interface


def probed_attention(
    eager: Callable[..., tuple[Tensor, Tensor]],
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None = None,
    **settings: object,
) -> tuple[Tensor, Tensor]:
    """Eager attention of the module's own family, with the pattern passed through its probe.

    Args:
        eager: the family's own function.
        module: the attention module.
        query: [batch head query dim].
        key: [batch kv_head key dim], fewer heads than ``query`` where the model groups them.
        value: [batch kv_head key dim].
        attention_mask: additive mask that broadcasts over [batch head query key].
        **settings: whatever the family passes on (scaling, dropout, soft cap, sinks).

    Returns:
        The output [batch query head dim] and the pattern [batch head query key].
    """
    output, pattern = eager(module, query, key, value, attention_mask, **settings)
    probe, watch = getattr(module, PROBE, None), _watch.get()
    if watch is not None and isinstance(pattern, Tensor):
        watch.see(module, pattern, weighs=_weighs(pattern, value, output))
    if probe is None:
        return output, pattern
    handed, version = _watched(pattern)
    probe.mask = attention_mask
    try:
        changed = probe(handed)
    finally:
        probe.mask = None
    if changed is handed and _is_untouched(handed, version, pattern):
        return output, pattern
    return _weighed(changed, value), changed


def _weighed(pattern: Tensor, value: Tensor) -> Tensor:
    """[batch query head dim] the heads' outputs."""
    values = value.repeat_interleave(pattern.shape[1] // value.shape[1], dim=1)
    return (pattern @ values).transpose(1, 2).contiguous()


def _weighs(pattern: Tensor, value: Tensor, output: Tensor) -> bool:
    """Whether the output is what the pattern makes of the values, so that a change can be too."""
    if pattern.ndim != 4 or value.ndim != 4 or pattern.shape[1] % value.shape[1]:
        return False
    if pattern.shape[-1] != value.shape[-2]:
        return False
    own = _weighed(pattern, value)
    # A NaN passes: it is told as such.
    return own.shape == output.shape and not (
        (own - output).abs().max() > 1e-2 * output.abs().max()
    )


def _watched(pattern: Tensor) -> tuple[Tensor, int | None]:
    """What the probe is given, so that a change in place is seen too (PyVene writes in place).

    Torch counts the writes to a tensor, but not in inference mode: there the probe gets a copy.
    """
    if pattern.is_inference():
        return pattern.clone(), None
    return pattern, pattern._version


def _is_untouched(handed: Tensor, version: int | None, pattern: Tensor) -> bool:
    return torch.equal(handed, pattern) if version is None else handed._version == version


@dataclass
class _Seen:
    """A pattern on its way through a model."""

    module: nn.Module
    pattern: Tensor
    """[batch head query key], or with the heads folded into the rows."""
    weighs: bool
    """Whether it is what the values are weighed with."""

    @property
    def heads(self) -> int:
        """How many heads the pattern is of, for one text."""
        return self.pattern[..., 0, 0].numel()


class _Watch(TorchFunctionMode):
    """Notes each pattern of a pass, and whether there were others that nobody can reach."""

    def __init__(self) -> None:
        super().__init__()
        self.by_function: list[_Seen] = []
        self.by_dropout: list[_Seen] = []
        self.tables = 0
        """Tables of tokens by tokens that went through a softmax."""
        self._multiplied: set[int] = set()

    def __torch_function__(
        self, func: Callable, types: object, args: tuple = (), kwargs: dict | None = None
    ) -> object:
        name = getattr(func, "__name__", "")
        result = func(*args, **(kwargs or {}))
        if name in _PRODUCTS:
            self._multiplied |= {part.data_ptr() for part in args if isinstance(part, Tensor)}
        elif name in _SOFTMAXES and args and args[0].ndim > 2:
            self.tables += min(args[0].shape[-2:]) >= LENGTH
        return result

    def see(self, module: nn.Module, pattern: Tensor, *, weighs: bool) -> None:
        """Note a pattern that passes an attention function."""
        self.by_function.append(_Seen(module, pattern.detach(), weighs))

    def see_dropout(self, module: nn.Module, _args: object, output: Tensor) -> None:
        """Note a pattern that passes a dropout module: as a hook on it."""
        if output.shape[-2:] == (LENGTH, LENGTH):
            self.by_dropout.append(_Seen(module, output, weighs=False))

    def found(self) -> list[_Seen]:
        """The patterns of the pass, in order: those of functions, if there are any."""
        for seen in self.by_dropout:  # kept until here, so its place in memory is its own
            seen.weighs = seen.pattern.data_ptr() in self._multiplied
        return self.by_function or self.by_dropout


TOO_LARGE = 1e18
"""The squares of larger numbers, summed, are infinite in 32 bits."""
_PRODUCTS = {"matmul", "bmm", "baddbmm", "einsum", "__matmul__"}
_SOFTMAXES = {"softmax", "logsumexp"}
_watch: ContextVar[_Watch | None] = ContextVar("watch", default=None)


def install_probes(model: PreTrainedModel, key: str) -> tuple[tuple[str, ...], int]:
    """Find where the patterns pass by running a few tokens, and put a probe there.

    Returns:
        [layer] the paths of the probes, and the number of query heads.

    Raises:
        UnsupportedModelError: if not every layer shows one pattern of equally many heads, or the
            model cannot be run on tokens alone; nothing is installed then.
        NotANumberError: if its attention is NaN or infinite.
    """
    watch = _watched_pass(model, key)
    names = {module: path for path, module in model.named_modules()}
    seen = watch.found()
    paths = [names.get(call.module, "") for call in seen]
    if why := _why_no_layers(model, paths, watch):
        raise UnsupportedModelError(key, why=why)
    if not all(are_numbers(call.pattern) for call in seen):
        raise not_a_number(model, key, _tokens(model))
    if why := _why_no_heads(model, seen):
        raise UnsupportedModelError(key, why=why)
    if not watch.by_function:
        return tuple(paths), seen[0].heads
    for call in seen:
        call.module.add_module(PROBE, Probe())
    return tuple(f"{path}.{PROBE}" for path in paths), seen[0].heads


def _watched_pass(model: PreTrainedModel, key: str) -> _Watch:
    """One pass over a few tokens, with every pattern of it."""
    watch = _Watch()
    dropouts = [module for module in model.modules() if isinstance(module, nn.Dropout)]
    hooks = [module.register_forward_hook(watch.see_dropout) for module in dropouts]
    hooks += [
        module.register_forward_pre_hook(partial(_check_size, key, path))
        for path, module in model.named_modules()
        if "norm" in type(module).__name__.lower()
    ]
    token = _watch.set(watch)
    try:
        with ours(partial(_does_not_run, key)), torch.no_grad(), watch:
            model(_tokens(model), **without_cache(model))
    finally:
        _watch.reset(token)
        for hook in hooks:
            hook.remove()
    return watch


def _check_size(key: str, path: str, _norm: nn.Module, args: tuple) -> None:
    """Refuse what a norm would square to infinity, and so divide to 0: no NaN would tell of it."""
    is_some = args and isinstance(args[0], Tensor) and args[0].numel()
    if is_some and float(args[0].detach().abs().max()) > TOO_LARGE:
        raise NotANumberError(key, where=f"{path}, which squares what it is given")


def without_cache(model: PreTrainedModel) -> dict[str, bool]:
    """What a pass is told so that it keeps no keys and values, where the family can be told."""
    return {"use_cache": False} if "use_cache" in model.config.to_dict() else {}


def _tokens(model: PreTrainedModel) -> Tensor:
    """[1 pos] what the pass is over: the first tokens that the model has."""
    return torch.arange(LENGTH)[None] % model.get_input_embeddings().num_embeddings


def _does_not_run(key: str, error: BaseException) -> UnsupportedModelError:
    reason = f"{type(error).__name__}: {' '.join(str(error).split())[:120].rstrip('.')}"
    return UnsupportedModelError(
        key, why=f"it cannot be run on the tokens of a text alone ({reason})."
    )


def _why_no_layers(model: PreTrainedModel, paths: Sequence[str], watch: _Watch) -> str:
    """What is wrong with the layers in which attention was seen; empty if nothing is."""
    if not paths and watch.tables:
        return "it computes its attention in code of its own, where it cannot be read."
    if not paths:
        return "it has no attention heads: its layers pass tokens on in another way."
    stacks = Counter(_stack(path) for path in paths)
    if len(stacks) > 1 or "" in stacks:
        parts = listing([f"'{stack}'" for stack in stacks if stack])
        return f"its attention does not lie in one stack of layers, but in {parts or 'none'}."
    (stack,) = stacks
    count = sum(name.isdigit() for name, _ in model.get_submodule(stack).named_children())
    layers = [int(path.removeprefix(f"{stack}.").partition(".")[0]) for path in paths]
    times = Counter(layers)
    several = [layer for layer in times if times[layer] > 1]
    if several:
        return (
            f"it attends {times[several[0]]} times in each pass in {_named(several)}, so a head "
            "there has no single pattern."
        )
    if len(layers) < count:
        only = f"only in {_named(sorted(layers))} of its {count} layers"
        if watch.tables > len(layers):
            return f"its attention can be read {only}; the others compute it in code of their own."
        return f"it has attention heads {only}; the other layers have none."
    if layers != sorted(layers):
        return "its layers do not attend in the order of their numbers."
    said = _said(model, "decoder_layers", "num_hidden_layers")
    if said is not None and said != count:
        return f"its config.json says {said} layers, but it has {count}."
    return ""


def _said(model: PreTrainedModel, *names: str) -> object:
    """What the configuration says of the decoder by the first of these names that it has."""
    config = model.config.get_text_config(decoder=True)
    return next((getattr(config, name) for name in names if hasattr(config, name)), None)


def _stack(path: str) -> str:
    """The list of layers that a module is in: ``model.layers`` of ``model.layers.3.self_attn``."""
    parts = path.split(".")
    numbers = [place for place, part in enumerate(parts) if part.isdigit()]
    return ".".join(parts[: numbers[0]]) if numbers else ""


def _named(layers: Sequence[int]) -> str:
    """``layer 3``, ``layers 1 and 3``, ``12 layers (0, 4, 8, ...)``."""
    if len(layers) > 6:
        return f"{len(layers)} layers ({', '.join(map(str, layers[:3]))}, ...)"
    return f"layer{'s' if len(layers) > 1 else ''} {listing([str(layer) for layer in layers])}"


def _why_no_heads(model: PreTrainedModel, seen: Sequence[_Seen]) -> str:
    """What is wrong with the patterns of the layers; empty if nothing is."""
    heads = [call.heads for call in seen]
    if len(set(heads)) > 1:
        other = next(layer for layer, count in enumerate(heads) if count != heads[0])
        return (
            f"its layers have different numbers of heads (layer 0 has {heads[0]}, layer {other} "
            f"has {heads[other]})."
        )
    said = _said(model, "decoder_attention_heads", "num_attention_heads")
    if said is not None and said != heads[0]:
        return f"its config.json says {said} heads, but {heads[0]} attend in each layer."
    if any(call.pattern.shape[-2:] != (LENGTH, LENGTH) for call in seen):
        return "its heads also look at something else than the tokens of the text."
    if any(call.pattern.triu(1).any() for call in seen):
        return "its tokens also look at the ones after them."
    if not all(call.weighs for call in seen):
        return "what it gives out as its attention is not what it weighs the values with."
    return ""
