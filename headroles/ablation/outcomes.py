"""What a condition changed, beside the untouched run: ranks, KL divergence, losses, logits."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from headroles.ablation.run import Outcome


@dataclass(frozen=True)
class Comparison:
    """One outcome against the untouched run."""

    rank: int
    """1.., the place of the answer among all tokens under the condition."""
    rank_before: int
    """1.., its place in the untouched run."""
    probability: float
    """0..1, of the answer under the condition."""
    probability_before: float
    """0..1, of the answer in the untouched run."""
    kl: float
    """0.. nats, KL(untouched || condition) of the next-token distributions; infinite where the
    condition makes a token impossible that was possible."""
    loss_change: float | None
    """Nats per token, mean over the prompt, without tokens that are impossible in both runs; None
    without losses."""
    repeat_loss_change: float | None
    """Nats per token, mean over the repeated tokens, likewise; None where there are none."""
    logit: float = math.nan
    """The answer's own logit under the condition."""
    logit_before: float = math.nan
    """Its logit in the untouched run."""

    @property
    def logit_change(self) -> float:
        """Logits by which the answer's own logit rose; below 0 it fell."""
        return self.logit - self.logit_before

    @property
    def surprise(self) -> float:
        """Nats by which the answer got less likely: log p before - log p after."""
        tiny = 1e-45  # a probability that underflowed
        return math.log(max(self.probability_before, tiny)) - math.log(max(self.probability, tiny))


@dataclass(frozen=True)
class LogitChange:
    """One token whose logit moved."""

    token_id: int
    """Its id."""
    change: float
    """Condition minus untouched, in logits."""


def compare(
    clean: Outcome, other: Outcome, *, answer: int, token_ids: Sequence[int] = ()
) -> Comparison:
    """One outcome against the untouched run.

    Args:
        clean: the untouched run's outcome.
        other: the condition's.
        answer: the token id whose rank and probability are reported.
        token_ids: [pos] the prompt's ids; needed for the loss on its repeated part.
    """
    before, after = clean.logits.double().log_softmax(-1), other.logits.double().log_softmax(-1)
    loss = repeated = None
    if len(other.losses):
        difference = other.losses - clean.losses  # NaN: impossible in both runs
        loss = _mean(difference)
        places = repeated_positions(token_ids)
        if places:
            repeated = _mean(difference[[place - 1 for place in places]])
    return Comparison(
        rank=rank(other.named, answer),
        rank_before=rank(clean.named, answer),
        probability=after[answer].exp().item(),
        probability_before=before[answer].exp().item(),
        kl=max(0.0, (before.exp() * (before - after).where(before > -math.inf, 0)).sum().item()),
        loss_change=loss,
        repeat_loss_change=repeated,
        logit=float(other.logits[answer]),
        logit_before=float(clean.logits[answer]),
    )


def _mean(changes: Float[Tensor, " target"]) -> float | None:
    """The mean of those that are defined; None where none is."""
    return None if bool(changes.isnan().all()) else changes.nanmean().item()


def rank(logits: Float[Tensor, " vocab"], token_id: int) -> int:
    """The place of a token among all, from 1; tokens with the same logit share the better place.

    >>> rank(torch.tensor([0.5, 2.0, 1.0]), 2)
    2
    """
    return int((logits > logits[token_id]).sum()) + 1


def repeated_positions(token_ids: Sequence[int]) -> tuple[int, ...]:
    """The tokens that an induction head could know: those of a pair that occurred before.

    Position q counts if ``t[q-1], t[q]`` stood next to each other earlier, the start token aside.

    >>> repeated_positions([0, 5, 6, 7, 5, 6, 7])
    (5, 6)
    """
    seen: set[tuple[int, int]] = set()
    positions = []
    for position in range(2, len(token_ids)):
        pair = (token_ids[position - 1], token_ids[position])
        if pair in seen:
            positions.append(position)
        seen.add(pair)
    return tuple(positions)


def logit_changes(
    clean: Outcome, other: Outcome, *, top: int
) -> tuple[tuple[LogitChange, ...], tuple[LogitChange, ...]]:
    """The tokens whose logits rose most, and those whose logits fell most, largest first.

    A token that did not move in that direction is not listed: either may be shorter than ``top``.
    Nor is an id that no token has.
    """
    # A token that is nameless, or impossible in both runs did not move.
    before, after = clean.named, other.named
    change = (after - before).where(after != before, 0.0)
    top = min(top, len(change))
    return tuple(
        tuple(
            LogitChange(int(place), float(change[place]))
            for place in (change * sign).topk(top).indices
            if change[place] * sign > 0
        )
        for sign in (1, -1)
    )
