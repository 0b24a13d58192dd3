"""A small circuit, grown backward from the logits by path patching.

1. Which heads send most into the logits? The strongest that are larger than the other heads of
   their layer are the first level: they write the answer, or against it.
2. Which heads send most into the queries, the keys or the values of those that carry the answer?
   Those are patched together first, so that a sender that reaches many of them is seen.
3. The strongest of these are held against each receiver by itself: each is an arrow, beside the
   same arrow from every other head of the sender's layer. They are the next level, and so on.

On the prompts of the indirect-object task in GPT-2 small this gives the picture of Wang et al. 2022
(arXiv 2211.00593): duplicate-token and induction heads, S-inhibition heads, name movers.

>>> circuit = grow(load_model("demo"), [pair])  # doctest: +SKIP
>>> [[head.label for head in level] for level in circuit.levels]  # doctest: +SKIP
[['L3H5', 'L3H3', 'L3H7'], ['L1H0', ...]]
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from headroles.ablation.patching import NOISE, Direction
from headroles.ablation.paths import INPUTS, LOGITS, Receiver
from headroles.ablation.sender_maps import (
    LEAST_SHARE,
    SenderMap,
    SenderWork,
    Sent,
    every_sender,
)
from headroles.types import Head

if TYPE_CHECKING:
    from headroles.ablation.pairs import Pair
    from headroles.models import LoadedModel
    from headroles.types import CausalVerdict

WIDTH, DEPTH = 3, 2
"""Heads of a level at most, and levels behind the heads that write into the logits."""
WRITERS = 2
"""So many times as many write into the logits: several do so side by side, and what tells all of
them what to write hardly shows at one or two."""


@dataclass(frozen=True)
class Arrow:
    """One path of a circuit."""

    sender: Head
    """The head that it comes from."""
    receiver: Receiver
    """The logits, or the input of a head."""
    effect: float
    """Logits; above 0 it carries the first prompt's answer, below 0 it works against it."""
    share: float
    """Of the gap between the prompts."""
    error: float | None
    """Logits, the standard error over the pairs; None with one pair."""
    control_mean: float | None
    """Logits, the mean of the same arrow from those of its layer that do not stand out."""
    control_spread: float | None
    """Logits, the standard deviation over them."""
    control_heads: int
    """How many they are."""
    verdict: CausalVerdict
    """``holds_up`` or ``reversed`` where it is larger than theirs."""
    is_clear: bool
    """Whether it is."""
    shared_with: tuple[Head, ...] = ()
    """Heads that receive as well, as they share their keys or values with the receiver."""

    @property
    def input(self) -> str:
        """``query``, ``key`` or ``value``; empty for the logits."""
        return self.receiver.input


def arrow(sent: Sent, shared_with: tuple[Head, ...] = ()) -> Arrow:
    """What a head sends to one receiver, as an arrow."""
    (receiver,) = sent.receivers
    return Arrow(
        sent.sender, receiver, sent.effect, sent.share, sent.error, sent.control_mean,
        sent.control_spread, sent.control_heads, sent.verdict, sent.is_clear, shared_with,
    )  # fmt: skip


@dataclass(frozen=True, eq=False)
class Circuit:
    """What was found so far, and what is looked for next."""

    pairs: tuple[Pair, ...]
    """The pairs of prompts."""
    shape: tuple[int, int]
    """Layers, and heads of a layer."""
    direction: Direction = NOISE
    """As :attr:`headroles.ablation.sender_maps.SenderMap.direction`."""
    width: int = WIDTH
    """Heads of a level at most; of the first, which write into the logits, twice as many."""
    depth: int = DEPTH
    """Levels behind the first, at most."""
    levels: tuple[tuple[Head, ...], ...] = ()
    """The heads: those that write into the logits, those that send to them, and so on."""
    arrows: tuple[Arrow, ...] = ()
    """The paths between them, in the order in which they were found."""
    maps: tuple[SenderMap, ...] = ()
    """The maps from which the heads were chosen: into the logits, and into queries, keys and values
    of each level."""
    chosen: tuple[tuple[Head, str], ...] | None = None
    """Senders and inputs that are still to be held against each receiver; None between levels."""
    is_done: bool = False
    """Whether there is nothing more to look for."""

    @property
    def nodes(self) -> tuple[Head, ...]:
        """Every head, once."""
        return tuple(dict.fromkeys(head for level in self.levels for head in level))

    @property
    def gap(self) -> float:
        """Logits, by how much the two prompts differ, the mean over the pairs."""
        return sum(pair.gap for pair in self.pairs) / len(self.pairs)

    @property
    def followed(self) -> tuple[Head, ...]:
        """The heads of the last level that carry the answer: what is asked for next sends to
        them."""
        before = {head for level in self.levels[:-1] for head in level}
        carry = {arrow.sender for arrow in self.arrows if arrow.effect > 0}
        return tuple(head for head in self.levels[-1] if head in carry - before)

    def next(self) -> SenderWork | None:
        """The maps that are needed next; None where the circuit is done.

        Give their results to :meth:`grown`.
        """
        if self.is_done:
            return None
        if not self.levels:
            return self._ask([[LOGITS]])
        receivers = self.followed
        if self.chosen is None:
            return self._ask([[Receiver(head, each) for head in receivers] for each in INPUTS])
        inputs = [each for each in INPUTS if any(each == own for _, own in self.chosen)]
        layers = {head.layer for head, _ in self.chosen}
        senders = [Head(layer, head) for layer in layers for head in range(self.shape[1])]
        return self._ask([[Receiver(h, each)] for h in receivers for each in inputs], senders)

    def _ask(
        self, groups: Sequence[Sequence[Receiver]], senders: Sequence[Head] | None = None
    ) -> SenderWork:
        return every_sender(
            self.pairs, groups, *self.shape, senders=senders, direction=self.direction
        )

    def grown(self, maps: Sequence[SenderMap]) -> Circuit:
        """The circuit with what the maps of :meth:`next` show."""
        if not self.levels:
            return self._first(maps[0])
        return self._choose(maps) if self.chosen is None else self._arrows(maps)

    def _first(self, found: SenderMap) -> Circuit:
        most = WRITERS * self.width
        sent = [one for one in found.strongest(4 * most) if one.is_clear][:most]
        arrows = tuple(arrow(one) for one in sent)
        heads = tuple(one.sender for one in sent)
        circuit = replace(self, maps=(found,), levels=(heads,) if heads else (), arrows=arrows)
        return replace(circuit, is_done=not (heads and circuit.followed and self.depth))

    def _choose(self, maps: Sequence[SenderMap]) -> Circuit:
        """The heads that send most to all receivers together, and by which inputs."""
        clear = [
            (abs(one.effect), one.sender, found.receivers[0].input)
            for found in maps
            for one in found.strongest(4 * self.width)
            if one.is_clear
        ]
        clear.sort(key=lambda each: -each[0])
        heads = list(dict.fromkeys(head for _, head, _ in clear))[: self.width]
        chosen = tuple((head, own) for _, head, own in clear if head in heads)
        return replace(self, maps=(*self.maps, *maps), chosen=chosen, is_done=not chosen)

    def _arrows(self, maps: Sequence[SenderMap]) -> Circuit:
        chosen, new = self.chosen or (), []
        for found in maps:
            (receiver,) = found.receivers
            senders = [h for h, own in chosen if own == receiver.input and h in found.senders]
            for head in senders:
                one = found.judged(head)
                if abs(one.share) >= LEAST_SHARE:
                    new.append(arrow(one, found.shared_with))
        heads = tuple(dict.fromkeys(head for head, _ in chosen))
        circuit = replace(
            self, levels=(*self.levels, heads), arrows=(*self.arrows, *new), chosen=None
        )
        return replace(circuit, is_done=len(self.levels) >= self.depth or not circuit.followed)


def begin(
    pairs: Sequence[Pair],
    num_layers: int,
    num_heads: int,
    *,
    direction: Direction = NOISE,
    width: int = WIDTH,
    depth: int = DEPTH,
) -> Circuit:
    """An empty circuit.

    Args:
        pairs: pairs of prompts.
        num_layers: layers of the model.
        num_heads: heads of a layer.
        direction: which prompt runs.
        width: heads of a level at most; twice as many write into the logits.
        depth: levels behind the heads that write into the logits, at most.
    """
    return Circuit(tuple(pairs), (num_layers, num_heads), direction, width, depth)


def grow(
    loaded: LoadedModel,
    pairs: Sequence[Pair],
    *,
    direction: Direction = NOISE,
    width: int = WIDTH,
    depth: int = DEPTH,
    on_part: Callable[[int, int], None] | None = None,
) -> Circuit:
    """The whole circuit (:func:`begin`); ``on_part`` is told (parts done, of the stage's how many).

    Raises:
        UnsupportedModelError: if this cannot be done with the model.
    """
    shape = (loaded.num_layers, loaded.num_heads)
    circuit = begin(pairs, *shape, direction=direction, width=width, depth=depth)
    while (work := circuit.next()) is not None:
        circuit = circuit.grown(work.all(loaded, on_part))
    return circuit
