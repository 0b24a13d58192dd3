"""What pairs of components add to attention scores: a query component and a key component.

A score is ``scale * q . k``, with q and k sums over components of the layer's query and key matrix
(:mod:`headroles.circuits.component_sets`) and a bias. Where queries and keys are rotated by their
positions, only their distance counts, and for a query n and a key k positions before it

    score[n, n - k] = sum_c sum_d  a_c(n) b_d(n - k)  scale * (V_c^h R_k) . V_d^h

with a and b the inner activations ``x . U`` of the two tokens, V^h the features of head h, and R_k
the rotation by k positions (nothing where the layer does not rotate). The last factor follows from
the weights alone (:meth:`Sides.products`). The biases are one more part on either side, whose
activation is always 1, so that the sum over all parts is the layer's product to the error of the
components: exact for those of the SVD.

How far back a pair works is that factor times a strength. U and V of a component may be scaled
against each other, and their signs changed together, without any change of the component; a
strength made of activations makes up for it:

    typical    t_c t_d, with t the root mean square over text, with the sign of the mean
    measured   the mean of a_c(n) b_d(n - k) over text, one for each distance

The plain mean is not taken for t: an activation that is as often positive as negative has a mean of
nothing and may still be large.

>>> parts = sides(loaded, "svd", 0)  # doctest: +SKIP
>>> profile(parts, typical_strength(queries, keys, offsets=4), top=3).parts.shape  # doctest: +SKIP
torch.Size([5, 8, 4])
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from headroles.circuits.component_sets import Kind, factors_at
from headroles.circuits.parts import Rotation
from headroles.circuits.weights import layer_weights, rotation
from headroles.errors import DecompositionError
from headroles.models import LoadedModel

SIZE, CHANGE = "size", "change"
ORDERS = (SIZE, CHANGE)
"""What makes a pair one of the strongest: its largest number, or how far it moves with distance."""

Pair = tuple[int, int]
"""The numbers of a query component and a key component of one layer."""


@dataclass(frozen=True, eq=False)
class Sides:
    """What the queries and keys of one layer are sums of, before any rotation."""

    query: Float[Tensor, "head query_part d_head"]
    """[head query_part d_head] V of each query component, then the bias; times the scale."""
    key: Float[Tensor, "head key_part d_head"]
    """[head key_part d_head] V of each key component, then the bias; of the key head that each
    query head uses."""
    rotation: Rotation | None
    """How the layer turns them by position; None where it does not."""

    @property
    def num_heads(self) -> int:
        """Query heads."""
        return len(self.query)

    def products(self, head: int, offset: int) -> Float[Tensor, "query_part key_part"]:
        """What each pair adds to a head's score ``offset`` tokens back, for activations of 1."""
        query = self.query[head]
        if self.rotation is not None:
            query = self.rotation.apply(query, offset)
        return query @ self.key[head].T

    def exact(
        self,
        head: int,
        offset: int,
        queries: Float[Tensor, " query_component"],
        keys: Float[Tensor, " key_component"],
    ) -> Float[Tensor, "query_part key_part"]:
        """What each pair adds to one cell of a head's scores; the sum is the score before a cap or
        a position bias.

        Args:
            head: of the layer.
            offset: how many tokens the key stands before the query.
            queries: inner activations of the query's token.
            keys: those of the key's token.
        """
        return torch.outer(_with_bias(queries), _with_bias(keys)) * self.products(head, offset)


def sides(loaded: LoadedModel, kind: Kind, layer: int) -> Sides:
    """What the queries and keys of a layer are made of.

    Raises:
        DecompositionError: if there are no such components, or queries or keys are normed between
            projection and score, so that a score is no sum.
    """
    weights = layer_weights(loaded, layer)
    if weights.q_norm is not None or weights.k_norm is not None:
        raise DecompositionError(
            "This model norms its queries and keys after the projection, so a score is not a sum "
            "over pairs of components.",
            hint="Choose a model without such a norm.",
        )
    key_heads = list(weights.kv_of)

    def parts(name: str, bias: Float[Tensor, "own d_head"]) -> Float[Tensor, "own part d_head"]:
        V = factors_at(loaded, kind, (layer, name)).V
        by_head = V.unflatten(1, (len(bias), -1)).movedim(1, 0)  # [own component d_head]
        return torch.cat([by_head, bias.unsqueeze(1).to(by_head.dtype)], 1)

    query = weights.scale * parts("q", weights.b_Q)
    key = parts("k", weights.b_K)[key_heads]
    return Sides(query, key, rotation(loaded, layer))


def _with_bias(activations: Float[Tensor, "*of component"]) -> Float[Tensor, "*of part"]:
    return torch.cat([activations, torch.ones_like(activations[..., :1])], -1)


# ------------------------------------------------------------------ strengths


def typical(activations: Float[Tensor, "token component"]) -> Float[Tensor, " component"]:
    """[component] the root mean square over tokens, with the sign of the mean.

    >>> typical(torch.tensor([[3.0, -1.0], [-1.0, -1.0]]))  # sqrt(5), -1
    tensor([ 2.2361, -1.0000])
    """
    size = activations.square().mean(0).sqrt()
    return torch.where(activations.mean(0) < 0, -size, size)


def typical_strength(
    queries: Float[Tensor, "token query_component"],
    keys: Float[Tensor, "token key_component"],
    *,
    offsets: int,
) -> Float[Tensor, "offset query_part key_part"]:
    """The same for every distance: the typical activations of both, times each other."""
    both = torch.outer(_with_bias(typical(queries)), _with_bias(typical(keys)))
    return both.expand(offsets, -1, -1)


def measured_strength(
    texts: Iterable[tuple[Tensor, Tensor]],
    *,
    offsets: int,
) -> Float[Tensor, "offset query_part key_part"]:
    """Mean products of the activations of all pairs of tokens that are so far apart.

    Position 0, the start token of every text, counts neither as a query nor as a key.

    Args:
        texts: of each text, the inner activations [pos query_component] and [pos key_component].
        offsets: distances, from 0.

    Raises:
        DecompositionError: if no text is long enough for the last distance.
    """
    sums, counts = None, [0] * offsets
    for queries, keys in texts:
        a, b = _with_bias(queries[1:]), _with_bias(keys[1:])
        if sums is None:
            sums = torch.zeros(offsets, a.shape[1], b.shape[1])
        for offset in range(min(offsets, len(a))):
            sums[offset] += a[offset:].T @ b[: len(b) - offset]
            counts[offset] += len(a) - offset
    if sums is None or not all(counts):
        raise DecompositionError(
            f"No text has two tokens that are {offsets - 1} apart.",
            hint="Choose fewer distances, or longer texts.",
        )
    return sums / torch.tensor(counts)[:, None, None]


# ------------------------------------------------------------------ by distance


@dataclass(frozen=True, eq=False)
class PairProfile:
    """What pairs of components add to the scores of a layer's heads, by distance."""

    pairs: tuple[Pair, ...]
    """The strongest, the first the strongest."""
    parts: Float[Tensor, "part head offset"]
    """[part head offset] those pairs, then all that a bias has a part in, then all other pairs."""
    heads: tuple[int, ...]
    """[head] which heads of the layer."""
    rotates: bool
    """Whether the distance has a part in it by a rotation."""

    @property
    def biases(self) -> Float[Tensor, "head offset"]:
        """[head offset] what a bias of query or key has a part in."""
        return self.parts[-2]

    @property
    def rest(self) -> Float[Tensor, "head offset"]:
        """[head offset] all pairs that are not among the strongest."""
        return self.parts[-1]

    @property
    def total(self) -> Float[Tensor, "head offset"]:
        """[head offset] the sum over all parts."""
        return self.parts.sum(0)


def profile(
    parts: Sides,
    strength: Float[Tensor, "offset query_part key_part"],
    *,
    top: int,
    head: int | None = None,
    order: str = SIZE,
) -> PairProfile:
    """The strongest pairs of a layer and what they add at each distance, head by head.

    Args:
        parts: of the layer.
        strength: from :func:`typical_strength` or :func:`measured_strength`.
        top: how many pairs on their own.
        head: which head decides which are the strongest; None for the sum over heads. The numbers
            are of all heads either way.
        order: one of :data:`ORDERS`: by the largest absolute number over distances, or by the
            difference between the highest and the lowest.
    """
    queries, keys = strength.shape[1] - 1, strength.shape[2] - 1
    deciding = range(parts.num_heads) if head is None else [head]
    low = torch.full((queries, keys), torch.inf)
    high, totals, biases = -low, [], []
    for offset, factor in enumerate(strength):
        together, total, bias = torch.zeros(queries, keys), [], []
        for number in range(parts.num_heads):
            made = parts.products(number, offset) * factor
            pairs = made[:queries, :keys]
            total.append(made.sum())
            bias.append(total[-1] - pairs.sum())
            if number in deciding:
                together += pairs
        low, high = low.minimum(together), high.maximum(together)
        totals.append(torch.stack(total))
        biases.append(torch.stack(bias))
    size = high.maximum(-low) if order == SIZE else high - low
    best = size.flatten().topk(min(top, size.numel())).indices.tolist()
    chosen = tuple(divmod(place, keys) for place in best)
    named = of_pairs(parts, strength, chosen)
    whole, with_bias = torch.stack(totals, 1), torch.stack(biases, 1)  # [head offset]
    rest = whole - with_bias - named.sum(0)
    return PairProfile(
        chosen,
        torch.cat([named, with_bias[None], rest[None]]),
        tuple(range(parts.num_heads)),
        parts.rotation is not None,
    )


def of_pairs(
    parts: Sides, strength: Float[Tensor, "offset query_part key_part"], pairs: Sequence[Pair]
) -> Float[Tensor, "pair head offset"]:
    """[pair head offset] what some pairs add to each head's score at each distance."""
    if not pairs:
        return torch.zeros(0, parts.num_heads, len(strength))
    queries, keys = [query for query, _ in pairs], [key for _, key in pairs]
    q, k = parts.query[:, queries], parts.key[:, keys]  # [head pair d_head]
    made = []
    for offset in range(len(strength)):
        turned = q if parts.rotation is None else parts.rotation.apply(q, offset)
        made.append((turned * k).sum(-1) * strength[offset, queries, keys])  # [head pair]
    return torch.stack(made, -1).movedim(1, 0)
