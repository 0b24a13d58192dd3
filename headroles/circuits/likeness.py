"""How alike two heads are by their weights: what they look for (QK) and what they write (OV).

With rows as vectors, a head scores ``x W_Q W_K^T x^T`` and writes ``x W_V W_O``. Two heads are held
against each other by the cosine of these d_model x d_model matrices,

    <A, B> / |A||B|,   <A, B> = sum over all cells of A times B,

which are never made: for ``A = a b^T`` and ``B = c d^T`` it is ``sum((a^T c) * (b^T d))``, two
products of d_head x d_model x d_head. A head's own way of writing its thin factors does not matter
(``W_Q M`` and ``W_K M^-T`` give the same head). The gain and the centring of the norm that a layer
reads through are folded in; scales, biases and rotary positions are not part of it. Matrices of
heads that have nothing to do with each other have a cosine near 0, with a spread of about
1 / d_model.

>>> likeness(load_model("demo"), Head(0, 0), [Head(0, 0)])  # doctest: +SKIP
WeightLikeness(qk=tensor([1.]), ov=tensor([1.]))
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from headroles.circuits import composition, weights
from headroles.models import LoadedModel
from headroles.models.cores import one_core
from headroles.types import Head


@dataclass(frozen=True, eq=False)
class WeightLikeness:
    """Cosines of a head's matrices with those of others."""

    qk: Float[Tensor, " other"]
    """[other] -1..1, of what they look for; 1 for the same."""
    ov: Float[Tensor, " other"]
    """[other] -1..1, of what they write; -1 for one that writes the opposite."""

    @property
    def both(self) -> Float[Tensor, " other"]:
        """[other] the mean of the two."""
        return (self.qk + self.ov) / 2


@dataclass(frozen=True, eq=False)
class _Thin:
    """The thin factors of a layer's heads; each matrix is ``left @ right.T``."""

    query: Float[Tensor, "head d_model d_head"]
    key: Float[Tensor, "head d_model d_head"]
    value: Float[Tensor, "head d_model d_head"]
    output: Float[Tensor, "head d_model d_head"]


@one_core()
def likeness(loaded: LoadedModel, head: Head, others: Sequence[Head]) -> WeightLikeness:
    """A head held against others of its model.

    Raises:
        UnsupportedModelError: if the weights cannot be read by head.
    """
    own = _of(_thin(loaded, head.layer), head.head)
    qk, ov = torch.zeros(len(others)), torch.zeros(len(others))
    for layer, places in _by_layer(others).items():
        layer_factors = _thin(loaded, layer)
        for place in places:
            there = _of(layer_factors, others[place].head)
            qk[place] = _cosine(own[:2], there[:2])
            ov[place] = _cosine(own[2:], there[2:])
    return WeightLikeness(qk, ov)


@one_core()
def of_pairs(loaded: LoadedModel, chosen: Sequence[tuple[Head, Head]]) -> WeightLikeness:
    """The same of some pairs of heads, for what is usual in a model.

    Raises:
        UnsupportedModelError: if the weights cannot be read by head.
    """
    heads = list(dict.fromkeys(head for pair in chosen for head in pair))
    made = {}
    for layer, places in _by_layer(heads).items():
        layer_factors = _thin(loaded, layer)
        made |= {heads[place]: _of(layer_factors, heads[place].head) for place in places}
    qk = [_cosine(made[one][:2], made[other][:2]) for one, other in chosen]
    ov = [_cosine(made[one][2:], made[other][2:]) for one, other in chosen]
    return WeightLikeness(torch.tensor(qk), torch.tensor(ov))


def random_pairs(heads: Sequence[Head], n: int, *, seed: int = 0) -> list[tuple[Head, Head]]:
    """So many pairs of two different heads, drawn at random; all of them if there are fewer."""
    count = len(heads) * (len(heads) - 1) // 2
    one, other = torch.triu_indices(len(heads), len(heads), offset=1)
    if n < count:
        generator = torch.Generator().manual_seed(seed)
        some = torch.randperm(count, generator=generator)[:n].sort().values
        one, other = one[some], other[some]
    return [(heads[a], heads[b]) for a, b in zip(one.tolist(), other.tolist(), strict=True)]


def _by_layer(heads: Iterable[Head]) -> dict[int, list[int]]:
    """{layer: places of its heads}."""
    places: dict[int, list[int]] = {}
    for place, head in enumerate(heads):
        places.setdefault(head.layer, []).append(place)
    return places


def _thin(loaded: LoadedModel, layer: int) -> _Thin:
    own = weights.layer_weights(loaded, layer)
    norm, kv = weights.attention_norm(loaded, layer), list(own.kv_of)
    query, key, value = (
        composition.folded(side, norm) for side in (own.W_Q, own.W_K[kv], own.W_V[kv])
    )
    return _Thin(query, key, value, composition.written(loaded, layer).mT)


def _of(factors: _Thin, head: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    return factors.query[head], factors.key[head], factors.value[head], factors.output[head]


def _cosine(one: tuple[Tensor, ...], other: tuple[Tensor, ...]) -> float:
    """Of two matrices given by their thin factors (left, right)."""
    size = (_product(one, one) * _product(other, other)) ** 0.5
    return _product(one, other) / size if size else 0.0


def _product(one: tuple[Tensor, ...], other: tuple[Tensor, ...]) -> float:
    (left, right), (other_left, other_right) = one, other
    return float(((left.T @ other_left) * (right.T @ other_right)).sum())
