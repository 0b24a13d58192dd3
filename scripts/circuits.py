"""Read a head's QK and OV circuits from its weights, as a table.

python -m scripts.circuits --model demo --head L0H6
python -m scripts.circuits --model demo --summary
python -m scripts.circuits --model demo --composition K
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from tqdm import tqdm

from headroles import circuits, export, limits, models, store
from headroles.errors import HeadrolesError
from headroles.types import Head
from scripts import command_line
from scripts.command_line import MODEL


def parse_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = command_line.parser("circuits", __doc__)
    rows = command_line.whole(limits.ROWS)
    parser.add_argument(
        "--model", type=MODEL, default="demo", help="catalogue key, folder or Hub id"
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument(
        "--head",
        type=command_line.head,
        default="L0H0",
        help="make the table of this head, e.g. L0H6",
    )
    what.add_argument("--summary", action="store_true", help="all heads in a few numbers (CSV)")
    what.add_argument("--composition", choices=("Q", "K", "V"), help="pairs of heads (CSV)")
    parser.add_argument("--keys", type=rows, default=10, help="key tokens")
    parser.add_argument("--each", type=rows, default=20, help="queries and outputs per key")
    parser.add_argument(
        "--token",
        type=_token,
        help="one token of your own instead of the chosen keys",
    )
    parser.add_argument(
        "--norm", choices=("applied", "folded", "none"), default="applied", help="the layer norm"
    )
    parser.add_argument(
        "--embedding",
        choices=("first_block", "bare"),
        default="first_block",
        help="what heads above the first layer find of a token: its embedding after the first "
        "block, or the bare one",
    )
    parser.add_argument(
        "--fragments", action="store_true", help="every token in the table, not whole words only"
    )
    parser.add_argument("--no-biases", action="store_true", help="leave the biases out")
    parser.add_argument("--keep-bos", action="store_true", help="do not subtract QK of the BOS")
    parser.add_argument("--keep-mean", action="store_true", help="do not subtract OV's mean")
    parser.add_argument(
        "--format", choices=("markdown", "csv"), help="of a head's table (default: markdown)"
    )
    parser.add_argument("--out", type=command_line.output, help="a file instead of standard output")
    options = parser.parse_args(argv)
    if options.format == "markdown" and (options.summary or options.composition):
        parser.error("argument --format: only the table of one head can be written as markdown")
    return options


def _token(given: str) -> str:
    """The type of an option that is a token, which may be a space."""
    if not given:
        raise argparse.ArgumentTypeError("it is empty")
    return command_line.text(limits.TOKEN, empty=True)(given)


def made(options: argparse.Namespace) -> bytes:
    """What is to be printed or written.

    Raises:
        HeadrolesError: if the model or the head cannot be used.
    """

    settings = circuits.qk_ov.CircuitSettings(
        norm=options.norm,
        embedding=options.embedding,
        biases=not options.no_biases,
        minus_bos=not options.keep_bos,
        minus_mean=not options.keep_mean,
    )
    loaded = models.load_model(options.model)
    options.head.check(*loaded.shape)
    frequencies = store.read_frequencies(loaded.key, len(circuits.weights.embedding(loaded)))
    if options.composition and loaded.num_layers < 2:
        raise HeadrolesError(
            f"The model '{loaded.key}' has one layer, so no head reads what another wrote.",
            hint="Choose a model of two layers or more.",
        )
    if options.composition:
        return composition(loaded, options.composition, norm=options.norm)
    if options.summary:
        return summary(loaded, settings, frequencies)
    return table(loaded, options.head, settings, frequencies, options)


def table(loaded, head: Head, settings, frequencies, options: argparse.Namespace) -> bytes:
    """One head's pivot table."""

    words = None if options.fragments else frequencies.words
    factors = circuits.qk_ov.head_factors(loaded, head, settings).among(words)
    if options.token is not None:
        ids = loaded.tokenizer(options.token, add_special_tokens=False)["input_ids"][:1]
        rows = circuits.qk_ov.rows_for(factors, frequencies.probabilities, ids, each=options.each)
    else:
        with command_line.bar("keys") as tell:
            rows = circuits.qk_ov.key_table(
                factors,
                frequencies.probabilities,
                keys=options.keys,
                each=options.each,
                on_block=tell,
            )
    names = export.circuits.labels(loaded, rows)
    origin = {
        "model": loaded.key,
        **export.circuits.about(head, settings),
        "tokens": export.circuits.tokens_of(words),
        "probabilities": frequencies.sentence,
    }
    if options.format == "csv":
        return export.circuits.table_csv(rows, names, origin)
    return export.circuits.table_markdown(rows, names, origin).encode()


def summary(loaded, settings, frequencies) -> bytes:
    """All heads in a few numbers."""

    heads = Head.every(*loaded.shape)
    lines = []
    for head in tqdm(heads, desc="heads", file=sys.stderr, leave=False, disable=None):
        numbers = circuits.summarise(loaded, head, settings, frequencies.probabilities)
        lines.append(
            {
                "head": head.label,
                "copying": numbers.copying,
                "copies": numbers.copies,
                "lowers": numbers.lowers,
                "copies_of": numbers.copies_of,
                "self_match": numbers.self_match,
                "previous": numbers.previous,
                "previous_chance": numbers.previous_chance,
            }
        )
    origin = {
        "model": loaded.key,
        "embedding_above_layer_0": settings.embedding,
        "layer_norm": settings.norm,
        "biases": settings.biases,
    }
    return export.csv_bytes(export.heads_csv(lines, origin))


def composition(loaded, kind: str, *, norm: str) -> bytes:
    """Every pair of heads of different layers, strongest first."""

    with command_line.bar("layers") as tell:
        scores = circuits.composition.composition(loaded, kind, norm=norm, on_block=tell)
    lines = [
        {
            "earlier": first.label,
            "later": second.label,
            "score": float(scores.score[i, j]),
            "above_random": float(scores.score[i, j]) - scores.baseline,
        }
        for i, first in enumerate(scores.heads)
        for j, second in enumerate(scores.heads)
        if second.layer > first.layer
    ]
    lines.sort(key=lambda line: -line["score"])
    origin = {
        "model": loaded.key,
        "kind": kind,
        "random_mean": scores.baseline,
        "random_sd": scores.spread,
        "random_draws": scores.draws,
    }
    return export.csv_bytes(export.heads_csv(lines, origin))


@command_line.command
def main(argv: Sequence[str] | None = None) -> int:
    """Make the table and print it."""
    options = parse_arguments(argv)
    content = made(options)
    if options.out:
        command_line.write(options.out, content)
    else:
        sys.stdout.write(content.decode("utf-8-sig"))
    return command_line.DONE


if __name__ == "__main__":
    raise SystemExit(main())
