"""The offset test: does a head, or a set of components, carry what is k tokens back?

Take a position t of a text, and hide from it the value vector at t - k in the head's layer (from
all heads of the layer, and from no other position). How far the next-token distribution moves is
how much the layer reads there::

    with(k)    = KL(untouched || value at t-k hidden)
    without(k) = KL(head off at t || head off at t and value at t-k hidden)

For components, "untouched" is the model with all components in both lines
(:attr:`headroles.ablation.conditions.Condition.baseline`), the layers are theirs, and "off at t"
means that queries and outputs at t lack them. Keys and values lack theirs at every token, because t
reads those of earlier tokens.

If this head is the one that reads offset k, hiding the value changes little without it: the hiding
is *redundant*. Over n samples::

    carried(k)  = mean(with(k) - without(k))             in nats
    redundancy  = 1 - sum(without(k)) / sum(with(k))     1: all of it, 0: nothing

A previous-token head peaks at k = 1. The control is the same with a random other head of the layer
ablated. Errors: standard error of the mean over samples; jackknife for the ratio (Efron &
Stein 1981).

>>> samples = draw_samples(loaded, SENTENCES, n=50, offsets=8)  # doctest: +SKIP
>>> measured = [measure(loaded, samples[0], Head(0, 6), offsets=8)]  # doctest: +SKIP
>>> profile(measured).peak  # doctest: +SKIP
1
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from headroles.ablation.conditions import Condition, HeadOutput, Values
from headroles.ablation.run import Outcome, run_conditions
from headroles.errors import AnalysisError
from headroles.models import LoadedModel
from headroles.scoring import draw_sets
from headroles.texts import encode
from headroles.types import Head

OFFSETS = 8
"""The largest offset by default."""
SAMPLES = 48
"""The number of tested positions by default."""


@dataclass(frozen=True)
class Sample:
    """A text up to the position that is tested, which is its last token."""

    token_ids: tuple[int, ...]
    """[pos] ids; position 0 is the start token."""


@dataclass(frozen=True, eq=False)
class Measured:
    """One sample's numbers, in nats."""

    with_head: Float[Tensor, " offset"]
    """[offset] KL of hiding the value k back, k = 1, 2, ..."""
    without_head: Float[Tensor, " offset"]
    """[offset] the same with the head off at that position."""
    without_other: Float[Tensor, "other offset"]
    """[other offset] the same with another head of the layer off instead."""


@dataclass(frozen=True)
class Point:
    """One offset of the profile."""

    offset: int
    """Tokens back."""
    with_head: float
    """Mean nats."""
    without_head: float
    """Mean nats."""
    carried: float
    """Mean nats: with minus without."""
    carried_error: float
    """Standard error of it over samples."""
    other: float | None
    """Mean nats that another head of the layer carries; None without other heads."""
    other_error: float | None
    """Standard error of it over samples."""


@dataclass(frozen=True)
class Profile:
    """The test of one head."""

    points: tuple[Point, ...]
    """[offset] from 1 on."""
    n: int
    """Samples."""
    redundancy: float
    """-inf..1, the share of offset 1's effect that goes with the head."""
    redundancy_error: float
    """Its standard error, by jackknife over samples; NaN with one sample."""
    other_redundancy: float | None
    """The same for random other heads of the layer, on average; None without others."""

    @property
    def peak(self) -> int:
        """The offset at which the head carries most."""
        return max(self.points, key=lambda point: point.carried).offset


def draw_samples(
    loaded: LoadedModel, texts: Sequence[str], *, n: int, offsets: int, seed: int = 0
) -> list[Sample]:
    """Random positions of the texts with ``offsets`` tokens before them, the start token aside.

    Returns:
        Up to n samples, no position twice.

    Raises:
        AnalysisError: if no text is long enough.
    """
    every = []
    for text in texts:
        ids = encode(loaded.tokenizer, text, max_tokens=loaded.max_tokens).token_ids
        every += [Sample(ids[: last + 1]) for last in range(offsets + 1, len(ids))]
    if not every:
        raise AnalysisError(
            f"No text has {offsets + 1} tokens, so nothing can be tested {offsets} back.",
            hint="Choose a smaller offset.",
            value=offsets,
        )
    return random.Random(seed).sample(every, min(n, len(every)))


def other_heads(head: Head, *, num_heads: int, most: int, seed: int = 0) -> tuple[Head, ...]:
    """Random other heads of the same layer, the control."""
    layer = [Head(head.layer, other) for other in range(num_heads) if other != head.head]
    rng, needed = np.random.default_rng(seed), {head.layer: min(most, len(layer))}
    (others,) = draw_sets({head.layer: layer}, needed, rng=rng, draws=1)
    return tuple(sorted(others))


def measure(
    loaded: LoadedModel,
    sample: Sample,
    off: Head | Condition,
    *,
    offsets: int,
    others: Sequence[Head | Condition] = (),
) -> Measured:
    """All offsets of one sample, with and without the head and each of the others, in one batch.

    Args:
        loaded: a model.
        sample: the text up to the position that is tested.
        off: the head that is set to zero, or what else is changed, at that position.
        offsets: the largest offset.
        others: what is changed instead, for the control.

    Raises:
        UnknownHeadError, UnknownPositionError, UnknownComponentError: if the head, an offset or a
            component is not there.
        ValueError: if a condition has no layer, or is compared with something else than the others.
    """
    tested, *instead = [_off(one) for one in (off, *others)]
    if not tested.layers or any(one.baseline != tested.baseline for one in instead):
        raise ValueError("all changes need layers, and the same model to be compared with")
    hidden = [
        Values((-1 - offset,), layers=tested.layers, queries=(-1,))
        for offset in range(1, offsets + 1)
    ]
    conditions = []
    for before in (tested.baseline, tested, *instead):
        conditions.append(before)
        conditions += [Condition("", (*before.changes, values)) for values in hidden]
    rows = [sample.token_ids] * len(conditions)
    outcomes = list(run_conditions(loaded, rows, conditions, losses=False))
    moved = torch.stack(
        [_moved(outcomes[start : start + offsets + 1])
         for start in range(0, len(outcomes), offsets + 1)]
    )  # fmt: skip
    return Measured(moved[0], moved[1], moved[2:])


def _off(one: Head | Condition) -> Condition:
    """A head to zero, or a change, at the last position alone."""
    if isinstance(one, Head):
        return Condition(one.label, (HeadOutput((one,), positions=(-1,)),))
    return one.at((-1,))


def _moved(outcomes: Sequence[Outcome]) -> Float[Tensor, " offset"]:
    """[offset] KL(first || each of the others) of the next-token distributions, in nats."""
    logs = torch.stack([outcome.logits for outcome in outcomes]).double().log_softmax(-1)
    return (logs[0].exp() * (logs[0] - logs[1:])).sum(-1).clamp_min(0)


def profile(measured: Sequence[Measured]) -> Profile:
    """Combine the samples of a head.

    Raises:
        AnalysisError: without a sample.
    """
    if not measured:
        raise AnalysisError("No sample was measured.", hint="Let the test run a moment.", value=0)
    with_head = torch.stack([sample.with_head for sample in measured])  # [n offset]
    without = torch.stack([sample.without_head for sample in measured])  # [n offset]
    others = torch.stack([sample.without_other for sample in measured])  # [n other offset]
    has_others = others.shape[1] > 0
    carried = with_head - without
    carried_by_others = with_head - others.mean(1) if has_others else None
    points = []
    for place in range(with_head.shape[1]):
        other = carried_by_others[:, place] if has_others else None
        points.append(
            Point(
                offset=place + 1,
                with_head=with_head[:, place].mean().item(),
                without_head=without[:, place].mean().item(),
                carried=carried[:, place].mean().item(),
                carried_error=_error(carried[:, place]),
                other=None if other is None else other.mean().item(),
                other_error=None if other is None else _error(other),
            )
        )
    share, error = _share(with_head[:, 0], without[:, 0])
    other_share = _share(with_head[:, 0], others[:, :, 0].mean(1))[0] if has_others else None
    return Profile(
        points=tuple(points),
        n=len(measured),
        redundancy=share,
        redundancy_error=error,
        other_redundancy=other_share,
    )


def _error(values: Float[Tensor, " n"]) -> float:
    return (values.std() / len(values) ** 0.5).item() if len(values) > 1 else 0.0


def _share(with_head: Float[Tensor, " n"], without: Float[Tensor, " n"]) -> tuple[float, float]:
    """1 - sum(without) / sum(with), with its jackknife standard error."""
    total = with_head.sum()
    if total <= 0:
        return 0.0, float("nan")
    n = len(with_head)
    if n == 1 or bool((total <= with_head).any()):  # one sample is all that the head shifts
        return (1 - without.sum() / total).item(), float("nan")
    left_out = 1 - (without.sum() - without) / (total - with_head)  # [n]
    spread = ((left_out - left_out.mean()) ** 2).sum()
    return (1 - without.sum() / total).item(), (spread * (n - 1) / n).sqrt().item()
