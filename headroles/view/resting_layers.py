"""Which layers of a model rest on a prompt: most of a big model does, so heads are counted.

>>> layers = resting_layers(scores, 0.4)  # doctest: +SKIP
>>> layers.headline, layers.sentence  # doctest: +SKIP
('94 of all 270 heads rest', 'Nearly all heads of layers 18, 23 and 24 rest.')
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from headroles import verdicts
from headroles.formatting import listing
from headroles.roles import get_role, resting
from headroles.types import Head

if TYPE_CHECKING:
    from headroles.verdicts import PromptScores

ALMOST = 0.8
"""A layer with this share of its heads at rest counts as one where nearly all rest."""


@dataclass(frozen=True)
class RestingLayers:
    """Who rests on one prompt, layer by layer."""

    rests: tuple[tuple[Head, ...], ...]
    """[layer] the heads that rest."""
    works: tuple[tuple[Head, ...], ...]
    """[layer] those that look at the first token and work all the same."""
    clearest: tuple[Head, ...]
    """[layer] the head with the most attention on the first token, one that rests where one does.
    """
    heads: int
    """Per layer."""
    witnessed: bool
    """Whether it is known how much the heads' outputs change."""
    sunk: int = 0
    """Heads that rest on no token, in a model with learned sinks."""

    @property
    def count(self) -> int:
        """Heads that rest."""
        return sum(map(len, self.rests))

    @property
    def headline(self) -> str:
        """``94 of all 270 heads rest``."""
        every = self.heads * len(self.rests)
        where = " on the first token" if self.sunk else ""
        if every == 1:
            return f"the only head {'rests' if self.count else 'does not rest'}{where}"
        if not self.count:
            return f"no head rests{where}"
        return (
            f"{self.count} of all {every:,} heads {'rests' if self.count == 1 else 'rest'}{where}"
        )

    @property
    def sentence(self) -> str:
        """Which layers rest, and how many heads only look as if they did."""
        sentences = [_where([len(heads) for heads in self.rests], self.heads)]
        working = sum(map(len, self.works))
        if self.witnessed and working:
            sentences.append(
                f"{working} more {'looks' if working == 1 else 'look'} at the first token without "
                f"resting (dashed): what {'it writes' if working == 1 else 'they write'} "
                "changes from token to token."
            )
        if self.sunk:
            sentences.append(
                f"{self.sunk} {'head rests' if self.sunk == 1 else 'heads rest'} on no token: this "
                "model has a learned sink, which takes the attention that heads do not need."
            )
        return " ".join(filter(None, sentences))

    @property
    def alt(self) -> str:
        """The take-away of the chart."""
        return f"First token (resting), layer by layer: {self.headline}. {self.sentence}"

    def records(self) -> list[dict[str, object]]:
        """What the chart draws, one record per layer."""
        return [
            {
                "layer": layer,
                "head": clearest.head,
                "label": clearest.label,
                "rests": len(rests),
                "looks": len(rests) + len(works),
                "shown": f"{len(rests)} of {self.heads} rest"
                + (f", {len(works)} more look at the first token without resting" if works else ""),
            }
            for layer, (rests, works, clearest) in enumerate(
                zip(self.rests, self.works, self.clearest, strict=True)
            )
        ]

    def table_rows(self) -> list[list[str]]:
        """The table twin of the chart."""
        return [
            [
                str(layer),
                f"{len(rests)} of {self.heads}",
                _names(rests, self.heads),
                _names(works, self.heads),
            ]
            for layer, (rests, works) in enumerate(zip(self.rests, self.works, strict=True))
        ]


COLUMNS = ["Layer", "Rest", "These heads", "Look at the first token without resting"]
"""The heads of the table twin."""


def resting_layers(scores: PromptScores, threshold: float) -> RestingLayers | None:
    """Who rests on a prompt; None where it is too short to tell.

    Args:
        scores: of the prompt.
        threshold: 0..1, of the role, in this model.
    """
    role = get_role(resting.WITNESSED)
    activation, tokens = scores.activations[role.key], scores.num_tokens
    if verdicts.cannot_be_judged(role, activation, tokens):
        return None
    change = scores.output_change
    looks = verdicts.active_heads(role, activation, threshold, num_tokens=tokens)
    rests = verdicts.active_heads(
        role, activation, threshold, num_tokens=tokens, output_change=change
    )
    shares = (activation.value + rests).tolist()  # a head that rests comes first
    width = looks.shape[1]

    def where(chosen: list[list[bool]]) -> tuple[tuple[Head, ...], ...]:
        return tuple(
            tuple(Head(layer, head) for head in range(width) if row[head])
            for layer, row in enumerate(chosen)
        )

    clearest = (Head(layer, row.index(max(row))) for layer, row in enumerate(shares))
    return RestingLayers(
        where(rests.tolist()),
        where((looks & ~rests).tolist()),
        tuple(clearest),
        width,
        change is not None,
        0 if scores.nowhere is None else int((scores.nowhere >= verdicts.reasons.RESTING).sum()),
    )


def _where(counts: Sequence[int], heads: int) -> str:
    """The layers where nearly all heads rest, or the one that does most."""
    if not any(counts):
        return ""
    if len(counts) == heads == 1:
        return ""
    if sum(counts) == 1:
        return f"It is in layer {counts.index(1)} (1 of {heads})."
    many = [layer for layer, count in enumerate(counts) if count >= ALMOST * heads]
    if many:
        name = "layer" if len(many) == 1 else "layers"
        every = "All" if all(counts[layer] == heads for layer in many) else "Nearly all"
        return f"{every} heads of {name} {listing(_runs(many))} rest."
    most = counts.index(max(counts))
    return f"Most are in layer {most} ({counts[most]} of {heads})."


def _runs(layers: Sequence[int]) -> list[str]:
    """Numbers as people read them.

    >>> _runs([2, 3, 4, 7, 9, 10])
    ['2 to 4', '7', '9', '10']
    """
    texts = []
    for _, run in groupby(enumerate(layers), key=lambda placed: placed[1] - placed[0]):
        numbers = [layer for _, layer in run]
        short = len(numbers) < 3
        texts += map(str, numbers) if short else [f"{numbers[0]} to {numbers[-1]}"]
    return texts


def _names(heads: Sequence[Head], every: int) -> str:
    if not heads:
        return "–"
    return "all" if len(heads) == every else " ".join(head.label for head in heads)
