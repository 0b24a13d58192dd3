"""Tables of pages as data frames. The only module of this package that imports pandas."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

import pandas as pd

from headroles import detector
from headroles.formatting import decimal, signed
from headroles.roles import ROLES
from headroles.types import Head
from headroles.view import sequences
from headroles.view.by_prompt import in_a_row
from headroles.view.detection import marked_heads
from headroles.view.head_maps import in_a_line
from headroles.view.likeness import in_tenths
from headroles.view.map_marks import UP, USUAL, Marks, roles_marking

if TYPE_CHECKING:
    from pandas.io.formats.style import Styler

    from headroles.circuits import Composition, HeadSummary, KeyRow, PositionalTable
    from headroles.circuits.qk_ov import TokenValue
    from headroles.detector import Detection
    from headroles.detector.by_prompt import PromptScore
    from headroles.detector.recipe_scores import RecipeScores
    from headroles.roles import Role
    from headroles.verdicts.changing_patterns import ChangingPatterns
    from headroles.view.head_maps import ModelMap
    from headroles.view.head_numbers import HeadNumber
    from headroles.view.likeness import Compared
    from headroles.view.offset_profiles import Profiles

SHOWN = 4
"""Tokens of each list in the table; the whole lists stand below it."""


def with_minus(
    frame: pd.DataFrame, digits: Mapping[str, int], *, changes: Collection[str] = ()
) -> Styler:
    """A table whose numbers are written with so many decimals and a real minus sign.

    The numbers themselves stay, so that a column is sorted by them.

    Args:
        frame: the table.
        digits: {column: decimals}; other columns stay as they are.
        changes: those of these columns in which a plus is written, too.
    """
    write = {
        name: partial(signed if name in changes else decimal, digits=n)
        for name, n in digits.items()
    }
    return frame.style.format(write, na_rep="–")


def first_names(values: Sequence[TokenValue], names: Mapping[int, str]) -> str:
    """The first :data:`SHOWN` tokens of a list."""
    return "  ".join(names[value.token_id] for value in values[:SHOWN])


def key_rows(rows: tuple[KeyRow, ...], names: dict[int, str]) -> pd.DataFrame:
    """The table's rows, the lists cut after :data:`SHOWN` tokens."""
    return pd.DataFrame(
        {
            "key": [names[row.token_id] for row in rows],
            "importance": [row.importance for row in rows],
            "max QK": [row.max_qk for row in rows],
            "max OV": [row.max_ov for row in rows],
            "queries that want it": [first_names(row.by_strength, names) for row in rows],
            "promotes": [first_names(row.promoted, names) for row in rows],
            "suppresses": [first_names(row.suppressed, names) for row in rows],
        }
    )


def pairs(pairs: list[tuple[str, str, float]], composition: Composition) -> pd.DataFrame:
    """The pairs as a table, strongest first, at most 500."""
    most = pairs[:500]
    return pd.DataFrame(
        {
            "earlier head": [pair[0] for pair in most],
            "later head": [pair[1] for pair in most],
            "score": [pair[2] for pair in most],
            "above random": [pair[2] - composition.baseline for pair in most],
        }
    )


def offset_means(table: PositionalTable) -> pd.DataFrame:
    """Distance and mean score, the table twin of the strip."""
    offsets = table.offsets.tolist()
    rounded = [round(value, 2) for value in offsets]
    return pd.DataFrame({"tokens back": range(len(offsets)), "mean score": rounded})


def circuit_summaries(summaries: list[HeadSummary]) -> pd.DataFrame:
    """One row per head."""
    return pd.DataFrame(
        {
            "head": [summary.head.label for summary in summaries],
            "copying": [summary.copying for summary in summaries],
            "raises itself": [summary.copies for summary in summaries],
            "lowers itself": [summary.lowers for summary in summaries],
            "self-match": [summary.self_match for summary in summaries],
            "previous by position": [summary.previous for summary in summaries],
        }
    )


def every_head(model: ModelMap, places: list[int], marks: Marks = USUAL) -> pd.DataFrame:
    """The table's rows: the head, its layer, its roles, its number in every role and in `other`;
    with a reader's own marks also the roles on whose maps it is marked."""
    heads = [model.heads[place] for place in places]
    columns: dict[str, object] = {
        "head": [head.label for head in heads],
        "layer": [head.layer for head in heads],
        "roles": [_named(model, place) for place in places],
    }
    if marks.own:
        found = roles_marking(model, marks)
        columns["marked"] = [", ".join(found.get(place, ())) or "–" for place in places]
    if model.ablations:
        columns["ablation"] = [model.ablations.get(head) for head in heads]
    for key, role_map in model.roles.items():
        columns[key] = [role_map.records[place]["value"] for place in places]
        if key == "diffuse" and model.largest:
            columns["largest"] = [model.largest[head] for head in heads]
    for role, records in model.extended.items():
        columns[role.key] = [records[place]["value"] for place in places]
    columns["other"] = pd.array([model.other_score(place) for place in places], dtype="Float64")
    return pd.DataFrame(columns)


def offset_profiles(profiles: Profiles, heads: Sequence[Head]) -> pd.DataFrame:
    """One row per head: its best distance, and its share at every distance."""
    best = [profiles.best(head) for head in heads]
    columns: dict[str, object] = {
        "head": [head.label for head in heads],
        "layer": [head.layer for head in heads],
        "best distance": [one.distance for one in best],
        "share there": [one.share for one in best],
        "even spread": [one.chance for one in best],
    }
    for distance in profiles.distances:
        shares = [profiles.of(head).get(distance, (None, None))[0] for head in heads]
        columns[f"−{distance}"] = shares
    return pd.DataFrame(columns)


def ranking(detection: Detection, place: int, measure: str, marks: Marks = USUAL) -> pd.DataFrame:
    """The ranking by a measure: every head that was asked, those without a score last; with a
    reader's own marks also which heads these are on."""
    by = {name: detection.summary(place, name) for name in detector.MEASURES}
    order = by[measure].ranking()
    asked = [Head(*at) for at in detection.asked.nonzero().tolist()]
    ranked = [*order, *(head for head in asked if head not in set(order))]
    left = detector.kept_share(detection, place)
    marked = marked_heads(detection, place, measure, marks)
    columns: dict[str, object] = {
        "rank": [place + 1 if place < len(order) else None for place in range(len(ranked))],
        "head": [head.label for head in ranked],
        "score": [float(by[measure].mean[head]) for head in ranked],
        "error": [float(by[measure].error[head]) for head in ranked],
        "chance": [by[measure].chance] * len(ranked),
        "n": [int(by[measure].n[head]) for head in ranked],
    }
    for name in detector.MEASURES:
        if name != measure:
            columns[name] = [float(by[name].mean[head]) for head in ranked]
    columns["left"] = [float(left[head]) for head in ranked]
    if marks.own:
        columns["marked"] = [UP if head in marked else "–" for head in ranked]
    return pd.DataFrame(columns).astype({"rank": "Int64"})


def by_prompt(scores: Sequence[PromptScore], texts: Sequence[str], pattern: Role) -> pd.DataFrame:
    """One row per prompt: its number, score, chance, text, rows and tokens, the lowest first."""
    return pd.DataFrame(
        {
            "prompt": [one.place + 1 for one in scores],
            "score": [one.score for one in scores],
            "chance": [one.chance for one in scores],
            "text": [in_a_row(texts[one.place]) for one in scores],
            "clear": ["–" if not one.is_clear(pattern) else "yes" for one in scores],
            "rows": [one.rows for one in scores],
            "tokens": [one.tokens for one in scores],
        }
    )


def by_recipe(scores: RecipeScores) -> pd.DataFrame:
    """Every head by every recipe, the highest by ours first."""
    _recipes, layers, width = scores.mean.shape
    columns: dict[str, object] = {"head": [head.label for head in Head.every(layers, width)]}
    for recipe, values in zip(scores.recipes, scores.mean, strict=True):
        columns[recipe.name] = values.flatten().round(decimals=3).tolist()
    frame = pd.DataFrame(columns)
    return frame.sort_values(scores.recipes[0].name, ascending=False, ignore_index=True)


def typical_distances(found: ChangingPatterns) -> pd.DataFrame:
    """Every head's verdict and its distance at every period; those that follow come first."""
    order = {"follows": 0, "keeps": 1, "neither": 2}
    heads = sorted(
        found.verdicts,
        key=lambda head: (
            order[found.verdicts[head].kind],
            -min(typical.share for typical in found.shown(head).values()),
        ),
    )
    shown = [found.shown(head) for head in heads]
    columns: dict[str, object] = {
        "head": [head.label for head in heads],
        "verdict": [sequences.VERDICTS[found.verdicts[head].kind] for head in heads],
    }
    for period in found.periods:
        columns[f"period {period}"] = [by_period[period].distance for by_period in shown]
    columns["rows"] = [min(one.share for one in by_period.values()) for by_period in shown]
    columns["attention"] = [min(one.attention for one in by_period.values()) for by_period in shown]
    types = {f"period {period}": "Int64" for period in found.periods}
    return pd.DataFrame(columns).astype(types)


def heads_of(frame: pd.DataFrame) -> list[Head]:
    """[row] the heads of a ranking."""
    return [Head.parse(label) for label in frame["head"]]


def paint_grid(cells: Sequence[Sequence[float]], names: Sequence[str]) -> pd.DataFrame:
    """A grid to tick cells on: [query key] booleans, empty above the diagonal."""
    return pd.DataFrame(
        [[bool(v) if k <= q else None for k, v in enumerate(row)] for q, row in enumerate(cells)],
        columns=list(names),
        index=pd.Index(names, name="this token ↓  looks at →"),
    ).astype("boolean")


def _named(model: ModelMap, place: int) -> str:
    names = model.names_of(place)
    if not names and model.heads[place] not in model.other:
        return "–"
    return in_a_line(names)


def scatter_table(
    rows: Sequence[Mapping[str, object]], along: HeadNumber, up: HeadNumber
) -> pd.DataFrame:
    """Heads by two numbers, with the names that people read."""
    other = up.key if up.key != along.key else f"{up.key} (again)"
    frame = pd.DataFrame(rows)
    frame["role"] = [ROLES[key].name if key in ROLES else key for key in frame["role"]]
    again = up.name if up.name != along.name else f"{up.name} (again)"
    frame = frame.rename(columns={along.key: along.name, other: again, "label": "head "})
    return frame[["head ", along.name, again, "role"]].rename(columns={"head ": "head"})


def alike_heads(rows: Sequence[Mapping[str, object]], found: Compared) -> pd.DataFrame:
    """Heads by how alike they are, with the names that people read; shares in percent."""
    names = {"label": "head", "alike": "alike", "share_of_pairs_less_alike": "more than"}
    parts = {name: name.lower() for name in found.parts}
    frame = pd.DataFrame(rows)[[*names, "roles", *parts]]
    shares = ["alike", *parts] if found.is_share else []
    for name in shares:
        frame[name] = 100 * frame[name]
    below = "share_of_pairs_less_alike"
    frame[below] = [in_tenths(share) for share in frame[below]]
    return frame.rename(columns=names | parts | {"roles": "listed as"})
