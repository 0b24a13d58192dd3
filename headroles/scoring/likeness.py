"""How alike two heads are, and two lists of numbers: pure arithmetic on shares, cells and ranks.

The *overlap* of two divisions of a whole is what both give to the same part,
``sum of min(p, q)``: 1 for equal ones, 0 where they have nothing in common. It is one minus the
total variation distance.

The *cosine* of two attention patterns is ``sum A B / (|A| |B|)`` over the cells of a text: 1 where
one is a multiple of the other, 0 where no cell is looked at by both.

>>> import torch
>>> overlap(torch.tensor([0.5, 0.5, 0.0]), torch.tensor([0.25, 0.5, 0.25]))
tensor(0.7500)
>>> cosine(torch.tensor([[4.0, 2.0], [2.0, 1.0]]))  # [1, 0.5] times 2 and [1, 0.5]
tensor([[1., 1.],
        [1., 1.]])
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor


def overlap(
    one: Float[Tensor, "*one kind"], other: Float[Tensor, "*other kind"]
) -> Float[Tensor, "*both"]:
    """Sum of the smaller shares over the last axis; the other axes are matched as torch does."""
    return torch.minimum(one, other).sum(-1)


def all_overlaps(
    ones: Float[Tensor, "one kind"], others: Float[Tensor, "other kind"]
) -> Float[Tensor, "one other"]:
    """:func:`overlap` of every row with every row."""
    return overlap(ones.unsqueeze(1), others.unsqueeze(0))


def closeness(
    ones: Float[Tensor, " one"], others: Float[Tensor, " other"]
) -> Float[Tensor, "one other"]:
    """One minus the difference of two numbers from 0 to 1, for every pair."""
    return 1 - (ones.unsqueeze(1) - others).abs()


def cosine(products: Float[Tensor, "head head"]) -> Float[Tensor, "head head"]:
    """From the sums of products of every two heads' cells; 0 where a head has no attention."""
    size = products.diagonal().clamp_min(0).sqrt()
    both = size.unsqueeze(1) * size
    return torch.where(both > 0, products / both.clamp_min(torch.finfo(both.dtype).tiny), 0.0)


def pairs(matrix: Float[Tensor, "one other"], *, same: bool) -> Float[Tensor, " pair"]:
    """The numbers of all pairs: of two different heads of one model, each once, or of two models.

    Args:
        matrix: every head with every head.
        same: whether both are of one model, and the matrix symmetric.
    """
    if not same:
        return matrix.flatten()
    one, other = torch.triu_indices(*matrix.shape, offset=1)
    return matrix[one, other]


def share_below(value: float, others: Float[Tensor, " pair"]) -> float:
    """0..1, the share of some numbers that are smaller; 0 where there are none.

    >>> share_below(0.5, torch.tensor([0.1, 0.2, 0.5, 0.9]))
    0.5
    """
    return float((others < value).double().mean()) if len(others) else 0.0


class Correlation(NamedTuple):
    """How far two numbers of heads rise together."""

    rho: float | None
    """-1..1, Spearman's rank correlation; None where one of them is the same for all heads."""
    n: int
    """Count of heads that have both."""


def spearman(ones: Sequence[float | None], others: Sequence[float | None]) -> Correlation:
    """Spearman's rank correlation (Spearman 1904), of the heads that have both numbers.

    It is the correlation of the ranks; equal numbers share the mean of their ranks.

    >>> spearman([1.0, 2.0, 3.0, None], [10.0, 30.0, 20.0, 5.0])
    Correlation(rho=0.5, n=3)
    """
    both = [(x, y) for x, y in zip(ones, others, strict=True) if x is not None and y is not None]
    if len(both) < 3:
        return Correlation(None, len(both))
    x, y = (ranks(np.array(column, dtype=float)) for column in zip(*both, strict=True))
    x, y = x - x.mean(), y - y.mean()
    size = float(np.sqrt((x @ x) * (y @ y)))
    return Correlation(round(float(x @ y) / size, 12) if size else None, len(both))


def ranks(values: np.ndarray) -> np.ndarray:
    """1 for the smallest; equal numbers get the mean of their places.

    >>> ranks(np.array([0.3, 0.1, 0.3])).tolist()
    [2.5, 1.0, 2.5]
    """
    ordered = np.sort(values)
    first = np.searchsorted(ordered, values, side="left")
    last = np.searchsorted(ordered, values, side="right")
    return (first + last + 1) / 2
