"""Points for a course system's gradebook, and every answer as a table.

- **Moodle** reads a grade file in two ways. *Grades, Import, CSV file* lets the teacher map any
  column: one tells the students apart (user name, email address, ID number), one is the grade, one
  its feedback (``grade/import/csv`` of Moodle; docs.moodle.org, *Grade import*). *Upload grading
  worksheet* of an assignment goes by ``Identifier``, ``Grade`` and ``Last modified (grade)``
  (``mod/assign/feedback/offline/importgradeslib.php``); the number of the participant stands in the
  names of the files that Moodle packs, so that this needs no mapping.
- **Canvas** wants ``Student``, ``ID``, ``SIS User ID``, ``SIS Login ID`` and ``Section``, then a
  column for each assignment, and a row ``Points Possible`` (``lib/gradebook_importer.rb`` of
  Canvas). It finds a student by the first of ID, SIS IDs and name that it knows; its own ID stands
  in the names of the files that it packs.

A prediction is no examination, so points are for taking part unless the teacher says otherwise.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

from headroles.export import tables
from headroles.formatting import percent
from headroles.view import class_worksheets

if TYPE_CHECKING:
    from headroles.lessons.classroom import Class, Student
    from headroles.lessons.handed_in import Owner
    from headroles.lessons.worksheet import Entry

Basis = Literal["participation", "score"]
"""What points are for: the share of questions answered, or the sum of the marks."""
System = Literal["moodle", "canvas"]
MOODLE = (
    "Identifier",
    "Full name",
    "Email address",
    "Name on the worksheet",
    "Grade",
    "Maximum grade",
    "Last modified (grade)",
    "Feedback comments",
)
CANVAS = ("Student", "ID", "SIS User ID", "SIS Login ID", "Section")
ASSIGNMENT = "headroles lessons"
"""What the column of points is called in Canvas, unless a name is given."""


class Grading(NamedTuple):
    """How points are given."""

    points: float = 10.0
    """The most that can be had."""
    basis: Basis = "participation"
    """What they are for."""
    lesson: str | None = None
    """The lesson; None for all lessons that anybody in the class worked on."""
    assignment: str = ASSIGNMENT
    """The name of the column, for Canvas."""


def points(found: Class, student: Student, grading: Grading) -> float:
    """What a student gets, to two decimals; a question that was left out counts as nothing."""
    done = found.progress(student, grading.lesson)
    whole = done.answered if grading.basis == "participation" else done.points
    share = min(whole / done.of, 1.0) if done.of else 0.0
    return round(grading.points * share, 2)


def comment(found: Class, student: Student, grading: Grading) -> str:
    """What a student is told, in a sentence."""
    done = found.progress(student, grading.lesson)
    score = "" if done.score is None else f"; mean mark of these {percent(done.score)}"
    return f"{done.answered} of {done.of} questions answered{score}"


def nameless(found: Class) -> list[Student]:
    """Students of whom nothing is known but the file: no gradebook would find them."""
    return [
        student for student in found.students if not (student.owner.system or student.owner.typed)
    ]


def gradebook(found: Class, system: System, grading: Grading) -> str:
    """A class's points as CSV, without who is nameless."""
    unknown = nameless(found)
    students = [student for student in found.students if student not in unknown]
    if system == "moodle":
        return _csv([MOODLE, *(_moodle(found, student, grading) for student in students)])
    possible = ["    Points Possible", "", "", "", "", _plain(grading.points)]
    rows = [
        [*_in_canvas(student.owner), _plain(points(found, student, grading))]
        for student in students
    ]
    return _csv([[*CANVAS, grading.assignment], possible, *rows])


def _moodle(found: Class, student: Student, grading: Grading) -> list[object]:
    owner = student.owner
    is_known = owner.system == "Moodle"
    return [
        f"Participant {owner.number}" if is_known else "",
        owner.name if is_known else "",
        _email(owner.typed),
        owner.typed,
        _plain(points(found, student, grading)),
        _plain(grading.points),
        "-",
        comment(found, student, grading),
    ]


def _in_canvas(owner: Owner) -> list[str]:
    """The five columns that tell a student from others."""
    is_login = bool(owner.typed) and " " not in owner.typed
    number = owner.number if owner.system == "Canvas" and owner.number.isdigit() else ""
    return [owner.name, number, "", owner.typed if is_login else "", ""]


def _email(typed: str) -> str:
    return typed if "@" in typed.strip("@") and " " not in typed else ""


def _plain(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")


def _csv(rows: Iterable[Sequence[object]]) -> str:
    """CSV as importers read it: no comments, nothing quoted without need, no formula.

    Only ``-``, which Moodle writes for "never", stays as it is.
    """
    file = io.StringIO(newline="")
    writer = csv.writer(file, lineterminator="\r\n")
    for row in rows:
        writer.writerow(
            tables.guarded(cell) if isinstance(cell, str) and cell != "-" else cell for cell in row
        )
    return file.getvalue()


# ------------------------------------------------------------------ every answer


def answer_rows(found: Class) -> list[dict[str, object]]:
    """A row for each answer that counts: who, what was asked, predicted, told, and the mark."""
    titles = {(one.lesson, one.step): one.title for one in found.questions}
    return [
        _answer_row(student, entry, titles[entry.lesson, entry.step])
        for student in found.students
        for entry in student.entries
    ]


def _answer_row(student: Student, entry: Entry, title: str) -> dict[str, object]:
    answer, said = entry.answer, entry.prediction
    return {
        "student": student.owner.name,
        "name_on_worksheet": student.owner.typed,
        "system": student.owner.system,
        "number": student.owner.number,
        "lesson": entry.lesson,
        "lesson_digest": entry.lesson_digest,
        "question": entry.step,
        "title": title,
        "kind": entry.kind,
        "predicted": _predicted(entry),
        "right": _right(entry),
        "score": entry.score,
        "sure": entry.sure,
        "hints": entry.hints,
        "tries": len(entry.tries) + (entry.kind == "wake"),
        "asked": entry.asked.isoformat(),
        "answered": entry.answered.isoformat(),
        "model": answer.model,
        "revision": answer.revision,
        "definitions_version": entry.definitions_version,
        "prompt": answer.prompt or said.prompt,
    }


def _predicted(entry: Entry) -> str:
    """A prediction in one cell of a table: cells as query>key, options with a semicolon."""
    said = entry.prediction
    if entry.kind == "cells":
        return "; ".join(f"{query}>{key}" for query, key in said.cells)
    if entry.kind == "number":
        return f"{said.number:g}"
    return said.prompt if entry.kind == "wake" else "; ".join(said.chosen)


def _right(entry: Entry) -> str:
    """What the model says, in one cell: the strongest cell of every row, the right options."""
    answer = entry.answer
    if entry.kind == "cells":
        best = [max(range(len(row)), key=row.__getitem__) for row in answer.rows]
        pairs = zip(answer.queries, best, strict=True)
        return "; ".join(f"{query}>{key}" for query, key in pairs)
    if entry.kind == "number":
        return f"{answer.value:g}"
    if entry.kind == "wake":
        return str(answer.state)
    return "; ".join(option.label for option in answer.options if option.is_right)


def origin(found: Class) -> dict[str, object]:
    """Where a table of answers comes from."""
    return {
        "what": "headroles worksheets of a class",
        "students": len(found.students),
        "answers": found.answers,
        "models": [f"{model} {revision}" for model, revision, _ in found.models],
    }


def long_csv(found: Class) -> str:
    """Every answer as CSV."""
    return tables.heads_csv(answer_rows(found), origin(found))


def as_json(found: Class) -> str:
    """Students, questions and every answer as JSON."""
    names = class_worksheets.Names(found)
    students = [
        {
            "student": student.owner.name,
            "name_on_worksheet": student.owner.typed,
            "system": student.owner.system,
            "number": student.owner.number,
            "files": list(student.files),
            "answered": (done := found.progress(student)).answered,
            "of": done.of,
            "finished": sum(found.progress(student, key).is_finished for key in found.totals),
            "points": done.points,
            "score": done.score,
            "hints": done.hints,
            "sure": done.sure,
            "sure_and_wrong": done.misjudged,
        }
        for student in found.students
    ]
    return tables.heads_json(
        answer_rows(found),
        origin(found) | {"notes": class_worksheets.notes(found, names)},
        name="answers",
        students=students,
        questions=_question_rows(found),
    )


def _question_rows(found: Class) -> list[dict[str, object]]:
    rows = []
    for question in found.questions:
        for group in question.groups:
            belief = group.misunderstanding()
            counts = {f"{q}>{k}": times for (q, k), times in sorted(group.cell_counts().items())}
            rows.append(
                {
                    "lesson": question.lesson,
                    "question": question.step,
                    "title": question.title,
                    "kind": group.kind,
                    "model": group.answer.model,
                    "revision": group.answer.revision,
                    "answers": group.size,
                    "right": group.right,
                    "score": group.score,
                    "sure": group.sure,
                    "hints": group.hints,
                    "cells": counts or None,
                    "options": {one.label: one.times for one in group.options()} or None,
                    "numbers": group.numbers or None,
                    "commonest_misunderstanding": class_worksheets.misunderstanding(group),
                    "times": belief.times if belief else 0,
                }
            )
    return rows
