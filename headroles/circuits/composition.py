"""How far a later head reads what an earlier one writes (Elhage et al. 2021)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from headroles.circuits import weights
from headroles.circuits.parts import Norm
from headroles.circuits.qk_ov import CircuitError, OnBlock
from headroles.models import LoadedModel
from headroles.models.cores import one_core
from headroles.types import Head

KINDS = ("Q", "K", "V")
"""What a later head's circuit may read from an earlier head's output: query, key or value."""

DRAWS = 32
"""How many pairs of random matrices the baseline is the mean of."""


@dataclass(frozen=True, eq=False)
class Composition:
    """How much later heads read of what earlier heads write, for one kind."""

    kind: str
    """``Q``, ``K`` or ``V``."""
    score: Float[Tensor, "earlier later"]
    """[earlier later] Frobenius norm of the product over the product of the norms, 0..1; NaN where
    the second head is not in a later layer."""
    baseline: float
    """The mean of the same ratio for random matrices of these shapes."""
    spread: float
    """Its standard deviation over the draws."""
    draws: int
    heads: tuple[Head, ...]
    """The heads in the order of both axes."""


def composition(
    loaded: LoadedModel,
    kind: str,
    *,
    norm: str = "folded",
    on_block: OnBlock | None = None,
) -> Composition:
    """Composition scores of all pairs of heads (Elhage et al. 2021).

    With rows as vectors, head 1 writes ``x W_V W_O`` and head 2 scores ``x W_Q W_K^T x^T``::

        Q: |OV1 QK2| / |OV1||QK2|    K: |OV1 QK2^T| / ...    V: |OV1 OV2| / |OV1||OV2|

    with W_O as the stream finds it, behind a norm of the attention's output (Gemma 2, OLMo 2). All
    of them are d_model x d_model matrices that are never made. With ``W_V = Q R`` the norm of
    ``W_V X`` is that of ``R X``, and R is d_head x d_head; the same holds at the other end. What is
    left is one product of all heads of two layers, d_head x d_model x d_head a pair.

    Args:
        loaded: the model.
        kind: one of :data:`KINDS`.
        norm: ``none``, or anything else to fold in the later layer's gain and centring.
        on_block: told after each later layer.

    Raises:
        CircuitError: for another kind.
        UnsupportedModelError: if the stream does not hold a fixed multiple of what heads write.
    """
    blocks = []
    for later in range(1, loaded.num_layers):
        blocks.append(block_scores(loaded, kind, later, norm=norm))
        if on_block:
            on_block(later, loaded.num_layers - 1)
    return assemble(loaded, kind, blocks)


@one_core()
def block_scores(
    loaded: LoadedModel, kind: str, later: int, *, norm: str = "folded"
) -> Float[Tensor, "earlier head"]:
    """[earlier head] scores of every head of one layer with all heads of the layers before it.

    Args:
        loaded: the model.
        kind: one of :data:`KINDS`.
        later: the layer, from 1 on.
        norm: as for :func:`composition`.

    Raises:
        CircuitError: for another kind.
    """
    if kind not in KINDS:
        raise CircuitError(f"There is no {kind}-composition.", hint="Choose Q, K or V.", value=kind)
    fold = None if norm == "none" else weights.attention_norm(loaded, later)
    read = _reading(loaded, later, kind, fold)
    scores = []
    for earlier in range(later):
        own = weights.layer_weights(loaded, earlier)
        # [head d_head d_model]
        writes = root(own.W_V)[list(own.kv_of)] @ written(loaded, earlier)
        scores.append(_scores(writes, read))
    return torch.cat(scores)


def root(tall: Float[Tensor, "... given d"]) -> Float[Tensor, "... d_or_less d"]:
    """R of the QR decomposition: a small matrix that makes vectors as long as the tall one does."""
    return torch.linalg.qr(tall.float(), mode="r").R


def assemble(
    loaded: LoadedModel, kind: str, blocks: Sequence[Float[Tensor, "_ head"]]
) -> Composition:
    """The scores of all pairs, of those of the layers from 1 on, beside random matrices."""
    layers, heads = loaded.shape
    score = torch.full((layers * heads, layers * heads), torch.nan)
    for later, block in enumerate(blocks, start=1):
        score[: later * heads, later * heads : (later + 1) * heads] = block
    d_model, d_head = weights.layer_weights(loaded, 0).W_Q.shape[1:]
    mean, spread = random_composition(d_model, d_head)
    names = tuple(Head.every(layers, heads))
    return Composition(kind, score, mean, spread, DRAWS, names)


@dataclass(frozen=True, eq=False)
class _Reading:
    """What the heads of a layer do with the stream, as ``first[of] @ last.T``."""

    first: Float[Tensor, "some_head d_model d_head"]
    of: tuple[int, ...]
    """[head] which ``first`` it is: query heads may share a key or a value."""
    last: Float[Tensor, "head d_head_or_less d_head"]
    """The :func:`root` of each head's second thin matrix."""


def written(loaded: LoadedModel, layer: int) -> Float[Tensor, "head d_head d_model"]:
    """W_O as the residual stream finds it, behind a norm of the attention's output."""
    return weights.writing(loaded, layer).apply(weights.layer_weights(loaded, layer).W_O.float())


def _reading(loaded: LoadedModel, layer: int, kind: str, fold: Norm | None) -> _Reading:
    own = weights.layer_weights(loaded, layer)
    every, shared = tuple(range(own.num_heads)), own.kv_of
    if kind == "Q":
        return _Reading(folded(own.W_Q, fold), every, root(folded(own.W_K, fold))[list(shared)])
    if kind == "K":
        return _Reading(folded(own.W_K, fold), shared, root(folded(own.W_Q, fold)))
    return _Reading(folded(own.W_V, fold), shared, root(written(loaded, layer).mT))


def folded(
    reads: Float[Tensor, "some_head d_model d_head"], fold: Norm | None
) -> Float[Tensor, "some_head d_model d_head"]:
    """What reads the stream, with the norm's gain and centring in it."""
    if fold is None:
        return reads.float()
    reads = reads.float() * fold.weight[:, None]
    # Centring the stream is the same as centring what reads it.
    return reads - reads.mean(1, keepdim=True) if fold.kind == "LayerNorm" else reads


def _scores(
    writes: Float[Tensor, "head d_head d_model"], read: _Reading
) -> Float[Tensor, "head later_head"]:
    """|write read| / |write||read| of each earlier head with each later one.

    Both norms are those of the full matrices, as ``writes`` and ``read.last`` are roots.
    """
    heads, d_head, d_model = writes.shape
    middle = writes.reshape(-1, d_model) @ read.first  # [some_head head*d_head d_head]
    both = middle[list(read.of)] @ read.last.mT  # [later_head head*d_head d_head]
    both = both.unflatten(1, (heads, d_head)).flatten(2).norm(dim=2).T  # [head later_head]
    reads = (read.first[list(read.of)] @ read.last.mT).flatten(1).norm(dim=1)
    size = writes.flatten(1).norm(dim=1)[:, None] * reads
    return torch.where(size > 0, both / size, 0.0)


def composed(
    write: tuple[Float[Tensor, "a d"], Float[Tensor, "d b"]],
    read: tuple[Float[Tensor, "b e"], Float[Tensor, "e c"]],
) -> float:
    """|write read| / |write||read| for matrices given as products of thin ones."""
    reading = _Reading(read[0][None], (0,), root(read[1].T[None]))
    return float(_scores((root(write[0]) @ write[1])[None], reading))


def random_composition(d_model: int, d_head: int, *, seed: int = 0) -> tuple[float, float]:
    """Mean and standard deviation of the ratio for pairs of random matrices of a head's shape."""
    generator = torch.Generator().manual_seed(seed)

    def draw() -> tuple[Tensor, Tensor]:
        return (
            torch.randn(d_model, d_head, generator=generator),
            torch.randn(d_head, d_model, generator=generator),
        )

    ratios = torch.tensor([composed(draw(), draw()) for _ in range(DRAWS)])
    return float(ratios.mean()), float(ratios.std())
