"""What heads write at some tokens, and how alike that is: their effects, held against each other.

A head writes ``z W_O`` into the residual stream. Two heads are alike if they write in the same
direction at the same tokens. What a head writes everywhere alike is a bias that tells no token from
another, so each head's mean over the tokens is taken off first:

    cosine of  o_a[t] - mean o_a  and  o_b[t] - mean o_b,  over all tokens t and all of d_model

1 for heads that write the same (or a multiple of it), -1 for the opposite: one undoes the other. It
is what they hand on, not what the rest of the model makes of it.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from headroles.attribution.recording import record_rows
from headroles.circuits import weights
from headroles.models import LoadedModel
from headroles.scoring import likeness

EVERY = 32
"""A passage is stopped after every so many tokens, and what heads write there is kept."""


def beginnings(token_ids: Sequence[Sequence[int]], *, every: int = EVERY) -> list[tuple[int, ...]]:
    """Each text up to every so many tokens, and whole.

    >>> [len(row) for row in beginnings([range(70), range(10)])]
    [32, 64, 70, 10]
    """
    rows = []
    for ids in token_ids:
        ends = [*range(every, len(ids), every), len(ids)]
        rows += [tuple(ids[:end]) for end in ends]
    return rows


def outputs(
    loaded: LoadedModel, token_ids: Sequence[Sequence[int]]
) -> Float[Tensor, "row head d_model"]:
    """[row head d_model] what every head writes at the last token of each row, the biases of the
    output projections left out, as the end of the residual stream finds it.

    Raises:
        UnsupportedModelError: if what heads write cannot be told apart.
        NotANumberError: if the model computes NaN or infinity.
    """
    seen = record_rows(loaded, token_ids, logits=False)
    layers = []
    for layer in range(loaded.num_layers):
        own, writing = weights.layer_weights(loaded, layer), weights.writing(loaded, layer)
        z = torch.stack([one.z[layer] for one in seen]).float()  # [row head d_head]
        written = writing.apply(torch.einsum("rhd,hdm->rhm", z, own.W_O.float()))
        scales = torch.stack([one.scales[layer] for one in seen]).float()
        layers.append(written / scales[:, None, None])
    return torch.cat(layers, 1)


def joined(parts: Sequence[Float[Tensor, "_ head d_model"]]) -> Float[Tensor, "row head d_model"]:
    """The rows of several parts as one."""
    return torch.cat(list(parts))


def alike(written: Float[Tensor, "row head d_model"]) -> Float[Tensor, "head head"]:
    """[head head] -1..1, the cosines; 0 for a head that writes the same at every token."""
    changing = written - written.mean(0)
    flat = changing.transpose(0, 1).flatten(1).double()  # [head row*d_model]
    return likeness.cosine(flat @ flat.T).float()
