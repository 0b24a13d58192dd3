"""Each row's largest look, and whether its distance follows the period of a sequence.

The *largest look* of a row q is the key that gets most of its attention, column 0 left out, for
heads rest there. Its distance is d = q - k. What comes back with every period can be looked at in
any of its copies, so beside d there is the distance *in the pattern*, with whole periods taken off:
((d - 1) mod p) + 1, from 1 to p; 0 stays 0.

Over the rows of several sequences of one period, a head's *typical distance* is the one that comes
most often. It is *clear* when more than half of the rows have it, and three of four sequences have
it as their own typical distance; and the looks must hold a twentieth of the attention. Over several
periods p,

===========  =======================================================================
verdict      rule
===========  =======================================================================
``keeps``    the distance is clear at every period, and the same
``follows``  the distance in the pattern is clear at every period, equal to p + c with
             one c for all, and 1.5 times as often as on the same tokens in random
             order, at every period
``neither``  anything else
===========  =======================================================================

An induction head has c = -1: 2, 3, 4 back at the periods 3, 4, 5. The random order is the control:
a distance in the pattern is one of few, so that chance alone gives it a third of the rows at p = 3.

>>> import torch
>>> largest_look(torch.tensor([[1.0, 0, 0], [0.9, 0.1, 0], [0.5, 0.4, 0.1]])).key.tolist()
[-1, 1, 1]
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from headroles.scoring.causal_verdict import level_over, p_of
from headroles.scoring.offsets import NOTHING_LEFT

CLEAR = 0.5
"""More of the rows than this have a clear distance."""
AGREEING = 0.75
"""At least so many of the sequences have it as their own typical distance."""
TIMES = 1.5
"""A distance that follows the period comes at least so many times as often as in random order."""
SLOT_TIMES = 2.0
"""Attention within a slot counts from so many times its chance."""
LEAST_ATTENTION = 0.05
"""Mean attention of the looks: with less, the head rests and its largest look says nothing."""
LEAST_ROWS = 8
"""Fewer rows with a look than this tell nothing."""

Verdict = Literal["follows", "keeps", "neither"]


@dataclass(frozen=True, eq=False)
class Looks:
    """Where each row of attention looks most."""

    key: Int[Tensor, "*heads query"]
    """[*heads query] the key; -1 where the row has nothing left beside column 0."""
    attention: Float[Tensor, "*heads query"]
    """[*heads query] 0..1, the attention there; 0 where there is none."""

    @property
    def distance(self) -> Int[Tensor, "*heads query"]:
        """[*heads query] tokens back; -1 where the row looks nowhere."""
        rows = torch.arange(self.key.shape[-1])
        return torch.where(self.key < 0, -1, rows - self.key)


def largest_look(
    attention: Float[Tensor, "*heads query key"], *, without_itself: bool = False
) -> Looks:
    """The key with most attention of every row, column 0 left out.

    Args:
        attention: [*heads query key] patterns.
        without_itself: leave a token's attention on itself out, too.
    """
    kept = attention.clone()
    kept[..., 0] = 0
    if without_itself:
        kept.diagonal(dim1=-2, dim2=-1).zero_()
    best = kept.max(-1)
    nothing = best.values < NOTHING_LEFT
    return Looks(
        key=best.indices.masked_fill(nothing, -1), attention=best.values.masked_fill(nothing, 0)
    )


def count_distances(
    looks: Looks, counted: Bool[Tensor, "*#heads query"]
) -> tuple[Int[Tensor, "*heads distance"], Float[Tensor, "*heads distance"]]:
    """How many of the counted rows look each distance back, and their attention there, summed.

    Args:
        looks: from :func:`largest_look`.
        counted: [query], or with axes for the heads: the rows that count.

    Returns:
        [*heads distance] counts and sums, for the distances 0 to ``query - 1``.
    """
    distance = looks.distance
    size = distance.shape[-1]
    taken = (counted & (distance >= 0)).float()
    place = distance.clamp_min(0)
    zeros = torch.zeros(*distance.shape[:-1], size)
    counts = zeros.scatter_add(-1, place, taken)
    sums = zeros.scatter_add(-1, place, taken * looks.attention.float())
    return counts.long(), sums


class TypicalDistance(NamedTuple):
    """The distance at which one head looks most, at one period."""

    distance: int | None
    """Tokens back; None where too few rows look anywhere beside column 0."""
    share: float
    """0..1, of the rows with a look that look so far back."""
    agreement: float
    """0..1, of the sequences whose own typical distance it is."""
    control: float
    """0..1, the same share on the same tokens in random order; NaN where nobody measured it."""
    attention: float
    """0..1, mean attention of these looks: a head that rests may look somewhere with little."""
    rows: int
    """Rows with a look."""

    @property
    def is_clear(self) -> bool:
        """Whether most rows of most sequences have it, with attention that is worth the name."""
        return (
            self.distance is not None
            and self.share > CLEAR
            and self.agreement >= AGREEING
            and self.attention >= LEAST_ATTENTION
        )

    @property
    def beats_control(self) -> bool:
        """Whether it comes clearly more often than on the same tokens in random order."""
        return self.share >= TIMES * self.control


def in_pattern(
    counts: Float[Tensor, "*heads distance"] | Int[Tensor, "*heads distance"], period: int
) -> Float[Tensor, "*heads place"] | Int[Tensor, "*heads place"]:
    """Take whole periods off: [*heads period + 1], for the distances 0 (itself) to ``period``."""
    distance = torch.arange(counts.shape[-1])
    place = torch.where(distance == 0, 0, (distance - 1) % period + 1)
    zeros = counts.new_zeros(*counts.shape[:-1], period + 1)
    return zeros.index_add(-1, place, counts)


def typical_distance(
    counts: Int[Tensor, "sequence distance"],
    attention: Float[Tensor, "sequence distance"],
    control: Int[Tensor, "sequence distance"] | None = None,
) -> TypicalDistance:
    """The typical distance of one head.

    Args:
        counts: [sequence distance] rows that look so far back.
        attention: [sequence distance] their attention there, summed.
        control: [sequence distance] the counts on the same tokens in random order.
    """
    rows = int(counts.sum())
    if rows < LEAST_ROWS:
        return TypicalDistance(None, 0.0, 0.0, float("nan"), 0.0, rows)
    together = counts.sum(0)
    best = int(together.argmax())
    looking = counts[counts.sum(-1) > 0]
    by_chance = float("nan")
    if control is not None and (total := int(control.sum())):
        by_chance = int(control[:, best].sum()) / total
    return TypicalDistance(
        distance=best,
        share=int(together[best]) / rows,
        agreement=float((looking.argmax(-1) == best).double().sum()) / len(counts),
        control=by_chance,
        attention=float(attention[:, best].sum()) / int(together[best]),
        rows=rows,
    )


class PeriodVerdict(NamedTuple):
    """What a head's typical distance does when the period changes."""

    kind: Verdict
    by: int | None
    """For ``follows``: c of d(p) = p + c; for ``keeps``: the distance; else None."""


def judge_periods(
    distances: Mapping[int, TypicalDistance], places: Mapping[int, TypicalDistance]
) -> PeriodVerdict:
    """Hold the typical distances of several periods against each other.

    Args:
        distances: {period: typical distance}; with fewer than two periods nothing can be told.
        places: {period: typical distance in the pattern}.
    """
    kept = {typical.distance if typical.is_clear else None for typical in distances.values()}
    shifts = {
        typical.distance - period
        if typical.is_clear and typical.distance and typical.beats_control
        else None
        for period, typical in places.items()
    }
    if len(distances) > 1 and len(kept) == 1 and None not in kept:
        return PeriodVerdict("keeps", kept.pop())
    if len(places) > 1 and len(shifts) == 1 and None not in shifts:
        return PeriodVerdict("follows", shifts.pop())
    return PeriodVerdict("neither", None)


@dataclass(frozen=True, eq=False)
class SlotAttention:
    """How much tokens of one slot look at earlier tokens of the same slot: numbers at numbers."""

    share: Float[Tensor, "layer head"]
    """[layer head] 0..1, mean attention on all earlier ones, over the rows that have one."""
    chance: Float[Tensor, " layer"]
    """[layer] 0..1, the same for a head that spreads evenly over what it sees."""
    control: Float[Tensor, "layer head"]
    """[layer head] 0..1, the same on ordinary words in the same places."""
    error: Float[Tensor, "layer head"]
    """[layer head] standard error of ``share - control`` over the sequences."""
    nearest: Float[Tensor, "layer head"]
    """[layer head] 0..1, mean attention on the one just before: the attention half of successor."""
    sequences: int
    """Over which the means are."""

    @cached_property
    def clear(self) -> Bool[Tensor, "layer head"]:
        """[layer head] whether it is twice chance, and more than on other words in the same places.

        Every head is tested (a t test of the difference over the sequences), so the level is that
        of :func:`~headroles.scoring.causal_verdict.level_over`.
        """
        over = self.share - self.control  # [layer head]
        if self.sequences < 2:  # no error, so nothing to test with
            return torch.zeros_like(over, dtype=torch.bool)
        pairs = zip(over.flatten().tolist(), self.error.flatten().tolist(), strict=True)
        p = [p_of(by, error, self.sequences - 1.0) for by, error in pairs]
        sure = torch.tensor(p, dtype=torch.float64).view_as(over) <= level_over(p)
        return sure & (over > 0) & (self.share >= SLOT_TIMES * self.chance.unsqueeze(-1))


def slot_shares(
    attention: Float[Tensor, "head query key"], places: list[int]
) -> tuple[Float[Tensor, " head"], Float[Tensor, " head"]]:
    """[head] mean attention from each place on all places before it, and on the last of them.

    Args:
        attention: [head query key] one layer's patterns on one text.
        places: ascending; the first has nothing before it and is no row.
    """
    rows = torch.tensor(places[1:])
    grid = attention[:, rows][..., torch.tensor(places)]  # [head row place]
    before = torch.ones(len(rows), len(places)).tril()  # place i is before row i + 1
    on_all = (grid * before).sum(-1).mean(-1)
    on_last = grid.diagonal(dim1=-2, dim2=-1).mean(-1)
    return on_all, on_last
