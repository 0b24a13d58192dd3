"""What a model answers to a question of a lesson. Nothing here is written down beforehand.

>>> answer(step, loaded).options[0].is_right  # doctest: +SKIP
True
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from headroles import capture, verdicts
from headroles.errors import EmptyPromptError, HeadrolesError, UnknownRoleError
from headroles.lessons import measuring, places
from headroles.lessons.lesson import (
    SAME,
    Active,
    Case,
    Cells,
    Largest,
    Question,
    Value,
    Wake,
    case_of,
)
from headroles.lessons.measures import MEASURES
from headroles.models import LoadedModel
from headroles.roles import BASIC_ROLES, get_role
from headroles.store import categories
from headroles.store.records import Record
from headroles.types import Head, State, Verdict
from headroles.verdicts import PromptScores


class OptionAnswer(Record):
    """What is true of one option."""

    label: str
    """As the student sees it."""
    value: float
    """Its number: an activation, or what the step's measure says."""
    is_right: bool
    """Whether it should have been chosen."""
    needed: float | None = None
    """0..1, what an activation must reach on this prompt; None for other numbers."""
    chance: float | None = None
    """0..1, the activation of a head that spreads evenly; None for other numbers."""
    beside: float | None = None
    """What its number is held against (:func:`headroles.lessons.measuring.beside`)."""
    head: str = ""
    """For ``active``: the label of the head whose activation this is."""
    state: State | None = None
    """For ``active``: that head's verdict."""
    reason: str = ""
    """For ``active``: the verdict's reason, in a sentence."""


class Answer(Record):
    """What a model says to one question."""

    model: str
    """The catalogue key of the model that was asked."""
    revision: str
    """What pins its weights; "" where nobody has said."""
    prompt: str = ""
    """What was run, where the question has one prompt."""
    head: str = ""
    """The label of the head that is asked about."""
    tokens: tuple[str, ...] = ()
    """[pos] the prompt's tokens, the start token included."""
    queries: tuple[int, ...] = ()
    """Positions of the tokens that look."""
    rows: tuple[tuple[float, ...], ...] = ()
    """[query key] 0..1, the head's attention from each of them to every token so far; with
    ``without_first``, 0 for the first token and shares of the rest for the others."""
    resting: tuple[float, ...] = ()
    """[query] 0..1, its attention on the first token from each of them."""
    options: tuple[OptionAnswer, ...] = ()
    """Every option, in the step's order; “about the same” comes last where it can be chosen."""
    value: float | None = None
    """The number that was asked for; for ``wake``, the head's activation."""
    beside: float | None = None
    """For ``number``: what it is held against (:func:`headroles.lessons.measuring.beside`)."""
    chance: float | None = None
    """0..1, for ``wake``: what an even spread gives on that prompt."""
    needed: float | None = None
    """0..1, for ``wake``: what the activation must reach there."""
    state: State | None = None
    """For ``wake``: the verdict."""
    reason: str = ""
    """For ``wake``: the verdict's reason, in a sentence."""


class Number(NamedTuple):
    """The number of an option, and what it is held against."""

    value: float
    beside: float | None
    """None also where it is that of the option before."""


def number_of(step: Largest, place: int, loaded: LoadedModel) -> Number:
    """The number of one option of ``largest``, by its place.

    Raises:
        HeadrolesError: as :func:`answer`.
    """
    case = case_of(step, step.options[place])
    value = getattr(measuring, step.measure)(loaded, case)
    if place and _untouched(case) == _untouched(case_of(step, step.options[place - 1])):
        return Number(value, None)
    return Number(value, measuring.beside(step.measure, loaded, case))


def _untouched(case: Case) -> Case:
    """The case before anything is knocked out, and whatever is read."""
    return case.model_copy(update={"without": (), "manner": None, "reads": None})


def answer(
    step: Question,
    loaded: LoadedModel,
    *,
    prompt: str | None = None,
    numbers: Sequence[Number] = (),
) -> Answer:
    """Ask a model.

    Args:
        step: the question.
        loaded: the model.
        prompt: for ``wake``, what the student wrote.
        numbers: for ``largest``, :func:`number_of` every option, where they are there already.

    Raises:
        HeadrolesError: whatever stands in the way: no such head or word, an empty prompt, no
            analysis of the model.
    """
    if isinstance(step, Cells):
        return _cells(step, loaded)
    if isinstance(step, Active):
        return _active(step, loaded)
    if isinstance(step, Largest):
        every = numbers or [number_of(step, n, loaded) for n in range(len(step.options))]
        return _largest(step, loaded, every)
    if isinstance(step, Value):
        return _value(step, loaded)
    return wakes(step, loaded, prompt or "")


def _cells(step: Cells, loaded: LoadedModel) -> Answer:
    prompt, head = places.text_of(step.prompt, loaded.key), places.head_of(step.head, loaded)
    run = capture.capture(loaded, prompt)
    queries = tuple(places.position_of(run.tokens, query) for query in step.queries)
    if len(set(queries)) < len(queries):
        raise HeadrolesError("Two of the queries are the same token.", hint="Name positions.")
    if step.without_first and 0 in queries:
        raise HeadrolesError("The first token looks at itself alone.", hint="Name a later one.")
    looked = [run.attention[head][query, : query + 1].double() for query in queries]
    rows = [_beyond_first(row) if step.without_first else row for row in looked]
    return Answer(
        model=loaded.key,
        revision=loaded.revision,
        prompt=prompt,
        head=head.label,
        tokens=run.tokens,
        queries=queries,
        rows=tuple(tuple(row.tolist()) for row in rows),
        resting=tuple(float(row[0]) for row in looked),
    )


def _beyond_first(row: Float[Tensor, " key"]) -> Float[Tensor, " key"]:
    """[key] shares of the attention that does not rest; 0 where all of it does."""
    rest = row[1:].sum()
    return torch.cat([row.new_zeros(1), row[1:] / rest if rest > 0 else row[1:]])


def _active(step: Active, loaded: LoadedModel) -> Answer:
    prompt = places.text_of(step.prompt, loaded.key)
    run = capture.capture(loaded, prompt)
    scores, judged = verdicts.score_run(run), []
    for option in step.options:
        role = option if step.role is None else step.role
        _check_basic(role)
        heads = _listed(loaded, role) if step.role is None else [places.head_of(option, loaded)]
        found = [_judge(loaded, head, role, scores) for head in heads]
        best = max(found, key=lambda verdict: (verdict.is_active, verdict.activation.value))
        label = get_role(role).name if step.role is None else best.head.label
        judged.append(
            OptionAnswer(
                label=label,
                value=best.activation.value,
                is_right=best.is_active,
                needed=best.needed,
                chance=best.activation.chance,
                head=best.head.label,
                state=best.state,
                reason=best.reason,
            )
        )
    return Answer(
        model=loaded.key,
        revision=loaded.revision,
        prompt=prompt,
        tokens=run.tokens,
        options=tuple(judged),
    )


def _check_basic(role: str) -> None:
    if role not in BASIC_ROLES:
        raise UnknownRoleError(role, known=list(BASIC_ROLES))


def _listed(loaded: LoadedModel, role: str) -> list[Head]:
    """The heads that the model's analysis lists in a role, at least one."""
    places.head_of(role, loaded)  # raises where there is none
    entry, _ = categories.good_entry(loaded.key)
    return entry.listed(role)


def _judge(loaded: LoadedModel, head: Head, role: str, scores: PromptScores) -> Verdict:
    entry, _ = categories.good_entry(loaded.key)
    return verdicts.judge(head, role, scores, verdicts.thresholds_in(entry).get(role))


def _largest(step: Largest, loaded: LoadedModel, numbers: Sequence[Number]) -> Answer:
    values, besides = [], []
    for value, beside in numbers:
        values.append(value)
        besides.append(besides[-1] if beside is None and besides else beside)
    top = max(values)
    same = step.same_within is not None and top - min(values) <= step.same_within
    options = [
        OptionAnswer(
            label=option.label, value=value, is_right=not same and value == top, beside=beside
        )
        for option, value, beside in zip(step.options, values, besides, strict=True)
    ]
    if step.same_within is not None:
        options.append(OptionAnswer(label=SAME, value=top - min(values), is_right=same))
    return Answer(
        model=loaded.key,
        revision=loaded.revision,
        options=tuple(options),
        **_shared(step.case, loaded),
    )


def _shared(case: Case, loaded: LoadedModel) -> dict[str, str]:
    """The prompt and the head that a whole question is about, where it names them."""
    return {
        "prompt": places.text_of(case.prompt, loaded.key) if case.prompt is not None else "",
        "head": places.head_of(case.head, loaded).label if case.head is not None else "",
    }


def _value(step: Value, loaded: LoadedModel) -> Answer:
    value = getattr(measuring, step.measure)(loaded, step.case)
    return Answer(
        model=loaded.key,
        revision=loaded.revision,
        value=value,
        beside=measuring.beside(step.measure, loaded, step.case),
        **_shared(step.case, loaded),
    )


def wakes(step: Wake, loaded: LoadedModel, prompt: str) -> Answer:
    """Whether a prompt wakes the head that a step asks for.

    Raises:
        EmptyPromptError: if the prompt is blank.
        HeadrolesError: as :func:`answer`.
    """
    if not prompt.strip():
        raise EmptyPromptError(hint="Write a sentence.")
    _check_basic(step.role)
    head = places.head_of(step.head or step.role, loaded)
    run = capture.capture(loaded, prompt)
    verdict = _judge(loaded, head, step.role, verdicts.score_run(run))
    return Answer(
        model=loaded.key,
        revision=loaded.revision,
        prompt=prompt,
        head=head.label,
        tokens=run.tokens,
        value=verdict.activation.value,
        chance=verdict.activation.chance,
        needed=verdict.needed,
        state=verdict.state,
        reason=verdict.reason,
    )


def unit_of(step: Question) -> str:
    """The unit of a question's numbers (:attr:`headroles.lessons.measures.Measure.unit`)."""
    return MEASURES[step.measure].unit if isinstance(step, Largest | Value) else "share"
