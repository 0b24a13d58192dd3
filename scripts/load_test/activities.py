"""What visitors do: each activity opens its page once, and then runs prompt after prompt there."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from scripts.load_test.visitor import Page, VisitError, Visitor

BOX, RUN = "app-prompt_box", "app-run"
ON_PROMPT = "This prompt"
GENERATED = "Generated prompts"
LONG = 500
"""Generated prompts of long work; seconds of computation."""

PEOPLE = (
    *("girl", "boy", "king", "queen", "dog", "cat", "bird", "teacher"),
    *("doctor", "farmer", "sister", "brother"),
)
VERBS = ["saw", "found", "liked", "heard", "followed", "helped", "met", "missed"]
ENDS = ["in the garden", "near the river", "by the old house", "after the rain", "at the market"]


class Question(NamedTuple):
    """What is asked once."""

    activity: str
    """A key of :data:`ACTIVITIES`."""
    prompt: str
    seed: int
    """Of generated prompts, and the visitor's own."""


class Activity(NamedTuple):
    """Something that visitors do on one page."""

    page: str
    """Its name in the address."""
    ask: Callable[[Visitor, Question], Awaitable[float]]
    """Asks, and waits for the answer; seconds."""
    mark: str
    """Stands on the page once it has an answer: a part of a chart's id, or of a text."""


def prompt_of(chance: random.Random) -> str:
    """A prompt that hardly any other visitor types; a half of them repeat themselves."""
    who, whom, third = chance.sample(PEOPLE, 3)
    first = f"The {who} {chance.choice(VERBS)} the {whom} {chance.choice(ENDS)}."
    if chance.random() < 0.5:
        return f"{first} The {who} {chance.choice(VERBS)} the {third}"
    return f"{first} Then the {third} {chance.choice(VERBS)} a {chance.choice(PEOPLE)}"


async def _type(visitor: Visitor, question: Question) -> float:
    visitor.fill(BOX, string_value=question.prompt)
    return await visitor.press(RUN)


async def _on_map(visitor: Visitor, question: Question) -> float:
    try:
        visitor.widget(BOX)
    except VisitError:  # the map shows the reference scores at first
        visitor.fill("app-map_source", string_value=ON_PROMPT)
        await visitor.rerun()
    return await _type(visitor, question)


async def _long(visitor: Visitor, question: Question) -> float:
    try:
        visitor.widget("detector_lab-seed")
    except VisitError:
        visitor.fill("detector_lab-source", string_array_value=[GENERATED])
        await visitor.rerun()
    visitor.fill("detector_lab-count", int_value=LONG)
    visitor.fill("detector_lab-seed", int_value=question.seed)
    return await visitor.rerun()


ACTIVITIES = {
    "prompt": Activity("", _type, 'class="hr-strip'),
    "closeup": Activity("head_closeup", _type, "hr-head"),
    "map": Activity("head_map", _on_map, "head_map-map_"),
    "detector": Activity("detector_lab", _type, "detector_lab-chart_0"),
    "knockout": Activity("knockout_lab", _type, "hr-verdict"),
    "long": Activity("detector_lab", _long, "detector_lab-chart_0"),
}
MIXED = ["prompt"] * 6 + ["closeup", "closeup", "map", "detector", "knockout"]
"""What a class does, as often as it does it."""


def next_activity(wanted: str, chance: random.Random) -> str:
    """``wanted``, or one of :data:`MIXED` by chance."""
    return chance.choice(MIXED) if wanted == "mixed" else wanted


def has_answer(page: Page, activity: str) -> bool:
    """Whether the page shows an answer, be it right or wrong."""
    mark = ACTIVITIES[activity].mark
    names = [chart.id for chart in page.charts]
    texts = [text for text in page.texts if not text.startswith("<style")]
    return any(mark in name for name in [*names, *texts])


_CHECKED = ('class="hr-strip', 'class="hr-head"', 'class="hr-verdict"', 'class="hr-facts"')


def checked_part(page: Page) -> Page:
    """What :mod:`scripts.load_test.answers` looks at, so that nothing else is kept."""
    return page._replace(texts=tuple(t for t in page.texts if any(part in t for part in _CHECKED)))
