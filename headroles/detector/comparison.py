"""One layer's attention against detection patterns, by three measures.

Let A[q, k] be a head's attention on a prompt of n tokens, D[q, k] a detection pattern and M the
cells that are kept: all causal ones, without column 0 (``exclude_bos``) and without the diagonal
(``exclude_current_token``) if requested. Three measures compare A and D:

==============  =====================================================  =========================
measure         number                                                 source
==============  =====================================================  =========================
``activation``  the role's: mean over applying rows of sum of A where  :mod:`headroles.scoring`
                D > 0; of induction and duplicate token, as a share
                of the attention that does not rest
``mul``         sum(A M D) / sum(A M)                                  ``detect_head``, default
``abs``         1 - round(sum(|A - D| M) / n, 3)                       ``detect_head``
==============  =====================================================  =========================

``mul`` and ``abs`` are those of TransformerLens (Nanda & Bloom 2022), the rounding included. The
exclusions are theirs alone: an activation always keeps the whole row, so that a head that rests
cannot pass. Each measure has its *chance*: the number of a head that spreads its attention evenly.

All three are linear in A for a pattern of zeros and ones (then |A - D| = A + D - 2AD), so one
matrix product per layer serves all patterns.

In a layer that does not see every token so far, D, M and the even spread are cut to what it sees.
Attention on no token (a learned sink) is kept, as another place to rest, unless position 0 is
excluded: so ``mul`` never divides by the little that a sink leaves, but where it is asked to.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from headroles.roles import Prompts, Role
from headroles.scoring import MIN_WORK, Visible, cell_weights, even_spread
from headroles.scoring.activation import missing_mass

MEASURES = ("activation", "mul", "abs")
"""The names of the measures."""


@dataclass(frozen=True, eq=False)
class CellWeights:
    """Patterns on a batch of prompts: the D, M and W of the module's docstring."""

    drawn: Float[Tensor, "pattern batch query key"]
    """[pattern batch query key] D, cut to the kept cells."""
    kept: Float[Tensor, "batch query key"]
    """[batch query key] M, 0 or 1."""
    weights: Float[Tensor, "pattern batch query key"]
    """[pattern batch query key] 1 / rows on the cells that count for the activation."""
    work: Float[Tensor, "worked batch query key"]
    """[worked batch query key] the same on the attention of which the activation is a share, for
    the patterns at the places ``worked``."""
    worked: tuple[int, ...]
    """The patterns whose activation is a share of some of the attention only."""
    rows: Int[Tensor, "pattern batch"]
    """[pattern batch] rows that apply for the activation."""
    rest: Bool[Tensor, "batch query"]
    """[batch query] the rows of which attention on no token is kept: all of the text, or, where
    position 0 is left out, none, for a learned sink is another place to rest."""
    lengths: Int[Tensor, " batch"]
    """[batch] true lengths."""
    binary: Bool[Tensor, " pattern"]
    """[pattern] whether D holds zeros and ones only."""

    @property
    def filled(self) -> Float[Tensor, "pattern batch"]:
        """[pattern batch] 0..1, the share of rows in which the pattern has a cell."""
        return (self.drawn > 0).any(-1).sum(-1) / self.lengths

    @property
    def largest_row(self) -> Float[Tensor, " pattern"]:
        """[pattern] the largest sum of a row of the pattern."""
        return self.drawn.sum(-1).flatten(1).amax(-1)


def pattern_weights(
    patterns: Sequence[Role],
    prompts: Prompts,
    *,
    exclude_bos: bool = False,
    exclude_current_token: bool = False,
    visible: Visible = None,
) -> CellWeights:
    """Draw patterns on prompts, and the cells that the exclusions leave.

    ``visible`` is what the heads can see, where that is not every token so far.

    Raises:
        PatternError: if an expression gives no number from 0 to 1 somewhere.
    """
    lengths = prompts.sequences.lengths
    length = prompts.sequences.token_ids.shape[1]
    drawn = torch.stack([pattern.draw(prompts) for pattern in patterns])
    counted = [
        cell_weights(
            cells > 0,
            lengths=lengths,
            among=pattern.among(prompts) if pattern.among else None,
            visible=visible,
        )
        for pattern, cells in zip(patterns, drawn, strict=True)
    ]
    work = [cells.work for cells in counted if cells.work is not None]
    within = torch.arange(length) < lengths.unsqueeze(-1)  # [batch query]
    kept = within.unsqueeze(-1).float().expand(-1, -1, length).tril()
    if visible is not None:
        kept *= visible
    if exclude_bos:
        kept[..., 0] = 0
    if exclude_current_token:
        kept = kept.tril(-1)
    flat = drawn.flatten(1)
    return CellWeights(
        drawn=drawn * kept,
        kept=kept,
        weights=torch.stack([cells.weights for cells in counted]),
        work=torch.stack(work) if work else drawn[:0],
        worked=tuple(place for place, cells in enumerate(counted) if cells.work is not None),
        rows=torch.stack([cells.rows for cells in counted]),
        rest=torch.zeros_like(within) if exclude_bos else within,
        lengths=lengths,
        binary=((flat == 0) | (flat == 1)).all(-1),
    )


def compare(
    attention: Float[Tensor, "batch head query key"], patterns: CellWeights
) -> tuple[dict[str, Float[Tensor, "pattern batch head"]], Float[Tensor, "batch head"]]:
    """One layer's patterns against all detection patterns, from one matrix product.

    Args:
        attention: [batch head query key], rows of padding included.
        patterns: from :func:`pattern_weights`, on the same batch.

    Returns:
        {measure: [pattern batch head]}, and [batch head] the attention left by the exclusions, that
        on no token included.
    """
    count = len(patterns.drawn)
    cells = [patterns.drawn, patterns.weights, patterns.work, patterns.kept.unsqueeze(0)]
    sums = attention.flatten(-2) @ torch.cat(cells).flatten(2).permute(1, 2, 0)
    sums = sums.permute(2, 0, 1)  # [2 * pattern + worked + 1, batch head]
    hit, activation, left = sums[:count], sums[count : 2 * count], sums[-1]
    for place, work in zip(patterns.worked, sums[2 * count : -1], strict=True):
        activation[place] /= work.clamp_min(MIN_WORK)
    predicted = patterns.drawn.sum((-1, -2)).unsqueeze(-1)  # [pattern batch 1]
    error = left + predicted - 2 * hit  # sum of |A - D| where D is 0 or 1
    for place in (~patterns.binary).nonzero().flatten().tolist():
        gap = (attention - patterns.drawn[place].unsqueeze(1)).abs_()  # [batch head query key]
        error[place] = (gap * patterns.kept.unsqueeze(1)).sum((-1, -2))
    missing = missing_mass(attention)  # [batch head query]
    if missing is not None:
        left = left + (missing * patterns.rest.unsqueeze(1)).sum(-1)
    scores = {
        "activation": torch.where(patterns.rows.unsqueeze(-1) > 0, activation, torch.nan),
        "mul": hit / left,
        # detect_head rounds the error; a tie may fall either way, as float32 sums differ by order.
        "abs": (1 - (error.double() / patterns.lengths.unsqueeze(-1)).round(decimals=3)).float(),
    }
    return scores, left


class DrawnBySight:
    """The patterns on a batch, drawn once for each set of keys that a layer can see."""

    def __init__(
        self,
        patterns: Sequence[Role],
        prompts: Prompts,
        *,
        exclude_bos: bool,
        exclude_current_token: bool,
    ) -> None:
        self._prompts = prompts
        self._draw = partial(
            pattern_weights,
            patterns,
            prompts,
            exclude_bos=exclude_bos,
            exclude_current_token=exclude_current_token,
        )
        self._drawn: dict[int, tuple[Visible, CellWeights, dict[str, Tensor]]] = {}

    def to(self, visible: Visible) -> tuple[CellWeights, dict[str, Tensor]]:
        """The patterns, and {measure: [pattern batch]} of an even spread, to heads that see so."""
        if id(visible) not in self._drawn:
            patterns = self._draw(visible=visible)
            length = self._prompts.sequences.token_ids.shape[1]
            spread = even_spread(length, visible).expand(len(self._prompts), -1, -1, -1)
            even = {name: one.squeeze(-1) for name, one in compare(spread, patterns)[0].items()}
            self._drawn[id(visible)] = visible, patterns, even
        return self._drawn[id(visible)][1:]

    @property
    def all_seen(self) -> list[CellWeights]:
        """The patterns as any layer sees them."""
        return [patterns for _, patterns, _ in self._drawn.values()]
