"""Patterns that explain heads of *Other*, and from what kind of token to what kind heads look."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headroles.export.documents import Folded, Section, Table, Text
from headroles.formatting import count
from headroles.types import Head
from headroles.view import proposals, token_kinds

if TYPE_CHECKING:
    from headroles.store.token_kinds import KindTable, Proposals
    from headroles.view.report.gathering import Gathered


def sections(gathered: Gathered) -> list[Section]:
    """What is stored of both."""
    found = gathered.real_text
    parts = []
    if found.proposals is not None:
        parts.append(_proposed(gathered, found.proposals))
    if found.kinds is not None:
        parts.append(_kinds(gathered, found.kinds))
    return parts


def _proposed(gathered: Gathered, found: Proposals) -> Section:
    """The best simple pattern of every head that fits nothing, tested on other text."""
    title, anchor = "Proposed patterns for heads that fit nothing", "proposals"
    if not (found.held_out and found.chosen_on):
        words = "The text was one document, or nearly, so no pattern could be tested on another."
        return Section(title, (Text(words, "warning"),), anchor=anchor)
    others = gathered.entry.listed("other") or gathered.entry.heads
    rows = [
        (*row, found.patterns[found.of(Head.parse(row[0]))[0].pattern])
        for row in proposals.head_rows(found, others)
    ]
    table = Table(
        "The best pattern of each head", (*proposals.HEAD_HEADERS, "As an expression"), tuple(rows)
    )
    return Section(
        title,
        (
            Text(f"{proposals.measured_on(found)} {proposals.RULE}"),
            Text(proposals.count_sentence(found, others), "lead"),
            Folded(f"The best pattern of {count(len(rows), 'head')}", (table,)),
        ),
        anchor=anchor,
    )


def _kinds(gathered: Gathered, found: KindTable) -> Section:
    """For every head the pair of kinds that stands out most."""
    rows = tuple((head.label, token_kinds.conclusion(found, head)) for head in gathered.entry.heads)
    table = Table("What stands out most, head by head", ("Head", "From kind to kind"), rows)
    words = (
        "Tokens fall into kinds: numbers, names, punctuation and so on. Of every head, from which "
        "kind to which it looks most clearly more than an even spread."
    )
    return Section(
        "From kind to kind of token",
        (Text(words), Folded(f"All {count(len(rows), 'head')}", (table,))),
        anchor="kinds",
    )
