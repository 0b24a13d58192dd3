"""Cached results of the page Components."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING

from headroles import ablation
from headroles.ui.app import caches, long_work

if TYPE_CHECKING:
    from headroles.ablation.component_profiles import Effect, Matrix, OnPrompt, OnText
    from headroles.ablation.outcomes import Comparison
    from headroles.circuits import Kind
    from headroles.types import Component, Encoding, Head

AT_ONCE = 8
"""Knock-outs of one step."""


@caches.keep
def matrix(model: str, kind: Kind, place: tuple[int, str]) -> Matrix:
    """The components of one matrix.

    Raises:
        HeadrolesError: if the model cannot be loaded, or has none of this kind.
    """
    with caches.borrow(model) as loaded:
        return ablation.component_profiles.matrix(loaded, kind, place)


@caches.keep
def on_prompt(
    model: str, kind: Kind, place: tuple[int, str], token_ids: tuple[int, ...]
) -> OnPrompt:
    """What they do at each token of a prompt.

    Raises:
        HeadrolesError: if it cannot be run.
    """
    with caches.borrow(model) as loaded:
        return ablation.component_profiles.on_prompt(loaded, kind, place, token_ids)


@caches.keep
def on_text(model: str, kind: Kind, place: tuple[int, str]) -> OnText:
    """What they do on the reference texts.

    Raises:
        HeadrolesError: if it cannot be run.
    """
    with caches.borrow(model) as loaded:
        return ablation.component_profiles.on_text(loaded, kind, place)


def alone(
    model: str,
    kind: Kind,
    component: Component,
    encoding: Encoding,
    heads: Sequence[tuple[Head, ...]],
) -> long_work.Plan:
    """The steps of a prompt without one component, in all heads and in each; together they make
    a list of :class:`headroles.ablation.component_profiles.Effect`."""
    every = [None, *heads]
    parts = [every[start : start + AT_ONCE] for start in range(0, len(every), AT_ONCE)]
    steps = [partial(_alone, model, kind, component, encoding, part) for part in parts]
    return long_work.Plan(steps, lambda found: list(chain(*found)))


def _alone(
    model: str,
    kind: Kind,
    component: Component,
    encoding: Encoding,
    heads: Sequence[tuple[Head, ...] | None],
) -> tuple[Effect, ...]:
    with caches.borrow(model) as loaded:
        return ablation.component_profiles.alone(loaded, kind, component, encoding, heads=heads)


@caches.keep
def seconds(model: str, token_ids: tuple[int, ...]) -> float:
    """How long one pass over a prompt takes, about.

    Raises:
        HeadrolesError: if it cannot be run.
    """
    with caches.borrow(model) as loaded:
        return long_work.seconds_of(partial(ablation.head_outputs, loaded, token_ids))


@caches.keep
def all_components(
    model: str, kind: Kind, token_ids: tuple[int, ...], _encoding: Encoding
) -> Comparison:
    """The model with all components beside the model itself.

    Raises:
        HeadrolesError: if it cannot be run.
    """
    with caches.borrow(model) as loaded:
        return ablation.component_profiles.all_components(loaded, kind, _encoding)


@caches.keep
def row_seconds(model: str) -> float:
    """How long one pass over a text of repeated random tokens takes, about.

    Raises:
        HeadrolesError: if the model cannot be loaded.
    """
    with caches.borrow(model) as loaded:
        (row,) = ablation.repeated_rows(loaded, n=1)
        return long_work.seconds_of(partial(ablation.head_outputs, loaded, row))
