"""Pairs of prompts and the passes over them, kept for all sessions."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

from headroles import ablation
from headroles.ui.app import caches

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headroles.ablation import Condition, Pair, Patches


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
    caches.import_libraries()
    with caches.borrow(model) as loaded:
        made = ablation.make_pair(
            loaded,
            asked.first,
            asked.second,
            answer=asked.answer,
            against=asked.against,
            chat=asked.chat,
        )
        began = time.thread_time()  # not the wall: others may be at work just now
        ablation.head_outputs(loaded, made.first.token_ids)
        seconds = time.thread_time() - began
        return Measured(made, seconds, loaded.num_layers, loaded.num_heads)


def estimate(measured: Measured, todo: Patches) -> float:
    """Seconds that patches are likely to take: their rows start at the first layer that changes."""
    rows = sum(1 - condition.heads[0].layer / measured.layers for condition in todo.conditions)
    return rows * measured.seconds


def run_part(model: str, todo: Patches, part: Sequence[Condition]) -> list[float]:
    """A step: the logit differences of some patches."""
    caches.import_libraries()
    with caches.borrow(model) as loaded:
        return todo.run(loaded, part)
