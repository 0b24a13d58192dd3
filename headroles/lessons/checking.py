"""Whether what a lesson's text relies on holds on the models that it names.

Every question is asked, of every model, and the answer is held against ``expect`` or ``solution``;
what cannot be asked (a role without a head on this model, a word that is no token) is a fault too.

>>> [row.faults for row in check_lesson("induction", lesson, loaded)]  # doctest: +SKIP
[(), (), ()]
"""

from __future__ import annotations

import string
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

from headroles import models, texts
from headroles.errors import HeadrolesError, UnknownRoleError
from headroles.formatting import decimal, listing, percent, quoted
from headroles.lessons import answers, marking, places
from headroles.lessons.answers import Answer
from headroles.lessons.lesson import (
    Active,
    ByModel,
    Cells,
    Largest,
    Lesson,
    Question,
    Read,
    Step,
    Value,
    Wake,
    head_named,
    texts_of,
)
from headroles.lessons.measures import SHARES
from headroles.lessons.worksheet import Prediction
from headroles.models import LoadedModel
from headroles.roles import ROLES


class Row(NamedTuple):
    """What one step came to on one model."""

    lesson: str
    """The lesson's key."""
    step: str
    """The step's key."""
    kind: str
    """Its kind."""
    model: str
    """The model's key."""
    expected: str
    """What the file says, in words; "" if it expects nothing."""
    found: str
    """What the model answered, in words with its numbers; "" if it did not."""
    faults: tuple[str, ...]
    """What does not hold, in sentences."""


class Report(NamedTuple):
    """What all lessons came to."""

    rows: tuple[Row, ...]
    """In the order of the lessons and their steps."""
    not_checked: dict[str, str]
    """{key of a model that some lesson names: why it was not asked}."""

    @property
    def holds(self) -> bool:
        """Whether there is no fault."""
        return not any(row.faults for row in self.rows)


def models_of(step: Step, lesson: Lesson) -> tuple[str, ...]:
    """The models that a step is about."""
    return (step.model,) if step.model else lesson.models


def check(
    lessons: Mapping[str, Lesson],
    *,
    only: Iterable[str] = (),
    load: Callable[[str], LoadedModel] = models.load_model,
    tell: Callable[[int, int], None] = lambda done, total: None,
) -> Report:
    """Ask every model that some lessons name, each loaded once and then let go.

    Args:
        lessons: {key: lesson}.
        only: models that are asked instead of those that the lessons name; a step that names its
            own model is asked of that one alone.
        load: brings a model into memory.
        tell: is told (models that are done, of how many).
    """
    instead = tuple(only)
    wanted = {
        key: {
            step.key: tuple(m for m in (step.model,) if m in instead or not instead)
            if step.model
            else instead or lesson.models
            for step in lesson.steps
        }
        for key, lesson in lessons.items()
    }
    named = list(dict.fromkeys(m for steps in wanted.values() for ms in steps.values() for m in ms))
    found: dict[tuple[str, str, str], Row] = {}
    missing: dict[str, str] = {}
    for done, model in enumerate(named):
        tell(done, len(named))
        try:
            loaded = _brought(model, load)
        except HeadrolesError as error:
            missing[model] = error.message
            continue
        for key, lesson in lessons.items():
            for step in lesson.steps:
                if model in wanted[key][step.key]:
                    found[key, step.key, model] = check_step(key, step, loaded)
        del loaded
    tell(len(named), len(named))
    rows = [
        found[key, step, model]
        for key, steps in wanted.items()
        for step, asked in steps.items()
        for model in asked
        if (key, step, model) in found
    ]
    return Report(tuple(rows), missing)


def _brought(model: str, load: Callable[[str], LoadedModel]) -> LoadedModel:
    if not models.is_here(model):
        raise HeadrolesError("it is not on this machine")
    return load(model)


def check_lesson(key: str, lesson: Lesson, loaded: LoadedModel) -> Iterator[Row]:
    """Ask one model every step of a lesson that it is meant for, also where the lesson does not
    name it."""
    for step in lesson.steps:
        if step.model in (None, loaded.key):
            yield check_step(key, step, loaded)


def check_step(lesson: str, step: Step, loaded: LoadedModel) -> Row:
    """Ask one model one step."""
    expected, found, faults = "", "", []
    try:
        faults += _text_faults(step, loaded)
        if isinstance(step, Read):
            found = _shown(step, loaded)
        else:
            answer = answers.answer(step, loaded, prompt=_solution(step, loaded))
            found = _in_words(step, answer)
            expected, wrong = _held(step, answer)
            faults += [*wrong, *_further(step, answer, loaded)]
    except HeadrolesError as error:
        faults.append(" ".join(filter(None, (error.message, error.hint))))
    return Row(lesson, step.key, step.kind, loaded.key, expected, found, tuple(faults))


def _solution(step: Question, loaded: LoadedModel) -> str | None:
    return places.text_of(step.solution, loaded.key) if isinstance(step, Wake) else None


def _text_faults(step: Step, loaded: LoadedModel) -> list[str]:
    """Texts that name a head where the step has none."""
    head = head_named(step)
    if head is not None:
        places.head_of(head, loaded)
        return []
    parsed = (field for text in texts_of(step) for field in string.Formatter().parse(text))
    if any(name == "head" for _, name, _, _ in parsed):
        return ["A text says {head}, but the step names no head."]
    return []


def _shown(step: Read, loaded: LoadedModel) -> str:
    """Whether what a text shows can be shown."""
    if step.role is not None and step.role not in ROLES:
        raise UnknownRoleError(step.role, known=list(ROLES))
    if step.prompt is None:
        return ""
    prompt = places.text_of(step.prompt, loaded.key)
    encoding = texts.encode(loaded.tokenizer, prompt, max_tokens=loaded.max_tokens)
    head = f", {places.head_of(step.head, loaded).label}" if step.head else ""
    return f"{len(encoding.tokens)} tokens{head}"


def number(value: float, unit: str) -> str:
    """A measure's number in its unit."""
    if unit in SHARES:
        return percent(value)
    if unit == "heads":
        return f"{value:.0f}"
    return f"{decimal(value)} {unit}".rstrip()


def _in_words(step: Question, answer: Answer) -> str:
    """The answer, with its numbers."""
    unit = answers.unit_of(step)
    if isinstance(step, Cells):
        return f"{answer.head}: " + "; ".join(
            f"{quoted(answer.tokens[query])} looks at {_strongest(answer, row)}"
            for query, row in zip(answer.queries, answer.rows, strict=True)
        )
    if isinstance(step, Wake):
        return (
            f"{answer.head} is {answer.state} on the solution, {percent(answer.value)} "
            f"of {percent(answer.needed)} needed"
        )
    if isinstance(step, Value):
        return number(answer.value, unit)
    return ", ".join(
        f"{option.label}{' ✓' if option.is_right else ''} {number(option.value, unit)}"
        + (f" of {percent(option.needed)}" if option.needed is not None else "")
        for option in answer.options
    )


def _strongest(answer: Answer, row: tuple[float, ...], few: int = 3) -> str:
    top = sorted(range(len(row)), key=lambda key: -row[key])[:few]
    return ", ".join(f"{quoted(answer.tokens[key])} ({key}) {percent(row[key])}" for key in top)


def _held(step: Question, answer: Answer) -> tuple[str, list[str]]:
    """What is expected, and whether it holds."""
    if isinstance(step, Wake):
        wrong = (
            [] if answer.state == "active" else [f"The solution does not wake it: {answer.reason}"]
        )
        return "the solution wakes it", wrong
    if step.expect is None:
        return "", []
    unit = answers.unit_of(step)
    if isinstance(step, Cells):
        best = marking.mark(step, answer, Prediction()).best
        expected = f"the best cells hold {percent(step.expect)}"
        return expected, [] if best >= step.expect else [f"They hold {percent(best)}."]
    if isinstance(step, Value):
        low, high = step.expect
        expected = f"{number(low, unit)} to {number(high, unit)}"
        good = low <= answer.value <= high
        return expected, [] if good else [f"It is {number(answer.value, unit)}."]
    if isinstance(step, Active):
        right = {
            option
            for option, judged in zip(step.options, answer.options, strict=True)
            if judged.is_right
        }
        odd = [name for name in step.options if (name in right) != (name in step.expect)]
        wrong = [f"{name} is {'' if name in right else 'not '}active." for name in odd]
        return f"active: {listing(step.expect) if step.expect else 'none'}", wrong
    return _largest_held(step.expect, answer)


def _largest_held(expect: ByModel, answer: Answer) -> tuple[str, list[str]]:
    if not isinstance(expect, str):
        expect = expect.get(answer.model, expect.get("default"))
        if expect is None:
            return "", []
    right = [option.label for option in answer.options if option.is_right]
    wrong = [] if expect in right else [f"It is {listing([f'“{label}”' for label in right])}."]
    return f"“{expect}”", wrong


def _further(step: Question, answer: Answer, loaded: LoadedModel) -> list[str]:
    """What makes a question no good, whatever its text relies on."""
    if isinstance(step, Cells):
        # Models cut words otherwise, so a piece of one need not be a token of this model.
        prompts = [step.prompt] if isinstance(step.prompt, str) else step.prompt.values()
        known = [*map(str, range(len(answer.tokens))), *prompts]
        odd = [name for name in step.feedback if not any(name in text for text in known)]
        return [f"feedback names “{name}”, which stands in no prompt." for name in odd]
    if isinstance(step, Largest) and sum(option.is_right for option in answer.options) > 1:
        return ["Two options are equally large: the question has no one answer."]
    if isinstance(step, Value) and not step.low <= answer.value <= step.high:
        unit = answers.unit_of(step)
        return [f"The number {number(answer.value, unit)} is not on the slider."]
    if isinstance(step, Wake) and step.start.strip():
        begun = answers.wakes(step, loaded, step.start)
        if begun.state == "active":
            got = f"{percent(begun.value)} of {percent(begun.needed)} needed"
            return [f"The head is active on the text of start already: {got}."]
    return []
