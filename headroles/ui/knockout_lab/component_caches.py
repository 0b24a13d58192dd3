"""Cached results of the circuit lesson and of the components."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from headroles import ablation, circuits
from headroles.texts import SENTENCES, encode
from headroles.ui.app.caches import keep
from headroles.ui.knockout_lab import caches

if TYPE_CHECKING:
    from headroles.ablation import OffsetScores, Removed
    from headroles.ablation.induction_circuit import Measured
    from headroles.circuits import Components, Spread
    from headroles.types import Head


@keep
def repeated_rows(model: str) -> list[tuple[int, ...]]:
    """The repeated random sequences of the circuit lesson.

    Raises:
        HeadrolesError: if the model cannot be loaded.
    """

    with caches.model(model) as loaded:
        return ablation.repeated_rows(loaded)


@keep
def on_prompt(
    model: str,
    token_ids: tuple[int, ...],
    copy_ids: tuple[int, ...],
    previous_token_heads: tuple[Head, ...],
    induction_heads: tuple[Head, ...],
) -> Measured:
    """The lesson's knock-outs on one prompt.

    Raises:
        HeadrolesError: if it cannot be run.
    """

    with caches.model(model) as loaded:
        return ablation.induction_circuit.measure(
            loaded, token_ids, previous_token_heads, induction_heads, copy_ids=copy_ids
        )


class Split(NamedTuple):
    """A head's map in components, with their spread over the heads of its layer."""

    components: Components
    """The components."""
    spread: Spread
    """Over which heads each is spread."""
    remarks: list[str]
    """What a reader should know about this model."""


@keep
def split(model: str, head: Head, kind: str) -> Split:
    """A head's OV or QK map in components.

    Raises:
        HeadrolesError: if the model's weights cannot be read by head, or norms its queries.
    """

    with caches.model(model) as loaded:
        weights = circuits.layer_weights(loaded, head.layer)
        parts = circuits.components(weights, head.head, kind=kind)
        return Split(parts, circuits.spread(weights, parts), ablation.remarks(loaded, head))


@keep
def removed(
    model: str, token_ids: tuple[int, ...], head: Head, kind: str, number: int | None
) -> list[Removed]:
    """A prompt without one component, in the head alone and in all heads of its layer.

    The whole head comes first; it is the only one where ``number`` is None.

    Raises:
        HeadrolesError: if it cannot be run.
    """

    parts = split(model, head, kind).components
    both = (
        []
        if number is None
        else [ablation.Removal((number,)), ablation.Removal((number,), everywhere=True)]
    )
    with caches.model(model) as loaded:
        return ablation.remove(loaded, token_ids, head, parts, both)


@keep
def offsets(model: str, head: Head, top: int, texts: int) -> OffsetScores:
    """What the largest QK components add to the head's scores by distance, on reference sentences.

    Raises:
        HeadrolesError: if the model's queries cannot be split.
    """

    parts = split(model, head, circuits.QK).components
    with caches.model(model) as loaded:
        ids = [encode(loaded.tokenizer, text).token_ids for text in SENTENCES[:texts]]
        return ablation.offset_scores(loaded, head, parts, ids, top=top)
