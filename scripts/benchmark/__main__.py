"""The command line of the benchmark, and the table that it prints."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence

from tqdm import tqdm

from headroles.limits import Range
from scripts import benchmark, command_line
from scripts.benchmark import browser, hour, memory, pages, timing
from scripts.benchmark.measured import Figure

FIGURES: dict[str, Figure] = {
    **timing.FIGURES,
    **pages.FIGURES,
    **browser.FIGURES,
    **memory.FIGURES,
    **hour.FIGURES,
}


def parse_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = command_line.parser("benchmark", benchmark.__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument(
        "--repeats",
        type=command_line.whole(Range(1, 1_000)),
        default=9,
        help="about how often each is measured",
    )
    parser.add_argument(
        "--only", action="append", choices=list(FIGURES), help="measure only this; repeatable"
    )
    return parser.parse_args(argv)


@command_line.command
def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print."""
    options = parse_arguments(argv)
    names = options.only or list(FIGURES)
    results = {}
    if not options.json:
        print("| figure | ratio | min–max | n | aim | what | medians |")
        print("|---|--:|---|--:|---|---|---|", flush=True)
    for name in tqdm(names, disable=None):
        results[name] = FIGURES[name](options.repeats).summary()
        if not options.json:
            print(table_row(name, results[name]), flush=True)
    if options.json:
        print(json.dumps(results, indent=1))
    return 0


def table_row(name: str, row: dict[str, object]) -> str:
    """One figure as a row of a Markdown table."""
    return (
        f"| {name} | {row['ratio']:.2f} | {row['min']:.2f}–{row['max']:.2f} | {row['n']} | "
        f"{row['aim']} | {row['what']} | "
        f"{row['first_median']:.3g} / {row['second_median']:.3g} {row['unit']} |"
    )


if __name__ == "__main__":
    sys.exit(main())
