"""The control of a knock-out: the same change at random other heads.

Taking anything away disturbs a model. An effect tells something about *these* heads only if other
heads of the same layers, as many, do less when they are taken away. Conditions that name no head
(value vectors) are compared with other positions instead.

With ``m`` draws, ``beaten`` of which did less, the effect is called special if
``beaten >= 0.95 m`` (all of them, where fewer than 20 are possible) and the effect is positive.

>>> control = random_others(condition, num_layers=4, num_heads=8, length=9)  # doctest: +SKIP
>>> judge(0.9, [0.1, 0.2, 0.0, 0.1, 0.1]).special
True
"""

from __future__ import annotations

import random
import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations, islice, product
from math import comb, prod

from headroles.ablation.conditions import Condition, Values
from headroles.types import Head

DRAWS = 20
"""Random choices of other heads, where there are as many."""
FEWEST = 5
"""With fewer draws nothing is called special."""
_SPECIAL = 0.95


@dataclass(frozen=True)
class Control:
    """The conditions to compare with."""

    conditions: tuple[Condition, ...]
    """Up to ``draws`` of them, no two alike; none if there is nothing else to take away."""
    note: str
    """What they are, in one sentence."""


@dataclass(frozen=True)
class Judgement:
    """An effect beside those of its control."""

    effect: float
    """The effect of the condition, in the unit of the effects."""
    mean: float
    """Mean effect of the control."""
    spread: float
    """Standard deviation over the draws; 0 for a single one."""
    draws: int
    """Count of draws."""
    beaten: int
    """Count of draws with a smaller effect."""
    special: bool | None
    """Whether the effect is special; None where there are too few draws to tell."""


def judge(effect: float, others: Sequence[float]) -> Judgement:
    """Say whether an effect is larger than those of random other heads.

    >>> judge(0.2, [0.1, 0.3, 0.2, 0.1, 0.1]).beaten
    3
    """
    draws, beaten = len(others), sum(other < effect for other in others)
    enough = draws >= FEWEST
    return Judgement(
        effect=effect,
        mean=statistics.fmean(others) if others else 0.0,
        spread=statistics.stdev(others) if draws > 1 else 0.0,
        draws=draws,
        beaten=beaten,
        special=(effect > 0 and beaten >= _SPECIAL * draws) if enough else None,
    )


def random_others(
    condition: Condition,
    *,
    num_layers: int,
    num_heads: int,
    length: int,
    draws: int = DRAWS,
    seed: int = 0,
) -> Control:
    """The same change at random other heads of the same layers, or at other positions.

    Args:
        condition: what was taken away.
        num_layers: layers of the model.
        num_heads: heads a layer.
        length: tokens of the prompt, for conditions that name positions alone.
        draws: how many to draw; where fewer are possible, all of them are taken.
        seed: the same seed draws the same heads.
    """
    rng = random.Random(seed)
    if not condition.heads:
        return _other_positions(condition, length, draws=draws, rng=rng)
    wanted = Counter(head.layer for head in condition.heads)
    pools = {
        layer: [Head(layer, head) for head in range(num_heads)
                if Head(layer, head) not in condition.heads]
        for layer in wanted
    }  # fmt: skip
    short = [layer for layer, count in wanted.items() if len(pools[layer]) < count]
    if short:
        return _with_other_layers(
            condition, pools, short, num_layers=num_layers, num_heads=num_heads,
            draws=draws, rng=rng,
        )  # fmt: skip
    possible = prod(comb(len(pools[layer]), count) for layer, count in wanted.items())
    sets = _sets(pools, wanted, possible, draws, rng)
    count, layers = len(condition.heads), " and ".join(map(str, sorted(wanted)))
    what = "one other head" if count == 1 else f"{count} other heads"
    where = f"layer {layers}" if len(wanted) == 1 else f"the same layers ({layers})"
    return Control(
        tuple(_swapped(condition, heads) for heads in sets),
        f"{_choices(len(sets), possible)} of {what} of {where}.",
    )


def _choices(taken: int, possible: int) -> str:
    """How many were drawn of how many.

    >>> _choices(20, 56), _choices(7, 7), _choices(1, 1)
    ('20 random choices', 'All 7 possible choices', 'The only possible choice')
    """
    if taken < possible:
        return f"{taken} random choices"
    return "The only possible choice" if taken == 1 else f"All {taken} possible choices"


def _sets(
    pools: dict[int, list[Head]], wanted: Counter, possible: int, draws: int, rng: random.Random
) -> list[tuple[Head, ...]]:
    """Different choices of as many heads in every layer."""
    if possible <= draws:
        each = (combinations(pools[layer], count) for layer, count in wanted.items())
        return [tuple(head for part in parts for head in part) for parts in product(*each)]
    found: dict[tuple[Head, ...], None] = {}
    while len(found) < draws:
        parts = (sorted(rng.sample(pools[layer], count)) for layer, count in wanted.items())
        found[tuple(head for part in parts for head in part)] = None
    return list(found)


def _with_other_layers(
    condition: Condition,
    pools: dict[int, list[Head]],
    short: Sequence[int],
    *,
    num_layers: int,
    num_heads: int,
    draws: int,
    rng: random.Random,
) -> Control:
    """Too few other heads in a layer: all of those, and heads of other layers for the rest."""
    every = [Head(layer, head) for layer in range(num_layers) for head in range(num_heads)]
    free = [head for head in every if head not in condition.heads]
    layers = ", ".join(map(str, sorted(short)))
    missing = f"Layer {layers} has too few other heads"
    if len(free) < len(condition.heads):
        return Control((), f"{missing}, and so has the whole model: there is no control.")
    own = [head for layer in pools for head in pools[layer]][: len(condition.heads)]
    rest = [head for head in free if head not in own]
    found: dict[tuple[Head, ...], None] = {}
    for _ in range(50 * draws):  # few are possible where the model is small
        if len(found) == draws:
            break
        found[tuple(own + sorted(rng.sample(rest, len(condition.heads) - len(own))))] = None
    return Control(
        tuple(_swapped(condition, heads) for heads in found),
        f"{missing}, so heads of other layers stand in: {len(found)} random choices of "
        f"{len(condition.heads)}. This control is weaker, because layers differ.",
    )


def _swapped(condition: Condition, heads: Sequence[Head]) -> Condition:
    others = dict(zip(sorted(condition.heads), heads, strict=True))
    return condition.with_heads(others, name=", ".join(head.label for head in sorted(heads)))


def _other_positions(
    condition: Condition, length: int, *, draws: int, rng: random.Random
) -> Control:
    """The same number of value vectors at other positions; the start token is left alone."""
    values = [one for one in condition.changes if isinstance(one, Values)]
    taken = {position % length for one in values for position in one.positions}
    free = [position for position in range(1, length) if position not in taken]
    if not values or len(free) < len(taken):
        return Control((), "There are too few other positions to compare with: no control.")
    possible = comb(len(free), len(taken))
    if possible <= draws:
        sets = list(islice(combinations(free, len(taken)), draws))
    else:
        found: dict[tuple[int, ...], None] = {}
        while len(found) < draws:
            found[tuple(sorted(rng.sample(free, len(taken))))] = None
        sets = list(found)
    conditions = []
    for positions in sets:
        place = dict(zip(sorted(taken), positions, strict=True))
        conditions.append(
            Condition(
                "positions " + ", ".join(map(str, positions)),
                tuple(
                    replace(one, positions=tuple(place[p % length] for p in one.positions))
                    if isinstance(one, Values)
                    else one
                    for one in condition.changes
                ),
            )
        )
    what = "one other position" if len(taken) == 1 else f"{len(taken)} other positions"
    return Control(tuple(conditions), f"{_choices(len(sets), possible)} of {what}.")
