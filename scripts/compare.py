"""Compare what heads do: on two prompts, or in two models on the same prompt.

python -m scripts.compare demo "The cat sat. The cat" --second-prompt "The cat sat. A dog"
python -m scripts.compare demo "one two one two one" --second-model gpt2 --out both.csv
python -m scripts.compare demo --second-prompt "The cat." --role induction --out bars.png
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from headroles import charts, export, limits, models, roles, verdicts, view
from headroles.errors import HeadrolesError
from headroles.formatting import percent, quoted
from headroles.view import head_maps, role_cards, two_prompts
from scripts import command_line, on_prompt
from scripts.on_prompt import OnPrompt, Output, Panel, Picture, Row

if TYPE_CHECKING:
    from headroles.charts.drawing import Drawing
    from headroles.view import RolePair

KEYS = [role.key for role in roles.SCORED_ROLES]
PANEL = 460
"""Pixels of a chart that is one of several."""


def parse_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = command_line.parser("compare", __doc__)
    add = parser.add_argument
    on_prompt.add_prompt(add)
    other = parser.add_mutually_exclusive_group(required=True)
    other.add_argument(
        "--second-prompt", type=command_line.text(limits.PROMPT), metavar="TEXT",
        help="the same model on this one",
    )  # fmt: skip
    other.add_argument(
        "--second-model", type=command_line.MODEL, metavar="MODEL", help="this one on the prompt"
    )
    add("--role", action="append", choices=KEYS, default=[],
        help="only this role, in the picture as well; repeatable")  # fmt: skip
    add("--all-heads", action="store_true",
        help="every head in the table, and not the listed ones alone")  # fmt: skip
    on_prompt.add_output(add)
    return parser.parse_args(argv)


def _wanted(options: argparse.Namespace) -> list[str]:
    return options.role or KEYS


# ------------------------------------------------------------------ two prompts


def of_prompts(first: OnPrompt, second: OnPrompt, options: argparse.Namespace) -> Output:
    """The same heads on two prompts."""
    origin = export.provenance.of_both(first.origin, second.origin)
    wanted = _wanted(options)
    if first.entry is None:
        counts = [view.lamps.active_counts(on.scores, on.thresholds) for on in (first, second)]
        words = view.lamps.overall_of_all(counts, first.scores.resting.numel())
        pairs: list[RolePair] = []
    else:
        cards = [
            role_cards.role_cards(verdicts.summarize(on.entry, on.scores), on.entry)
            for on in (first, second)
        ]
        pairs = two_prompts.role_pairs(*cards)
        words = two_prompts.summary(pairs)
        pairs = [pair for pair in pairs if pair.role.key in wanted]
    lines = [f"1: {first.title}", f"2: {second.title}", "", words]
    for pair in pairs:
        lines += ["", *pair_lines(pair)]
    lines += ["", *_guesses(first, second, ("on the first", "on the second"))]
    every = options.all_heads or first.entry is None
    rows = _every_head(first, second, wanted) if every else view.export_rows(pairs)
    about = export.provenance.about_picture(
        first.run.model_name, prompt=first.run.prompt, chat=options.chat
    )
    about += f" · second prompt: {on_prompt.shown(second.run.prompt)}"
    panels = [
        Panel(partial(_bars, pair), f"{pair.role.name}: {pair.headline}", about)
        for pair in pairs
        if pair.heads
    ]
    picture = Picture(panels, PANEL if len(panels) > 1 else None) if panels else None
    return Output("\n".join(lines), rows, origin, picture=picture)


def pair_lines(pair: RolePair) -> list[str]:
    """A role on two prompts, as the page's card says it."""
    lines = [f"{two_prompts.MARKS[pair.turn]}  {pair.role.name}: {pair.headline}"]
    lines += [f"  {reason}" for reason in two_prompts.reasons(pair)]
    if pair.heads:
        headers = ["Head", "1: first", "2: second", "Change"]
        lines += on_prompt.aligned([headers, *two_prompts.table_rows(pair)])
        lines.append(f"  {two_prompts.levels(pair)}")
    return lines


def _bars(pair: RolePair) -> Drawing:
    return charts.two_prompts.paired_bars(two_prompts.bar_records(pair), pair.role)


def _every_head(first: OnPrompt, second: OnPrompt, wanted: Sequence[str]) -> list[Row]:
    """Every head in every wanted role on both, in the columns of the listed heads' table."""
    sides = [
        export.tables.prompt_rows(on.scores, thresholds=on.thresholds, entry=on.entry)
        for on in (first, second)
    ]
    rows = []
    for one, other in zip(*sides, strict=True):
        if one["role"] not in wanted:
            continue
        row = {name: one[name] for name in ("role", "layer", "head", "label", "threshold")}
        for name, side in (("first", one), ("second", other)):
            for key in ("activation_score", "chance", "needed", "rows", "state"):
                row[f"{name}_{key}"] = side[key]
        rows.append({**row, "listed": one["listed"]})
    return rows


# ------------------------------------------------------------------ two models


def of_models(first: OnPrompt, second: OnPrompt, options: argparse.Namespace) -> Output:
    """Two models on the same prompt, role by role."""
    sides = [
        view.two_models.side(
            models.name_of(on.run.model_name).partition(" (")[0],
            on.scores,
            entry=on.entry,
            thresholds=on.thresholds,
            guesses=on.run.next_tokens,
        )
        for on in (first, second)
    ]
    names = [side.name for side in sides]
    wanted = [work.role.key in _wanted(options) for work in sides[0].works]
    table = [
        row for row, shown in zip(view.two_models.table_rows(*sides), wanted, strict=True) if shown
    ]
    lines = [first.title, second.title, "", view.two_models.summary(*sides), ""]
    lines += on_prompt.aligned([["Role", *names], *table])
    if said := view.two_models.without_analysis(*sides):
        lines += ["", said]
    lines += ["", *on_prompt.aligned([["Next", *names], *view.two_models.guess_rows(*sides)])]
    rows = [
        {"model": on.run.model_name, **row}
        for on in (first, second)
        for row in _rows(on, every=options.all_heads)
        if not options.role or row["role"] in options.role
    ]
    origin = export.provenance.of_both(first.origin, second.origin)
    return Output("\n".join(lines), rows, origin, picture=_maps((first, second), options))


def _rows(on: OnPrompt, *, every: bool) -> list[Row]:
    if every:
        return export.tables.prompt_rows(on.scores, thresholds=on.thresholds, entry=on.entry)
    return export.tables.listed_rows(on.scores, entry=on.entry, thresholds=on.thresholds)


def _maps(both: Sequence[OnPrompt], options: argparse.Namespace) -> Picture:
    """The maps of both models beside each other, a row of them per role."""
    maps = [head_maps.of_prompt(on.scores, on.thresholds, on.entry) for on in both]
    panels = [
        Panel(
            partial(_map, model, key),
            f"{model.roles[key].role.name}. {model.roles[key].sentence}",
            on.about,
        )
        for key in _wanted(options)
        for on, model in zip(both, maps, strict=True)
    ]
    return Picture(panels, PANEL)


def _map(model: head_maps.ModelMap, key: str) -> Drawing:
    role_map = model.roles[key]
    return charts.heads.head_map(
        role_map.records, charts.share_title(role_map.role), clickable=False, small=True
    )


def _guesses(first: OnPrompt, second: OnPrompt, where: Sequence[str]) -> list[str]:
    """What the model expects next on either prompt."""
    said = [
        f"{quoted(on.run.next_tokens[0].text)} {which} "
        f"({percent(on.run.next_tokens[0].probability)})"
        for on, which in zip((first, second), where, strict=True)
    ]
    return [f"The model expects {said[0]} and {said[1]} prompt."]


# ------------------------------------------------------------------ the command


@command_line.command
def main(argv: Sequence[str] | None = None) -> int:
    """Run both sides and compare them."""
    options = parse_arguments(argv)
    loaded = models.load_model(options.model)
    first = on_prompt.read(loaded, options.prompt, chat=options.chat)
    if options.second_prompt is not None:
        second = on_prompt.read(loaded, options.second_prompt, chat=options.chat)
        return on_prompt.give(of_prompts(first, second, options), options)
    if models.same_model(options.second_model) == models.same_model(options.model):
        raise HeadrolesError(
            f"The second model is “{options.model}”, too.",
            hint="Name another one, or compare two prompts: --second-prompt.",
        )
    del loaded  # two models need not be in memory together
    second = on_prompt.read(
        models.load_model(options.second_model), options.prompt, chat=options.chat
    )
    return on_prompt.give(of_models(first, second, options), options)


if __name__ == "__main__":
    sys.exit(main())
