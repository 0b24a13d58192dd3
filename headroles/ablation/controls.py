"""The control of a knock-out: the same change at random other heads, or components.

Knocking anything out disturbs a model. An effect says something about *these* heads only if
equally many other heads of the same layers clearly have less effect.
:mod:`headroles.scoring.random_heads` draws the others, as for the analysis; conditions that name no
head (value vectors) are compared with other positions instead, and components with equally many
others of the same matrices (:func:`random_components`).

The rule is that of the analysis too (:mod:`headroles.scoring.causal_verdict`). With c and s the
mean and the spread of m draws, an effect on one prompt is larger than chance if

    effect > 0.002 nats  and  effect - c > t(m - 1) s sqrt(1 + 1/m)

with t the 97.5 % point of Student's t: 2.1 for 20 draws, 2.8 for 5.

>>> control = random_others(condition, num_layers=4, num_heads=8, length=9)  # doctest: +SKIP
>>> judge(0.9, [0.1, 0.2, 0.0, 0.1, 0.1]).verdict
'holds_up'
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from math import comb, prod

import numpy as np
import torch
from torch import Tensor

from headroles import scoring
from headroles.ablation.component_activity import activations, importances
from headroles.ablation.conditions import (
    ALL_COMPONENTS,
    Condition,
    Values,
    Without,
    short_names,
)
from headroles.circuits import TRAINED, Kind, factors_at, places_of
from headroles.circuits.component_sets import null, sizes
from headroles.circuits.trained_components import ALIVE, Place
from headroles.formatting import count, listing
from headroles.models import LoadedModel
from headroles.scoring import DRAWS, LEAST_POOL, draw_control, draw_sets, effect_of
from headroles.texts import SENTENCES, encode
from headroles.texts.probe_texts import held_out_lines
from headroles.types import CausalVerdict, Component, ComponentSet, Head

LEAST_ALIVE = 0.01
"""The least share of a text's tokens on which a component of a control is alive."""
ALIVE_TEXTS = 16
"""Texts on which it is counted."""
_ALIVE = "components-alive"
HELD = 0.9
"""The share of a matrix, in squares, that its largest components hold."""


@dataclass(frozen=True)
class Control:
    """The conditions to compare with."""

    conditions: tuple[Condition, ...]
    """Up to ``draws`` of them, no two alike; none if there is nothing else to knock out."""
    note: str
    """What they are, in a sentence or two."""


@dataclass(frozen=True)
class Judgement:
    """An effect beside those of its control."""

    effect: float
    """The effect of the condition, in nats."""
    mean: float
    """Mean effect of the control; 0 for fewer than two draws."""
    spread: float
    """Standard deviation over the draws; 0 for fewer than two."""
    draws: int
    """Count of draws."""
    smaller: int
    """Count of draws with a smaller effect."""
    needed: float
    """The least effect that would be larger than chance; infinite for fewer than two draws."""
    verdict: CausalVerdict
    """By the rule of :func:`headroles.scoring.causal_verdict.judge`; ``not_tested`` with fewer than
    two draws."""


def judge(
    effect: float, others: Sequence[float], *, standard_error: float = 0.0, texts: int = 1
) -> Judgement:
    """Say whether an effect is larger than those of random other heads.

    Args:
        effect: in nats, on one prompt or as a mean over several.
        others: [draw] the same of the random others.
        standard_error: of the mean over several prompts; 0 for one.
        texts: how many prompts.

    >>> judge(0.2, [0.1, 0.3, 0.2, 0.1, 0.1]).smaller
    3
    """
    beside = effect_of(effect, others, standard_error=standard_error, texts=texts)
    return Judgement(
        effect=effect,
        mean=beside.control_mean or 0.0,
        spread=beside.control_spread or 0.0,
        draws=len(others),
        smaller=sum(other < effect for other in others),
        needed=scoring.needed(beside),
        verdict=scoring.judge(beside),
    )


def random_others(
    condition: Condition,
    *,
    num_layers: int,
    num_heads: int,
    length: int,
    draws: int = DRAWS,
    seed: int = 0,
    listed: Collection[Head] = (),
) -> Control:
    """The same change at random other heads of the same layers, or at other positions.

    Args:
        condition: what was knocked out.
        num_layers: layers of the model.
        num_heads: heads per layer.
        length: tokens of the prompt, for conditions that name positions alone.
        draws: how many to draw; where fewer are possible, all of them are taken.
        seed: the same seed draws the same heads.
        listed: heads that have a role; a layer with too few other heads borrows them last.
    """
    rng = np.random.default_rng(seed)
    heads = condition.heads
    if not heads:
        return _other_positions(condition, length, draws=draws, rng=rng)
    drawn = draw_control(
        heads, heads, shape=(num_layers, num_heads), rng=rng, listed=listed, draws=draws
    )
    if not drawn.conditions:
        return Control((), "There are too few other heads to compare with: no control.")
    layers = sorted({head.layer for head in heads})
    named = listing([str(layer) for layer in layers])
    what = "one other head" if len(heads) == 1 else f"{len(heads)} other heads"
    where = f"layer {named}" if len(layers) == 1 else f"the same layers ({named})"
    choices = _choices(len(drawn.conditions), drawn.possible)
    note = (
        f"{choices} of {what} of {where}."
        if drawn.same_layers
        else f"{choices} of {what}. There are too few in {where}, so heads of the nearest layers "
        "are used too. This control is weaker, because layers differ."
    )
    return Control(tuple(_swapped(condition, sorted(others)) for others in drawn.conditions), note)


def others_of(
    condition: Condition, loaded: LoadedModel, *, length: int, draws: int = DRAWS, seed: int = 0
) -> Control:
    """What a condition is compared with, whatever it changes: as many other heads, positions or
    components.

    Args:
        condition: what was knocked out.
        loaded: a model.
        length: tokens of the prompt.
        draws: how many to draw; where fewer are possible, all of them are taken.
        seed: the same seed draws the same ones.
    """
    if condition == ALL_COMPONENTS:
        return Control((), "")
    if condition.components:
        pool = reference_alive(loaded) if condition.is_beside_all else None
        return random_components(condition, loaded, pool=pool, draws=draws, seed=seed)
    return random_others(
        condition,
        num_layers=loaded.num_layers,
        num_heads=loaded.num_heads,
        length=length,
        draws=draws,
        seed=seed,
    )


# ------------------------------------------------------------------ components


def alive_on(
    loaded: LoadedModel, token_ids: Sequence[Sequence[int]], *, least: float = LEAST_ALIVE
) -> dict[Place, tuple[int, ...]]:
    """{place: numbers} of the trained components that matter on text: those whose importance is
    over :data:`ALIVE` on at least a share ``least`` of its tokens, the start token aside.

    Empty for a projection whose components were trained without importances.

    Raises:
        DecompositionError: if no components were trained for the model.
    """
    every = places_of(loaded, TRAINED)
    counted: dict[Place, Tensor] = {}
    tokens = sum(len(ids) - 1 for ids in token_ids)
    for text in activations(loaded, TRAINED, every, token_ids):
        for place, found in text.items():
            g = importances(loaded, TRAINED, place, found[1:])
            if g is not None:
                counted[place] = counted.get(place, 0) + (g > ALIVE).sum(0)
    return {
        place: tuple(torch.nonzero(counted[place] >= max(1, least * tokens)).flatten().tolist())
        if place in counted
        else ()
        for place in every
    }


def reference_alive(loaded: LoadedModel) -> dict[Place, tuple[int, ...]]:
    """:func:`alive_on` passages of the model's own kind of text, or on sentences; counted once.

    Raises:
        DecompositionError: if no components were trained for the model.
    """
    if _ALIVE not in loaded.tools:
        lines = held_out_lines(loaded.source) or SENTENCES
        rows = [
            encode(loaded.tokenizer, text, max_tokens=loaded.max_tokens).token_ids
            for text in lines[:ALIVE_TEXTS]
        ]
        loaded.tools[_ALIVE] = alive_on(loaded, rows)
    return loaded.tools[_ALIVE]


def largest(loaded: LoadedModel, kind: Kind, place: Place) -> tuple[int, ...]:
    """The fewest components of a matrix that hold :data:`HELD` of the sum of all squared sizes."""
    squares = sizes(factors_at(loaded, kind, place)).double().square()
    order = squares.argsort(descending=True)
    held = squares[order].cumsum(0) / squares.sum()
    return tuple(order[: int((held < HELD).sum()) + 1].tolist())


def random_components(
    condition: Condition,
    loaded: LoadedModel,
    *,
    pool: Mapping[Place, Sequence[int]] | None = None,
    draws: int = DRAWS,
    seed: int = 0,
) -> Control:
    """Equally many other components of the same matrices removed instead, in the same heads.

    Args:
        condition: what was removed.
        loaded: a model.
        pool: {place: numbers} to draw among, as :func:`alive_on` gives it; by default, and where it
            has too few, the largest of a matrix.
        draws: how many to draw; where fewer are possible, all of them are taken.
        seed: the same seed draws the same components.
    """
    changes = [change for change in condition.changes if isinstance(change, Without)]
    taken = condition.components
    if not taken:
        return Control((), "No component is removed, so there is nothing to compare with.")
    needed, pools, said = Counter(component.place for component in taken), {}, []
    for place, n in needed.items():
        others, are_alive = _other_components(loaded, changes[0].kind, place, taken, pool, n)
        named = f"{place[1].upper()} of layer {place[0]}"
        if len(others) < max(LEAST_POOL, n + 1):
            return Control((), f"There are too few other components in {named}: no control.")
        pools[place] = [Component(*place, number) for number in others]
        said.append(f"{named} ({n} of {len(others)} {'alive on text' if are_alive else 'largest'})")
    sets = draw_sets(pools, needed, rng=np.random.default_rng(seed), draws=draws)
    possible = prod(comb(len(pools[place]), n) for place, n in needed.items())
    what = "one other component" if len(taken) == 1 else f"{len(taken)} other components"
    note = f"{_choices(len(sets), possible)} of {what}, from {listing(said)}."
    return Control(tuple(_with_components(condition, others) for others in sets), note)


def _other_components(
    loaded: LoadedModel,
    kind: Kind,
    place: Place,
    taken: Collection[Component],
    pool: Mapping[Place, Sequence[int]] | None,
    n: int,
) -> tuple[list[int], bool]:
    """The others of a matrix to draw among, and whether they are those of the pool."""
    gone = {component.number for component in taken if component.place == place}
    least = max(LEAST_POOL, n + 1)
    alive = [number for number in (pool or {}).get(place, ()) if number not in gone]
    if len(alive) >= least:
        return alive, True
    others = [number for number in largest(loaded, kind, place) if number not in gone]
    if len(others) < least:
        is_null = null(factors_at(loaded, kind, place))
        others = [n for n in range(len(is_null)) if n not in gone and not is_null[n]]
    return others, False


def _with_components(condition: Condition, others: Collection[Component]) -> Condition:
    """The same removals with other components of the same matrices in place of these."""
    free: dict[Place, list[Component]] = defaultdict(list)
    for component in sorted(others, reverse=True):
        free[component.place].append(component)
    instead = {component: free[component.place].pop() for component in condition.components}
    changes = tuple(
        replace(change, components=tuple(instead[c] for c in change.components))
        if isinstance(change, Without)
        else change
        for change in condition.changes
    )
    return Condition(short_names(ComponentSet(tuple(sorted(others)))), changes)


def _choices(taken: int, possible: int) -> str:
    """How many were drawn of how many.

    >>> _choices(20, 56), _choices(7, 7)
    ('20 random choices', 'All 7 possible choices')
    """
    if taken < possible:
        return count(taken, "random choice")
    return f"All {taken:,} possible choices" if taken != 1 else "The only possible choice"


def _swapped(condition: Condition, heads: Sequence[Head]) -> Condition:
    others = dict(zip(sorted(condition.heads), heads, strict=True))
    return condition.with_heads(others, name=", ".join(head.label for head in heads))


def _other_positions(
    condition: Condition, length: int, *, draws: int, rng: np.random.Generator
) -> Control:
    """The same number of value vectors at other positions; the start token is left alone."""
    values = [change for change in condition.changes if isinstance(change, Values)]
    hidden = sorted({position % length for change in values for position in change.positions})
    free = [position for position in range(1, length) if position not in hidden]
    if not values or len(free) < max(LEAST_POOL, len(hidden) + 1):
        return Control((), "There are too few other positions to compare with: no control.")
    sets = draw_sets({0: free}, {0: len(hidden)}, rng=rng, draws=draws)
    what = "one other position" if len(hidden) == 1 else f"{len(hidden)} other positions"
    return Control(
        tuple(_moved(condition, dict(zip(hidden, sorted(others), strict=True)), length)
              for others in sets),
        f"{_choices(len(sets), comb(len(free), len(hidden)))} of {what}.",
    )  # fmt: skip


def _moved(condition: Condition, place: dict[int, int], length: int) -> Condition:
    """The same condition with its value vectors at other positions."""
    changes = tuple(
        replace(change, positions=tuple(place[p % length] for p in change.positions))
        if isinstance(change, Values)
        else change
        for change in condition.changes
    )
    return Condition("positions " + ", ".join(map(str, sorted(place.values()))), changes)
