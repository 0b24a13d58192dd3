"""How far a student is in a lesson, and what came out: numbers and sentences. Pure.

The first answer to a question counts: only that one was given before the model's was known.

>>> Progress(answered=2, questions=5).words
'2 of 5 questions answered'
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from headroles import lessons
from headroles.formatting import count, listing, percent

if TYPE_CHECKING:
    from headroles.lessons import Entry, Lesson, Question
    from headroles.lessons.reading import Read

SURE = 3
"""From this certainty on, a student was sure: “fairly sure” or “certain”."""
_WHEN = (
    "it was just a guess",
    "you were not very sure",
    "you were fairly sure",
    "you were certain",
)


class Progress(NamedTuple):
    """How far a student is in a lesson."""

    answered: int
    """Questions with an answer."""
    questions: int
    """Questions of the lesson."""

    @property
    def is_done(self) -> bool:
        """Whether nothing is left to answer."""
        return 0 < self.questions == self.answered

    @property
    def words(self) -> str:
        """The same in words."""
        if not self.questions:
            return "to read"
        if not self.answered:
            return count(self.questions, "question")
        return f"{self.answered} of {count(self.questions, 'question')} answered"


def progress(key: str, lesson: Lesson, entries: Iterable[Entry]) -> Progress:
    """How far a student is in a lesson.

    Args:
        key: the lesson's.
        lesson: the lesson.
        entries: every answer, of all lessons.
    """
    answered = {entry.step for entry in entries if entry.lesson == key}
    questions = [step.key for step in lesson.questions]
    return Progress(sum(step in answered for step in questions), len(questions))


def next_lesson(
    by_key: Mapping[str, Read],
    entries: Collection[Entry],
    *,
    after: str | None = None,
    seen: Collection[str] = (),
) -> str | None:
    """The lesson to take next: the first that is not done, from the one after this on; None if
    all are done.

    Args:
        by_key: the lessons, in their order.
        entries: every answer.
        after: the lesson that has just ended.
        seen: lessons without questions whose end was reached.
    """
    keys = list(by_key)
    begin = keys.index(after) + 1 if after in keys else 0
    for key in (*keys[begin:], *keys[:begin]):
        done = progress(key, by_key[key].lesson, entries).is_done or key in seen
        if not done and key != after:
            return key
    return None


class Row(NamedTuple):
    """One question, and what became of it."""

    question: Question
    """The question."""
    first: Entry | None
    """The answer that counts; None while there is none."""
    later: tuple[Entry, ...]
    """Further answers, the latest last."""


def rows(key: str, lesson: Lesson, entries: Iterable[Entry]) -> list[Row]:
    """A row per question of a lesson, in its order."""
    given: dict[str, list[Entry]] = {}
    for entry in entries:
        if entry.lesson == key:
            given.setdefault(entry.step, []).append(entry)
    return [Row(step, *_split(given.get(step.key, []))) for step in lesson.questions]


def _split(answers: Sequence[Entry]) -> tuple[Entry | None, tuple[Entry, ...]]:
    return (answers[0] if answers else None), tuple(answers[1:])


def result(score: float) -> str:
    """A score in words.

    >>> result(0.6), result(0.1)
    ('partly right (60%)', 'wrong')
    """
    if lessons.marking.is_right(score):
        return "right"
    is_partly = lessons.marking.is_partly_right(score)
    return f"partly right ({percent(score)})" if is_partly else "wrong"


def came(entry: Entry, question: Question | None) -> str:
    """What became of an answer, in words; a head that was woken by the solution is named so.

    Args:
        entry: the answer.
        question: as it stands in the lesson's file; None where it is not here.
    """
    if question is not None and question.kind == "wake" and entry.hints > len(question.hints):
        return "shown the solution"
    return result(entry.score)


def outcome(questions: Sequence[Row]) -> str:
    """What came out, in a sentence or two."""
    firsts = [row.first for row in questions if row.first is not None]
    if not questions:
        return "This lesson has no questions: it is to be read."
    if not firsts:
        return f"Nothing is answered yet: there {_is_are(len(questions))} to answer."
    right = _right(firsts)
    partly = sum(lessons.marking.is_partly_right(one.score) for one in firsts)
    done = len(firsts) == len(questions)
    begin = (
        f"You answered all {len(questions)} questions"
        if done and len(questions) > 1
        else f"You answered {len(firsts)} of {count(len(questions), 'question')}"
    )
    more = f", and {partly} partly" if partly else ""
    return f"{begin}: {right} of {len(firsts)} {_was(right)} right{more}."


def _is_are(questions: int) -> str:
    return f"{'is' if questions == 1 else 'are'} {count(questions, 'question')}"


def _was(number: int) -> str:
    return "was" if number == 1 else "were"


def _right(entries: Iterable[Entry]) -> int:
    return sum(lessons.marking.is_right(entry.score) for entry in entries)


class Certainty(NamedTuple):
    """How often one was right at one certainty."""

    sure: int
    """1..4."""
    right: int
    """Right answers."""
    of: int
    """Out of so many."""


def by_certainty(entries: Iterable[Entry]) -> list[Certainty]:
    """How often one was right, by how sure one was; the surest first, none without an answer.

    Args:
        entries: first answers; those without a certainty do not count.
    """
    entries = [entry for entry in entries if entry.sure is not None]
    levels = [[entry for entry in entries if entry.sure == sure] for sure in (4, 3, 2, 1)]
    return [Certainty(level[0].sure, _right(level), len(level)) for level in levels if level]


def certainty_sentence(levels: Sequence[Certainty]) -> str:
    """Certainty held against what was right, in words; "" where nothing was asked.

    >>> certainty_sentence([Certainty(4, 3, 4), Certainty(1, 1, 2)])
    'When you were certain, 3 of 4 were right; when it was just a guess, 1 of 2.'
    """
    if not levels:
        return ""
    parts = [
        f"when {_WHEN[level.sure - 1]}, {level.right} of {level.of}"
        + (f" {_was(level.of)} right" if not place else "")
        for place, level in enumerate(levels)
    ]
    said = "; ".join(parts)
    return f"{said[0].upper()}{said[1:]}."


def surprises(questions: Iterable[Row]) -> list[Row]:
    """The questions on which one was sure and not right: worth a second look above all."""
    return [
        row
        for row in questions
        if row.first is not None
        and (row.first.sure or 0) >= SURE
        and not lessons.marking.is_right(row.first.score)
    ]


def surprise_sentence(questions: Sequence[Row]) -> str:
    """What to look at again, and why; "" where there is nothing."""
    if not questions:
        return ""
    titles = listing([f"“{row.question.title}”" for row in questions])
    return (
        f"You were sure, and the model did otherwise: {titles}. There is most to learn from a "
        "surprise."
    )


def table_rows(questions: Iterable[Row]) -> list[list[str]]:
    """A line per question: its title, what came out, how sure, hints, and the latest answer."""
    return [
        [
            row.question.title,
            came(row.first, row.question) if row.first else "not answered",
            sure_words(row.first),
            str(row.first.hints) if row.first else "–",
            came(row.later[-1], row.question) if row.later else "–",
        ]
        for row in questions
    ]


TABLE = ("Question", "First answer", "How sure", "Hints", "Latest answer")
"""The headers of :func:`table_rows`."""


def sure_words(entry: Entry | None) -> str:
    """How sure somebody was, in words; a dash where it was not asked."""
    if entry is None or entry.sure is None:
        return "–"
    return lessons.lesson.CERTAINTIES[entry.sure - 1]


def unsaved_sentence(answers: int) -> str:
    """That answers are in no file yet.

    >>> unsaved_sentence(1)
    'Not saved yet: 1 answer is lost when you close this tab. Download your worksheet.'
    """
    are = "is" if answers == 1 else "are"
    return (
        f"Not saved yet: {count(answers, 'answer')} {are} lost when you close this tab. "
        "Download your worksheet."
    )
