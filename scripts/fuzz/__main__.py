"""The command line of the fuzz run."""

from __future__ import annotations

import argparse
import importlib
import pkgutil
import sys
from collections import Counter
from collections.abc import Mapping, Sequence

from tqdm import tqdm

from headroles import limits
from scripts import command_line, fuzz
from scripts.fuzz import kinds
from scripts.fuzz.cases import Kind, Outcome, Trial, tried

INPUTS = limits.Range(0, 10_000_000)

SHOWN = 20
"""Failures that are described."""
SECONDS = 30.0
"""What one input may take on a busy machine; most take milliseconds."""


def parse_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    names = [found.name for found in pkgutil.iter_modules(kinds.__path__)]
    parser = command_line.parser("fuzz", fuzz.__doc__)
    whole = command_line.whole
    parser.add_argument("--seed", type=whole(limits.SEED), default=0, help="fixes the inputs")
    parser.add_argument(
        "--inputs", type=whole(INPUTS), default=10_000, help="how many, of all kinds together"
    )
    parser.add_argument(
        "--only", default=",".join(names), help=f"these kinds alone: {', '.join(names)}"
    )
    parser.add_argument(
        "--at", type=whole(INPUTS), help="try only the input of this number, and tell all"
    )
    options = parser.parse_args(argv)
    options.only = [name.strip() for name in options.only.split(",")]
    if unknown := [name for name in options.only if name not in names]:
        parser.error(f"there is no kind '{unknown[0]}'; the kinds are {', '.join(names)}")
    return options


def trials(modules: Mapping[str, Kind], *, seed: int, inputs: int) -> list[Trial]:
    """Try so many inputs of all kinds, under a bar."""
    weights = {name: getattr(module, "SHARE", 1.0) for name, module in modules.items()}
    numbers = {name: round(inputs * own / sum(weights.values())) for name, own in weights.items()}
    seen = []
    with tqdm(total=sum(numbers.values()), unit="input", disable=None) as bar:
        for name, module in modules.items():
            bar.set_description(name)
            for number in range(numbers[name]):
                seen.append(tried(name, module, seed=seed, number=number, seconds=SECONDS))
                bar.update()
    return seen


def table(seen: Sequence[Trial]) -> str:
    """How many of each kind ended how, and what they took together."""
    ends = Counter((trial.kind, trial.outcome) for trial in seen)
    lines = [f"| kind | inputs | {' | '.join(Outcome)} | seconds |", "|---|--:|--:|--:|--:|--:|"]
    for kind in dict.fromkeys(trial.kind for trial in seen):
        counts = [ends[kind, outcome] for outcome in Outcome]
        took = sum(trial.seconds for trial in seen if trial.kind == kind)
        cells = " | ".join(f"{count:,}" for count in (sum(counts), *counts))
        lines.append(f"| {kind} | {cells} | {took:.0f} |")
    return "\n".join(lines)


def failures(seen: Sequence[Trial], seed: int) -> list[str]:
    """Each fault once, with how often it came and how to see it again."""
    failed = [trial for trial in seen if trial.outcome is Outcome.FAILED]
    often = Counter((trial.kind, trial.place) for trial in failed)
    first = {(trial.kind, trial.place): trial for trial in reversed(failed)}
    return [
        f"{count}x {trial.place}: {ascii(trial.said)[:200]}\n   {ascii(trial.description)[:200]}\n"
        f"   python -m scripts.fuzz --seed {seed} --only {trial.kind} --at {trial.number}"
        for place, count in often.most_common(SHOWN)
        for trial in [first[place]]
    ]


@command_line.command
def main(argv: Sequence[str] | None = None) -> int:
    """Try all inputs and say how they ended; 1 if any ended in a traceback."""
    options = parse_arguments(argv)
    modules = {name: importlib.import_module(f"{kinds.__name__}.{name}") for name in options.only}
    if options.at is not None:
        again = [
            tried(name, module, seed=options.seed, number=options.at, seconds=SECONDS)
            for name, module in modules.items()
        ]
        for trial in again:
            print(f"{trial.kind}: {trial.description!a}\n{trial.outcome}: {trial.said}")
            print(trial.trace)
        return int(any(trial.outcome is Outcome.FAILED for trial in again))
    seen = trials(modules, seed=options.seed, inputs=options.inputs)
    print(table(seen))
    found = failures(seen, options.seed)
    print("\n".join(found))
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
