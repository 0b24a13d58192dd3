"""Propose a pattern for heads: the expression that explains their attention best on real text.

    python -m scripts.propose_pattern demo
    python -m scripts.propose_pattern smollm2-135m-instruct --head L4H8 --source manual
    python -m scripts.propose_pattern demo --all --out patterns.csv

A pattern is chosen on one half of the documents and measured on the other. Without --head and --all
the heads that fit no role are asked for. With --kinds, also from what kind of token to what kind
each of these heads looks.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from headroles import capture, corpus, export, limits, models, store, texts, view

# As scripts/analyze_heads: waiting threads sleep.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

from headroles.errors import HeadrolesError, UnknownHeadError
from headroles.formatting import columns
from headroles.types import Head
from scripts import command_line
from scripts.command_line import MODEL
from scripts.read_texts import known_entry, sources

if TYPE_CHECKING:
    from headroles.models import LoadedModel
    from headroles.store.token_kinds import KindTable, Proposals

TOKENS = 10_000
"""Tokens that are read at most, if nothing is said."""


def parse_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = command_line.parser("propose_pattern", __doc__)
    add, whole = parser.add_argument, command_line.whole
    add("model", nargs="?", type=MODEL, default=models.DEFAULT_MODEL, metavar="MODEL",
        help="catalogue key, folder or Hub id (default: demo)")  # fmt: skip
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--head", action="append", type=command_line.head, metavar="L5H1",
        help="this head; repeatable (default: the heads that fit no role)")  # fmt: skip
    which.add_argument("--all", action="store_true", help="all heads of the model")
    add("--source", action="append", type=command_line.text(), metavar="TEXT",
        help=f"{', '.join(texts.SOURCES)}, or a text file or folder; repeatable "
        "(default: manual and code, for a model of stories stories and manual)")  # fmt: skip
    add("--tokens", type=whole(limits.READ_TOKENS), default=TOKENS,
        help=f"how many tokens are read at most, the same of each text (default {TOKENS:,})",
        )  # fmt: skip
    add("--seed", type=whole(limits.SEED), default=0, help="draws the passages")
    add("--kinds", action="store_true",
        help="say from what kind of token to what kind each head looks")  # fmt: skip
    add("--out", type=command_line.named_file(".csv", ".json"),
        help="write every proposal to a file that ends in .csv or .json")  # fmt: skip
    add("--format", choices=["text", "json"], default="text", help="of what is printed")
    options = parser.parse_args(argv)
    for given in options.source or ():
        if given not in texts.SOURCES and not command_line.Path(given).exists():
            known = ", ".join(texts.SOURCES)
            parser.error(f"argument --source: '{given}' is none of {known}, and no file or folder")
    return options


def read(
    loaded: LoadedModel, options: argparse.Namespace
) -> tuple[store.RealText, Proposals, KindTable]:
    """Read the texts once, with the two parts that are asked for.

    Raises:
        HeadrolesError: if a text has no passage, or the model cannot be run on it.
    """
    chosen = sources(options.source, options.model)
    drawn = corpus.draw(
        loaded.tokenizer,
        list(chosen.values()),
        tokens=options.tokens,
        seed=options.seed,
        max_tokens=min(corpus.reading.MAX_TOKENS, loaded.max_tokens),
    )
    setting = corpus.Setting(drawn, (loaded.num_layers, loaded.num_heads), None, options.seed)
    parts = {
        "proposals": corpus.proposals.ProposalsPart(setting),
        "kinds": corpus.kinds.KindsPart(setting),
    }
    with command_line.bar(f"reading with {loaded.key}") as tell:
        corpus.read(drawn, list(parts.values()), partial(capture.each_layer, loaded), progress=tell)
    record = corpus.stored(
        setting, parts, model=loaded.key, revision=loaded.revision, sources=chosen
    )
    if not record.proposals.held_out or not record.proposals.chosen_on:
        raise HeadrolesError(
            "All of the text is one passage: a pattern is chosen on some passages and measured on "
            "others.",
            hint="Name another --source, or read more --tokens.",
        )
    return record, record.proposals, record.kinds


def asked_heads(loaded: LoadedModel, options: argparse.Namespace) -> list[Head]:
    """The heads that are asked for.

    Raises:
        UnknownHeadError: if the model has no such head.
    """
    layers, heads = loaded.num_layers, loaded.num_heads
    for head in options.head or ():
        if not (head.layer < layers and head.head < heads):
            raise UnknownHeadError(head.label, layers=layers, heads=heads)
    if options.head:
        return list(dict.fromkeys(options.head))
    entry = None if options.all else known_entry(loaded, options.model)
    return entry.listed("other") if entry else list(Head.every(layers, heads))


def as_text(found: Proposals, heads: Sequence[Head]) -> list[str]:
    """One head with its three patterns, or a table of several."""
    lines = [view.proposals.measured_on(found), ""]
    if len(heads) == 1:
        lines += [view.proposals.conclusion(found, heads[0]), ""]
        rows = view.proposals.pattern_rows(found, heads[0])
        return lines + columns(view.proposals.HEADERS, rows)
    rows = view.proposals.head_rows(found, heads)
    return lines + columns(view.proposals.HEAD_HEADERS, rows)


@command_line.command
def main(argv: Sequence[str] | None = None) -> int:
    """Read, print the patterns, and write them."""
    options = parse_arguments(argv)
    loaded = models.load_model(options.model)
    heads = asked_heads(loaded, options)
    record, found, kinds = read(loaded, options)
    rows, origin = export.token_kinds.proposal_rows(found, heads), export.real_text.about(record)
    if options.out:
        as_csv = options.out.suffix.lower() == ".csv"
        made = (
            export.csv_bytes(export.heads_csv(rows, origin))
            if as_csv
            else export.tables.heads_json(rows, origin, name="rows").encode()
        )
        command_line.write(options.out, made)
    if options.format == "json":
        print(export.tables.heads_json(rows, origin, name="rows"))
    else:
        print("\n".join(as_text(found, heads)))
        if options.kinds:
            print("", *(view.token_kinds.conclusion(kinds, head) for head in heads), sep="\n")
    return command_line.DONE


if __name__ == "__main__":
    sys.exit(main())
