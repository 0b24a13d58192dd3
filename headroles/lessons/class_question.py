"""One question, as a class answered it: what was predicted, how often, and what was wrong most.

Predictions can be counted together if the same was asked, of the same weights: the same tokens and
options with the same numbers (:data:`NEAR`: machines round differently). Where a class has several
of these (another revision of the model, a lesson that was changed in between), each is a group of
its own.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from headroles.lessons import marking
from headroles.lessons.answers import Answer
from headroles.lessons.lesson import Active, Cells, Question
from headroles.lessons.reading import Lessons
from headroles.lessons.worksheet import Entry, Prediction

KINDS = ("cells", "active", "largest", "number", "wake")
"""Kinds of questions."""
NEAR = 1e-4
"""Two numbers of one model on two machines differ by less."""
Belief = Literal["looked", "ticked", "left", "chose", "high", "low", "asleep"]
"""What a wrong prediction said: a cell, a tick too many or too few, an option, a number that is too
large or too small, a prompt that wakes nothing."""


def fault_of(entry: Entry) -> str:
    """Why an answer cannot be counted, in half a sentence; "" where it can.

    A worksheet is a stranger's file: its parts need not fit each other.
    """
    answer, said = entry.answer, entry.prediction
    numbers = [number for row in answer.rows for number in row]
    numbers += [option.value for option in answer.options]
    numbers += [number for number in (answer.value, said.number) if number is not None]
    if entry.kind not in KINDS:
        return f"there is no kind of question called “{entry.kind[:40]}”"
    if not all(math.isfinite(number) for number in numbers):
        return "it holds a number that is none"
    if entry.kind == "cells":
        return _fault_of_cells(answer, said.cells)
    if entry.kind in ("active", "largest"):
        labels = [option.label for option in answer.options]
        fits = labels and len(set(labels)) == len(labels) and set(said.chosen) <= set(labels)
        return "" if fits else "its options are not those that were chosen from"
    if entry.kind == "number":
        is_whole = answer.value is not None and said.number is not None
        return "" if is_whole else "a number is missing"
    return "" if answer.state is not None else "the verdict is missing"


def _fault_of_cells(answer: Answer, cells: Iterable[tuple[int, int]]) -> str:
    queries, tokens = answer.queries, len(answer.tokens)
    fits = (
        0 < len(queries) == len(answer.rows) == len(set(queries))
        and all(0 <= query < tokens for query in queries)
        and all(len(row) == query + 1 for query, row in zip(queries, answer.rows, strict=True))
        and all(query in queries and 0 <= key <= query for query, key in cells)
    )
    return "" if fits else "its cells are not those of the pattern"


class Misunderstanding(NamedTuple):
    """The wrong prediction that most students share."""

    kind: Belief
    """What it said."""
    times: int
    """So many students said it."""
    of: int
    """Out of so many who answered."""
    what: str = ""
    """The option; for ``asleep`` the verdict on most prompts that were tried."""
    cell: tuple[int, int] | None = None
    """(query, key), for ``looked``."""
    value: float | None = None
    """What the model says of it: the attention of the cell, the option's number; for ``high`` and
    ``low`` the median of what these students said."""
    feedback: str = ""
    """What the lesson says to who chose it; "" where it says nothing."""


class OptionCount(NamedTuple):
    """How often an option was chosen."""

    label: str
    """As the student saw it."""
    times: int
    """Students who chose it."""
    is_right: bool
    """Whether it should have been."""
    value: float
    """Its number on the model."""


class Level(NamedTuple):
    """The answers of one certainty."""

    sure: int
    """1..4."""
    answers: int
    """So many."""
    score: float
    """0..1, their mean mark; 0 where there are none."""


class Tried(NamedTuple):
    """What a student wrote to wake a head."""

    student: str
    """The student's key."""
    prompt: str
    """The last prompt."""
    is_awake: bool
    """Whether the head was active on it."""
    tries: int
    """Prompts, this one included."""
    hints: int
    """Hints that were asked for before."""


@dataclass(frozen=True)
class Group:
    """Students of whom the same was asked."""

    entries: tuple[tuple[str, Entry], ...]
    """(the student's key, the answer)."""
    step: Question | None
    """The question as it stands in the lesson that is here; None where it is not here, or is of
    another kind."""

    @property
    def answer(self) -> Answer:
        """What the model said: to all the same, apart from ``wake``."""
        return self.entries[0][1].answer

    @property
    def kind(self) -> str:
        """The kind of question."""
        return self.entries[0][1].kind

    @property
    def size(self) -> int:
        """Students."""
        return len(self.entries)

    @property
    def score(self) -> float:
        """0..1, the mean mark."""
        return math.fsum(entry.score for _, entry in self.entries) / self.size

    @property
    def right(self) -> int:
        """Students who count as right (:func:`headroles.lessons.marking.is_right`)."""
        return sum(marking.is_right(entry.score) for _, entry in self.entries)

    @property
    def sure(self) -> float | None:
        """1..4, mean certainty; None for ``wake``."""
        said = [entry.sure for _, entry in self.entries if entry.sure is not None]
        return sum(said) / len(said) if said else None

    @property
    def hints(self) -> int:
        """Hints that were asked for."""
        return sum(entry.hints for _, entry in self.entries)

    @property
    def numbers(self) -> list[float]:
        """[student] the numbers that were said, from the smallest."""
        said = (entry.prediction.number for _, entry in self.entries)
        return sorted(number for number in said if number is not None)

    def cell_counts(self) -> dict[tuple[int, int], int]:
        """{(query, key): students who chose it}."""
        chosen = (cell for _, entry in self.entries for cell in set(entry.prediction.cells))
        return dict(Counter(chosen))

    def right_cells(self) -> set[tuple[int, int]]:
        """The strongest cells of every row, as many as could be chosen
        (:func:`headroles.lessons.marking.mark`)."""
        rows = zip(self.answer.queries, self.answer.rows, strict=True)
        if isinstance(self.step, Cells):
            step = self.step
            return {(query, key) for query, row in rows for key in marking.strongest_of(step, row)}
        each, first = self._each(), int(all(row[0] == 0 for row in self.answer.rows))
        return {
            (query, key)
            for query, row in rows
            for key in sorted(range(first, len(row)), key=lambda key: (-row[key], key))[:each]
        }

    def _each(self) -> int:
        """As many cells of a row as anybody chose: what can be known without the lesson."""
        rows = Counter(
            (place, query)
            for place, (_, entry) in enumerate(self.entries)
            for query, _ in set(entry.prediction.cells)
        )
        return max(rows.values(), default=1)

    def options(self) -> list[OptionCount]:
        """How often each option was chosen."""
        chosen = Counter(
            label for _, entry in self.entries for label in set(entry.prediction.chosen)
        )
        return [
            OptionCount(option.label, chosen[option.label], option.is_right, option.value)
            for option in self.answer.options
        ]

    def tried(self) -> list[Tried]:
        """What was written to wake the head, in the order of the students."""
        return [
            Tried(
                student,
                entry.prediction.prompt or entry.answer.prompt,
                entry.answer.state == "active",
                len(entry.tries) + 1,
                entry.hints,
            )
            for student, entry in self.entries
        ]

    def misunderstanding(self) -> Misunderstanding | None:
        """The wrong prediction that most students share; None where nobody was wrong."""
        wrong = _WRONG[self.kind](self)
        found = max(wrong, key=lambda belief: belief.times, default=None)  # the first of equals
        return found and found._replace(feedback=_feedback(self, found))


def _feedback(group: Group, belief: Misunderstanding) -> str:
    """What the lesson says to who predicts this and nothing else that is wrong."""
    if group.step is None or belief.kind == "asleep":
        return ""
    right = [option.label for option in group.answer.options if option.is_right]
    said = {
        "looked": Prediction(cells=(belief.cell,) if belief.cell else ()),
        "ticked": Prediction(chosen=(*right, belief.what)),
        "left": Prediction(chosen=tuple(label for label in right if label != belief.what)),
        "chose": Prediction(chosen=(belief.what,)),
        "high": Prediction(number=belief.value),
        "low": Prediction(number=belief.value),
    }[belief.kind]
    told = marking.feedback(group.step, group.answer, said)
    return "\n\n".join(dict.fromkeys(one.text for one in told))


def _wrong_cells(group: Group) -> list[Misunderstanding]:
    right, counts = group.right_cells(), group.cell_counts()
    rows = dict(zip(group.answer.queries, group.answer.rows, strict=True))
    return [
        Misunderstanding(
            "looked", counts[cell], group.size, cell=cell, value=rows[cell[0]][cell[1]]
        )
        for cell in sorted(counts)
        if cell not in right
    ]


def _wrong_ticks(group: Group) -> list[Misunderstanding]:
    found = []
    for option in group.options():
        wrong = group.size - option.times if option.is_right else option.times
        kind: Belief = "left" if option.is_right else "ticked"
        if wrong:
            what, value = option.label, option.value
            found.append(Misunderstanding(kind, wrong, group.size, what, value=value))
    return found


def _wrong_options(group: Group) -> list[Misunderstanding]:
    return [
        Misunderstanding("chose", option.times, group.size, option.label, value=option.value)
        for option in group.options()
        if option.times and not option.is_right
    ]


def _wrong_numbers(group: Group) -> list[Misunderstanding]:
    """Too large and too small; what counts as right is near enough."""
    sides: dict[Belief, list[float]] = {"high": [], "low": []}
    for _, entry in group.entries:
        if not marking.is_right(entry.score):
            is_high = entry.prediction.number > entry.answer.value
            sides["high" if is_high else "low"].append(entry.prediction.number)
    return [
        Misunderstanding(side, len(said), group.size, value=_median(said))
        for side, said in sides.items()
        if said
    ]


def _median(values: Sequence[float]) -> float:
    ordered, middle = sorted(values), len(values) // 2
    return ordered[middle] if len(values) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def _asleep(group: Group) -> list[Misunderstanding]:
    """Prompts that woke nothing, those on the way among them, by the verdict on most of them."""
    verdicts: Counter[str] = Counter()
    students = 0
    for _, entry in group.entries:
        states = [one.state for one in entry.tries] + [str(entry.answer.state)]
        failed = [state for state in states if state != "active"]
        verdicts.update(failed)
        students += bool(failed)
    if not students:
        return []
    return [Misunderstanding("asleep", students, group.size, verdicts.most_common(1)[0][0])]


_WRONG = {
    "cells": _wrong_cells,
    "active": _wrong_ticks,
    "largest": _wrong_options,
    "number": _wrong_numbers,
    "wake": _asleep,
}


@dataclass(frozen=True)
class ClassQuestion:
    """One question of a lesson."""

    lesson: str
    """The lesson's key."""
    step: str
    """The question's key."""
    title: str
    """Its heading, or its key where the lesson is not here."""
    groups: tuple[Group, ...]
    """Students of whom the same was asked, the largest group first."""

    @property
    def size(self) -> int:
        """Students who answered."""
        return sum(group.size for group in self.groups)


def questions(entries: Iterable[tuple[str, Entry]], lessons: Lessons) -> tuple[ClassQuestion, ...]:
    """What a class answered, question by question, in the order of the lessons.

    Args:
        entries: (the student's key, an answer without fault).
        lessons: those that are here.
    """
    grouped: dict[tuple[str, str], list[tuple[str, Entry]]] = defaultdict(list)
    for student, entry in entries:
        grouped[entry.lesson, entry.step].append((student, entry))
    order = {
        (key, step.key): place
        for key, read in lessons.by_key.items()
        for place, step in enumerate(read.lesson.questions)
    }
    lesson_order = {key: place for place, key in enumerate(lessons.by_key)}

    def place(which: tuple[str, str]) -> tuple:
        last = len(lesson_order) + len(order)
        return lesson_order.get(which[0], last), which[0], order.get(which, last), which[1]

    return tuple(_question(which, grouped[which], lessons) for which in sorted(grouped, key=place))


def _question(
    which: tuple[str, str], entries: Iterable[tuple[str, Entry]], lessons: Lessons
) -> ClassQuestion:
    read = lessons.by_key.get(which[0])
    own = {step.key: step for step in read.lesson.questions} if read else {}
    step = own.get(which[1])
    found = [
        Group(tuple(group), step if step and _fits(step, group[0][1]) else None)
        for group in _groups(entries)
    ]
    return ClassQuestion(*which, step.title if step else which[1], tuple(found))


def _fits(step: Question, entry: Entry) -> bool:
    """Whether a question of the lesson that is here can be the one that was answered."""
    if isinstance(step, Active) and len(step.options) != len(entry.answer.options):
        return False
    return step.kind == entry.kind


def _groups(entries: Iterable[tuple[str, Entry]]) -> list[list[tuple[str, Entry]]]:
    """Answers of which the same was asked, the largest group first."""
    found: dict[Hashable, list[list[tuple[str, Entry]]]] = defaultdict(list)
    for student, entry in entries:
        alike = found[_asked(entry)]
        near = (g for g in alike if are_near(g[0][1].answer, entry.answer) or entry.kind == "wake")
        group = next(near, None)
        if group is None:
            alike.append([(student, entry)])
        else:
            group.append((student, entry))
    return sorted((group for alike in found.values() for group in alike), key=len, reverse=True)


def _asked(entry: Entry) -> Hashable:
    """What must agree to the letter."""
    answer = entry.answer
    asked = (entry.kind, answer.model, answer.revision, answer.head)
    if entry.kind == "wake":
        return asked
    options = tuple((option.label, option.is_right) for option in answer.options)
    return *asked, answer.prompt, answer.tokens, answer.queries, options


def are_near(one: Answer, other: Answer, *, to: float = NEAR) -> bool:
    """Whether all numbers of two answers to one question agree."""
    mine, theirs = _numbers(one), _numbers(other)
    pairs = zip(mine, theirs, strict=False)
    return len(mine) == len(theirs) and all(
        (x is None and y is None) or (x is not None and y is not None and abs(x - y) <= to)
        for x, y in pairs
    )


def _numbers(answer: Answer) -> list[float | None]:
    return [
        *(share for row in answer.rows for share in row),
        *answer.resting,
        *(option.value for option in answer.options),
        *(option.needed for option in answer.options),
        answer.value,
        answer.chance,
        answer.needed,
    ]


def certainty(entries: Iterable[Entry]) -> list[Level]:
    """[4] certainty against correctness: the mean mark of the answers of every certainty."""
    scores: dict[int, list[float]] = {level: [] for level in (1, 2, 3, 4)}
    for entry in entries:
        if entry.sure is not None:
            scores[entry.sure].append(entry.score)
    return [
        Level(level, len(own), math.fsum(own) / len(own) if own else 0.0)
        for level, own in scores.items()
    ]
