"""A small circuit, grown backward from the logits by path patching.

1. Which heads send most into the logits? The strongest that are larger than the other heads of
   their layer are the first level: they write the answer, or against it.
   So do the heads beside one that carries the answer, if they carry a share that shows: where
   most of a layer does the same work, none of them stands out from it.
2. Which heads send most into the queries, the keys or the values of those of them that carry the
   answer, in the layer that carries most? These are patched together: what tells all of them
   hardly shows at one. Each such sender is an arrow into all of them, beside the same arrow from
   every other head of the sender's layer. The strongest are the next level, and so on.

On the prompts of the indirect-object task in GPT-2 small this gives the picture of Wang et al. 2022
(arXiv 2211.00593): duplicate-token and induction heads, S-inhibition heads, name movers.

>>> circuit = grow(load_model("demo"), [pair])  # doctest: +SKIP
>>> [[head.label for head in level] for level in circuit.levels]  # doctest: +SKIP
[['L3H5', 'L3H3', 'L3H7'], ['L1H0', ...]]
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from headroles.ablation.patching import NOISE, Direction
from headroles.ablation.paths import INPUTS, LOGITS, Receiver
from headroles.ablation.sender_maps import Arrow, SenderMap, SenderWork, every_sender
from headroles.types import Head

if TYPE_CHECKING:
    from headroles.ablation.pairs import Pair
    from headroles.models import LoadedModel

WIDTH, DEPTH = 3, 2
"""Heads of a level at most, and levels behind the heads that write into the logits."""
WRITERS = 2
"""So many times as many write into the logits: several do so side by side."""
LEAST_DRAWN = 0.02
"""Of the gap between the two prompts: what carries less is no arrow of a circuit."""


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
        """The heads that are asked next who sends to them: of the last level, those that carry the
        answer, in the layer that carries most."""
        before = {head for level in self.levels[:-1] for head in level}
        carried: dict[Head, float] = defaultdict(float)
        for one in self.arrows:
            if one.sender in set(self.levels[-1]) - before and one.effect > 0:
                carried[one.sender] += one.effect
        layers: dict[int, float] = defaultdict(float)
        for head, effect in carried.items():
            layers[head.layer] += effect
        most = max(layers, key=layers.__getitem__, default=None)
        return tuple(sorted(head for head in carried if head.layer == most))

    def next(self) -> SenderWork | None:
        """The maps that are needed next; None where the circuit is done.

        Give their results to :meth:`grown`.
        """
        if self.is_done:
            return None
        groups = [
            [Receiver(head, each) for head in self.followed] for each in INPUTS if self.levels
        ]
        return every_sender(self.pairs, groups or [[LOGITS]], *self.shape, direction=self.direction)

    def grown(self, maps: Sequence[SenderMap]) -> Circuit:
        """The circuit with what the maps of :meth:`next` show."""
        most = self.width * (1 if self.levels else WRITERS)
        found = [
            one for of in maps for one in of.strongest(4 * most) if abs(one.share) >= LEAST_DRAWN
        ]
        found.sort(key=lambda one: -abs(one.effect))
        clear = [one for one in found if one.is_clear]
        heads = list(dict.fromkeys(one.sender for one in clear))[:most]
        beside = {one.sender.layer for one in clear if one.sender in heads and one.effect > 0}
        new = [
            one
            for one in found
            if (one.is_clear and one.sender in heads)
            or (not self.levels and one.share > 0 and one.sender.layer in beside)
        ]
        circuit = replace(self, maps=(*self.maps, *maps), arrows=(*self.arrows, *new))
        if not new:
            return replace(circuit, is_done=True)
        level = tuple(dict.fromkeys(one.sender for one in new))
        circuit = replace(circuit, levels=(*self.levels, level))
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
