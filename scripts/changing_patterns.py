"""Does a head's largest look follow the period of a sequence, or keep its distance?

python -m scripts.changing_patterns demo
python -m scripts.changing_patterns demo --kind names --head L1H4 --out names.csv
python -m scripts.changing_patterns demo --periods 3 4 5 6 --out map.png

Every head's typical distance at each period, held against the same tokens in random order; and for
kinds with names or numbers, how much they look at earlier ones.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from headroles import charts, export, limits, models, verdicts, view
from headroles.formatting import percent
from headroles.texts.sequences import DRAWS, KINDS, PERIODS
from headroles.types import Head
from scripts import command_line, on_prompt
from scripts.command_line import MODEL
from scripts.on_prompt import Output, Panel, Picture

if TYPE_CHECKING:
    from headroles.models import LoadedModel
    from headroles.verdicts.changing_patterns import ChangingPatterns


def parse_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = command_line.parser("changing_patterns", __doc__)
    whole = command_line.whole
    add = parser.add_argument
    add("model", nargs="?", type=MODEL, default="demo", help="catalogue key, folder or Hub id")
    add("--kind", choices=tuple(KINDS), default="repeat", help="the kind of sequence")
    add("--periods", nargs="+", type=whole(limits.PERIODS), default=list(PERIODS), metavar="P",
        help="tokens of an item, at least two different numbers (default 3 4 5)")  # fmt: skip
    add("--head", type=command_line.head, help="say what this head does")
    add("--n", type=whole(limits.DRAWN_SEQUENCES), default=DRAWS,
        help=f"sequences of each period (default {DRAWS})")  # fmt: skip
    add("--seed", type=whole(limits.SEED), default=0, help="fixes the words that are drawn")
    add("--without-itself", action="store_true", help="leave a token's look at itself out")
    add("--top", type=whole(limits.LISTED_HEADS), default=20,
        help="how many heads are printed (default 20)")  # fmt: skip
    on_prompt.add_output(add)
    options = parser.parse_args(argv)
    options.periods = sorted(set(options.periods))
    if len(options.periods) < 2:
        parser.error("argument --periods: two different numbers are needed")
    return options


def as_text(found: ChangingPatterns, head: Head | None, *, top: int) -> str:
    """What the page says, the heads that follow or keep, and attention from numbers at numbers."""
    frame = [(one, verdict) for one, verdict in found.verdicts.items() if verdict.kind != "neither"]
    share = partial(view.sequences.least_share, found)
    frame.sort(key=lambda pair: (pair[1].kind != "follows", -share(pair[0])))
    lines = [view.sequences.conclusion(found, head or next(iter(found.verdicts)))]
    lines += [view.sequences.three_back(found), ""]
    rows = [
        [
            one.label,
            view.sequences.shown_distances(found, one),
            f"{percent(share(one))} of rows",
            view.sequences.VERDICTS[verdict.kind],
        ]
        for one, verdict in frame[:top]
    ]
    if rows:
        periods = ", ".join(map(str, found.periods))
        lines += on_prompt.aligned([["Head", f"at {periods}", "at least", "verdict"], *rows])
    for slot in found.slots:
        lines += ["", f"From {slot}s at earlier {slot}s:"]
        lines += on_prompt.aligned(
            [view.sequences.SLOT_HEADERS, *view.sequences.slot_rows(found, slot)]
        )
    return "\n".join([*lines, "", view.sequences.HOW])


def _output(found: ChangingPatterns, loaded: LoadedModel, head: Head | None, *, top: int) -> Output:
    draw = partial(
        charts.heads.head_map, view.sequences.map_records(found), "verdict", clickable=False
    )
    about = export.provenance.about_picture(loaded.key)
    return Output(
        as_text(found, head, top=top),
        export.sequences.rows(found),
        export.sequences.provenance(found, loaded),
        more={"slots": export.sequences.slot_rows(found)},
        picture=Picture([Panel(draw, view.sequences.map_sentence(found), about)]),
    )


@command_line.command
def main(argv: Sequence[str] | None = None) -> int:
    """Run the sequences, print and write."""
    options = parse_arguments(argv)
    loaded = models.load_model(options.model)
    if options.head is not None:
        options.head.check(*loaded.shape)
    with command_line.bar("steps") as progress:
        found = verdicts.changing_patterns.changing_patterns(
            loaded,
            options.kind,
            periods=options.periods,
            n=options.n,
            seed=options.seed,
            without_itself=options.without_itself,
            progress=progress,
        )
    return on_prompt.give(_output(found, loaded, options.head, top=options.top), options)


if __name__ == "__main__":
    sys.exit(main())
