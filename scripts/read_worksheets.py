"""Read the worksheets of a class: who did what, and what was commonly misunderstood.

    python -m scripts.read_worksheets submissions.zip
    python -m scripts.read_worksheets submissions.zip --csv moodle --points 5 -o points.csv
    python -m scripts.read_worksheets worksheets/ --check --json

Takes folders, files, and zips as Moodle and Canvas pack them. Files that are no worksheets, and
those that were altered, are named and do not count. With --check the models on this computer are
asked every question again.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from headroles import export, lessons, limits, models, view
from headroles.formatting import columns, count
from scripts import command_line

if TYPE_CHECKING:
    from pathlib import Path

    from headroles.lessons.classroom import Class, Pile
    from headroles.lessons.reading import Lessons
    from headroles.lessons.remaking import Remade

POINTS = limits.Range(0.0, 1_000.0)
"""The most points that a gradebook may hold."""
HARDEST = 5
"""Questions that are told where no lesson is chosen."""
FEW = 3
"""Fewer students with other weights than most are counted, and not told apart."""
BASES = ("participation", "score")
TABLES = ("moodle", "canvas", "long")
"""What CSV there is."""


def existing(text: str) -> Path:
    """The type of an argument that names a file or a folder."""
    given = command_line.path(text)
    return command_line.folder(text) if given.is_dir() else command_line.file(text)


def parse_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = command_line.parser("read_worksheets", __doc__)
    add = parser.add_argument
    add("paths", nargs="+", type=existing, metavar="PATH", help="folders, zips or worksheets")
    add("--altered", action="store_true", help="count altered worksheets too")
    add("--csv", choices=TABLES, help="points for a course system, or every answer (long)")
    add("--points", type=command_line.real(POINTS), default=10.0,
        help="the most points of a gradebook (default 10)")  # fmt: skip
    add("--by", choices=BASES, default=BASES[0], help="what points are for (default participation)")
    add("--lesson", type=command_line.text(), help="this lesson alone, every question of it")
    add("--assignment", type=command_line.text(limits.TOKEN), default=view.gradebooks.ASSIGNMENT,
        help="the name of the column for Canvas")  # fmt: skip
    add("--check", action="store_true", help="ask the models every question again")
    add("--hide-names", action="store_true", help="print numbers instead of names")
    add("--json", action="store_true", help="print one JSON object with every number")
    add("-o", "--out", type=command_line.output, help="write there instead of printing")
    options = parser.parse_args(argv)
    if options.csv and (options.json or options.check):
        parser.error("--csv stands alone: a gradebook holds points and nothing else")
    if options.hide_names and (options.csv or options.json):
        parser.error("--hide-names is for the text: files hold the names")
    return options


def check(found: Class, here: Lessons) -> list[Remade]:
    """Ask every question again whose model is on this computer; models are loaded one by one."""
    entries = (entry for student in found.students for entry in student.entries)
    asked, made, loaded = lessons.remaking.distinct(entries), [], None
    revisions = {one.model: "" for one in asked}
    revisions = {model: lessons.remaking.revision_here(model) for model in revisions}
    with command_line.bar("asking again") as tell:
        for place, one in enumerate(asked):
            tell(place, len(asked))
            if obstacle := lessons.remaking.obstacle(one, here, here=revisions[one.model]):
                made.append(obstacle)
                continue
            if loaded is None or loaded.key != one.model:
                loaded = models.load_model(one.model)
            made.append(lessons.remaking.remake(one, loaded, here))
    return made


def _questions(found: Class, lesson: str | None) -> list[str]:
    """Every question of a lesson; without one, those of all lessons that were missed most."""
    said = view.class_worksheets
    shown = found.of_lesson(lesson) if lesson else said.hardest(found, HARDEST)
    lines = [""]
    if lesson is None and shown:
        lines.append("Missed most (--lesson KEY shows every question of a lesson):")
    for question in shown:
        for place, group in enumerate(question.groups):
            if place and group.size < FEW:
                continue
            which = f" ({said.group_name(question, place)})" if place else ""
            title = question.title if lesson else f"{question.lesson}: {question.title}"
            lines += [f"  {title}{which}", f"    {said.result(group)}"]
            lines.append(f"    {said.misunderstanding(group)}")
        if left := sum(group.size for group in question.groups[1:] if group.size < FEW):
            lines.append(f"    Aside: {count(left, 'answer')} by other weights or another version.")
    return lines


def as_text(
    pile: Pile,
    found: Class,
    made: Sequence[Remade] | None,
    *,
    hidden: bool,
    lesson: str | None = None,
) -> str:
    """What the page says: files, students, questions, and whether numbers could be made again."""
    names, said = view.class_worksheets.Names(found, hidden=hidden), view.class_worksheets
    lines = [said.summary(pile, found), *said.notes(found, names)]
    lines += [f"Altered after saving: {names.file(one.path)}." for one in pile.altered]
    lines += [f"Left out: {names.file(left.path)}: {left.why}" for left in pile.left_out]
    lines += ["", *columns(said.STUDENTS, said.student_rows(found, names))]
    lines += ["", *columns(said.LESSONS, said.lesson_rows(found))]
    if lesson is None and len(found.totals) == 1:
        (lesson,) = found.totals
    lines += _questions(found, lesson)
    if made is not None:
        lines += ["", said.made_again(made)]
        if rows := said.made_rows(made):
            lines += columns(said.MADE, rows)
    return "\n".join(lines)


def as_json(pile: Pile, found: Class, made: Sequence[Remade] | None) -> str:
    """Every number as one JSON object."""
    whole = json.loads(view.gradebooks.as_json(found))
    whole["altered"] = [one.path for one in pile.altered]
    whole["left_out"] = [left._asdict() for left in pile.left_out]
    if made is not None:
        whole["made_again"] = [one._asdict() for one in made]
    return json.dumps(whole, ensure_ascii=False, indent=1)


def _written(
    options: argparse.Namespace, pile: Pile, found: Class, made: Sequence[Remade] | None
) -> bytes:
    """What is printed or written."""
    if options.csv == "long":
        return export.csv_bytes(view.gradebooks.long_csv(found))
    if options.csv:
        grading = view.gradebooks.Grading(
            options.points, options.by, options.lesson, options.assignment
        )
        return view.gradebooks.gradebook(found, options.csv, grading).encode("utf-8", "replace")
    if options.json:
        text = as_json(pile, found, made)
    else:
        text = as_text(pile, found, made, hidden=options.hide_names, lesson=options.lesson)
    return f"{text}\n".encode("utf-8", "replace")


@command_line.command
def main(argv: Sequence[str] | None = None) -> int:
    """Read worksheets and say what a class did."""
    options = parse_arguments(argv)
    here = lessons.read_all()
    with command_line.bar("reading worksheets") as tell:
        pile = lessons.classroom.pile(lessons.handed_in.of_paths(options.paths), tell)
    found = lessons.classroom.gather(pile, here, altered=options.altered)
    if options.csv and (pile.left_out or (pile.altered and not options.altered)):
        bad = len(pile.left_out) + (0 if options.altered else len(pile.altered))
        print(f"{count(bad, 'file')} do not count: run it without --csv to see.", file=sys.stderr)
    made = check(found, here) if options.check else None
    written = _written(options, pile, found, made)
    if options.out:
        command_line.write(options.out, written)
        print(f"wrote {options.out}", file=sys.stderr)
    else:
        print(written.decode("utf-8-sig", "replace"), end="")
    is_same = all(one.same == one.of for one in made or () if one.state == "made")
    return command_line.DONE if is_same else command_line.FAILED


if __name__ == "__main__":
    sys.exit(main())
