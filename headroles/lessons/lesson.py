"""What a lesson's file holds: texts and questions, and no answers.

A lesson is one TOML file in ``data/lessons/``, its texts in Markdown. Each step is of one of six
kinds (:data:`Step`). What a question's answer is, the model that is loaded says
(:mod:`headroles.lessons.answers`); what the lesson's text relies on may stand in ``expect`` or
``solution``, and ``python -m scripts.check_lessons`` holds it against every model in ``models``.

>>> Option(label="layer 0", head="L0H6").label
'layer 0'
"""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Collection
from typing import Annotated, Literal

from pydantic import AfterValidator, ConfigDict, Field, model_validator

from headroles.lessons import measures
from headroles.lessons.naming import (
    BasicRole,
    ByModel,
    HeadName,
    HeadNames,
    Role,
    check_basic_role,
    check_head,
)
from headroles.store.class_lessons import KEY, LONGEST_KEY
from headroles.store.records import Record

FORMAT = 1
"""What a file says of its own form."""
PLACEHOLDERS = ("model", "head")
"""What a text may name in braces: the model's name, and the label of the step's head."""
CERTAINTIES = ("just a guess", "not very sure", "fairly sure", "certain")
"""How sure a student can be of a prediction, from 1 to 4."""

Number = Annotated[float, Field(allow_inf_nan=False)]
Key = Annotated[str, Field(pattern=KEY, max_length=LONGEST_KEY)]


def _text(text: str) -> str:
    """A Markdown text whose braces name something; ``{{`` is a brace."""
    try:
        fields = [field for field in string.Formatter().parse(text) if field[1] is not None]
    except ValueError:
        raise ValueError("a brace is not closed: write {{ and }} for braces of the text") from None
    names = [name + ("!" if how else "") + (":" if form else "") for _, name, form, how in fields]
    if unknown := sorted(set(names) - set(PLACEHOLDERS)):
        known = " and ".join(f"{{{name}}}" for name in PLACEHOLDERS)
        raise ValueError(f"{{{unknown[0]}}} is no placeholder: there are {known}")
    return text


Text = Annotated[str, Field(min_length=1, max_length=6_000), AfterValidator(_text)]
"""Markdown for the student; may hold :data:`PLACEHOLDERS`."""
Measure = Annotated[str, Field(json_schema_extra={"enum": [*measures.MEASURES]})]
"""The name of one of :data:`headroles.lessons.measures.MEASURES`."""


class _Part(Record):
    model_config = ConfigDict(use_attribute_docstrings=True)
    """What stands below a field is its description: in the schema that editors read, in docs."""


class Case(_Part):
    """What a number is measured of; which fields a measure needs, it says itself."""

    prompt: ByModel | None = None
    """The text that is run."""
    head: HeadName | None = None
    """``"L1H3"``, or ``"induction"`` for the first head that the model's analysis lists in this
    role, ``"induction 2"`` for the second."""
    reader: HeadName | None = None
    """A later head, written as ``head`` is: it reads what ``head`` wrote."""
    role: Role | None = None
    """A role's key."""
    token: str | None = None
    """The token that may come next; a word of the prompt is written with its leading space."""
    against: str | None = None
    """The token that it is held against."""
    query: str | int | None = None
    """The place that looks: a word of the prompt (its last occurrence), or a position."""
    key: str | int | None = None
    """The place that is looked at, in the same way, but a word's first occurrence."""
    without: tuple[HeadNames, ...] = ()
    """Heads that are knocked out, each written as ``head`` is; ``"induction *"`` for all that the
    analysis lists in the role."""
    manner: Literal["together", "one_by_one", "random_others"] | None = None
    """How they are: all at once (the default); each alone, the effects added up; or as many random
    other heads of the same layers instead, the mean over draws."""
    reads: Literal["Q", "K", "V"] | None = None
    """With what ``reader`` reads: its queries, keys (the default) or values."""
    part: Literal["heads", "mlps", "embedding"] | None = None
    """A part of the model, for a sum."""
    line: Annotated[float, Field(ge=0, le=1)] | None = None
    """A flat threshold, for counting what lies above it."""


class Option(Case):
    """One of several answers; its fields replace those of the step."""

    label: Annotated[str, Field(min_length=1, max_length=120)]
    """What the student chooses."""
    feedback: Text | None = None
    """Said to who chose it: what is behind this thought."""


class _Step(_Part):
    key: Key
    """Its name within the lesson: in links and worksheets."""
    title: Annotated[str, Field(min_length=1, max_length=80)]
    """The heading."""
    text: Text | None = None
    """What to know before."""
    model: str | None = None
    """The key of another model than the lesson's."""


class Read(_Step):
    """A text, beside something live from the model."""

    kind: Literal["read"]
    shows: Literal["tokens", "pattern", "roles"] | None = None
    """The tokens of a prompt; a head's pattern on it; which roles are active on it."""
    prompt: ByModel | None = None
    """The text whose tokens, pattern or active roles are shown."""
    head: HeadName | None = None
    """The head whose pattern is shown."""
    role: Role | None = None
    """The role that a pattern's cells are marked for."""

    @model_validator(mode="after")
    def _has_what_it_shows(self) -> Read:
        if self.shows and self.prompt is None:
            raise ValueError(f"shows = “{self.shows}” needs a prompt")
        if self.shows == "pattern" and self.head is None:
            raise ValueError("shows = “pattern” needs a head")
        if not self.text and not self.shows:
            raise ValueError("a step of kind “read” needs a text, or something to show")
        return self


class _Question(_Step):
    question: Text
    """What is asked, in a sentence."""
    explain: Text
    """Said after the answer: why it is so. It must be true on every model of the lesson."""
    hints: Annotated[tuple[Text, ...], Field(max_length=5)] = ()
    """Shown one after the other, on request."""


class _Prediction(_Question):
    """A question whose answer the student says beforehand."""

    feedback: Annotated[dict[str, Text], Field(default_factory=dict)]
    """What is said to a wrong prediction, by what was predicted. For “cells” a word that was
    chosen, or a position (“0” is the first token); for “active” an option that was ticked or left
    wrongly; for “largest” a label, or “about the same”; for “number” “too low” and “too high”."""


class Cells(_Prediction):
    """Where does this head look from these tokens?"""

    kind: Literal["cells"]
    prompt: ByModel
    """The text that is run."""
    head: HeadName
    """The head that is asked about."""
    queries: Annotated[tuple[str | int, ...], Field(min_length=1, max_length=8)]
    """The tokens that look: words of the prompt (their last occurrence), or positions."""
    each: Annotated[int, Field(ge=1, le=4)] = 1
    """How many cells of a row may be chosen."""
    without_first: bool = False
    """Whether attention on the first token is left out, and rows are shares of the rest: a head of
    a real model may rest there almost wholly while it does its work with what is left."""
    expect: Annotated[float, Field(gt=0, le=1)] | None = None
    """What the text relies on: the share of attention in the best cells is at least this."""


class Active(_Prediction):
    """Which of these roles, or heads in one role, are active on this prompt?"""

    kind: Literal["active"]
    prompt: ByModel
    """The text that is run."""
    options: Annotated[tuple[str, ...], Field(min_length=2, max_length=8)]
    """Role keys: is any listed head of the role active? With ``role``: heads."""
    role: BasicRole | None = None
    """With it, the options are heads, and this is what they may do."""
    expect: tuple[str, ...] | None = None
    """What the text relies on: the options that are active."""

    @model_validator(mode="after")
    def _fits(self) -> Active:
        if repeated := [option for option, n in Counter(self.options).items() if n > 1]:
            raise ValueError(f"the option “{repeated[0]}” stands there twice")
        for option in self.options:
            check_basic_role(option) if self.role is None else check_head(option)
        if unknown := [option for option in self.expect or () if option not in self.options]:
            raise ValueError(f"expect names “{unknown[0]}”, which is no option")
        _check_feedback(self.feedback, self.options)
        return self


class Largest(_Prediction):
    """For which of these is the number largest?"""

    kind: Literal["largest"]
    measure: Measure
    """Which number."""
    case: Case = Case()
    """What all options share."""
    options: Annotated[tuple[Option, ...], Field(min_length=2, max_length=8)]
    """What can be chosen, each with what differs."""
    same_within: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    """With it, “about the same” can be chosen too: right if all numbers lie within this."""
    expect: ByModel | None = None
    """What the text relies on: the label of the right option, or “about the same”; by model where
    models differ, and nothing of one that is not named."""

    @model_validator(mode="after")
    def _fits(self) -> Largest:
        measures.check(self.measure, [_filled(self.case, option) for option in self.options])
        labels = [option.label for option in self.options]
        if repeated := [label for label, times in Counter(labels).items() if times > 1]:
            raise ValueError(f"two options are called “{repeated[0]}”")
        expected = self.expect.values() if isinstance(self.expect, dict) else [self.expect]
        for label in expected:
            if label == SAME and self.same_within is None:
                raise ValueError(f"expect = “{SAME}” needs same_within")
            if label not in (None, *labels, SAME):
                raise ValueError(f"expect names “{label}”, which is no option")
        _check_feedback(self.feedback, [*labels, *([SAME] if self.same_within is not None else [])])
        return self


class Value(_Prediction):
    """How large is the number?"""

    kind: Literal["number"]
    measure: Measure
    """Which number."""
    case: Case = Case()
    """What it is measured of."""
    low: Number
    """The left end of the slider."""
    high: Number
    """Its right end."""
    step: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    """Its steps."""
    within: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    """As near as this is right; at three times this, nothing is left."""
    expect: tuple[Number, Number] | None = None
    """What the text relies on: the number lies between these."""

    @model_validator(mode="after")
    def _fits(self) -> Value:
        measures.check(self.measure, [self.case])
        if not self.low < self.high:
            raise ValueError("low must be less than high")
        if self.expect and not self.expect[0] <= self.expect[1]:
            raise ValueError("expect is a range: the smaller number first")
        _check_feedback(self.feedback, (TOO_LOW, TOO_HIGH))
        return self


class Wake(_Question):
    """Write a prompt on which this head does this."""

    kind: Literal["wake"]
    role: BasicRole
    """What the head is to do."""
    head: HeadName | None = None
    """By default the first head that the model's analysis lists in the role."""
    start: str = ""
    """What the box holds at first: a prompt on which the head does not do it."""
    solution: ByModel
    """A prompt that wakes it on every model of the lesson; shown to who asks after all hints."""


Question = Cells | Active | Largest | Value | Wake
Step = Annotated[Read | Question, Field(discriminator="kind")]
SAME = "about the same"
"""The option of a question with ``same_within`` that no option is right."""
TOO_LOW, TOO_HIGH = "too low", "too high"
"""How a number can be wrong, as ``feedback`` names it."""


def _check_feedback(feedback: dict[str, str], known: Collection[str]) -> None:
    if unknown := [key for key in feedback if key not in known]:
        raise ValueError(
            f"feedback names “{unknown[0]}”, which nobody can predict: there is {', '.join(known)}"
        )


def _filled(case: Case, option: Option) -> Case:
    """An option's case: what it does not say, the step says."""
    own = option.model_dump(exclude_unset=True, exclude={"label", "feedback"})
    return Case.model_validate({**case.model_dump(exclude_unset=True), **own})


def case_of(step: Largest, option: Option) -> Case:
    """What an option's number is measured of."""
    return _filled(step.case, option)


def head_named(step: Step) -> ByModel | None:
    """The head that ``{head}`` stands for in the texts of a step; None where it asks about none."""
    if isinstance(step, Wake):
        return step.head or step.role
    if isinstance(step, Largest | Value):
        return step.case.head
    return None if isinstance(step, Active) else step.head


def texts_of(step: Step) -> tuple[str, ...]:
    """All texts of a step that a student reads and that may hold :data:`PLACEHOLDERS`."""
    texts = [step.text]
    if not isinstance(step, Read):
        texts += [step.question, step.explain, *step.hints]
    if isinstance(step, Largest):
        texts += [option.feedback for option in step.options]
    if isinstance(step, _Prediction):
        texts += step.feedback.values()
    return tuple(text for text in texts if text)


def fill(text: str, *, model: str, head: str = "") -> str:
    """A text with its placeholders filled.

    >>> fill("{head} of {model}, and a {{brace}}", model="Demo", head="L1H3")
    'L1H3 of Demo, and a {brace}'
    """
    return text.format(model=model, head=head)


class Lesson(_Part):
    """One lesson."""

    format: Literal[1] = FORMAT
    title: Annotated[str, Field(min_length=1, max_length=80)]
    """What it is called in the list."""
    goal: Text
    """What a student can do afterwards, in one sentence."""
    minutes: Annotated[int, Field(ge=1, le=90)] = 10
    """About how long it takes."""
    order: int = 100
    """Its place in the list."""
    advanced: bool = False
    """Whether it stands apart, for the advanced."""
    models: Annotated[tuple[str, ...], Field(min_length=1)]
    """Catalogue keys of the models on which its texts are true; the first is used by default."""
    steps: Annotated[tuple[Step, ...], Field(min_length=1, max_length=40)]

    @model_validator(mode="after")
    def _keys_differ(self) -> Lesson:
        times = Counter(step.key for step in self.steps)
        if repeated := [key for key, many in times.items() if many > 1]:
            raise ValueError(f"two steps have the key “{repeated[0]}”")
        return self

    @property
    def questions(self) -> tuple[Question, ...]:
        """The steps that ask something, in order."""
        return tuple(step for step in self.steps if step.kind != "read")

    def step(self, key: str) -> Step:
        """A step by its key.

        Raises:
            KeyError: if there is none.
        """
        return {step.key: step for step in self.steps}[key]


def for_model(text: ByModel, model: str) -> str:
    """What a text is on a model.

    Raises:
        KeyError: if it names other models only.
    """
    if isinstance(text, str):
        return text
    return text[model] if model in text else text["default"]


def is_key(text: str) -> bool:
    """Whether a text may be the key of a lesson or a step."""
    return re.fullmatch(KEY, text) is not None and len(text) <= LONGEST_KEY
