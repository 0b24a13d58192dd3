"""A simple pattern for every head: the expression that explains its attention best on real text.

Of the attention that does not rest on the first token, summed over all tokens of the texts,

    share = attention on the pattern's cells / all of it
    chance = the same for a head that spreads that attention evenly over all tokens but the first
    gain = (share - chance) / (1 - chance)

so a row counts by as much as the head looks at anything in it. Documents fall into two halves
(:func:`groups_of`). On the one half a pattern is chosen: the one of the largest gain, less
:data:`LEAST_GAIN` for every further condition and every doubling of a range of distance, so that
what is more specific, or broader, must explain more. On the other half it is tested, and only that
number is shown. Its standard error is over groups of documents: passages of one document are alike,
and would make it too small.

A union of two patterns is found greedily in the same pass. After a part of the text the best single
pattern of each head is held fast (no range of distance, which is too broad to add to), and from
then on it is also counted what each pattern explains of the rest. Chance of a union is counted as
if its halves never overlapped, which is too much rather than too little.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float, Int
from torch import Tensor

from headroles.corpus.candidates import (
    FAR,
    KINDS,
    NEARBY,
    PATTERNS,
    Candidates,
    either,
    even_beside_first,
    narrowed,
)
from headroles.corpus.reading import Batch, Corpus, units
from headroles.scoring import Visible
from headroles.store.token_kinds import Proposal, Proposals

if TYPE_CHECKING:
    from headroles.corpus.parts import Setting

LEAST_GAIN = 0.03
"""What a further condition must add to the gain."""
LEAST_UNION = 0.05
"""What a second pattern must add to it."""
SIMPLE = 0.15
"""A pattern with less gain than this does not explain a head."""
GROUPS = 8
"""Groups of documents of the other half, for the standard error."""
UNTIL_UNIONS = 0.25
"""The part of the text by which the first half of a union is chosen."""
BEST = 3
"""Patterns that are kept per head."""
LEAST_FREE = 0.002
"""Of a head that rests with all but this much of its attention, nothing can be said."""


@dataclass(frozen=True, eq=False)
class _Sums:
    """What is added up over rows; group 0 is the half on which patterns are chosen."""

    explained: Float[Tensor, "group layer head kind pattern"]
    """Attention on each pattern's cells."""
    even: Float[Tensor, "half layer head kind pattern"]
    """The same for an even spread; half 0, and all the groups of the other half."""
    free: Float[Tensor, "group layer head"]
    """Attention that does not rest."""

    @classmethod
    def empty(cls, shape: tuple[int, int]) -> _Sums:
        size = (*shape, len(KINDS) - 1, len(PATTERNS))
        groups = GROUPS + 1
        return cls(torch.zeros(groups, *size), torch.zeros(2, *size), torch.zeros(groups, *shape))

    def half(self, place: int) -> tuple[Tensor, Tensor, Tensor]:
        """(share, chance, gain) of [layer head pattern kind], kind 0 being all queries."""
        if place == 0:
            explained, free = self.explained[0], self.free[0]
        else:
            explained, free = self.explained[1:].sum(0), self.free[1:].sum(0)
        whole = free.clamp_min(1e-9)[..., None, None]
        share = _with_all(explained) / whole
        chance = (_with_all(self.even[place]) / whole).clamp(0, 1)
        return share, chance, gain_of(share, chance)


def gain_of(share: Tensor, chance: Tensor) -> Tensor:
    """How far a share lies from chance (0) to all (1)."""
    return (share - chance) / (1 - chance).clamp_min(1e-6)


def _with_all(
    by_kind: Float[Tensor, "... kind pattern"],
) -> Float[Tensor, "... pattern all_and_kinds"]:
    """Sums by kind of query, with all kinds together in front; patterns before kinds."""
    both = torch.cat([by_kind.sum(-2, keepdim=True), by_kind], -2)
    return both.transpose(-1, -2)


def groups_of(corpus: Corpus) -> Int[Tensor, " passage"]:
    """[passage] 0 where patterns are chosen, else the group of the other half, from 1 on.

    Every other document is held out (:func:`~headroles.corpus.reading.units`). Those go to the
    groups by turns, each whole.
    """
    places = units(corpus)
    return torch.where(places % 2 == 0, 0, places // 2 % GROUPS + 1)


class ProposalsPart:
    """Looks for each head's best patterns; a :class:`~headroles.corpus.parts.Part`."""

    def __init__(self, setting: Setting) -> None:
        self.shape, self.in_all = setting.shape, setting.corpus.tokens
        self.groups = groups_of(setting.corpus)
        self.sums, self.rest = _Sums.empty(self.shape), _Sums.empty(self.shape)
        self.first: list[list[tuple[int, int]]] | None = None
        """[layer][head] (pattern, kind) of the first half of a union, once it is chosen."""
        self.on_first = torch.zeros(GROUPS + 1, *self.shape)
        self.before = torch.zeros(GROUPS + 1, *self.shape)
        """Attention on it, and all that does not rest, since it was chosen."""
        self.tokens = torch.zeros(2, dtype=torch.long)

    def begin(self, batch: Batch) -> None:
        """A batch is about to run."""
        self._candidates, self._groups = Candidates(batch), self.groups[batch.rows]
        rows = batch.is_text.sum(-1)
        self.tokens += torch.stack([rows[self._groups == 0].sum(), rows[self._groups > 0].sum()])
        self._even: dict[int, tuple[Visible, Tensor]] = {}
        self._text = batch.is_text.float()[:, None, :, None]

    def on_layer(
        self, layer: int, attention: Float[Tensor, "batch head query key"], visible: Visible
    ) -> None:
        """One layer of the batch."""
        attention = attention * self._text
        attention[..., 0] = 0
        free = attention.sum(-1)  # [batch head query]
        self._add(self.sums, layer, attention, free)
        even = self._spread(visible)  # [batch 1 query pattern]
        expected = self._candidates.queries.transpose(1, 2).unsqueeze(1)  # [batch 1 kind query]
        expected = (expected * free.unsqueeze(2)) @ even
        for half in range(2):
            of_half = (self._groups > 0) == bool(half)
            self.sums.even[half, layer] += expected[of_half].sum(0)
        if self.first is not None:
            self._besides(layer, attention, free)

    def _spread(self, visible: Visible) -> Float[Tensor, "batch 1 query pattern"]:
        if id(visible) not in self._even:
            length = self._text.shape[2]
            spread = even_beside_first(length, visible).view(1, 1, length, length) * self._text
            self._even[id(visible)] = visible, self._candidates.explained(spread)
        return self._even[id(visible)][1]

    def _besides(self, layer: int, attention: Tensor, free: Tensor) -> None:
        """What patterns explain of the attention that the first one leaves."""
        self.before[:, layer].index_add_(0, self._groups, free.sum(-1))
        drawn: dict[tuple[int, int], Tensor] = {}
        for head, first in enumerate(self.first[layer]):
            if first not in drawn:
                drawn[first] = 1 - self._candidates.where(*first)
            attention[:, head] *= drawn[first]
        left = attention.sum(-1)
        self.on_first[:, layer].index_add_(0, self._groups, (free - left).sum(-1))
        self._add(self.rest, layer, attention, left)

    def _add(self, sums: _Sums, layer: int, attention: Tensor, free: Tensor) -> None:
        explained = self._candidates.by_kind(self._candidates.explained(attention))
        sums.explained[:, layer].index_add_(0, self._groups, explained)
        sums.free[:, layer].index_add_(0, self._groups, free.sum(-1))

    def end(self) -> None:
        """The batch has run."""
        del self._candidates, self._even, self._text
        if self.first is None and self.tokens.sum() >= UNTIL_UNIONS * self.in_all:
            score = _scores(self.sums)
            score[:, :, [PATTERNS.index(one) for one in NEARBY]] = -torch.inf
            best = score.flatten(2).argmax(-1)
            self.first = [[divmod(one, len(KINDS)) for one in row] for row in best.tolist()]

    def record(self) -> Proposals:
        """The best few patterns of every head."""
        return _Choice(self).record()


def _scores(sums: _Sums) -> Float[Tensor, "layer head pattern kind"]:
    """Gains on the first half, less what further conditions must add."""
    return sums.half(0)[2] - _costs()


def _costs() -> Float[Tensor, "pattern all_and_kinds"]:
    """What every pattern must explain besides, for its further conditions and its breadth."""
    costs = torch.zeros(len(PATTERNS), len(KINDS))
    costs[:, 1:] += LEAST_GAIN
    for pattern, far in zip(NEARBY, (*FAR, *FAR), strict=True):
        costs[PATTERNS.index(pattern)] += LEAST_GAIN * math.log2(far)
    return costs


class _Choice:
    """The proposals of all heads, after the pass."""

    def __init__(self, part: ProposalsPart) -> None:
        self.part, self.sums, self.rest = part, part.sums, part.rest
        self.fit, self.held = self.sums.half(0), self.sums.half(1)
        self.scores = _scores(self.sums)
        self.names: dict[str, int] = {}

    def record(self) -> Proposals:
        layers, heads = self.part.shape
        chosen, held = self.part.tokens.tolist()
        free = self.sums.free.sum(0) / max(chosen + held, 1)
        best = [[self._of(layer, head) for head in range(heads)] for layer in range(layers)]
        return Proposals(
            tried=len(PATTERNS) * len(KINDS),
            chosen_on=chosen,
            held_out=held,
            patterns=list(self.names),
            free=[[min(round(one, 4), 1.0) for one in row] for row in free.tolist()],
            heads=best,
        )

    def _of(self, layer: int, head: int) -> list[Proposal]:
        free = self.sums.free[:, layer, head]
        if min(self.part.tokens.tolist()) == 0 or free.sum() < LEAST_FREE * self.part.tokens.sum():
            return []
        singles = [self._single(layer, head, *at) for at in self._best(layer, head)]
        union = self._union(layer, head)
        return ([union, *singles] if union else singles)[:BEST]

    def _best(self, layer: int, head: int) -> list[tuple[int, int]]:
        """The best patterns, each in its best form; of the ranges of distance only the best."""
        by_pattern, kinds = self.scores[layer, head].max(-1)
        order = by_pattern.argsort(descending=True, stable=True)[: BEST + len(NEARBY)].tolist()
        nearby = [pattern for pattern in order if PATTERNS[pattern] in NEARBY]
        kept = [pattern for pattern in order if pattern not in nearby[1:]]
        return [(pattern, int(kinds[pattern])) for pattern in kept[:BEST]]

    def _single(self, layer: int, head: int, pattern: int, kind: int) -> Proposal:
        at = (layer, head, pattern, kind)
        by_group = _with_all(self.sums.explained[1:, layer, head])[:, pattern, kind]
        return self._proposal(
            narrowed(PATTERNS[pattern], KINDS[kind]),
            fit=float(self.fit[0][at]),
            by_group=by_group,
            free=self.sums.free[1:, layer, head],
            chance=float(self.held[1][at]),
        )

    def _union(self, layer: int, head: int) -> Proposal | None:
        """The first pattern and what adds most to it; None where nothing adds enough."""
        if self.part.first is None or not self.part.before[0, layer, head] > 0:
            return None
        first = self.part.first[layer][head]
        before, on_first = self.part.before[:, layer, head], self.part.on_first[:, layer, head]
        besides = _with_all(self.rest.explained[:, layer, head])  # [group pattern kind]
        share = (on_first[0] + besides[0]) / before[0]
        chance = (self.fit[1][layer, head] + self.fit[1][(layer, head, *first)]).clamp_max(1)
        costs = _costs()
        score = gain_of(share, chance) - costs - costs[first]
        second = divmod(int(score.argmax()), len(KINDS))
        if score[second] < self.scores[layer, head].max() + LEAST_UNION:
            return None
        pair = [narrowed(PATTERNS[one], KINDS[kind]) for one, kind in (first, second)]
        return self._proposal(
            either(*pair),
            fit=float(share[second]),
            by_group=on_first[1:] + besides[(slice(1, None), *second)],
            free=before[1:],
            chance=float(
                (self.held[1][layer, head][first] + self.held[1][layer, head][second]).clamp_max(1)
            ),
        )

    def _proposal(
        self, pattern: str, *, fit: float, by_group: Tensor, free: Tensor, chance: float
    ) -> Proposal:
        whole = free.sum().clamp_min(1e-9)
        share = float(by_group.sum() / whole)
        used = free > 0
        n = int(used.sum())
        spread = (by_group - share * free)[used].double().square().sum()
        error = float((spread * n / (n - 1)).sqrt() / whole) if n > 1 else None
        gain = (share - chance) / max(1 - chance, 1e-6)
        return Proposal(
            pattern=self.names.setdefault(pattern, len(self.names)),
            fit=_thousandths(fit),
            share=_thousandths(share),
            error=None if error is None else round(error * 1000),
            chance=_thousandths(chance),
            gain=round(gain * 1000),
        )


def _thousandths(share: float) -> int:
    return min(max(round(share * 1000), 0), 1000)
