"""Kinds of tokens on real text: records and sentences about one head's table. Pure.

>>> kind_name("number", many=True)
'numbers'
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

from headroles.formatting import count
from headroles.texts import CLASSES
from headroles.types import Head

if TYPE_CHECKING:
    from headroles.store.token_kinds import KindTable

TITLE = "mean attention"
"""What a cell is."""
CLEAR_SHARE, CLEAR_GAIN = 0.1, 0.1
"""A pair stands out with at least so much attention, and so far from chance (0) to all (1)."""
FEWEST = 30
"""A kind with fewer tokens that look says little."""
HEADERS = ("From", "To", "Attention", "Spread evenly", "Tokens that look")
"""The columns of :func:`table_rows`."""


class Pair(NamedTuple):
    """One head, from one kind to another."""

    query: str
    """The kind that looks."""
    key: str
    """The kind that is looked at; ``itself`` for a token's look at itself."""
    mean: float
    """0..1, the attention."""
    even: float
    """0..1, the same spread evenly."""
    rows: int
    """Tokens that look."""

    @property
    def gain(self) -> float:
        """How far from chance (0) to all attention (1)."""
        return (self.mean - self.even) / (1 - self.even) if self.even < 1 else 0.0

    @property
    def is_clear(self) -> bool:
        """Whether the pair stands out."""
        return self.rows >= FEWEST and self.mean >= CLEAR_SHARE and self.gain >= CLEAR_GAIN


def kind_name(kind: str, *, many: bool = False, short: bool = False) -> str:
    """What people call a kind."""
    if kind == "itself":
        return "itself" if not many or short else "themselves"
    one = CLASSES[kind]
    return one.label if short else one.plural if many else one.name


def pairs(table: KindTable, head: Head) -> Iterator[Pair]:
    """All pairs of kinds of which the first occurs in the text."""
    mean, even = table.of(head)
    for query, rows, means, evens in zip(table.queries, table.rows, mean, even, strict=True):
        if rows:
            for key, share, chance in zip(table.keys, means, evens, strict=True):
                yield Pair(query, key, share / 1000, chance / 1000, rows)


def _percent(share: float) -> str:
    return "under 1%" if 0 < share < 0.005 else f"{share * 100:.0f}%"


def records(table: KindTable, head: Head) -> list[dict[str, object]]:
    """One record per pair, for the chart."""
    return [
        {
            "query": kind_name(pair.query, short=True),
            "key": kind_name(pair.key, short=True),
            "shade": pair.mean,
            "number": f"{pair.mean * 100:.0f}" if pair.mean >= 0.005 else "",
            "framed": pair.is_clear and pair.key != "start",
            "shown": f"{kind_name(pair.query, many=True)} → "
            f"{kind_name(pair.key, many=True)}: {_percent(pair.mean)} "
            f"({_percent(pair.even)} if spread evenly; {count(pair.rows, 'token')} that look)",
        }
        for pair in pairs(table, head)
    ]


def table_rows(table: KindTable, head: Head) -> list[list[str]]:
    """The pairs as a table, those that are furthest over an even spread first."""
    ranked = sorted(pairs(table, head), key=lambda pair: -pair.gain)
    return [
        [
            kind_name(pair.query, many=True),
            kind_name(pair.key, many=True),
            _percent(pair.mean),
            _percent(pair.even),
            f"{pair.rows:,}",
        ]
        for pair in ranked
        if pair.mean >= 0.005
    ]


def conclusion(table: KindTable, head: Head) -> str:
    """The pair that stands out most, weighed by how often it can occur; or that none does."""
    told = [pair for pair in pairs(table, head) if pair.key != "start"]
    clear = [pair for pair in told if pair.is_clear]
    if not clear:
        resting = rest(table, head)
        return (
            f"{head.label} looks at no kind of token much more than an even spread would; "
            f"{_percent(resting)} of its attention rests on the start token."
        )
    best = max(clear, key=lambda pair: pair.gain)
    said = f"{head.label}: {_says(best)}."
    others = [pair for pair in clear if pair.query != best.query]
    if others:
        kinds = len({pair.query for pair in others})
        more = "kind of token looks" if kinds == 1 else "kinds of tokens look"
        said += (
            f" {kinds} other {more} where an even spread would not; next, "
            f"{_says(max(others, key=lambda pair: pair.gain))}."
        )
    return said


def _says(pair: Pair) -> str:
    return (
        f"{kind_name(pair.query, many=True)} look at {kind_name(pair.key, many=True)} with "
        f"{_percent(pair.mean)} of their attention, {_percent(pair.even)} if spread evenly"
    )


def rest(table: KindTable, head: Head) -> float:
    """0..1, mean attention on the start token."""
    rows = [pair for pair in pairs(table, head) if pair.key == "start"]
    total = sum(pair.rows for pair in rows)
    return sum(pair.mean * pair.rows for pair in rows) / total if total else 0.0


def own_kind(table: KindTable, head: Head) -> str:
    """Do numbers look at numbers, and names at names?"""
    found: Mapping[str, Pair] = {
        pair.query: pair for pair in pairs(table, head) if pair.query == pair.key
    }
    parts = [
        f"{kind_name(kind, many=True)} at earlier {kind_name(kind, many=True)}: "
        f"{_percent(found[kind].mean)} ({_percent(found[kind].even)} if spread evenly)"
        for kind in ("number", "name", "function", "word")
        if kind in found and found[kind].rows >= FEWEST
    ]
    return f"Each kind at its own: {'; '.join(parts)}." if parts else ""


def best_heads(table: KindTable, query: str, key: str, *, most: int = 5) -> list[tuple[Head, Pair]]:
    """The heads that look most clearly from one kind at another, best first."""
    from_kind, to_kind = table.queries.index(query), table.keys.index(key)
    rows = table.rows[from_kind]
    found = []
    for layer, heads in enumerate(table.mean):
        even = table.even[layer if len(table.even) > 1 else 0][from_kind][to_kind] / 1000
        for number, means in enumerate(heads):
            pair = Pair(query, key, means[from_kind][to_kind] / 1000, even, rows)
            found.append((Head(layer, number), pair))
    return sorted(found, key=lambda one: -one[1].gain)[:most]
