"""Read a head's QK and OV circuits from its weights, as a table.

python -m scripts.circuits --model demo --head L0H6
python -m scripts.circuits --model demo --all --folder tables
python -m scripts.circuits --model demo --summary
python -m scripts.circuits --model demo --composition K
"""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from tqdm import tqdm

from headroles import circuits, export, limits, models, store, texts
from headroles.errors import HeadrolesError
from headroles.types import Head
from scripts import command_line
from scripts.command_line import MODEL

if TYPE_CHECKING:
    from torch import Tensor

    from headroles.circuits import CircuitSettings, KeyRow
    from headroles.models import LoadedModel
    from headroles.store import TokenFrequencies


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
    what.add_argument("--all", action="store_true", help="the tables of all heads in one run")
    what.add_argument("--summary", action="store_true", help="all heads in a few numbers")
    what.add_argument("--composition", choices=("Q", "K", "V"), help="pairs of heads")
    _add_table(parser, rows)
    _add_settings(parser)
    parser.add_argument(
        "--format",
        choices=("markdown", "csv", "json"),
        help="default: markdown of one head, else csv",
    )
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--out", type=command_line.output, help="a file instead of standard output")
    where.add_argument(
        "--folder",
        type=command_line.new_folder,
        help="of --all: a file per head in this folder, and all.csv and all.json of all of them",
    )
    options = parser.parse_args(argv)
    options.format = options.format or ("markdown" if _is_one(options) else "csv")
    if options.format == "markdown" and not (_is_one(options) or options.folder):
        parser.error("argument --format: only the table of one head can be written as markdown")
    if options.folder and not options.all:
        parser.error("argument --folder: it is for --all, which is missing")
    if options.words and options.fragments:
        parser.error("argument --words: it has no use beside --fragments")
    return options


def _is_one(options: argparse.Namespace) -> bool:
    return not (options.all or options.summary or options.composition)


def _add_table(parser: argparse.ArgumentParser, rows) -> None:
    """How large a table is, and which tokens it is about."""
    parser.add_argument("--keys", type=rows, default=10, help="key tokens")
    parser.add_argument("--each", type=rows, default=20, help="queries and outputs per key")
    parser.add_argument("--queries", type=rows, help="queries per key, where not as --each")
    parser.add_argument("--outputs", type=rows, help="outputs of either list, where not as --each")
    parser.add_argument(
        "--token",
        type=_token,
        help="one token of your own instead of the chosen keys",
    )
    parser.add_argument(
        "--fragments", action="store_true", help="every token in the table, not whole words only"
    )
    parser.add_argument(
        "--words", type=command_line.file, help="a text file: its words alone, one on every line"
    )


def _add_settings(parser: argparse.ArgumentParser) -> None:
    """What is done to the weights."""
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
    parser.add_argument("--no-biases", action="store_true", help="leave the biases out")
    parser.add_argument("--keep-bos", action="store_true", help="do not subtract QK of the BOS")
    parser.add_argument("--keep-mean", action="store_true", help="do not subtract OV's mean")


def _token(given: str) -> str:
    """The type of an option that is a token, which may be a space."""
    if not given:
        raise argparse.ArgumentTypeError("it is empty")
    return command_line.text(limits.TOKEN, empty=True)(given)


class Words(NamedTuple):
    """The tokens that tables are about."""

    ids: Sequence[int] | Tensor | None
    """The tokens; None: all."""
    called: str
    """What they are, in words."""


def words_of(loaded: LoadedModel, frequencies: TokenFrequencies, options) -> Words:
    """Common whole words, all tokens, or those of a file.

    Raises:
        TextFileError, LimitError: if the file cannot be used.
    """
    if options.words:
        text = texts.read_text(options.words)
        own = texts.read_words(text, loaded.tokenizer, name=options.words.name)
        print(own.sentence, file=sys.stderr)
        return Words(own.ids, export.circuits.tokens_of(own.ids, own=own.name))
    ids = None if options.fragments else frequencies.words
    return Words(ids, export.circuits.tokens_of(ids))


def made(options: argparse.Namespace) -> bytes | None:
    """What is to be printed or written; None where a folder was filled.

    Raises:
        HeadrolesError: if the model, the head or a file of words cannot be used.
    """
    settings = circuits.qk_ov.CircuitSettings(
        norm=options.norm,
        embedding=options.embedding,
        biases=not options.no_biases,
        minus_bos=not options.keep_bos,
        minus_mean=not options.keep_mean,
    )
    loaded = models.load_model(options.model)
    frequencies = store.read_frequencies(loaded.key, len(circuits.weights.embedding(loaded)))
    if options.composition:
        if loaded.num_layers < 2:
            raise HeadrolesError(
                f"The model '{loaded.key}' has one layer, so no head reads what another wrote.",
                hint="Choose a model of two layers or more.",
            )
        return composition(loaded, options)
    if options.summary:
        return summary(loaded, settings, frequencies, options)
    words = words_of(loaded, frequencies, options)
    if options.all:
        return all_tables(loaded, settings, frequencies, words, options)
    options.head.check(*loaded.shape)
    rows = table(loaded, options.head, settings, frequencies, words, options)
    names = export.circuits.labels(loaded, rows)
    origin = _origin(loaded, frequencies, words)
    origin |= export.circuits.about(options.head, settings)
    if options.format == "markdown":
        return export.circuits.table_markdown(rows, names, origin).encode()
    return _written(export.circuits.table_rows(rows, names), origin, options.format)


def _origin(loaded: LoadedModel, frequencies: TokenFrequencies, words: Words) -> dict[str, object]:
    return {
        **export.provenance.origin(loaded.key),
        "revision": loaded.revision,
        "tokens": words.called,
        "probabilities": frequencies.sentence,
    }


def _written(rows: list[dict[str, object]], origin: dict[str, object], kind: str) -> bytes:
    if kind == "json":
        return export.tables.heads_json(rows, origin, name="rows").encode("utf-8", "replace")
    return export.csv_bytes(export.heads_csv(rows, origin))


def table(
    loaded: LoadedModel,
    head: Head,
    settings: CircuitSettings,
    frequencies: TokenFrequencies,
    words: Words,
    options: argparse.Namespace,
    *,
    bar: bool = True,
) -> tuple[KeyRow, ...]:
    """One head's pivot table."""
    factors = circuits.qk_ov.head_factors(loaded, head, settings).among(words.ids)
    sizes = {"each": options.queries or options.each, "outputs": options.outputs or options.each}
    if options.token is not None:
        ids = texts.ids_of(loaded.tokenizer, options.token)[:1]
        return circuits.qk_ov.rows_for(factors, frequencies.probabilities, ids, **sizes)
    with command_line.bar("keys") if bar else contextlib.nullcontext() as tell:
        return circuits.qk_ov.key_table(
            factors, frequencies.probabilities, keys=options.keys, on_block=tell, **sizes
        )


def all_tables(
    loaded: LoadedModel,
    settings: CircuitSettings,
    frequencies: TokenFrequencies,
    words: Words,
    options: argparse.Namespace,
) -> bytes | None:
    """Every head's pivot table: one table of all, or a folder with a file per head beside it."""
    origin = _origin(loaded, frequencies, words)
    every: list[dict[str, object]] = []
    one_by_one: dict[str, bytes] = {}
    ending = {"markdown": "md"}.get(options.format, options.format)
    for head in tqdm(_heads(loaded), desc="heads", file=sys.stderr, leave=False, disable=None):
        rows = table(loaded, head, settings, frequencies, words, options, bar=False)
        names = export.circuits.labels(loaded, rows)
        every += export.circuits.table_rows(rows, names, head=head)
        if options.folder:
            own = origin | export.circuits.about(head, settings)
            one_by_one[f"{head.label}.{ending}"] = (
                export.circuits.table_markdown(rows, names, own).encode()
                if options.format == "markdown"
                else _written(export.circuits.table_rows(rows, names), own, options.format)
            )
    origin |= export.circuits.settings_of(settings)
    if not options.folder:
        return _written(every, origin, options.format)
    with command_line.filling(options.folder) as new:
        for name, content in one_by_one.items():
            (new / name).write_bytes(content)
        for kind in ("csv", "json"):
            (new / f"all.{kind}").write_bytes(_written(every, origin, kind))
    return None


def _heads(loaded: LoadedModel) -> list[Head]:
    return Head.every(*loaded.shape)


def summary(
    loaded: LoadedModel,
    settings: CircuitSettings,
    frequencies: TokenFrequencies,
    options: argparse.Namespace,
) -> bytes:
    """All heads in a few numbers."""
    numbers = [
        circuits.summarise(loaded, head, settings, frequencies.probabilities)
        for head in tqdm(_heads(loaded), desc="heads", file=sys.stderr, leave=False, disable=None)
    ]
    origin = {
        **export.provenance.origin(loaded.key),
        "revision": loaded.revision,
        **export.circuits.settings_of(settings),
        "probabilities": frequencies.sentence,
    }
    return _written(export.circuits.summary_rows(numbers), origin, options.format)


def composition(loaded: LoadedModel, options: argparse.Namespace) -> bytes:
    """Every pair of heads of different layers, strongest first."""
    with command_line.bar("layers") as tell:
        scores = circuits.composition.composition(
            loaded, options.composition, norm=options.norm, on_block=tell
        )
    origin = {
        **export.provenance.origin(loaded.key),
        "revision": loaded.revision,
        **export.circuits.about_composition(scores, options.norm),
    }
    return _written(export.circuits.composition_rows(scores), origin, options.format)


@command_line.command
def main(argv: Sequence[str] | None = None) -> int:
    """Make the table and print it."""
    options = parse_arguments(argv)
    content = made(options)
    if content is None:
        print(f"wrote {options.folder}", file=sys.stderr)
    elif options.out:
        command_line.write(options.out, content)
    else:
        sys.stdout.write(content.decode("utf-8-sig"))
    return command_line.DONE


if __name__ == "__main__":
    raise SystemExit(main())
