"""Tables of pages as data frames. The only module of this package that imports pandas."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

import pandas as pd

from headroles import detector
from headroles.formatting import decimal, signed
from headroles.types import Head
from headroles.view.head_maps import in_a_line

if TYPE_CHECKING:
    from pandas.io.formats.style import Styler

    from headroles.circuits import Composition, HeadSummary, KeyRow, PositionalTable
    from headroles.circuits.qk_ov import TokenValue
    from headroles.detector import Detection
    from headroles.view.head_maps import ModelMap

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


def every_head(model: ModelMap, places: list[int]) -> pd.DataFrame:
    """The table's rows: the head, its layer, its roles, its number in every role and in `other`."""
    heads = [model.heads[place] for place in places]
    columns: dict[str, object] = {
        "head": [head.label for head in heads],
        "layer": [head.layer for head in heads],
        "roles": [_named(model, place) for place in places],
    }
    if model.ablations:
        columns["ablation"] = [model.ablations.get(head) for head in heads]
    for key, role_map in model.roles.items():
        columns[key] = [role_map.records[place]["value"] for place in places]
    for role, records in model.extended.items():
        columns[role.key] = [records[place]["value"] for place in places]
    columns["other"] = pd.array([model.other_score(place) for place in places], dtype="Float64")
    return pd.DataFrame(columns)


def ranking(detection: Detection, place: int, measure: str) -> pd.DataFrame:
    """The ranking by a measure: every head that was asked, those without a score last."""
    by = {name: detection.summary(place, name) for name in detector.MEASURES}
    order = by[measure].ranking()
    asked = [Head(*at) for at in detection.asked.nonzero().tolist()]
    ranked = [*order, *(head for head in asked if head not in set(order))]
    left = detector.kept_share(detection, place)
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
    return pd.DataFrame(columns).astype({"rank": "Int64"})


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
