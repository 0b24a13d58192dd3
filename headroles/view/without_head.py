"""What happens to an answer without one head, and which other head takes over. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from headroles.formatting import ordinal, percent, quoted, signed, told_apart
from headroles.types import Head

if TYPE_CHECKING:
    from headroles.attribution import Contributions

LITTLE = 0.05
"""Logits: less than this is next to nothing (it changes odds by 5 %)."""
LESS_SURE = 0.29
"""Nats of a probability, or logits: a quarter less likely."""
HALF = 0.5
"""Of what is lost with a head: a head that brings back so much takes over."""
KEPT = 0.75
"""Of a lead: with so much of it, a token keeps it; with less than half, it loses much of it."""


@dataclass(frozen=True)
class Standing:
    """How the model itself sees the token that is watched."""

    rank: int
    """1.., its place among all tokens."""
    probability: float
    """0..1."""
    vocabulary: int
    """Count of tokens."""
    guess: str
    """The model's first guess, as text."""


@dataclass(frozen=True, eq=False)
class Without:
    """The same prompt with one head's output at its mean."""

    head: Head
    """The head that was knocked out."""
    standing: Standing
    """How the model sees the token now."""
    parts: Contributions
    """What the parts contribute now."""
    held: tuple[Standing, Contributions] | None = None
    """The same with the head that :func:`riser` finds held at its untouched output, too."""


class Taker(NamedTuple):
    """The head whose contribution rises most when another is knocked out."""

    head: Head
    """The head."""
    before: float
    """Logits, its contribution in the untouched run."""
    after: float
    """Logits, its contribution in the run without the other."""


def value_of(parts: Contributions, head: Head) -> float:
    """What a head wrote, in logits."""
    return float(parts.heads[head.layer, head.head])


def taker(before: Contributions, without: Without) -> Taker | None:
    """The head that takes over for one that is knocked out; None where none does.

    That is the :func:`riser`, if it is because of it that no more is lost: with the riser held at
    its untouched output as well, the token loses at least :data:`LESS_SURE` more, of its
    log-probability or of the difference of two logits.
    """
    if without.held is None:
        return None
    standing, parts = without.held
    if before.target.against_id is None:
        cost = _log(without.standing.probability) - _log(standing.probability)
    else:
        cost = without.parts.logit - parts.logit
    return riser(before, without) if cost >= LESS_SURE else None


def _log(probability: float) -> float:
    return math.log(max(probability, 1e-45))  # it may have underflowed


def riser(before: Contributions, without: Without) -> Taker | None:
    """The head that writes more where another is knocked out; None where none does.

    Only heads of later layers can answer. What each of them wrote is first corrected for the final
    norm, which divides by another number in the other run: the parts that the knock-out cannot
    reach (the embedding, and whatever stands before the head) tell by how much. It is the head
    whose contribution then rises most, if that makes up for at least half of what the head that was
    knocked out contributes less. A loss that would hardly show is nothing to make up for: it has to
    be worth a quarter of the token's odds, or of its lead over the other token.
    """
    head, after = without.head, without.parts
    lost = value_of(before, head) - value_of(after, head)
    lead = 0.0 if before.target.against_id is None else abs(before.logit)
    if lost < max(LESS_SURE, (1 - KEPT) * lead) or head.layer + 1 >= len(before.heads):
        return None
    same = _of_norm(before, after, head)
    rises = after.heads.double() / same - before.heads.double()
    later = rises[head.layer + 1 :]
    place = int(later.argmax())
    if float(later.flatten()[place]) < HALF * lost:
        return None
    layer, number = divmod(place, later.shape[1])
    found = Head(head.layer + 1 + layer, number)
    return Taker(found, value_of(before, found), value_of(after, found))


def _of_norm(before: Contributions, after: Contributions, head: Head) -> float:
    """By what the final norm alone multiplies every contribution, from parts that stay the same."""
    pairs = [(before.embedding, after.embedding), (before.positions, after.positions)]
    for layer in range(head.layer + 1):
        pairs += [
            (float(one), float(other))
            for number, (one, other) in enumerate(
                zip(before.heads[layer], after.heads[layer], strict=True)
            )
            if Head(layer, number) != head
        ]
    pairs += [
        (float(one), float(other))
        for one, other in zip(before.mlps[: head.layer], after.mlps[: head.layer], strict=True)
    ]
    size = sum(one * one for one, _ in pairs)
    ratio = sum(one * other for one, other in pairs) / size if size else 1.0
    return ratio if ratio > 0 else 1.0


def without_sentence(
    before: Contributions, now: Standing, without: Without, *, name: str = "it"
) -> str:
    """What a knock-out does to the answer, and who takes over, in a sentence (plain text).

    Args:
        before: the contributions in the untouched run.
        now: how the model sees the token there.
        without: the same without the head.
        name: what the head is called.
    """
    other = taker(before, without)
    stays, what = _difference(before, without) or _one_token(before, now, without)
    gained = _log(without.standing.probability) > _log(now.probability)
    if before.target.against_id is not None:
        gained = without.parts.logit > before.logit
    if other is None or (gained and not stays):
        return f"Without {name}, {what}."
    return f"Without {name}, {what}, {'because' if stays else 'although'} {_took(other)}."


def _took(other: Taker) -> str:
    """What the head that takes over does now; one that writes against the token only stops it."""
    does = "takes over" if other.after > 0 else "now writes less against it"
    return f"{other.head.label} {does} ({signed(other.before)} → {signed(other.after)})"


def _difference(before: Contributions, without: Without) -> tuple[bool, str] | None:
    """Whether the preference stays, and what becomes of it; None where one token is watched."""
    target, was, now = before.target, before.logit, without.parts.logit
    if target.against_id is None:
        return None
    numbers = f"({signed(was)} → {signed(now)})"
    if was * now <= 0:
        first = target.text if now > 0 else target.against
        return False, f"the model prefers {quoted(first)} {numbers}"
    first = target.text if now > 0 else target.against
    kept = now / was
    if kept > KEPT:
        return True, f"{quoted(first)} keeps its lead {numbers}"
    share = "some" if kept >= HALF else "much"
    return False, f"{quoted(first)} loses {share} of its lead {numbers}"


def _one_token(before: Contributions, now: Standing, without: Without) -> tuple[bool, str]:
    """Whether the answer stays as it is, and what becomes of it."""
    then, token = without.standing, quoted(before.target.text)
    was, left = told_apart(now.probability, then.probability)
    numbers = f"({was} → {left})" if was != left else f"({percent(now.probability)})"
    lost = _log(now.probability) - _log(then.probability)
    if then.rank != now.rank:
        if now.rank == 1:
            return False, f"the model says {quoted(then.guess)} instead of {token} {numbers}"
        if then.rank == 1:
            return False, f"the model even says {token} {numbers}"
        way = "falls" if then.rank > now.rank else "rises"
        places = f"from {ordinal(now.rank)} to {ordinal(then.rank)}"
        return False, f"{token} {way} {places} {numbers}"
    stays = "the answer stays" if now.rank == 1 else f"{token} stays {ordinal(now.rank)}"
    if lost > LESS_SURE:
        return False, f"{stays}, but gets less likely {numbers}"
    if lost < -LESS_SURE:
        return False, f"{stays}, and gets likelier {numbers}"
    return True, f"{stays} {numbers}"
