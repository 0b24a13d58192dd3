"""Pairs of prompts and the passes over them, kept for all sessions."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from headroles import ablation, texts
from headroles.ui.app import caches, pace
from headroles.ui.app.long_work import Plan

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headroles.ablation import Beside, Condition, Pair, Patched, Patches
    from headroles.texts import ReadyPair
    from headroles.types import Head

WORDS = 15
"""Tokens of a ready-made prompt, about."""


class Asked(NamedTuple):
    """Two prompts as they were asked for; what names all results about them."""

    model: str
    """The catalogue key."""
    first: str
    """The first prompt."""
    second: str
    """The second prompt."""
    answer: str
    """What should follow the first; empty for the model's own guess."""
    against: str
    """What should follow the second; empty for the model's own guess."""
    chat: bool
    """Whether both are wrapped as chat messages."""


class Measured(NamedTuple):
    """A pair, and how long a run of it takes."""

    pair: Pair
    """The prompts, run."""
    seconds: float
    """Seconds that one row of a batch takes, for estimates."""
    layers: int
    """Layers of the model."""
    heads: int
    """Heads per layer."""


@caches.keep
def pair(model: str, asked: Asked) -> Measured:
    """Run both prompts, and see how far the model tells them apart.

    Raises:
        HeadrolesError: if they cannot be compared.
    """
    with caches.borrow(model) as loaded:
        made = ablation.make_pair(
            loaded,
            asked.first,
            asked.second,
            answer=asked.answer,
            against=asked.against,
            chat=asked.chat,
            exchange=_exchange(asked),
        )
        shape = loaded.shape
    return Measured(made, made.length * pace.token_seconds(model), *shape)


@caches.keep
def more_pairs(model: str, asked: Asked, most: int) -> tuple[Pair, ...]:
    """The pair, and the same with other first names; fewer where it has no names.

    Raises:
        HeadrolesError: if the model cannot be loaded.
    """
    made = pair(model, asked).pair
    if most == 1:
        return (made,)
    with caches.borrow(model) as loaded:
        return ablation.more_pairs(loaded, made, most)


def _exchange(asked: Asked) -> tuple[str, ...]:
    """What the control of a ready-made pair exchanges; empty for sentences of one's own."""
    both = (asked.first, asked.second)
    return next((one.exchange for one in texts.READY_PAIRS if (one.first, one.second) == both), ())


def told_apart(model: str, kind: str) -> tuple[ReadyPair, ...]:
    """A step: the ready-made pairs of a kind that the model gets right."""
    with caches.borrow(model) as loaded:
        return ablation.told_apart(loaded, [one for one in texts.READY_PAIRS if one.kind == kind])


def control(model: str, patched: Patched, heads: Sequence[Head]) -> Plan:
    """The steps of a control of some heads, which make what stands beside each."""
    pair, direction = patched.pair, patched.direction
    with caches.borrow(model) as loaded:
        sources = ablation.control_sources(loaded, pair, direction=direction)
    work = ablation.control_patches(pair, heads, sources, direction=direction)
    steps = [(todo, part) for todo in work for part in todo.parts]

    def finish(done: Sequence[list[float]]) -> tuple[Beside, ...]:
        results = [
            todo.result([one for (of, _), one in zip(steps, done, strict=True) if of is todo])
            for todo in work
        ]
        return ablation.beside_control(patched, results)

    return Plan([partial(run_part, model, todo, part) for todo, part in steps], finish)


def estimate(measured: Measured, todo: Patches) -> float:
    """Seconds that patches are likely to take: their rows start at the first layer that changes."""
    rows = sum(1 - condition.heads[0].layer / measured.layers for condition in todo.conditions)
    return rows * measured.seconds


def run_part(model: str, todo: Patches, part: Sequence[Condition]) -> list[float]:
    """A step: the logit differences of some patches."""
    with caches.borrow(model) as loaded:
        return todo.run(loaded, part)
