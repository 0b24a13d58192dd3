"""How well every head of a model matches detection patterns: all prompts and patterns in one pass.

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
matrix product per layer serves all patterns. Scores are averaged over prompts, with the standard
error of the mean.

>>> detection = detect(load_model("demo"), prompts, BUILT_IN)  # doctest: +SKIP
>>> detection.summary(1, "activation").mean.max()  # doctest: +SKIP
tensor(0.9731)
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from headroles import limits
from headroles.capture import each_layer
from headroles.errors import DetectionError, UnknownHeadError
from headroles.formatting import count
from headroles.models import LoadedModel
from headroles.roles import Prompts, Role
from headroles.scoring import MIN_WORK, cell_weights, row_sizes
from headroles.texts import batches
from headroles.types import Head

MEASURES = ("activation", "mul", "abs")
"""The names of the measures."""
MAX_CELLS = 500_000
"""Prompts x length^2 that run together: about 25 MB of attention per layer for twelve heads."""

Progress = Callable[[int, int], None]
"""Called as ``progress(prompts done, prompts in all)``."""


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
    lengths: Int[Tensor, " batch"]
    """[batch] true lengths."""
    binary: Bool[Tensor, " pattern"]
    """[pattern] whether D holds zeros and ones only."""


@dataclass(frozen=True, eq=False)
class Summary:
    """One pattern by one measure, over all prompts."""

    mean: Float[Tensor, "layer head"]
    """[layer head] mean over the prompts with a score; NaN without any, or if not asked."""
    error: Float[Tensor, "layer head"]
    """[layer head] standard error of the mean over prompts; NaN for fewer than two."""
    n: Int[Tensor, "layer head"]
    """[layer head] prompts with a score."""
    chance: float
    """Mean of an even spread's number over the same prompts; NaN where there is none."""
    prompts: int
    """Prompts on which the pattern could be drawn."""

    def ranking(self) -> list[Head]:
        """The heads that have a score, highest first."""
        flat = self.mean.flatten()
        order = flat.nan_to_num(-torch.inf).argsort(descending=True, stable=True).tolist()
        heads = self.mean.shape[1]
        return [Head(*divmod(place, heads)) for place in order if not bool(flat[place].isnan())]


@dataclass(frozen=True, eq=False)
class Detection:
    """The result of one pass: every number of every head, by prompt."""

    patterns: tuple[Role, ...]
    scores: Mapping[str, Float[Tensor, "pattern prompt layer head"]]
    """{measure: [pattern prompt layer head]}; NaN where a score is not defined."""
    even: Mapping[str, Float[Tensor, "pattern prompt"]]
    """{measure: [pattern prompt]} the same for a head that spreads evenly."""
    kept: Float[Tensor, "prompt layer head"]
    """[prompt layer head] 0..1, the share of a head's attention that the exclusions leave."""
    rows: Int[Tensor, "pattern prompt"]
    """[pattern prompt] rows that apply for the activation."""
    filled: Float[Tensor, "pattern prompt"]
    """[pattern prompt] 0..1, the share of rows in which a kept cell is predicted."""
    largest_row: Float[Tensor, " pattern"]
    """[pattern] the largest sum of a row of D over the prompts; attention sums to 1."""
    binary: Bool[Tensor, " pattern"]
    """[pattern] whether it is made of zeros and ones."""
    fits: Bool[Tensor, "pattern prompt"]
    """[pattern prompt] whether the pattern can be drawn on the prompt."""
    asked: Bool[Tensor, "layer head"]
    """[layer head] whether the head was asked for."""
    lengths: Int[Tensor, " prompt"]
    """[prompt] tokens, the start token included."""
    exclude_bos: bool
    """Whether attention on position 0 was left out of ``mul`` and ``abs``."""
    exclude_current_token: bool
    """Whether a token's attention on itself was left out of them."""

    def summary(self, place: int, measure: str) -> Summary:
        """The pattern at a place of :attr:`patterns`, by a measure, over all prompts."""
        fits = self.fits[place]
        scores = self.scores[measure][place][fits].double()  # [prompt layer head]
        scores = scores.masked_fill(~self.asked, torch.nan)
        n = (~scores.isnan()).sum(0)
        mean = scores.nanmean(0)
        spread = (scores - mean).square().nansum(0) / (n - 1).clamp_min(1)  # unbiased variance
        error = torch.where(n > 1, (spread / n.clamp_min(1)).sqrt(), torch.nan)
        chance = float(self.even[measure][place][fits].double().nanmean())
        return Summary(mean.float(), error.float(), n, chance, int(fits.sum()))

    def undefined(self, place: int, measure: str) -> list[Head]:
        """The heads that were asked and have no score on some prompt that the pattern fits."""
        missing = self.scores[measure][place][self.fits[place]].isnan().any(0) & self.asked
        return [Head(*at) for at in missing.nonzero().tolist()]


def pattern_weights(
    patterns: Sequence[Role],
    prompts: Prompts,
    *,
    exclude_bos: bool = False,
    exclude_current_token: bool = False,
) -> CellWeights:
    """Draw patterns on prompts, and the cells that the exclusions leave.

    Raises:
        PatternError: if an expression gives no number from 0 to 1 somewhere.
    """
    lengths = prompts.sequences.lengths
    length = prompts.sequences.token_ids.shape[1]
    drawn = torch.stack([pattern.draw(prompts) for pattern in patterns])
    counted = [
        cell_weights(
            cells > 0, lengths=lengths, among=pattern.among(prompts) if pattern.among else None
        )
        for pattern, cells in zip(patterns, drawn, strict=True)
    ]
    work = [cells.work for cells in counted if cells.work is not None]
    within = torch.arange(length) < lengths.unsqueeze(-1)  # [batch query]
    kept = within.unsqueeze(-1).float().expand(-1, -1, length).tril()
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
        {measure: [pattern batch head]}, and [batch head] the attention left by the exclusions.
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
    scores = {
        "activation": torch.where(patterns.rows.unsqueeze(-1) > 0, activation, torch.nan),
        "mul": hit / left,
        # detect_head rounds the error; a tie may fall either way, as float32 sums differ by order.
        "abs": (1 - (error.double() / patterns.lengths.unsqueeze(-1)).round(decimals=3)).float(),
    }
    return scores, left


def even_spread(length: int) -> Float[Tensor, "1 1 query key"]:
    """[1 1 query key] a head that spreads its attention evenly over all tokens so far."""
    return (torch.ones(length, length).tril() / row_sizes(length).unsqueeze(-1)).view(
        1, 1, length, length
    )


@dataclass(frozen=True, eq=False)
class BatchScores:
    """The scores of one batch of prompts."""

    places: Int[Tensor, " batch"]
    """[batch] which prompts they are."""
    scores: Mapping[str, Float[Tensor, "pattern batch layer head"]]
    """{measure: [pattern batch layer head]}."""
    even: Mapping[str, Float[Tensor, "pattern batch"]]
    """{measure: [pattern batch]} of a head that spreads evenly."""
    kept: Float[Tensor, "batch layer head"]
    """[batch layer head] 0..1, the attention that the exclusions leave."""
    rows: Int[Tensor, "pattern batch"]
    """[pattern batch] rows that apply for the activation."""
    filled: Float[Tensor, "pattern batch"]
    """[pattern batch] 0..1, the share of rows in which the pattern has a cell."""
    largest_row: Float[Tensor, " pattern"]
    """[pattern] the largest sum of a row of the pattern."""
    binary: Bool[Tensor, " pattern"]
    """[pattern] whether it holds zeros and ones only."""


@dataclass(frozen=True, eq=False)
class DetectionPlan:
    """A detection in steps: :meth:`score` every batch, then :meth:`assemble` the scores."""

    patterns: tuple[Role, ...]
    """The detection patterns."""
    prompts: Prompts
    """The prompts."""
    fits: Bool[Tensor, "pattern prompt"]
    """[pattern prompt] which pattern fits which prompt."""
    asked: Bool[Tensor, "layer head"]
    """[layer head] the heads that are asked for."""
    exclude_bos: bool
    """Whether attention on position 0 is left out of ``mul`` and ``abs``."""
    exclude_current_token: bool
    """Whether a token's attention on itself is left out of them."""

    @property
    def batches(self) -> list[Int[Tensor, " batch"]]:
        """Prompts that run together."""
        return batches(self.prompts.sequences, max_cells=MAX_CELLS)

    def score(self, loaded: LoadedModel, places: Int[Tensor, " batch"]) -> BatchScores:
        """Run some of the prompts, once each.

        Raises:
            PatternError: if an expression gives no number from 0 to 1 somewhere.
        """
        some = self.prompts.some(places)
        patterns = pattern_weights(
            self.patterns,
            some,
            exclude_bos=self.exclude_bos,
            exclude_current_token=self.exclude_current_token,
        )
        shape = (len(places), *self.asked.shape)  # batch layer head
        scores = {name: torch.full((len(self.patterns), *shape), torch.nan) for name in MEASURES}
        kept = torch.zeros(shape)

        def on_layer(layer: int, attention: Tensor) -> None:
            by_measure, left = compare(attention, patterns)
            for name, values in by_measure.items():
                scores[name][:, :, layer] = values
            kept[:, layer] = left / patterns.lengths.unsqueeze(-1)  # a prompt's rows sum to n

        each_layer(loaded, some.sequences.token_ids, on_layer)
        spread = even_spread(some.sequences.token_ids.shape[1]).expand(len(some), -1, -1, -1)
        even = {name: values.squeeze(-1) for name, values in compare(spread, patterns)[0].items()}
        return BatchScores(
            places,
            scores,
            even,
            kept,
            rows=patterns.rows,
            filled=(patterns.drawn > 0).any(-1).sum(-1) / patterns.lengths,
            largest_row=patterns.drawn.sum(-1).flatten(1).amax(-1),
            binary=patterns.binary,
        )

    def assemble(self, parts: Sequence[BatchScores]) -> Detection:
        """The detection, of all batches in any order."""
        order = torch.cat([part.places for part in parts]).argsort()

        def joined(tensors: list[Tensor], dim: int = 1) -> Tensor:
            return torch.cat(tensors, dim).index_select(dim, order)

        return Detection(
            patterns=self.patterns,
            scores={name: joined([part.scores[name] for part in parts]) for name in MEASURES},
            even={name: joined([part.even[name] for part in parts]) for name in MEASURES},
            kept=joined([part.kept for part in parts], 0),
            rows=joined([part.rows for part in parts]),
            filled=joined([part.filled for part in parts]),
            largest_row=torch.stack([part.largest_row for part in parts]).amax(0),
            binary=torch.stack([part.binary for part in parts]).all(0),
            fits=self.fits,
            asked=self.asked,
            lengths=self.prompts.sequences.lengths,
            exclude_bos=self.exclude_bos,
            exclude_current_token=self.exclude_current_token,
        )


def prepare(
    loaded: LoadedModel,
    prompts: Prompts,
    patterns: Sequence[Role],
    *,
    exclude_bos: bool = False,
    exclude_current_token: bool = False,
    heads: Collection[Head] | None = None,
) -> DetectionPlan:
    """The steps of a detection; the arguments and errors are those of :func:`detect`."""
    return DetectionPlan(
        tuple(patterns),
        prompts,
        _check(patterns, prompts),
        _asked(loaded, heads),
        exclude_bos,
        exclude_current_token,
    )


def detect(
    loaded: LoadedModel,
    prompts: Prompts,
    patterns: Sequence[Role],
    *,
    exclude_bos: bool = False,
    exclude_current_token: bool = False,
    heads: Collection[Head] | None = None,
    progress: Progress | None = None,
) -> Detection:
    """Score every head of a model on all prompts and patterns, each prompt run once.

    Args:
        loaded: a model from :func:`headroles.models.loading.load_model`.
        prompts: from :func:`headroles.roles.read_prompts` or ``prompts_of_ids``.
        patterns: the detection patterns.
        exclude_bos: leave attention on position 0 out of ``mul`` and ``abs``.
        exclude_current_token: leave a token's attention on itself out of them.
        heads: the heads that are asked for; by default all of them.
        progress: called after every batch.

    Raises:
        DetectionError: without a pattern, with too many, or if none fits a prompt.
        PatternError: if an expression gives no number from 0 to 1 somewhere.
        UnknownHeadError: if the model has no such head.
    """
    plan = prepare(
        loaded,
        prompts,
        patterns,
        exclude_bos=exclude_bos,
        exclude_current_token=exclude_current_token,
        heads=heads,
    )
    parts, done = [], 0
    for places in plan.batches:
        parts.append(plan.score(loaded, places))
        done += len(places)
        if progress:
            progress(done, len(prompts))
    return plan.assemble(parts)


def _check(patterns: Sequence[Role], prompts: Prompts) -> Bool[Tensor, "pattern prompt"]:
    """Which pattern fits which prompt, if there is anything to do."""
    limits.PROMPTS.check(len(prompts))
    limits.PATTERNS.check(len(patterns))
    if not patterns:
        raise DetectionError(
            "No patterns are chosen.", hint="Choose at least one pattern.", value=0
        )
    fits = torch.stack([pattern.fits(prompts) for pattern in patterns])
    for pattern, row in zip(patterns, fits, strict=True):
        if not bool(row.any()):
            lengths = sorted(set(prompts.sequences.lengths.tolist()))
            have = f"{lengths[0]}" if len(lengths) == 1 else f"{lengths[0]} to {lengths[-1]}"
            raise DetectionError(
                f"The pattern “{pattern.name}” is made for a prompt of "
                f"{count(pattern.length, 'token')}, but yours "
                f"{'has' if len(prompts) == 1 else 'have'} {have} (the start token included).",
                hint="Remove it, or type a prompt of that length. An expression fits any length.",
                value=pattern.length,
            )
    return fits


def _asked(loaded: LoadedModel, heads: Collection[Head] | None) -> Bool[Tensor, "layer head"]:
    shape = (loaded.num_layers, loaded.num_heads)
    if not heads:
        return torch.ones(shape, dtype=torch.bool)
    asked = torch.zeros(shape, dtype=torch.bool)
    for head in heads:
        if not (0 <= head.layer < shape[0] and 0 <= head.head < shape[1]):
            raise UnknownHeadError(head.label, layers=shape[0], heads=shape[1])
        asked[head] = True
    return asked
