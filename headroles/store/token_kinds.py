"""Parts of a pass over real text that are about kinds of tokens, and patterns that explain heads.

Shares are stored in thousandths: a file for hundreds of heads stays small.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from headroles.store.records import Record, Share
from headroles.types import Head

Count = Annotated[int, Field(ge=0)]
Mille = Annotated[int, Field(ge=0, le=1000)]
"""A share, in thousandths."""
Gain = Annotated[int, Field(le=1000)]
"""A share over chance, in thousandths; below 0 where it is under chance."""


class KindTable(Record):
    """Where the attention of every head goes, kind of token by kind of token."""

    queries: list[str]
    """The kinds of the tokens that look."""
    keys: list[str]
    """The kinds of the tokens that are looked at."""
    rows: list[Count]
    """[query kind] tokens of it that look."""
    even: list[list[list[Mille]]]
    """[layer][query kind][key kind] attention of a head that spreads evenly; one layer for all
    where all see every token so far."""
    mean: list[list[list[list[Mille]]]]
    """[layer][head][query kind][key kind] mean attention; 0 where no token of the kind looks."""

    @model_validator(mode="after")
    def _fits(self) -> KindTable:
        tables = [*self.even, *(table for heads in self.mean for table in heads)]
        for table in tables:
            if len(table) != len(self.queries) or any(len(row) != len(self.keys) for row in table):
                raise ValueError("a table is not of these kinds")
        if len(self.rows) != len(self.queries) or len(self.even) not in (1, len(self.mean)):
            raise ValueError("the rows or chance levels do not fit the table")
        return self

    def of(self, head: Head) -> tuple[list[list[Mille]], list[list[Mille]]]:
        """[query kind][key kind] a head's table and that of an even spread, in thousandths."""
        even = self.even[head.layer if len(self.even) > 1 else 0]
        return self.mean[head.layer][head.head], even


class Proposal(Record):
    """A pattern that explains some of what a head looks at."""

    pattern: Count
    """Its place in :attr:`Proposals.patterns`."""
    fit: Mille
    """The share of the attention that does not rest, on the texts by which it was chosen."""
    share: Mille
    """The same on the other texts."""
    error: Count | None = None
    """Standard error of ``share`` over groups of documents, in thousandths; None where there is one
    group only."""
    chance: Mille
    """``share`` of a head that spreads evenly over all tokens but the first."""
    gain: Gain
    """(share - chance) / (1 - chance)."""


class Proposals(Record):
    """Simple patterns for every head, the best first."""

    tried: Count
    """Patterns among which the best were chosen, unions not counted."""
    chosen_on: Count
    """Tokens of the texts by which they were chosen."""
    held_out: Count
    """Tokens of the other texts."""
    patterns: list[str]
    """Expressions of the detector lab."""
    free: list[list[Share]]
    """[layer][head] the share of attention that does not rest on the first token."""
    heads: list[list[list[Proposal]]]
    """[layer][head] the best few, best first."""

    @model_validator(mode="after")
    def _fits(self) -> Proposals:
        for heads in self.heads:
            for best in heads:
                if any(one.pattern >= len(self.patterns) for one in best):
                    raise ValueError("a proposal names no pattern")
        if [len(row) for row in self.free] != [len(row) for row in self.heads]:
            raise ValueError("the shares are not of these heads")
        return self

    def of(self, head: Head) -> list[Proposal]:
        """A head's proposals, best first."""
        return self.heads[head.layer][head.head]
