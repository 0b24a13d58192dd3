"""Knock heads out on prompts, and write what happens as HTML and CSV.

    python -m scripts.ablate_heads --role induction --prompt "The cat sat. The cat" --answer sat
    python -m scripts.ablate_heads --heads L1H4,L1H1 --ready Repetition --html knockouts.html
    python -m scripts.ablate_heads --prompts mine.csv --position random --control 10 --seed 3
    python -m scripts.ablate_heads --heads L0H6 --offsets 6

Every prompt is run untouched and under about twenty conditions in one batch, and all prompts are
summed up. With ``--control``, random others are knocked out beside every condition; with
``--offsets``, the previous-token test is made instead.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING

from tqdm import tqdm

from headroles import ablation, export, limits, models, store, texts, verdicts
from headroles.ablation.conditions import UNTOUCHED
from headroles.errors import HeadrolesError, NoHeadOfRoleError
from headroles.formatting import count
from headroles.roles import SCORED_ROLES
from headroles.types import Head
from headroles.view import attention_shift, changed_roles, token_by_token
from scripts import command_line
from scripts.command_line import MODEL

if TYPE_CHECKING:
    from headroles.ablation import Condition, LeftOut, Looks, PromptTable, Settings
    from headroles.models import LoadedModel
    from headroles.types import Encoding

Rows = list[dict[str, object]]
"""The rows of a file."""
SAMPLES = 48
POSITIONS = limits.Range(-100_000, 100_000)
"""What a position may be before the prompt is known."""
DRAWS = 10
"""Draws of random other heads, without ``--control``."""
MOST_SHOWN = 8
"""Heads that ``--attention all`` tells of."""


def parse_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = command_line.parser("ablate_heads", __doc__)
    text, whole, output = command_line.text, command_line.whole, command_line.output
    add = parser.add_argument
    add("--model", type=MODEL, default=models.DEFAULT_MODEL, help="catalogue key, folder or Hub id")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--heads", type=command_line.heads, help="heads, for example L1H4,L1H1")
    which.add_argument(
        "--role",
        choices=[role.key for role in SCORED_ROLES],
        default="induction",
        help="all listed heads of a role (default: induction)",
    )
    add("--prompt", action="append", type=text(limits.PROMPT), default=[],
        help="a prompt; may be repeated")  # fmt: skip
    add("--answer", type=text(limits.ANSWER, empty=True), default="",
        help="what should come next after each --prompt")  # fmt: skip
    add("--prompts", type=command_line.file, metavar="FILE",
        help="prompts with answers: lines, .csv or .jsonl")  # fmt: skip
    add("--ready", choices=[*texts.KINDS, "all"], help="ready prompts of a group")
    add("--position", type=position, default=-1,
        help="position t; -1 is the last token, random one per prompt")  # fmt: skip
    add("--top", type=whole(limits.LISTED_TOKENS), default=5, help="tokens per direction, up to 20")
    add("--control", type=whole(limits.DRAWS), default=0, help="draws of random other heads")
    add("--seed", type=whole(limits.SEED), default=0, help="fixes the draws and random positions")
    add("--token-by-token", action="store_true",
        help="each token's probability with the heads and without them")  # fmt: skip
    add("--attention", type=watched, metavar="HEAD|all",
        help="where a head looks without the heads; all: those that change most")  # fmt: skip
    add("--roles", action="store_true", help="which other heads gain or lose a role")
    add("--html", type=output, help="write a self-contained report here")
    add("--csv", type=output, help="write a table here")
    add("--json", type=output, help="write everything here")
    add("--offsets", type=whole(limits.OFFSETS), help="make the previous-token test, this far back")
    add("--samples", type=whole(limits.SAMPLES), help="samples of that test (default 48)")
    options = parser.parse_args(argv)
    limits.OWN_PROMPTS.check(len(options.prompt))
    _check_together(parser, options)
    options.samples = options.samples or SAMPLES
    options.heads = tuple(dict.fromkeys(options.heads or ()))
    return options


def _check_together(parser: command_line.Parser, options: argparse.Namespace) -> None:
    """Refuse what would be left aside without a word."""
    if options.offsets:
        for name in (
            "prompt", "prompts", "answer", "ready", "control", "html", "csv", "json", "attention",
            "roles", "token_by_token",
        ):  # fmt: skip
            if getattr(options, name):
                flag = name.replace("_", "-")
                parser.error(f"argument --{flag}: it has no use beside --offsets")
    elif options.samples:
        parser.error("argument --samples: it is for --offsets, which is missing")
    if options.answer and not options.prompt:
        parser.error("argument --answer: it is for --prompt, which is missing")
    files = {name: getattr(options, name) for name in ("html", "csv", "json")}
    for one, other in combinations([name for name, path in files.items() if path], 2):
        if files[one] == files[other] and not _is_device(files[one]):
            parser.error(f"--{one} and --{other} name the same file")


def position(text: str) -> int | str:
    """The type of the option that says where t is."""
    return text if text == ablation.many_prompts.RANDOM else command_line.whole(POSITIONS)(text)


def _is_device(path: Path) -> bool:
    return path.exists() and not path.is_file()


def watched(value: str) -> str:
    """The label of a head, or ``all``."""
    return value if value == "all" else command_line.head(value).label


def chosen_heads(options: argparse.Namespace, loaded: LoadedModel) -> tuple[Head, ...]:
    """The heads that were named, or all listed ones of the role.

    Raises:
        UnknownHeadError: if the model has no such head.
        NoHeadOfRoleError: if the stored analysis lists none for the role.
        HeadrolesError: if there is no analysis, or it is of other weights.
    """
    if options.heads:
        for head in options.heads:
            head.check(*loaded.shape)
        return options.heads
    entry = store.read_entry(loaded.key, given=options.model)
    store.contents.check_weights(entry, loaded.source, loaded.revision)
    category = entry.categories.get(options.role)
    if category is None or not category.top_heads:
        listed = [
            role.key
            for role in SCORED_ROLES
            if (own := entry.categories.get(role.key)) and own.top_heads
        ]
        raise NoHeadOfRoleError(options.role, model=loaded.key, listed=listed)
    return tuple(sorted(category.heads))


def chosen_prompts(options: argparse.Namespace) -> list[texts.ReadyPrompt]:
    """The prompts that were typed, those of the file and the ready ones; else the repetitions.

    Raises:
        HeadrolesError: if the file cannot be used.
    """
    own = [texts.ReadyPrompt("Own", prompt, options.answer) for prompt in options.prompt]
    if options.prompts:
        text = texts.read_text(options.prompts)
        read = texts.read_prompts(text, name=options.prompts.name)
        own += read.prompts
        if read.note:
            print(f"{options.prompts.name}: {read.note}", file=sys.stderr)
        limits.OWN_PROMPTS.check(len(own))
    kind = options.ready or (None if own else "Repetition")
    return own + [ready for ready in texts.READY if kind in (ready.kind, "all")]


def print_table(table: PromptTable) -> None:
    """Two lines per condition: what happens, and the watched token's own numbers."""
    print(f"\n{table.kind}: {table.prompt!r}\n  {export.watched(table)}")
    for row in table.rows:
        print(f"  {row.name:<44} {row.verdict}")
        print(f"  {'':<44} {_in_line(export.many_prompts.row_cells(row))}")


def print_summary(tables: Sequence[PromptTable]) -> None:
    """Every condition over all prompts, and what to conclude."""
    rows = ablation.many_prompts.summarise(tables)
    print(f"\nOver {count(len(tables), 'prompt')}:")
    for row in rows:
        print(f"  {row.name:<44} {_in_line(export.many_prompts.summary_cells(row))}")
    print(f"{export.many_prompts.about_summary(rows)}\n\n{ablation.many_prompts.headline(rows)}")


def _in_line(cells: dict[str, str]) -> str:
    return "; ".join(f"{name}: {value}" for name, value in cells.items())


def previous_token_test(
    loaded: LoadedModel, heads: Sequence[Head], options: argparse.Namespace
) -> None:
    """The profile of each head, one line per offset."""
    samples = ablation.offset_test.draw_samples(
        loaded, texts.SENTENCES, n=options.samples, offsets=options.offsets, seed=options.seed
    )
    for head in heads:
        others = ablation.offset_test.other_heads(
            head, num_heads=loaded.num_heads, most=4, seed=options.seed
        )
        measured = [
            ablation.offset_test.measure(
                loaded, sample, head, offsets=options.offsets, others=others
            )
            for sample in tqdm(samples, unit="sample", disable=None)
        ]
        summary = ablation.offset_test.profile(measured)
        print(f"\n{head.label}: peak at {summary.peak} back, n={summary.n}")
        for point in summary.points:
            other = "" if point.other is None else f"   others {point.other:+.4f} nats"
            print(
                f"  {point.offset:>2} back: carried {point.carried:+.4f} ± "
                f"{point.carried_error:.4f} nats{other}"
            )
        others_share = (
            "" if summary.other_redundancy is None else f", others {summary.other_redundancy:+.2f}"
        )
        print(f"  redundancy at 1: {summary.redundancy:+.2f} ± {summary.redundancy_error:.2f}"
              f"{others_share}")  # fmt: skip


# ------------------------------------------------------------------ what else a knock-out changes


def print_what_else(
    loaded: LoadedModel, encoding: Encoding, heads: Sequence[Head], options: argparse.Namespace
) -> dict[str, Rows]:
    """Print what else the heads' knock-out (to their mean) changes, beside random other heads.

    Returns:
        {what: every number of it}.
    """
    told: dict[str, Rows] = {}
    condition = ablation.Condition("to mean", (ablation.HeadOutput(tuple(heads), "mean"),))
    without = f"without {ablation.short_list(heads)}"
    others = ablation.random_others(
        condition,
        num_layers=loaded.num_layers,
        num_heads=loaded.num_heads,
        length=len(encoding.tokens),
        draws=options.control or DRAWS,
        seed=options.seed,
    ).conditions
    if options.token_by_token:
        told["token_by_token"] = print_tokens(loaded, encoding, [condition, *others], without)
    if options.attention or options.roles:
        t = ablation.many_prompts.place_of_t(encoding, options.position, seed=options.seed)
        untouched, after = ablation.looks(loaded, encoding, [UNTOUCHED, condition], position=t)
        draws = [
            look
            for other in others
            for look in ablation.looks(loaded, encoding, [other], position=t, untouched=untouched)
        ]
        runs = [untouched, after, *draws]
        if options.attention:
            told["attention"] = print_attention(runs, encoding, heads, options.attention, without)
        if options.roles:
            told["roles"] = print_roles(loaded, runs, encoding, heads, without, given=options.model)
    return told


def print_tokens(
    loaded: LoadedModel, encoding: Encoding, conditions: Sequence[Condition], without: str
) -> Rows:
    """A line per token."""
    clean, own, *others = (
        outcome.losses.tolist() for outcome in ablation.ablate(loaded, encoding, conditions)
    )
    of_prompt = token_by_token.lines(encoding, clean, own, others)
    if not of_prompt:
        print("  token by token: there is no token to guess")
        return []
    print(f"\n  token by token: {token_by_token.sentence(of_prompt, without)}")
    print_rows(token_by_token.HEADERS, token_by_token.table_rows(of_prompt))
    return token_by_token.file_rows(of_prompt)


def print_attention(
    runs: Sequence[Looks], encoding: Encoding, heads: Sequence[Head], asked: str, without: str
) -> Rows:
    """Where one head looks, or a sentence for each of those that change most."""
    before, after, *draws = runs
    since = after.condition.looks_from
    later = attention_shift.later_heads(before, since, heads)
    every = attention_shift.shifts(before, after, draws, later)
    watched = list(every.moved)[:MOST_SHOWN] if asked == "all" else [Head.parse(asked)]
    if not watched:
        print(f"\n  {attention_shift.nothing_later(after.condition.looks_from)}")
    labels = texts.token_labels(encoding.tokens)[: before.at.shape[-1]]
    found = []
    for head in watched:
        shift = attention_shift.shift(before, after, draws, head, every)
        said = attention_shift.shift_sentence(
            shift, labels, without, knocked_out=heads, since=since
        )
        print(f"\n  {said}")
        if asked != "all":
            print_rows(attention_shift.TOKEN_HEADERS, attention_shift.token_rows(shift, labels))
        found.append(shift)
    return attention_shift.token_file(found, labels)


def print_roles(
    loaded: LoadedModel,
    runs: Sequence[Looks],
    encoding: Encoding,
    heads: Sequence[Head],
    without: str,
    *,
    given: str,
) -> Rows:
    """The heads that gain or lose a role, by the stored thresholds or provisional ones."""
    before, after, *draws = runs
    later = attention_shift.later_heads(before, after.condition.looks_from, heads)
    if not later:
        print(f"\n  {attention_shift.nothing_later(after.condition.looks_from)}")
        return []
    try:
        thresholds = verdicts.thresholds_in(store.read_entry(loaded.key, given=given))
    except HeadrolesError:
        thresholds = verdicts.DEFAULT_THRESHOLDS
    changes = changed_roles.role_changes(
        before, after, draws, heads=later, thresholds=thresholds, num_tokens=len(encoding.tokens)
    )
    print(f"\n  {changed_roles.roles_sentence(changes, without, draws=len(draws))}")
    print_rows(changed_roles.ROLE_HEADERS, changed_roles.role_rows(changes))
    return changed_roles.role_file(changes)


def print_rows(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table in columns."""
    lines = [headers, *rows] if rows else []
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        print("    " + "  ".join(cells).rstrip())


# ------------------------------------------------------------------ all prompts


def knock_out(loaded: LoadedModel, heads: Sequence[Head], options: argparse.Namespace) -> None:
    """All prompts under all conditions, on the screen and in the files.

    Raises:
        HeadrolesError: if no prompt could be run.
    """
    settings = ablation.Settings(
        tuple(sorted(heads)), options.position, options.control, options.seed, options.top,
        named_at_t=bool(options.answer),
    )  # fmt: skip
    parts = []
    for ready in tqdm(chosen_prompts(options), unit="prompt", disable=None):
        parts.append(ablation.many_prompts.tabulate_prompt(loaded, ready, settings))
        if settings.draws:
            parts.append(ablation.many_prompts.draw_others(loaded, ready, settings))
    tables, left_out = ablation.many_prompts.assemble(parts)
    if not tables:
        raise left_out[0].error
    more: dict[str, Rows] = {}
    for table in tables:
        print_table(table)
        if options.token_by_token or options.attention or options.roles:
            told = print_what_else(loaded, table.encoding, heads, options)
            for name, rows in told.items():
                more.setdefault(name, []).extend({"prompt": table.prompt} | row for row in rows)
    for sentence in export.many_prompts.left_out_sentences(left_out):
        print(sentence, file=sys.stderr)
    print_summary(tables)
    _write_files(loaded, tables, left_out, settings, options, more)


def _write_files(
    loaded: LoadedModel,
    tables: Sequence[PromptTable],
    left_out: Sequence[LeftOut],
    settings: Settings,
    options: argparse.Namespace,
    more: Mapping[str, Rows],
) -> None:
    report = export.ablation_report
    asked = export.many_prompts.settings_of(settings)
    if more:
        asked["what_else_random_draws"] = options.control or DRAWS
    origin = report.provenance(loaded.key, revision=loaded.revision, **asked)
    note = export.many_prompts.doing(settings)
    made: dict[str, Callable[[], str]] = {
        "html": lambda: report.to_html(
            tables, model=loaded.key, note=note, left_out=left_out, provenance=origin
        ),
        "csv": lambda: report.to_csv(tables, provenance=origin),
        "json": lambda: export.many_prompts.to_json(
            report.table_rows(tables), tables, left_out, provenance=origin, what_else=more
        ),
    }
    for name, make in made.items():
        if path := getattr(options, name):
            write(path, make())
    if options.csv:
        for name, rows in more.items():
            write(_beside(options.csv, name), export.tables.heads_csv(rows, origin))


def _beside(path: Path, name: str) -> Path:
    """``table-roles.csv`` beside ``table.csv``; a device takes everything."""
    return path if _is_device(path) else path.with_stem(f"{path.stem}-{name.replace('_', '-')}")


def write(path: Path, text: str) -> None:
    """Write a file and say so.

    Raises:
        DiskError: if the disk does not take it.
    """
    command_line.write(path, text.encode())
    print(f"\nwrote {path}")


@command_line.command
def main(argv: Sequence[str] | None = None) -> int:
    """Knock the heads out and say what happens."""
    options = parse_arguments(argv)
    loaded = models.load_model(options.model)
    heads = chosen_heads(options, loaded)
    if options.attention and options.attention != "all":
        Head.parse(options.attention).check(*loaded.shape)
    if options.offsets:
        previous_token_test(loaded, heads, options)
    else:
        knock_out(loaded, heads, options)
    return command_line.DONE


if __name__ == "__main__":
    sys.exit(main())
