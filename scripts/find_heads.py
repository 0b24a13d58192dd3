"""Find heads: those that are like one, all of them by two numbers, or a role's place in all models.

    python -m scripts.find_heads demo --like L1H4
    python -m scripts.find_heads smollm2-135m-instruct --like L18H7 --by weights --out alike.csv
    python -m scripts.find_heads demo --like L1H4 --other-model attn-only-2l-tiny
    python -m scripts.find_heads demo --scatter previous_token induction --out scatter.png
    python -m scripts.find_heads --depth induction --out depth.svg

It prints what the page *Find heads* says. Without any of these it lists the numbers that a scatter
of the model can have.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from headroles import (
    attribution,
    capture,
    charts,
    circuits,
    corpus,
    export,
    limits,
    models,
    roles,
    store,
    texts,
    view,
)
from headroles.errors import HeadrolesError, near_match
from headroles.roles import LOGITS, ROLES
from headroles.types import Head
from scripts import command_line, on_prompt
from scripts.on_prompt import Output, Panel, Picture

if TYPE_CHECKING:
    from headroles.charts.drawing import Drawing
    from headroles.models import LoadedModel
    from headroles.store import ModelEntry
    from headroles.view.head_numbers import HeadNumber
    from headroles.view.likeness import Compared

DEPTHS = [*(role.key for role in roles.SCORED_ROLES), *roles.EXTENDED_ROLES]
"""The roles that heads have scores of."""
PAIRS = 1_000
"""Pairs of heads whose weights say what is usual."""
AT_ONCE = 4
"""Beginnings of passages that run together."""


def parse_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = command_line.parser("find_heads", __doc__)
    add = parser.add_argument
    add("model", nargs="?", type=command_line.MODEL, default=models.DEFAULT_MODEL,
        help="catalogue key, folder or Hub id")  # fmt: skip
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--like", type=command_line.head, metavar="HEAD",
                      help="list the heads that are most like this one, e.g. L1H4")  # fmt: skip
    what.add_argument("--scatter", nargs=2, metavar=("ALONG", "UP"),
                      help="all heads by two numbers, e.g. previous_token induction")  # fmt: skip
    what.add_argument("--depth", choices=DEPTHS, metavar="ROLE",
                      help="where a role sits in every analysed model")  # fmt: skip
    add("--by", choices=tuple(view.likeness.WAYS), default="profile",
        help="alike in what: attention profile, the same cells (pattern), weights, or what they "
        "write (default: profile)")  # fmt: skip
    add("--other-model", type=command_line.MODEL, metavar="MODEL",
        help="look among this model's heads; by profile only")  # fmt: skip
    add("--prompt", type=command_line.text(limits.PROMPT), default=texts.DEFAULT_PROMPT,
        help="the text of numbers that end in .prompt")  # fmt: skip
    add("--top", type=command_line.whole(limits.LISTED_HEADS), default=10,
        help="how many heads are printed (default 10); files hold all")  # fmt: skip
    add("--by-role", action="store_true", help="shapes and colours of a scatter stand for roles")
    on_prompt.add_output(add)
    options = parser.parse_args(argv)
    if options.other_model and options.by != "profile":
        parser.error("argument --other-model: heads of two models are compared by profile only")
    if options.other_model and options.like is None:
        parser.error("argument --other-model: it needs --like")
    return options


# ------------------------------------------------------------------ heads like one


def like(loaded: LoadedModel, options: argparse.Namespace) -> Output:
    """The heads that are most like one.

    Raises:
        HeadrolesError: if the head is not there, or a model cannot be read in this way.
    """
    head = options.like
    head.check(*loaded.shape)
    other = models.load_model(options.other_model) if options.other_model else None
    found = _compared(loaded, head, options.by, other)
    there = other or loaded
    names = (models.name_of(loaded.key), models.name_of(there.key))
    said = view.likeness.conclusion(found, names=names)
    entry = on_prompt.analysis(there)
    labels = view.contribution_records.roles_of(entry)
    rows = view.likeness.rows(found, roles=labels)
    lines = [said, view.likeness.usual_sentence(found)]
    lines += [f"Read: {found.on}."] if found.on else []
    lines += ["", *_table(found, rows[: options.top])] if rows else []
    origin = export.provenance.origin(loaded.key) | view.likeness.about(
        found, other=other.key if other else None
    )
    origin["revision"] = loaded.revision
    about = export.provenance.about_picture(there.key)
    picture = Picture([Panel(partial(_map, found), said, about)])
    return Output("\n".join(lines), rows, origin, picture=picture)


def _table(found: Compared, rows: Sequence[on_prompt.Row]) -> list[str]:
    lines = [["", "alike", "more than", *map(str.lower, found.parts), "listed as"]]
    lines += [
        [
            str(row["label"]),
            found.shown(row["alike"]),
            view.likeness.more_than(row["share_of_pairs_less_alike"]),
            *(found.shown(row[name]) for name in found.parts),
            str(row["roles"]) or "–",
        ]
        for row in rows
    ]
    return on_prompt.aligned(lines)


def _map(found: Compared) -> Drawing:
    return charts.heads.head_map(view.likeness.map_records(found), "alike", clickable=False)


def _compared(loaded: LoadedModel, head: Head, way: str, other: LoadedModel | None) -> Compared:
    shape = tuple(loaded.shape)
    if way == "weights":
        return _by_weights(loaded, head)
    source = _source(loaded, *([other] if other else []))
    if way == "writes":
        read = corpus.likeness.sample(loaded.tokenizer, source, max_tokens=loaded.max_tokens)
        written = _written(loaded, [one.token_ids for one in read.encodings])
        on = f"{len(written):,} places in {texts.SOURCES[source].name}"
        cosines = attribution.outputs.alike(written)
        return view.likeness.by_cosines(way, head, cosines, shape, on=on)
    sums = _read(loaded, source)
    record = sums.profiles.record()
    on = f"{record.rows:,} tokens of {texts.SOURCES[source].name}"
    if way == "pattern":
        return view.likeness.by_cosines(way, head, sums.products.likeness(), shape, on=on)
    there = None if other is None else _read(other, source).profiles.record()
    return view.likeness.by_profile(head, record, there, on=on)


def _source(*every: LoadedModel) -> str:
    """The text that all of these models can read."""
    known = models.known_models()
    stories = any(one.key in known and known[one.key].stories for one in every)
    return "stories" if stories else "manual"


def _read(loaded: LoadedModel, source: str) -> corpus.likeness.Sums:
    shape = tuple(loaded.shape)
    read = corpus.likeness.sample(loaded.tokenizer, source, max_tokens=loaded.max_tokens)
    steps = corpus.likeness.steps(read, shape)
    parts = []
    with command_line.bar(f"reading with {loaded.key}") as tell:
        for done, rows in enumerate(steps, start=1):
            run = partial(capture.each_layer, loaded)
            parts.append(corpus.likeness.Sums.read(read, shape, run, rows))
            tell(done, len(steps))
    return corpus.likeness.Sums.joined(parts)


def _written(loaded: LoadedModel, token_ids: Sequence[Sequence[int]]) -> object:
    rows = sorted(attribution.outputs.beginnings(token_ids), key=len)
    parts = []
    with command_line.bar("what heads write") as tell:
        for start in range(0, len(rows), AT_ONCE):
            parts.append(attribution.outputs.outputs(loaded, rows[start : start + AT_ONCE]))
            tell(min(start + AT_ONCE, len(rows)), len(rows))
    return attribution.outputs.joined(parts)


def _by_weights(loaded: LoadedModel, head: Head) -> Compared:
    heads = Head.every(*loaded.shape)
    found = circuits.likeness.likeness(loaded, head, heads)
    drawn = circuits.likeness.random_pairs(heads, PAIRS)
    usual = circuits.likeness.of_pairs(loaded, drawn)
    return view.likeness.by_weights(head, tuple(loaded.shape), [found], [usual] if drawn else [])


# ------------------------------------------------------------------ two numbers


def numbers(
    model: str, entry: ModelEntry | None, *, revision: str | None = None
) -> dict[str, HeadNumber]:
    """{key: number} of a model's heads; those that must be computed have no values yet.

    Args:
        model: its key.
        entry: its analysis.
        revision: of the weights that a stored pass over real text must be of; None takes any.
    """
    known = view.head_numbers.of_entry(entry) if entry is not None else {}
    known |= view.head_numbers.prompt_names()
    record = store.read_real_text(model, revision=revision)
    if record is not None:
        known |= view.head_numbers.of_real_text(record)
    return known | view.head_numbers.circuit_names()


def filled(number: HeadNumber, loaded: LoadedModel, prompt: str) -> HeadNumber:
    """A number with its values.

    Raises:
        HeadrolesError: if the prompt cannot be run, or the weights cannot be read.
    """
    if number.values:
        return number
    if number.key.endswith(view.head_numbers.PROMPT):
        on = on_prompt.read(loaded, prompt)
        return view.head_numbers.of_prompt(on.scores)[number.key]
    heads = Head.every(*loaded.shape)
    copying, matching = [], []
    with command_line.bar("heads") as tell:
        for done, head in enumerate(heads, start=1):
            factors = circuits.head_factors(loaded, head, circuits.CircuitSettings())
            copying.append(circuits.summary.copying_score(factors))
            matching.append(circuits.summary.self_match(factors))
            tell(done, len(heads))
    return view.head_numbers.of_circuits(copying, matching)[number.key]


def chosen(loaded: LoadedModel, entry: ModelEntry | None, options: argparse.Namespace) -> list:
    """The two numbers with their values.

    Raises:
        HeadrolesError: if the model has no such number, or it cannot be computed.
    """
    known = numbers(loaded.key, entry, revision=loaded.revision)
    for key in options.scatter:
        if key not in known:
            raise HeadrolesError(
                f"The heads of {loaded.key} have no number '{key}'.{near_match(key, known)}",
                hint=f"python -m scripts.find_heads {loaded.key} lists the numbers.",
                value=key,
            )
    return [filled(known[key], loaded, options.prompt) for key in options.scatter]


def scatter(loaded: LoadedModel, options: argparse.Namespace) -> Output:
    """All heads by two numbers.

    Raises:
        HeadrolesError: if the model has no such number, or it cannot be computed.
    """
    entry = on_prompt.analysis(loaded)
    along, up = chosen(loaded, entry, options)
    roles_of = view.scatter.main_roles(entry)
    heads, layers = Head.every(*loaded.shape), loaded.num_layers
    records = view.scatter.points(heads, along, up, roles=roles_of, layers=layers)
    said = view.scatter.correlation_sentence(along, up)
    rows = view.scatter.rows(records, along, up)
    shown = {record["label"]: str(record["shown"]) for record in records}
    lines = [f"{number.name} ({number.key}): {number.about}." for number in (along, up)]
    lines += [said, ""]
    if rows:
        top = rows[: options.top]
        lines += on_prompt.aligned([[str(row["label"]), shown[row["label"]]] for row in top])
    origin = export.provenance.origin(loaded.key) | view.scatter.about(along, up)
    origin["revision"] = loaded.revision
    if any(key.endswith(view.head_numbers.PROMPT) for key in options.scatter):
        origin["prompt"] = options.prompt
    draw = partial(
        charts.scatter.scatter,
        records,
        names=(along.name, up.name),
        shares=(along.is_share, up.is_share),
        thresholds=(along.threshold, up.threshold),
        by_role=options.by_role,
        clickable=False,
    )
    about = export.provenance.about_picture(loaded.key)
    picture = Picture([Panel(draw, f"{up.name} against {along.name}. {said}", about)])
    return Output("\n".join(lines).rstrip(), rows, origin, picture=picture)


def listing(model: str) -> Output:
    """The numbers that the heads of a model have."""
    try:
        entry, _ = store.categories.good_entry(model)
    except HeadrolesError as error:
        on_prompt.warn([str(error)])
        entry = None
    known = numbers(model, entry)
    lines = [[number.key, number.name, number.about] for number in known.values()]
    rows = [{"number": key, "name": name, "about": about} for key, name, about in lines]
    said = f"The numbers of the heads of {models.name_of(model)}, for --scatter:"
    text = "\n".join([said, "", *on_prompt.aligned(lines)])
    return Output(text, rows, export.provenance.origin(model))


# ------------------------------------------------------------------ across models


def depth(options: argparse.Namespace) -> Output:
    """Where a role sits in every analysed model.

    Raises:
        HeadrolesError: if no model has scores of it.
    """
    role = ROLES[options.depth]
    entries = {
        key: entry
        for key, entry in store.categories.read_all().items()
        if view.depth.has_scores(entry, role.key)
    }
    found = [
        best
        for key, entry in entries.items()
        for best in view.depth.by_layer(entry, role.key, name=models.name_of(key))
    ]
    if not found:
        raise HeadrolesError(
            f"No analysed model has a score for the role {role.name}.",
            hint="Analyse one: python -m scripts.analyze_heads --model demo",
        )
    said = view.depth.sentence(found, role)
    headers, lines = view.depth.table(found, role, entries=entries)
    origin = export.provenance.origin(", ".join(entries)) | view.depth.about(role)
    origin["revisions"] = {key: entry.revision for key, entry in entries.items()}
    drawn = [one for one in found if one.model in list(entries)[: len(charts.depth.LOOKS)]]
    draw = partial(
        charts.depth.by_depth,
        view.depth.records(drawn, role),
        title=charts.share_title(role),
        share=role.unit != LOGITS,
        clickable=False,
    )
    text = "\n".join([said, "", *on_prompt.aligned([headers, *lines])])
    rows = view.depth.rows(found, role)
    return Output(text, rows, origin, picture=Picture([Panel(draw, said)]))


@command_line.command
def main(argv: Sequence[str] | None = None) -> int:
    """Find heads, and print or write them."""
    options = parse_arguments(argv)
    if options.depth:
        return on_prompt.give(depth(options), options)
    if options.like is None and options.scatter is None:
        return on_prompt.give(listing(options.model), options)
    loaded = models.load_model(options.model)
    make = scatter if options.scatter else like
    return on_prompt.give(make(loaded, options), options)


if __name__ == "__main__":
    raise SystemExit(main())
