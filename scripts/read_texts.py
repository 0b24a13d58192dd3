"""Read real text with a model: how often its heads are at work, and the passages that show it.

    python -m scripts.read_texts demo
    python -m scripts.read_texts smollm2-135m-instruct --source manual --source code --tokens 60000
    python -m scripts.read_texts demo --source notes/ --out notes.json --csv notes.csv

The texts are on every machine: Python's manual, the code of its library, held-out stories; or a
file or folder of one's own. What is found is written to ``data/real_text/MODEL.json.gz``, where the
page *Real text* finds it; it names passages and holds none of their text.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from headroles import attribution, capture, corpus, export, limits, models, store, texts, view

# As scripts/analyze_heads: waiting threads sleep.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

from headroles.errors import HeadrolesError, UnsupportedModelError
from headroles.formatting import columns, count
from headroles.roles import ROLES
from headroles.store.real_text import CopySuppression
from scripts import command_line
from scripts.command_line import MODEL

if TYPE_CHECKING:
    from headroles.corpus import Corpus
    from headroles.models import LoadedModel
    from headroles.store import ModelEntry, RealText
    from headroles.texts import TextSource

TOKENS = 60_000
"""Tokens that are read at most, if nothing is said."""


def parse_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = command_line.parser("read_texts", __doc__)
    add, whole = parser.add_argument, command_line.whole
    add("model", nargs="?", type=MODEL, default=models.DEFAULT_MODEL, metavar="MODEL",
        help="catalogue key, folder or Hub id (default: demo)")  # fmt: skip
    add("--source", action="append", type=command_line.text(), metavar="TEXT",
        help=f"{', '.join(texts.SOURCES)}, or a text file or folder; may be given several times "
        "(default: manual and code, for a model of stories stories and manual)")  # fmt: skip
    add("--tokens", type=whole(limits.READ_TOKENS), default=TOKENS,
        help=f"how many tokens are read at most, the same of each text (default {TOKENS:,})",
        )  # fmt: skip
    add("--seed", type=whole(limits.SEED), default=0, help="draws the passages")
    add("--out", type=command_line.named_file(".json", ".json.gz"),
        help="the file to write as JSON (default: data/real_text/MODEL.json.gz)")  # fmt: skip
    add("--csv", type=command_line.output, help="write a row for every role and head here")
    add("--format", choices=["text", "json", "json-lines"], default="text",
        help="json prints the record; json-lines prints one JSON object per line: progress, then "
        "the result")  # fmt: skip
    add("--end-with-input", action="store_true",
        help="end at once when standard input closes: whoever started this is gone")  # fmt: skip
    options = parser.parse_args(argv)
    for given in options.source or ():
        if given not in texts.SOURCES and not Path(given).exists():
            known = ", ".join(texts.SOURCES)
            parser.error(f"argument --source: '{given}' is none of {known}, and no file or folder")
    return options


def sources(given: Sequence[str] | None, model: str) -> dict[str, TextSource]:
    """{key: source} that are read, with a line on standard error about what cannot be.

    Raises:
        HeadrolesError: if there is no text in one of them.
    """
    stories = model in models.known_models() and models.entry_of(model).stories
    wanted = given or (("stories", "manual") if stories else ("manual", "code"))
    found: dict[str, TextSource] = {}
    own: list[texts.Document] = []
    for name in dict.fromkeys(wanted):
        if name in texts.SOURCES:
            found[name] = texts.SOURCES[name]
            continue
        source, skipped = texts.sources.own_files(Path(name))
        for sentence in skipped:
            print(f"left out: {sentence}", file=sys.stderr)
        own += source.documents()
    if own:
        found["own"] = texts.sources.own_text(own, name="Own text")
    return found


def read(
    loaded: LoadedModel,
    entry: ModelEntry | None,
    chosen: dict[str, TextSource],
    *,
    tokens: int,
    seed: int,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> RealText:
    """Read texts with a model.

    Args:
        loaded: the model.
        entry: its reference scores, for thresholds and lists; None without any.
        chosen: {key: source} that are read.
        tokens: at most so many, the same of each.
        seed: draws the passages.
        progress: told (tokens done, of how many).

    Raises:
        HeadrolesError: if a text has no passage, or the model cannot be run on it.
    """
    drawn = corpus.draw(
        loaded.tokenizer,
        list(chosen.values()),
        tokens=tokens,
        seed=seed,
        max_tokens=min(corpus.reading.MAX_TOKENS, loaded.max_tokens),
    )
    whole = corpus.Pass(corpus.Setting(drawn, (loaded.num_layers, loaded.num_heads), entry, seed))
    done = 0
    progress(done, whole.tokens)
    for place in range(len(whole)):
        done += whole.step(place, partial(capture.each_layer, loaded))
        progress(done, whole.tokens)
    record = whole.record(model=loaded.key, revision=loaded.revision, sources=chosen)
    return record.model_copy(update={"copy_suppression": suppression(loaded, drawn, seed=seed)})


def suppression(loaded: LoadedModel, drawn: Corpus, *, seed: int) -> CopySuppression | None:
    """Whether heads write against what they look at, on some of the passages; None, with a line
    about it, where the model's parts cannot be told apart."""
    cells = [ROLES["induction"].cells(drawn.prompts.only(place))[0] for place in range(len(drawn))]
    rows = attribution.copy_suppression.draw_rows(
        [encoding.token_ids for encoding in drawn.encodings], cells, seed=seed
    )
    try:
        found = attribution.copy_suppression.measure(loaded, rows)
    except UnsupportedModelError as error:
        print(f"copy suppression was not measured: {error.message}", file=sys.stderr)
        return None
    if not found.rows:
        return None
    names = ("mean", "error", "control", "control_error")
    return CopySuppression(
        tokens=found.rows,
        **{
            name: [[round(value, 5) for value in row] for row in getattr(found, name).tolist()]
            for name in names
        },
    )


def as_text(record: RealText, entry: ModelEntry | None) -> str:
    """What was read, and roles in the wild as a table."""
    roles = view.real_text.wild(record, entry)
    lines = [
        view.real_text.what_was_read(record, ()),
        view.real_text.conclusion(roles),
        "",
        *columns(view.real_text.HEADERS, view.real_text.activity_rows(roles)),
    ]
    if record.copy_suppression:
        lines += ["", view.real_text.suppression_sentence(record.copy_suppression)]
    return "\n".join(lines)


def known_entry(loaded: LoadedModel, given: str) -> ModelEntry | None:
    """The model's reference scores; None, with a line about it, where they cannot be used."""
    try:
        entry = store.read_entry(loaded.key, given=given)
        store.contents.check_weights(entry, loaded.source, loaded.revision)
    except HeadrolesError as error:
        print(f"{error.message} Provisional thresholds are used.", file=sys.stderr)
        return None
    return entry


@command_line.command
def main(argv: Sequence[str] | None = None) -> int:
    """Read, write the record and print it."""
    options = parse_arguments(argv)
    if options.end_with_input:
        command_line.end_with_input()
    lines = command_line.JsonLines() if options.format == "json-lines" else None
    try:
        return run(options, lines)
    except HeadrolesError as error:
        if lines:
            lines.error(error.message, error.hint)
            return command_line.UNUSABLE
        raise


def run(options: argparse.Namespace, lines: command_line.JsonLines | None) -> int:
    """Read, write the record, and tell of it as was asked."""
    chosen = sources(options.source, options.model)
    loaded = models.load_model(options.model)
    entry = known_entry(loaded, options.model)
    reading = partial(read, loaded, entry, chosen, tokens=options.tokens, seed=options.seed)
    if lines:
        record = reading(progress=partial(lines.progress, "reading"))
    else:
        with command_line.bar(f"reading with {loaded.key}") as tell:
            record = reading(progress=tell)
    if options.out:
        command_line.write(options.out, store.real_text.as_bytes(record))
        path = str(options.out)
    else:
        path = store.write_real_text(record)
    if options.csv:
        rows = export.real_text.activity_rows(record, entry)
        origin = export.real_text.about(record)
        command_line.write(options.csv, export.csv_bytes(export.heads_csv(rows, origin)))
    if lines:
        lines.result({"model": record.model_name, "out": path, "tokens": record.tokens})
    elif options.format == "json":
        print(store.real_text.as_bytes(record).decode(), end="")
    else:
        print(as_text(record, entry))
        print(f"wrote {path} ({count(record.tokens, 'token')})", file=sys.stderr)
    return command_line.DONE


if __name__ == "__main__":
    sys.exit(main())
