"""From attention, values and weights to the numbers of the extended roles. Pure functions.

**What a head writes.** Query head h reads the key/value head ``g(h) = h // (H / G)`` of its layer
(Ainslie et al. 2023, arXiv 2305.13245). From position k it moves ``o = v[g(h), k] W_O[h]`` to q. A
norm with its scale frozen is linear, ``norm(x) = P x * gain / scale`` (P subtracts the mean in a
LayerNorm and nothing in an RMSNorm), so the direct effect of o on the logit of token t is

    <o, t> = o . P(gain * (W_U[:, t] - reference)) / scale[q]

(direct logit attribution; Elhage et al. 2021). A softmax does not change when the same number is
added to all logits, so an effect needs a reference: the mean over the tokens it competes with.

**Offsets.** ``profile[d] = mean over q with q - d >= 1 of A[q, q - d]``: the start token counts at
no distance, as in :func:`headroles.scoring.offsets.offset_profile`.

>>> key_value_index(8, 2).tolist()
[0, 0, 0, 0, 1, 1, 1, 1]
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from headroles.errors import ShapeError

# ------------------------------------------------------------------ attention


# ------------------------------------------------------------------ what a head writes


def key_value_index(num_heads: int, num_kv_heads: int) -> Int[Tensor, " head"]:
    """[head] the key/value head that each query head reads.

    Raises:
        ShapeError: if the query heads do not divide evenly.
    """
    if not 0 < num_kv_heads <= num_heads or num_heads % num_kv_heads:
        raise ShapeError(
            "The key/value heads", expected=f"a divisor of {num_heads}", got=num_kv_heads
        )
    return torch.arange(num_heads) // (num_heads // num_kv_heads)


def through_norm(
    directions: Float[Tensor, "*token model"], gain: Float[Tensor, " model"], *, centers: bool
) -> Float[Tensor, "*token model"]:
    """Directions behind a norm as directions before it, its scale left out: ``P(gain * d)``."""
    scaled = directions * gain
    return scaled - scaled.mean(-1, keepdim=True) if centers else scaled


def write_effects(
    values: Float[Tensor, "*batch kv width"],
    output: Float[Tensor, "head width model"],
    directions: Float[Tensor, "*batch model"],
) -> Float[Tensor, "*batch head"]:
    """``v[g(h)] W_O[h] . d``: what each head would write along a direction at full attention.

    Args:
        values: [*batch kv width] the values at one position, by key/value head.
        output: [head width model] W_O by query head.
        directions: [*batch model] one direction per position.
    """
    index = key_value_index(output.shape[0], values.shape[-2])
    read = torch.einsum("hwm,...m->...hw", output, directions)  # [*batch head width]
    return (values[..., index, :] * read).sum(-1)


def cell_effects(
    attention: Float[Tensor, "batch head query key"],
    effects: Float[Tensor, "batch key head"],
    cells: Int[Tensor, "cell 3"],
) -> Float[Tensor, "cell head"]:
    """``A[q, k] * effect[k]`` on single cells: attention times what is written.

    Args:
        attention: [batch head query key] one layer's patterns.
        effects: [batch key head] from :func:`write_effects`.
        cells: [cell 3] batch, query and key of the cells that count.
    """
    batch, query, key = cells.unbind(-1)
    return attention[batch, :, query, key] * effects[batch, key]


def largest_is(
    logits: Float[Tensor, "*head item choice"], wanted: Int[Tensor, " item"]
) -> Float[Tensor, "*head item"]:
    """1 where the wanted choice has the largest logit of all, else 0; a tie does not count."""
    right = logits.gather(-1, wanted.expand(logits.shape[:-1]).unsqueeze(-1))  # [*head item 1]
    return ((logits >= right).sum(-1) == 1).to(logits.dtype)


# ------------------------------------------------------------------ lists and words
