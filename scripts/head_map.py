"""Every head of a model in every role: as measured beforehand, on a prompt, or place or content.

python -m scripts.head_map demo
python -m scripts.head_map demo "The cat sat on the mat. The cat sat on the" --out map.png
python -m scripts.head_map gpt2 --place-or-content --role previous_token --out place.svg
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from headroles import charts, export, models, roles, store, verdicts, view
from headroles.errors import HeadrolesError
from headroles.roles import ROLES
from headroles.types import Head
from headroles.view import head_maps, two_texts
from scripts import command_line, on_prompt
from scripts.on_prompt import OnPrompt, Output, Panel, Picture

if TYPE_CHECKING:
    from headroles.charts.drawing import Drawing
    from headroles.models import LoadedModel
    from headroles.store import ModelEntry
    from headroles.view import ModelMap, RoleMap

KEYS = [*(role.key for role in roles.SCORED_ROLES), *roles.EXTENDED_ROLES]
"""The roles that have a map."""
PANEL = 360
"""Pixels of a map that is one of several."""


def parse_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = command_line.parser("head_map", __doc__)
    add = parser.add_argument
    on_prompt.add_prompt(add, default=None)
    add("--role", action="append", choices=KEYS, default=[],
        help="only this role, in the picture as well; repeatable")  # fmt: skip
    add("--extended", action="store_true", help="the extended roles, too")
    add("--place-or-content", action="store_true",
        help="scores on sentences against those on random tokens")  # fmt: skip
    on_prompt.add_output(add)
    options = parser.parse_args(argv)
    if options.place_or_content and options.prompt is not None:
        parser.error("argument --place-or-content: it compares stored scores, not a prompt's")
    if options.chat and options.prompt is None:
        parser.error("argument --chat: it is for a prompt, which is missing")
    return options


def wanted(options: argparse.Namespace, key: str) -> bool:
    """Whether a role is shown."""
    if options.role:
        return key in options.role
    # What is no role of the registry is one that an instructor keeps for the class.
    return options.extended or key not in ROLES or ROLES[key].level == "basic"


# ------------------------------------------------------------------ maps


def of_prompt(on: OnPrompt, options: argparse.Namespace) -> Output:
    """Every head on a prompt."""
    papers = {key: [_head(row) for row in rows] for key, rows in on_prompt.literature(on).items()}
    model = head_maps.of_prompt(on.scores, on.thresholds, on.entry, papers=papers)
    maps = dict(model.roles)
    for key, stored in on.entry.extended.items() if on.entry else ():
        if wanted(options, key) and stored.is_measured and stored.role.from_attention:
            maps[key] = view.extended_roles.on_prompt(stored, on.run)
    rows = export.tables.map_rows(
        on.scores, on.run, entry=on.entry, thresholds=on.thresholds, extended=True
    )
    every = Head.every(*on.scores.resting.shape)
    rows += view.saved_roles.rows(on.kept_roles, on.run, on.scores, heads=every)
    return _output(on.title, model, maps, rows, on.origin, options, about=on.about)


def of_entry(entry: ModelEntry, options: argparse.Namespace) -> Output:
    """Every head as it was measured."""
    model = head_maps.of_entry(entry, verdicts.thresholds_in(entry))
    maps = dict(model.roles)
    for key, stored in entry.extended.items():
        if wanted(options, key) and stored.is_measured:
            maps[key] = head_maps.stored_map(stored)
    rows = export.tables.reference_rows(entry) + export.tables.extended_rows(entry)
    title, about = _measured(entry)
    origin = export.provenance.reference_provenance(entry)
    return _output(title, model, maps, rows, origin, options, about=about)


def _measured(entry: ModelEntry) -> tuple[str, str]:
    """What the numbers of an analysis are, for people, and under a picture."""
    name, day = entry.model_name, entry.analysis_date
    title = f"{models.name_of(name)}, as measured on many texts{f' on {day[:10]}' if day else ''}"
    return title, export.provenance.about_picture(name, analysed=day)


def _output(
    title: str,
    model: ModelMap,
    maps: Mapping[str, RoleMap],
    rows: Sequence[on_prompt.Row],
    origin: Mapping[str, object],
    options: argparse.Namespace,
    *,
    about: str,
) -> Output:
    shown = {key: role_map for key, role_map in maps.items() if wanted(options, key)}
    alone = next(iter(shown)) if len(shown) == 1 else None
    lines = [title, ""]
    if alone is None or alone in model.roles:
        lines += [view.map_conclusions.conclusion(model, alone), ""]
    for role_map in shown.values():
        lines += role_lines(role_map)
    if not options.role:
        other = model.other_map()
        lines += [f"{other.role.name}: {other.sentence}"]
        lines += [f"  {view.waking.names(sorted(model.other))}"] if model.other else []
    panels = [
        Panel(
            partial(_chart, role_map, small=alone is None),
            f"{role_map.role.name}. {role_map.sentence}",
            about,
        )
        for role_map in shown.values()
    ]
    picture = Picture(panels, PANEL if alone is None else None) if panels else None
    kept = [row for row in rows if wanted(options, str(row["role"]))]
    return Output("\n".join(lines).rstrip(), kept, origin, picture=picture)


def role_lines(role_map: RoleMap) -> list[str]:
    """A role: the sentence of its map, and the heads that have it, strongest first."""
    has = [
        record for record in role_map.records if record["active"] and record["value"] is not None
    ]
    has.sort(key=lambda record: -abs(record["value"]))
    why = f" {role_map.why_nobody}" if role_map.why_nobody else ""
    rows = [[str(record["label"]), str(record["shown"])] for record in has]
    head = f"{role_map.role.name}: {role_map.sentence}{why}"
    return [head, *(on_prompt.aligned(rows) if rows else []), ""]


def _chart(role_map: RoleMap, *, small: bool) -> Drawing:
    return charts.heads.head_map(
        role_map.records, charts.share_title(role_map.role), clickable=False, small=small
    )


def _head(row: Mapping[str, object]) -> Head:
    return Head(int(row["layer"]), int(row["head"]))


# ------------------------------------------------------------------ place or content


def place_or_content(entry: ModelEntry, options: argparse.Namespace) -> Output:
    """Every role that was measured on sentences and on random tokens.

    Raises:
        HeadrolesError: if none of the wanted roles was.
    """
    every = two_texts.two_texts(entry, verdicts.thresholds_in(entry), extended=True)
    by_role = {key: texts for key, texts in every.items() if wanted(options, key)}
    if not by_role:
        raise HeadrolesError(
            "None of these roles was measured on random tokens as well.",
            hint=f"Choose among {', '.join(every)}." if every else "Analyse the model again.",
        )
    title, about = _measured(entry)
    lines, panels = [title], []
    for texts in by_role.values():
        lines += ["", f"{texts.name}: {two_texts.two_texts_sentence(texts)}"]
        rows = [
            [head.label, *texts.pair(head), texts.verdict(head).sentence]
            for head in texts.heads
            if texts.verdict(head).kind != "neither"
        ]
        if rows:
            lines += on_prompt.aligned([["Head", *two_texts.HEADERS[1:]], *rows])
        panels += [
            Panel(partial(_place_chart, texts, which), f"{texts.name}: {words}", about)
            for which, words in _WHICH.items()
        ]
    text = "\n".join([*lines, "", two_texts.PLACE_OR_CONTENT_RULE])
    rows = two_texts.export_rows(by_role)
    origin = export.provenance.reference_provenance(entry)
    return Output(text, rows, origin, picture=Picture(panels, PANEL, columns=len(_WHICH)))


_WHICH = {
    "sentences": "on sentences",
    "random tokens": "on random tokens",
    "difference": "the difference",
}


def _place_chart(texts: two_texts.TwoTexts, which: str) -> Drawing:
    title = "both" if which == "difference" else charts.share_title(ROLES[texts.key])
    records = two_texts.two_texts_records(texts, which)
    return charts.heads.head_map(records, title, clickable=False, small=True)


# ------------------------------------------------------------------ the command


def stored(loaded: LoadedModel) -> ModelEntry:
    """The analysis of a model.

    Raises:
        CategoriesMissingError, CategoriesBrokenError: if there is none that can be used.
        OtherWeightsError: if it is one of other weights.
    """
    entry, _ = store.categories.good_entry(loaded.key)
    store.contents.check_weights(entry, loaded.source, loaded.revision)
    return entry


@command_line.command
def main(argv: Sequence[str] | None = None) -> int:
    """Make the map, print it and write it."""
    options = parse_arguments(argv)
    loaded = models.load_model(options.model)
    if options.prompt is not None:
        output = of_prompt(on_prompt.read(loaded, options.prompt, chat=options.chat), options)
    elif options.place_or_content:
        output = place_or_content(stored(loaded), options)
    else:
        output = of_entry(stored(loaded), options)
    return on_prompt.give(output, options)


if __name__ == "__main__":
    sys.exit(main())
