"""What knocking heads out shows about them: the one rule that turns numbers into a verdict. Pure.

An attention pattern is a correlation. The causal question is what the model loses without the head:
with L the next-token loss in nats (0 is a sure and right guess), on the same texts,

    change  = mean over texts of  L(head knocked out) - L(untouched)
    control = the same for random other heads (:mod:`headroles.scoring.random_heads`), drawn several
              times: their mean c and spread s over m draws

The analysis, the knock-out lab and the circuit lesson all use it; the lab compares the change in
the watched token, the whole guess or the loss on repeats, the lesson the induction activation.

With e the standard error of ``change`` over n texts, two t tests (two-sided) are made:

    against zero        t = change / e                              n - 1 degrees of freedom
    against the others  t = (change - c) / sqrt(s^2 (1 + 1/m) + e^2)

The second one asks whether the head could be one more of the control's draws (the 1/m is the
doubt about their mean, as in a prediction interval); its degrees of freedom are those of Welch and
Satterthwaite, so that five draws must be exceeded by more than twenty. An effect is *clear against
zero* where the first p is at most ``level`` and the change is more than 0.002 nats (rounding, where
a model is so small or so sure that nothing moves; :attr:`Effect.least` where the effect is not in
nats), and *clear* where the second p is too, on the side away from zero.

``level`` is .05 for a single comparison. An analysis makes about a hundred per model, of which five
would come out by chance: there it is the level of Benjamini and Hochberg (1995) over all of them,
so that at most 5 % of those called clear are expected to be false (:func:`level_over`). A single
prompt has no standard error: there e is 0, the first test is left out, and the verdict is about
this prompt only.

An effect that is clear against zero only is not clearly larger than other heads': it is no
evidence for the role, but it is not "no effect" either.

A head that changes nothing alone may still do its role: others stand in for it (the "backup heads"
of Wang et al. 2022, arXiv 2211.00593; McGrath et al. 2023, arXiv 2307.15771). That is tested: where
the role's heads *together* have a clear effect, they are knocked out again without this one, and

    part = mean over texts of  L(all of the role out) - L(all but this one out)

is tested in the same way, text by text, against zero and, where the analysis drew some, against
what a random other head adds to all but this one. A head whose part is clear and above 0 is one
that others back up; any other has no effect. These parts are a family of tests of their own, with
its own level.

Where the untouched model's loss is not below that of an even guess, log(vocabulary), it cannot read
these texts at all; then any change is a kind of noise, whatever its size, and nothing is concluded.

>>> judge(Effect(1.5, 0.1, control_mean=0.1, control_spread=0.05, texts=24, draws=8))
'holds_up'
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from scipy.special import stdtr, stdtrit

from headroles.types import CausalVerdict

ALPHA = 0.05
"""Of a single comparison: how often chance alone may seem an effect. Of an analysis: the share of
its clear effects that are expected to be false."""
LEAST_CHANGE = 0.002
"""Nats."""


@dataclass(frozen=True)
class Effect:
    """What knocking out one head, or one group of heads, changed."""

    change: float
    """nats, mean change of the next-token loss; above 0 the model guesses worse."""
    standard_error: float = 0.0
    """nats, of that mean, from the paired differences text by text; 0 with a single text."""
    control_mean: float | None = None
    """nats, mean change over the control's draws; None without a control."""
    control_spread: float | None = None
    """nats, standard deviation over the draws."""
    least: float = LEAST_CHANGE
    """The smallest change that counts, in the unit of the change."""
    texts: int = 1
    """Behind the mean."""
    draws: int = 0
    """Of the control; at least 2 where there is one."""

    @property
    def p_zero(self) -> float:
        """0..1, the chance of so large a change where there is none; 0 with a single text."""
        if self.texts < 2:
            return 0.0
        return p_of(self.change, self.standard_error, float(self.texts - 1))

    @property
    def p_control(self) -> float:
        """0..1, the chance of so large a distance from the control for one more of its draws.

        1 without a control.
        """
        if self.control_mean is None or self.control_spread is None or self.draws < 2:
            return 1.0
        of_draws = self.control_spread**2 * (1 + 1 / self.draws)
        of_texts = self.standard_error**2
        both = of_draws + of_texts
        # Welch and Satterthwaite; with a single text the draws alone have a spread.
        doubt = of_draws**2 / (self.draws - 1) + of_texts**2 / max(1, self.texts - 1)
        degrees = both**2 / doubt if doubt else math.inf
        return p_of(self.change - self.control_mean, math.sqrt(both), degrees)


def p_of(distance: float, error: float, degrees: float) -> float:
    """Two-sided p of Student's t = distance / error.

    >>> round(p_of(2.093, 1.0, 19), 3)
    0.05
    """
    if error == 0:
        return 1.0 if distance == 0 else 0.0
    return float(2 * stdtr(degrees, -abs(distance / error)))


def level_over(p_values: Iterable[float]) -> float:
    """The level of Benjamini and Hochberg (1995): of p values up to it, 5 % are expected false.

    It is k / m of :data:`ALPHA`, m the number of tests and k the largest for which k p values are
    at most that; :data:`ALPHA` / m, which none reaches, where there is no such k.

    >>> level_over([0.001, 0.02, 0.03, 0.6])  # .03 <= 3 / 4 of .05
    0.037500000000000006
    """
    ordered = sorted(p_values)
    steps = [ALPHA * place / len(ordered) for place in range(1, len(ordered) + 1)]
    reached = [step for p, step in zip(ordered, steps, strict=True) if p <= step]
    return max([*reached, *steps[:1]], default=ALPHA)


def effect_of(
    change: float,
    draws: Sequence[float],
    *,
    standard_error: float = 0.0,
    texts: int = 1,
    least: float = LEAST_CHANGE,
) -> Effect:
    """An effect beside those of its control, draw by draw; fewer than two draws are no control.

    >>> effect_of(2.0, [0.4, 0.6]).control_mean
    0.5
    """
    if len(draws) < 2:
        return Effect(change, standard_error, least=least, texts=texts)
    mean, spread = statistics.fmean(draws), statistics.stdev(draws)
    return Effect(change, standard_error, mean, spread, least, texts, len(draws))


def needed(effect: Effect, level: float = ALPHA) -> float:
    """The least change above 0 that would be clear with this control on a single text.

    >>> round(needed(effect_of(0.0, [0.0, 0.1, 0.2])), 2)  # .1 + 4.30 * .1 sqrt(4/3)
    0.6
    """
    if effect.control_mean is None or effect.control_spread is None:
        return math.inf
    of_draws = effect.control_spread * math.sqrt(1 + 1 / effect.draws)
    wide = float(stdtrit(effect.draws - 1, 1 - level / 2)) * of_draws
    return max(effect.least, effect.control_mean + wide)


def clear_direction(effect: Effect, level: float = ALPHA) -> int:
    """1 if the effect is clear and the loss rises, -1 if it clearly falls, 0 if it is not clear."""
    if not clear_against_zero(effect, level) or effect.p_control > level:
        return 0
    sign = 1 if effect.change > 0 else -1
    return sign if sign * (effect.change - (effect.control_mean or 0.0)) > 0 else 0


def clear_among(effects: Sequence[Effect]) -> list[bool]:
    """[effect] whether each is clear in its direction beside its control, where many are tested.

    The level is that of :func:`level_over` for their distances from the controls.

    >>> clear_among([effect_of(0.5, [0.0, 0.01, 0.02]), effect_of(0.5, [0.4, -0.4, 0.1])])
    [True, False]
    """
    level = level_over(effect.p_control for effect in effects)
    return [clear_direction(effect, level) != 0 for effect in effects]


def clear_against_zero(effect: Effect, level: float = ALPHA) -> bool:
    """Whether there is any effect at all, whatever other heads do."""
    return abs(effect.change) > effect.least and effect.p_zero <= level


def judge(
    effect: Effect, *, level: float = ALPHA, others_stand_in: bool = False, can_read: bool = True
) -> CausalVerdict:
    """The verdict on a head, or on a group.

    Args:
        effect: of the head alone.
        level: what a p value may be at most.
        others_stand_in: whether the head's part in the effect of its role's heads together is
            clear and above 0.
        can_read: whether the untouched model's loss is below an even guess's.
    """
    if not can_read:
        return "cannot_tell"
    if effect.control_mean is None:
        return "not_tested"
    direction = clear_direction(effect, level)
    if direction:
        return "holds_up" if direction > 0 else "reversed"
    if clear_against_zero(effect, level):
        return "not_special"
    return "backed_up" if others_stand_in else "no_effect"
