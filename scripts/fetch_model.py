"""Bring models to this disk before anybody waits for them.

    python -m scripts.fetch_model smollm2-135m-instruct
    python -m scripts.fetch_model gpt2 pythia-70m
    python -m scripts.fetch_model --all       # everything that the app offers, for a class

What is here already costs nothing, so the command can be repeated. A model that fails does not stop
the others; the exit code is then 1.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

from headroles import models, view
from headroles.errors import HeadrolesError
from scripts import command_line
from scripts.command_line import MODEL


def parse_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = command_line.parser("fetch_model", __doc__)
    parser.add_argument(
        "models",
        nargs="*",
        type=MODEL,
        metavar="MODEL",
        help="catalogue keys, Hub ids, GGUF files or folders with one",
    )
    parser.add_argument("--all", action="store_true", help="every model that the app offers")
    options = parser.parse_args(argv)
    if bool(options.models) == options.all:
        parser.error("name the models, or give --all")
    return options


@command_line.command
def main(argv: Sequence[str] | None = None) -> int:
    """Fetch one model after the other; 1 if any of several could not be had, 2 if the only one."""
    options = parse_arguments(argv)
    names = view.offer.offered() if options.all else options.models
    try:
        failed = [name for name in names if not _fetch(name)]
    except KeyboardInterrupt:
        print("\nStopped; nothing half-made is left. Give the command again.", file=sys.stderr)
        return command_line.STOPPED
    if failed and len(names) > 1:
        here = len(names) - len(failed)
        print(f"{here} of {len(names)} models are here. Not: {', '.join(failed)}.", file=sys.stderr)
    if not failed:
        return command_line.DONE
    return command_line.FAILED if len(names) > 1 else command_line.UNUSABLE


def _fetch(name: str) -> bool:
    """Fetch a model under a bar; whether it is here."""
    try:
        if why := _fault(name):
            print(f"{name}: {why}.", file=sys.stderr)
            return False
        if models.is_here(name):
            print(f"{name} is here already.")
            return True
        with tqdm(desc=name, unit="B", unit_scale=True, disable=not sys.stderr.isatty()) as bar:
            models.fetch_model(name, progress=lambda done, total: _show(bar, done, total))
    except HeadrolesError as error:
        print(f"{name}: {error}", file=sys.stderr)
        return False
    print(f"{name} is here now.")
    return True


def _fault(name: str) -> str:
    """Why a folder is no model; "" for everything else."""
    place = Path(models.resolve_source(name))
    return models.on_disk.fault_of_folder(place) if place.is_dir() else ""


def _show(bar: tqdm, done: int, total: int) -> None:
    bar.total = total
    bar.update(done - bar.n)
    if done >= total:
        bar.set_postfix_str("preparing it")


if __name__ == "__main__":
    sys.exit(main())
