"""Every head as a sender (:mod:`headroles.ablation.paths`), over one or several pairs of prompts.

A single pair is noisy, so the same path is opened on several pairs that differ in their names
(:func:`more_pairs`); effects are means over pairs, with standard errors.

The control of a sender are the other heads of its layer: each has sent what it does on the other
prompt along the same path. An effect is clear if, over several pairs, it differs from zero
(:mod:`headroles.scoring.causal_verdict`), is at least :data:`LEAST_SHARE` of the gap between the
prompts, and stands out from its layer. Two heads that stand out would hide each other, and the
largest of nine is always larger than the rest: so those of a layer that stand out are counted by
the generalised ESD test (Rosner 1983, Technometrics 25:165). From the largest on, head i of n is
compared with those after it,

    t = (effect - c) / (s sqrt(1 + 1/m))        p <= .05 / (n - i + 1)

with c and s the mean and spread of these m = n - i; the last i that passes is the count. The
control that is shown with a head are those of its layer that do not stand out.

>>> work = every_sender([pair], [[Receiver(Head(23, 3), "query")]], 30, 9)  # doctest: +SKIP
>>> (found,) = work.all(loaded)  # doctest: +SKIP
>>> found.strongest(3)  # doctest: +SKIP
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from headroles import scoring
from headroles.ablation.pairs import Pair, make_pair
from headroles.ablation.patching import LEAST_SHARE, NOISE, Direction
from headroles.ablation.paths import Path, Receiver, group_label, path_effects, shared_with
from headroles.errors import PairError
from headroles.scoring import LEAST_POOL
from headroles.texts.words import NAMES, single_tokens
from headroles.types import Head

if TYPE_CHECKING:
    from headroles.models import LoadedModel
    from headroles.types import CausalVerdict

_ROWS = 64
"""Paths of one part, about."""
CLEAR = ("holds_up", "reversed")
"""The verdicts of an effect that is larger than the control's."""


@dataclass(frozen=True, eq=False)
class SenderMap:
    """What every head sends into the same receivers."""

    receivers: tuple[Receiver, ...]
    """Where the paths end; several are changed together."""
    pairs: tuple[Pair, ...]
    """The pairs of prompts."""
    direction: Direction
    """``noise``: the first prompt runs, and the second's outputs are sent; or ``denoise``."""
    each: Float[Tensor, "pair layer head"]
    """[pair layer head] logits that the path carries of the first prompt's answer less the
    second's; NaN where a head does not come before a receiver, or was not asked for."""
    shared_with: tuple[Head, ...] = ()
    """Heads that receive as well, as they share their keys or values with a receiver."""

    @property
    def effects(self) -> Float[Tensor, "layer head"]:
        """[layer head] logits, the mean over the pairs."""
        return self.each.mean(0)

    @property
    def errors(self) -> Float[Tensor, "layer head"] | None:
        """[layer head] logits, the standard error of that mean; None with one pair."""
        n = len(self.pairs)
        return self.each.std(0) / n**0.5 if n > 1 else None

    @property
    def gap(self) -> float:
        """Logits, above 0: by how much the two prompts differ, the mean over the pairs."""
        return sum(pair.gap for pair in self.pairs) / len(self.pairs)

    @property
    def shares(self) -> Float[Tensor, "layer head"]:
        """[layer head] the effects as shares of the gap: 1 is all of the difference."""
        return self.effects / self.gap

    @property
    def senders(self) -> tuple[Head, ...]:
        """The heads that can send, layer by layer."""
        return tuple(Head(*place) for place in (~self.each[0].isnan()).nonzero().tolist())

    def _layer(self, layer: int) -> list[Head]:
        """The senders of a layer, largest effect first; of the nearest layers too while few."""
        senders, found = self.senders, []
        layers = {head.layer for head in senders}
        for near in sorted(layers, key=lambda other: (abs(other - layer), -other)):
            if near != layer and len(found) > LEAST_POOL:
                break
            found += [head for head in senders if head.layer == near]
        return sorted(found, key=lambda head: -abs(float(self.effects[head])))

    def _beside(self, head: Head, others: Sequence[Head]) -> scoring.Effect:
        effects, errors = self.effects, self.errors
        return scoring.effect_of(
            float(effects[head]),
            [float(effects[other]) for other in others],
            standard_error=0.0 if errors is None else float(errors[head]),
            texts=len(self.pairs),
            least=LEAST_SHARE * self.gap,
        )

    def _standing_out(self, ordered: Sequence[Head]) -> int:
        """How many of these heads, largest first, stand out from them all."""
        effects, count = [float(self.effects[head]) for head in ordered], 0
        for place in range(len(effects) - LEAST_POOL):
            alone = scoring.effect_of(effects[place], effects[place + 1 :])
            if alone.p_control <= scoring.ALPHA / (len(effects) - place):
                count = place + 1
        return count

    def judged(self, head: Head) -> Arrow:
        """What a head sends, beside the other heads of its layer."""
        ordered = self._layer(head.layer)
        count = self._standing_out(ordered)
        beside = self._beside(head, [other for other in ordered[count:] if other != head])
        if beside.control_mean is None:
            verdict = "not_tested"
        elif not scoring.clear_against_zero(beside):
            verdict = "no_effect"
        elif head not in ordered[:count]:
            verdict = "not_special"
        else:
            verdict = "holds_up" if beside.change > 0 else "reversed"
        return Arrow(
            sender=head,
            receivers=self.receivers,
            effect=beside.change,
            share=beside.change / self.gap,
            error=beside.standard_error if self.errors is not None else None,
            control_mean=beside.control_mean,
            control_spread=beside.control_spread,
            control_heads=beside.draws,
            verdict=verdict,
            shared_with=self.shared_with,
        )

    def strongest(self, most: int) -> tuple[Arrow, ...]:
        """The senders of the largest effects, up or down, each beside its control."""
        order = sorted(self.senders, key=lambda head: -abs(float(self.effects[head])))
        return tuple(map(self.judged, order[:most]))


@dataclass(frozen=True)
class Arrow:
    """What one head sends to some receivers."""

    sender: Head
    """The head."""
    receivers: tuple[Receiver, ...]
    """The logits, or the same input of one or several heads, which are changed together."""
    effect: float
    """Logits; above 0 it carries the first prompt's answer, below 0 it works against it."""
    share: float
    """Of the gap between the prompts; 1 is all of it."""
    error: float | None
    """Logits, the standard error over the pairs; None with one pair."""
    control_mean: float | None
    """Logits, the mean over the other heads of the layer that do not stand out; None without a
    control."""
    control_spread: float | None
    """Logits, the standard deviation over them."""
    control_heads: int
    """How many they are."""
    verdict: CausalVerdict
    """``holds_up`` or ``reversed`` where the effect stands out from them; ``not_special`` where it
    does not, ``no_effect`` where it is not even clearly different from zero."""

    shared_with: tuple[Head, ...] = ()
    """As :attr:`SenderMap.shared_with`."""

    @property
    def input(self) -> str:
        """``query``, ``key`` or ``value``; empty for the logits."""
        return self.receivers[0].input

    @property
    def into(self) -> str:
        """Its end as it is written: ``logits``, ``L20H3.query`` or ``L20H3/L20H5.query``."""
        return group_label(self.receivers)

    @property
    def heads(self) -> tuple[Head, ...]:
        """The heads that it ends at; none for the logits."""
        return tuple(one.head for one in self.receivers if one.head is not None)

    @property
    def is_clear(self) -> bool:
        """Whether it is larger than its control."""
        return self.verdict in CLEAR


# ------------------------------------------------------------------ the work


@dataclass(frozen=True, eq=False)
class Part:
    """Some paths of one pair: a moment's work."""

    pair: int
    """Which pair."""
    paths: tuple[Path, ...]
    """The paths."""
    places: tuple[tuple[int, Head], ...]
    """[path] which map it belongs to, and the sender."""


@dataclass(frozen=True, eq=False)
class Done:
    """What a part gave."""

    part: Part
    """The part."""
    effects: Float[Tensor, " path"]
    """[path] logits."""
    shared: tuple[tuple[Head, ...], ...]
    """[map] heads that receive as well."""


@dataclass(frozen=True, eq=False)
class SenderWork:
    """Maps that are still to be made, part by part, so that a page can show how far it is."""

    pairs: tuple[Pair, ...]
    """The pairs of prompts."""
    groups: tuple[tuple[Receiver, ...], ...]
    """[map] the receivers of each map."""
    senders: tuple[Head, ...]
    """The heads that send, layer by layer."""
    shape: tuple[int, int]
    """Layers, and heads of a layer."""
    direction: Direction = NOISE
    """As :attr:`SenderMap.direction`."""

    @property
    def parts(self) -> tuple[Part, ...]:
        """Pair by pair, senders of the same layers together."""
        paths = [
            (Path((head,), group), (place, head))
            for head in self.senders
            for place, group in enumerate(self.groups)
        ]
        paths = [one for one in paths if one[0].open]
        return tuple(
            Part(pair, *zip(*paths[at : at + _ROWS], strict=True))
            for pair in range(len(self.pairs))
            for at in range(0, len(paths), _ROWS)
        )

    def run(self, loaded: LoadedModel, part: Part) -> Done:
        """Do one part.

        Raises:
            UnknownHeadError: if a head does not exist.
            UnsupportedModelError: if this cannot be done with the model.
        """
        pair = self.pairs[part.pair]
        effects = path_effects(loaded, pair, part.paths, direction=self.direction)
        shared = tuple(shared_with(loaded, group) for group in self.groups)
        return Done(part, effects, shared)

    def result(self, done: Sequence[Done]) -> tuple[SenderMap, ...]:
        """[map] the maps, from what :meth:`run` gave for all parts."""
        each = torch.full(
            (len(self.groups), len(self.pairs), *self.shape), torch.nan, dtype=torch.double
        )
        for one in done:
            for (place, head), effect in zip(one.part.places, one.effects, strict=True):
                each[place, one.part.pair, head.layer, head.head] = effect
        shared = done[0].shared if done else ((),) * len(self.groups)
        return tuple(
            SenderMap(group, self.pairs, self.direction, each[place], shared[place])
            for place, group in enumerate(self.groups)
        )

    def all(
        self, loaded: LoadedModel, on_part: Callable[[int, int], None] | None = None
    ) -> tuple[SenderMap, ...]:
        """Do every part; ``on_part`` is told (parts done, of how many)."""
        done, parts = [], self.parts
        for part in parts:
            done.append(self.run(loaded, part))
            if on_part:
                on_part(len(done), len(parts))
        return self.result(done)


def every_sender(
    pairs: Sequence[Pair],
    groups: Sequence[Sequence[Receiver]],
    num_layers: int,
    num_heads: int,
    *,
    senders: Sequence[Head] | None = None,
    direction: Direction = NOISE,
) -> SenderWork:
    """Maps of what heads send, one for each group of receivers.

    Args:
        pairs: pairs of prompts.
        groups: [map] its receivers: ``[LOGITS]``, or inputs of heads, which are changed together.
        num_layers: layers of the model.
        num_heads: heads of a layer.
        senders: the heads that send; None for all.
        direction: which prompt runs.
    """
    every = Head.every(num_layers, num_heads)
    chosen = tuple(every if senders is None else sorted(set(senders)))
    return SenderWork(
        tuple(pairs), tuple(map(tuple, groups)), chosen, (num_layers, num_heads), direction
    )


# ------------------------------------------------------------------ more pairs


def more_pairs(loaded: LoadedModel, pair: Pair, most: int, *, seed: int = 0) -> tuple[Pair, ...]:
    """The pair, and the same with other first names, up to so many.

    A name of the pair that stands at several places is exchanged at all of them, and in the
    answers. A pair counts only if its tokens line up as before and its gap is not lost.

    Returns:
        Up to ``most`` pairs, this one first; fewer where the pair has no names, or too few names
        are single tokens of the model.
    """
    whole = f"{pair.first_text} {pair.second_text}"
    old = [name for name in NAMES if re.search(rf"\b{name}\b", whole)]
    free = [name for name in single_tokens(loaded.tokenizer, NAMES) if name not in old]
    found, rng = [pair], np.random.default_rng(seed)
    for _ in range(3 * most if old and len(free) >= len(old) else 0):
        if len(found) >= most:
            break
        new = dict(zip(old, map(str, rng.choice(free, len(old), replace=False)), strict=True))
        if (made := _renamed(loaded, pair, new)) is not None:
            found.append(made)
    return tuple(found[:most])


def _renamed(loaded: LoadedModel, pair: Pair, new: dict[str, str]) -> Pair | None:
    """The pair with other names; None where it is no such pair any more."""

    def changed(text: str) -> str:
        return re.sub(r"\b\w+\b", lambda word: new.get(word[0], word[0]), text)

    try:
        made = make_pair(
            loaded,
            changed(pair.first_text),
            changed(pair.second_text),
            answer=changed(pair.answer),
            against=changed(pair.against),
            chat=pair.first.is_chat,
        )
    except PairError:
        return None
    return replace(made, kind=pair.kind, name=pair.name) if made.differ == pair.differ else None
