"""Visit every page of servers that have just been started, so that the first visitor need not wait.

    python -m scripts.warm_up http://127.0.0.1:8501 http://127.0.0.1:8502

A fresh server imports its libraries, loads the bundled model and builds its charts for whoever
comes first. That takes some seconds, and many times as long if a whole class comes first.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
import urllib.parse
from collections.abc import Sequence

from headroles.limits import Range
from scripts import command_line
from scripts.load_test.visitor import VisitError, Visitor

PATIENCE = 60.0
"""Seconds until a server must answer."""
BEAT = 0.5
"""Seconds between two tries."""
STUDENTS = (
    *("head_closeup", "head_map", "find_heads", "detector_lab", "knockout_lab", "answer"),
    "circuits",
)
"""The pages after the first one, by their names in the address."""


async def warm_up(address: str, *, patience: float = PATIENCE) -> None:
    """Open every student's page of a server once.

    Args:
        address: ``http://host:port`` of one process, not of a proxy before several.
        patience: seconds to wait for the server to come up.

    Raises:
        VisitError: if it does not come up, or a page does not finish.
    """
    await _until_it_answers(address, time.monotonic() + patience)
    visitor = Visitor(address)
    try:
        await visitor.open(files=False)
        for page in STUDENTS:
            await visitor.turn_to(page)
    finally:
        await visitor.close()


async def _until_it_answers(address: str, until: float) -> None:
    while True:
        try:
            await Visitor(address, timeout=5).get("_stcore/health")
        except VisitError:
            if time.monotonic() > until:
                raise
            await asyncio.sleep(BEAT)
        else:
            return


def parse_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = command_line.parser("warm_up", __doc__)
    parser.add_argument("addresses", nargs="+", type=_address, metavar="http://host:port")
    parser.add_argument(
        "--patience",
        type=command_line.real(Range(0, 3_600)),
        default=PATIENCE,
        help="seconds until a server must answer",
    )
    return parser.parse_args(argv)


def _address(text: str) -> str:
    try:
        parts = urllib.parse.urlsplit(text)
        is_sound = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        is_sound = False
    if not is_sound:
        raise argparse.ArgumentTypeError(f"'{text}' is not like http://127.0.0.1:8501")
    return text


@command_line.command
def main(argv: Sequence[str] | None = None) -> int:
    """Warm up one server after the other; 1 if one could not be."""
    options = parse_arguments(argv)
    for address in options.addresses:
        began = time.monotonic()
        try:
            asyncio.run(warm_up(address.rstrip("/"), patience=options.patience))
        except VisitError as error:
            print(f"{address} could not be warmed up: {error}.", file=sys.stderr)
            return command_line.FAILED
        print(f"{address} is warm after {time.monotonic() - began:.1f} s.")
    return command_line.DONE


if __name__ == "__main__":
    sys.exit(main())
