"""A model's weights as the circuits papers write them: W_E, W_Q, W_K, W_V, W_O and W_U by head.

Row vectors throughout: ``q = x @ W_Q[h] + b_Q[h]``, where ``x`` is the residual stream after the
layer's norm, and ``score = scale * q @ k``. Families store these numbers differently (GPT-2 fuses
all three side by side, GPT-NeoX and BLOOM interleave them head by head, Llama keeps them apart and
lets query heads share a key). Which layout a model has is found by trying: the one that reproduces
the query, key and value tensors of the model's own pass over a few tokens
(:mod:`headroles.circuits.tracing`) is taken, and a model for which none does is refused. Rotary
embeddings do nothing at position 0, so queries and keys are compared there.

Notation: Elhage et al. 2021, "A Mathematical Framework for Transformer Circuits".

>>> weights = layer_weights(load_model("demo"), 0)  # doctest: +SKIP
>>> weights.W_Q.shape  # doctest: +SKIP
torch.Size([8, 128, 16])
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from headroles.circuits.layouts import parts_of
from headroles.circuits.parts import Layout, Norm, Rotation, Writing, columns_of, matrix_of
from headroles.circuits.tracing import unreadable
from headroles.models import LoadedModel


@dataclass(frozen=True, eq=False)
class HeadWeights:
    """One attention layer, split by head; row vectors: ``q = x @ W_Q[h] + b_Q[h]``.

    The matrices are views of the model's own weights where its layout allows it: read only.
    """

    W_Q: Float[Tensor, "head d_model d_head"]
    """[head d_model d_head] residual stream to query."""
    b_Q: Float[Tensor, "head d_head"]
    """[head d_head] its bias, zeros where the model has none."""
    W_K: Float[Tensor, "kv_head d_model d_head"]
    """[kv_head d_model d_head] residual stream to key."""
    b_K: Float[Tensor, "kv_head d_head"]
    """[kv_head d_head] its bias."""
    W_V: Float[Tensor, "kv_head d_model d_head"]
    """[kv_head d_model d_head] residual stream to value."""
    b_V: Float[Tensor, "kv_head d_head"]
    """[kv_head d_head] its bias."""
    W_O: Float[Tensor, "head d_head d_model"]
    """[head d_head d_model] a head's weighted values to the output of the layer's attention; what
    the residual stream gets of it: :func:`writing`."""
    b_O: Float[Tensor, " d_model"]
    """[d_model] the bias of the output, shared by all heads."""
    kv_of: tuple[int, ...]
    """[head] which key/value head each query head uses."""
    scale: float
    """A score is this times ``q @ k``: 1/sqrt(d_head) in most models, 1 in GPT-Neo."""
    q_norm: Norm | None
    """The norm of each query between its projection and the score, or None (Qwen3, Gemma 3)."""
    k_norm: Norm | None
    """The same of each key."""

    @property
    def num_heads(self) -> int:
        """Query heads."""
        return self.W_Q.shape[0]

    def key_of(self, head: int) -> Float[Tensor, "d_model d_head"]:
        """W_K of the key/value head that a query head uses."""
        return self.W_K[self.kv_of[head]]

    def value_of(self, head: int) -> Float[Tensor, "d_model d_head"]:
        """W_V of the key/value head that a query head uses."""
        return self.W_V[self.kv_of[head]]


def layer_weights(loaded: LoadedModel, layer: int) -> HeadWeights:
    """The weights of one attention layer by head.

    Raises:
        UnsupportedModelError: if no known layout gives the queries, keys and values of the model.
    """
    layer_parts = parts_of(loaded).layers[layer]
    W_Q, b_Q = columns_of(layer_parts.query)
    W_K, b_K = columns_of(layer_parts.key)
    W_V, b_V = columns_of(layer_parts.value)
    W_out, b_O = matrix_of(layer_parts.output)
    heads, d_head = W_Q.shape[0], W_V.shape[2]
    return HeadWeights(
        W_Q, b_Q, W_K, b_K, W_V, b_V,
        W_O=W_out.reshape(heads, d_head, -1),
        b_O=torch.zeros(W_out.shape[1]) if b_O is None else b_O,
        kv_of=layer_parts.kv_of,
        scale=layer_parts.scale,
        q_norm=layer_parts.q_norm,
        k_norm=layer_parts.k_norm,
    )  # fmt: skip


Input = Literal["query", "key", "value"]
"""What a head's attention reads the residual stream with."""


def input_place(
    loaded: LoadedModel, layer: int, what: Input
) -> tuple[nn.Module, Int[Tensor, "head d_head"]]:
    """The linear module that makes a layer's queries, keys or values, and its output features.

    The features are head by head; of keys and values, one row for each key/value head
    (:func:`key_heads`). For hooks that change single heads' inputs before they are normed, rotated
    or scaled.
    """
    projection = getattr(parts_of(loaded).layers[layer], what)
    return projection.module, projection.features


def query_place(loaded: LoadedModel, layer: int) -> tuple[nn.Module, Int[Tensor, "head d_head"]]:
    """:func:`input_place` of the queries."""
    return input_place(loaded, layer, "query")


def key_heads(loaded: LoadedModel, layer: int) -> tuple[int, ...]:
    """[head] which key/value head each query head of a layer uses."""
    return parts_of(loaded).layers[layer].kv_of


def embedding(loaded: LoadedModel) -> Float[Tensor, "vocab d_model"]:
    """What each token puts into the residual stream, position left out.

    Gemma's scale, BLOOM's norm and OPT-350M's projection of the embedding are applied: row ``t`` is
    what the first layer finds of token ``t``.

    Raises:
        UnsupportedModelError: if the first layer finds something else.
    """
    return apply_embedding(loaded, loaded.model.get_input_embeddings().weight.detach())


def apply_embedding(
    loaded: LoadedModel, table: Float[Tensor, "token width"]
) -> Float[Tensor, "token d_model"]:
    """The same of some rows of the model's own table."""
    return parts_of(loaded).embedding.apply(table)


def positions(loaded: LoadedModel) -> Float[Tensor, "pos d_model"] | None:
    """What each position adds to the residual stream, or None without learned positions."""
    return parts_of(loaded).embedding.positions


def unembedding(
    loaded: LoadedModel,
) -> tuple[Float[Tensor, "d_model vocab"], Float[Tensor, " vocab"] | None]:
    """From the residual stream after the final norm to the logits: the matrix and its bias."""
    parts = parts_of(loaded)
    W_U, b_U = matrix_of(loaded.model.get_output_embeddings())
    if parts.project_out is not None:
        W_U = matrix_of(parts.project_out)[0] @ W_U
    return (W_U, b_U) if parts.logit_scale == 1 else (W_U * parts.logit_scale, b_U)


def unembedding_of(
    loaded: LoadedModel, token_ids: Sequence[int]
) -> tuple[Float[Tensor, "d_model token"], Float[Tensor, " token"]]:
    """The columns and biases of a few tokens alone, in the logits that the model gives."""
    parts, ids = parts_of(loaded), list(token_ids)
    matrix, bias = matrix_of(loaded.model.get_output_embeddings())
    W_U, b_U = matrix[:, ids].double(), torch.zeros(len(ids)) if bias is None else bias[ids]
    if parts.project_out is not None:
        W_U = matrix_of(parts.project_out)[0].double() @ W_U
    return W_U * parts.logit_scale, b_U.double() * parts.logit_scale


def writing(loaded: LoadedModel, layer: int) -> Writing:
    """What the end of the residual stream holds of what a layer's heads write with W_O.

    Raises:
        UnsupportedModelError: if that cannot be told.
    """
    found = parts_of(loaded).writings
    if isinstance(found, str):
        raise unreadable(loaded, found[:1].lower() + found[1:])
    return found[layer]


def attention_norm(loaded: LoadedModel, layer: int) -> Norm:
    """The norm between the residual stream and a layer's queries, keys and values."""
    return parts_of(loaded).layers[layer].norm


def final_norm(loaded: LoadedModel) -> Norm:
    """The norm between the last layer and the unembedding."""
    return parts_of(loaded).final_norm


def rotation(loaded: LoadedModel, layer: int) -> Rotation | None:
    """How a layer turns its queries and keys by position, or None where it does not."""
    return parts_of(loaded).layers[layer].rotation


def distance_slopes(loaded: LoadedModel, layer: int) -> Float[Tensor, " head"] | None:
    """[head] by how much a score falls with each position of distance (ALiBi), or None."""
    return parts_of(loaded).layers[layer].slopes


def layout(loaded: LoadedModel) -> Layout:
    """What was found out about how the model is put together, so that a table can state it."""
    return parts_of(loaded).layout
