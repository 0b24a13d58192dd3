"""One role's activation for many heads; layers that see different keys are scored apart.

Where some layers have a sliding window, chance and the rows that apply differ from layer to layer.
Layers that see the same keys are scored together: a model whose layers see everything, in one go.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from headroles.types import Activation

Visible = Bool[Tensor, "query key"] | None
"""[query key] True where a head can look; None where that is every token so far."""
Made = TypeVar("Made")
Sight = Sequence[Visible]
"""What the heads of each layer can see; empty where all see every token so far."""


@dataclass(frozen=True, eq=False)
class RoleActivation:
    """One role's activation for many heads on one prompt."""

    value: Float[Tensor, "*heads"]
    """[*heads] activation, 0..1; 0 where the role does not apply."""
    chance: float | Float[Tensor, " layer"]
    """0..1, the chance level on this prompt; 0 where the role does not apply. One number, or
    [layer] (the first axis of ``value``) where layers see different keys."""
    rows: int | Int[Tensor, " layer"]
    """Count of applying rows; one number, or [layer] as ``chance``."""
    work: Float[Tensor, "*heads"] | None = None
    """[*heads] mean attention over these rows that counts; None where all of it does."""
    nearby: Float[Tensor, "..."] | None = None
    """[side *heads] mean attention over these rows on position 0, on the token itself, on the one
    just before, on no token; None where nobody asked."""
    clearest: tuple[Int[Tensor, "*heads"], Float[Tensor, "*heads"]] | None = None
    """[*heads] each head's row with the most attention on the role's cells, and that attention,
    0..1; None for a role to which all attention counts, and where no row applies."""

    def of(self, *index: int) -> Activation:
        """The record of one head, addressed as ``value`` is."""
        value, *others = (_at(numbers, index) for numbers in self._numbers)
        chance, rows = self.by_layer[index[0] if len(self.by_layer) > 1 else 0]
        return Activation(min(max(value, 0.0), 1.0), chance, rows, *others)

    @cached_property
    def by_layer(self) -> list[tuple[float, int]]:
        """[layer] chance and count of applying rows; one pair where they hold for all layers."""
        if isinstance(self.chance, Tensor):
            return list(zip(self.chance.tolist(), self.rows.tolist(), strict=True))
        return [(self.chance, self.rows)]

    @cached_property
    def _numbers(self) -> list[list | float]:
        """All as plain numbers, once: a page reads hundreds of them."""
        work = torch.ones_like(self.value) if self.work is None else self.work
        nearby = work.new_zeros(4, *work.shape) if self.nearby is None else self.nearby
        return [self.value.tolist(), work.tolist(), *nearby.tolist()]


def _at(numbers: list | float, index: Sequence[int]) -> float:
    for place in index:
        numbers = numbers[place]
    return numbers


def by_sight(
    attention: Float[Tensor, "*heads query key"],
    sight: Sight,
    score: Callable[..., list[RoleActivation]],
) -> list[RoleActivation]:
    """Score the layers that see the same keys together, and put them in order again."""
    if len({id(visible) for visible in sight}) < 2:
        return score(attention, visible=sight[0] if sight else None)
    together: dict[int, list[int]] = {}
    for layer, visible in enumerate(sight):
        together.setdefault(id(visible), []).append(layer)
    groups = list(together.values())
    parts = [score(attention[layers], visible=sight[layers[0]]) for layers in groups]
    back = torch.tensor([layer for layers in groups for layer in layers]).argsort()
    return [_joined(list(of_role), back, groups) for of_role in zip(*parts, strict=True)]


def _joined(
    parts: list[RoleActivation], back: Int[Tensor, " layer"], groups: list[list[int]]
) -> RoleActivation:
    """One role of all layers; ``back`` puts the groups' layers in order."""

    def joined(tensors: list[Tensor], dim: int = 0) -> Tensor:
        return torch.cat(tensors, dim).index_select(dim, back)

    def of_each(numbers: list[float] | list[int]) -> Tensor:
        return joined([torch.full((len(g),), n) for g, n in zip(groups, numbers, strict=True)])

    def or_zeros(part: RoleActivation, place: int) -> Tensor:
        """The clearest row or its mass; 0 where the role applies to no row of a layer."""
        empty = torch.zeros_like(part.value) if place else torch.zeros_like(part.value).long()
        return empty if part.clearest is None else part.clearest[place]

    some_work = any(part.work is not None for part in parts)
    some_clear = any(part.clearest is not None for part in parts)
    nearby = [
        part.value.new_zeros(4, *part.value.shape) if part.nearby is None else part.nearby
        for part in parts
    ]
    return RoleActivation(
        value=joined([part.value for part in parts]),
        chance=of_each([part.chance for part in parts]),
        rows=of_each([part.rows for part in parts]),
        work=joined([torch.ones_like(p.value) if p.work is None else p.work for p in parts])
        if some_work
        else None,
        nearby=joined(nearby, 1),
        clearest=tuple(joined([or_zeros(part, n) for part in parts]) for n in (0, 1))
        if some_clear
        else None,
    )


def once_per_sight(make: Callable[[Visible], Made]) -> Callable[[Visible], Made]:
    """The same function, called once for each set of keys that a layer can see.

    Layers that see the same share one tensor, which is kept, so that no other takes its place.
    """
    made: dict[int, tuple[Visible, Made]] = {}

    def of(visible: Visible) -> Made:
        if id(visible) not in made:
            made[id(visible)] = visible, make(visible)
        return made[id(visible)][1]

    return of
