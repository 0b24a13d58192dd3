"""Cached results of the sections with the pictures of components."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from headroles import ablation, circuits, texts
from headroles.ui.app import caches

if TYPE_CHECKING:
    from torch import Tensor

    from headroles.ablation.component_activity import Activations
    from headroles.ablation.component_errors import Errors
    from headroles.circuits import Kind
    from headroles.circuits.co_activation import CoActivation
    from headroles.circuits.component_pairs import PairProfile
    from headroles.circuits.reconstruction import Reconstruction
    from headroles.types import Head

OFFSETS, PAIRS = 13, 6
"""Distances of a profile, the token itself included, and pairs on their own."""
TEXTS = 8
"""Repeated sequences on which an induction head's wrong cells are looked for."""


class Profile(NamedTuple):
    """Pairs of components by distance."""

    found: PairProfile
    remarks: dict[str, str]
    """{label of a component: why it is not to be interpreted}."""


@caches.keep
def _on_text(model: str, kind: Kind, places: tuple[tuple[int, str], ...]) -> list[Activations]:
    with caches.borrow(model) as loaded:
        return ablation.component_activity.on_text(loaded, kind, places)


@caches.keep
def profile(
    model: str, kind: Kind, layer: int, strength: str, order: str, head: int | None
) -> Profile:
    """The strongest pairs of a layer by distance.

    Raises:
        HeadrolesError: if the model cannot be run, or its scores are no sums over pairs.
    """
    q, k = (layer, "q"), (layer, "k")
    pairs = circuits.component_pairs
    with caches.borrow(model) as loaded:
        sides = pairs.sides(loaded, kind, layer)
    read = _on_text(model, kind, (q, k))
    if strength == "measured":
        factor = pairs.measured_strength(((one[q], one[k]) for one in read), offsets=OFFSETS)
    else:
        both = (ablation.component_activity.without_starts(read, place) for place in (q, k))
        factor = pairs.typical_strength(*both, offsets=OFFSETS)
    found = pairs.profile(sides, factor, top=PAIRS, head=head, order=order)
    with caches.borrow(model) as loaded:
        remarks = circuits.component_sets.remarks_of(loaded, kind, [q, k])
    return Profile(found, remarks)


@caches.keep
def together(model: str, kind: Kind, layer: int) -> CoActivation:
    """How the key and value components of a layer are alive together on text.

    Raises:
        HeadrolesError: if the model cannot be run, or the components have no importances.
    """
    places = ((layer, "k"), (layer, "v"))
    read = _on_text(model, kind, places)
    with caches.borrow(model) as loaded:
        return ablation.component_activity.alive_together(loaded, kind, *places, read)


class Points(NamedTuple):
    """The components of a matrix at every token of the texts."""

    activations: Tensor
    """[token component] inner activations."""
    importances: Tensor | None
    """[token component] 0..1; None where none were trained."""
    tokens: tuple[str, ...]
    """[token] the tokens as text."""


@caches.keep
def points(model: str, kind: Kind, place: tuple[int, str]) -> Points:
    """Importance and inner activation of the components of a matrix at every token of the texts.

    Raises:
        HeadrolesError: if the model cannot be run.
    """
    activity = ablation.component_activity
    read = _on_text(model, kind, (place,))
    found = activity.without_starts(read, place)
    with caches.borrow(model) as loaded:
        ids = [token for row in activity.text_rows(loaded) for token in row[1:]]
        importances = activity.importances(loaded, kind, place, found)
        return Points(found, importances, tuple(texts.token_texts(loaded.tokenizer, ids)))


@caches.keep
def reconstruction(model: str, kind: Kind, place: tuple[int, str]) -> Reconstruction:
    """A matrix beside the sum of its components.

    Raises:
        HeadrolesError: if there are none of this kind.
    """
    with caches.borrow(model) as loaded:
        return circuits.reconstruction.reconstruction(loaded, kind, place)


@caches.keep
def errors(model: str, kind: Kind, layer: int) -> list[tuple[tuple[int, str], int, float]]:
    """(place, components, relative error): of all matrices for trained components, of one layer's
    for those of the SVD, which take a moment each.

    Raises:
        HeadrolesError: if there are none of this kind.
    """
    with caches.borrow(model) as loaded:
        return [
            (place, *circuits.reconstruction.error_of(loaded, kind, place))
            for place in circuits.places_of(loaded, kind)
            if kind == circuits.TRAINED or place[0] == layer
        ]


class Wrong(NamedTuple):
    """Wrong cells of an induction head, and the texts that they are in."""

    found: Errors
    tokens: tuple[tuple[str, ...], ...]
    """[text][pos] the tokens as text."""


@caches.keep
def wrong_cells(model: str, kind: Kind, head: Head) -> Wrong:
    """Where an induction head goes wrong on repeated tokens, and which pairs push it there.

    Raises:
        HeadrolesError: if the model cannot be run, or its scores are no sums over pairs.
    """
    with caches.borrow(model) as loaded:
        rows = ablation.repeated_rows(loaded, n=TEXTS)
        found = ablation.component_errors.errors(loaded, kind, head, rows)
        names = [tuple(texts.token_texts(loaded.tokenizer, row)) for row in rows]
        return Wrong(found, tuple(names))
