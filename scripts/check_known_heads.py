"""Compare the analysis of a real model with the heads that papers name for it.

    python -m scripts.check_known_heads            # GPT-2 small
    python -m scripts.check_known_heads FOLDER --known FILE

Prints, per role, precision and recall of the list against the heads that papers name for their
pattern, and where every named head stands among all heads. Where the model cannot be had, because
there is no network, it says so and ends with exit code 77, which test programs read as skipped.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from headroles import analysis, limits, models, reference
from headroles.errors import ModelUnavailableError, SourceError
from headroles.reference.published import Comparison, compare
from headroles.roles import ROLES, KnownHead, named_heads
from scripts import command_line
from scripts.command_line import MODEL

DONE, SKIPPED = 0, 77


def parse_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = command_line.parser("check_known_heads", __doc__)
    whole = command_line.whole
    parser.add_argument(
        "model", nargs="?", type=MODEL, default="gpt2", help="catalogue key, folder or Hub id"
    )
    parser.add_argument("--known", type=command_line.file, help="another file of named heads")
    parser.add_argument(
        "--sequences", type=whole(limits.SEQUENCES), default=64, help="random repeated sequences"
    )
    parser.add_argument("--seed", type=whole(limits.SEED), default=0, help="fixes the texts")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    return parser.parse_args(argv)


@command_line.command
def main(argv: Sequence[str] | None = None) -> int:
    """Analyse, compare and print."""
    options = parse_arguments(argv)

    try:
        known = _named(options)
        if not known:
            print(f"No source names heads of '{options.model}'.", file=sys.stderr)
            return command_line.UNUSABLE
        comparison = _analysed(options, known)
    except (ModelUnavailableError, SourceError) as error:
        if Path(options.model).exists():
            raise
        print(f"SKIPPED, nothing was compared: {error}")
        return SKIPPED
    print(
        json.dumps(as_numbers(comparison)) if options.json else as_text(comparison, options.model)
    )
    return DONE


def _named(options: argparse.Namespace) -> list[KnownHead]:
    """What sources say of the model; a file of one's own may call a folder by its bare name."""
    known = named_heads(models.catalogue_key(options.model), path=options.known)
    if known or options.known is None:
        return known
    return named_heads(models.catalogue.spoken_name(options.model), path=options.known)


def _analysed(options: argparse.Namespace, known: list[KnownHead]) -> Comparison:

    models.fetch_model(options.model)  # before the libraries: a missing network shows at once
    settings = reference.AnalysisSettings(sequences=options.sequences, seed=options.seed)
    return compare(analysis.analyze(options.model, settings), known)


def as_numbers(comparison: Comparison) -> dict[str, object]:
    """The comparison as plain values."""
    return {
        "roles": {
            role: {
                "listed": sorted(head.label for head in agreement.listed),
                "named": sorted(head.label for head in agreement.named),
                "precision": agreement.precision,
                "recall": agreement.recall,
                "chance_recall": agreement.chance_recall,
            }
            for role, agreement in comparison.agreements.items()
        },
        "heads": [
            {
                "head": placed.known.head.label,
                "role": placed.known.role,
                "basis": placed.known.basis,
                "source": placed.known.source,
                "score": placed.score,
                "rank": placed.rank,
                "out_of": comparison.out_of,
                "is_over": placed.is_over,
                "is_listed": placed.is_listed,
            }
            for placed in comparison.placed
        ],
    }


def as_text(comparison: Comparison, model: str) -> str:
    """The comparison as two Markdown tables."""
    lines = [
        f"{model}: lists of the analysis beside the heads that papers name for their pattern",
        "",
        "| role | listed | named | both | precision | recall | recall by chance |",
        "|---|--:|--:|--:|--:|--:|--:|",
    ]
    for role, agreement in comparison.agreements.items():
        counts = map(len, (agreement.listed, agreement.named, agreement.both))
        lines.append(
            f"| {ROLES[role].name} | {' | '.join(map(str, counts))} | "
            f"{_share(agreement.precision)} | {_share(agreement.recall)} | "
            f"{agreement.chance_recall:.2f} |"
        )
    lines += [
        "",
        f"Every named head among the {comparison.out_of} of the model",
        "",
        "| role | head | named for its | score | rank | over threshold | listed | source |",
        "|---|---|---|--:|--:|---|---|---|",
    ]
    for placed in comparison.placed:
        head, role, basis, source = placed.known
        lines.append(
            f"| {ROLES[role].name} | {head.label} | {basis} | {placed.score:.3f} | {placed.rank} | "
            f"{'yes' if placed.is_over else 'no'} | {'yes' if placed.is_listed else 'no'} | "
            f"{source} |"
        )
    return "\n".join(lines)


def _share(number: float | None) -> str:
    return "—" if number is None else f"{number:.2f}"


if __name__ == "__main__":
    sys.exit(main())
