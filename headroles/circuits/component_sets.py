"""Components of a model's projections: trained ones where a file has them, or those of the SVD.

Either way a layer's query, key, value and output matrices, with all heads side by side, are sums of
rank-one components (:mod:`headroles.circuits.trained_components`), written ``L0Q17``: layer 0,
query matrix, component 17. A component is not part of a head: how it is shared out among the heads
of its layer is what :func:`head_shares` gives,

    q, k, v    p_h = |V_c restricted to head h|^2 / |V_c|^2       which heads it writes into
    o          p_h = |U_c restricted to head h|^2 / |U_c|^2       which heads it reads

with entropy ``-sum p_h log p_h`` and e^entropy "effective heads".

>>> factors_at(loaded, TRAINED, (0, "q")).U.shape  # doctest: +SKIP
torch.Size([160, 128])
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from headroles.circuits.svd import Spread, entropy_of
from headroles.circuits.trained_components import (
    PROJECTIONS,
    Factors,
    Place,
    load_factors,
    projection,
    relative_error,
    shapes_of,
)
from headroles.circuits.weights import layer_weights
from headroles.errors import DecompositionError, UnknownComponentError
from headroles.formatting import small, true_minus
from headroles.models import LoadedModel
from headroles.paths import COMPONENTS
from headroles.types import Component

TRAINED, SVD = "trained", "svd"
Kind = Literal["trained", "svd"]

NULL, ARBITRARY = "rounding only", "direction arbitrary"
"""Why a component is not to be interpreted."""
_CACHED = "components"
_KEPT_NUMBERS = 16_000_000
"""Numbers of SVD components that are kept for a model: 64 MB, two dozen matrices of SmolLM2."""
_OF_OTHER_WEIGHTS = 0.1
"""Components that miss more than this of a matrix are of another model."""
_NULL = 1e-5
"""A component smaller than this, beside the largest of its matrix, is rounding."""
_ALIKE = 1e-3
"""Two singular values nearer to each other than this, relatively, have no directions of their
own: any turn of the two would do as well."""


def file_of(key: str):
    """Where the trained components of a model are, whether or not they exist."""
    return COMPONENTS / f"{key}.safetensors"


@dataclass(frozen=True)
class Card:
    """How components were trained, as it was written down."""

    history: tuple[Mapping[str, float | int], ...]
    """[line] ``step`` and the figures at that step."""
    figures: tuple[Mapping[str, object], ...]
    """[row] what came out: {column: what stands there}."""

    def curve(self, name: str) -> list[dict[str, float | int]]:
        """One figure over the steps: ``step`` and ``value``; empty where it was not written."""
        return [
            {"step": line["step"], "value": line[name]} for line in self.history if name in line
        ]

    def history_table(self, names: Sequence[str]) -> tuple[list[str], list[list[str]]]:
        """Headers and rows of the figures over the steps."""
        rows = [
            [f"{line['step']:,}", *(shown(line[name]) if name in line else "–" for name in names)]
            for line in self.history
        ]
        return ["Step", *(name.capitalize() for name in names)], rows

    def table(self) -> tuple[list[str], list[list[str]]]:
        """Headers and rows of what came out."""
        columns = list(dict.fromkeys(name for row in self.figures for name in row))
        rows = [[shown(row.get(name, "–")) for name in columns] for row in self.figures]
        return [_COLUMNS.get(name, name.replace("_", " ").capitalize()) for name in columns], rows


_COLUMNS = {
    "name": "Kept",
    "divergence": "KL to the model, nats",
    "alive": "Components per token",
}
"""{column of a card's figures: its name in a table}."""


def shown(value: object) -> str:
    """What stands in a card, as people write it.

    >>> shown(0.005021), shown(1408), shown(812.34), shown(6.553), shown("none")
    ('0.00502', '1,408', '812', '6.55', 'none')
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    if isinstance(value, int) or abs(value) >= 100:
        return true_minus(f"{value:,.0f}")
    return small(value) if abs(value) < 1e-4 else true_minus(f"{value:.3g}")


def card_of(key: str) -> Card | None:
    """How the components of a model were trained; None where that was not written down.

    Raises:
        DecompositionError: if the file is not what it should be.
    """
    path = file_of(key).with_suffix(".json")
    if not path.is_file():
        return None
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        history = tuple(told.get("history", ()))
        figures = tuple(told.get("figures", ()))
        if not all(isinstance(row, dict) for row in (*history, *figures)):
            raise TypeError("a row is no mapping")
        numbers = [value for line in history for value in (line["step"], *line.values())]
        if not all(isinstance(value, int | float) for value in numbers):
            raise TypeError("the history holds what is no number")
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise DecompositionError(
            f"The card of the components, {path.name}, cannot be read: {error}.",
            hint="Write it anew with scripts/train_components.py.",
        ) from error
    return Card(history, figures)


def kinds_of(key: str) -> tuple[Kind, ...]:
    """The decompositions that there are of a model, the trained one first."""
    return (TRAINED, SVD) if file_of(key).is_file() else (SVD,)


def places_of(loaded: LoadedModel, kind: Kind) -> tuple[Place, ...]:
    """What is decomposed, layer by layer."""
    if kind == TRAINED:
        return tuple(sorted(_trained(loaded), key=lambda p: (p[0], PROJECTIONS.index(p[1]))))
    return tuple((layer, name) for layer in range(loaded.num_layers) for name in PROJECTIONS)


def factors_at(loaded: LoadedModel, kind: Kind, place: Place) -> Factors:
    """The components of one projection; made or read once for a loaded model.

    Raises:
        DecompositionError: if there are none of this kind, or they are of other weights.
    """
    if kind == TRAINED:
        trained = _trained(loaded)
        if place not in trained:
            raise DecompositionError(
                f"The {place[1].upper()} matrix of layer {place[0]} has no trained components.",
                hint="Choose SVD components, or another matrix.",
            )
        return trained[place]
    with loaded.lock:
        made = loaded.tools.setdefault(f"{_CACHED}-{SVD}", {})
        factors = made.pop(place, None) or _svd(loaded, place)
        made[place] = factors  # the latest one at the end
        while len(made) > 1 and sum(map(_numbers, made.values())) > _KEPT_NUMBERS:
            del made[next(iter(made))]
    return factors


def _numbers(factors: Factors) -> int:
    return factors.U.numel() + factors.V.numel()


def _svd(loaded: LoadedModel, place: Place) -> Factors:
    W = projection(layer_weights(loaded, place[0]), place[1]).double()
    U, S, Vh = torch.linalg.svd(W, full_matrices=False)
    return Factors((U * S).T.float(), Vh.float())


def component_counts(loaded: LoadedModel, kind: Kind) -> dict[Place, int]:
    """{place: how many components it has}; nothing is decomposed for it."""
    if kind == TRAINED:
        return {place: len(factors.U) for place, factors in _trained(loaded).items()}
    return {
        (layer, name): min(projection(weights, name).shape)
        for layer in range(loaded.num_layers)
        for weights in [layer_weights(loaded, layer)]
        for name in PROJECTIONS
    }


def check_components(loaded: LoadedModel, kind: Kind, components: Sequence[Component]) -> None:
    """Refuse components that are not there.

    Raises:
        UnknownComponentError: with what there is.
        DecompositionError: as :func:`factors_at`.
    """
    if not components:
        return
    counts = component_counts(loaded, kind)
    for component in components:
        if not 0 <= component.layer < loaded.num_layers:
            raise UnknownComponentError(component.label, layers=loaded.num_layers)
        there = counts.get(component.place, 0) or len(factors_at(loaded, kind, component.place).U)
        if not 0 <= component.number < there:
            raise UnknownComponentError(component.label, there=there)


def sizes(factors: Factors) -> Float[Tensor, " component"]:
    """[component] Frobenius norm of each component, ``|U_c| |V_c|``."""
    return factors.U.norm(dim=1) * factors.V.norm(dim=1)


def null(factors: Factors) -> Bool[Tensor, " component"]:
    """[component] whether it is nothing but rounding, and not to be interpreted."""
    size = sizes(factors)
    return size <= _NULL * size.max()


def degenerate(factors: Factors) -> Bool[Tensor, " component"]:
    """[component] of an SVD: whether its direction is arbitrary, its singular value being that of a
    neighbour; of trained components, none is."""
    size = sizes(factors)
    if factors.gate is not None or len(size) < 2:
        return torch.zeros(len(size), dtype=torch.bool)
    near = (size[:-1] - size[1:]).abs() <= _ALIKE * size[:-1]
    return torch.cat([near, near[:1] & False]) | torch.cat([near[:1] & False, near])


def remarks_of(loaded: LoadedModel, kind: Kind, places: Sequence[Place]) -> dict[str, str]:
    """{label of a component: why it is not to be interpreted}, of some projections.

    Raises:
        DecompositionError: as :func:`factors_at`.
    """
    found = {}
    for place in places:
        factors = factors_at(loaded, kind, place)
        for mask, why in ((degenerate(factors), ARBITRARY), (null(factors), NULL)):
            numbers = mask.nonzero().flatten().tolist()
            found |= {Component(*place, number).label: why for number in numbers}
    return found


def head_shares(loaded: LoadedModel, place: Place, factors: Factors) -> Spread:
    """How each component of a projection is shared out among the heads of its layer; key/value
    heads for k and v."""
    weights = layer_weights(loaded, place[0])
    heads = len({"q": weights.W_Q, "k": weights.W_K, "v": weights.W_V, "o": weights.W_O}[place[1]])
    own = factors.U if place[1] == "o" else factors.V
    squares = own.double().unflatten(1, (heads, -1)).square().sum(-1)  # [component head]
    shares = squares / squares.sum(1, keepdim=True).clamp_min(torch.finfo(squares.dtype).tiny)
    return Spread(shares.float(), entropy_of(shares).float())


def _trained(loaded: LoadedModel) -> dict[Place, Factors]:
    key = f"{_CACHED}-{TRAINED}"
    if key not in loaded.tools:
        file = file_of(loaded.key)
        if not file.is_file():
            raise DecompositionError(
                "No components were trained for this model.",
                hint="Choose SVD components, or a model that ships with trained ones.",
            )
        found = load_factors(file, shapes=shapes_of(loaded))
        for place, factors in found.items():
            W = projection(layer_weights(loaded, place[0]), place[1])
            if relative_error(factors, W) > _OF_OTHER_WEIGHTS:
                raise DecompositionError(
                    "The trained components are of other weights than this model's.",
                    hint="Train them again with scripts/train_components.py.",
                )
        loaded.tools[key] = found
    return loaded.tools[key]
