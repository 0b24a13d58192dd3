"""Attention by distance: how far back a head looks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from headroles.roles import Prompts, cells
from headroles.scoring.activation import missing_mass, row_sizes
from headroles.scoring.by_layer import Sight, Visible

NOTHING_LEFT = 1e-5
"""A row with less than this beside the resting column is noise: numbers agree to 1e-5 only."""


LONGEST = 16
"""Distances that an offset profile tells apart."""


@dataclass(frozen=True, eq=False)
class WithoutRest:
    """A pattern whose resting column is hidden."""

    attention: Float[Tensor, "query key"]
    """[query key] column 0 is zero; every other row sums to 1, but for the empty ones."""
    empty_rows: tuple[int, ...]
    """The rows with nothing left, all zero; row 0 is always one of them."""
    left: float
    """0..1, mean attention on other tokens than the first, over the rows q >= 1 that see it: those
    of the resting share. With what a learned sink takes there, the two add up to 1."""


def without_rest(attention: Float[Tensor, "query key"], *, visible: Visible = None) -> WithoutRest:
    """Hide the resting column: ``A'[q, k] = A[q, k] / sum over j >= 1 of A[q, j]``, ``k >= 1``.

    It shows what a head does with the attention that does not rest on the first token. The shares
    are shares of *that* attention, which may be little: say so beside the picture.
    ``visible`` is what the head can see; None for every token so far.
    """
    kept = attention.clone()
    kept[:, 0] = 0
    left = kept.sum(-1, keepdim=True)  # [query 1]
    empty = left < NOTHING_LEFT
    beside = left[1:, 0] if visible is None else left[1:, 0][visible[1:, 0]]
    return WithoutRest(
        attention=torch.where(empty, 0.0, kept / left.clamp_min(NOTHING_LEFT)),
        empty_rows=tuple(empty.squeeze(-1).nonzero().flatten().tolist()),
        left=float(beside.mean()) if len(beside) else 0.0,
    )


@dataclass(frozen=True)
class OffsetShare:
    """The mean attention at one distance, over the rows that have a token there."""

    share: float
    """0..1, mean over ``rows``."""
    chance: float
    """0..1, the same mean for a head that spreads evenly."""
    rows: int
    """Count of rows behind both means."""


@dataclass(frozen=True)
class OffsetProfile:
    """Where a head looks, by distance. Every row's attention is divided completely:

    the sum of ``share * rows`` over ``near``, ``further``, ``first`` and ``nowhere`` is the number
    of rows. Each mean is over the rows that can see a token there.
    """

    near: tuple[OffsetShare, ...]
    """[distance] 0 (the token itself), 1, 2 ... tokens back, as far as the prompt reaches; the
    first token counts in none of them."""
    further: OffsetShare
    """All the rest, but for the first token."""
    first: OffsetShare
    """The first token on its own: the resting share."""
    nowhere: OffsetShare
    """No token: what a learned sink takes; 0 in most models."""
    rows: int
    """Rows of the prompt after row 0."""


def offset_profile(
    attention: Float[Tensor, "query key"], *, longest: int = LONGEST, visible: Visible = None
) -> OffsetProfile:
    """Average a head's attention by how far back it looks.

    Args:
        attention: [query key] the head's pattern.
        longest: the last distance that gets a mean of its own.
        visible: what it can see; None for every token so far.
    """
    rows = attention.shape[0] - 1
    keys = row_sizes(rows + 1, visible)  # [query] q + 1, or what it sees of them
    sees = torch.ones_like(attention).tril() if visible is None else visible.to(attention.dtype)
    # Element i of the diagonal d below the main one is A[i+d, i]; the first of them is column 0.
    near = [
        _mean(
            attention.diagonal(-distance)[1:],
            1 / keys[distance + 1 :],
            sees.diagonal(-distance)[1:] > 0,
        )
        for distance in range(min(longest + 1, rows))
    ]
    far = attention.tril(-longest - 1)[longest + 2 :, 1:].sum(-1)  # [query - longest - 2]
    in_sight = sees.tril(-longest - 1)[longest + 2 :, 1:].sum(-1)  # keys among them
    missing = missing_mass(attention[1:])
    return OffsetProfile(
        near=tuple(near),
        further=_mean(far, in_sight / keys[longest + 2 :], in_sight > 0),
        first=_mean(attention[1:, 0], 1 / keys[1:], sees[1:, 0] > 0),
        nowhere=_mean(torch.zeros(rows) if missing is None else missing, torch.zeros(rows)),
        rows=rows,
    )


def _mean(
    shares: Float[Tensor, " row"],
    chances: Float[Tensor, " row"],
    counted: Bool[Tensor, " row"] | None = None,
) -> OffsetShare:
    """Over the rows that count; None: all of them."""
    if counted is not None:
        shares, chances = shares[counted], chances[counted]
    count = len(shares)
    if not count:
        return OffsetShare(0.0, 0.0, 0)
    return OffsetShare(_share(shares.double().mean()), _share(chances.double().mean()), count)


def _share(value: Tensor | float) -> float:
    return min(max(float(value), 0.0), 1.0)


def offset_shares(
    attention: Float[Tensor, "batch head query key"],
    lengths: Int[Tensor, " batch"],
    *,
    longest: int,
    visible: Visible = None,
) -> tuple[Float[Tensor, "distance batch head"], Float[Tensor, "distance batch"]]:
    """Mean attention at the distances 1 ... ``longest``, and what an even spread would give.

    Rows count where the heads can see so far back (``visible``, None: every token so far).

    Returns:
        [distance batch head] means, [distance batch] chance; NaN where a text is too short.
    """
    length = attention.shape[-1]
    sizes, prompts = row_sizes(length, visible), Prompts.of_ids([0] * length)
    shares = attention.new_empty(longest, *attention.shape[:2])  # [distance batch head]
    chances = attention.new_empty(longest, len(attention))  # [distance batch]
    for distance in range(1, longest + 1):
        there = cells.offset(prompts, distance)[0]
        if visible is not None:
            there = there & visible
        query, key = there.nonzero(as_tuple=True)
        weights = attention[..., query, key]  # [batch head row]: a row has one cell, or none
        counted = query < lengths.unsqueeze(-1)  # [batch row]
        count = counted.sum(-1)  # NaN by 0 / 0 where no row reaches so far back
        shares[distance - 1] = (weights * counted.unsqueeze(1)).sum(-1) / count.unsqueeze(-1)
        chances[distance - 1] = (counted / sizes[query]).sum(-1) / count
    return shares, chances


def every_profile(
    attention: Float[Tensor, "layer head query key"],
    *,
    longest: int = LONGEST,
    sight: Sight = (),
) -> tuple[Float[Tensor, "distance layer head"], Float[Tensor, "distance layer"]]:
    """Mean attention of every head at the distances 1 ... ``longest`` on one prompt.

    Args:
        attention: [layer head query key] the patterns.
        longest: the last distance.
        sight: [layer] what the heads can see; empty where they see every token so far.

    Returns:
        [distance layer head] means, [distance layer] of an even spread; NaN where the prompt is too
        short, or no head of the layer sees so far.
    """
    lengths = torch.tensor([attention.shape[-1]])
    by_layer = [
        offset_shares(
            pattern.unsqueeze(0), lengths, longest=longest, visible=sight[layer] if sight else None
        )
        for layer, pattern in enumerate(attention)
    ]
    shares, chances = zip(*by_layer, strict=True)
    return torch.cat(shares, 1), torch.cat(chances, 1)


@dataclass(frozen=True)
class Stripes:
    """Where a head looks from the second copy of a segment that stands twice, side by side.

    All shares are means over the rows of the second copy, 0..1.
    """

    segment: int
    """Tokens of the segment, which is how far back the first copy is."""
    rows: int
    """Rows of the second copy."""
    after: float
    """On the token after the first copy of the one that looks: the induction stripe."""
    copy: float
    """On the first copy itself."""
    before: float
    """On the token just before."""
    first: float
    """On position 0."""


def stripes(attention: Float[Tensor, "query key"], token_ids: Sequence[int]) -> Stripes | None:
    """The stripes of a pattern on ``start, segment, segment``; None where nothing stands twice.

    With a segment of L tokens, row q of the second copy (q > L) looks along the stripe of
    induction at ``A[q, q-L+1]`` and at its own copy at ``A[q, q-L]``; the second copy may be cut
    (Elhage et al. 2021; Olsson et al. 2022, arXiv 2209.11895).

    Args:
        attention: [query key] one head's pattern.
        token_ids: [pos] the ids, position 0 being the start token.
    """
    text = list(token_ids)[1:]
    for segment in range(2, len(text)):
        if text[segment:] == text[: len(text) - segment]:
            break
    else:
        return None
    # Element i of diagonal -d is A[i+d, i]; the second copy begins at row segment + 1.
    after = attention.diagonal(1 - segment)[2:]
    copy = attention.diagonal(-segment)[1:]
    before = attention.diagonal(-1)[segment:]
    first = attention[segment + 1 :, 0]
    means = (_share(part.double().mean()) for part in (after, copy, before, first))
    return Stripes(segment, len(first), *means)


@dataclass(frozen=True, eq=False)
class Peaks:
    """Each head's best distance."""

    distance: Int[Tensor, "layer head"]
    """[layer head] 2 ... longest: the distance furthest over its chance."""
    share: Float[Tensor, "layer head"]
    """[layer head] the mean attention there."""
    is_previous: Bool[Tensor, "layer head"]
    """[layer head] True where one token back is further over chance: a previous-token head."""


def peaks(
    profile: Float[Tensor, "distance layer head"],
    chance: Float[Tensor, " distance"] | Float[Tensor, "distance layer"],
) -> Peaks:
    """The peak of every offset profile (distances 1, 2, ...), with -1 kept apart.

    A distance without a chance (NaN) is one that no head of the layer can see.
    """
    even = chance.view(len(chance), -1, 1)
    lift = ((profile - even) / (1 - even)).nan_to_num(-1.0)
    best = lift[1:].max(0)
    share = profile[1:].gather(0, best.indices.unsqueeze(0)).squeeze(0)
    return Peaks(best.indices + 2, share, lift[0] >= best.values)
