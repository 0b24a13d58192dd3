"""Trained decompositions: components of weight matrices, read from a safetensors file.

Methods such as stochastic parameter decomposition (Bushnaq et al. 2025, arXiv 2506.20790) train the
parts of a matrix instead of taking its SVD. Whatever made them, a matrix that takes row vectors,
``y = x @ W``, is the sum of rank-one components

    W = sum_c  U[c]^T V[c],   U [component d_in], V [component d_out]

The file holds two tensors for each projection that was decomposed, named

    layers.<layer>.<q|k|v|o>.U        [component d_in]
    layers.<layer>.<q|k|v|o>.V        [component d_out]

with the metadata ``format: headroles-components`` and ``version: 1``. d_in and d_out are d_model
and all heads' d_head side by side, heads in their order (key/value heads for k and v), and the
other way round for o. A file may hold more: the small networks that say of a token how much each
component matters to it (:class:`Gate`), in four tensors for each projection,

    layers.<layer>.<q|k|v|o>.gate.w_in, .b_in, .w_out   [component hidden]
    layers.<layer>.<q|k|v|o>.gate.b_out                 [component]

>>> save_factors("parts.safetensors", {(1, "o"): Factors(U, V)})  # doctest: +SKIP
>>> load_factors("parts.safetensors", shapes=shapes_of(loaded))[1, "o"].U.shape  # doctest: +SKIP
torch.Size([40, 128])
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Protocol

from jaxtyping import Float
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional

from headroles.circuits.weights import HeadWeights, layer_weights
from headroles.errors import DecompositionError, ours
from headroles.models import LoadedModel

FORMAT, VERSION = "headroles-components", "1"
PROJECTIONS = ("q", "k", "v", "o")
ALIVE = 0.1
"""A component is alive on a token where its importance is above this."""
_NAME = re.compile(r"layers\.(\d{1,3})\.([qkvo])\.([UV]|gate\.(?:w_in|b_in|w_out|b_out))")
_GATE = tuple(f"gate.{name}" for name in ("w_in", "b_in", "w_out", "b_out"))

Place = tuple[int, str]
"""A layer and one of :data:`PROJECTIONS`."""


@dataclass(frozen=True, eq=False)
class Gate:
    """How much each component matters to a token, from its inner activation ``x . U_c``.

    One network with a single hidden layer for each component (Bushnaq et al. 2025, section 2.3).
    """

    w_in: Float[Tensor, "component hidden"]
    b_in: Float[Tensor, "component hidden"]
    w_out: Float[Tensor, "component hidden"]
    b_out: Float[Tensor, " component"]

    def raw(self, activations: Float[Tensor, "*of component"]) -> Float[Tensor, "*of component"]:
        """The networks' outputs before they are cut to 0 ... 1."""
        hidden = functional.gelu(activations.unsqueeze(-1) * self.w_in + self.b_in)
        return (hidden * self.w_out).sum(-1) + self.b_out

    def importances(
        self, activations: Float[Tensor, "*of component"]
    ) -> Float[Tensor, "*of component"]:
        """Causal importances: 0 for a component that the token can do without, 1 for one that it
        cannot."""
        return self.raw(activations).clamp(0, 1)


@dataclass(frozen=True, eq=False)
class Factors:
    """The components of one projection."""

    U: Float[Tensor, "component d_in"]
    """[component d_in] what each reads."""
    V: Float[Tensor, "component d_out"]
    """[component d_out] what each writes."""
    gate: Gate | None = None
    """Its importances, where they were trained with it."""

    def map(self, change: Callable[[Tensor], Tensor]) -> Factors:
        """The same with every tensor changed, and off any graph."""
        gate = self.gate and Gate(
            *(change(getattr(self.gate, field.name).detach()) for field in fields(self.gate))
        )
        return Factors(change(self.U.detach()), change(self.V.detach()), gate)

    def matrix(self) -> Float[Tensor, "d_in d_out"]:
        """[d_in d_out] the sum of the components."""
        return self.U.T @ self.V


class Decomposition(Protocol):
    """Whatever gives components of a model's projections; a loaded file is one."""

    def __getitem__(self, place: Place) -> Factors:
        """The components of one layer's projection."""

    def keys(self):
        """The places that were decomposed."""


def projection(weights: HeadWeights, name: str) -> Float[Tensor, "d_in d_out"]:
    """One of a layer's matrices with its heads side by side, for row vectors."""
    if name == "o":
        return weights.W_O.flatten(0, 1)
    by_head = {"q": weights.W_Q, "k": weights.W_K, "v": weights.W_V}[name]
    return by_head.movedim(0, 1).flatten(1)


def shapes_of(loaded: LoadedModel) -> dict[Place, tuple[int, int]]:
    """{(layer, projection): (d_in, d_out)} of a model, to check a file against."""
    return {
        (layer, name): tuple(projection(layer_weights(loaded, layer), name).shape)
        for layer in range(loaded.num_layers)
        for name in PROJECTIONS
    }


def relative_error(factors: Factors, matrix: Float[Tensor, "d_in d_out"]) -> float:
    """``|sum of components - W| / |W|``: 0 where the components are all of the matrix."""
    return float((factors.matrix() - matrix).norm() / matrix.norm())


def save_factors(path: str | Path, factors: Mapping[Place, Factors]) -> None:
    """Write a file of components."""
    tensors = {}
    for (layer, name), pair in factors.items():
        tensors[f"layers.{layer}.{name}.U"] = pair.U.contiguous().clone()
        tensors[f"layers.{layer}.{name}.V"] = pair.V.contiguous().clone()
        if pair.gate is not None:
            for field in fields(pair.gate):
                own = getattr(pair.gate, field.name)
                tensors[f"layers.{layer}.{name}.gate.{field.name}"] = own.contiguous().clone()
    save_file(tensors, str(path), metadata={"format": FORMAT, "version": VERSION})


def load_factors(
    path: str | Path, *, shapes: Mapping[Place, tuple[int, int]]
) -> dict[Place, Factors]:
    """Read a file of components and check it against a model.

    Args:
        path: the safetensors file.
        shapes: from :func:`shapes_of`.

    Raises:
        DecompositionError: if it is no such file, or does not fit the model; it names the tensor.
    """

    def unreadable(error: BaseException) -> DecompositionError:
        return DecompositionError(
            f"The components in {Path(path).name} cannot be read: {error}",
            hint="It must be a safetensors file.",
        )

    with ours(unreadable), safe_open(str(path), framework="pt") as file:
        metadata = file.metadata() or {}
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    if (metadata.get("format"), metadata.get("version")) != (FORMAT, VERSION):
        raise _wrong(path, f"its metadata is not format {FORMAT}, version {VERSION}")
    pairs: dict[Place, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        match = _NAME.fullmatch(name)
        if match is None:
            raise _wrong(path, f"“{name}” is no name of a component")
        pairs.setdefault((int(match[1]), match[2]), {})[match[3]] = tensor
    if not pairs:
        raise _wrong(path, "it holds no component")
    return {place: _checked(path, place, pair, shapes) for place, pair in pairs.items()}


def _checked(
    path: str | Path, place: Place, pair: Mapping[str, Tensor], shapes: Mapping
) -> Factors:
    name = f"layers.{place[0]}.{place[1]}"
    if place not in shapes:
        raise _wrong(path, f"{name} is not in the model")
    if not {"U", "V"} <= pair.keys():
        raise _wrong(path, f"{name} has only one of U and V")
    if pair.keys() - {"U", "V"} not in (set(), set(_GATE)):
        raise _wrong(path, f"{name} has only a part of the importance networks")
    for key, tensor in pair.items():
        if not (tensor.is_floating_point() and tensor.float().isfinite().all()):
            raise _wrong(path, f"{name}.{key} holds numbers that are not finite in 32 bits")
    for key, width in zip(("U", "V"), shapes[place], strict=True):
        if pair[key].ndim != 2 or pair[key].shape[1] != width:
            raise _wrong(
                path,
                f"{name}.{key} is {list(pair[key].shape)}, not [components, {width}] numbers",
            )
    count = len(pair["U"])
    if count != len(pair["V"]):
        raise _wrong(path, f"{name} has {count} rows of U and {len(pair['V'])} of V")
    own = {key: tensor.float() for key, tensor in pair.items()}
    return Factors(own["U"], own["V"], _gate(path, name, count, own))


def _gate(path: str | Path, name: str, count: int, tensors: Mapping[str, Tensor]) -> Gate | None:
    if _GATE[0] not in tensors:
        return None
    hidden = tensors["gate.w_in"].shape[-1:]
    for key in _GATE:
        expected = (count,) if key == "gate.b_out" else (count, *hidden)
        if tuple(tensors[key].shape) != expected:
            raise _wrong(
                path, f"{name}.{key} is {list(tensors[key].shape)}, not {list(expected)} numbers"
            )
    return Gate(*(tensors[key] for key in _GATE))


def _wrong(path: str | Path, why: str) -> DecompositionError:
    return DecompositionError(
        f"The components in {Path(path).name} do not fit: {why}.",
        hint="The file format is described at the top of headroles/circuits/trained_components.py.",
    )
