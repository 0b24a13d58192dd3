"""How far a later head reads what an earlier one writes (Elhage et al. 2021)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from headroles.circuits import weights
from headroles.circuits.qk_ov import DRAWS, CircuitError, OnBlock
from headroles.circuits.weights import HeadWeights, Norm
from headroles.models import LoadedModel
from headroles.types import Head

KINDS = ("Q", "K", "V")
"""What a later head's circuit may read from an earlier head's output: query, key or value."""


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
    """How many draws."""
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

    all of them d_model x d_model matrices that are never made: ``|A B^T|^2`` is the sum of
    ``(A^T A) * (B^T B)``.

    Args:
        loaded: the model.
        kind: one of :data:`KINDS`.
        norm: ``none``, or anything else to fold in the later layer's gain and centring.
        on_block: told after each later layer.

    Raises:
        CircuitError: for another kind.
    """
    blocks = []
    for later in range(1, loaded.num_layers):
        blocks.append(block_scores(loaded, kind, later, norm=norm))
        if on_block:
            on_block(later, loaded.num_layers - 1)
    return assemble(loaded, kind, blocks)


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
    heads = range(loaded.num_heads)
    fold = None if norm == "none" else weights.attention_norm(loaded, later)
    own = weights.layer_weights(loaded, later)
    reads = [_reading(own, head, kind, fold) for head in heads]
    rows = []
    for earlier in range(later):
        layer = weights.layer_weights(loaded, earlier)
        writes = [(layer.value_of(head), layer.W_O[head]) for head in heads]
        rows += [[composed(write, read) for read in reads] for write in writes]
    return torch.tensor(rows)


def assemble(
    loaded: LoadedModel, kind: str, blocks: Sequence[Float[Tensor, "_ head"]]
) -> Composition:
    """The scores of all pairs, of those of the layers from 1 on, beside random matrices."""
    layers, heads = loaded.num_layers, loaded.num_heads
    score = torch.full((layers * heads, layers * heads), torch.nan)
    for later, block in enumerate(blocks, start=1):
        score[: later * heads, later * heads : (later + 1) * heads] = block
    d_model, d_head = weights.layer_weights(loaded, 0).W_Q.shape[1:]
    mean, spread = random_composition(d_model, d_head)
    names = tuple(Head(layer, head) for layer in range(layers) for head in range(heads))
    return Composition(kind, score, mean, spread, DRAWS, names)


def _reading(own: HeadWeights, head: int, kind: str, fold: Norm | None) -> tuple[Tensor, Tensor]:
    """What a head does with the stream, as two thin matrices: ``first @ second``."""
    first, second = {
        "Q": lambda: (own.W_Q[head], own.key_of(head).T),
        "K": lambda: (own.key_of(head), own.W_Q[head].T),
        "V": lambda: (own.value_of(head), own.W_O[head]),
    }[kind]()
    if fold is None:
        return first, second
    folded = [first * fold.weight[:, None]]
    folded.append(second if kind == "V" else second * fold.weight)
    if fold.kind == "LayerNorm":  # centring the stream is the same as centring what reads it
        folded[0] = folded[0] - folded[0].mean(0)
        folded[1] = folded[1] if kind == "V" else folded[1] - folded[1].mean(1, keepdim=True)
    return folded[0], folded[1]


def composed(
    write: tuple[Float[Tensor, "a d"], Float[Tensor, "d b"]],
    read: tuple[Float[Tensor, "b e"], Float[Tensor, "e c"]],
) -> float:
    """|write read| / |write||read| for matrices given as products of thin ones."""
    middle = write[1] @ read[0]  # [d_head d_head]
    both = _frobenius(write[0] @ middle, read[1])
    size = _frobenius(*write) * _frobenius(*read)
    return both / size if size else 0.0


def _frobenius(tall: Float[Tensor, "a d"], wide: Float[Tensor, "d b"]) -> float:
    """The Frobenius norm of ``tall @ wide``."""
    return float(((tall.T @ tall) * (wide @ wide.T)).sum().clamp(min=0).sqrt())


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
