"""Kinds of tokens and proposed patterns as tables."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from headroles.types import Head

if TYPE_CHECKING:
    from headroles.store.token_kinds import KindTable, Proposals


def kind_rows(table: KindTable, heads: Iterable[Head]) -> list[dict[str, object]]:
    """One row per head and pair of kinds."""
    rows = []
    for head in heads:
        mean, even = table.of(head)
        for place, query in enumerate(table.queries):
            for column, key in enumerate(table.keys):
                rows.append(
                    {
                        "layer": head.layer,
                        "head": head.head,
                        "label": head.label,
                        "query_kind": query,
                        "key_kind": key,
                        "attention": mean[place][column] / 1000 if table.rows[place] else None,
                        "even_spread": even[place][column] / 1000 if table.rows[place] else None,
                        "tokens_that_look": table.rows[place],
                    }
                )
    return rows


def proposal_rows(found: Proposals, heads: Iterable[Head]) -> list[dict[str, object]]:
    """One row per head and proposed pattern."""
    return [
        {
            "layer": head.layer,
            "head": head.head,
            "label": head.label,
            "rank": rank,
            "expression": found.patterns[one.pattern],
            "share": one.share / 1000,
            "standard_error": None if one.error is None else one.error / 1000,
            "even_spread": one.chance / 1000,
            "gain": one.gain / 1000,
            "share_where_chosen": one.fit / 1000,
            "attention_that_does_not_rest": found.free[head.layer][head.head],
        }
        for head in heads
        for rank, one in enumerate(found.of(head), start=1)
    ]
