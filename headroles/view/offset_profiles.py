"""Every head's mean attention by distance, side by side: what the map of profiles shows. Pure.

>>> profiles = of_entry(entry)  # doctest: +SKIP
>>> profiles.best(Head(0, 6))  # doctest: +SKIP
Best(distance=1, share=0.89, chance=0.14, lift=0.87)
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from headroles import scoring
from headroles.formatting import listing, percent
from headroles.types import Head
from headroles.view.html import count

if TYPE_CHECKING:
    from headroles.store import ModelEntry
    from headroles.types import PromptRun

MOST = 48
"""Heads that are drawn together: of more, those that stand out most."""
CLEAR = 0.25
"""Of the way from an even spread to all attention: a head stands out at a distance from here on."""


class Best(NamedTuple):
    """The distance at which a head stands out most from an even spread."""

    distance: int
    """Tokens back, from 1."""
    share: float
    """0..1, its mean attention there."""
    chance: float
    """0..1, an even spread's."""
    lift: float
    """How far of the way from an even spread to all attention; below 0 where it is under it."""


@dataclass(frozen=True)
class Profiles:
    """Every head's mean attention at the distances 1, 2 ..."""

    shares: Sequence[Sequence[Sequence[float]]]
    """[distance][layer][head] 0..1; NaN where it could not be measured."""
    chance: Sequence[Sequence[float]]
    """[distance][layer] an even spread's."""
    measured_on: str
    """What the means are over, in a few words."""
    unseen: frozenset[int] = frozenset()
    """Layers whose heads could not be measured."""

    @property
    def distances(self) -> list[int]:
        """1, 2 ... as far as was measured."""
        return list(range(1, len(self.shares) + 1))

    @property
    def heads(self) -> list[Head]:
        """Every head that was measured, layer by layer."""
        every = [
            Head(layer, head)
            for layer, row in enumerate(self.shares[0] if self.shares else ())
            for head in range(len(row))
            if layer not in self.unseen
        ]
        return [head for head in every if self.of(head)]

    def of(self, head: Head) -> dict[int, tuple[float, float]]:
        """{distance: (share, chance)} of a head, where both are known."""
        both = {
            distance: (
                self.shares[distance - 1][head.layer][head.head],
                self.chance[distance - 1][head.layer],
            )
            for distance in self.distances
        }
        return {
            distance: (share, chance)
            for distance, (share, chance) in both.items()
            if not (math.isnan(share) or math.isnan(chance))
        }

    def best(self, head: Head) -> Best:
        """Where a head stands out most; the nearest of equal distances."""
        every = [
            Best(distance, share, chance, (share - chance) / (1 - chance) if chance < 1 else 0.0)
            for distance, (share, chance) in self.of(head).items()
        ]
        return max(every, key=lambda one: one.lift)


def of_entry(entry: ModelEntry) -> Profiles | None:
    """The reference profiles; None where none were measured."""
    stored = entry.profiles.get("fixed_offset")
    if stored is None:
        return None
    category = entry.categories["fixed_offset"]
    chance = [[even] * entry.num_layers for even in stored.chance]
    what = f"{category.n} {category.measured_on}"
    return Profiles(stored.scores, chance, what, frozenset(category.unseen_layers or ()))


def of_run(run: PromptRun, longest: int) -> Profiles:
    """The profiles on a prompt, as far as its tokens reach.

    Args:
        run: the prompt.
        longest: the last distance.
    """
    from_end = min(longest, len(run.token_ids) - 2)  # S(q) = {q - d} with q - d >= 1
    shares, chance = scoring.every_profile(run.attention, longest=max(from_end, 0), sight=run.sight)
    return Profiles(shares.tolist(), chance.tolist(), "this prompt")


def drawn(profiles: Profiles, *, layer: int | None = None, most: int = MOST) -> list[Head]:
    """The heads of the map from top to bottom: by their best distance, the clearest first.

    Args:
        profiles: of all heads.
        layer: only this one's heads, all of them.
        most: of all layers, only so many: those that stand out most.
    """
    heads = [head for head in profiles.heads if layer in (None, head.layer)]
    best = {head: profiles.best(head) for head in heads}
    if layer is None:
        heads = sorted(heads, key=lambda head: -best[head].lift)[:most]
    return sorted(heads, key=lambda head: (best[head].distance, -best[head].lift))


def records(profiles: Profiles, heads: Sequence[Head]) -> list[dict[str, object]]:
    """A cell per head and distance, for :func:`headroles.charts.profiles.every_profile`."""
    strongest = largest_share(profiles, heads)
    cells = []
    for head in heads:
        best = profiles.best(head)
        for distance, (share, chance) in profiles.of(head).items():
            back = f"{count(distance, 'token')} back"
            cells.append(
                {
                    "row": head.label,
                    "layer": head.layer,
                    "head": head.head,
                    "distance": distance,
                    "shade": share / strongest,
                    "number": f"{100 * share:.0f}",
                    "best": distance == best.distance,
                    "shown": f"{back}: {percent(share)}, an even spread {percent(chance)}",
                }
            )
    return cells


def largest_share(profiles: Profiles, heads: Sequence[Head]) -> float:
    """0..1, the largest share of these heads: the strongest shade."""
    shares = [share for head in heads for share, _ in profiles.of(head).values()]
    return max([0.01, *shares])


def sentence(profiles: Profiles) -> str:
    """How many heads stand out at one distance, and at which."""
    best = {head: profiles.best(head) for head in profiles.heads}
    clear = Counter(one.distance for one in best.values() if one.lift >= CLEAR)
    total = count(len(best), "head")
    if not clear:
        return f"None of {total} stands out at one distance."
    ranked = sorted(clear.items(), key=lambda item: (-item[1], item[0]))
    named = [f"{number} at −{distance}" for distance, number in ranked[:5]]
    far = len(ranked) - len(named)
    further = f" and others at {count(far, 'more distance')}" if far > 0 else ""
    number = clear.total()
    return (
        f"{number} of {total} {'stands' if number == 1 else 'stand'} out clearly at one distance: "
        f"{listing(named)}{further}."
    )


def rows(profiles: Profiles) -> list[dict[str, object]]:
    """Every head with its best distance and its whole profile, for tables and files."""
    table = []
    for head in profiles.heads:
        best = profiles.best(head)
        table.append(
            {
                "label": head.label,
                "layer": head.layer,
                "head": head.head,
                "best_distance": best.distance,
                "share": best.share,
                "chance": best.chance,
            }
            | {f"back_{distance}": share for distance, (share, _) in profiles.of(head).items()}
        )
    return table
