"""What knocking heads out shows about them: the one rule that turns numbers into a verdict. Pure.

An attention pattern is a correlation. The causal question is what the model loses without the head:
with L the next-token loss in nats (0 is a sure and right guess), on the same texts,

    change  = mean over texts of  L(head knocked out) - L(untouched)
    control = the same for random other heads (:mod:`headroles.scoring.random_heads`), drawn several
              times: their mean c and spread s

The analysis, the knock-out lab and the circuit lesson all use it; the lab compares the change in
the watched token, the whole guess or the loss on repeats, the lesson the induction activation.

An effect is *clear against zero* when the first line holds, with e the standard error of
``change``, and *clear* when the second one holds too, on the side away from zero:

    |change| > 2 e  and  |change| > 0.002 nats
    |change - c| > 2 sqrt(s^2 + e^2)

Twice an error is the usual 95 %; the 0.002 nats keep rounding from counting as an effect where a
model is so small or so sure that nothing moves (:attr:`Effect.least` where the effect is not in
nats). A single prompt has no standard error: there e is 0, so that the effect is compared with
the spread of the draws alone, and the verdict is about this prompt only.

An effect that is clear against zero only is not clearly larger than other heads': it is no
evidence for the role, but it is not "no effect" either.

A head that changes nothing alone may still do its role: others stand in for it (the "backup heads"
of Wang et al. 2022, arXiv 2211.00593; McGrath et al. 2023, arXiv 2307.15771). So where the head
alone has no effect that is clear against zero, the role's heads *together* decide.

Where the untouched model's loss is not below that of an even guess, log(vocabulary), it cannot read
these texts at all; then any change is a kind of noise, whatever its size, and nothing is concluded.

>>> judge(Effect(1.5, 0.1, control_mean=0.1, control_spread=0.05))
'holds_up'
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from headroles.types import CausalVerdict

ERRORS = 2.0
"""Standard errors, and control spreads, that an effect must exceed."""
LEAST_CHANGE = 0.002
"""Nats."""


@dataclass(frozen=True)
class Effect:
    """What knocking out one head, or one group of heads, changed."""

    change: float
    """nats, mean change of the next-token loss; above 0 the model guesses worse."""
    standard_error: float
    """nats, of that mean, from the paired differences text by text; 0 with a single text."""
    control_mean: float | None = None
    """nats, mean change over the control's draws; None without a control."""
    control_spread: float | None = None
    """nats, standard deviation over the draws."""
    least: float = LEAST_CHANGE
    """The smallest change that counts, in the unit of the change."""


def effect_of(
    change: float,
    draws: Sequence[float],
    *,
    standard_error: float = 0.0,
    least: float = LEAST_CHANGE,
) -> Effect:
    """An effect beside those of its control, draw by draw; fewer than two draws are no control.

    >>> effect_of(2.0, [0.4, 0.6]).control_mean
    0.5
    """
    if len(draws) < 2:
        return Effect(change, standard_error, least=least)
    mean, spread = statistics.fmean(draws), statistics.stdev(draws)
    return Effect(change, standard_error, mean, spread, least)


def clear_direction(effect: Effect) -> int:
    """1 if the effect is clear and the loss rises, -1 if it clearly falls, 0 if it is not clear."""
    if effect.control_mean is None or effect.control_spread is None:
        return 0
    apart = effect.change - effect.control_mean
    wide = ERRORS * math.hypot(effect.control_spread, effect.standard_error)
    sign = 1 if effect.change > 0 else -1
    return sign if clear_against_zero(effect) and sign * apart > wide else 0


def clear_against_zero(effect: Effect) -> bool:
    """Whether there is any effect at all, whatever other heads do."""
    return abs(effect.change) > max(ERRORS * effect.standard_error, effect.least)


def judge(effect: Effect, group: Effect | None = None, *, can_read: bool = True) -> CausalVerdict:
    """The verdict on a head, or on a group where no ``group`` is given.

    Args:
        effect: of the head alone.
        group: of all heads of its role together.
        can_read: whether the untouched model's loss is below an even guess's.
    """
    if not can_read:
        return "cannot_tell"
    if effect.control_mean is None:
        return "not_tested"
    direction = clear_direction(effect)
    if direction:
        return "holds_up" if direction > 0 else "reversed"
    if clear_against_zero(effect):
        return "not_special"
    return "backed_up" if group and clear_direction(group) > 0 else "no_effect"
