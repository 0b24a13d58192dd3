"""Which components does a role hang on? Every component is taken away by itself.

A head has a role if its attention goes where the role says. Taking one component away from the
model with all components, and measuring that attention again, tells how much of it hangs on the
component: its *drop*. Components are then removed together, those with the largest drops first, and
the attention that is left stands beside what is left without equally many random others.

The texts by which components are ranked are not those on which sets are measured: what is picked as
the largest of many noisy numbers is too large by chance.

>>> every = components_of(loaded, TRAINED, [(1, "q"), (1, "k")])  # doctest: +SKIP
>>> ranked(drops(loaded, TRAINED, "induction", [Head(1, 4)], rows, every))[0]  # doctest: +SKIP
Hanging(component=Component(1, 'k', 12), drop=0.31, before=0.88)
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from headroles.ablation.component_tests import nearest_svd
from headroles.ablation.conditions import Condition, Without
from headroles.ablation.controls import random_components, reference_alive
from headroles.ablation.run import run_under
from headroles.circuits import (
    SVD,
    TRAINED,
    Kind,
    check_components,
    component_counts,
    factors_at,
    head_shares,
    places_of,
)
from headroles.circuits.trained_components import Place
from headroles.models import LoadedModel
from headroles.models.memory import PASS_NUMBERS
from headroles.scoring import DRAWS, role_activation
from headroles.types import Component, ComponentSet, Head


@dataclass(frozen=True)
class Hanging:
    """How much of a role hangs on one component."""

    component: Component
    """The component that is missing."""
    drop: float
    """-1..1: by how much the mean activation of the heads falls without it."""
    before: float
    """0..1: the activation with all components."""


def drops(
    loaded: LoadedModel,
    kind: Kind,
    role: str,
    heads: Sequence[Head],
    texts: Sequence[Sequence[int]],
    components: Sequence[Component],
) -> list[Hanging]:
    """By how much the heads' attention falls without each of some components.

    Args:
        loaded: a model.
        kind: trained components or those of the SVD.
        role: a role that attention shows, by its key.
        heads: whose activation is measured; its mean is what drops.
        texts: [text] ids, position 0 being the start token.
        components: each is taken away by itself.

    Raises:
        UnknownHeadError, UnknownComponentError: if a head or a component is not there.
        DecompositionError: if there are no components of this kind.
    """
    sets = [(), *((component,) for component in components)]
    before, *after = left(loaded, kind, role, heads, texts, sets).tolist()
    return [
        Hanging(component, before - one, before)
        for component, one in zip(components, after, strict=True)
    ]


def components_of(loaded: LoadedModel, kind: Kind, places: Sequence[Place]) -> list[Component]:
    """Every component of some matrices."""
    counts = component_counts(loaded, kind)
    return [Component(*place, n) for place in places for n in range(counts[place])]


def reaching(loaded: LoadedModel, kind: Kind, heads: Sequence[Head]) -> list[Place]:
    """The matrices that the attention of some heads can depend on."""
    own = {head.layer for head in heads}
    return [
        (layer, name)
        for layer, name in places_of(loaded, kind)
        if layer < max(own) or (layer in own and name in "qk")
    ]


def ranked(found: Sequence[Hanging]) -> list[Hanging]:
    """The largest drop first."""
    return sorted(found, key=lambda one: (-one.drop, one.component))


@dataclass(frozen=True)
class Left:
    """What is left of a role without so many components."""

    count: int
    """Components that are missing; 0 for the model with all of them."""
    top: float
    """0..1: the activation without those on which most hangs."""
    others: tuple[float, ...]
    """[draw] the same without as many others of the same matrices."""
    svd: float | None
    """The same without as many components of the SVD of the same matrices, those that hold most of
    what is taken away; beside trained ones alone."""

    @property
    def chance(self) -> float | None:
        """Mean over the draws; None without any."""
        return statistics.fmean(self.others) if self.others else None


def without_top(
    loaded: LoadedModel,
    kind: Kind,
    role: str,
    heads: Sequence[Head],
    texts: Sequence[Sequence[int]],
    top: Sequence[Component],
    *,
    draws: int = DRAWS,
) -> Left:
    """What is left of a role without some components, beside random others.

    Args:
        loaded: a model.
        kind: trained components or those of the SVD.
        role: a role that attention shows, by its key.
        heads: whose activation is measured.
        texts: [text] ids; not those by which the components were ranked.
        top: the components; none for the model with all.
        draws: random choices of as many others that are alive on text, or among the largest.

    Raises:
        UnknownHeadError, UnknownComponentError: if a head or a component is not there.
    """
    conditions, svd = _conditions(kind, [top]), []
    if top:
        gone = ComponentSet(tuple(top), ())
        pool = reference_alive(loaded) if kind == TRAINED else None
        conditions += random_components(conditions[0], loaded, pool=pool, draws=draws).conditions
        if kind == TRAINED:
            svd = _conditions(SVD, [nearest_svd(loaded, gone).components])
    found = activations(loaded, role, heads, texts, [*conditions, *svd]).tolist()
    return Left(
        len(top),
        found[0],
        tuple(found[1 : len(conditions)]),
        found[-1] if svd else None,
    )


def spread_of(
    loaded: LoadedModel, kind: Kind, components: Sequence[Component]
) -> dict[str, tuple[str, float]]:
    """{label: (the head with the largest share of it, effective heads)}."""
    found = {}
    for place in {component.place for component in components}:
        spread = head_shares(loaded, place, factors_at(loaded, kind, place))
        for component in components:
            if component.place == place:
                most = int(spread.shares[component.number].argmax())
                heads = float(spread.effective_heads[component.number])
                is_shared = spread.shares.shape[1] < loaded.num_heads
                found[component.label] = (f"K/V {most}" if is_shared else f"H{most}", heads)
    return found


def left(
    loaded: LoadedModel,
    kind: Kind,
    role: str,
    heads: Sequence[Head],
    texts: Sequence[Sequence[int]],
    sets: Sequence[Sequence[Component]],
) -> Float[Tensor, " set"]:
    """[set] the mean activation that is left without each set of components; of the empty set, the
    activation with all.

    Raises:
        UnknownHeadError, UnknownComponentError: if a head or a component is not there.
    """
    for head in heads:
        head.check(*loaded.shape)
    check_components(loaded, kind, [component for gone in sets for component in gone])
    return activations(loaded, role, heads, texts, _conditions(kind, sets))


def _conditions(kind: Kind, sets: Sequence[Sequence[Component]]) -> list[Condition]:
    return [Condition("", (Without(tuple(gone), kind),)) for gone in sets]


def activations(
    loaded: LoadedModel,
    role: str,
    heads: Sequence[Head],
    texts: Sequence[Sequence[int]],
    conditions: Sequence[Condition],
) -> Float[Tensor, " condition"]:
    """[condition] the heads' mean activation for a role, over the texts."""
    total = torch.zeros(len(conditions), dtype=torch.float64)
    for ids in texts:
        length = len(ids)
        step = max(1, PASS_NUMBERS // (4 * loaded.num_heads * length**2))
        for start in range(0, len(conditions), step):
            chunk = conditions[start : start + step]
            run = run_under(
                loaded,
                torch.tensor(ids).expand(len(chunk), -1),
                chunk,
                [length] * len(chunk),
                keep_patterns={head.layer for head in heads},
                with_logits=False,
            )
            for head in heads:
                attention = run.patterns[head.layer][:, head.head]  # [condition query key]
                seen = [run.sight[head.layer]] * len(chunk)
                found = role_activation(attention, ids, role, sight=seen).value
                total[start : start + len(chunk)] += found.double() / len(heads)
    return (total / len(texts)).float()
