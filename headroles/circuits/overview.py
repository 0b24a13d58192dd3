"""What a model's weights say in short: the strongest links between heads, and what heads copy.

Composition scores of all pairs of heads (:mod:`headroles.circuits.composition`), of which the
strongest are kept, and the numbers of some heads (:mod:`headroles.circuits.summary`). It is made in
steps, so that a page can draw a bar and stop between two of them.

>>> overview = read(load_model("demo"), [Head(1, 4)], uniform(2816))  # doctest: +SKIP
>>> overview.links[1].pairs[0]  # doctest: +SKIP
(Head(layer=0, head=6), Head(layer=1, head=1), 0.41)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from jaxtyping import Float
from torch import Tensor

from headroles.circuits.composition import KINDS, Composition, assemble, block_scores
from headroles.circuits.qk_ov import CircuitSettings
from headroles.circuits.summary import HeadSummary, summarise
from headroles.models import LoadedModel
from headroles.types import Head

STRONGEST = 12
"""Pairs that are kept of each kind."""
NORM = "folded"
"""What is done about the layer norm of the later head: its gain and centring are folded in."""

Step = Callable[[LoadedModel], Any]


@dataclass(frozen=True)
class Links:
    """The strongest pairs of one kind of composition."""

    kind: str
    """``Q``, ``K`` or ``V``."""
    pairs: tuple[tuple[Head, Head, float], ...]
    """(earlier head, later head, score of 1), strongest first."""
    out_of: int
    """All pairs of heads of different layers."""
    baseline: float
    """The mean score of random matrices of these shapes."""
    spread: float
    """Its standard deviation over the draws."""
    draws: int


@dataclass(frozen=True)
class Overview:
    """A model's weights in short."""

    revision: str
    """Of the weights that were read."""
    links: tuple[Links, ...]
    """By kind; none for a model of one layer."""
    summaries: tuple[HeadSummary, ...]
    """Of the heads that were asked for."""
    settings: CircuitSettings
    """What was done to the weights for the summaries."""


def strongest(scores: Composition, *, most: int = STRONGEST) -> Links:
    """The pairs with the highest scores; of equal ones the pair of earlier heads goes first."""
    values = scores.score.flatten()
    known = (~values.isnan()).nonzero().flatten().tolist()
    best = sorted(known, key=lambda place: (-float(values[place]), place))[:most]
    heads, width = scores.heads, len(scores.heads)
    pairs = tuple(
        (heads[place // width], heads[place % width], float(values[place])) for place in best
    )
    return Links(scores.kind, pairs, len(known), scores.baseline, scores.spread, scores.draws)


def steps(
    shape: tuple[int, int], heads: Sequence[Head], probabilities: Float[Tensor, " vocab"]
) -> list[Step]:
    """What has to be done: a step per kind and later layer, then one per head.

    Args:
        shape: layers and heads of the model.
        heads: those whose numbers are wanted.
        probabilities: [vocab] of its tokens.
    """
    later = range(1, shape[0])
    links = [partial(_block, kind=kind, later=layer) for kind in KINDS for layer in later]
    return [*links, *(partial(_summary, head=head, likely=probabilities) for head in heads)]


def _block(loaded: LoadedModel, *, kind: str, later: int) -> Any:
    return block_scores(loaded, kind, later, norm=NORM)


def _summary(loaded: LoadedModel, *, head: Head, likely: Float[Tensor, " vocab"]) -> HeadSummary:
    return summarise(loaded, head, CircuitSettings(), likely)


def collect(loaded: LoadedModel, results: Sequence[Any]) -> Overview:
    """The overview, from the results of all :func:`steps` in their order."""
    later = loaded.num_layers - 1
    kinds = KINDS if later else ()
    links = tuple(
        strongest(assemble(loaded, kind, results[place * later : (place + 1) * later]))
        for place, kind in enumerate(kinds)
    )
    summaries = tuple(results[len(kinds) * later :])
    return Overview(loaded.revision, links, summaries, CircuitSettings())


def read(
    loaded: LoadedModel,
    heads: Sequence[Head],
    probabilities: Float[Tensor, " vocab"],
    *,
    progress: Callable[[int, int], None] | None = None,
) -> Overview:
    """The overview, all steps at once.

    Args:
        loaded: the model.
        heads: those whose numbers are wanted.
        probabilities: [vocab] of its tokens.
        progress: told (steps done, of how many) after each.

    Raises:
        UnsupportedModelError: if the weights cannot be read by head.
        NotANumberError: if they hold NaN or infinity.
    """
    every, results = steps(loaded.shape, heads, probabilities), []
    for step in every:
        results.append(step(loaded))
        if progress:
            progress(len(results), len(every))
    return collect(loaded, results)
