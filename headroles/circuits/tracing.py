"""One forward pass over a few tokens in which every module and every attention product is seen.

The model's name is not used to tell where its query, key and value weights are, or in which order.
A few tokens are run, and what went into and came out of each module is kept, together with the
tensors that the model itself multiplies inside its attention: the query times the key, and the
pattern times the value. :mod:`headroles.circuits.layouts` accepts a layout only if it gives those
tensors again.

The products are seen by a ``TorchFunctionMode``, so it makes no difference whether a family writes
``matmul``, ``bmm`` or ``baddbmm``, or in which function it does so.

>>> trace = trace_model(load_model("demo"))  # doctest: +SKIP
>>> trace.layers[0].query.shape  # doctest: +SKIP
torch.Size([4, 8, 3, 16])
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from headroles.errors import UnsupportedModelError
from headroles.models import LoadedModel, are_logits, blocks, not_a_number

BATCH, LENGTH = 4, 3
"""Sequences and positions of the pass: no head has a dimension of 3, so a [3, 3] is a pattern."""


@dataclass(frozen=True, eq=False)
class Call:
    """One call of a module."""

    path: str
    """Its dotted path in the model."""
    module: nn.Module
    given: Tensor
    """The first tensor that it was given."""
    result: Tensor
    """What it returned, or the first tensor of it."""
    turn: int = 0
    """Its place in the order in which the modules returned."""


@dataclass(frozen=True, eq=False)
class AttentionTrace:
    """What one attention layer multiplied."""

    path: str
    """The attention module's dotted path."""
    block: str
    """The path of the layer that it is part of."""
    query: Float[Tensor, "batch head pos d_head"]
    """[batch head pos d_head] the left side of the score, rotated where the model rotates."""
    key: Float[Tensor, "batch head pos d_head"]
    """[batch head pos d_head] the right side, one per query head even where heads share it."""
    value: Float[Tensor, "batch head pos d_value"]
    """[batch head pos d_value] what the pattern weighs, one per query head."""
    pattern: Float[Tensor, "batch head pos pos"]
    """[batch head query key] attention after the softmax."""


@dataclass(frozen=True, eq=False)
class Trace:
    """Everything that was seen in the pass."""

    token_ids: Int[Tensor, "batch pos"]
    """[batch pos] the tokens that were run."""
    calls: tuple[Call, ...]
    """The modules' calls in the order in which they returned."""
    layers: tuple[AttentionTrace, ...]
    """[layer] the attention layers."""
    logits: Float[Tensor, "batch pos vocab"]
    """[batch pos vocab] the logits that the model gave."""

    def within(self, path: str) -> tuple[Call, ...]:
        """The calls of the modules below a path."""
        return tuple(call for call in self.calls if call.path.startswith(f"{path}."))

    def of(self, path: str) -> Call | None:
        """The call of one module, or None if it was not called."""
        return next((call for call in self.calls if call.path == path), None)


def trace_model(loaded: LoadedModel) -> Trace:
    """Run a few tokens and keep what was seen.

    Raises:
        UnsupportedModelError: if some layer's products are not those of attention.
        NotANumberError: if the model computes NaN or infinity.
    """
    attention = [path.rpartition(".")[0] for path in loaded.probe_paths]
    vocabulary = loaded.model.get_input_embeddings().weight.shape[0]
    steps = torch.linspace(0, vocabulary - 1, BATCH * LENGTH + 2)[1:-1]  # neither end: often unused
    ids = steps.long().reshape(LENGTH, BATCH).T.contiguous()  # [batch pos]
    seen = _Seen(set(attention))
    with loaded.lock, torch.no_grad():
        hooks = [
            hook
            for path, module in loaded.model.named_modules()
            for hook in seen.watch(path, module)
        ]
        try:
            with _Products(seen):
                logits = loaded.model(ids, use_cache=False).logits
        finally:
            for hook in hooks:
                hook.remove()
        if not are_logits(logits):  # NaN equals nothing: it would look like an unknown layout
            raise not_a_number(loaded.model, loaded.key, ids)
    layers = tuple(
        _attention_trace(loaded, path, seen.products.get(path, [])) for path in attention
    )
    return Trace(ids, tuple(seen.calls), layers, logits)


def calls_of(model: nn.Module, run: Callable[[], object]) -> tuple[Call, ...]:
    """What every module of a model is given and gives while something is run."""
    seen = _Seen(set())
    hooks = [hook for path, module in model.named_modules() for hook in seen.watch(path, module)]
    try:
        with torch.no_grad():
            run()
    finally:
        for hook in hooks:
            hook.remove()
    return tuple(seen.calls)


@dataclass
class _Seen:
    """What the hooks write down."""

    attention: set[str]
    calls: list[Call] = field(default_factory=list)
    products: dict[str, list[tuple[Tensor, Tensor]]] = field(default_factory=dict)
    inside: str = ""

    def watch(self, path: str, module: nn.Module) -> list[torch.utils.hooks.RemovableHandle]:
        """Put a hook before and after a module's forward."""

        def before(_module: nn.Module, args: tuple, kwargs: dict) -> None:
            if path in self.attention:
                self.inside = path

        def after(_module: nn.Module, args: tuple, kwargs: dict, output: object) -> None:
            if path in self.attention:
                self.inside = ""
            given = _first_tensor((kwargs.get("hidden_states"), *args, *kwargs.values()))
            result = _first_tensor(output if isinstance(output, tuple | list) else (output,))
            if given is not None and result is not None:
                self.calls.append(Call(path, module, given, result, len(self.calls)))

        return [
            module.register_forward_pre_hook(before, with_kwargs=True),
            module.register_forward_hook(after, with_kwargs=True),
        ]


def _first_tensor(values: tuple | list) -> Tensor | None:
    return next((value for value in values if isinstance(value, Tensor)), None)


class _Products(TorchFunctionMode):
    """Sees every batched product of two tensors inside an attention module."""

    # The place of the left factor among the arguments.
    _PLACES = {"matmul": 0, "__matmul__": 0, "bmm": 0, "baddbmm": 1}  # noqa: RUF012

    def __init__(self, seen: _Seen) -> None:
        super().__init__()
        self.seen = seen

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        place = self._PLACES.get(getattr(func, "__name__", ""))
        if place is not None and self.seen.inside:
            first = args[place] if len(args) > place else kwargs.get("batch1")
            second = args[place + 1] if len(args) > place + 1 else kwargs.get("batch2")
            if isinstance(first, Tensor) and isinstance(second, Tensor):
                self.seen.products.setdefault(self.seen.inside, []).append((first, second))
        return func(*args, **kwargs)


def _attention_trace(
    loaded: LoadedModel, path: str, products: list[tuple[Tensor, Tensor]]
) -> AttentionTrace:
    """Sort a layer's products into query, key, pattern and value."""
    square = (LENGTH, LENGTH)
    scores = [
        (left, right)
        for left, right in products
        if (left.shape[-2], right.shape[-1]) == square and left.shape[-2:] != square
    ]
    mixed = [(left, right) for left, right in products if left.shape[-2:] == square]
    if len(scores) != 1 or len(mixed) != 1:
        raise unreadable(loaded, "its attention is not one product of queries and keys per layer.")

    def by_head(tensor: Tensor) -> Tensor:
        return tensor.reshape(BATCH, loaded.num_heads, *tensor.shape[-2:]).float()

    return AttentionTrace(
        path=path,
        block=blocks.path_of(path),
        query=by_head(scores[0][0]),
        key=by_head(scores[0][1].transpose(-1, -2)),
        value=by_head(mixed[0][1]),
        pattern=by_head(mixed[0][0]),
    )


def unreadable(loaded: LoadedModel, why: str) -> UnsupportedModelError:
    """The error for a model that runs, but whose weights cannot be read head by head."""
    return UnsupportedModelError(
        loaded.key,
        why=why,
        hint="Its weights cannot be read head by head; the pages about a prompt work with it. "
        "Choose another model here.",
    )


def same(first: Tensor, second: Tensor) -> bool:
    """Whether two tensors are one up to the rounding of 32-bit numbers.

    >>> same(torch.ones(2), torch.ones(2) + 1e-7), same(torch.ones(2), torch.ones(3))
    (True, False)
    """
    return first.shape == second.shape and bool(_close(first, second).all())


def _close(first: Tensor, second: Tensor) -> Bool[Tensor, "..."]:
    size = second.abs().max().clamp(min=1e-6) if second.numel() else torch.tensor(1.0)
    return (first - second).abs() <= 2e-5 * size


def query_key_products(
    loaded: LoadedModel, layer: int, token_ids: Int[Tensor, "batch pos"]
) -> tuple[Float[Tensor, "row head pos d_head"], Float[Tensor, "row head pos d_head"]]:
    """The queries and keys that one layer multiplies on some tokens, rotated where it rotates.

    It runs the model as it stands, hooks of the caller included (they may make the rows more), up
    to that layer; the caller holds the lock.

    Raises:
        UnsupportedModelError: if the layer's scores are not one product.
    """
    path = loaded.probe_paths[layer].rpartition(".")[0]
    seen, length = _Seen({path}), token_ids.shape[1]
    hooks = seen.watch(path, loaded.model.get_submodule(path))
    try:
        with _Products(seen), blocks.until(loaded, layer):
            loaded.model(token_ids, use_cache=False)
    finally:
        for hook in hooks:
            hook.remove()
    # The scores come first of what is batched by heads; a caller's hook multiplies plain matrices.
    products = (
        (left, right)
        for left, right in seen.products.get(path, [])
        if left.ndim > 2 and (left.shape[-2], right.shape[-1]) == (length, length)
    )
    product = next(products, None)
    if product is None:
        raise unreadable(loaded, "its attention is not one product of queries and keys per layer.")
    query, key = product[0], product[1].transpose(-1, -2)

    def by_head(tensor: Tensor) -> Tensor:
        return tensor.reshape(-1, loaded.num_heads, length, tensor.shape[-1]).float()

    return by_head(query), by_head(key)
