"""Evidence by passage: where a head is at its strongest, and what it does typically.

The *look* of a head at token q is the most attention that it pays to one earlier token other than
the start token: ``max over 1 <= k < q of A[q, k]``, at tokens with at least four to choose from. A
head that rests looks at nothing. In a role, it is the share of attention where the role predicts
(:mod:`headroles.corpus.role_shares`).

The strongest passages alone mislead: any head has some odd places. So they stand beside a sample of
what is typical, one token from each tenth of all tokens by strength. It is drawn from a random
sample of the tokens that count, those with the smallest of seeded random numbers, so that
memory does not grow with the text and the order of the batches does not matter.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from headroles.corpus.reading import Batch
from headroles.scoring import Visible
from headroles.store.real_text import Evidence, HeadEvidence
from headroles.types import Head

if TYPE_CHECKING:
    from headroles.corpus.parts import Setting

STRONGEST = 6
"""Passages of a head that are kept as the strongest, each once."""
TENTHS = 10
SAMPLE = 400
"""Tokens from which the typical ones are drawn."""
KEYS = 4
"""Keys of a token that are kept: those with most attention."""
LEAST_CHOICE = 4
"""Earlier tokens, the start token not counted, that a look chooses from."""
SCALE = 1000
"""Shares are stored as thousandths."""


def looks(
    attention: Float[Tensor, "batch head query key"],
) -> Float[Tensor, "batch head query"]:
    """[batch head query] the most attention to one earlier token that is not the start token."""
    earlier = attention[..., 1:].tril(-2)  # column j is key j + 1, so that k < q is j <= q - 2
    return earlier.amax(-1) if earlier.shape[-1] else attention.new_zeros(attention.shape[:-1])


@dataclass(frozen=True, eq=False)
class _Places:
    """Tokens of a batch that come into the sample, and where they are put."""

    slots: Int[Tensor, " new"]
    row: Int[Tensor, " new"]
    query: Int[Tensor, " new"]


class Series:
    """The strongest and the typical tokens of some heads for one activation.

    Args:
        heads: whose activation it is.
        order: [token of the corpus] random numbers that choose the sample.
        starts: [passage] the place of its position 0 in ``order``.
    """

    def __init__(
        self, heads: Sequence[Head], order: Float[Tensor, " token"], starts: Int[Tensor, " passage"]
    ) -> None:
        self._order, self._starts = order, starts
        self._by_layer: dict[int, list[int]] = {}
        for head in heads:
            self._by_layer.setdefault(head.layer, []).append(head.head)
        self.tokens = 0
        """Tokens that counted so far."""
        self._drawn = torch.full((SAMPLE,), torch.inf)
        self._where = torch.zeros(SAMPLE, 2, dtype=torch.long)  # passage and query
        self._sample = {
            layer: torch.zeros(SAMPLE, len(some), 1 + 2 * KEYS)
            for layer, some in self._by_layer.items()
        }
        self._best = {
            layer: torch.zeros(len(some), 0, 3 + 2 * KEYS) for layer, some in self._by_layer.items()
        }

    def begin(self, batch: Batch, counts: Bool[Tensor, "batch query"]) -> None:
        """Choose which tokens of a batch come into the sample."""
        self._batch, self._counts = batch, counts
        row, query = counts.nonzero().unbind(-1)
        self.tokens += len(row)
        drawn = self._order[self._starts[batch.rows[row]] + query]
        smallest = torch.cat([self._drawn, drawn]).argsort(stable=True)[:SAMPLE]
        stays = torch.zeros(SAMPLE, dtype=torch.bool)
        stays[smallest[smallest < SAMPLE]] = True
        new = smallest[smallest >= SAMPLE] - SAMPLE
        slots = (~stays).nonzero().squeeze(-1)[: len(new)]
        self._drawn[slots] = drawn[new]
        self._where[slots] = torch.stack([batch.rows[row[new]], query[new]], -1)
        self._new = _Places(slots, row[new], query[new])

    def on_layer(
        self,
        layer: int,
        activation: Float[Tensor, "batch head query"],
        attention: Float[Tensor, "batch head query key"],
        counts: Bool[Tensor, "batch head query"],
    ) -> None:
        """Keep what a layer's heads do at the new tokens of the sample, and their best tokens."""
        if layer not in self._by_layer:
            return
        some = self._by_layer[layer]
        activation, attention = activation[:, some], attention[:, some]
        new = self._new
        if len(new.slots):
            at = activation[new.row, :, new.query].unsqueeze(-1)  # [new head 1]
            self._sample[layer][new.slots] = torch.cat(
                [at, *_top_keys(attention[new.row, :, new.query])], -1
            )
        best, query = activation.masked_fill(~counts[:, some], -1.0).max(-1)  # [batch head]
        rows = attention.gather(
            2, query[..., None, None].expand(-1, -1, 1, attention.shape[-1])
        ).squeeze(2)
        passage = self._batch.rows.unsqueeze(-1).expand_as(query)
        found = torch.cat(
            [torch.stack([best, passage.float(), query.float()], -1), *_top_keys(rows)], -1
        )
        both = torch.cat([self._best[layer], found.transpose(0, 1)], 1)  # [head candidate number]
        kept = both[..., 0].argsort(dim=-1, descending=True, stable=True)[:, :STRONGEST]
        self._best[layer] = both.gather(1, kept.unsqueeze(-1).expand(-1, -1, both.shape[-1]))

    def record(self, seed: int) -> dict[str, HeadEvidence]:
        """{head: its strongest and typical tokens}."""
        found = {}
        for layer, some in self._by_layer.items():
            for place, head in enumerate(some):
                label = Head(layer, head).label
                rng = np.random.default_rng((seed, layer, head))
                found[label] = HeadEvidence(
                    strongest=[
                        _compact(int(one[1]), int(one[2]), one[0], one[3:])
                        for one in self._best[layer][place].tolist()
                        if one[0] > 0
                    ],
                    typical=self._typical(self._sample[layer][:, place], rng),
                )
        return found

    def _typical(
        self, sample: Float[Tensor, "token number"], rng: np.random.Generator
    ) -> list[list[int]]:
        """One token of each tenth, the weakest first."""
        known = self._drawn.isfinite().nonzero().squeeze(-1)
        order = known[sample[known, 0].argsort(stable=True)].numpy()
        chosen = [rng.choice(part) for part in np.array_split(order, TENTHS) if len(part)]
        return [
            _compact(*map(int, self._where[place]), one[0], one[1:])
            for place in chosen
            for one in [sample[place].tolist()]
        ]


def _top_keys(
    rows: Float[Tensor, "*row key"],
) -> tuple[Float[Tensor, "*row top"], Float[Tensor, "*row top"]]:
    """The keys with most attention, as numbers, and their weights; 0 with weight 0 if there are
    fewer."""
    weights, keys = rows.topk(min(KEYS, rows.shape[-1]), dim=-1)
    fewer = KEYS - weights.shape[-1]
    pad = torch.nn.functional.pad
    return pad(keys.float(), (0, fewer)), pad(weights, (0, fewer))


def _compact(passage: int, query: int, activation: float, keys: Sequence[float]) -> list[int]:
    """Passage, query and activation; then key and weight by turns, in thousandths."""
    thousandths = [round(SCALE * weight) for weight in keys[KEYS:]]
    pairs = zip(keys[:KEYS], thousandths, strict=True)
    seen = [number for key, weight in pairs if weight for number in (int(key), weight)]
    return [passage, query, min(round(SCALE * activation), SCALE), *seen]


class StrongestPart:
    """Every head's looks, and every role's listed heads."""

    def __init__(self, setting: Setting) -> None:
        self._shares, self._seed = setting.shares, setting.seed
        lengths = setting.corpus.prompts.sequences.lengths
        starts = lengths.cumsum(0) - lengths
        drawn = np.random.default_rng(setting.seed).random(int(lengths.sum()), dtype=np.float32)
        order = torch.from_numpy(drawn)
        self._heads = Series(Head.every(*setting.shape), order, starts)
        listed = {key: setting.listed(key) for key in self._shares.roles}
        self._roles = {key: Series(some, order, starts) for key, some in listed.items() if some}

    def begin(self, batch: Batch) -> None:
        """A batch is about to run."""
        self._shares.begin(batch)
        places = torch.arange(batch.is_text.shape[-1])
        self._counts = batch.is_text & (places > LEAST_CHOICE)
        self._heads.begin(batch, self._counts)
        for key, series in self._roles.items():
            series.begin(batch, self._shares.rows(key))

    def on_layer(
        self, layer: int, attention: Float[Tensor, "batch head query key"], visible: Visible
    ) -> None:
        """Take in one layer of it."""
        counts = self._counts.unsqueeze(1).expand(attention.shape[:3])
        self._heads.on_layer(layer, looks(attention), attention, counts)
        for key, series in self._roles.items():
            look = self._shares.of(layer, attention, visible)[key]
            series.on_layer(layer, look.share, attention, look.counts)

    def end(self) -> None:
        """The batch has run; every layer is taken in already."""

    def record(self) -> Evidence:
        """What is shown of every head."""
        return Evidence(
            tokens=self._heads.tokens,
            heads=self._heads.record(self._seed),
            roles={key: series.record(self._seed) for key, series in self._roles.items()},
        )
