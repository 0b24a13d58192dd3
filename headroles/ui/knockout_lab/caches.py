"""Cached results of the Knock-out lab, and access to its model."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from headroles import ablation, circuits, models, texts
from headroles.types import Component
from headroles.ui.app import caches, long_work

if TYPE_CHECKING:
    from headroles.ablation import Condition, Control, Looks, PromptTable, Sample
    from headroles.types import ComponentSet, Encoding


BATCH = 9
"""Prompts that are run to measure one."""


model = caches.borrow
"""The model of a catalogue key, for as long as it is used."""


def watch(name: str, prompt: str, answer: str, *, chat: bool) -> PromptTable:
    """A prompt untouched, with the token that is watched; as :func:`knock_out`."""
    return knock_out(name, prompt, answer, chat=chat)


@caches.keep
def knock_out(
    name: str,
    prompt: str,
    answer: str,
    *,
    chat: bool,
    key: str = "",
    top: int | None = None,
    position: int = -1,
    _conditions: Sequence[Condition] = (),
) -> PromptTable:
    """A prompt untouched and under some conditions.

    Args:
        name: the catalogue key of the model.
        prompt: the text.
        answer: what should come next; empty for the model's own guess.
        chat: whether the prompt is wrapped by the model's chat template.
        key: identifies the conditions in the cache.
        top: tokens per direction; by default as many as a table has.
        position: the position that the conditions are about.
        _conditions: the conditions.

    Raises:
        HeadrolesError: if it cannot be run.
    """
    top = ablation.tables.TOP if top is None else top
    with model(name) as loaded:
        return ablation.tabulate(
            loaded, prompt, _conditions, answer=answer, top=top, position=position, chat=chat
        )


@caches.keep
def looks(
    name: str,
    token_ids: tuple[int, ...],
    *,
    position: int,
    key: str,
    _encoding: Encoding,
    _condition: Condition,
) -> list[Looks]:
    """Where every head looks, and its roles: in a condition's baseline, and under it.

    Args:
        name: the catalogue key of the model.
        token_ids: [pos] the prompt's ids.
        position: the position whose attention is kept.
        key: identifies the condition, and how the prompt is read, in the cache.
        _encoding: the prompt.
        _condition: the condition.

    Raises:
        HeadrolesError: if it cannot be run.
    """
    with model(name) as loaded:
        every = [_condition.baseline, _condition]
        return ablation.looks(loaded, _encoding, every, position=position)


@caches.keep
def places(name: str, *, n: int, offsets: int) -> tuple[list[Sample], str]:
    """Random positions of the texts that a model's heads are averaged over, and what these are.

    Raises:
        HeadrolesError: if the model cannot be loaded, or no text is long enough.
    """
    with model(name) as loaded:
        own = texts.probe_texts.held_out_lines(loaded.source)
        drawn = ablation.draw_samples(loaded, own or texts.SENTENCES, n=n, offsets=offsets)
    return drawn, "held-out passages of its own kind of text" if own else "sentences"


@caches.keep
def mean_note(name: str) -> str:
    """What a head's mean is taken over, in a sentence."""

    with model(name) as loaded:
        means = ablation.reference_means(loaded)
    return (
        f"The mean is over {means.positions} positions of {means.texts} sentences of this project, "
        "the start token left out."
    )


def ready_ranks(name: str, start: int, count: int) -> list[int]:
    """[prompt] the place of the answer in some of the ready prompts; 1 where the model is right.

    Args:
        name: the catalogue key of the model.
        start: the first of :data:`headroles.texts.ready_prompts.READY`.
        count: how many of them.

    Raises:
        HeadrolesError: if the model cannot be loaded.
    """

    with model(name) as loaded:
        return ablation.ready_ranks(loaded, texts.READY[start : start + count])


@caches.keep
def row_seconds(name: str) -> float:
    """Seconds that a prompt of ordinary length takes in a batch, for estimates: measured once.

    Raises:
        HeadrolesError: if the model cannot be loaded.
    """

    return long_work.seconds_of(partial(ready_ranks, name, 0, BATCH)) / BATCH


@caches.keep
def shape(name: str) -> tuple[int, int]:
    """Layers and heads per layer.

    Raises:
        HeadrolesError: if the model cannot be loaded.
    """
    with model(name) as loaded:
        return loaded.num_layers, loaded.num_heads


def kinds(name: str) -> tuple[str, ...]:
    """The kinds of components that there are of a model, the trained ones first."""
    return circuits.kinds_of(name)


@caches.keep
def check_sets(name: str, kind: str, sets: tuple[ComponentSet, ...]) -> None:
    """Refuse components, or heads of theirs, that the model lacks.

    Raises:
        HeadrolesError: with what there is; if the model cannot be loaded.
    """
    with model(name) as loaded:
        ablation.conditions.check(ablation.removal_of(sets, kind), loaded, length=1)


@caches.keep
def first_component(name: str, kind: str, layer: int, prompt: str, *, chat: bool) -> Component:
    """The component of a layer's query matrix that matters most on a prompt: by its importance, or
    by what it writes where none were trained.

    Raises:
        HeadrolesError: if the prompt cannot be run.
    """
    with model(name) as loaded:
        encoding = texts.encode(loaded.tokenizer, prompt, max_tokens=loaded.max_tokens, chat=chat)
        found = ablation.component_profiles.on_prompt(
            loaded, kind, (layer, "q"), encoding.token_ids
        )
    weights = found.mean_importance if kind == circuits.TRAINED else found.shares
    return Component(layer, "q", int(weights.argmax()))


@caches.keep
def others(name: str, key: str, *, length: int, draws: int, _condition: Condition) -> Control:
    """What a condition is compared with.

    Args:
        name: the catalogue key of the model.
        key: identifies the condition in the cache.
        length: tokens of the prompt.
        draws: how many to draw.
        _condition: the condition.

    Raises:
        HeadrolesError: if the model cannot be loaded.
    """
    with model(name) as loaded:
        return ablation.others_of(_condition, loaded, length=length, draws=draws)


@caches.keep
def bias_left_out(name: str) -> float:
    """Logits: what a model lost when it was converted
    (:data:`headroles.models.tl_to_gpt2.LEFT_OUT`).

    Raises:
        HeadrolesError: if the model cannot be loaded.
    """

    with model(name) as loaded:
        return models.left_out(loaded.model.config)


@caches.keep
def samples(name: str, *, n: int, offsets: int) -> list[Sample]:
    """Random positions of the reference sentences, for the previous-token test.

    Raises:
        HeadrolesError: if the model cannot be loaded, or no sentence is long enough.
    """

    with model(name) as loaded:
        return ablation.draw_samples(loaded, texts.SENTENCES, n=n, offsets=offsets)
