"""The report in a paragraph that a first-year student understands."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headroles.export.documents import Text
from headroles.formatting import count, listing
from headroles.roles import BASIC_ROLES
from headroles.view.report.missing import missing_items
from headroles.view.report.subject import size_words

if TYPE_CHECKING:
    from headroles.export.documents import Block
    from headroles.store import ModelEntry
    from headroles.view.head_maps import ModelMap
    from headroles.view.report.gathering import Gathered


def lead(gathered: Gathered) -> tuple[Block, ...]:
    """What the model is, what its heads do, what knocking them out showed, what is missing."""
    entry, model_map = gathered.entry, gathered.model_map
    words = [_what(gathered), _heads(model_map), _extended(entry), _evidence(entry)]
    gaps = len(missing_items(gathered))
    if gaps:
        words.append(
            f"What could not be measured or is not stored stands at the end "
            f"({count(gaps, 'point')})."
        )
    blocks: list[Block] = [Text(" ".join(filter(None, words)), "summary")]
    if gathered.backup_since:
        day = gathered.backup_since.date().isoformat()
        blocks.append(
            Text(
                "The file of reference scores is damaged. These numbers are from the last version "
                f"that was in order, live since {day}.",
                "warning",
            )
        )
    if gathered.other_weights:
        measured, here = gathered.other_weights
        blocks.append(
            Text(
                f"The scores were measured on other weights ({measured}) than those that lie on "
                f"this machine ({here}). They describe the former.",
                "warning",
            )
        )
    return tuple(blocks)


def _what(gathered: Gathered) -> str:
    entry = gathered.entry
    heads, size = entry.num_layers * entry.num_heads, size_words(gathered)
    layers = count(entry.num_layers, "layer")
    of = f"{layers} of {count(entry.num_heads, 'attention head')}"
    return (
        f"{gathered.name} is a language model{f' with {size}' if size else ''}: it guesses the "
        f"next token of a text. It has {of}, {heads:,} heads in all. At each token, an attention "
        "head looks back at earlier ones and passes on what it finds."
    )


def _heads(model_map: ModelMap) -> str:
    """How many heads have which basic role, and how many have none."""
    total = len(model_map.heads)
    parts = []
    for key in BASIC_ROLES:
        if key not in model_map.roles:
            continue
        number = sum(bool(one["active"]) for one in model_map.roles[key].records)
        if number:
            role = model_map.roles[key].role
            look = "looks" if number == 1 else "look"
            parts.append(f"{number:,} {look} at {role.looks_at} ({role.name})")
    if not parts:
        return f"None of the {total:,} heads reaches the threshold of a basic role."
    words = f"On many texts, of the {total:,} heads, {listing(parts)}; a head may do several."
    if not model_map.is_whole:
        return f"{words} Not every head’s score is known, so others may do so, too."
    none = len(model_map.other)
    return f"{words} {none:,} of {total:,} {'does' if none == 1 else 'do'} none of these."


def _extended(entry: ModelEntry) -> str:
    found = [
        f"{stored.role.name} ({len(stored.listed)})"
        for stored in entry.extended.values()
        if stored.is_measured and stored.listed
    ]
    if not found:
        return ""
    total = len(entry.extended)
    return (
        f"Of the {total} rarer roles that were looked for, {len(found)} "
        f"{'has' if len(found) == 1 else 'have'} heads here: {listing(found)}."
    )


def _evidence(entry: ModelEntry) -> str:
    """How many listed heads the model clearly misses, each alone and each on its own role."""
    tested: dict[tuple[str, int, int], set[str]] = {}
    for key, role in entry.causal.items():
        for one in role.everywhere:
            for head in one.heads:
                tested.setdefault((key, head.layer, head.head), set()).add(head.verdict)
    judged = {
        place: verdicts
        for place, verdicts in tested.items()
        if verdicts - {"cannot_tell", "not_tested"}
    }
    if not judged:
        return "" if entry.causal else "No head was knocked out to test these roles."
    holds = sum("holds_up" in verdicts for verdicts in judged.values())
    return (
        "As a test, listed heads were switched off one at a time: in "
        f"{holds} of {len(judged)} cases the model then guesses clearly worse, more than without "
        "random other heads."
    )
