"""Cached results of the section *Contributions*: a logit taken apart, with and without a head."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from headroles import ablation, attribution, texts, view
from headroles.ui.app import caches, long_work

if TYPE_CHECKING:
    from headroles.ablation import HeadOutput
    from headroles.ablation.run import Outcome
    from headroles.attribution import Contributions, Recording
    from headroles.models import LoadedModel
    from headroles.types import Encoding, Head, NextToken
    from headroles.view.without_head import Standing, Without

GUESSES = 5
"""Guesses of the model that are offered."""


class Asked(NamedTuple):
    """What is watched, and where; results are kept by it."""

    model: str
    """The catalogue key."""
    prompt: str
    """The text."""
    chat: bool
    """Whether it is wrapped by the model's chat template."""
    answer: str
    """What should come next; empty for the model's own guess."""
    against: str
    """What is subtracted; empty for nothing."""
    position: int
    """The position whose next token is watched."""


class Written(NamedTuple):
    """A logit taken apart."""

    parts: Contributions
    """What every part contributed."""
    now: Standing
    """How the model sees the token."""
    guesses: tuple[NextToken, ...]
    """The model's likeliest next tokens there."""


def written(asked: Asked) -> Written:
    """What every part of the model contributed.

    Raises:
        HeadrolesError: if it cannot be run, or its family cannot be taken apart.
    """
    return _written(asked.model, asked)


@caches.keep
def _written(name: str, asked: Asked) -> Written:
    seen = _recording(name, asked.prompt, asked.chat, asked.position)
    with caches.borrow(name) as loaded:
        target = attribution.resolve_target(
            loaded,
            encode(loaded, asked),
            asked.answer,
            asked.against,
            position=asked.position,
            recording=seen,
        )
        parts = attribution.project(loaded, seen, target)
        outcome = _outcome(loaded, seen, parts.cap)
        now = _standing(loaded, outcome, target.token_id)
        return Written(parts, now, ablation.tables.likeliest(loaded, outcome))


@caches.keep
def _recording(name: str, prompt: str, chat: bool, position: int) -> Recording:
    """One pass, of which every token that may be watched is made."""
    with caches.borrow(name) as loaded:
        encoding = texts.encode(loaded.tokenizer, prompt, max_tokens=loaded.max_tokens, chat=chat)
        return attribution.record(loaded, encoding, position=position)


def encode(loaded: LoadedModel, asked: Asked) -> Encoding:
    """The prompt as the model reads it."""
    return texts.encode(
        loaded.tokenizer, asked.prompt, max_tokens=loaded.max_tokens, chat=asked.chat
    )


def _outcome(loaded: LoadedModel, seen: Recording, cap: float | None) -> Outcome:
    """What the model says at the recorded position; a recording has no soft cap yet."""
    logits = seen.logits if cap is None else cap * (seen.logits / cap).tanh()
    untouched, nameless = ablation.conditions.UNTOUCHED, loaded.nameless(len(logits))
    return ablation.run.Outcome(untouched, logits, logits.new_empty(0), nameless)


def _standing(loaded: LoadedModel, outcome: Outcome, token: int) -> Standing:
    return view.without_head.Standing(
        rank=ablation.outcomes.rank(outcome.named, token),
        probability=float(outcome.logits.double().softmax(-1)[token]),
        vocabulary=len(outcome.logits) - len(outcome.nameless),
        guess=texts.token_texts(loaded.tokenizer, [outcome.guess])[0],
    )


def without(asked: Asked, parts: Contributions, head: Head) -> long_work.Plan:
    """The steps of knocking one head out; together they make a
    :class:`headroles.view.without_head.Without`."""
    steps = [partial(_means, asked.model), partial(_without, asked, parts, head)]
    return long_work.Plan(steps, lambda results: results[-1])


def _means(name: str) -> None:
    """Every head's mean output, which the model keeps from then on."""
    with caches.borrow(name) as loaded:
        ablation.reference_means(loaded)


def _without(asked: Asked, parts: Contributions, head: Head) -> Without:
    lost = ablation.HeadOutput((head,), "mean")
    with caches.borrow(asked.model) as loaded:
        encoding = encode(loaded, asked)
        result = view.without_head.Without(head, *_under(loaded, encoding, asked, parts, [lost]))
        if (other := view.without_head.riser(parts, result)) is None:
            return result
        held = ablation.HeadOutput((other.head,), "own")
        return replace(result, held=_under(loaded, encoding, asked, parts, [lost, held]))


def _under(
    loaded: LoadedModel,
    encoding: Encoding,
    asked: Asked,
    parts: Contributions,
    changes: Sequence[HeadOutput],
) -> tuple[Standing, Contributions]:
    """How the model sees the token under a knock-out, and what the parts contribute then."""
    condition, ids = ablation.Condition("", tuple(changes)), encoding.token_ids
    _, outputs = ablation.conditions.edits(
        [condition],
        [len(ids)],
        num_layers=loaded.num_layers,
        replacements=ablation.run.replacements_for(loaded, [ids], [condition]),
    )
    seen = attribution.record(loaded, encoding, position=asked.position, outputs=outputs)
    after = attribution.project(loaded, seen, parts.target)
    return _standing(loaded, _outcome(loaded, seen, after.cap), parts.target.token_id), after
