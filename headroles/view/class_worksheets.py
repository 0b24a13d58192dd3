"""What is said of a class's worksheets: who did what, what was believed, what is no worksheet.

Sentences are plain text. Names can be hidden, for the projector: then each student has a number,
which says nothing about the place in an alphabetical list.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from headroles import models, texts
from headroles.formatting import count, decimal, in_one_line, listing, percent
from headroles.lessons.answers import unit_of
from headroles.lessons.class_question import ClassQuestion, Group, Level, Misunderstanding
from headroles.lessons.lesson import CERTAINTIES, SAME
from headroles.lessons.measures import MEASURES, SHARES
from headroles.roles import DEFINITIONS_VERSION
from headroles.view import lesson_texts

if TYPE_CHECKING:
    from headroles.lessons.classroom import Class, Pile
    from headroles.lessons.remaking import Remade

MOST_NAMED = 8
"""Names in one sentence; the rest is counted."""
ALIKE = 0.05
"""Two mean marks that are nearer than this are called about the same."""
VERDICTS = {
    "quiet": "it could have done its work there, but did not",
    "not_applicable": "there was nothing for it to do",
    "too_short": "it was too short to tell",
}
"""{verdict: what was wrong with a prompt}."""
STUDENTS = ("Student", "Answered", "Lessons finished", "Mean mark", "Hints", "How sure",
            "Sure and wrong")  # fmt: skip
QUESTIONS = ("Question", "Answers", "Right", "Mean mark", "How sure", "Commonest misunderstanding")


class Names:
    """What students are called on the page.

    Args:
        found: the class.
        hidden: whether numbers stand for names.
    """

    def __init__(self, found: Class, *, hidden: bool = False) -> None:
        owners = {student.key: student.owner for student in found.students}
        self.hidden = hidden
        if hidden:
            order = sorted(owners, key=lambda key: hashlib.sha256(key.encode()).digest())
            self._shown = {key: f"student {place}" for place, key in enumerate(order, 1)}
            return
        times: dict[str, int] = {}
        for owner in owners.values():
            times[owner.name] = times.get(owner.name, 0) + 1
        self._shown = {
            key: in_one_line(
                owner.name if times[owner.name] == 1 else f"{owner.name} ({owner.key})", limit=60
            )
            for key, owner in owners.items()
        }

    def __getitem__(self, key: str) -> str:
        """A student's name, or number."""
        return self._shown.get(key, "a student who does not count")

    def file(self, path: str) -> str:
        """What a file is called: its name and the folder it lies in, or some digits."""
        if self.hidden:
            return f"file {hashlib.sha256(path.encode()).hexdigest()[:4]}"
        return in_one_line("/".join(PurePosixPath(path).parts[-2:]), limit=90)


# ------------------------------------------------------------------ the class


def summary(pile: Pile, found: Class) -> str:
    """How many files, students and answers there are."""
    read = len(pile.sheets) + len(pile.left_out)
    parts = [
        f"{count(read, 'file')}: {count(len(found.students), 'student')} with "
        f"{count(found.answers, 'answer')} in {count(len(found.totals), 'lesson')}."
    ]
    if none := len(pile.left_out):
        sheets = "a worksheet" if none == 1 else "worksheets"
        parts.append(f"{none:,} of the files could not be read as {sheets}.")
    return " ".join(parts)


def notes(found: Class, names: Names) -> list[str]:
    """What else to know before the numbers are believed, a sentence each."""
    said = []
    if doubles := [student for student in found.students if len(student.files) > 1]:
        who = _named([f"{names[s.key]} ({len(s.files)})" for s in doubles])
        said.append(f"More than one file: {who}. The first answer to each question counts.")
    for pair in found.alike[:MOST_NAMED]:
        one, other = (names[key] for key in pair.students)
        said.append(
            f"{one} and {other} have the same predictions at the same times "
            f"({pair.same} of {count(pair.of, 'answer')}): they may have worked together, or one "
            "file was handed in twice."
        )
    if found.alike[MOST_NAMED:]:
        more = len(found.alike) - MOST_NAMED
        said.append(f"The same holds for {count(more, 'further pair')}.")
    return [*said, *_versions(found), *_unusable(found, names)]


def _versions(found: Class) -> list[str]:
    said = []
    for lesson, times in found.other_lessons:
        said.append(
            f"{count(times, 'answer')} to another version of the lesson “{lesson}” than the one "
            "that is here."
        )
    for lesson, times in found.unknown_lessons:
        said.append(f"{count(times, 'answer')} to the lesson “{lesson}”, which is not here.")
    for version, times in found.other_definitions:
        said.append(
            f"{count(times, 'answer')} under version {version} of the definitions; here it is "
            f"{DEFINITIONS_VERSION}, and numbers may differ."
        )
    revisions: dict[str, list[int]] = {}
    for model, _, times in found.models:
        revisions.setdefault(model, []).append(times)
    for model, (most, *others) in revisions.items():
        if others:
            said.append(
                f"Different weights of {models.name_of(model)} were asked: "
                f"{count(most, 'answer')} by one version of the model, "
                f"{listing([f'{times:,}' for times in others])} by "
                f"{'another' if len(others) == 1 else 'others'}. Their numbers may differ."
            )
    return said


def _unusable(found: Class, names: Names) -> list[str]:
    if not found.unusable:
        return []
    first = found.unusable[0]
    return [
        f"{count(len(found.unusable), 'answer')} cannot be counted. The first, of "
        f"{names[first.student]} to {first.lesson} / {first.step}: {first.why}."
    ]


def _named(names: Sequence[str]) -> str:
    shown, more = list(names[:MOST_NAMED]), len(names) - MOST_NAMED
    return listing([*shown, f"{more} more"] if more > 0 else shown)


def student_rows(found: Class, names: Names) -> list[list[str]]:
    """A row of :data:`STUDENTS` for each student."""
    rows = []
    for student in found.students:
        whole = found.progress(student)
        each = [found.progress(student, lesson) for lesson in found.totals]
        rows.append(
            [
                names[student.key],
                _out_of(whole.answered, whole.of),
                _out_of(sum(one.is_finished for one in each), len(each)),
                "–" if whole.score is None else percent(whole.score),
                f"{whole.hints}",
                _sure(whole.sure),
                _out_of(whole.misjudged, whole.answered),
            ]
        )
    return sorted(rows, key=lambda row: _number(row[0])) if names.hidden else rows


def _number(name: str) -> int:
    return int(name.rpartition(" ")[2])


def _sure(sure: float | None) -> str:
    return "–" if sure is None else _out_of(decimal(sure, digits=1), len(CERTAINTIES))


def _out_of(part: int | str, whole: int) -> str:
    """``17 of 24``, which no line parts."""
    return f"{part}\u00a0of\u00a0{whole}"


# ------------------------------------------------------------------ a question


def question_rows(found: Class, lesson: str) -> list[list[str]]:
    """A row of :data:`QUESTIONS` for each question of a lesson, of its largest group."""
    rows = []
    for question in found.of_lesson(lesson):
        group = question.groups[0]
        rows.append(
            [
                question.title,
                f"{question.size}",
                _out_of(group.right, group.size),
                percent(group.score),
                _sure(group.sure),
                misunderstanding(group),
            ]
        )
    return rows


def group_name(question: ClassQuestion, place: int) -> str:
    """What tells a group from the largest one of its question."""
    group, largest = question.groups[place], question.groups[0]
    model, usual = group.answer.model, largest.answer
    differs = ""
    if place and model == usual.model:
        same = group.answer.revision == usual.revision
        differs = ", another version of the lesson" if same else ", other weights"
    return f"{count(group.size, 'student')}: {models.name_of(model)}{differs}"


LESSONS = ("Lesson", "Finished by", "Answers", "Right", "Mean mark")


def lesson_rows(found: Class) -> list[list[str]]:
    """A row of :data:`LESSONS` for each lesson."""
    rows = []
    for lesson in found.totals:
        each = [found.progress(student, lesson) for student in found.students]
        answered = sum(one.answered for one in each)
        right = sum(group.right for one in found.of_lesson(lesson) for group in one.groups)
        points = sum(one.points for one in each)
        rows.append(
            [
                lesson,
                _out_of(sum(one.is_finished for one in each), len(each)),
                f"{answered:,}",
                _out_of(right, answered),
                percent(points / answered) if answered else "–",
            ]
        )
    return rows


def hardest(found: Class, most: int) -> list[ClassQuestion]:
    """At most so many questions with the lowest mean mark (of the largest group), the lowest first;
    one that everybody got right is not among them."""
    missed = [one for one in found.questions if one.groups[0].right < one.groups[0].size]
    return sorted(missed, key=lambda one: one.groups[0].score)[:most]


def result(group: Group) -> str:
    """How a group did, in a sentence."""
    said = f"{group.right} of {group.size} right, mean mark {percent(group.score)}"
    if group.sure is not None:
        said += f"; certainty {_sure(group.sure)} on average"
    if group.hints:
        said += f"; {count(group.hints, 'hint')} asked for"
    return f"{said}."


def number(group: Group, value: float | None) -> str:
    """A number of the question in its unit."""
    if value is None:
        return "–"
    unit = unit_of(group.step) if group.step is not None else ""
    if unit in SHARES or group.kind in ("cells", "active", "wake"):
        return percent(value)
    if unit == "heads":
        return count(round(value), "head")
    return f"{decimal(value)} {unit}".rstrip()


def token(group: Group, place: int) -> str:
    """A token and its position: ``“·cat” (9)``."""
    return f"“{texts.token_labels(group.answer.tokens)[place]}” ({place})"


def misunderstanding(group: Group) -> str:
    """The commonest misunderstanding in one sentence."""
    belief = group.misunderstanding()
    if belief is None:
        if group.right == group.size:
            return f"All {group.size} were right." if group.size > 1 else "The one answer is right."
        left = group.size - group.right
        return f"Nothing wrong was predicted; {left} of {group.size} left something open."
    return _SAID[belief.kind](group, belief)


def feedback(group: Group) -> str:
    """What the lesson says to who has this misunderstanding, as Markdown; "" where it says nothing.

    Its placeholders are filled, as far as the worksheets tell.
    """
    belief = group.misunderstanding()
    if belief is None or not belief.feedback:
        return ""
    return filled(group, belief.feedback)


def filled(group: Group, text: str) -> str:
    """A text of the lesson with the names in place of the model and the head."""
    model = models.name_of(group.answer.model)
    return lesson_texts.filled(text, model=model, head=group.answer.head)


def _of(belief: Misunderstanding) -> str:
    return f"{belief.times} of {belief.of}"


def _looked(group: Group, belief: Misunderstanding) -> str:
    query, key = belief.cell
    row = dict(zip(group.answer.queries, group.answer.rows, strict=True))[query]
    best = max(range(len(row)), key=row.__getitem__)
    beyond = " beyond the first token" if row[0] == 0 and len(row) > 1 else ""
    return (
        f"{_of(belief)} expected {token(group, query)} to look at {token(group, key)}, which gets "
        f"{percent(belief.value)} of its attention{beyond}; {token(group, best)} gets most, "
        f"{percent(row[best])}."
    )


def _ticked(group: Group, belief: Misunderstanding) -> str:
    return (
        f"{_of(belief)} ticked “{belief.what}”, which is not active on this prompt "
        f"({number(group, belief.value)})."
    )


def _left(group: Group, belief: Misunderstanding) -> str:
    return (
        f"{_of(belief)} did not tick “{belief.what}”, which is active on this prompt "
        f"({number(group, belief.value)})."
    )


def _chose(group: Group, belief: Misunderstanding) -> str:
    right = [option for option in group.answer.options if option.is_right]

    def with_number(label: str, value: float | None) -> str:
        quoted = label if label[:1] + label[-1:] == "“”" else f"“{label}”"
        return quoted if label == SAME else f"{quoted} ({number(group, value)})"

    chosen = with_number(belief.what, belief.value)
    best = listing([with_number(option.label, option.value) for option in right], last="or")
    return f"{_of(belief)} chose {chosen}; right is {best or 'none of them'}."


def _off(group: Group, belief: Misunderstanding) -> str:
    middle, value = number(group, belief.value), number(group, group.answer.value)
    return (
        f"{_of(belief)} guessed too {belief.kind}: {middle} in the middle of these guesses; the "
        f"model says {value}."
    )


def _asleep(group: Group, belief: Misunderstanding) -> str:
    why = VERDICTS.get(belief.what, "the verdict is of a kind that is not known here")
    awake = sum(one.is_awake for one in group.tried())
    return (
        f"{_of(belief)} wrote a prompt that did not wake the head; mostly {why}. In the end "
        f"{awake} of {group.size} woke it."
    )


_SAID = {
    "looked": _looked,
    "ticked": _ticked,
    "left": _left,
    "chose": _chose,
    "high": _off,
    "low": _off,
    "asleep": _asleep,
}


def measured(group: Group) -> str:
    """What the numbers of a question are, e.g. ``chance level``; "" where that is not known."""
    name = getattr(group.step, "measure", "")
    return MEASURES[name].words if name in MEASURES else ""


def certainty_rows(levels: Sequence[Level]) -> list[list[str]]:
    """(certainty, answers, mean mark) for each certainty."""
    return [
        [
            CERTAINTIES[level.sure - 1],
            f"{level.answers:,}",
            percent(level.score) if level.answers else "–",
        ]
        for level in levels
    ]


def certainty(levels: Sequence[Level]) -> str:
    """Whether those who were surer were right more often, in a sentence."""
    told = [level for level in levels if level.answers]
    if len(told) < 2:
        return "All answers were given with the same certainty." if told else ""
    low, high = told[0], told[-1]
    more = high.score - low.score
    held = "Answers held for “{}”"
    if abs(more) <= ALIKE:
        verb = "did about as well as those held for"
    else:
        verb = f"did {'better' if more > 0 else 'worse'} than those held for"
    return (
        f"{held.format(CERTAINTIES[high.sure - 1])} {verb} “{CERTAINTIES[low.sure - 1]}”: mean "
        f"mark {percent(high.score)} (n = {high.answers:,}) and {percent(low.score)} "
        f"(n = {low.answers:,})."
    )


# ------------------------------------------------------------------ made again


def made_again(made: Iterable[Remade]) -> str:
    """How many numbers are the same when the models are asked again, in a sentence or two."""
    made = list(made)
    asked = [one for one in made if one.state == "made"]
    same, of = sum(one.same for one in asked), sum(one.of for one in asked)
    open_ = sum(one.of for one in made if one.state != "made")
    said = [f"Made again: {same:,} of {count(of, 'answer')} the same."] if of else []
    if open_:
        said.append(f"{count(open_, 'answer')} could not be made again.")
    return " ".join(said) or "There is nothing to make again."


MADE = ("Lesson / question", "Model", "Weights", "The same", "What differs, or why not")


def made_rows(made: Iterable[Remade], *, all_of_them: bool = False) -> list[list[str]]:
    """A row of :data:`MADE` for each question of which something differs, or for every one."""
    return [
        [
            f"{one.lesson} / {one.step}",
            models.name_of(one.model),
            one.revision[:19] or "–",
            f"{one.same} of {one.of}" if one.state == "made" else f"– of {one.of}",
            one.why or "–",
        ]
        for one in made
        if all_of_them or one.why
    ]
