"""Which heads change their role without the heads that were knocked out. Pure.

>>> crossing(RoleChange("induction", Head(2, 4), 0.81, 0.12, True, False, None, 0.0, True))
'L2H4 is no longer an induction head here (81% → 12%)'
"""

from __future__ import annotations

import statistics
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from headroles import ablation, verdicts
from headroles.formatting import count, listing, percent, told_apart
from headroles.roles import ROLES
from headroles.types import Head
from headroles.view.attention_shift import points
from headroles.view.head_records import head_record, signed_number

if TYPE_CHECKING:
    from headroles.ablation import Looks

MOST_NAMED = 2
"""Most heads that a sentence names."""
IS = {
    "previous_token": "a previous-token head",
    "duplicate_token": "a duplicate-token head",
    "induction": "an induction head",
    "positional": "resting on the first token",
    "diffuse": "a diffuse head",
}
"""What a head is that is active in a role."""


class RoleChange(NamedTuple):
    """One head's activation in one role before and after."""

    role: str
    """The role's key."""
    head: Head
    """The head."""
    before: float
    """0..1, its activation in the untouched run."""
    after: float
    """0..1, with something knocked out."""
    was: bool
    """Whether it was active."""
    is_now: bool
    """Whether it is active still, or now."""
    others: float | None
    """Mean change with random others knocked out; None without any."""
    others_spread: float
    """Standard deviation of it over the draws."""
    clear: bool | None
    """Whether the change is larger than those; None where fewer than two are there."""

    @property
    def change(self) -> float:
        """After minus before."""
        return self.after - self.before

    @property
    def crosses(self) -> bool:
        """Whether it starts or stops being active, as far as is known more than by chance."""
        return self.was != self.is_now and self.clear is not False


def role_changes(
    before: Looks,
    after: Looks,
    draws: Sequence[Looks],
    *,
    heads: Sequence[Head],
    thresholds: Mapping[str, float],
    num_tokens: int,
) -> dict[str, list[RoleChange]]:
    """{role: every head that can change, largest change first}; roles that apply to the prompt."""

    def active(looks: Looks, key: str) -> list[list[bool]]:
        return verdicts.active_heads(
            ROLES[key],
            looks.activations[key],
            thresholds[key],
            num_tokens=num_tokens,
            output_change=looks.output_change,
        ).tolist()

    found = {}
    for key, activation in before.activations.items():
        if verdicts.cannot_be_judged(ROLES[key], activation, num_tokens) or not heads:
            continue
        was, now = active(before, key), active(after, key)
        value = [look.activations[key].value.tolist() for look in (before, after, *draws)]
        rows = [[of[layer][head] for layer, head in heads] for of in value]
        beside = [[b - a for a, b in zip(rows[0], draw, strict=True)] for draw in rows[2:]]
        changes = [b - a for a, b in zip(rows[0], rows[1], strict=True)]
        clear = ablation.beyond_chance(changes, beside) if len(beside) > 1 else None
        found[key] = sorted(
            (
                RoleChange(
                    key, head, rows[0][item], rows[1][item], was[head.layer][head.head],
                    now[head.layer][head.head],
                    statistics.fmean(draw[item] for draw in beside) if beside else None,
                    statistics.stdev(draw[item] for draw in beside) if len(beside) > 1 else 0.0,
                    None if clear is None else clear[item],
                )
                for item, head in enumerate(heads)
            ),
            key=lambda change: (-abs(change.change), change.head),
        )  # fmt: skip
    return found


def most_changed(changes: Mapping[str, Sequence[RoleChange]]) -> str:
    """The role that most heads gain or lose; of several, that with the largest change."""
    return max(
        changes,
        key=lambda key: (sum(c.crosses for c in changes[key]), abs(changes[key][0].change)),
    )


def crossing(change: RoleChange) -> str:
    """What became of a head, as the rest of a sentence."""
    was, now = told_apart(change.before, change.after)
    does = "is now" if change.is_now else "is no longer"
    return f"{change.head.label} {does} {IS[change.role]} here ({was} → {now})"


def roles_sentence(changes: Mapping[str, Sequence[RoleChange]], without: str, *, draws: int) -> str:
    """Which heads gain or lose a role, in a sentence or two (plain text)."""
    every = [change for of_role in changes.values() for change in of_role]
    if not every:
        return "This prompt is too short to judge any role."
    # What a head loses says more than what it does instead, so that comes first.
    crossed = sorted(
        (c for c in every if c.crosses),
        key=lambda c: (c.is_now, c.role == "positional", -abs(c.change)),
    )
    total = len({change.head for change in every})
    lead = f"{without[:1].upper()}{without[1:]},"
    if not crossed:
        beyond = " beyond what random others do" if draws > 1 else ""
        return f"{lead} none of {count(total, 'later head')} gains or loses a role{beyond}."
    named = listing([crossing(change) for change in crossed[:MOST_NAMED]])
    heads = len({change.head for change in crossed})
    verb = "gains or loses" if heads == 1 else "gain or lose"
    more = " more than by chance" if draws > 1 else ""
    return f"{lead} {heads} of {count(total, 'later head')} {verb} a role{more}: {named}."


def role_records(
    before: Looks, of_role: Sequence[RoleChange], *, knocked_out: Collection[Head]
) -> list[dict[str, object]]:
    """One record per head for a map: the change of its activation; a ring where it crosses."""
    by_head = {change.head: change for change in of_role}
    largest = max(0.1, *(abs(change.change) for change in of_role))
    records = []
    for layer, heads in enumerate(before.at):
        for place in range(len(heads)):
            head = Head(layer, place)
            change = by_head.get(head)
            if change is None:
                why = "knocked out" if head in knocked_out else "cannot change"
                records.append(head_record(head, None, shown=why))
                continue
            was, now = told_apart(change.before, change.after)
            records.append(
                head_record(
                    head,
                    change.change,
                    most=largest,
                    number=signed_number(100 * change.change, 0),
                    active=change.crosses,
                    shown=f"{was} → {now}{_chance_words(change)}",
                )
            )
    return records


def _chance_words(change: RoleChange) -> str:
    if change.clear is None:
        return ""
    return ", more than with random others" if change.clear else ", no more than with random others"


ROLE_HEADERS = ["Head", "What changes", "Untouched", "Knocked out", "Random (control)"]


def role_rows(changes: Mapping[str, Sequence[RoleChange]]) -> list[tuple[str, ...]]:
    """A table of the heads that gain or lose a role, largest change first."""
    crossed = [c for of_role in changes.values() for c in of_role if c.crosses]
    return [
        (
            change.head.label,
            f"{'now' if change.is_now else 'no longer'} {IS[change.role]}",
            percent(change.before),
            percent(change.after),
            "–"
            if change.others is None
            else f"{points(change.others)} ± {100 * change.others_spread:.1f}",
        )
        for change in sorted(crossed, key=lambda c: -abs(c.change))
    ]


def role_file(changes: Mapping[str, Sequence[RoleChange]]) -> list[dict[str, object]]:
    """The rows of a file: every head that can change, in every role."""
    return [
        {
            "role": key,
            "head": change.head.label,
            "untouched": change.before,
            "knocked_out": change.after,
            "change": change.change,
            "active_untouched": change.was,
            "active_knocked_out": change.is_now,
            "random_heads_change": change.others,
            "random_heads_spread": change.others_spread if change.others is not None else None,
            "more_than_random": change.clear,
        }
        for key, of_role in changes.items()
        for change in of_role
    ]
