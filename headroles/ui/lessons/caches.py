"""Cached results of the page Lessons: what a model answers, and what a question shows before."""

from __future__ import annotations

from collections.abc import Hashable
from functools import partial
from operator import itemgetter
from typing import TYPE_CHECKING, NamedTuple

from headroles import disk, lessons, paths, texts
from headroles.ui.app import caches, lesson_files
from headroles.ui.app.long_work import Plan

if TYPE_CHECKING:
    from headroles.lessons import Answer, Lessons, Step
    from headroles.lessons.answers import Number


class Asked(NamedTuple):
    """A step of a lesson, and the model that is asked."""

    model: str
    """The catalogue key: of the model that is chosen, or of the step's own."""
    lesson: str
    """The lesson's key."""
    step: Step
    """The step."""


def everything() -> Lessons:
    """All lessons, and the files that are none. One that an instructor looks at before it is put
    live comes first, in their session alone."""
    return lesson_files.merged(lesson_files.stored())


def answer(asked: Asked, prompt: str = "") -> Answer:
    """What the model answers.

    Args:
        asked: a question.
        prompt: for ``wake``, what the student wrote.

    Raises:
        HeadrolesError: whatever stands in the way: the model cannot be loaded, has no analysis or
            no such head, or the prompt cannot be run.
    """
    return _answer(*name(asked), prompt, asked.step)


def plan(asked: Asked) -> Plan:
    """The same in steps: a model of many heads takes seconds for each option.

    Raises:
        HeadrolesError: as :func:`answer`, by a step.
    """
    step, kept_by = asked.step, name(asked)
    first = [partial(_prepare, asked.model)] if lessons.measuring.knocks_out(step) else []
    if step.kind != "largest":
        return Plan([*first, partial(_alone, asked)], itemgetter(-1), chained=True)
    numbers = [partial(_number, *kept_by, place, step) for place in range(len(step.options))]
    return Plan(
        [*first, *numbers, partial(_together, *kept_by, step)], itemgetter(-1), chained=True
    )


def _alone(asked: Asked, _done: tuple) -> Answer:
    return answer(asked)


def _prepare(model: str, _done: tuple) -> None:
    with caches.borrow(model) as loaded:
        lessons.measuring.prepare(loaded)


@caches.keep
def _number(
    model: str, spelled: str, analyses: Hashable, place: int, _step: Step, _done: tuple
) -> Number:
    with caches.borrow(model) as loaded:
        return lessons.answers.number_of(_step, place, loaded)


@caches.keep
def _together(model: str, spelled: str, analyses: Hashable, _step: Step, _done: tuple) -> Answer:
    numbers = [number for number in _done if number is not None]
    with caches.borrow(model) as loaded:
        return lessons.answer(_step, loaded, numbers=numbers)


@caches.keep
def _answer(model: str, spelled: str, analyses: Hashable, prompt: str, _step: Step) -> Answer:
    with caches.borrow(model) as loaded:
        return lessons.answer(_step, loaded, prompt=prompt)


def name(asked: Asked) -> tuple[str, str, Hashable]:
    """What a result is kept by: the model, the step as its file says it now, and the analyses."""
    return asked.model, asked.step.model_dump_json(), disk.stamp(paths.CATEGORIES)


def tokens(asked: Asked) -> tuple[str, ...]:
    """[pos] the tokens of the step's prompt, the start token included; nothing else is computed.

    Raises:
        HeadrolesError: if the model cannot be loaded, or the step says nothing for it.
    """
    return _tokens(asked.model, asked.step.model_dump_json(), asked.step)


@caches.keep
def _tokens(model: str, spelled: str, _step: Step) -> tuple[str, ...]:
    prompt = lessons.places.text_of(_step.prompt, model)
    with caches.borrow(model) as loaded:
        return texts.encode(loaded.tokenizer, prompt, max_tokens=loaded.max_tokens).tokens


def head(asked: Asked) -> str:
    """The label of the head that a step is about; "" where it names none.

    Raises:
        HeadrolesError: if the model cannot be loaded, or has no such head.
    """
    return _head(*name(asked), asked.step)


@caches.keep
def _head(model: str, spelled: str, analyses: Hashable, _step: Step) -> str:
    named = lessons.lesson.head_named(_step)
    if named is None:
        return ""
    with caches.borrow(model) as loaded:
        return lessons.places.head_of(named, loaded).label
