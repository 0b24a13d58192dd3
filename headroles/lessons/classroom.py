"""A class: what all students answered, from their worksheets.

Of every question a student's first answer counts, the only one that was a prediction. Two files of
one student are one student: again the first answers count. A worksheet that was changed after it
was saved does not count unless the teacher says so, for nobody can tell what was changed; it is
named, and so is every file that is none. The rest counts.

>>> found = gather(pile([File("a.json", raw)]), read_all())  # doctest: +SKIP
>>> [student.owner.name for student in found.students]  # doctest: +SKIP
['student-01']
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import NamedTuple

from headroles.errors import HeadrolesError
from headroles.lessons import class_question, handed_in, worksheet
from headroles.lessons.class_question import ClassQuestion
from headroles.lessons.handed_in import File, LeftOut, Owner
from headroles.lessons.reading import Lessons
from headroles.lessons.worksheet import Entry, Worksheet
from headroles.roles import DEFINITIONS_VERSION

ALIKE = 2
"""Answers that two worksheets share to the second before that is mentioned; it must also be half of
the shorter one."""


class HandedIn(NamedTuple):
    """One worksheet."""

    path: str
    """The file."""
    owner: Owner
    """Who handed it in."""
    sheet: Worksheet
    """What it holds."""
    is_altered: bool
    """Whether it was changed after it was saved."""


@dataclass(frozen=True)
class Pile:
    """All files that came in."""

    sheets: tuple[HandedIn, ...] = ()
    """The worksheets, altered ones among them."""
    left_out: tuple[LeftOut, ...] = ()
    """The other files, each with the reason."""

    @property
    def altered(self) -> tuple[HandedIn, ...]:
        """The worksheets that were changed after they were saved."""
        return tuple(one for one in self.sheets if one.is_altered)


def pile(
    files: Iterable[File | LeftOut], tell: Callable[[int, int], object] = lambda done, of: None
) -> Pile:
    """Read worksheets; a file that is none is left out with the reason.

    Args:
        files: files, and zips of them.
        tell: told (files read, of how many) while that is going on.

    Raises:
        HeadrolesError: if there are more files or bytes than any class has.
    """
    found = list(handed_in.unpacked(files))
    sheets, left_out = [], []
    for place, file in enumerate(found):
        tell(place, len(found))
        one = file if isinstance(file, LeftOut) else _read(file)
        (left_out if isinstance(one, LeftOut) else sheets).append(one)
    tell(len(found), len(found))
    return Pile(tuple(sheets), tuple(left_out))


def _read(file: File) -> HandedIn | LeftOut:
    if not file.raw.strip():
        return LeftOut(file.path, "The file is empty. Ask for it once more.")
    try:
        sheet, is_altered = worksheet.read(file.raw), False
    except worksheet.AlteredError as error:
        sheet, is_altered = error.sheet, True
    except HeadrolesError as error:
        return LeftOut(file.path, str(error))
    owner = handed_in.owner_of(file.path, typed=sheet.name)
    return HandedIn(file.path, owner, sheet, is_altered)


class Unusable(NamedTuple):
    """An answer that is none: its parts do not fit each other."""

    student: str
    """The student's key."""
    lesson: str
    """The lesson."""
    step: str
    """The question."""
    why: str
    """What does not fit, in half a sentence."""


class Alike(NamedTuple):
    """Two students with the same predictions at the same times."""

    students: tuple[str, str]
    """Their keys."""
    same: int
    """So many answers agree in question, prediction and both times."""
    of: int
    """Out of as many as the shorter worksheet has."""


class Progress(NamedTuple):
    """What one student did of one lesson, or of several together."""

    answered: int
    """Questions that were answered."""
    of: int
    """Questions that there are."""
    points: float
    """0..answered, the sum of the marks."""
    hints: int
    """Hints that were asked for."""
    sure: float | None
    """1..4, mean certainty; None where nothing was to be predicted."""
    misjudged: int
    """Answers that were held for fairly sure or certain, and got less than half the mark."""

    @property
    def is_finished(self) -> bool:
        """Whether every question was answered."""
        return self.answered >= self.of > 0

    @property
    def score(self) -> float | None:
        """0..1, the mean mark of what was answered; None where nothing was."""
        return self.points / self.answered if self.answered else None


@dataclass(frozen=True)
class Student:
    """One student: who they are, and the first answer to each question."""

    owner: Owner
    """Who handed the files in."""
    files: tuple[str, ...]
    """The worksheets that count, in order of saving."""
    entries: tuple[Entry, ...]
    """[question] the first answers, in order of answering."""

    @property
    def key(self) -> str:
        """What tells this student from others."""
        return self.owner.key


@dataclass(frozen=True)
class Class:
    """What a class did."""

    students: tuple[Student, ...]
    """By name."""
    questions: tuple[ClassQuestion, ...]
    """Every question that anybody answered, in the order of the lessons."""
    totals: dict[str, int]
    """{lesson: its questions}, in the order of the lessons: those of the file that is here, or all
    that anybody answered where there is none."""
    unusable: tuple[Unusable, ...] = ()
    """Answers that do not count."""
    alike: tuple[Alike, ...] = ()
    """Pairs with the same predictions at the same times."""
    models: tuple[tuple[str, str, int], ...] = ()
    """(model, revision, answers) of every model that was asked, most first."""
    other_lessons: tuple[tuple[str, int], ...] = ()
    """(lesson, answers) to another version of a lesson than the one that is here."""
    unknown_lessons: tuple[tuple[str, int], ...] = ()
    """(lesson, answers) to lessons that are not here."""
    other_definitions: tuple[tuple[int, int], ...] = ()
    """(version, answers) under other definitions than those of this server."""

    @property
    def answers(self) -> int:
        """All answers that count."""
        return sum(len(student.entries) for student in self.students)

    def progress(self, student: Student, lesson: str | None = None) -> Progress:
        """What a student did of a lesson, or of all lessons of the class."""
        chosen = [lesson] if lesson is not None else list(self.totals)
        entries = [entry for entry in student.entries if entry.lesson in chosen]
        sure = [entry.sure for entry in entries if entry.sure is not None]
        return Progress(
            answered=len(entries),
            of=sum(self.totals.get(key, 0) for key in chosen),
            points=math.fsum(entry.score for entry in entries),
            hints=sum(entry.hints for entry in entries),
            sure=sum(sure) / len(sure) if sure else None,
            misjudged=sum((entry.sure or 0) >= 3 and entry.score < 0.5 for entry in entries),
        )

    def of_lesson(self, lesson: str) -> list[ClassQuestion]:
        """The questions of a lesson that anybody answered."""
        return [question for question in self.questions if question.lesson == lesson]


def gather(found: Pile, lessons: Lessons, *, altered: bool = False) -> Class:
    """What a class did.

    Args:
        found: its worksheets.
        lessons: those that are here, for titles, feedback and the number of questions.
        altered: whether worksheets that were changed count, too.
    """
    unusable: list[Unusable] = []
    students = _students([s for s in found.sheets if altered or not s.is_altered], unusable)
    entries = [(student.key, entry) for student in students for entry in student.entries]
    questions = class_question.questions(entries, lessons)
    known, others, unknown = lessons.by_key, Counter(), Counter()
    for _, entry in entries:
        if entry.lesson not in known:
            unknown[entry.lesson] += 1
        elif known[entry.lesson].digest != entry.lesson_digest:
            others[entry.lesson] += 1
    versions = Counter(entry.definitions_version for _, entry in entries)
    asked = Counter((entry.answer.model, entry.answer.revision) for _, entry in entries)
    return Class(
        students=tuple(students),
        questions=questions,
        totals=_totals(questions, lessons),
        unusable=tuple(unusable),
        alike=tuple(_alike(students)),
        models=tuple((*which, times) for which, times in asked.most_common()),
        other_lessons=tuple(others.items()),
        unknown_lessons=tuple(unknown.items()),
        other_definitions=tuple(
            pair for pair in sorted(versions.items()) if pair[0] != DEFINITIONS_VERSION
        ),
    )


def _students(sheets: Sequence[HandedIn], unusable: list[Unusable]) -> list[Student]:
    """Students by name; what of their answers does not fit is appended to a list."""
    by_owner: dict[str, list[HandedIn]] = defaultdict(list)
    for one in sheets:
        by_owner[one.owner.key].append(one)
    students = []
    for key, own in by_owner.items():
        own.sort(key=lambda one: (one.sheet.saved, one.path))
        first: dict[tuple[str, str], Entry] = {}
        for entry in sorted(
            (entry for one in own for entry in one.sheet.entries), key=lambda e: e.answered
        ):
            if why := class_question.fault_of(entry):
                fault = Unusable(key, entry.lesson, entry.step, why)
                if fault not in unusable:
                    unusable.append(fault)
            else:
                first.setdefault((entry.lesson, entry.step), entry)
        files = tuple(one.path for one in own)
        students.append(Student(own[0].owner, files, tuple(first.values())))
    return sorted(students, key=lambda student: (student.owner.name.casefold(), student.key))


def _totals(questions: Sequence[ClassQuestion], lessons: Lessons) -> dict[str, int]:
    """{lesson: its questions}, by the file that is here or else by what was answered."""
    asked = Counter(question.lesson for question in questions)
    here = {key: len(read.lesson.questions) for key, read in lessons.by_key.items()}
    return {key: here.get(key, answered) for key, answered in asked.items()}


def _alike(students: Sequence[Student]) -> list[Alike]:
    """Pairs of students whose predictions and times agree, the most alike first."""
    by_mark: dict[object, list[str]] = defaultdict(list)
    for student in students:
        for e in student.entries:
            mark = (e.lesson, e.step, e.prediction, e.asked, e.answered)
            by_mark[mark].append(student.key)
    shared = Counter(pair for keys in by_mark.values() for pair in combinations(keys, 2))
    lengths = {student.key: len(student.entries) for student in students}
    pairs = []
    for pair, same in shared.most_common():
        of = min(lengths[pair[0]], lengths[pair[1]])
        if same >= ALIKE and 2 * same >= of:
            pairs.append(Alike(pair, same, of))
    return pairs
