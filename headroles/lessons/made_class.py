"""A made-up class, to try the teacher's side with before a real one comes, and to test it.

Every answer is the model's own; what the students predicted is drawn from a seed. Student 1, 2, 3
... are of these kinds in turn: right in all, right in half and else misled, misled in all. Who is
misled predicts what the question's *decoy* says, a thought that is wrong there; so the commonest
misunderstanding of each question is known beforehand.

The files of a class of thirty hold two that are damaged, one that was altered, one of a newer
format, an empty one, two of one student, one copied under another name, and one whose model had
other weights.

>>> made = make(read_all(), load_model("demo"), seed=0)  # doctest: +SKIP
>>> len(made.files), made.planted["induction", "chance"].what  # doctest: +SKIP
(31, 'without')
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from headroles.errors import HeadrolesError
from headroles.lessons import answers, marking, worksheet
from headroles.lessons.answers import Answer
from headroles.lessons.lesson import Active, Cells, Question, Value, Wake, for_model
from headroles.lessons.reading import Lessons
from headroles.lessons.worksheet import Entry, Prediction, Try, Worksheet
from headroles.models import LoadedModel

STUDENTS = 30
"""A class."""
BEGAN = datetime(2026, 1, 12, 9, tzinfo=UTC)
"""When the made-up lesson began; the same seed makes the same files."""
DAMAGED, CUT, ALTERED, NEWER, EMPTY, TWICE, COPIED, OTHER_WEIGHTS = range(23, 31)
"""Numbers of the students whose files are special; the copy is of :data:`TWICE`."""


class Made(NamedTuple):
    """The files of a class."""

    files: dict[str, bytes]
    """{name of the file: what it holds}."""
    decoys: dict[tuple[str, str], Prediction]
    """{(lesson, question): what who is misled predicts}."""
    answers: dict[tuple[str, str], Answer]
    """{(lesson, question): what the model says; for ``wake``, to the solution}."""


class _Question(NamedTuple):
    """A question with its answers."""

    lesson: str
    digest: str
    step: Question
    answer: Answer
    right: Prediction
    decoy: Prediction
    asleep: Answer | None
    """For ``wake``: the answer to the decoy."""
    stray: tuple[Prediction, ...] = ()
    """For ``cells``: other wrong cells, which few choose."""


def make(
    lessons: Lessons,
    loaded: LoadedModel,
    *,
    seed: int = 0,
    students: int = STUDENTS,
    only: Iterable[str] | None = None,
    tell: Callable[[int, int], object] = lambda done, of: None,
) -> Made:
    """The worksheets of a class.

    Args:
        lessons: those that are here; a class takes those that name the model, apart from questions
            about another one.
        loaded: the model that is asked.
        seed: fixes everything.
        students: how many there are; a class of thirty or more has the special files.
        only: keys of the lessons that are taken.
        tell: told (questions asked, of how many).

    Raises:
        HeadrolesError: if no lesson names the model.
    """
    asked = _asked(lessons, loaded, only, tell)
    if not asked:
        raise HeadrolesError(
            f"No lesson that was chosen is for the model “{loaded.key}”.",
            hint=f"There are {', '.join(lessons.by_key) or 'none'}.",
        )
    sheets = [_sheet(number, asked, seed) for number in range(1, students + 1)]
    files = {f"{sheet.name}.json": worksheet.to_json(sheet).encode() for sheet in sheets}
    if students >= STUDENTS:
        files |= _special(sheets)
    known = {(one.lesson, one.step.key): one for one in asked}
    return Made(
        files,
        {key: one.decoy for key, one in known.items()},
        {key: one.answer for key, one in known.items()},
    )


def _asked(
    lessons: Lessons,
    loaded: LoadedModel,
    only: Iterable[str] | None,
    tell: Callable[[int, int], object],
) -> list[_Question]:
    chosen = None if only is None else set(only)
    steps = [
        (key, read.digest, step)
        for key, read in lessons.by_key.items()
        if loaded.key in read.lesson.models and (chosen is None or key in chosen)
        for step in read.lesson.questions
        if step.model in (None, loaded.key)
    ]
    found = []
    for place, (key, digest, step) in enumerate(steps):
        tell(place, len(steps))
        found.append(_question(key, digest, step, loaded))
    return found


def _question(lesson: str, digest: str, step: Question, loaded: LoadedModel) -> _Question:
    if isinstance(step, Wake):
        solution, start = for_model(step.solution, loaded.key), step.start or "Once"
        awake, asleep = (answers.answer(step, loaded, prompt=text) for text in (solution, start))
        right, decoy = Prediction(prompt=solution), Prediction(prompt=start)
        return _Question(lesson, digest, step, awake, right, decoy, asleep)
    answer = answers.answer(step, loaded)
    right, decoy = _predictions(step, answer)
    stray = _stray(answer, right, decoy) if isinstance(step, Cells) else ()
    return _Question(lesson, digest, step, answer, right, decoy, None, stray)


def _predictions(step: Question, answer: Answer) -> tuple[Prediction, Prediction]:
    """What is right, and the decoy."""
    if isinstance(step, Cells):
        return _of_cells(step, answer)
    if isinstance(step, Value):
        # At the end of the slider that is further off: always wrong by more than is allowed.
        far = max((step.low, step.high), key=lambda end: abs(end - answer.value))
        return Prediction(number=answer.value), Prediction(number=far)
    right = tuple(option.label for option in answer.options if option.is_right)
    wrong = [option.label for option in answer.options if not option.is_right]
    if isinstance(step, Active):  # one tick too many, or none at all where all are active
        return Prediction(chosen=right), Prediction(chosen=(*right, wrong[0]) if wrong else ())
    return Prediction(chosen=right[:1]), Prediction(chosen=tuple(wrong[:1]))


def _of_cells(step: Cells, answer: Answer) -> tuple[Prediction, Prediction]:
    """The strongest cells, and the weakest cell of every row: of equals the last."""
    first = int(step.without_first)
    right, decoy = [], []
    for query, row in zip(answer.queries, answer.rows, strict=True):
        order = sorted(range(first, len(row)), key=lambda key: (-row[key], key))
        right += [(query, key) for key in order[: step.each]]
        decoy.append((query, order[-1]))
    return Prediction(cells=tuple(right)), Prediction(cells=tuple(decoy))


def _stray(answer: Answer, right: Prediction, decoy: Prediction) -> tuple[Prediction, ...]:
    """Every other cell that is wrong, alone: the rest of the rows is left open."""
    known, first = {*right.cells, *decoy.cells}, int(all(row[0] == 0 for row in answer.rows))
    return tuple(
        Prediction(cells=((query, key),))
        for query in answer.queries
        for key in range(first, query + 1)
        if (query, key) not in known
    )


def _sheet(number: int, asked: Sequence[_Question], seed: int) -> Worksheet:
    rng = random.Random(f"{seed} {number}")
    at, entries = BEGAN + timedelta(seconds=rng.randrange(240)), []
    for place, question in enumerate(asked):
        is_misled = (number % 3 == 2 and place % 2 == 1) or number % 3 == 0
        begun = at
        at += timedelta(seconds=rng.randrange(15, 120))
        entries.append(_entry(question, is_misled, begun, at, rng))
    return Worksheet(name=f"student-{number:02}", saved=at, entries=tuple(entries))


def _entry(
    question: _Question, is_misled: bool, asked: datetime, answered: datetime, rng: random.Random
) -> Entry:
    step, is_wake = question.step, isinstance(question.step, Wake)
    said = question.decoy if is_misled else question.right
    if is_misled and question.stray and rng.random() < 0.3:
        said = rng.choice(question.stray)
    answer = question.asleep if is_misled and question.asleep else question.answer
    tries = ()
    if is_wake and question.asleep and rng.random() < 0.5:
        told = question.asleep
        one = Try(
            prompt=question.decoy.prompt, state=str(told.state), value=told.value or 0.0, at=asked
        )
        tries = (one,) * rng.randrange(1, 4)
    # Who is right is a little surer than who is not, as real classes are.
    sure = None if is_wake else rng.choice((1, 2, 2, 3) if is_misled else (2, 3, 3, 4))
    return Entry(
        lesson=question.lesson,
        lesson_digest=question.digest,
        step=step.key,
        kind=step.kind,
        prediction=said,
        sure=sure,
        answer=answer,
        score=marking.mark(step, answer, said).score,
        hints=rng.randrange(len(step.hints) + 1) if is_misled else 0,
        tries=tries,
        asked=asked,
        answered=answered,
    )


def _special(sheets: Sequence[Worksheet]) -> dict[str, bytes]:
    """The files of students that no course is without."""

    def raw(number: int) -> str:
        return worksheet.to_json(sheets[number - 1])

    def name(number: int) -> str:
        return f"student-{number:02}.json"

    plain = json.loads(raw(ALTERED))
    plain["entries"][0]["score"] = 0.5 if plain["entries"][0]["score"] == 1 else 1.0
    twice = sheets[TWICE - 1]
    later = twice.model_copy(
        update={
            "saved": twice.saved + timedelta(days=1),
            "entries": tuple(_a_day_later(entry) for entry in twice.entries),
        }
    )
    copied = twice.model_copy(update={"name": f"student-{COPIED:02}"})
    other = sheets[OTHER_WEIGHTS - 1]
    moved = other.model_copy(update={"entries": tuple(map(_elsewhere, other.entries))})
    empty = Worksheet(name=f"student-{EMPTY:02}", saved=BEGAN)
    return {
        name(DAMAGED): raw(DAMAGED)[:-40].encode(),
        name(CUT): b"",
        name(ALTERED): json.dumps(plain, indent=1).encode(),
        name(NEWER): json.dumps({**json.loads(raw(NEWER)), "version": 2}).encode(),
        name(EMPTY): worksheet.to_json(empty).encode(),
        f"student-{TWICE:02} (1).json": worksheet.to_json(later).encode(),
        name(COPIED): worksheet.to_json(copied).encode(),
        name(OTHER_WEIGHTS): worksheet.to_json(moved).encode(),
    }


def _a_day_later(entry: Entry) -> Entry:
    day = timedelta(days=1)
    return entry.model_copy(update={"asked": entry.asked + day, "answered": entry.answered + day})


def _elsewhere(entry: Entry) -> Entry:
    answer = entry.answer.model_copy(update={"revision": "other-weights"})
    return entry.model_copy(update={"answer": answer})
