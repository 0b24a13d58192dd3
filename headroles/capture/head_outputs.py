"""How much a head's output changes from token to token: the second witness of resting.

A head's output at row q is ``o[q] = z[q] W_O``, with z its attention-weighted values and W_O its
rows of the layer's output projection (the projection's bias belongs to no head). What it writes
everywhere alike is a bias of the layer: no token is told apart by it. So the witness is

    change = mean over q >= 1 of |o[q] - mean o|  /  mean over q >= 1 and all heads of |o[q]|

with all heads of its layer: 0 for a head that writes the same everywhere, and 1 for one whose
output changes by as much as a head of its layer writes. Layers are not compared: the residual
stream grows with depth, and what a layer writes grows with it. Where a norm stands between the
attention and the residual stream (gemma2, gemma3, olmo2) this is before that norm, which acts on
the sum of the layer's heads.

The length of a vector needs not the vector: with ``W_O^T = Q R``, ``|z W_O| = |R z|``, and R is
only as wide as a head.

After Sandoval-Segura et al. 2026 (arXiv 2504.03889), who find that the attention on the first token
alone misses heads that do nothing, and judge by the norm of a head's output relative to its layer.
Without the part that never changes, that norm tells better what a knock-out to the mean changes
(``docs/definitions.md``).

>>> import torch
>>> z = torch.tensor([[[9.0], [9.0]], [[1.0], [3.0]], [[1.0], [5.0]]])  # [query head dim]
>>> output_change(z, roots(torch.ones(2, 1, 4)))  # head 1: 6 and 10 long, so 2 from their mean of 8
tensor([0.0000, 0.4000])
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor


def roots(weights: Float[Tensor, "head dim model"]) -> Float[Tensor, "head rank dim"]:
    """R of each head's W_O, with ``|R z| = |z W_O|``; at most as many rows as z has numbers."""
    return torch.linalg.qr(weights.float().mT, mode="r").R


def output_change(
    z: Float[Tensor, "*batch query head dim"],
    roots: Float[Tensor, "*layer head rank dim"],
    *,
    lengths: Int[Tensor, " batch"] | None = None,
) -> Float[Tensor, "*batch head"]:
    """How much each head's output changes from token to token, next to what its layer writes.

    Args:
        z: [*batch query head dim] the heads' outputs before the projection: one layer's on a batch
            of prompts, or [layer query head dim] on one prompt.
        roots: from :func:`roots`, [head rank dim] of that layer or [layer head rank dim].
        lengths: [batch] true lengths when rows are padded on the right; None without padding.

    Returns:
        [*batch head] 0 and up; 0 where the layer writes nothing, and on a prompt of one token; NaN
        where z is, or is too long for its numbers.
    """
    rooted = z.float()[..., 1:, :, :].transpose(-3, -2) @ roots.mT  # [*batch head query-1 rank]
    counted = torch.ones(rooted.shape[-2], dtype=torch.bool)
    if lengths is not None:
        within = torch.arange(1, rooted.shape[-2] + 1) < lengths.unsqueeze(-1)  # [batch query-1]
        counted = within.unsqueeze(-2)  # [batch 1 query-1]
    rows = counted.sum(-1, keepdim=True).clamp_min(1)
    rooted = rooted * counted.unsqueeze(-1)
    mean = rooted.sum(-2, keepdim=True) / rows.unsqueeze(-1)
    written = rooted.norm(dim=-1).sum(-1).mean(-1, keepdim=True)  # [*batch 1] rows times the mean
    changed = ((rooted - mean).norm(dim=-1) * counted).sum(-1)  # [*batch head]
    return (changed / written).where(written != 0, 0.0)
