"""From one head to others: its neighbours, those sharing its keys and values, the next of its role;
and with which head, seen as which role, a close-up begins.

>>> neighbours(Head(0, 3), layers=2, heads=4).next.label
'L1H0'
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from headroles.errors import ShapeError, UnknownHeadError
from headroles.roles import ROLES, SCORED_ROLES, Role, get_role
from headroles.store import ModelEntry
from headroles.types import Head
from headroles.verdicts.head import kappa
from headroles.verdicts.prompt import active_heads
from headroles.verdicts.scores import PromptScores


def key_value_partners(head: Head, *, num_heads: int, num_kv_heads: int) -> list[Head]:
    """The other query heads that share a head's keys and values (grouped-query attention).

    Query head h uses the key/value head ``h // (num_heads / num_kv_heads)``, as transformers lays
    them out (Ainslie et al. 2023, arXiv 2305.13245). Empty where the model does not share.

    Raises:
        UnknownHeadError: if a layer has no such head.
        ShapeError: if the query heads do not divide evenly.
    """
    if not 0 <= head.head < num_heads:
        raise UnknownHeadError(head.label)
    if not 0 < num_kv_heads <= num_heads or num_heads % num_kv_heads:
        raise ShapeError(
            "The key/value heads", expected=f"a divisor of {num_heads}", got=num_kv_heads
        )
    size = num_heads // num_kv_heads
    first = head.head // size * size
    places = range(first, first + size)
    return [Head(head.layer, place) for place in places if place != head.head]


@dataclass(frozen=True)
class Neighbours:
    """The heads before and after a head, layer by layer."""

    previous: Head | None
    """None before the model's first head."""
    next: Head | None
    """None after its last head."""


def neighbours(head: Head, *, layers: int, heads: int) -> Neighbours:
    """The previous and the next head. There is none beyond the ends: a reader who steps through
    the model should notice the end instead of starting again.

    Raises:
        UnknownHeadError: if the model has no such head.
    """
    if not (0 <= head.layer < layers and 0 <= head.head < heads):
        raise UnknownHeadError(head.label, layers=layers, heads=heads)
    place = head.layer * heads + head.head

    def at(other: int) -> Head | None:
        return Head(*divmod(other, heads)) if 0 <= other < layers * heads else None

    return Neighbours(at(place - 1), at(place + 1))


def same_role(
    source: ModelEntry | PromptScores,
    role_key: str,
    *,
    head: Head | None = None,
    threshold: float | None = None,
) -> Head | None:
    """Another head of a role: the one after ``head``, the first one after the last.

    Args:
        source: a stored analysis, whose listed heads are visited in their order; or a prompt's
            scores, whose active heads are visited from the highest activation down.
        role_key: the role.
        head: where the reader is; from a head outside the role, the role's first head is next.
        threshold: with a prompt's scores, what it takes to be active.

    Returns:
        None where the role has no other head.

    Raises:
        UnknownRoleError: for an unknown role.
    """
    role = get_role(role_key)
    if isinstance(source, ModelEntry):
        heads = source.listed(role_key)
    else:
        heads = _active(source, role, threshold)
    if head not in heads:
        return heads[0] if heads else None
    following = heads[(heads.index(head) + 1) % len(heads)]
    return None if following == head else following


def _active(scores: PromptScores, role: Role, threshold: float | None) -> list[Head]:
    if not role.is_scored:
        return []
    activation = scores.activations[role.key]
    limit = role.default_threshold if threshold is None else threshold
    active = active_heads(
        role,
        activation,
        limit,
        num_tokens=scores.num_tokens,
        output_change=scores.output_change,
    )
    heads = [Head(*place) for place in active.nonzero().tolist()]
    return sorted(heads, key=lambda head: -float(activation.value[head]))


def first_head(scores: PromptScores, role_key: str, listed: Collection[Head] = ()) -> Head:
    """The head that a close-up opens with when nobody chose one.

    Args:
        scores: of the prompt.
        role_key: the role; induction stands in for one that has no number.
        listed: the heads that an analysis, or papers, name for the role; the one with the highest
            activation is taken. Without any, every head of the model counts.
    """
    values = scores.activations[role_key if ROLES[role_key].is_scored else "induction"].value
    if listed:
        return max(listed, key=lambda head: float(values[head]))
    return Head(*divmod(int(values.argmax()), values.shape[1]))


def clearest_role(scores: PromptScores, head: Head) -> str:
    """The key of the role that a head does most on a prompt.

    Resting only counts where it does nothing else: most heads rest beside their work.
    """
    of_head = {role.key: scores.activations[role.key].of(*head) for role in SCORED_ROLES}
    lifts = {
        key: kappa(ROLES[key], own.value, own.chance) for key, own in of_head.items() if own.rows
    }
    resting = lifts.pop("positional", 0.0)
    best = max(lifts, key=lifts.get, default="induction")
    return best if lifts.get(best, 0.0) >= min(ROLES[best].min_lift, resting) else "positional"
