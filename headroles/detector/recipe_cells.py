"""The weights W of the recipes: which cells of a text count, and how much.

Each function gives [batch query key] weights, of which a text's own sum is 1 per averaged thing
(an entry of a diagonal, a pair, a row), so that ``sum(A W)`` is the recipe's mean. Positions are
those of the text as it is run; rows of padding have no weight.

>>> import torch
>>> from headroles.roles import Prompts
>>> stripe(Prompts.of_ids([0, 5, 6, 5, 6]), back=1)[0].diagonal(-1).tolist()
[0.25, 0.25, 0.25, 0.25]
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from headroles.roles import ROLES, Prompts
from headroles.scoring import role_weights

Weights = Float[Tensor, "batch query key"]


def stripe(prompts: Prompts, *, back: int) -> Weights:
    """The mean of a diagonal: every row that has a token so far back."""
    query, key = _places(prompts)
    return _mean((query - key == back) & _within(prompts))


def second_copy(prompts: Prompts, *, half: int, back: int, start: int) -> Weights:
    """The mean of a diagonal over the rows of the second copy alone.

    Args:
        prompts: two copies of ``half`` tokens.
        half: tokens of a copy.
        back: how far back the diagonal lies.
        start: tokens before the first copy, 0 or 1.
    """
    query, key = _places(prompts)
    rows = (query >= start + half) & (query < start + 2 * half)
    return _mean((query - key == back) & rows & _within(prompts))


def earlier_copies(prompts: Prompts, *, segment: int) -> Weights:
    """Every pair of a token and a follower of its earlier copies, each pair alike.

    Args:
        prompts: a start token, then copies of ``segment`` tokens.
        segment: tokens of a copy.
    """
    query, key = _places(prompts)
    back = query - key + 1  # a whole number of copies, where k follows a copy of q
    copies = (query - 1) // segment  # before this one
    pairs = (back % segment == 0) & (back > 0) & (back // segment <= copies) & (query > 0)
    return _mean(pairs & _within(prompts))


def prefix_matching(prompts: Prompts, *, segment: int) -> Weights:
    """Prefix matching by the indices of Bansal et al. 2023 and of Crosbie & Shutova 2024.

    Row i from ``segment + 1`` on counts the keys ``r segment + (i mod segment) + 1`` for every r
    below ``i // segment``; sums are averaged over rows.

    Args:
        prompts: a start token, then copies of ``segment`` tokens.
        segment: tokens of a copy.
    """
    query, key = _places(prompts)
    before = key - 1 - query % segment  # r times segment
    cells = (before >= 0) & (before % segment == 0) & (before // segment < query // segment)
    rows = (query > segment) & _within(prompts)
    counted = rows.any(-1).sum(-1).clamp_min(1)  # [batch]
    return (cells & rows) / counted.view(-1, 1, 1)


def first_column(prompts: Prompts) -> Weights:
    """The mean of column 0 over all rows, row 0 included."""
    _query, key = _places(prompts)
    return _mean((key == 0) & _within(prompts))


def per_row(prompts: Prompts, *, role: str) -> Weights:
    """The cells of one of our roles, averaged over rows; all attention is the denominator."""
    return role_weights(ROLES[role], prompts).weights


def per_pair(prompts: Prompts, *, role: str) -> Weights:
    """The same cells, averaged over pairs."""
    return _mean(role_weights(ROLES[role], prompts).weights > 0)


def _places(prompts: Prompts) -> tuple[Tensor, Tensor]:
    """[query 1] and [1 key]."""
    places = torch.arange(prompts.sequences.token_ids.shape[1])
    return places.unsqueeze(-1), places.unsqueeze(0)


def _within(prompts: Prompts) -> Bool[Tensor, "batch query 1"]:
    """[batch query 1] the rows of each text."""
    places = torch.arange(prompts.sequences.token_ids.shape[1])
    return (places < prompts.sequences.lengths.unsqueeze(-1)).unsqueeze(-1)


def _mean(cells: Bool[Tensor, "batch query key"]) -> Weights:
    """Every cell of a text alike; causal ones only."""
    kept = cells.tril().float()
    return kept / kept.sum((-2, -1), keepdim=True).clamp_min(1)
