"""The command line of the fuzz run."""

from __future__ import annotations

import argparse
import importlib
import pkgutil
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping

from tqdm import tqdm

from scripts.fuzz import kinds
from scripts.fuzz.cases import Kind, Outcome, Trial, tried

SHOWN = 20
"""Failures that are described."""
SECONDS = 30.0
"""What one input may take on a busy machine; most take milliseconds."""


def parse_arguments(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    names = [found.name for found in pkgutil.iter_modules(kinds.__path__)]
    parser = argparse.ArgumentParser(
        prog="python -m scripts.fuzz",
        description="Try thousands of bad inputs: each must end in a result or a plain sentence.",
    )
    parser.add_argument("--seed", type=int, default=0, help="fixes the inputs")
    parser.add_argument("--inputs", type=int, default=10_000, help="how many, of all kinds")
    parser.add_argument("--only", default=",".join(names), help="kinds, e.g. prompts,links")
    parser.add_argument("--at", type=int, help="try only the input of this number, and tell all")
    options = parser.parse_args(argv)
    options.only = [name.strip() for name in options.only.split(",")]
    if unknown := [name for name in options.only if name not in names]:
        parser.error(f"there is no kind '{unknown[0]}'; the kinds are {', '.join(names)}")
    return options


def shares(modules: Mapping[str, Kind], inputs: int) -> dict[str, int]:
    """{kind: how many inputs it gets}."""
    weights = {name: getattr(module, "SHARE", 1.0) for name, module in modules.items()}
    return {name: round(inputs * own / sum(weights.values())) for name, own in weights.items()}


def trials(modules: Mapping[str, Kind], *, seed: int, inputs: int) -> Iterator[Trial]:
    """Try so many inputs, kind after kind."""
    for name, count in shares(modules, inputs).items():
        for number in range(count):
            yield tried(name, modules[name], seed=seed, number=number, seconds=SECONDS)


def table(seen: list[tuple[Trial, float]]) -> str:
    """How many of each kind ended how, and what they took together."""
    names = list(dict.fromkeys(trial.kind for trial, _ in seen))
    ends = Counter((trial.kind, trial.outcome) for trial, _ in seen)
    lines = ["| kind | inputs | result | refused | traceback | seconds |", "|---|--:|--:|--:|--:|--:|"]  # fmt: skip
    for name in names:
        counts = [ends[name, outcome] for outcome in Outcome]
        took = sum(seconds for trial, seconds in seen if trial.kind == name)
        cells = " | ".join(f"{count:,}" for count in (sum(counts), *counts))
        lines.append(f"| {name} | {cells} | {took:.0f} |")
    return "\n".join(lines)


def failures(seen: list[tuple[Trial, float]], seed: int) -> list[str]:
    """Each fault once, with how often it came and how to see it again."""
    failed = [trial for trial, _ in seen if trial.outcome is Outcome.FAILED]
    often = Counter((trial.kind, trial.place) for trial in failed)
    first = {(trial.kind, trial.place): trial for trial in reversed(failed)}
    return [
        f"{count}x {trial.place}: {trial.said[:200]}\n   {ascii(trial.description)[:200]}\n"
        f"   python -m scripts.fuzz --seed {seed} --only {trial.kind} --at {trial.number}"
        for place, count in often.most_common(SHOWN)
        for trial in [first[place]]
    ]


def main(argv: list[str] | None = None) -> int:
    """Try all inputs and say how they ended; 1 if any ended in a traceback."""
    options = parse_arguments(argv)
    modules = {name: importlib.import_module(f"{kinds.__name__}.{name}") for name in options.only}
    if options.at is not None:
        last = Outcome.RESULT
        for name, module in modules.items():
            trial = tried(name, module, seed=options.seed, number=options.at, seconds=SECONDS)
            print(f"{name}: {trial.description!a}\n{trial.outcome}: {trial.said}\n{trial.trace}")
            last = max(last, trial.outcome, key=list(Outcome).index)
        return int(last is Outcome.FAILED)
    total = sum(shares(modules, options.inputs).values())
    seen: list[tuple[Trial, float]] = []
    began = time.monotonic()
    trying = trials(modules, seed=options.seed, inputs=options.inputs)
    with tqdm(trying, total=total, unit="input", disable=None) as bar:
        for trial in bar:
            seen.append((trial, -began + (began := time.monotonic())))
    print(table(seen))
    for failure in (found := failures(seen, options.seed)):
        print(failure)
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
