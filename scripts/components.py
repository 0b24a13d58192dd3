"""List the components of weight matrices, remove some, and test what they do.

    python -m scripts.components list --matrix L0Q --prompt "The cat sat. The cat"
    python -m scripts.components remove "L0Q17, L0K3; L1V5 @ H2" --control 20
    python -m scripts.components test "L0Q17, L0K3" --heads L0H6 --svd
    python -m scripts.components circuit --components "L0Q17, L0K3"

L0Q17 is component 17 of layer 0's query matrix, all heads together; trained ones have importances.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Sequence
from typing import NamedTuple

from tqdm import tqdm

from headroles import ablation, circuits, export, limits, models, store, texts
from headroles.ablation import component_profiles, component_tests, induction_circuit
from headroles.circuits import SVD, TRAINED
from headroles.circuits.trained_components import ALIVE, Place
from headroles.errors import HeadrolesError
from headroles.export.documents import Document, Section, Table, Text
from headroles.formatting import columns, decimal, percent
from headroles.models import LoadedModel
from headroles.types import Component, ComponentSet, Head
from scripts import command_line
from scripts.command_line import MODEL

_MODEL = "attn-only-2l-tiny"
_OTHERS = 4
"""Random others of the previous-token test, at most."""
_MATRIX = re.compile(r"L?(\d{1,3})\s*([QKVO])", re.IGNORECASE)


class Found(NamedTuple):
    """What a subcommand has to say."""

    title: str
    """What it is."""
    sentences: tuple[str, ...]
    """How to read the table."""
    headers: tuple[str, ...]
    """The table on the screen."""
    cells: Sequence[tuple[str, ...]]
    """Its rows."""
    rows: list[dict[str, object]]
    """All numbers, for files."""
    settings: dict[str, object]
    """What was asked."""


def parse_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = command_line.parser("components", __doc__)
    what = parser.add_subparsers(dest="what", required=True, metavar="list|remove|test|circuit")
    parts = {
        "list": what.add_parser("list", help="the components of a matrix"),
        "remove": what.add_parser("remove", help="a prompt without some components"),
        "test": what.add_parser("test", help="what a set carries, and what repeats need of it"),
        "circuit": what.add_parser("circuit", help="what induction heads need"),
    }
    for part in parts.values():
        _add_common(part.add_argument)
    for name in ("list", "remove"):
        _add_prompt(parts[name].add_argument)
    for name in ("remove", "test", "circuit"):
        _add_control(parts[name].add_argument)
    for name in ("test", "circuit"):
        _add_repeats(parts[name].add_argument)
    add = parts["list"].add_argument
    add("--matrix", type=matrix, default=(0, "q"), help="layer and matrix, e.g. L0Q (default)")
    add("--top", type=command_line.whole(limits.ROWS), default=20, help="rows on the screen")
    for name in ("remove", "test"):
        parts[name].add_argument("sets", type=sets, help='sets, e.g. "L0Q17, L0K3; L1V5 @ H2"')
    add = parts["remove"].add_argument
    add("--answer", type=command_line.text(limits.ANSWER, empty=True), default="",
        help="the token that is watched; by default the model's own guess")  # fmt: skip
    add("--by-head", action="store_true", help="also in each head of the layers alone")
    add = parts["test"].add_argument
    add("--heads", type=command_line.heads, default=(), help="heads to test beside the sets")
    add("--svd", action="store_true", help="also as many components of the SVD, the nearest ones")
    add("--samples", type=command_line.whole(limits.SAMPLES), default=48,
        help="samples of the previous-token test")  # fmt: skip
    add = parts["circuit"].add_argument
    knocked = add.__self__.add_mutually_exclusive_group()
    knocked.add_argument("--components", type=sets, help="sets that are removed, one by one")
    knocked.add_argument("--heads", type=command_line.heads,
        help="heads at their mean; default: the previous-token heads")  # fmt: skip
    return parser.parse_args(argv)


def _add_common(add: Callable) -> None:
    add("--model", type=MODEL, default=_MODEL, help="catalogue key, folder or Hub id")
    add("--kind", choices=(TRAINED, SVD),
        help="which components; by default trained ones where there are some")  # fmt: skip
    for ending in ("csv", "json", "html"):
        add(f"--{ending}", type=command_line.output, help="write a table here")


def _add_prompt(add: Callable) -> None:
    add("--prompt", type=command_line.text(limits.PROMPT), default=texts.DEFAULT_PROMPT,
        help="the prompt")  # fmt: skip


def _add_control(add: Callable) -> None:
    add("--control", type=command_line.whole(limits.DRAWS), default=20,
        help="draws of random others to compare with (default 20)")  # fmt: skip
    add("--seed", type=command_line.whole(limits.SEED), default=0, help="fixes what is random")


def _add_repeats(add: Callable) -> None:
    add("--induction", type=command_line.heads,
        help="induction heads that are watched; default: those of the analysis")  # fmt: skip
    add("--texts", type=command_line.whole(limits.Range(2, 200)),
        default=induction_circuit.TEXTS, help="repeated sequences (default 16)")  # fmt: skip


def matrix(text: str) -> Place:
    """The type of an option that names a layer and a matrix."""
    match = _MATRIX.fullmatch(text.strip())
    if match is None:
        raise argparse.ArgumentTypeError(f"'{text}' is no layer and matrix, for example L0Q")
    return int(match[1]), match[2].lower()


def sets(text: str) -> tuple[ComponentSet, ...]:
    """The type of an option that names sets of components."""
    try:
        found = ComponentSet.parse_all(text)
        limits.SETS.check(len(found))
    except HeadrolesError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    if not found:
        raise argparse.ArgumentTypeError("it names no component")
    return found


def listed(loaded: LoadedModel, role: str) -> tuple[Head, ...]:
    """The heads that the analysis lists for a role, in order.

    Raises:
        HeadrolesError: if there is no analysis of these weights, or it lists none.
    """
    entry = store.read_entry(loaded.key)
    store.contents.check_weights(entry, loaded.source, loaded.revision)
    category = entry.categories.get(role)
    if category is None or not category.top_heads:
        raise HeadrolesError(
            f"The analysis of '{loaded.key}' lists no head for the role '{role}'.",
            hint="Name the heads yourself, for example L1H3.",
        )
    return tuple(sorted(category.heads))


# ------------------------------------------------------------------ list


def listing(loaded: LoadedModel, kind: str, options: argparse.Namespace) -> Found:
    """The components of one matrix: size, spread over the heads, importance on the prompt."""
    place = options.matrix
    circuits.check_components(loaded, kind, [Component(*place, 0)])
    encoding = texts.encode(loaded.tokenizer, options.prompt, max_tokens=loaded.max_tokens)
    of = component_profiles.matrix(loaded, kind, place)
    found = component_profiles.on_prompt(loaded, kind, place, encoding.token_ids)
    importance = None if found.importances is None else found.importances[1:]
    written = found.written[1:]
    numbers = written / written.sum(1, keepdim=True) if importance is None else importance
    squares, spread = of.sizes.double().square(), of.spread
    measure = "mean_importance" if importance is not None else "mean_share_written"
    is_shared = spread.shares.shape[1] < loaded.num_heads
    prefix = f"L{place[0]} K/V " if is_shared else f"L{place[0]}H"
    rows = []
    for number in numbers.mean(0).argsort(descending=True).tolist():
        most = int(numbers[:, number].argmax()) + 1
        own = spread.shares[number]
        rows.append(
            {
                "component": Component(*place, number).label,
                "share_of_squares": float(squares[number] / squares.sum()),
                "effective_heads": float(spread.effective_heads[number]),
                "largest_head": f"{prefix}{int(own.argmax())}",
                "largest_head_share": float(own.max()),
                measure: float(numbers[:, number].mean()),
                "largest": float(numbers[:, number].max()),
                "largest_at": most,
                "largest_on": encoding.tokens[most],
                "alive_on": None
                if importance is None
                else int((importance[:, number] > ALIVE).sum()),
                "flag": _flag(bool(of.null[number]), bool(of.degenerate[number])),
            }
        )
    return _listed(loaded, kind, options, rows, measure, tokens=len(written))


def _flag(is_null: bool, arbitrary: bool) -> str:
    return "rounding only" if is_null else "arbitrary direction" if arbitrary else ""


def _listed(
    loaded: LoadedModel, kind: str, options, rows: list[dict], measure: str, *, tokens: int
) -> Found:
    trained = measure == "mean_importance"
    what = "importance, 0 to 1" if trained else "share of what all components write"
    heads = "Heads" if options.matrix[1] in "qo" else "Key/value heads"
    cells = [
        (
            row["component"],
            percent(row["share_of_squares"]),
            f"{decimal(row['effective_heads'], digits=1)} (most: {row['largest_head']}, "
            f"{percent(row['largest_head_share'])})",
            decimal(row[measure], digits=3),
            f"{decimal(row['largest'])} at “{row['largest_on']}”",
            "–" if row["alive_on"] is None else f"{row['alive_on']} of {tokens}",
            row["flag"],
        )
        for row in rows[: options.top]
    ]
    named = f"{options.matrix[1].upper()} of layer {options.matrix[0]}"
    what_kind = export.component_tests.KINDS[kind]
    return Found(
        f"{what_kind[:1].upper()}{what_kind[1:]} of {named} in {loaded.key}",
        (
            f"{len(rows)} components, the most important on this prompt first: {what}, the start "
            "token left out. “Size”: squared, as a share of all of the matrix.",
        ),
        ("Component", "Size", heads, "Mean", "Largest", "Alive on", ""),
        cells,
        rows,
        {"matrix": named, "components": kind, "prompt": options.prompt},
    )


# ------------------------------------------------------------------ remove


def removed(loaded: LoadedModel, kind: str, options: argparse.Namespace) -> Found:
    """A prompt without each set, in all heads, and with ``--by-head`` in each head alone."""
    chosen = list(options.sets)
    if options.by_head:
        chosen += [
            each._replace(only_in=(head,))
            for each in options.sets
            if not each.only_in
            for head in Head.every(each.layers, loaded.num_heads)
        ]
    settings = ablation.Settings(
        (), -1, options.control, options.seed, sets=tuple(chosen), kind=kind, named_at_t=True
    )
    ready = texts.ReadyPrompt("Own", options.prompt, options.answer)
    parts = [ablation.many_prompts.tabulate_prompt(loaded, ready, settings)]
    if options.control:
        parts.append(ablation.many_prompts.draw_others(loaded, ready, settings))
    tables, left_out = ablation.many_prompts.assemble(parts)
    if left_out:
        raise left_out[0].error
    (table,) = tables
    rows = [export.many_prompts.row_cells(row) for row in table.rows]
    names = list(dict.fromkeys(name for row in rows for name in row))
    summary = ablation.many_prompts.summarise(tables)
    notes = {row.control: None for row in table.rows if row.control}
    return Found(
        f"A prompt without components of {loaded.key}",
        (
            export.watched(table),
            ablation.many_prompts.headline(summary),
            *(["Random others: " + " ".join(notes)] if notes else []),
        ),
        ("Run", *names, "What happens"),
        [
            (row.name, *(own.get(name, "–") for name in names), row.verdict)
            for row, own in zip(table.rows, rows, strict=True)
        ],
        export.ablation_report.table_rows(tables),
        export.many_prompts.settings_of(settings) | {"prompt": options.prompt},
    )


# ------------------------------------------------------------------ test, circuit


def tested(loaded: LoadedModel, kind: str, options: argparse.Namespace) -> Found:
    """The three tests of every set, of the SVD's nearest components, and of heads."""
    draw = {"draws": options.control, "seed": options.seed}
    subjects = [_of_set(loaded, each, kind, options) for each in options.sets]
    if options.svd and kind == TRAINED:
        nearest = [component_tests.nearest_svd(loaded, each) for each in options.sets]
        subjects += [component_tests.of_components(loaded, each, SVD, **draw) for each in nearest]
    watched = _watched(loaded, options)
    if options.heads:
        subjects.append(component_tests.of_heads(loaded, options.heads, **draw))
    rows = ablation.repeated_rows(loaded, n=options.texts, seed=options.seed)
    samples = ablation.draw_samples(
        loaded, texts.SENTENCES, n=options.samples, offsets=limits.OFFSETS.least, seed=options.seed
    )
    results = []
    with tqdm(total=len(subjects) * (len(rows) + len(samples)), disable=None) as bar:
        for subject in subjects:
            on_samples, on_rows = [], []
            for sample in samples:
                on_samples.append(
                    component_tests.carries(loaded, sample, subject, offsets=1, most=_OTHERS)
                )
                bar.update()
            for row in rows:
                on_rows.append(component_tests.on_repeats(loaded, row, subject, watched))
                bar.update()
            results.append(component_tests.combine(subject, on_samples, on_rows))
    return Found(
        f"What components of {loaded.key} do",
        (
            "“Carries”: nats of the prediction that come from the token before and go with the "
            "set; “share gone”: out of all of it. “Loss on repeats”: nats per token that a second "
            "copy of random tokens costs more. “Induction score”: with everything → without.",
            *(f"{one.name}: {one.control.note}" for one in subjects),
        ),
        export.component_tests.HEADERS,
        export.component_tests.cells(results),
        export.component_tests.rows(results),
        {"components": kind, "texts": options.texts, "samples": options.samples, **draw},
    )


def _watched(loaded: LoadedModel, options: argparse.Namespace) -> tuple[Head, ...]:
    """The induction heads whose scores are measured.

    Raises:
        UnknownHeadError: if the model lacks one.
    """
    watched = options.induction or listed(loaded, "induction")
    for head in watched:
        head.check(*loaded.shape)
    return watched


def _of_set(
    loaded: LoadedModel, each: ComponentSet, kind: str, options: argparse.Namespace
) -> component_tests.Subject:
    pool = ablation.reference_alive(loaded) if kind == TRAINED else None
    return component_tests.of_components(
        loaded, each, kind, pool=pool, draws=options.control, seed=options.seed
    )


def circuit(loaded: LoadedModel, kind: str, options: argparse.Namespace) -> Found:
    """How far induction heads fall without heads, or without sets of components."""
    watched = _watched(loaded, options)
    rows = ablation.repeated_rows(loaded, n=options.texts, seed=options.seed)
    drops, notes = {}, []
    if options.components:
        for each in options.components:
            subject = _of_set(loaded, each, kind, options)
            control, notes = subject.control.conditions, [*notes, subject.control.note]
            found = [
                induction_circuit.measure_under(
                    loaded, row, subject.condition, watched, control=control
                )
                for row in tqdm(rows, desc=subject.name, leave=False, disable=None)
            ]
            drops[subject.name] = induction_circuit.summarise(found, each.components)
    else:
        heads = options.heads or listed(loaded, "previous_token")
        for head in heads:
            head.check(*loaded.shape)
        found = [
            induction_circuit.measure(
                loaded, row, heads, watched, draws=options.control, seed=options.seed
            )
            for row in tqdm(rows, leave=False, disable=None)
        ]
        name = f"{', '.join(head.label for head in heads)} at their mean"
        drops[name] = induction_circuit.summarise(found, heads)
    return Found(
        f"Induction in two steps in {loaded.key}",
        (
            f"Induction scores on {options.texts} repeated random sequences: with everything → "
            "without, beside random others.",
            *notes,
        ),
        ("Without", "Induction score"),
        [(name, export.component_tests.drop(each)) for name, own in drops.items() for each in own],
        [
            {"without": name, **export.component_tests.drop_columns(each)}
            for name, own in drops.items()
            for each in own
        ],
        {
            **({"components": kind} if options.components else {}),
            "watched": " ".join(head.label for head in watched),
            "texts": options.texts,
            "control_draws": options.control,
            "seed": options.seed,
        },
    )


# ------------------------------------------------------------------ output


def as_html(found: Found, origin: dict[str, object]) -> str:
    """The table as one file."""
    table = Table(found.title, found.headers, tuple(found.cells))
    told = "; ".join(f"{name}: {value}" for name, value in origin.items())
    blocks = (*map(Text, found.sentences), table)
    document = Document(found.title, "", (), (Section("Table", blocks),), told)
    return export.document_html.to_html(document)


def write(found: Found, loaded: LoadedModel, options: argparse.Namespace) -> None:
    """The files that were asked for.

    Raises:
        DiskError: if the disk does not take them.
    """
    origin = export.ablation_report.provenance(
        loaded.key, revision=loaded.revision, **found.settings
    )
    made: dict[str, Callable[[], bytes]] = {
        "csv": lambda: export.csv_bytes(export.heads_csv(found.rows, origin)),
        "json": lambda: export.tables.heads_json(found.rows, origin, name="rows").encode(),
        "html": lambda: as_html(found, origin).encode(),
    }
    for name, make in made.items():
        if path := getattr(options, name):
            command_line.write(path, make())
            print(f"wrote {path}", file=sys.stderr)


DO = {"list": listing, "remove": removed, "test": tested, "circuit": circuit}


@command_line.command
def main(argv: Sequence[str] | None = None) -> int:
    """Make the table, print it and write the files."""
    options = parse_arguments(argv)
    loaded = models.load_model(options.model)
    kind = options.kind or circuits.kinds_of(loaded.key)[0]
    found = DO[options.what](loaded, kind, options)
    print("\n".join((found.title, *found.sentences, "", *columns(found.headers, found.cells))))
    write(found, loaded, options)
    return command_line.DONE


if __name__ == "__main__":
    sys.exit(main())
