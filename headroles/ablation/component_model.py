"""The model computed from components of its projections, some of them masked.

A decomposition writes a projection for row vectors as a sum of rank-one components, ``W = sum_c
U_c^T V_c`` (:mod:`headroles.circuits.trained_components`). Where one is used, the projection's own
output is replaced by

    y = sum_c  m_c (x . U_c) V_c + b,      x . U_c  the component's *inner activation*

with a mask m of 1 for a component that is kept and 0 for one that is removed; masks between are for
training. The bias stays. With every mask 1 this is the model *with all components*, which is the
target model as nearly as the components sum to its weights; with every mask 0 of one projection,
its bias is all that is left.

A removal in some heads alone takes the component's part out of their features: of what a query,
key or value component writes, and of what an output component reads.

>>> without = Condition("without L0Q17", (Without((Component(0, "q", 17),)),))  # doctest: +SKIP
>>> every, less = ablate(loaded, encoding, [ALL_COMPONENTS, without])[1:]  # doctest: +SKIP
"""

from __future__ import annotations

import contextlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from headroles.ablation.conditions import Condition, Without
from headroles.capture.interventions import output_projections
from headroles.circuits import (
    TRAINED,
    Input,
    factors_at,
    input_place,
    layer_weights,
    places_of,
)
from headroles.circuits.trained_components import Factors, Place
from headroles.models import LoadedModel, blocks
from headroles.types import Head, place_in

_INPUTS: dict[str, Input] = {"q": "query", "k": "key", "v": "value"}


def place_of(loaded: LoadedModel, place: Place) -> tuple[nn.Module, Int[Tensor, " feature"] | None]:
    """The module that computes a projection, and which of its output features are the projection's;
    None for all of them, in their order."""
    layer, name = place
    if name == "o":
        return loaded.model.get_submodule(output_projections(loaded)[layer]), None
    module, features = input_place(loaded, layer, _INPUTS[name])
    return module, features.flatten()


@contextlib.contextmanager
def _hooked(
    loaded: LoadedModel,
    places: Iterable[Place],
    hook_for: Callable[[nn.Module, list[tuple[Place, Tensor | None]]], Callable],
) -> Iterator[None]:
    """One hook for each module that computes some of the places."""
    by_module: dict[nn.Module, list] = defaultdict(list)
    for place in places:
        module, features = place_of(loaded, place)
        by_module[module].append((place, features))
    handles = [
        module.register_forward_hook(hook_for(module, found)) for module, found in by_module.items()
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


@contextlib.contextmanager
def recorded(
    loaded: LoadedModel, places: Iterable[Place]
) -> Iterator[dict[Place, Float[Tensor, "row pos d_in"]]]:
    """While it is open, what each projection is given is written into the mapping that it gives.

    The caller holds the model's lock.
    """
    inputs: dict[Place, Tensor] = {}

    def hook_for(_: nn.Module, found: list[tuple[Place, Tensor | None]]) -> Callable:
        def hook(_module: nn.Module, given: tuple, _result: Tensor) -> None:
            inputs.update({place: given[0] for place, _ in found})

        return hook

    with _hooked(loaded, places, hook_for):
        yield inputs


@contextlib.contextmanager
def masked(
    loaded: LoadedModel,
    factors: Mapping[Place, Factors],
    masks: Mapping[Place, Tensor],
) -> Iterator[None]:
    """While it is open, the projections of ``masks`` are computed from their masked components.

    Args:
        loaded: the model; the caller holds its lock.
        factors: components of at least those projections.
        masks: {place: what broadcasts to [row pos component]}.
    """

    def compute(place: Place, x: Tensor) -> Tensor:
        return (x @ factors[place].U.T * masks[place]) @ factors[place].V

    with _computed(loaded, masks, compute):
        yield


@contextlib.contextmanager
def _computed(
    loaded: LoadedModel, places: Iterable[Place], compute: Callable[[Place, Tensor], Tensor]
) -> Iterator[None]:
    """While it is open, what ``compute`` makes of a projection's input is its output, but for the
    bias."""

    def hook_for(module: nn.Module, found: list[tuple[Place, Tensor | None]]) -> Callable:
        bias = getattr(module, "bias", None)

        def hook(_module: nn.Module, given: tuple, result: Tensor) -> Tensor:
            changed = result.clone()
            for place, features in found:
                own = slice(None) if features is None else features
                y = compute(place, given[0]).to(result.dtype)
                changed[..., own] = y if bias is None else y + bias[own]
            return changed

        return hook

    with _hooked(loaded, places, hook_for):
        yield


@dataclass(frozen=True)
class _Row:
    """One row of a batch that is the model without some components."""

    row: int
    length: int
    change: Without

    def removals(self, place: Place) -> list[int]:
        """The components of one projection that it does without."""
        return [c.number for c in self.change.components if c.place == place]


@contextlib.contextmanager
def without(
    loaded: LoadedModel, conditions: Sequence[Condition], lengths: Sequence[int]
) -> Iterator[int | None]:
    """While it is open, every row whose condition names components is the model without them.

    It gives the first layer that is changed, for :func:`headroles.capture.run_edited`, or None.
    The caller holds the model's lock.
    """
    rows = [
        _Row(number, lengths[number], change)
        for number, condition in enumerate(conditions)
        for change in condition.changes
        if isinstance(change, Without)
    ]
    todo: dict[Place, list[_Row]] = defaultdict(list)
    for row in rows:
        for place in _needed(loaded, row.change):
            todo[place].append(row)
    if not todo:
        yield None
        return
    if len(conditions) > 1:  # whether rows can be one at first is tried before there are hooks
        with blocks.forked(loaded, 0, torch.tensor([[0, 1]] * 2)):
            pass

    hook_for = partial(_row_hook, loaded, todo, len(conditions))
    with _hooked(loaded, todo, hook_for):
        yield min(layer for layer, _ in todo)


def _row_hook(
    loaded: LoadedModel,
    todo: Mapping[Place, Sequence[_Row]],
    count: int,
    module: nn.Module,
    found: list[tuple[Place, Tensor | None]],
) -> Callable:
    """The hook of a module in a batch of ``count`` rows."""
    bias = getattr(module, "bias", None)

    def hook(_module: nn.Module, given: tuple, result: Tensor) -> Tensor:
        x = given[0].reshape(count, -1, given[0].shape[-1])  # OPT folds rows and positions
        changed = result.clone().reshape(count, x.shape[1], -1)
        for place, features in found:
            own = slice(None) if features is None else features
            trained = [one.row for one in todo[place] if one.change.kind == TRAINED]
            if trained:  # those of the SVD sum to the weights
                y = _whole(factors_at(loaded, TRAINED, place), x[trained])
                y = y if bias is None else y + bias[own]
                if features is None:
                    changed[trained] = y
                else:
                    changed[torch.tensor(trained)[:, None], :, own] = y.movedim(-1, 1)
            for one in todo[place]:
                if one.removals(place):
                    changed[one.row, :, own] -= _part(loaded, place, one, x[one.row])
        return changed.reshape(result.shape)

    return hook


def _needed(loaded: LoadedModel, change: Without) -> Iterable[Place]:
    """The projections that are computed from components: with the SVD, which sums to the weights,
    only those that lose some."""
    if change.kind == TRAINED:
        return places_of(loaded, TRAINED)
    return {component.place for component in change.components}


def _whole(factors: Factors, x: Float[Tensor, "row pos d_in"]) -> Float[Tensor, "row pos d_out"]:
    return x @ factors.U.T.to(x.dtype) @ factors.V.to(x.dtype)


def _part(
    loaded: LoadedModel, place: Place, one: _Row, x: Float[Tensor, "pos d_in"]
) -> Float[Tensor, "pos d_out"]:
    """What the components that a row does without would give of a projection."""
    of, gone, change = factors_at(loaded, one.change.kind, place), one.removals(place), one.change
    U, V = of.U[gone].to(x.dtype), of.V[gone].to(x.dtype)
    if change.only_in is not None:
        heads = _of_heads(loaded, place, change.only_in).to(x.dtype)
        if place[1] == "o":  # it reads the heads side by side; the others write into them
            U = U * heads
        else:
            V = V * heads
    part = (x @ U.T) @ V
    if change.positions is None or place[1] in "kv":
        return part
    at = torch.zeros(len(x), 1, dtype=x.dtype)
    at[[place_in(position, one.length) for position in change.positions]] = 1
    return part * at


def _of_heads(
    loaded: LoadedModel, place: Place, heads: Sequence[Head]
) -> Float[Tensor, " feature"]:
    """[feature] 1 at the features of some heads of a projection's layer, 0 at the others."""
    layer, name = place
    weights = layer_weights(loaded, layer)
    chosen = {head.head for head in heads if head.layer == layer}
    if name in "kv":
        chosen = {weights.kv_of[head] for head in chosen}
        width, every = (weights.W_K if name == "k" else weights.W_V).shape[2], len(weights.W_K)
    else:
        width = weights.W_Q.shape[2] if name == "q" else weights.W_O.shape[1]
        every = weights.num_heads
    own = torch.tensor([float(head in chosen) for head in range(every)])
    return own.repeat_interleave(width)


def divergence(
    target: Float[Tensor, "*of vocab"], other: Float[Tensor, "*of vocab"]
) -> Float[Tensor, ""]:
    """Mean over positions of ``KL(softmax(target) || softmax(other))``, in nats."""
    log_p, log_q = target.log_softmax(-1), other.log_softmax(-1)
    return (log_p.exp() * (log_p - log_q)).sum(-1).mean()
