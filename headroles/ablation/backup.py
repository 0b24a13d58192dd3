"""Who backs up whom: two heads (or groups) taken away alone and together.

With cost(X) what the answer loses if X goes to its mean output,

    surplus = cost(A and B) - (cost(A) + cost(B))

is above 0 where each stands in for the other (a *backup*: alone, either is hardly missed), about 0
where they work apart, and below 0 where they do the same one after the other, or where nothing is
left to lose. Backup heads: Wang et al. 2022 (arXiv 2211.00593); McGrath et al. 2023 (arXiv
2307.15771).

A cost is measured twice, in nats: as lost log-probability, and as lost *log-odds*,
log p - log(1 - p). They nearly agree for an unlikely answer. For a sure one the log-probability
hides small losses (from 99.9 % to 99 % costs 0.009 nats, and 2.3 in log-odds), so that two
independent losses cost more together than their sum; the log-odds, which add up where logits do,
have no such ceiling. So the rule asks both:

    superadditive   surplus > margin in both measures
    subadditive     surplus < -margin in both
    ceiling         surplus > margin in log-probability alone: a sure answer hid the single losses
    additive        anything else

with margin = max(0.05 nats, a tenth of the largest of the three costs), in either measure. Whether
it is *these* two is asked of A with random partners of B's layers and those next to them, by the
rule of :mod:`headroles.ablation.controls`.

>>> pair = Costs(Cost(0.1, 0.1), Cost(0.2, 0.2), Cost(1.4, 1.5))
>>> pair.verdict, round(pair.surplus, 2)
('superadditive', 1.1)
>>> Costs(Cost(0.1, 1.0), Cost(0.2, 1.2), Cost(1.0, 2.2)).verdict
'ceiling'
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from headroles.ablation.conditions import MEAN, UNTOUCHED, Condition, HeadOutput
from headroles.ablation.controls import Judgement, judge
from headroles.ablation.tables import short_list
from headroles.ablation.working_backward import Standing, standings
from headroles.errors import HeadrolesError
from headroles.formatting import count, listing
from headroles.models import LoadedModel
from headroles.scoring import DRAWS, draw_sets
from headroles.types import Head

LEAST = 0.05
"""Nats: a surplus that nobody would notice."""
NEAR = 1
"""Layers before and after those of B that lend random partners."""
PART = 0.1
"""A surplus counts from this part of the largest cost."""
Verdict = Literal["superadditive", "additive", "subadditive", "ceiling"]


@dataclass(frozen=True)
class Cost:
    """What the answer loses."""

    log_probability: float
    """nats; below 0 it got likelier."""
    log_odds: float
    """nats."""


@dataclass(frozen=True)
class Costs:
    """A alone, B alone, and both together."""

    a: Cost
    """Without A."""
    b: Cost
    """Without B."""
    both: Cost
    """Without both."""

    @property
    def over(self) -> Cost:
        """cost(A and B) - (cost(A) + cost(B)), in either measure."""
        return Cost(
            self.both.log_probability - self.a.log_probability - self.b.log_probability,
            self.both.log_odds - self.a.log_odds - self.b.log_odds,
        )

    @property
    def surplus(self) -> float:
        """nats: of the two measures' surplus the one nearer to 0; 0 where their signs differ."""
        one, other = self.over.log_probability, self.over.log_odds
        if one * other <= 0:
            return 0.0
        return min(one, other, key=abs)

    @property
    def verdict(self) -> Verdict:
        """By the rule of this module."""
        probability, odds = (self._side(name) for name in ("log_probability", "log_odds"))
        if probability > 0:
            return "superadditive" if odds > 0 else "ceiling"
        return "subadditive" if probability < 0 and odds < 0 else "additive"

    @property
    def is_backup(self) -> bool:
        """Whether each may stand in for the other: superadditive, and neither alone works against
        the answer. Else the surplus may be no more than a harm that the other one undid."""
        alone = min(self.a.log_odds, self.b.log_odds)
        return self.verdict == "superadditive" and alone >= -LEAST

    def _side(self, measure: str) -> int:
        """1, 0 or -1: the surplus in a measure is above, within or below the margin."""
        costs = [abs(getattr(cost, measure)) for cost in (self.a, self.b, self.both)]
        surplus, margin = getattr(self.over, measure), max(LEAST, PART * max(costs))
        return (surplus > margin) - (surplus < -margin)


@dataclass(frozen=True)
class Backup:
    """Two groups of heads, and one of them with random partners."""

    a: tuple[Head, ...]
    """A."""
    b: tuple[Head, ...]
    """B."""
    pair: Costs
    """What they cost."""
    untouched: Standing
    """How the answer stands in the untouched run."""
    without: tuple[Standing, Standing, Standing]
    """How it stands without A, without B, without both."""
    partners: tuple[tuple[tuple[Head, ...], Costs], ...]
    """(random partner, A with it) of each draw."""
    note: str
    """What the partners are, in a sentence."""

    @property
    def judgement(self) -> Judgement:
        """The surplus beside those of A with random partners."""
        return judge(self.pair.surplus, [pair.surplus for _, pair in self.partners])


def check_apart(a: Collection[Head], b: Collection[Head]) -> None:
    """Refuse groups that are empty or share a head.

    Raises:
        HeadrolesError: if they are.
    """
    if not a or not b:
        raise HeadrolesError("A or B has no head.", hint="Choose at least one head for each.")
    if both := sorted(set(a) & set(b)):
        one = "is" if len(both) == 1 else "are"
        raise HeadrolesError(
            f"{listing([head.label for head in both])} {one} in A and in B.",
            hint="A head cannot stand in for itself: leave it out of one of them.",
        )


def without(heads: Sequence[Head], position: int | None = None) -> Condition:
    """These heads at their mean, everywhere or at one position."""
    places = None if position is None else (position,)
    name = f"without {short_list(sorted(heads))}"
    return Condition(name, (HeadOutput(tuple(sorted(heads)), MEAN, places),))


def random_partners(
    a: Sequence[Head],
    b: Sequence[Head],
    *,
    shape: tuple[int, int],
    draws: int = DRAWS,
    seed: int = 0,
) -> tuple[list[tuple[Head, ...]], str]:
    """As many other heads of B's layers and those next to them, and what they are, in a sentence.

    B's layer alone would give few draws, and the heads that stand in for A often share a layer.
    """
    if not draws:
        return [], "No random partners were asked for."
    named = {*a, *b}
    needed = Counter(head.layer for head in b)
    near = {layer: range(max(0, layer - NEAR), min(shape[0], layer + NEAR + 1)) for layer in needed}
    pools = {
        layer: [head for n in layers for m in range(shape[1]) if (head := Head(n, m)) not in named]
        for layer, layers in near.items()
    }
    sets = draw_sets(pools, needed, rng=np.random.default_rng(seed), draws=draws)
    if len(sets) < 2:
        return [], "There are too few other heads to draw partners from."
    layers = listing([str(layer) for layer in sorted({n for of in near.values() for n in of})])
    partners = count(len(b), "other head")
    drawn = [tuple(sorted(heads)) for heads in sets]
    return drawn, f"{count(len(drawn), 'random choice')} of {partners} of the layers {layers}."


def measure(
    loaded: LoadedModel,
    token_ids: Sequence[int],
    answer: int,
    a: Sequence[Head],
    b: Sequence[Head],
    *,
    position: int | None = None,
    draws: int = DRAWS,
    seed: int = 0,
) -> Backup:
    """A, B, both together, and A with random partners, in few passes.

    Args:
        loaded: a model.
        token_ids: the prompt.
        answer: the token that is watched.
        a: heads.
        b: other heads.
        position: the query position at which heads go to their mean; None for all.
        draws: random partners, at most; 0 for none.
        seed: the same seed draws the same partners.

    Raises:
        HeadrolesError: if a group is empty or they share a head.
        UnknownHeadError: if the model has no such head.
    """
    check_apart(a, b)
    for head in (*a, *b):
        head.check(*loaded.shape)
    others, note = random_partners(a, b, shape=loaded.shape, draws=draws, seed=seed)
    clean, runs = _with_each(loaded, token_ids, answer, a, [tuple(b), *others], position)
    pairs = [_costs(clean, run) for run in runs]
    return Backup(
        tuple(sorted(a)), tuple(sorted(b)), pairs[0], clean, runs[0],
        tuple(zip(others, pairs[1:], strict=True)), note,
    )  # fmt: skip


def _with_each(
    loaded: LoadedModel,
    token_ids: Sequence[int],
    answer: int,
    a: Sequence[Head],
    groups: Sequence[Sequence[Head]],
    position: int | None,
) -> tuple[Standing, list[tuple[Standing, Standing, Standing]]]:
    """The untouched run; and without A, without a group, without both, for every group."""
    conditions = [UNTOUCHED, without(a, position)]
    conditions += [without(group, position) for group in groups]
    conditions += [without([*a, *group], position) for group in groups]
    clean, of_a, *rest = standings(loaded, token_ids, conditions, answer)
    pairs = zip(rest[: len(groups)], rest[len(groups) :], strict=True)
    return clean, [(of_a, alone, together) for alone, together in pairs]


def _costs(clean: Standing, runs: Sequence[Standing]) -> Costs:
    return Costs(*(cost(clean, run) for run in runs))


def cost(clean: Standing, other: Standing) -> Cost:
    """What the answer loses from one run to another."""
    return Cost(
        clean.log_probability - other.log_probability,
        clean.log_odds - other.log_odds,
    )


def pairs_with(
    loaded: LoadedModel,
    token_ids: Sequence[int],
    answer: int,
    a: Sequence[Head],
    candidates: Sequence[Head],
    *,
    position: int | None = None,
) -> list[tuple[Head, Costs]]:
    """A with each of some heads; two rows per head, in few passes."""
    groups = [(head,) for head in candidates]
    clean, runs = _with_each(loaded, token_ids, answer, a, groups, position)
    return [(head, _costs(clean, run)) for head, run in zip(candidates, runs, strict=True)]


def best_partners(found: Sequence[tuple[Head, Costs]]) -> list[tuple[Head, Costs]]:
    """Heads that may stand in for A first; of these and of the others, by their surplus."""
    return sorted(
        found,
        key=lambda one: (not one[1].is_backup, -one[1].surplus, one[0]),
    )
