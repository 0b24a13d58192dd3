"""An analysis held against the heads that papers name: precision, recall, and every head's rank.

For a role, let L be the heads that the analysis lists and P those that papers name for their
*pattern*, which is what the analysis looks at:

    precision = |L and P| / |L|        recall = |L and P| / |P|

A head that no paper names is not wrong for that, so precision is a lower bound: papers name only
the few that they study. Heads named for their *function*, their effect on the output, have a rank
too but count in neither number: they need not show the pattern. ``chance_recall`` is the recall
that as many heads drawn at random would have, |L| over all heads.

>>> compare(entry, named_heads("gpt2")).agreements["induction"].recall  # doctest: +SKIP
0.8
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from headroles.errors import UnknownHeadError
from headroles.roles import BASIC_ROLES, KnownHead
from headroles.store import ModelEntry
from headroles.types import Head


@dataclass(frozen=True)
class Agreement:
    """One role's list beside the heads that papers name for the role's pattern."""

    listed: frozenset[Head]
    """The heads that the analysis lists."""
    named: frozenset[Head]
    """Those that papers name for their pattern."""
    out_of: int
    """All heads of the model."""

    @property
    def both(self) -> frozenset[Head]:
        """The heads that are listed and named."""
        return self.listed & self.named

    @property
    def precision(self) -> float | None:
        """0..1, of the listed heads, how many are named; None where none is listed."""
        return len(self.both) / len(self.listed) if self.listed else None

    @property
    def recall(self) -> float | None:
        """0..1, of the named heads, how many are listed; None where none is named."""
        return len(self.both) / len(self.named) if self.named else None

    @property
    def chance_recall(self) -> float:
        """0..1, the recall of as many heads drawn at random."""
        return len(self.listed) / self.out_of


@dataclass(frozen=True)
class Placed:
    """One named head among all heads of the model."""

    known: KnownHead
    """What the source says."""
    score: float
    """0..1, its score for that role."""
    rank: int
    """1 for the highest score of the model; heads of the same score share the better rank."""
    is_over: bool
    """Whether it reaches the role's threshold."""
    is_listed: bool
    """Whether the analysis lists it."""


@dataclass(frozen=True)
class Comparison:
    """An analysis beside the papers."""

    agreements: dict[str, Agreement]
    """{role key: lists side by side} for the roles of which papers name heads by their pattern."""
    placed: tuple[Placed, ...]
    """Every named head of a scored role, in the order of the file."""
    out_of: int
    """All heads of the model."""


def compare(entry: ModelEntry, known: Sequence[KnownHead]) -> Comparison:
    """Hold an analysis against what papers name; roles that are not scored here are left out.

    Raises:
        UnknownHeadError: if a source names a head that the model does not have.
    """
    scored = [
        named_head
        for named_head in known
        if named_head.role in BASIC_ROLES and named_head.role in entry.all_scores
    ]
    for named_head in scored:
        if not (
            named_head.head.layer < entry.num_layers and named_head.head.head < entry.num_heads
        ):
            raise UnknownHeadError(
                named_head.head.label, layers=entry.num_layers, heads=entry.num_heads
            )
    total = entry.num_layers * entry.num_heads
    named: dict[str, set[Head]] = {}
    for named_head in scored:
        if named_head.basis == "pattern":
            named.setdefault(named_head.role, set()).add(named_head.head)
    return Comparison(
        agreements={
            role: Agreement(frozenset(entry.listed(role)), frozenset(heads), total)
            for role, heads in named.items()
        },
        placed=tuple(_place(entry, named_head) for named_head in scored),
        out_of=total,
    )


def _place(entry: ModelEntry, known: KnownHead) -> Placed:
    scores = entry.all_scores[known.role]
    score = scores[known.head.layer][known.head.head]
    category = entry.categories.get(known.role)
    threshold = category.threshold if category else None
    return Placed(
        known=known,
        score=score,
        rank=1 + sum(other > score for row in scores for other in row),
        is_over=threshold is not None and score >= threshold,
        is_listed=known.head in entry.listed(known.role),
    )
