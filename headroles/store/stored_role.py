"""One role of one stored analysis, its parts put together.

>>> stored = read_entry("demo").role("induction")  # doctest: +SKIP
>>> stored.score(stored.listed[0])  # doctest: +SKIP
0.97
"""

from __future__ import annotations

from dataclasses import dataclass

from headroles.roles import Role
from headroles.store.records import Category, Control, KnockOut, Matrix, OffsetProfiles
from headroles.types import Head


@dataclass(frozen=True)
class StoredRole:
    """What an entry says of one role."""

    role: Role
    """The role."""
    category: Category
    """How it was measured, or why not, and its list."""
    scores: Matrix
    """[layer][head]; of ``other`` the largest on any basic role with cells; empty: not measured."""
    errors: list[list[float]] | None
    """[layer][head] standard errors; None where none were stored."""
    control: Control | None
    """Scores on the control texts; None where the role has none."""
    factors: dict[str, Matrix]
    """{what: [layer][head]} the factors of the score."""
    profile: OffsetProfiles | None
    """For a role whose heads each have a distance of their own."""

    @property
    def is_measured(self) -> bool:
        """Whether there are numbers."""
        return self.category.not_measured is None

    @property
    def heads(self) -> list[Head]:
        """Every head, layer by layer; none where the role was not measured."""
        rows = enumerate(self.scores)
        return [Head(layer, place) for layer, row in rows for place in range(len(row))]

    @property
    def listed(self) -> list[Head]:
        """The heads that the role lists, best first."""
        return self.category.heads

    @property
    def limit(self) -> float | None:
        """What a score must reach, with the role's sign; None without a threshold."""
        threshold = self.category.threshold
        return None if threshold is None else (self.role.sign or 1) * threshold

    def score(self, head: Head) -> float:
        """A head's score."""
        return self.scores[head.layer][head.head]

    def error(self, head: Head) -> float | None:
        """Its standard error; None where none was stored."""
        return None if self.errors is None else self.errors[head.layer][head.head]

    def control_score(self, head: Head) -> float | None:
        """A head's score on the control texts; None without any."""
        return None if self.control is None else self.control.scores[head.layer][head.head]

    def control_error(self, head: Head) -> float | None:
        """Its standard error; None where none was stored."""
        errors = self.control.standard_errors if self.control else None
        return None if errors is None else errors[head.layer][head.head]

    def distance(self, head: Head) -> int | None:
        """How far back a head's profile peaks; None for a role without profiles."""
        return None if self.profile is None else self.profile.peaks[head.layer][head.head]

    def knock_out(self, head: Head) -> KnockOut | None:
        """What knocking a listed head out did; None where that was not run."""
        return next((top.knock_out for top in self.category.top_heads if top.place == head), None)

    def rank(self, head: Head) -> int:
        """1 for the score furthest on the role's side of zero; equal scores share a rank."""
        sign, own = self.role.sign or 1, self.score(head)
        return 1 + sum(sign * other > sign * own for row in self.scores for other in row)
