"""Ask the models every question of the lessons, and hold the answers against what the texts say.

    python -m scripts.check_lessons
    python -m scripts.check_lessons my-lesson.toml --model demo
    python -m scripts.check_lessons --schema data/lessons/lesson.schema.json

Without files it checks the lessons that ship and those of the data folder. A lesson holds on a
model if every question can be asked of it, and what ``expect`` and ``solution`` say is so. Models
that are not on this machine are named and left out. The exit code is 1 if something does not hold.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from headroles.errors import HeadrolesError
from headroles.formatting import count
from headroles.lessons import checking, reading, schema
from headroles.lessons.checking import Report, Row
from headroles.lessons.lesson import Lesson
from headroles.lessons.reading import LessonError
from scripts import command_line
from scripts.command_line import MODEL


def parse_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = command_line.parser("check_lessons", __doc__)
    add = parser.add_argument
    add("files", nargs="*", type=command_line.path, metavar="FILE", help="lessons, or folders")
    add("--model", type=MODEL, action="append", default=[], metavar="KEY",
        help="ask this model, not those that the lessons name; may be repeated")  # fmt: skip
    add("--json", action="store_true", help="print one JSON object")
    add("--all", action="store_true", help="print the answers that hold, too")
    add("--schema", type=command_line.named_file(".json"),
        help="only write the form of a lesson here, a JSON schema for editors")  # fmt: skip
    return parser.parse_args(argv)


def read(given: Sequence[Path]) -> tuple[dict[str, Lesson], dict[str, list[str]]]:
    """{key: lesson}, and {name of a file: all that is wrong with it}."""
    folders = [path for path in given if path.is_dir()]
    found, faults = {}, {}
    if folders or not given:
        lessons = reading.read_all(*folders)
        found = {key: lesson.lesson for key, lesson in lessons.by_key.items()}
        faults = {name: sentences(fault) for name, fault in lessons.faults.items()}
    for path in given:
        if path not in folders:
            try:
                found[path.stem] = reading.read_lesson(path).lesson
            except HeadrolesError as fault:
                faults[path.name] = sentences(fault)
    return found, faults


def sentences(fault: HeadrolesError) -> list[str]:
    """Every fault of a file in a line."""
    found = fault.faults if isinstance(fault, LessonError) else ()
    return [str(one) for one in found] or [str(fault)]


def line(row: Row) -> str:
    """A step on a model in one line."""
    told = [f"expected {row.expected}" if row.expected else "", f"came {row.found}"]
    what = "; ".join(part for part in told if part and row.found)
    sign = "FAILS" if row.faults else "holds"
    return command_line.one_line(
        " ".join([f"{sign} {row.lesson} · {row.step} · {row.model}:", *row.faults, what])
    )


def summary(report: Report, lessons: int, faults: int) -> str:
    """How many of how many hold, and what was left out."""
    good = sum(not row.faults for row in report.rows)
    asked = sorted({row.model for row in report.rows})
    said = (
        f"{count(lessons, 'lesson')}, {count(len(asked), 'model')} ({', '.join(asked)}): "
        f"{good} of {count(len(report.rows), 'step')} hold"
    )
    broken = f", {count(faults, 'file')} with faults" if faults else ""
    left = "".join(f"\nnot checked: {key} ({why})" for key, why in report.not_checked.items())
    return f"{said}{broken}.{left}"


@command_line.command
def main(argv: Sequence[str] | None = None) -> int:
    """Check, and print what does not hold."""
    options = parse_arguments(argv)
    if options.schema:
        command_line.write(options.schema, schema.as_json().encode())
        print(f"wrote {options.schema}", file=sys.stderr)
        return command_line.DONE
    lessons, faults = read(options.files)
    with command_line.bar("models") as tell:
        report = checking.check(lessons, only=options.model, tell=tell)
    if options.json:
        rows = [row._asdict() for row in report.rows]
        plain = {"rows": rows, "files": faults, "not_checked": report.not_checked}
        print(json.dumps(plain, ensure_ascii=False))
    else:
        for name, told in faults.items():
            for fault in told:
                print(command_line.one_line(f"FAILS {name}: {fault}"))
        for row in report.rows:
            if row.faults or options.all:
                print(line(row))
        print(summary(report, len(lessons), len(faults)))
    return command_line.DONE if report.holds and not faults else command_line.FAILED


if __name__ == "__main__":
    sys.exit(main())
