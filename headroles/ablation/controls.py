"""The control of a knock-out: the same change at random other heads.

Knocking anything out disturbs a model. An effect says something about *these* heads only if
equally many other heads of the same layers clearly have less effect.
:mod:`headroles.scoring.random_heads` draws the others, as for the analysis; conditions that name no
head (value vectors) are compared with other positions instead.

The rule is that of the analysis too (:mod:`headroles.scoring.causal_verdict`). With c and s the
mean and the spread of m draws, an effect on one prompt is larger than chance if

    effect > 0.002 nats  and  effect - c > t(m - 1) s sqrt(1 + 1/m)

with t the 97.5 % point of Student's t: 2.1 for 20 draws, 2.8 for 5.

>>> control = random_others(condition, num_layers=4, num_heads=8, length=9)  # doctest: +SKIP
>>> judge(0.9, [0.1, 0.2, 0.0, 0.1, 0.1]).verdict
'holds_up'
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from math import comb

import numpy as np

from headroles import scoring
from headroles.ablation.conditions import Condition, Values
from headroles.formatting import count, listing
from headroles.scoring import DRAWS, LEAST_POOL, draw_control, draw_sets, effect_of
from headroles.types import CausalVerdict, Head


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
