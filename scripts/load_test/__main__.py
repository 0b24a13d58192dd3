"""The command line of the load test."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import multiprocessing
import os
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from headroles import limits
from headroles.limits import Range
from headroles.paths import CATEGORIES
from scripts import command_line, load_test
from scripts.benchmark.server import in_place_of_the_hub
from scripts.load_test import servers, table
from scripts.load_test.activities import ACTIVITIES
from scripts.load_test.answers import Checker
from scripts.load_test.visitors import Class, Outcome, Report, visit
from scripts.warm_up import warm_up

SIZES = (1, 10, 50, 150)
"""Visitors of the usual run."""
MOST_VISITORS, MOST_SERVERS, MOST_SECONDS = 400, 8, 600
"""Bounds of what may be asked for."""


def parse_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = command_line.parser("load_test", load_test.__doc__)
    whole, real = command_line.whole, command_line.real
    add = parser.add_argument
    add("--visitors", type=whole(Range(1, MOST_VISITORS)), nargs="+", default=list(SIZES),
        help="how many at once; several numbers are run one after the other")  # fmt: skip
    add("--activity", choices=["opening", *ACTIVITIES, "mixed"], default="prompt",
        help="what they do; mixed is what a class does")  # fmt: skip
    add("--think", type=real(Range(0, MOST_SECONDS)), default=20,
        help="seconds between two prompts of a visitor")  # fmt: skip
    add("--arrive", type=real(Range(0, MOST_SECONDS)), default=30,
        help="seconds within which they come")  # fmt: skip
    add(
        "--seconds",
        type=whole(Range(1, MOST_SECONDS)),
        default=75,
        help="how long they go on asking",
    )
    add(
        "--timeout",
        type=whole(Range(1, MOST_SECONDS)),
        default=60,
        help="seconds until a run has failed",
    )
    add("--long", type=whole(Range(0, MOST_VISITORS)), default=0,
        help="visitors more, who do long work in the detector lab")  # fmt: skip
    add("--analysis", action="store_true", help="an analysis of the model runs beside them")
    add("--servers", type=whole(Range(1, MOST_SERVERS)), default=1,
        help="server processes; several stand behind Caddy, as in deploy/")  # fmt: skip
    add("--model", type=command_line.MODEL, default="demo", help="catalogue key of the model")
    add("--folder", type=command_line.folder,
        help="its files, where the Hub's copy is not on the machine")  # fmt: skip
    add("--categories", type=command_line.file, default=CATEGORIES,
        help="the analyses that the servers know, instead of the shipped ones")  # fmt: skip
    add("--seed", type=whole(limits.SEED), default=0, help="fixes the prompts")
    add("--quick", action="store_true", help="ten visitors, a prompt every 4 s, for 15 s")
    add("--json", action="store_true", help="print one JSON object per run instead of the table")
    options = parser.parse_args(argv)
    if options.quick:
        options.visitors, options.think, options.arrive, options.seconds = [10], 4, 3, 15
    return options


@command_line.command
def main(argv: Sequence[str] | None = None) -> int:
    """Run one class after the other, and print; 1 if an answer was wrong."""
    options = parse_arguments(argv)
    checker = Checker(options.model, folder=options.folder, categories=options.categories)
    wrong = 0
    if not options.json:
        print(table.HEAD, flush=True)
    for visitors in options.visitors:
        plan = Class(
            "", visitors, options.activity, options.seconds, options.think, options.arrive,
            long=options.long, model=options.model, timeout=options.timeout, seed=options.seed,
        )  # fmt: skip
        result = measure(
            plan,
            checker,
            count=options.servers,
            analysis=options.analysis,
            folder=options.folder,
            categories=options.categories,
        )
        wrong += result.wrong
        if options.json:
            print(json.dumps(result._asdict()), flush=True)
        else:
            print(table.row(result), flush=True)
            if result.first_fault:
                print(f"  first fault: {result.first_fault}"[:300], file=sys.stderr, flush=True)
    return int(wrong > 0)


def measure(
    plan: Class,
    checker: Checker,
    *,
    count: int = 1,
    analysis: bool = False,
    folder: Path | None = None,
    categories: Path = CATEGORIES,
) -> table.Figures:
    """Start fresh servers, let a class visit them, and check every answer afterwards.

    Args:
        plan: who comes; its address is filled in.
        checker: knows the right answers.
        count: server processes.
        analysis: whether an analysis runs beside them.
        folder: the model's files, in place of the Hub's copy.
        categories: the analyses that the servers know.
    """
    load = os.getloadavg()[0]
    with contextlib.ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        hub = in_place_of_the_hub(plan.model, folder, home) if folder else None
        running = stack.enter_context(
            servers.running(home, servers=count, categories=categories, hub=hub)
        )
        if analysis:
            stack.enter_context(servers.analysis(home, str(folder or plan.model)))
        attend = stack.enter_context(class_room())
        for address in running.addresses:
            asyncio.run(warm_up(address))
            first = replace(plan, address=address, visitors=1, activity="prompt", long=0, seed=-1)
            attend(replace(first, think=0, arrive=0, prompts=1, timeout=300))
        with servers.Watch(running) as watch:
            report = attend(replace(plan, address=running.address))
    faults = [fault for outcome in report.outcomes if (fault := fault_of(checker, outcome))]
    beside = [f"{plan.long} x long work"] * bool(plan.long) + ["analysis"] * analysis
    return table.figures(
        plan, report, faults, watch.samples, beside=" + ".join(beside), servers=count, load=load
    )


@contextlib.contextmanager
def class_room() -> Iterator[Callable[[Class], Report]]:
    """Lets a class visit from a process of its own, which ends with the block.

    Neither this process nor the servers share an interpreter with the visitors.
    """
    context = multiprocessing.get_context("spawn")
    with context.Pool(1, signal.signal, (signal.SIGINT, signal.SIG_IGN)) as pool:
        yield lambda plan: pool.apply(visit, (plan,))


def fault_of(checker: Checker, outcome: Outcome) -> str:
    """What is wrong with an answer; empty for a right one, and where there is none."""
    if outcome.question is None or outcome.page is None:
        return ""
    return checker.fault(outcome.question, outcome.page)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # the servers end in either case
    sys.exit(main())
