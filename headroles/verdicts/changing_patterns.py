"""When the pattern changes: every head's typical distance on sequences of several periods.

For each period some sequences of a kind run (:mod:`headroles.texts.sequences`), each also with its
tokens in random order, and, where names and numbers fill its slots, with ordinary words in their
places. What is kept are counts and sums, never a pattern (:mod:`headroles.scoring.largest_look`).

>>> found = changing_patterns(load_model("demo"), "repeat")  # doctest: +SKIP
>>> [typical.distance for typical in found.shown(Head(1, 4)).values()]  # doctest: +SKIP
[2, 3, 4]
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from headroles.capture import each_layer
from headroles.errors import LimitError
from headroles.models import LoadedModel
from headroles.scoring import Visible, even_spread
from headroles.scoring.largest_look import (
    Looks,
    PeriodVerdict,
    SlotAttention,
    TypicalDistance,
    count_distances,
    in_pattern,
    judge_periods,
    largest_look,
    slot_shares,
    typical_distance,
)
from headroles.texts import pack, sequences
from headroles.texts.sequences import DRAWS, KINDS, PERIODS, PeriodicText
from headroles.types import Head

Progress = Callable[[int, int], None]
"""Called as ``progress(steps done, steps in all)``."""
TOGETHER = 2
"""Sequences of a step: few, so that a reader of a slow model can stop and sees how far it is."""


@dataclass(frozen=True, eq=False)
class OnePeriod:
    """What all heads do on sequences of one period."""

    period: int
    texts: tuple[PeriodicText, ...]
    """The sequences."""
    counts: Int[Tensor, "layer head sequence distance"]
    """[layer head sequence distance] counted rows that look so far back."""
    attention: Float[Tensor, "layer head sequence distance"]
    """[layer head sequence distance] their attention there, summed."""
    control: Int[Tensor, "layer head sequence distance"]
    """[layer head sequence distance] the counts on the same tokens in random order."""
    first: Looks
    """[layer head query] the largest looks on the first sequence."""
    slots: Mapping[str, Float[Tensor, "4 layer head sequence"]]
    """{slot: [4 layer head sequence]} attention on all earlier tokens of the slot and on the last
    of them; then the same two with ordinary words in the slots."""
    even: Mapping[str, Float[Tensor, "layer sequence"]]
    """{slot: [layer sequence]} the first of these for a head that spreads evenly."""

    def typical(self, head: Head) -> TypicalDistance:
        """One head's typical distance."""
        at = head.layer, head.head
        return typical_distance(self.counts[at], self.attention[at], self.control[at])

    def place(self, head: Head) -> TypicalDistance:
        """One head's typical distance in the pattern, with whole periods taken off."""
        at = head.layer, head.head
        numbers = self.counts[at], self.attention[at], self.control[at]
        return typical_distance(*(in_pattern(one, self.period) for one in numbers))


@dataclass(frozen=True, eq=False)
class ChangingPatterns:
    """All heads of a model on one kind of sequence, at several periods."""

    kind: str
    """The key of the kind."""
    without_itself: bool
    """Whether a token's attention on itself was left out."""
    seed: int
    """What the sequences were drawn with."""
    by_period: Mapping[int, OnePeriod]
    """{period: what the heads do}."""

    @property
    def periods(self) -> tuple[int, ...]:
        """The periods, in their order."""
        return tuple(self.by_period)

    @property
    def shape(self) -> tuple[int, int]:
        """Layers, and heads per layer."""
        layers, heads = next(iter(self.by_period.values())).counts.shape[:2]
        return layers, heads

    @cached_property
    def typical(self) -> dict[Head, dict[int, TypicalDistance]]:
        """{head: {period: its typical distance}}, head by head."""
        return {
            head: {period: one.typical(head) for period, one in self.by_period.items()}
            for head in Head.every(*self.shape)
        }

    @cached_property
    def places(self) -> dict[Head, dict[int, TypicalDistance]]:
        """{head: {period: its typical distance in the pattern}}, head by head."""
        return {
            head: {period: one.place(head) for period, one in self.by_period.items()}
            for head in Head.every(*self.shape)
        }

    @cached_property
    def verdicts(self) -> dict[Head, PeriodVerdict]:
        """{head: whether it follows the period}."""
        return {head: judge_periods(self.typical[head], self.places[head]) for head in self.typical}

    def shown(self, head: Head) -> dict[int, TypicalDistance]:
        """{period: the distance that one head is judged by}: in the pattern where it follows the
        period, else as it is."""
        follows = self.verdicts[head].kind == "follows"
        return (self.places if follows else self.typical)[head]

    @cached_property
    def slots(self) -> dict[str, SlotAttention]:
        """{slot: how much its tokens look at earlier ones of it}, over all periods."""
        return {slot: self._slot(slot) for slot in KINDS[self.kind].slots}

    def _slot(self, slot: str) -> SlotAttention:
        parts = self.by_period.values()
        shares = torch.cat([one.slots[slot] for one in parts], -1)  # [4 layer head sequence]
        even = torch.cat([one.even[slot] for one in parts], -1)
        n = shares.shape[-1]
        return SlotAttention(
            share=shares[0].mean(-1),
            chance=even.mean(-1),
            control=shares[2].mean(-1),
            error=(shares[0] - shares[2]).std(-1) / n**0.5,
            nearest=shares[1].mean(-1),
            sequences=n,
        )


@dataclass(frozen=True, eq=False)
class Drawn:
    """The sequences of one period, and their controls."""

    texts: tuple[PeriodicText, ...]
    """The sequences."""
    as_drawn: Int[Tensor, "sequence pos"]
    """[sequence pos] their tokens, padded on the right."""
    in_disorder: Int[Tensor, "sequence pos"]
    """[sequence pos] the same tokens in random order."""
    swapped: Int[Tensor, "sequence pos"] | None
    """[sequence pos] with ordinary words in the slots; None for a kind without slots."""


@dataclass(frozen=True, eq=False)
class ChangingPlan:
    """The work in steps: :meth:`measure` for each of :attr:`steps`, then :meth:`assemble`."""

    kind: str
    drawn: Mapping[int, Drawn]
    """{period: its sequences}."""
    seed: int
    without_itself: bool

    @property
    def steps(self) -> list[tuple[int, slice]]:
        """(period, which of its sequences), in order."""
        return [
            (period, slice(start, start + TOGETHER))
            for period, drawn in self.drawn.items()
            for start in range(0, len(drawn.texts), TOGETHER)
        ]

    def measure(self, loaded: LoadedModel, period: int, some: slice) -> OnePeriod:
        """Run some sequences of one period with their controls, once each.

        Raises:
            NotANumberError: if the model computes NaN or infinity.
        """
        texts = self.drawn[period].texts[some]
        as_drawn = self.drawn[period].as_drawn[some]
        in_disorder = self.drawn[period].in_disorder[some]
        slots = KINDS[self.kind].slots
        counts, attention, first = self._distances(loaded, texts, as_drawn)
        own = other = None
        if slots:
            own = _slot_attention(loaded, texts, slots, as_drawn)
            other = _slot_attention(loaded, texts, slots, self.drawn[period].swapped[some])
        return OnePeriod(
            period=period,
            texts=tuple(texts),
            counts=counts,
            attention=attention,
            control=self._distances(loaded, texts, in_disorder)[0],
            first=first,
            slots={slot: torch.cat([own[0][slot], other[0][slot]]) for slot in slots},
            even=own[1] if own else {},
        )

    def assemble(self, parts: Sequence[OnePeriod]) -> ChangingPatterns:
        """The result, of all periods."""
        by_period = {
            period: _joined([one for one in parts if one.period == period]) for period in self.drawn
        }
        return ChangingPatterns(self.kind, self.without_itself, self.seed, by_period)

    def _distances(
        self, loaded: LoadedModel, texts: Sequence[PeriodicText], ids: Int[Tensor, "sequence pos"]
    ) -> tuple[Tensor, Tensor, Looks]:
        """Counts, sums and the looks on the first text."""
        length = ids.shape[1]
        counted = torch.zeros(len(texts), 1, length, dtype=torch.bool)
        for row, text in enumerate(texts):
            counted[row, :, text.counted.start : text.counted.stop] = True
        shape = (*loaded.shape, len(texts), length)
        counts, sums = torch.zeros(shape, dtype=torch.long), torch.zeros(shape)
        key = torch.zeros(*loaded.shape, length, dtype=torch.long)
        there = torch.zeros(*loaded.shape, length)

        def on_layer(layer: int, attention: Tensor, _visible: Visible = None) -> None:
            looks = largest_look(attention, without_itself=self.without_itself)
            numbers, weights = count_distances(looks, counted)
            counts[layer], sums[layer] = numbers.transpose(0, 1), weights.transpose(0, 1)
            key[layer], there[layer] = looks.key[0], looks.attention[0]

        each_layer(loaded, ids, on_layer)
        return counts, sums, Looks(key, there)


def _slot_attention(
    loaded: LoadedModel,
    texts: Sequence[PeriodicText],
    slots: Sequence[str],
    ids: Int[Tensor, "sequence pos"],
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """{slot: [2 layer head sequence]} attention in the slot, {slot: [layer sequence]} chance."""
    layers, heads = loaded.shape
    length = ids.shape[1]
    shares = {slot: torch.zeros(2, layers, heads, len(texts)) for slot in slots}
    even = {slot: torch.zeros(layers, len(texts)) for slot in slots}

    def on_layer(layer: int, attention: Tensor, visible: Visible = None) -> None:
        spread = even_spread(length, visible)[0]
        for slot in slots:
            for row, text in enumerate(texts):
                places = text.places(slot)
                on_all, on_last = slot_shares(attention[row], places)
                shares[slot][:, layer, :, row] = torch.stack([on_all, on_last])
                even[slot][layer, row] = slot_shares(spread, places)[0][0]

    each_layer(loaded, ids, on_layer)
    return shares, even


def _joined(parts: Sequence[OnePeriod]) -> OnePeriod:
    """The sequences of several steps as one."""
    first = parts[0]
    return OnePeriod(
        period=first.period,
        texts=tuple(text for one in parts for text in one.texts),
        counts=torch.cat([one.counts for one in parts], 2),
        attention=torch.cat([one.attention for one in parts], 2),
        control=torch.cat([one.control for one in parts], 2),
        first=first.first,
        slots={slot: torch.cat([one.slots[slot] for one in parts], -1) for slot in first.slots},
        even={slot: torch.cat([one.even[slot] for one in parts], -1) for slot in first.even},
    )


def _draw(loaded: LoadedModel, kind: str, period: int, *, n: int, seed: int) -> Drawn:
    texts = tuple(sequences.draw(loaded.tokenizer, kind, period, n=n, seed=seed))
    rng = np.random.default_rng([seed, period])
    disorder = [sequences.shuffled(text, rng=rng) for text in texts]
    swapped = None
    if KINDS[kind].slots:
        other = [sequences.swapped(text, loaded.tokenizer, rng=rng) for text in texts]
        swapped = pack(other).token_ids
    own = pack([text.encoding.token_ids for text in texts])
    return Drawn(texts, own.token_ids, pack(disorder).token_ids, swapped)


def prepare(
    loaded: LoadedModel,
    kind: str,
    *,
    periods: Sequence[int] = PERIODS,
    n: int = DRAWS,
    seed: int = 0,
    without_itself: bool = False,
) -> ChangingPlan:
    """Draw the sequences; the arguments and errors are those of :func:`changing_patterns`."""
    drawn = {period: _draw(loaded, kind, period, n=n, seed=seed) for period in periods}
    longest = max(one.as_drawn.shape[1] for one in drawn.values())
    if longest > loaded.max_tokens:
        raise LimitError(
            f"The longest sequence has {longest:,} tokens",
            size=longest,
            most=loaded.max_tokens,
            hint="Choose shorter periods.",
        )
    return ChangingPlan(kind, drawn, seed, without_itself)


def changing_patterns(
    loaded: LoadedModel,
    kind: str,
    *,
    periods: Sequence[int] = PERIODS,
    n: int = DRAWS,
    seed: int = 0,
    without_itself: bool = False,
    progress: Progress | None = None,
) -> ChangingPatterns:
    """What every head does on sequences of one kind, at several periods.

    Args:
        loaded: a model from :func:`headroles.models.loading.load_model`.
        kind: a key of :data:`headroles.texts.sequences.KINDS`.
        periods: tokens of an item, at least 3.
        n: sequences of each period.
        seed: fixes what is drawn.
        without_itself: leave a token's attention on itself out.
        progress: called after every step.

    Raises:
        SequenceError: if the model reads too few of the words as single tokens, or knows too few
            for the control.
        LimitError: if a sequence is longer than the model reads.
    """
    plan = prepare(loaded, kind, periods=periods, n=n, seed=seed, without_itself=without_itself)
    parts = []
    for period, some in plan.steps:
        parts.append(plan.measure(loaded, period, some))
        if progress:
            progress(len(parts), len(plan.steps))
    return plan.assemble(parts)
