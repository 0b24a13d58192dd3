"""Whether the numbers of worksheets can be made again: ask the same models the same questions.

A checksum shows that a file was changed by accident; only the model can say that a number is true.
Each distinct question (and each prompt that was written to wake a head) is asked once, however many
students answered it.

>>> made = [remake(asked, loaded, lessons) for asked in distinct(entries)]  # doctest: +SKIP
>>> sum(one.same for one in made)  # doctest: +SKIP
212
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, NamedTuple

from headroles import models
from headroles.errors import HeadrolesError
from headroles.lessons import answers, class_question, marking
from headroles.lessons.answers import Answer
from headroles.lessons.lesson import Question
from headroles.lessons.reading import Lessons
from headroles.lessons.worksheet import Entry
from headroles.models import LoadedModel, catalogue, on_disk

NEAR = 1e-4
"""As near as a number must come to the one on the worksheet."""
State = Literal["made", "no model", "other weights", "no question", "failed"]
"""``made``: the question was asked again; else what stands in the way."""


@dataclass(frozen=True)
class Asked:
    """One distinct question, with all answers to it that stand on worksheets."""

    model: str
    """The catalogue key of the model, as the worksheets name it."""
    revision: str
    """What pins its weights, as they say."""
    lesson: str
    """The lesson's key."""
    step: str
    """The question's key."""
    prompt: str
    """What was written to wake a head; "" for other questions."""
    entries: tuple[Entry, ...]
    """The answers."""


class Remade(NamedTuple):
    """What came of asking again."""

    lesson: str
    """The lesson's key."""
    step: str
    """The question's key."""
    model: str
    """The model's key."""
    revision: str
    """Its weights, as the worksheets say."""
    state: State
    """Whether it could be asked."""
    same: int
    """Answers whose numbers and mark are the same."""
    of: int
    """All answers."""
    why: str = ""
    """What differs, or what stands in the way, in a sentence."""


def distinct(entries: Iterable[Entry]) -> list[Asked]:
    """Every question once, those of one model together.

    Args:
        entries: answers without fault (:func:`headroles.lessons.class_question.fault_of`).
    """
    found: dict[tuple[str, ...], list[Entry]] = defaultdict(list)
    for entry in entries:
        prompt = entry.answer.prompt if entry.kind == "wake" else ""
        answer = entry.answer
        found[answer.model, answer.revision, entry.lesson, entry.step, prompt].append(entry)
    return [Asked(*key, tuple(found[key])) for key in sorted(found)]


def revision_here(model: str) -> str:
    """What pins the weights of a model on this server; "" where it is not here.

    Nothing is loaded or downloaded. The name may come from a stranger's file: only models that this
    server knows by key are looked for, never a folder.
    """
    try:
        entry = catalogue.entry_of(model)
        if not on_disk.is_here(entry):
            return ""
        return models.model_revision(models.resolve_source(entry.key))
    except (HeadrolesError, OSError):
        return ""


def obstacle(asked: Asked, lessons: Lessons, *, here: str) -> Remade | None:
    """What stands in the way of asking again; None where nothing does.

    Args:
        asked: the question.
        lessons: those that are here.
        here: from :func:`revision_here`.
    """
    if not here:
        return not_made(asked, "no model", f"The model “{asked.model}” is not on this server.")
    if asked.revision and asked.revision != here:
        why = f"Other weights of “{asked.model}” are here ({here[:19]}, not {asked.revision[:19]})."
        return not_made(asked, "other weights", why)
    if _step(asked, lessons) is None:
        why = "The lesson that is here has no such question."
        return not_made(asked, "no question", why)
    return None


def not_made(asked: Asked, state: State, why: str) -> Remade:
    """A question that was not asked again, and why not."""
    return Remade(
        asked.lesson, asked.step, asked.model, asked.revision, state, 0, len(asked.entries), why
    )


def _step(asked: Asked, lessons: Lessons) -> Question | None:
    read = lessons.by_key.get(asked.lesson)
    kind = asked.entries[0].kind
    own = read.lesson.questions if read else ()
    return next((step for step in own if (step.key, step.kind) == (asked.step, kind)), None)


def remake(asked: Asked, loaded: LoadedModel, lessons: Lessons) -> Remade:
    """Ask a question again, and hold every answer on the worksheets against it.

    Args:
        asked: the question; nothing stands in its way (:func:`obstacle`).
        loaded: its model.
        lessons: those that are here.
    """
    step = _step(asked, lessons)
    if step is None or (asked.revision and loaded.revision != asked.revision):
        return obstacle(asked, lessons, here=loaded.revision)
    try:
        again = answers.answer(step, loaded, prompt=asked.prompt)
    except HeadrolesError as error:
        return not_made(asked, "failed", error.message)
    faults = [difference(step, entry, again) for entry in asked.entries]
    same, why = faults.count(""), next(filter(None, faults), "")
    if why and asked.entries[0].lesson_digest != lessons.by_key[asked.lesson].digest:
        why += " The lesson was changed since."
    return Remade(
        asked.lesson, asked.step, asked.model, asked.revision, "made", same, len(faults), why
    )


def difference(step: Question, entry: Entry, again: Answer) -> str:
    """What of an answer on a worksheet is not what the model says now, in a sentence; "" if it is
    the same to :data:`NEAR`."""
    told = entry.answer
    for field in ("prompt", "head", "tokens", "queries", "state"):
        if getattr(told, field) != getattr(again, field):
            return f"The {_WORDS[field]} is another one now."
    mine = [(option.label, option.is_right) for option in told.options]
    if mine != [(option.label, option.is_right) for option in again.options]:
        return "The options, or which of them are right, are others now."
    if not class_question.are_near(told, again, to=NEAR):
        return f"A number differs by more than {NEAR:g}."
    try:
        mark = marking.mark(step, told, entry.prediction)
    except HeadrolesError as error:
        return error.message
    if abs(mark.score - entry.score) > NEAR:
        return f"The mark on the worksheet is {entry.score:.0%}, and {mark.score:.0%} is due."
    return ""


_WORDS = {
    "prompt": "prompt",
    "head": "head",
    "tokens": "split into tokens",
    "queries": "choice of tokens that look",
    "state": "verdict",
}
