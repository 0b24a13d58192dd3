"""What a finished analysis says of one role, as the records of charts and tables. Pure.

>>> [row["label"] for row in head_records(entry, "induction") if row["active"]]  # doctest: +SKIP
['L2H3', 'L2H5']
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from headroles.roles import ROLES, SCORED_ROLES, KnownHead, named_heads
from headroles.types import Head
from headroles.view import causal
from headroles.view.html import count

if TYPE_CHECKING:
    from headroles.store import ModelEntry, TopHead


def head_records(entry: ModelEntry, key: str) -> list[dict[str, object]]:
    """One record a head for the map and the distribution of a role."""
    threshold = entry.categories[key].threshold
    listed = {Head(top.layer, top.head) for top in entry.categories[key].top_heads}
    errors = entry.standard_errors.get(key)
    records = []
    for layer, row in enumerate(scores_of(entry, key)):
        for number, value in enumerate(row):
            head = Head(layer, number)
            over = threshold is not None and value >= threshold
            error = f" ± {errors[layer][number]:.3f}" if errors else ""
            words = [f"{value:.3f}{error} of 1"]
            words += ["over the threshold"] if over else []
            words += ["listed"] if head in listed else []
            records.append(
                {
                    "layer": layer,
                    "head": number,
                    "label": head.label,
                    "value": value,
                    "active": over,
                    "listed": head in listed,
                    "shown": ", ".join(words),
                }
            )
    return records


def scores_of(entry: ModelEntry, key: str) -> list[list[float]]:
    """[layer][head] the scores of a role; of ``other`` the largest on any role with cells."""
    if ROLES[key].is_scored:
        return entry.all_scores[key]
    with_cells = [entry.all_scores[role.key] for role in SCORED_ROLES if role.has_cells]
    return [
        [max(matrix[layer][head] for matrix in with_cells) for head in range(entry.num_heads)]
        for layer in range(entry.num_layers)
    ]


def top_rows(entry: ModelEntry, key: str) -> list[list[str]]:
    """The table of a role's heads, best first: head, score, error, control if any, entered by,
    and what knocking it out showed, if that was tried."""

    def control(top: TopHead) -> list[str]:
        if key not in entry.controls:
            return []
        return ["–" if top.control is None else f"{top.control:.3f} of 1"]

    def proof(top: TopHead) -> list[str]:
        evidence = entry.causal.get(key)
        if evidence is None:
            return []
        found = evidence.of(top.layer, top.head)
        if found is None:
            return [causal.short("not_tested"), "–", "–"]
        numbers = [causal.change(found), causal.control(found)]
        return [causal.short(found.verdict), *numbers]

    return [
        [
            f"{place}. {Head(top.layer, top.head).label}",
            f"{top.score:.3f} of 1",
            f"± {top.standard_error:.3f}",
            *control(top),
            top.entered_by,
            *proof(top),
        ]
        for place, top in enumerate(entry.categories[key].top_heads, start=1)
    ]


def map_sentence(entry: ModelEntry, key: str) -> str:
    """The take-away of the map and of the distribution of a role."""
    records = head_records(entry, key)
    name, total = ROLES[key].name, len(records)
    best = max(records, key=lambda record: record["value"])
    if not ROLES[key].is_scored:
        listed = sum(record["listed"] for record in records)
        return f"{name}: {listed} of {count(total, 'head')} reach no role's threshold."
    over = sum(record["active"] for record in records)
    return (
        f"{name}: {over} of {count(total, 'head')} reach the threshold of "
        f"{entry.categories[key].threshold:.2f}; the highest is {best['label']} with "
        f"{best['value']:.2f} of 1."
    )


class Known(NamedTuple):
    """A head that a source names, beside what the analysis says of it."""

    known: KnownHead
    """What the source says."""
    score: float
    """0..1, the analysis' score of that head for that role."""
    listed: bool
    """Whether the analysis lists it."""


def known_in(entry: ModelEntry, basis: str) -> list[Known]:
    """The heads that sources name for this model, for scored roles, by one kind of evidence."""
    found = []
    for one in named_heads(entry.model_name):
        inside = one.head.layer < entry.num_layers and one.head.head < entry.num_heads
        if one.basis != basis or one.role not in entry.all_scores or not inside:
            continue
        listed = {Head(top.layer, top.head) for top in entry.categories[one.role].top_heads}
        score = entry.all_scores[one.role][one.head.layer][one.head.head]
        found.append(Known(one, score, one.head in listed))
    return found


def tally(found: list[Known]) -> tuple[int, int]:
    """How many are listed, out of how many; a head that two sources name counts once a role."""
    named = {(one.known.role, one.known.head): one.listed for one in found}
    return sum(named.values()), len(named)
