"""A class of visitors, in a process of its own so that the server is not slowed by them."""

from __future__ import annotations

import asyncio
import gc
import random
import time
from dataclasses import dataclass, field
from typing import NamedTuple

from scripts.load_test.activities import (
    ACTIVITIES,
    Question,
    checked_part,
    has_answer,
    next_activity,
    prompt_of,
)
from scripts.load_test.visitor import Page, VisitError, Visitor


@dataclass(frozen=True)
class Class:
    """Who comes, and what they do."""

    address: str
    visitors: int
    activity: str
    """``opening``, ``mixed``, or a key of :data:`~scripts.load_test.activities.ACTIVITIES`."""
    seconds: float = 60
    """How long they ask, from the first arrival on; the last answers may come later."""
    think: float = 20
    """Seconds between two prompts of a visitor, half as many to half as many more."""
    arrive: float = 30
    """Seconds within which they come, evenly."""
    prompts: int | None = None
    """Most prompts of a visitor; None for as many as there is time for."""
    long: int = 0
    """How many more visitors do long work in the detector lab all the time."""
    model: str = "demo"
    timeout: float = 60
    """Seconds until a run counts as failed."""
    seed: int = 0


class Outcome(NamedTuple):
    """One answer, or one opening of the app."""

    visitor: int
    question: Question | None
    """None for an opening."""
    began: float
    """On the clock that :func:`time.monotonic` reads."""
    seconds: float
    page: Page | None = None
    """The answer, unread."""
    error: str = ""
    """Why there is none: an exception, a lost connection, a time-out."""
    refused: str = ""
    """What the page said instead of an answer."""


@dataclass
class Report:
    """What all visitors saw."""

    outcomes: list[Outcome] = field(default_factory=list)
    cpu_seconds: float = 0.0
    """Processor time of the visitors."""
    wall_seconds: float = 0.0


def visit(plan: Class) -> Report:
    """Let the whole class visit, and wait for it."""
    report, began = Report(), time.monotonic()
    cpu = time.process_time()
    gc.freeze()
    asyncio.run(_all(plan, report))
    report.cpu_seconds = time.process_time() - cpu
    report.wall_seconds = time.monotonic() - began
    return report


async def _all(plan: Class, report: Report) -> None:
    until = time.monotonic() + plan.seconds
    gap = plan.arrive / max(1, plan.visitors)
    activities = [plan.activity] * plan.visitors + ["long"] * plan.long
    await asyncio.gather(
        *(
            _one(plan, number, activity, report, wait=gap * (number % plan.visitors), until=until)
            for number, activity in enumerate(activities)
        )
    )


async def _one(
    plan: Class, number: int, activity: str, report: Report, *, wait: float, until: float
) -> None:
    """One visitor: comes, asks until the time is over, and goes."""
    chance = random.Random(f"{plan.seed} {number}")
    visitor = Visitor(plan.address, query=f"m={plan.model}", timeout=plan.timeout)
    await asyncio.sleep(wait)
    began = time.monotonic()
    try:
        seconds = await visitor.open()
        report.outcomes.append(_judged(visitor, Outcome(number, None, began, seconds), "prompt"))
    except VisitError as error:
        report.outcomes.append(Outcome(number, None, began, 0, error=str(error)))
        await visitor.close()
        return
    think = 0 if activity == "long" else plan.think
    turns = 0 if activity == "opening" else plan.prompts
    due = time.monotonic() + think * chance.random()
    while turns != 0 and max(due, time.monotonic()) < until:
        await asyncio.sleep(due - time.monotonic())
        due = time.monotonic() + think * chance.uniform(0.5, 1.5)
        turns = None if turns is None else turns - 1
        asked = Question(next_activity(activity, chance), prompt_of(chance), chance.randrange(9999))
        outcome = await _ask(visitor, number, asked)
        report.outcomes.append(outcome)
        if outcome.error:
            break
    await visitor.close()


async def _ask(visitor: Visitor, number: int, question: Question) -> Outcome:
    """Turn to the question's page if need be, ask there, and keep what came."""
    activity, began = ACTIVITIES[question.activity], time.monotonic()
    try:
        if not visitor.is_on(activity.page):
            await visitor.turn_to(activity.page)
        began = time.monotonic()
        seconds = await activity.ask(visitor, question)
    except VisitError as error:
        return Outcome(number, question, began, time.monotonic() - began, error=str(error))
    return _judged(visitor, Outcome(number, question, began, seconds), question.activity)


def _judged(visitor: Visitor, outcome: Outcome, activity: str) -> Outcome:
    page = visitor.page()
    if page.exceptions:
        return outcome._replace(error=page.exceptions[0])
    if has_answer(page, activity):
        return outcome._replace(page=checked_part(page) if outcome.question else None)
    if page.notes:
        return outcome._replace(refused=page.notes[0])
    return outcome._replace(error="the page has neither an answer nor a reason")
