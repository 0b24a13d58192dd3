"""Work backward from an answer: keep only some heads, take all away, or look for backup heads.

    python -m scripts.keep_heads keep --heads L0H6,L1H1,L1H4 --prompt "The cat sat. The cat"
    python -m scripts.keep_heads curve --model smollm2-135m-instruct --prompt "Paris is in" --json
    python -m scripts.keep_heads backup --a L1H1 --b L1H4 --prompt "The cat sat. The cat"

A head that is taken away outputs its mean over the project's reference sentences.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from tqdm import tqdm

from headroles import ablation, export, limits, models, texts
from headroles.formatting import decimal, ordinal, percent, quoted, signed
from headroles.types import Head
from headroles.view import working_backward as words
from scripts import command_line
from scripts.command_line import MODEL

if TYPE_CHECKING:
    from headroles.ablation import PromptTable
    from headroles.models import LoadedModel

KEEP, CURVE, BACKUP = "keep", "curve", "backup"
DRAWS = 20
LAYERS = limits.Range(0, 10_000)
"""What a layer may be before the model is known."""


class Found(NamedTuple):
    """What a command found."""

    sentences: tuple[str, ...]
    """What it shows, in plain text."""
    rows: list[dict[str, object]]
    """All numbers."""
    settings: dict[str, object]
    """What was asked."""


def parse_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = command_line.parser("keep_heads", __doc__)
    what = parser.add_subparsers(dest="what", required=True, metavar="keep|curve|backup")
    keep = what.add_parser(KEEP, help="all heads but some at their mean")
    curve = what.add_parser(CURVE, help="heads go one after another, the least harmful first")
    backup = what.add_parser(BACKUP, help="A, B, and both together")
    for part in (keep, curve, backup):
        add = part.add_argument
        add("--model", type=MODEL, default=models.DEFAULT_MODEL,
            help="catalogue key, folder or Hub id")  # fmt: skip
        add("--prompt", type=command_line.text(limits.PROMPT), default=texts.DEFAULT_PROMPT,
            help="the prompt")  # fmt: skip
        add("--answer", type=command_line.text(limits.ANSWER, empty=True), default="",
            help="what should come next; default: the model's own first guess")  # fmt: skip
        add("--seed", type=command_line.whole(limits.SEED), default=0, help="fixes the draws")
        add("--json", action="store_true", help="print one JSON object with every number")
        add("--csv", type=command_line.output, help="write a table here")
    keep.add_argument("--heads", type=command_line.heads, required=True,
                      help="heads to keep, for example L1H4,L1H1")  # fmt: skip
    keep.add_argument("--layers", type=_layers,
                      help="layers in which others go, for example 0,1; default: all")  # fmt: skip
    for part in (keep, backup):
        part.add_argument("--control", type=command_line.whole(limits.DRAWS),
                          help=f"draws of random heads (default {DRAWS})")  # fmt: skip
    backup.add_argument("--a", type=command_line.heads, required=True, help="heads of A")
    backup.add_argument("--b", type=command_line.heads,
                        help="heads of B; without them, every other head is tried")  # fmt: skip
    backup.add_argument("--last", action="store_true", help="at the last token only")
    options = parser.parse_args(argv)
    if options.what == BACKUP and options.control is not None and not options.b:
        parser.error("argument --control: it is for --b, which is missing")
    if options.what != CURVE and options.control is None:
        options.control = DRAWS
    return options


def _layers(given: str) -> tuple[int, ...]:
    """The type of an option that names layers."""
    return tuple(map(command_line.whole(LAYERS), given.split(",")))


def kept(loaded: LoadedModel, options: argparse.Namespace) -> Found:
    """Only some heads kept, beside none and as many random ones."""
    shape, heads = (loaded.num_layers, loaded.num_heads), tuple(dict.fromkeys(options.heads))
    for head in (*heads, *(Head(layer, 0) for layer in options.layers or ())):
        head.check(*shape)
    conditions = [
        ablation.keep_only(some, shape=shape, layers=options.layers) for some in (heads, ())
    ]
    table = ablation.tabulate(loaded, options.prompt, conditions, answer=options.answer)
    control = ablation.random_kept(
        heads, shape=shape, layers=options.layers, draws=options.control, seed=options.seed
    )
    clean, *others = ablation.ablate(loaded, table.encoding, control.conditions, losses=False)
    answer = table.answer.token_id
    compared = [ablation.compare(clean, other, answer=answer) for other in others]
    own, none = (row.comparison.surprise for row in table.rows)
    judgement = ablation.judge(none - own, [none - comparison.surprise for comparison in compared])
    first = sum(comparison.rank == 1 for comparison in compared)
    sentences = (
        watched(table),
        words.kept(table, heads, shape[0] * shape[1]),
        words.kept_beside(judgement, first),
        control.note,
    )
    names = [other.condition.name for other in others]
    rows = export.working_backward.kept_rows(table, list(zip(names, compared, strict=True)))
    layers = list(options.layers) if options.layers else "all"
    return Found(sentences, rows, {"kept": [head.label for head in heads], "layers": layers})


def curve(loaded: LoadedModel, options: argparse.Namespace) -> Found:
    """Heads taken away one after another."""
    table = ablation.tabulate(loaded, options.prompt, (), answer=options.answer)
    walk = ablation.Walk.of(
        loaded, table.encoding.token_ids, table.answer.token_id, seed=options.seed
    )
    done = []
    for task in tqdm(walk.tasks(), unit="step", disable=None):
        done.append(walk.do(loaded, task, done))
    found = walk.curve(done)
    smallest = found.smallest
    left = found.heads_at(smallest, walk.shape) if smallest else ()
    labels = [head.label for head in left]
    sentences = (
        watched(table),
        words.taking_away(found, table.answer, walk.shape),
        words.random_orders(found),
        words.on_the_way(found),
        f"The smallest set found: {', '.join(labels)}." if labels else "",
        words.RULE_OF_THE_ORDER,
    )
    rows = export.working_backward.curve_rows(found)
    return Found(tuple(filter(None, sentences)), rows, {"smallest_set": labels})


def backup(loaded: LoadedModel, options: argparse.Namespace) -> Found:
    """A, B and both together; or A with every other head."""
    table = ablation.tabulate(loaded, options.prompt, (), answer=options.answer)
    ids, answer = table.encoding.token_ids, table.answer.token_id
    a, position = tuple(dict.fromkeys(options.a)), -1 if options.last else None
    labels = [head.label for head in a]
    settings = {"a": labels, "positions": "last" if options.last else "all"}
    if options.b:
        found = ablation.backup.measure(
            loaded, ids, answer, a, tuple(dict.fromkeys(options.b)),
            position=position, draws=options.control, seed=options.seed,
        )  # fmt: skip
        sentences = (
            watched(table),
            words.backup(found),
            words.answer_stays(found, table.answer.text),
            words.backup_beside(found),
        )
        return Found(sentences, export.working_backward.backup_rows(found), settings)
    for head in a:
        head.check(*loaded.shape)
    every = Head.every(*loaded.shape)
    others = [head for head in every if head not in a]
    pairs = []
    for start in tqdm(range(0, len(others), 24), unit="step", disable=None):
        part = others[start : start + 24]
        pairs += ablation.backup.pairs_with(loaded, ids, answer, a, part, position=position)
    ranked = ablation.backup.best_partners(pairs)
    sentences = (watched(table), words.best_partner(a, ranked))
    return Found(sentences, export.working_backward.partner_rows(a, ranked), settings)


def watched(table: PromptTable) -> str:
    """The watched token, and what the untouched model says."""
    named = "named" if table.answer.named else "the model's own first guess"
    return (
        f"Watched: {quoted(table.answer.text)}, {named}. The untouched model says "
        f"{quoted(table.says)} ({percent(table.says_probability)})."
    )


def in_lines(rows: Sequence[dict[str, object]]) -> list[str]:
    """The numbers in short, a line per row."""
    lines = []
    for row in rows:
        if "kept" in row:
            line = f"{row['kept']:<44} {ordinal(row['rank']):>6} {percent(row['probability']):>5}"
        elif "order" in row:
            gone = f"{row['went_last']} gone" if row["went_last"] else ""
            line = (
                f"{row['order']:<12} {row['heads_left']:>4} left {gone:<11} "
                f"{ordinal(row['rank']):>6} {decimal(row['log_probability'], digits=3):>8} nats, "
                f"loss {decimal(row['loss'], digits=3)}"
            )
        else:
            costs = [
                f"{name} {signed(row[f'{name}_log_probability'], digits=3)}"
                for name in ("a", "b", "both")
            ]
            over = signed(row["over_log_probability"], digits=3)
            surplus = signed(row["surplus"], digits=3)
            line = f"{row['a']} and {row['b']}: {', '.join(costs)} nats, over the sum {over}"
            line += f"; in both measures {surplus} ({row['verdict']})"
        lines.append(line)
    return lines


COMMANDS = {KEEP: kept, CURVE: curve, BACKUP: backup}


@command_line.command
def main(argv: Sequence[str] | None = None) -> int:
    """Measure, and say what it shows."""
    options = parse_arguments(argv)
    loaded = models.load_model(options.model)
    found = COMMANDS[options.what](loaded, options)
    origin = export.ablation_report.provenance(
        loaded.key,
        revision=loaded.revision,
        what=options.what,
        prompt=options.prompt,
        seed=options.seed,
        sentences=list(found.sentences),
        **found.settings,
    )
    if options.json:
        print(json.dumps({**origin, "rows": found.rows}, ensure_ascii=False))
    else:
        print("\n".join([*found.sentences, "", *in_lines(found.rows)]))
    if options.csv:
        command_line.write(
            options.csv, export.csv_bytes(export.tables.heads_csv(found.rows, origin))
        )
        print(f"wrote {options.csv}", file=sys.stderr)
    return command_line.DONE


if __name__ == "__main__":
    sys.exit(main())
