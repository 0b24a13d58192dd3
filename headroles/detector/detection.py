"""How well every head of a model matches detection patterns: all prompts and patterns in one pass.

Each head is compared with each pattern by three measures (:mod:`headroles.detector.comparison`).
Scores are averaged over prompts, with the standard error of the mean.

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
from headroles.detector.comparison import MEASURES, DrawnBySight, compare
from headroles.errors import DetectionError, UnknownHeadError
from headroles.formatting import count
from headroles.models import LoadedModel
from headroles.roles import Prompts, Role
from headroles.scoring import Visible
from headroles.texts import batches
from headroles.types import Head

MAX_CELLS = 500_000
"""Prompts x length^2 that run together: about 25 MB of attention per layer for twelve heads."""

Progress = Callable[[int, int], None]
"""Called as ``progress(prompts done, prompts in all)``."""


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
    """Mean of an even spread's number over the same prompts and all layers; NaN where there is
    none."""
    prompts: int
    """Prompts on which the pattern could be drawn."""
    chance_by_layer: tuple[float, ...]
    """[layer] the same as ``chance`` for what the heads of each layer see; NaN where none."""

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
    even: Mapping[str, Float[Tensor, "pattern prompt layer"]]
    """{measure: [pattern prompt layer]} the same for a head that spreads evenly over what heads of
    the layer see."""
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
        even = self.even[measure][place][fits].double().nanmean(0)  # [layer]
        chance = float(even.nanmean())
        by_layer = tuple(even.tolist())
        return Summary(mean.float(), error.float(), n, chance, int(fits.sum()), by_layer)

    def undefined(self, place: int, measure: str) -> list[Head]:
        """The heads that were asked and have no score on some prompt that the pattern fits."""
        missing = self.scores[measure][place][self.fits[place]].isnan().any(0) & self.asked
        return [Head(*at) for at in missing.nonzero().tolist()]


@dataclass(frozen=True, eq=False)
class BatchScores:
    """The scores of one batch of prompts."""

    places: Int[Tensor, " batch"]
    """[batch] which prompts they are."""
    scores: Mapping[str, Float[Tensor, "pattern batch layer head"]]
    """{measure: [pattern batch layer head]}."""
    even: Mapping[str, Float[Tensor, "pattern batch layer"]]
    """{measure: [pattern batch layer]} of a head that spreads evenly over what it sees."""
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
    tokens_a_step: int
    """:attr:`headroles.models.loading.LoadedModel.tokens_a_step`."""

    @property
    def batches(self) -> list[Int[Tensor, " batch"]]:
        """Prompts that run together."""
        return batches(self.prompts.sequences, max_cells=MAX_CELLS, max_tokens=self.tokens_a_step)

    def score(self, loaded: LoadedModel, places: Int[Tensor, " batch"]) -> BatchScores:
        """Run some of the prompts, once each.

        Raises:
            PatternError: if an expression gives no number from 0 to 1 somewhere.
        """
        some = self.prompts.some(places)
        drawn = DrawnBySight(
            self.patterns,
            some,
            exclude_bos=self.exclude_bos,
            exclude_current_token=self.exclude_current_token,
        )
        shape = (len(places), *self.asked.shape)  # batch layer head
        scores = {name: torch.full((len(self.patterns), *shape), torch.nan) for name in MEASURES}
        even = {name: values[..., 0].clone() for name, values in scores.items()}
        kept = torch.zeros(shape)

        def on_layer(layer: int, attention: Tensor, visible: Visible = None) -> None:
            patterns, of_even = drawn.to(visible)
            by_measure, left = compare(attention, patterns)
            for name, values in by_measure.items():
                scores[name][:, :, layer] = values
                even[name][:, :, layer] = of_even[name]
            kept[:, layer] = left / patterns.lengths.unsqueeze(-1)  # a prompt's rows sum to n

        each_layer(loaded, some.sequences.token_ids, on_layer)
        seen = drawn.all_seen
        return BatchScores(
            places,
            scores,
            even,
            kept,
            rows=torch.stack([patterns.rows for patterns in seen]).amax(0),
            filled=torch.stack([patterns.filled for patterns in seen]).amax(0),
            largest_row=torch.stack([patterns.largest_row for patterns in seen]).amax(0),
            binary=seen[0].binary,
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
        loaded.tokens_a_step,
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
    shape = loaded.shape
    if not heads:
        return torch.ones(shape, dtype=torch.bool)
    asked = torch.zeros(shape, dtype=torch.bool)
    for head in heads:
        if not (0 <= head.layer < shape[0] and 0 <= head.head < shape[1]):
            raise UnknownHeadError(head.label, layers=shape[0], heads=shape[1])
        asked[head] = True
    return asked
