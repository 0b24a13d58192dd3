"""One role of one stored analysis, its parts put together.

>>> stored = read_entry("demo").role("induction")  # doctest: +SKIP
>>> stored.score(stored.listed[0])  # doctest: +SKIP
0.97
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from headroles.roles import Role, cue, resting
from headroles.store.records import (
    Category,
    Control,
    KnockOut,
    Matrix,
    OffsetProfiles,
    RoleHints,
)
from headroles.types import Head


@dataclass(frozen=True)
class StoredRole:
    """What an entry says of one role."""

    role: Role
    """The role."""
    category: Category
    """How it was measured, or why not, and its list."""
    scores: list[list[float | None]]
    """[layer][head]; of ``other`` the largest on any basic role with cells; empty: not measured.
    None for a head that a list made elsewhere does not name, where that is all there is, and for
    one whose layer hides the role's places."""
    errors: list[list[float]] | None
    """[layer][head] standard errors; None where none were stored."""
    control: Control | None
    """Scores on the control texts; None where the role has none."""
    factors: dict[str, Matrix]
    """{what: [layer][head]} the factors of the score."""
    by_kind: dict[str, Matrix]
    """{kind of text: [layer][head]} the mean on each kind; empty where one kind was tried."""
    profile: OffsetProfiles | None
    """For a role whose heads each have a distance of their own."""
    hints: RoleHints | None = None
    """Prompts that wake its listed heads; None where none were tried."""

    @property
    def is_measured(self) -> bool:
        """Whether there are numbers."""
        return self.category.not_measured is None

    @property
    def known_heads(self) -> list[Head]:
        """The heads that have a score, layer by layer."""
        return [head for head in self.heads if self.score(head) is not None]

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

    def is_unseen(self, head: Head) -> bool:
        """Whether the head's layer hides the role's places: it has no score then."""
        return head.layer in (self.category.unseen_layers or ())

    def score(self, head: Head) -> float | None:
        """A head's score; None where a list that was made elsewhere does not hold it, or the head
        could not be measured."""
        return self.scores[head.layer][head.head]

    def error(self, head: Head) -> float | None:
        """Its standard error; None where none was stored."""
        if self.errors is None or self.is_unseen(head):
            return None
        return self.errors[head.layer][head.head]

    def on_kinds(self, head: Head) -> dict[str, float]:
        """{kind of text: mean} of a head."""
        if self.is_unseen(head):
            return {}
        return {kind: matrix[head.layer][head.head] for kind, matrix in self.by_kind.items()}

    def kind_error(self, head: Head) -> float | None:
        """How far a kind's mean typically lies from the score: the root of the mean square over
        kinds. None where one kind was tried.
        """
        apart = [mean - self.score(head) for mean in self.on_kinds(head).values()]
        return math.hypot(*apart) / math.sqrt(len(apart)) if apart else None

    def control_score(self, head: Head) -> float | None:
        """A head's score on the control texts; None without any."""
        if self.control is None or self.is_unseen(head):
            return None
        return self.control.scores[head.layer][head.head]

    def control_error(self, head: Head) -> float | None:
        """Its standard error; None where none was stored."""
        errors = self.control.standard_errors if self.control else None
        return None if errors is None or self.is_unseen(head) else errors[head.layer][head.head]

    def output_change(self, head: Head) -> float | None:
        """How much a head's output changes, where that was measured for the role (0 and up)."""
        change = self.factors.get(resting.OUTPUT_CHANGE)
        return None if change is None else change[head.layer][head.head]

    @property
    def has_second_witness(self) -> bool:
        """Whether the heads' outputs were measured too, and decide with the scores who fits."""
        return resting.OUTPUT_CHANGE in self.factors

    def goes_by_cue(self, head: Head) -> bool:
        """Whether a head's score falls without the role's cue, where the role asks for that."""
        score, control = self.score(head), self.control_score(head)
        if not self.role.needs_cue or score is None or control is None:
            return True
        return cue.goes_by_cue(score, control, self.category.chance or 0.0)

    @property
    def without_cue(self) -> frozenset[Head]:
        """The heads that do the same without the role's cue, whatever their score: they are active
        nowhere. None of a role that was not measured, or asks for no cue."""
        if not self.role.needs_cue or not self.is_measured:
            return frozenset()
        return frozenset(head for head in self.heads if not self.goes_by_cue(head))

    @property
    def strongest(self) -> Head:
        """The head with the score furthest on the role's side of zero, of those that go by its cue
        (where none does, of all)."""
        by_cue = [head for head in self.known_heads if self.goes_by_cue(head)]
        sign = self.role.sign or 1
        return max(by_cue or self.known_heads, key=lambda head: sign * self.score(head))

    def by_place(self, threshold: float) -> list[Head]:
        """The heads over a threshold that do the same without the role's cue, best first."""
        over = [head for head in self.known_heads if not self.goes_by_cue(head)]
        over = [head for head in over if self.score(head) >= threshold]
        return sorted(over, key=lambda head: -self.score(head))

    def fits(self, head: Head, threshold: float) -> bool:
        """Whether a head has the role: its score reaches a threshold on the role's side of zero,
        a role that needs a second witness has it, and one that needs its cue goes by it."""
        score = self.score(head)
        if score is None:
            return False
        if (self.role.sign or 1) * score < threshold or not self.goes_by_cue(head):
            return False
        return resting.hardly_changes(self.output_change(head))

    def distance(self, head: Head) -> int | None:
        """How far back a head's profile peaks; None for a role without profiles."""
        return None if self.profile is None else self.profile.peaks[head.layer][head.head]

    def knock_out(self, head: Head) -> KnockOut | None:
        """What knocking a listed head out did; None where that was not run."""
        return next((top.knock_out for top in self.category.top_heads if top.place == head), None)

    def rank(self, head: Head) -> int:
        """1 for the score furthest on the role's side of zero; equal scores share a rank."""
        sign, own = self.role.sign or 1, self.score(head)
        return 1 + sum(sign * self.score(other) > sign * own for other in self.known_heads)
