"""What every head of a layer does on a prompt, in a few words each. Pure.

>>> notable(scores, thresholds, Head(1, 4)).words  # doctest: +SKIP
'induction 98%'
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from headroles import verdicts
from headroles.formatting import count, listing, percent
from headroles.roles import ROLES, SCORED_ROLES
from headroles.types import Head

if TYPE_CHECKING:
    from headroles.types import Verdict
    from headroles.verdicts import PromptScores

SHORT = {
    "previous_token": "previous",
    "induction": "induction",
    "duplicate_token": "duplicate",
    "positional": "rests",
    "diffuse": "diffuse",
}
"""{role: what stands above a small picture}."""
NOTHING = "something else"


class Notable(NamedTuple):
    """The role of a head that says most about it on a prompt."""

    head: Head
    role: str | None
    """The key of the role in which it is active; None where it is in none."""
    share: float
    """0..1, its activation in that role; 0 without one."""
    resting: float
    """0..1, its mean attention on the first token."""

    @property
    def words(self) -> str:
        """A few words for a small picture."""
        return NOTHING if self.role is None else f"{SHORT[self.role]} {percent(self.share)}"

    @property
    def is_busy(self) -> bool:
        """Whether it does something else than resting."""
        return self.role not in (None, "positional")

    @property
    def shown(self) -> str:
        """The same in a sentence's words."""
        name = "" if self.role is None else ROLES[self.role].name
        does = f"{name} {percent(self.share)}" if name else NOTHING
        return f"{does}; {percent(self.resting)} of its attention rests on the first token"


def notable(scores: PromptScores, thresholds: Mapping[str, float], head: Head) -> Notable:
    """Of the roles in which a head is active on a prompt, the one furthest over its chance; resting
    only where it does nothing else.

    Args:
        scores: of the prompt.
        thresholds: {role key: threshold}.
        head: the head.
    """
    active = [
        verdict
        for role in SCORED_ROLES
        if (verdict := verdicts.judge(head, role.key, scores, thresholds[role.key])).is_active
    ]
    best = max(active, key=_weight, default=None)
    resting = scores.resting_of(head)
    if best is None:
        return Notable(head, None, 0.0, resting)
    return Notable(head, best.role, best.activation.value, resting)


def _weight(verdict: Verdict) -> tuple[bool, float]:
    role, activation = ROLES[verdict.role], verdict.activation
    lift = verdicts.kappa(role, activation.value, activation.chance)
    return verdict.role != "positional", lift


def sentence(layer: int, layers: int, found: Sequence[Notable]) -> str:
    """How many heads of a layer are at work on the prompt, and on what."""
    busy = [one for one in found if one.is_busy]
    rest = [one for one in found if one.role == "positional"]
    other = len(found) - len(busy) - len(rest)
    roles: dict[str, list[str]] = {}
    for one in busy:
        roles.setdefault(ROLES[one.role].name, []).append(one.head.label)
    work = (
        f"{len(busy) or 'None'} of the {count(len(found), 'head')} of layer {layer} (0 to "
        f"{layers - 1}) {'does' if len(busy) == 1 else 'do'} the job of a basic role on this prompt"
    )
    named = listing([f"{', '.join(heads)} ({name})" for name, heads in roles.items()])
    rests = f"{count(len(rest), 'head')} {'rests' if len(rest) == 1 else 'rest'} on the first token"
    none = f"{count(other, 'head')} {'does' if other == 1 else 'do'} something else"
    also = listing([rests] * bool(rest) + [none] * bool(other))
    return f"{work}{f': {named}' if named else ''}.{f' {also}.' if also else ''}"
