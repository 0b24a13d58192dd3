"""From what kind of token to what kind of token does a head look?

The mean attention from the tokens of one kind to all tokens of another
(:mod:`headroles.texts.token_classes`), for every head, with the same for a head that spreads evenly
over what it sees. A token's look at itself is kept apart: it would make every kind look at its own.
Each row of a table sums to 1 (less where a learned sink takes some).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor

from headroles.corpus.reading import Batch
from headroles.scoring import Visible, even_spread
from headroles.store.token_kinds import KindTable
from headroles.texts.token_classes import CLASSES, PLACE, classes

if TYPE_CHECKING:
    from headroles.corpus.parts import Setting

ITSELF = "itself"
"""The last column of a table: the token that looks."""
KINDS = tuple(CLASSES)
KEYS = (*KINDS, ITSELF)
QUERIES = KINDS[1:]
"""Position 0 has no choice where to look, so it does not count as one that looks."""


def kinds_of(batch: Batch) -> Float[Tensor, "batch pos kind"]:
    """[batch pos kind] 1 at each token's kind, in the order of :data:`KINDS`; 0 on padding."""
    found = torch.zeros(*batch.prompts.sequences.token_ids.shape, len(KINDS))
    for row, tokens in enumerate(batch.prompts.tokens):
        places = torch.tensor([PLACE[kind] for kind in classes(tokens)])
        found[row, torch.arange(len(tokens)), places] = 1
    return found


class KindsPart:
    """Adds up attention by kinds of tokens; a :class:`~headroles.corpus.parts.Part`."""

    def __init__(self, setting: Setting) -> None:
        layers, heads = setting.shape
        size = len(QUERIES), len(KEYS)
        self.mass = torch.zeros(layers, heads, *size, dtype=torch.double)
        self.even = torch.zeros(layers, *size, dtype=torch.double)
        self.rows = torch.zeros(len(QUERIES), dtype=torch.double)
        self.sees_all = True

    def begin(self, batch: Batch) -> None:
        """A batch is about to run."""
        self._kinds = kinds_of(batch)
        self._queries = self._kinds[..., 1:]  # [batch query kind]; start tokens look nowhere
        self._even: dict[int, tuple[Visible, Tensor]] = {}

    def on_layer(
        self, layer: int, attention: Float[Tensor, "batch head query key"], visible: Visible
    ) -> None:
        """One layer of the batch."""
        self.mass[layer] += self._by_kind(attention)
        if id(visible) not in self._even:
            spread = even_spread(attention.shape[-1], visible)
            self._even[id(visible)] = visible, self._by_kind(spread)[0]
        self.even[layer] += self._even[id(visible)][1]
        self.sees_all &= visible is None

    def _by_kind(
        self, attention: Float[Tensor, "#batch head query key"]
    ) -> Float[Tensor, "head query_kind key_kind"]:
        kinds = self._kinds.unsqueeze(1)
        itself = attention.diagonal(dim1=-2, dim2=-1).unsqueeze(-1)  # [#batch head query 1]
        to_others = attention @ kinds - itself * kinds  # [batch head query kind]
        to_kinds = torch.cat([to_others, itself.expand(*to_others.shape[:-1], 1)], -1)
        by_prompt = self._queries.transpose(1, 2).unsqueeze(1) @ to_kinds
        return by_prompt.sum(0).double()

    def end(self) -> None:
        """The batch has run."""
        self.rows += self._queries.sum((0, 1)).double()
        self._even = {}

    def record(self) -> KindTable:
        """Means in thousandths."""
        rows = self.rows.clamp_min(1).unsqueeze(-1)
        even = self.even[:1] if self.sees_all else self.even
        return KindTable(
            queries=list(QUERIES),
            keys=list(KEYS),
            rows=self.rows.long().tolist(),
            even=_thousandths(even / rows),
            mean=_thousandths(self.mass / rows),
        )


def _thousandths(shares: Tensor) -> list:
    return (shares * 1000).round().clamp(0, 1000).int().tolist()
