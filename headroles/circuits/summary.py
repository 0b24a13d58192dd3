"""A head's circuits in a few numbers, and what its scores owe to positions alone.

>>> summary = summarise(load_model("demo"), Head(0, 6), CircuitSettings(), even)  # doctest: +SKIP
>>> summary.copying  # -1..1  # doctest: +SKIP
0.93
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from headroles.circuits import weights
from headroles.circuits.qk_ov import (
    BLOCK_BYTES,
    RIVALS,
    CircuitSettings,
    Factors,
    head_factors,
    normed_embedding,
    read_stream,
    side,
    token_vectors,
)
from headroles.circuits.weights import HeadWeights
from headroles.models import LoadedModel
from headroles.types import Head

AMONG = 5
"""A token is copied if its own logit is among so many raised most (Wang et al. 2022)."""
POSITIONS = 64
"""How many positions or offsets the positional table shows."""
NEAR = 32
"""The distances over which the scores by place are compared with those by tokens."""


@dataclass(frozen=True)
class HeadSummary:
    """One head's circuits in a few numbers."""

    head: Head
    copying: float
    """-1..1, sum of OV's eigenvalues over the sum of their sizes: 1 for a head that copies."""
    copies: float
    """0..1, share of source tokens whose own logit is among the :data:`AMONG` raised most."""
    lowers: float
    """0..1, share of them whose own logit is among the :data:`AMONG` lowered most."""
    copies_of: int
    """Count of source tokens that were looked at for it."""
    self_match: float
    """How far QK's diagonal lies above its mean, in standard deviations of all cells."""
    previous: float
    """0..1, attention that the average token would pay to the one before it, by position alone."""
    previous_chance: float
    """0..1, the same for a head that spreads evenly."""
    by_tokens: float
    """How far a query's scores differ between key tokens: their standard deviation."""
    by_place: float
    """How far they differ between the :data:`NEAR` nearest places, for an average token."""
    preferred: int
    """The distance at which an average token scores highest; 0 is the token itself."""


def eigenvalues(factors: Factors) -> Tensor:
    """[d_head] complex: the eigenvalues of OV that can differ from zero.

    ``value @ out`` and ``out @ value`` have the same ones, and the second is d_head x d_head.
    """
    return torch.linalg.eigvals(factors.out.double() @ factors.value.double())


def copying_score(factors: Factors) -> float:
    """Sum of OV's eigenvalues over the sum of their absolute values (Elhage et al. 2021)."""
    values = eigenvalues(factors)
    size = float(values.abs().sum())
    return float(values.real.sum()) / size if size else 0.0


def copied_share(
    factors: Factors, sources: Sequence[int], *, sign: int = 1, among: int = AMONG
) -> float:
    """Share of source tokens whose own logit is among the most raised (or, ``sign`` -1, lowered).

    Most sources lose against the longest outputs already; only the others are compared with all.
    """
    ids = torch.tensor(list(sources))
    values = sign * factors.value[ids]
    own = (values * factors.out[:, ids].T).sum(1, keepdim=True)
    rivals = factors.out.norm(dim=0).topk(min(RIVALS, factors.vocab_size)).indices
    strongest = values @ factors.out[:, rivals]
    slack = 1e-4 * (own.abs() + strongest.amax(1, keepdim=True).abs())  # rounding must not decide
    left = (strongest > own + slack).sum(1) < among
    size, hits = max(1, BLOCK_BYTES // (4 * factors.vocab_size)), 0
    for part, value in zip(ids[left].split(size), values[left].split(size), strict=True):
        logits = value @ factors.out
        as_high = (logits >= logits.gather(1, part.unsqueeze(1))).sum(1)  # itself among them
        hits += int((as_high <= among).sum())
    return hits / len(ids)


def self_match(factors: Factors) -> float:
    """(mean of QK's diagonal - mean of QK) / standard deviation of QK.

    Mean and spread of all vocab x vocab cells follow from the thin factors: the sum of squares of
    ``Q K^T`` is the trace of ``(Q^T Q)(K^T K)``.
    """
    query, key = factors.query.double(), factors.key.double()
    mean = float(query.mean(0) @ key.mean(0))
    square = float(((query.T @ query) * (key.T @ key)).sum()) / len(query) ** 2
    spread = max(square - mean**2, 0.0) ** 0.5
    return (float((query * key).sum(1).mean()) - mean) / spread if spread else 0.0


def token_spread(factors: Factors, probabilities: Float[Tensor, " vocab"]) -> float:
    """Standard deviation of a query's scores over keys, both as likely as their tokens occur.

    The variance over keys for a query q is ``q C q``, with C the covariance of the keys.
    """
    weight = (probabilities / probabilities.sum()).unsqueeze(1)
    keys = factors.key - (weight * factors.key).sum(0)
    covariance = (weight * keys).T @ keys
    variances = ((factors.query @ covariance) * factors.query).sum(1)
    return float((weight.squeeze(1) * variances.clamp(min=0)).sum()) ** 0.5


def summarise(
    loaded: LoadedModel,
    head: Head,
    settings: CircuitSettings,
    probabilities: Float[Tensor, " vocab"],
    *,
    factors: Factors | None = None,
    place: PositionalTable | None = None,
    sample: int = 2000,
) -> HeadSummary:
    """One head in a few numbers; copying by count looks at the ``sample`` likeliest tokens.

    ``factors`` and ``place`` (:func:`positional_table`) are made if the caller has none.
    """
    factors = factors or head_factors(loaded, head, settings)
    sources = probabilities.topk(min(sample, len(probabilities))).indices.tolist()
    place = place or positional_table(loaded, head, settings, probabilities, factors=factors)
    share, chance = previous_affinity(place)
    offsets = place.offsets
    return HeadSummary(
        head,
        copying_score(factors),
        copied_share(factors, sources),
        copied_share(factors, sources, sign=-1),
        len(sources),
        self_match(factors),
        share,
        chance,
        token_spread(factors, probabilities),
        float(offsets[1 : NEAR + 1].std()) if place.kind != "none" else 0.0,
        int(offsets.argmax()),
    )


@dataclass(frozen=True, eq=False)
class PositionalTable:
    """What a head's scores owe to positions alone, for an average token."""

    scores: Float[Tensor, "query key"]
    """[query key] scores by position; above the diagonal they mean nothing."""
    by_offset: bool
    """Whether only the distance matters (rotary, ALiBi), so that one column tells it all."""
    kind: str
    """``learned``, ``rotary``, ``bias`` or ``none``."""

    @property
    def offsets(self) -> Float[Tensor, " offset"]:
        """[offset] the mean score at each distance, 0 first."""
        n = len(self.scores)
        return torch.stack([self.scores.diagonal(-offset).mean() for offset in range(n)])


def positional_table(
    loaded: LoadedModel,
    head: Head,
    settings: CircuitSettings,
    probabilities: Float[Tensor, " vocab"],
    *,
    factors: Factors | None = None,
    count: int = POSITIONS,
) -> PositionalTable:
    """Scores between positions, with the average token (by probability) standing at each.

    Learned positions are added to the average embedding before the norm; rotary ones turn the
    average token's query and key; ALiBi subtracts its slope for each step of distance. With the
    head's ``factors`` under the same settings, the averages need not go through all tokens anew.
    """
    own = weights.layer_weights(loaded, head.layer)
    norm = weights.attention_norm(loaded, head.layer)
    tokens = token_vectors(loaded, head.layer, settings)
    learned = weights.positions(loaded)
    kind = weights.layout(loaded).positions
    if learned is not None:
        average = probabilities @ tokens  # [d_model]
        x = read_stream(norm, average + learned[:count], settings)  # [pos d_model]
        query = side(own, x, head.head, "Q", settings)
        key = side(own, x, head.head, "K", settings)
        return PositionalTable(own.scale * query @ key.T, by_offset=False, kind=kind)
    if factors is None:
        query, key = _average_sides(loaded, own, head, settings, probabilities)
    else:
        query, key = probabilities @ factors.query / own.scale, probabilities @ factors.key
        if settings.minus_bos:  # what was subtracted of each key
            bos = read_stream(norm, tokens[loaded.start.token_id], settings)
            key = key + probabilities.sum() * side(own, bos, head.head, "K", settings)
    turn, slopes = (
        weights.rotation(loaded, head.layer),
        weights.distance_slopes(loaded, head.layer),
    )
    turned = [query if turn is None else turn.apply(query, n) for n in range(count)]
    by_offset = own.scale * torch.stack(turned) @ key  # [offset]
    if slopes is not None:
        by_offset = by_offset - slopes[head.head] * torch.arange(count)
    apart = (torch.arange(count)[:, None] - torch.arange(count)).clamp(min=0)
    return PositionalTable(by_offset[apart], by_offset=True, kind=kind)


def _average_sides(
    loaded: LoadedModel,
    own: HeadWeights,
    head: Head,
    settings: CircuitSettings,
    probabilities: Float[Tensor, " vocab"],
) -> tuple[Float[Tensor, " d_head"], Float[Tensor, " d_head"]]:
    """Query and key averaged over tokens by their probability."""
    query, key = torch.zeros(own.W_Q.shape[2]), torch.zeros(own.W_K.shape[2])
    for block, x in normed_embedding(loaded, head.layer, settings):
        query += probabilities[block] @ side(own, x, head.head, "Q", settings)
        key += probabilities[block] @ side(own, x, head.head, "K", settings)
    return query, key


def previous_affinity(table: PositionalTable) -> tuple[float, float]:
    """Mean attention to the previous position by position alone, and its chance level.

    Rows 2 and later, as for the previous-token role: row 1's predecessor is where heads rest.
    """
    n = len(table.scores)
    hidden = torch.full((n, n), -torch.inf).triu(1)
    pattern = (table.scores + hidden).softmax(-1)
    rows = torch.arange(2, n)
    return float(pattern[rows, rows - 1].mean()), float((1 / (rows + 1)).mean())
