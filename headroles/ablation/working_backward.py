"""Working backward: what is left of an answer when only some heads are kept, or fewer and fewer.

*Keep only these* sets every other head to its mean over reference text, so that it still adds what
it adds on average and knows nothing of this prompt (:func:`keep_only`). As a control, as many
random heads of the same layers are kept instead (:func:`random_kept`).

*One after another* (:class:`Walk`) begins with all N heads and ends with none. The heads are ranked
by what the answer's log-probability loses if one more of them goes to its mean; the least harmful
block goes, and the rest is ranked again, because what a head is worth depends on who is left. A
block is one head where the model has up to :data:`SMALL` heads, else a sixth of what is left: that
bounds the work to about N * N / 2 or 7 * N rows. Every head that goes is a point of the curve.

Such an order is greedy and chosen on the very prompt that it is shown for. It is not the best one,
and the smallest set that still answers (:attr:`Curve.smallest`) is *a* set that was found, not
"the" circuit: another order may find another one. Beside it stand random orders.

>>> walk = Walk.of(loaded, encoding.token_ids, answer.token_id)  # doctest: +SKIP
>>> done = []  # doctest: +SKIP
>>> for task in walk.tasks():  # doctest: +SKIP
...     done.append(walk.do(loaded, task, done))
>>> walk.curve(done).smallest.left  # doctest: +SKIP
9

After the "completeness" and "minimality" tests of Wang et al. 2022 (arXiv 2211.00593), which also
takes heads away by mean ablation; greedy removal with a threshold is Conmy et al. 2023 (ACDC,
arXiv 2304.14997).
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from headroles.ablation.conditions import MEAN, UNTOUCHED, Condition, HeadOutput
from headroles.ablation.controls import Control
from headroles.ablation.outcomes import rank
from headroles.ablation.run import Outcome, run_conditions
from headroles.ablation.tables import short_list
from headroles.formatting import count, listing
from headroles.models import LoadedModel
from headroles.scoring import DRAWS, draw_control, draw_sets
from headroles.texts import token_texts
from headroles.types import Head

SMALL = 64
"""Heads of a model whose heads go one by one; of a larger one they go in blocks."""
SHARE = 6
"""A block of a larger model is one in so many of the heads that are left."""
AT_ONCE = 48
"""Rows of one task, so that work can be stopped."""
ORDERS = 5
"""Random orders beside the greedy one."""
SIZES = 16
"""Parts into which the way from all to none is cut for random orders."""


@dataclass(frozen=True)
class Standing:
    """How an answer stands in one run."""

    rank: int
    """1.., its place among all tokens."""
    log_probability: float
    """nats, at most 0."""
    log_odds: float
    """nats: log p - log(1 - p), the answer against all other tokens together."""
    loss: float | None
    """nats per token, mean over the prompt; None where it was not asked for."""
    says: int
    """The id of the likeliest token."""

    @property
    def probability(self) -> float:
        """0..1."""
        return math.exp(self.log_probability)


def standing(outcome: Outcome, answer: int) -> Standing:
    """How a token stands in a run.

    >>> found = standing(Outcome(UNTOUCHED, torch.tensor([2.0, 0.0, 0.0]), torch.zeros(0)), 0)
    >>> found.rank, round(found.log_odds, 3), round(found.log_probability, 3)  # 2 - log 2
    (1, 1.307, -0.24)
    """
    logits = outcome.logits.double()
    others = logits.index_fill(0, torch.tensor([answer]), -torch.inf)
    return Standing(
        rank=rank(outcome.named, answer),
        log_probability=logits.log_softmax(-1)[answer].item(),
        log_odds=(logits[answer] - others.logsumexp(-1)).item(),
        loss=outcome.losses.double().mean().item() if len(outcome.losses) else None,
        says=outcome.guess,
    )


def standings(
    loaded: LoadedModel,
    token_ids: Sequence[int],
    conditions: Sequence[Condition],
    answer: int,
    *,
    losses: bool = False,
) -> list[Standing]:
    """[condition] how an answer stands under each of them, in few passes.

    Raises:
        UnknownHeadError, UnknownPositionError: if a condition names what does not exist.
    """
    rows = [token_ids] * len(conditions)
    outcomes = run_conditions(loaded, rows, conditions, losses=losses)
    return [standing(outcome, answer) for outcome in outcomes]


# ------------------------------------------------------------------ keep only these


def keep_only(
    kept: Collection[Head],
    *,
    shape: tuple[int, int],
    layers: Collection[int] | None = None,
) -> Condition:
    """All heads but these at their mean, at every position.

    Args:
        kept: the heads that stay as they are; all others of the layers do not.
        shape: layers and heads per layer of the model.
        layers: the layers in which heads go; None for all.

    >>> keep_only([Head(0, 1)], shape=(1, 3)).heads
    (Head(layer=0, head=0), Head(layer=0, head=2))
    """
    stay = set(kept)
    off = tuple(head for head in _heads_of(shape, layers) if head not in stay)
    name = f"only {short_list(sorted(stay))} kept" if stay else "no head kept"
    return Condition(name, (HeadOutput(off, MEAN),) if off else ())


def _heads_of(shape: tuple[int, int], layers: Iterable[int] | None = None) -> list[Head]:
    return Head.every(shape[0] if layers is None else sorted(set(layers)), shape[1])


def layer_by_layer(
    kept: Collection[Head], *, shape: tuple[int, int], layers: Collection[int] | None = None
) -> list[tuple[int, Condition]]:
    """(layer, the other heads of this layer alone at their mean), where it has others."""
    cut = range(shape[0]) if layers is None else sorted(set(layers))
    single = [(n, keep_only(kept, shape=shape, layers=[n])) for n in cut]
    return [(layer, condition) for layer, condition in single if condition.changes]


def random_kept(
    kept: Collection[Head],
    *,
    shape: tuple[int, int],
    layers: Collection[int] | None = None,
    draws: int = DRAWS,
    seed: int = 0,
    listed: Collection[Head] = (),
) -> Control:
    """As many random heads of the same layers, kept instead.

    They are other heads than the kept ones where there are enough
    (:func:`headroles.scoring.random_heads.draw_control`); else any heads of the same layers.

    Args:
        kept: the heads to compare with; only those in the layers that are cut count.
        shape: layers and heads per layer of the model.
        layers: the layers in which heads go; None for all.
        draws: how many sets, at most.
        seed: the same seed draws the same heads.
        listed: heads that have a role; another layer lends its other heads first.
    """
    cut = set(range(shape[0]) if layers is None else layers)
    stay = sorted(head for head in set(kept) if head.layer in cut)
    if not stay:
        return Control((), "No head is kept there, so there is nothing to draw.")
    rng = np.random.default_rng(seed)
    drawn = draw_control(stay, stay, shape=shape, rng=rng, listed=listed, draws=draws)
    sets = [heads for heads in drawn.conditions if all(head.layer in cut for head in heads)]
    where = f"layers {listing([str(n) for n in sorted({head.layer for head in stay})])}"
    whose = "of the same layers" if drawn.same_layers else "of the same layers and the nearest ones"
    note = f"{count(len(sets), 'random choice')} of as many other heads {whose} ({where})."
    if len(sets) < 2:
        sets = _any_of_the_layers(stay, shape, np.random.default_rng(seed), draws)
        note = (
            f"{count(len(sets), 'random choice')} of as many heads of the same layers ({where}). "
            "There are too few others, so some of yours may be among them."
        )
    if len(sets) < 2:
        return Control((), "Whole layers are kept, so there is nothing else to draw.")
    return Control(tuple(keep_only(heads, shape=shape, layers=layers) for heads in sets), note)


def _any_of_the_layers(
    stay: Sequence[Head], shape: tuple[int, int], rng: np.random.Generator, draws: int
) -> list[frozenset[Head]]:
    needed = {layer: sum(head.layer == layer for head in stay) for layer in {h.layer for h in stay}}
    pools = {layer: _heads_of(shape, [layer]) for layer in needed}
    sets = draw_sets(pools, needed, rng=rng, draws=draws + 1)
    return [heads for heads in sets if heads != frozenset(stay)][:draws]


# ------------------------------------------------------------------ one after another


@dataclass(frozen=True)
class Point:
    """One number of heads on the way from all to none."""

    left: int
    """Heads that are left."""
    taken: Head | None
    """The head that went last; None where all are left, and in random orders."""
    standing: Standing
    """How the answer stands."""
    says: str
    """The likeliest token."""


@dataclass(frozen=True)
class Band:
    """Random orders at one number of heads left."""

    left: int
    """Heads that are left."""
    mean: float
    """Of the values."""
    spread: float
    """Standard deviation over the orders; 0 for one."""
    first: int
    """Orders in which the answer is first."""
    orders: int
    """Count of orders."""


@dataclass(frozen=True)
class Curve:
    """The answer as heads are taken away; shorter while it is being made."""

    total: int
    """Heads of the model."""
    points: tuple[Point, ...]
    """From all heads left, downward, one per head."""
    random: tuple[tuple[Point, ...], ...] = ()
    """[order] points of random orders, at some numbers of heads left."""

    @property
    def is_whole(self) -> bool:
        """Whether it goes down to no head."""
        return bool(self.points) and self.points[-1].left == 0

    @property
    def smallest(self) -> Point | None:
        """The fewest heads with which the answer is first; None if it is not first with all."""
        if not self.points or self.points[0].standing.rank > 1:
            return None
        return next(point for point in reversed(self.points) if point.standing.rank == 1)

    @property
    def first_fall(self) -> Point | None:
        """The first point, from all heads downward, where the answer is not first."""
        return next((point for point in self.points if point.standing.rank > 1), None)

    def after(self, point: Point) -> Point | None:
        """The next point, one head fewer; None after the last."""
        place = self.points.index(point) + 1
        return self.points[place] if place < len(self.points) else None

    def heads_at(self, point: Point, shape: tuple[int, int]) -> tuple[Head, ...]:
        """The heads that are left at a point, in the order of layers."""
        gone = {other.taken for other in self.points if other.left >= point.left}
        return tuple(head for head in _heads_of(shape) if head not in gone)

    def band(self, measure: str = "log_probability") -> list[Band]:
        """Mean and spread of the random orders, from many heads left to few.

        Args:
            measure: ``log_probability`` or ``loss``, a field of :class:`Standing`.
        """
        bands = []
        for at in zip(*self.random, strict=True):
            values = [getattr(point.standing, measure) for point in at]
            spread = statistics.stdev(values) if len(values) > 1 else 0.0
            first = sum(point.standing.rank == 1 for point in at)
            bands.append(Band(at[0].left, statistics.fmean(values), spread, first, len(at)))
        return bands


@dataclass(frozen=True)
class Task:
    """A part of the work: some heads are ranked, and at the end of a round a block goes."""

    left: int
    """Heads that are left as the round begins."""
    first: int
    """The first of them that is ranked here."""
    last: int
    """The one after the last."""
    block: int
    """Heads that go then; 0 where the round goes on."""
    order: int | None = None
    """A random order instead, by number."""

    @property
    def rows(self) -> int:
        """Rows that it runs."""
        return self.last - self.first + self.block


@dataclass(frozen=True)
class Done:
    """What a task found."""

    ranked: tuple[tuple[Head, float], ...] = ()
    """(head, the log-odds of the answer without it) of the round so far: the order of its
    log-probability, but told apart where that is all but 0."""
    points: tuple[Point, ...] = ()
    """Points of the greedy order."""
    random: tuple[Point, ...] = ()
    """Points of one random order."""


@dataclass(frozen=True)
class Walk:
    """Heads of one prompt taken away one after another; each task needs what the others found."""

    token_ids: tuple[int, ...]
    """The prompt."""
    answer: int
    """The token whose log-probability decides."""
    shape: tuple[int, int]
    """Layers and heads per layer of the model."""
    seed: int = 0
    """Of the random orders."""

    @classmethod
    def of(
        cls, loaded: LoadedModel, token_ids: Sequence[int], answer: int, *, seed: int = 0
    ) -> Walk:
        """For a model and a prompt."""
        return cls(tuple(token_ids), answer, loaded.shape, seed)

    @property
    def total(self) -> int:
        """Heads of the model."""
        return self.shape[0] * self.shape[1]

    def tasks(self, *, orders: int = ORDERS) -> list[Task]:
        """All tasks, in order; random orders come last.

        >>> [(task.left, task.rows) for task in Walk((), 0, (1, 3)).tasks(orders=0)]
        [(3, 4), (2, 3), (1, 2)]
        """
        tasks, left = [], self.total
        while left:
            block = 1 if self.total <= SMALL else max(1, left // SHARE)
            for first in range(0, left, AT_ONCE):
                last = min(first + AT_ONCE, left)
                tasks.append(Task(left, first, last, block if last == left else 0))
            left -= block
        sizes = len(self.sizes())
        return tasks + [Task(0, 0, sizes, 0, order=order) for order in range(orders)]

    def sizes(self) -> list[int]:
        """Numbers of heads left at which random orders are looked at: neither all nor none."""
        cuts = {round(self.total * part / SIZES) for part in range(1, SIZES)}
        return sorted(cuts - {0, self.total}, reverse=True)

    def do(self, loaded: LoadedModel, task: Task, done: Sequence[Done]) -> Done:
        """One task.

        Args:
            loaded: the model.
            task: what to do.
            done: what the tasks before it found, in order.
        """
        if task.order is not None:
            return Done(random=self._random_order(loaded, task.order))
        taken = [point.taken for found in done for point in found.points if point.taken]
        left = [head for head in _heads_of(self.shape) if head not in set(taken)]
        some = left[task.first : task.last]
        without = [self._without([*taken, head]) for head in some]
        found = standings(loaded, self.token_ids, without, self.answer)
        of_round = done[-1].ranked if done and not done[-1].points else ()
        ranked = of_round + tuple((head, at.log_odds) for head, at in zip(some, found, strict=True))
        if not task.block:
            return Done(ranked=ranked)
        best = sorted(ranked, key=lambda pair: (-pair[1], pair[0]))[: task.block]
        going = [head for head, _ in best]
        sets = [[*taken, *going[: n + 1]] for n in range(len(going))]
        start = [] if taken else [None]  # all heads left: the untouched run
        conditions = [UNTOUCHED] * len(start) + [self._without(gone) for gone in sets]
        return Done(points=self._points(loaded, conditions, [*start, *going]))

    def curve(self, done: Iterable[Done]) -> Curve:
        """What is found so far."""
        done = list(done)
        return Curve(
            self.total,
            tuple(point for found in done for point in found.points),
            tuple(found.random for found in done if found.random),
        )

    def _without(self, gone: Sequence[Head]) -> Condition:
        return Condition(f"without {short_list(gone)}", (HeadOutput(tuple(gone), MEAN),))

    def _random_order(self, loaded: LoadedModel, order: int) -> tuple[Point, ...]:
        heads = _heads_of(self.shape)
        shuffled = np.random.default_rng((self.seed, order)).permutation(len(heads))
        gone = [[heads[n] for n in shuffled[: self.total - left]] for left in self.sizes()]
        conditions = [self._without(some) for some in gone]
        return self._points(loaded, conditions, [None] * len(conditions))

    def _points(
        self,
        loaded: LoadedModel,
        conditions: Sequence[Condition],
        taken: Sequence[Head | None],
    ) -> tuple[Point, ...]:
        found = standings(loaded, self.token_ids, conditions, self.answer, losses=True)
        says = token_texts(loaded.tokenizer, [at.says for at in found])
        left = [self.total - len(condition.heads) for condition in conditions]
        parts = zip(left, taken, found, says, strict=True)
        return tuple(Point(n, head, at, text) for n, head, at, text in parts)
