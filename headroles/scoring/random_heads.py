"""The one sampler of controls: as many random other heads, of the same layers as far as possible.

Knocking anything out disturbs a model, so an effect says something about *these* heads only next
to that of others. The knock-out lab, the circuit lesson and the analysis all draw those here (the
passes themselves stay independent of each other), and :mod:`headroles.scoring.causal_verdict` has
the one rule that compares. Pure: the same generator draws the same heads.

Where a layer has too few other heads, heads of the nearest layers fill up: first those that no role
lists, since a listed one may be part of the very circuit that is tested (induction heads read what
an earlier layer's previous-token head writes).

>>> import numpy as np
>>> control = draw_control([Head(0, 1)], [Head(0, 1)], shape=(2, 8), rng=np.random.default_rng(0))
>>> len(control.conditions), control.same_layers  # all seven others of layer 0
(7, True)
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass
from math import comb, prod

import numpy as np

from headroles.types import Head

DRAWS = 20
"""Draws of a control, at most: where fewer different ones exist, all of them are drawn."""
LEAST_POOL = 4
"""Others that a control is drawn from at least; fewer give no spread."""


@dataclass(frozen=True)
class Draws:
    """What a control is drawn from, once for a group of heads."""

    conditions: tuple[frozenset[Head], ...]
    """Different sets of as many other heads; none where fewer than two exist."""
    same_layers: bool
    """Whether every drawn head is from the layer whose head it replaces."""
    possible: int
    """How many different sets there are; an upper bound where two layers borrow the same heads."""


def draw_control(
    heads: Sequence[Head],
    role_heads: Sequence[Head],
    *,
    shape: tuple[int, int],
    rng: np.random.Generator,
    listed: Collection[Head] = (),
    draws: int = DRAWS,
) -> Draws:
    """Different random sets of heads to compare with: as many per layer, none of the role's.

    Args:
        heads: what is knocked out.
        role_heads: every head that the role lists; where no role is involved, ``heads`` again.
        shape: layers and heads of the model.
        rng: the source of randomness.
        listed: every head that any role lists; another layer lends its other heads first.
        draws: how many sets, at most.
    """
    role, others = set(role_heads), set(listed)
    needed = {
        layer: sum(head.layer == layer for head in heads) for layer in {h.layer for h in heads}
    }
    pools = {
        layer: _pool(layer, role, others, shape=shape, least=max(LEAST_POOL, n + 1))
        for layer, n in needed.items()
    }
    drawn = draw_sets(pools, needed, rng=rng, draws=draws)
    within = all(head.layer == layer for layer, pool in pools.items() for head in pool)
    possible = prod(comb(len(pools[layer]), n) for layer, n in needed.items())
    if len(drawn) < 2:
        return Draws((), same_layers=within or not drawn, possible=len(drawn))
    return Draws(drawn, same_layers=within, possible=possible)


def draw_sets(
    pools: Mapping[Hashable, Sequence[Hashable]],
    needed: Mapping[Hashable, int],
    *,
    rng: np.random.Generator,
    draws: int = DRAWS,
) -> tuple[frozenset, ...]:
    """Up to ``draws`` different sets with ``needed[key]`` members of every pool, no member twice.

    Where few different sets exist, all of them turn up. None where a pool is too small.
    """
    sets: dict[frozenset, None] = {}
    for _ in range(10 * draws):  # most are new
        chosen: set = set()
        for key, count in needed.items():
            free = [member for member in pools[key] if member not in chosen]
            if len(free) < count:
                return ()
            chosen |= {free[place] for place in rng.choice(len(free), count, replace=False)}
        sets[frozenset(chosen)] = None
        if len(sets) == draws:
            break
    return tuple(sets)


def _pool(
    layer: int, role: set[Head], listed: set[Head], *, shape: tuple[int, int], least: int
) -> list[Head]:
    """The other heads of a layer; while these are too few, those of the nearest layers as well.

    What other layers lend are the heads that no role lists; only where all of these are too few,
    the heads of other roles, layer by layer too. Of two layers that are as near, the later one:
    what earlier layers do, others build on, so a knock-out there is the harder comparison.
    """
    layers, heads = shape
    near = sorted(range(layers), key=lambda other: (abs(other - layer), -other))[1:]
    there = {
        other: [Head(other, n) for n in range(heads) if Head(other, n) not in role]
        for other in near
    }
    unlisted = [[head for head in there[other] if head not in listed] for other in near]
    of_other_roles = [[head for head in there[other] if head in listed] for other in near]
    pool = [Head(layer, n) for n in range(heads) if Head(layer, n) not in role]
    for lent in (*unlisted, *of_other_roles):
        if len(pool) >= least:
            break
        pool += lent
    return pool
