"""How sharp a head's attention is: the largest weight of a row, on average.

Evenness (the entropy of *diffuse*) cannot tell an even spread over a few tokens from two peaks and
a long tail; the largest weight can. Over the rows that have a choice, as for ``diffuse``,

    largest = mean over q of  max over k of A[q, k]

It is 1 for a head that always looks at one token, and an even spread has the mean of 1 / |V(q)|,
with V(q) the keys that row q can see.

>>> import torch
>>> two_peaks = torch.tensor([[1.0, 0, 0], [0.5, 0.5, 0], [0.45, 0.45, 0.1]])
>>> round(float(mean_largest(two_peaks)), 3), round(even_largest(3), 3)
(0.475, 0.417)
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from headroles.scoring.activation import MIN_WORK, missing_mass, row_sizes
from headroles.scoring.by_layer import Sight, Visible


def mean_largest(
    attention: Float[Tensor, "*heads query key"], visible: Visible = None
) -> Float[Tensor, "*heads"]:
    """Mean largest weight over the rows that see more than one key; 0 where there is none.

    A row of a model with a learned sink is first divided by its sum (at least 2%), as for
    ``diffuse``: what is on no token makes no row sharp.

    Args:
        attention: [*heads query key] patterns of heads that see the same keys.
        visible: [query key] what they can see; None for every token so far.
    """
    choice = row_sizes(attention.shape[-1], visible) > 1  # [query]
    if not bool(choice.any()):
        return attention.new_zeros(attention.shape[:-2])
    largest = attention.amax(-1)  # [*heads query]
    missing = missing_mass(attention)
    if missing is not None:
        largest = largest / (1 - missing).clamp_min(MIN_WORK)
    return largest[..., choice].mean(-1)


def even_largest(length: int, visible: Visible = None) -> float:
    """The same number of a head that spreads its attention evenly; 0 without a row that has a
    choice."""
    sizes = row_sizes(length, visible)
    sizes = sizes[sizes > 1]
    return float((1 / sizes).mean()) if len(sizes) else 0.0


def every_largest(
    attention: Float[Tensor, "layer head query key"], sight: Sight = ()
) -> Float[Tensor, "layer head"]:
    """Of every head on a prompt.

    ``sight`` is [layer] what the heads see; empty where that is every token so far.
    """
    return torch.stack(
        [
            mean_largest(pattern, sight[layer] if sight else None)
            for layer, pattern in enumerate(attention)
        ]
    )
