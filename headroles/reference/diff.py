"""What changes when a new analysis takes the place of the one that students see.

>>> compare(live, candidate).roles["induction"].entering  # doctest: +SKIP
(Head(layer=2, head=3),)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

from headroles.roles import BASIC_ROLES
from headroles.store import CausalHead, CausalRole, ModelEntry
from headroles.types import Head

MAX_CHANGES = 8
"""The number of largest score changes that are listed per role."""


class Move(NamedTuple):
    """A listed head that changes its place in the list."""

    head: Head
    """The head."""
    before: int
    """Its place in the live list; 1 is the top."""
    after: int
    """Its place in the candidate's list."""


class ScoreChange(NamedTuple):
    """One head's score, before and after."""

    head: Head
    """The head."""
    before: float
    """0..1, the live score."""
    after: float
    """0..1, the candidate's score."""
    standard_error: float
    """Of the difference: the root of the sum of both squared standard errors."""

    @property
    def change(self) -> float:
        """-1..1."""
        return self.after - self.before

    @property
    def is_clear(self) -> bool:
        """Whether it is more than two standard errors: less may be due to the choice of texts."""
        return abs(self.change) > 2 * self.standard_error


@dataclass(frozen=True)
class RoleChange:
    """How one role's list changes."""

    entering: tuple[Head, ...]
    """Heads that only the candidate lists, best first."""
    leaving: tuple[Head, ...]
    """Heads that only the live entry lists, best first."""
    moving: tuple[Move, ...]
    """Heads that overtake or are overtaken among the heads that both list."""
    thresholds: tuple[float | None, float | None]
    """Before and after; None where there is none."""
    scores: tuple[ScoreChange, ...]
    """The largest score changes of all heads, largest first; zero changes are left out."""

    @property
    def same_list(self) -> bool:
        """Whether students see the same heads in the same order."""
        return not (self.entering or self.leaving or self.moving)

    @property
    def nothing(self) -> bool:
        """Whether neither the list, nor the threshold, nor any score changes."""
        return self.same_list and not self.scores and self.thresholds[0] == self.thresholds[1]


PartChange = Literal["", "new", "other", "lists", "gone"]
"""What happens to a part of an entry that an analysis may leave out; empty: nothing.

``lists``: the numbers of every head that is in both are the same, as after a threshold was moved.
"""


def part_change(before: object, after: object) -> PartChange:
    """What happens when one part, which may be empty or None, replaces another.

    >>> part_change(None, {"successor": 1})
    'new'
    """
    if before == after or not (before or after):
        return ""
    if not before:
        return "new"
    return "other" if after else "gone"


@dataclass(frozen=True)
class Comparison:
    """A candidate beside what is live."""

    is_new: bool
    """Whether the model has no live entry yet."""
    comparable: bool
    """Whether both have the same layers and heads; otherwise no score can be compared."""
    roles: dict[str, RoleChange]
    """{role key: change}, in the order of the registry."""
    evidence: PartChange = ""
    """What happens to the evidence by ablation."""
    extended: PartChange = ""
    """What happens to the extended roles."""
    origin: Literal["", "measured", "elsewhere"] = ""
    """Which scores take the others' place: measured here, or made elsewhere; empty: both alike."""

    @property
    def nothing(self) -> bool:
        """Whether nothing that students see would change."""
        same_roles = all(change.nothing for change in self.roles.values())
        return same_roles and not (self.is_new or self.evidence or self.extended or self.origin)


def compare(live: ModelEntry | None, candidate: ModelEntry) -> Comparison:
    """Work out the changes that students would see.

    Args:
        live: the model's entry in the file, or None.
        candidate: the entry that would replace it.
    """
    comparable = live is not None and _shape(live) == _shape(candidate)
    is_clear = not (candidate.made_elsewhere or (live and live.made_elsewhere))  # errors are known
    return Comparison(
        is_new=live is None,
        comparable=comparable,
        roles={
            key: _role_change(key, live, candidate, with_scores=comparable and is_clear)
            for key in BASIC_ROLES
            if key in candidate.categories or (live and key in live.categories)
        },
        evidence=_evidence_change(live.causal if live else {}, candidate.causal),
        extended=part_change(live.extended if live else None, candidate.extended),
        origin=_origin(live, candidate),
    )


def _origin(live: ModelEntry | None, candidate: ModelEntry) -> Literal["", "measured", "elsewhere"]:
    if live is None or live.made_elsewhere == candidate.made_elsewhere:
        return ""
    return "elsewhere" if candidate.made_elsewhere else "measured"


def _evidence_change(
    before: Mapping[str, CausalRole], after: Mapping[str, CausalRole]
) -> PartChange:
    change = part_change(before, after)
    old, new = _knocked_out(before), _knocked_out(after)
    both = old.keys() & new.keys()
    if change == "other" and both and all(old[where] == new[where] for where in both):
        return "lists"
    return change


def _knocked_out(
    evidence: Mapping[str, CausalRole],
) -> dict[tuple[str, str, int, int], CausalHead]:
    """{(role key, texts, layer, head): what knocking it out changed}."""
    return {
        (key, place.measured_on, head.layer, head.head): head
        for key, role in evidence.items()
        for place in role.everywhere
        for head in place.heads
    }


def _shape(entry: ModelEntry) -> tuple[int, int]:
    return entry.num_layers, entry.num_heads


def _role_change(
    key: str, live: ModelEntry | None, candidate: ModelEntry, *, with_scores: bool
) -> RoleChange:
    old = live.categories.get(key) if live else None
    new = candidate.categories.get(key)
    before, after = (category.heads if category else [] for category in (old, new))
    return RoleChange(
        entering=tuple(head for head in after if head not in before),
        leaving=tuple(head for head in before if head not in after),
        moving=_moves(before, after),
        thresholds=(old.threshold if old else None, new.threshold if new else None),
        scores=_score_changes(key, live, candidate) if live and with_scores else (),
    )


def _moves(before: list[Head], after: list[Head]) -> tuple[Move, ...]:
    """Heads whose place among the heads of both lists changes.

    A head that only slides down because another entered above it has not moved.
    """
    stayed_before = [head for head in before if head in after]
    stayed_after = [head for head in after if head in before]
    return tuple(
        Move(head, before.index(head) + 1, after.index(head) + 1)
        for place, head in enumerate(stayed_after)
        if stayed_before[place] != head
    )


def _score_changes(key: str, live: ModelEntry, candidate: ModelEntry) -> tuple[ScoreChange, ...]:
    if key not in live.all_scores or key not in candidate.all_scores:  # `other` has no scores
        return ()
    changes = [
        ScoreChange(
            Head(layer, head),
            live.all_scores[key][layer][head],
            candidate.all_scores[key][layer][head],
            _joint_error(key, live, candidate, Head(layer, head)),
        )
        for layer in range(candidate.num_layers)
        for head in range(candidate.num_heads)
    ]
    changed = [change for change in changes if change.change]
    return tuple(sorted(changed, key=lambda change: -abs(change.change))[:MAX_CHANGES])


def _joint_error(key: str, live: ModelEntry, candidate: ModelEntry, head: Head) -> float:
    """Of a difference of two independent means; 0 for an entry that stores no standard errors."""
    errors = [entry.standard_errors.get(key) for entry in (live, candidate)]
    return sum(matrix[head.layer][head.head] ** 2 for matrix in errors if matrix) ** 0.5
