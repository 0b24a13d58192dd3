"""Make up the worksheets of a class, to try the teacher's side before a real class comes.

    python -m scripts.make_class /tmp/class
    python -m scripts.make_class /tmp/class --model gpt2 --lesson induction --seed 3

Every answer is the model's own; what the students predicted is drawn from the seed. A third is
right in all, a third in half, a third is misled throughout. In a class of thirty or more, two files
are damaged, one is altered, one of a newer format, one empty, one student handed in twice, one file
is a copy under another name, and one model had other weights. There are no such students.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from headroles import lessons, limits, models
from headroles.formatting import count
from scripts import command_line
from scripts.command_line import MODEL

STUDENTS = limits.Range(1, 500)
"""Students of a class."""


def parse_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = command_line.parser("make_class", __doc__)
    add = parser.add_argument
    add("folder", type=command_line.new_folder, help="where the worksheets are written")
    add("--model", type=MODEL, default=models.DEFAULT_MODEL, help="catalogue key, folder or Hub id")
    add("--lesson", action="append", metavar="KEY", type=command_line.text(),
        help="a lesson of the class; repeatable (default: all that name the model)")  # fmt: skip
    add("--students", type=command_line.whole(STUDENTS), default=lessons.made_class.STUDENTS,
        help="how many there are (default 30)")  # fmt: skip
    add("--seed", type=command_line.whole(limits.SEED), default=0, help="fixes all predictions")
    return parser.parse_args(argv)


@command_line.command
def main(argv: Sequence[str] | None = None) -> int:
    """Write the worksheets of a class."""
    options = parse_arguments(argv)
    here, loaded = lessons.read_all(), models.load_model(options.model)
    with command_line.bar("asking the model") as tell:
        made = lessons.made_class.make(
            here,
            loaded,
            seed=options.seed,
            students=options.students,
            only=options.lesson,
            tell=tell,
        )
    with command_line.filling(options.folder) as folder:
        for name, raw in made.files.items():
            (folder / name).write_bytes(raw)
    taken = {lesson for lesson, _ in made.answers}
    left = sum(len(here.by_key[key].lesson.questions) for key in taken) - len(made.answers)
    aside = f"; {count(left, 'question')} about another model left open" if left else ""
    print(f"wrote {count(len(made.files), 'worksheet')} to {options.folder}{aside}")
    return command_line.DONE


if __name__ == "__main__":
    sys.exit(main())
