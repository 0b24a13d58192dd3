"""Roles in the wild: records and sentences of the page Real text. Pure: no Streamlit.

>>> wild(record, entry)[0].rate_of_listed  # doctest: +SKIP
0.61
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import mean, median
from typing import TYPE_CHECKING

from headroles import scoring
from headroles.errors import HeadrolesError
from headroles.formatting import count, decimal, listing, percent, signed
from headroles.roles import LEAST_LOGITS, ROLES, Role
from headroles.types import Head
from headroles.view.head_records import head_record

if TYPE_CHECKING:
    from headroles.scoring import PlaceOrContent
    from headroles.store import ModelEntry
    from headroles.store.real_text import (
        CopySuppression,
        HeadEvidence,
        RealText,
        RoleActivity,
        RoleMeans,
    )
    from headroles.texts import Passage

HEADERS = (
    "Role",
    "Tokens where it applies",
    "Its heads, active per 1,000 of these",
    "All other heads (median)",
    "Most active head",
    "Even spread",
)
"""The columns of :func:`activity_rows`."""
MAP_TITLE = "of 1,000 tokens where the role applies"
"""What a cell of the map is a number of."""
HEAD_HEADERS = ("Head", "Active per 1,000", "Activation", "Tokens shuffled", "What this means")
"""The columns of :func:`head_rows`."""

SHUFFLED = {
    "positional": "Does it with the tokens shuffled, too: positional.",
    "content": "Only on the text as it is: content-driven.",
    "partly": "Less with the tokens shuffled: partly positional.",
    "unsure": "Too little of this text shows it to tell.",
    "neither": "Does not reach the role's threshold.",
}
"""{kind of :class:`headroles.scoring.PlaceOrContent`: what it means here}."""
WITHOUT_CUE = "Never active: in the analysis it did so without the role's cue, too."
"""Of a head that goes by place (:mod:`headroles.roles.cue`)."""

STORIES_ONLY = (
    "This model was trained on simple stories and knows few other words: on this text it shows "
    "what its heads do with words that are strange to it."
)


def nothing_stored(text: str) -> str:
    """What is read where nothing is stored; ``text`` is its name."""
    return f"No results are stored for this model yet, so the page can read some text now: {text}."


def other_weights(model: str) -> HeadrolesError:
    """The stored results are of other weights."""
    return HeadrolesError(
        f"The stored results were made with other weights than {model} has now.",
        hint="Choose a text above to read it now, or make them anew with "
        "python -m scripts.read_texts.",
        value=model,
    )


def what_was_read(record: RealText, passages: Sequence[Passage | None]) -> str:
    """How much of what was read, and which passages are not on this machine."""
    sources = listing([f"{one.name} ({count(one.tokens, 'token')})" for one in record.sources])
    said = f"Read in {count(len(record.passages), 'passage')}: {sources}."
    missing = sum(one is None for one in passages)
    if missing:
        here = f"{sys.version_info.major}.{sys.version_info.minor}"
        said += (
            f" {missing:,} of {count(len(passages), 'passage')} {'is' if missing == 1 else 'are'} "
            f"not among the texts of this machine (Python {here}); they were read with Python "
            f"{record.python}. The numbers stay true; to see all texts, read them again."
        )
    return said


# ------------------------------------------------------------------ roles in the wild


@dataclass(frozen=True)
class Wild:
    """One role on a text."""

    role: Role
    """The role."""
    found: RoleActivity
    """What the model's heads do."""
    listed: tuple[Head, ...]
    """The heads that the reference scores list for it."""
    tokens: int
    """Tokens of the whole text."""
    by_place: frozenset[Head] = frozenset()
    """Heads that do the same without the role's cue (:mod:`headroles.roles.cue`): on a prompt they
    are not active, and so they are not here."""

    @cached_property
    def rates(self) -> dict[Head, float]:
        """{head: share of the tokens where the role applies at which it looks there enough}."""
        shape = len(self.found.text.active), len(self.found.text.active[0])
        rates = {head: self.found.text.rate(head) for head in Head.every(*shape)}
        return {head: rate for head, rate in rates.items() if rate is not None}

    @cached_property
    def active(self) -> dict[Head, float]:
        """{head: share of these tokens at which it is active}: 0 for one that goes by place."""
        return {head: 0.0 if head in self.by_place else rate for head, rate in self.rates.items()}

    @property
    def rows(self) -> int:
        """Tokens where the role applies; of heads that differ, the most."""
        return max(max(row) for row in self.found.text.rows)

    @property
    def rate_of_listed(self) -> float | None:
        """0..1, the mean over the listed heads; None where there are none."""
        known = [self.active[head] for head in self.listed if head in self.active]
        return mean(known) if known else None

    @property
    def rate_of_others(self) -> float | None:
        """0..1, the median of all heads that are not listed."""
        others = [rate for head, rate in self.active.items() if head not in self.listed]
        return median(others) if others else None

    @property
    def most_active(self) -> Head | None:
        """The head that is active at most of these tokens; None where the role never applies, or
        no head that goes by its cue is ever active."""
        best = max(self.active, key=self.active.__getitem__, default=None)
        return best if best not in self.by_place and self.active.get(best) else None

    @property
    def chance(self) -> float:
        """0..1, the activation of an even spread, over all layers."""
        return mean(self.found.chance)

    def place_or_content(self, head: Head) -> PlaceOrContent:
        """Whether a head does the same with the tokens shuffled."""
        layer, number = head
        text, mixed = self.found.text, self.found.shuffled
        return scoring.place_or_content(
            text.mean[layer][number],
            mixed.mean[layer][number],
            threshold=self.found.threshold,
            zero=self.found.chance[layer] if self.role.has_cells else 0.0,
            errors=[
                math.inf if error is None else error  # nobody knows how sure the number is
                for error in (text.error[layer][number], mixed.error[layer][number])
            ],
        )


def wild(record: RealText, entry: ModelEntry | None) -> list[Wild]:
    """Every role that was looked for, in the order of the registry; none where no part of the
    record says so."""
    return [
        Wild(
            role,
            found,
            tuple(entry.listed(key)) if entry else (),
            record.tokens,
            entry.role(key).without_cue if entry else frozenset(),
        )
        for key, role in ROLES.items()
        if (found := (record.activity or {}).get(key))
    ]


def per_thousand(rate: float | None) -> str:
    """A share as a number out of 1,000.

    >>> per_thousand(0.6123), per_thousand(0.0004), per_thousand(0.0), per_thousand(None)
    ('612', '<1', '0', '—')
    """
    if rate is None:
        return "—"
    return "<1" if 0 < rate < 0.0005 else f"{rate * 1000:,.0f}"


def activity_rows(roles: Sequence[Wild]) -> list[list[str]]:
    """One row per role, as :data:`HEADERS` says."""
    return [_activity_row(one) for one in roles]


def _activity_row(one: Wild) -> list[str]:
    best = one.most_active
    listed = count(len(one.listed), "head")
    return [
        one.role.name,
        f"{one.rows:,} of {one.tokens:,}",
        f"{per_thousand(one.rate_of_listed)} ({listed})" if one.listed else "no head is listed",
        per_thousand(one.rate_of_others),
        "—" if best is None else f"{best.label} ({per_thousand(one.active[best])})",
        percent(one.chance),
    ]


def head_rows(one: Wild, *, most: int = 12) -> list[list[str]]:
    """The heads that are active most often, and every listed one, as :data:`HEAD_HEADERS` says."""
    order = sorted(one.rates, key=lambda head: -one.rates[head])  # those by place as well
    chosen = [head for place, head in enumerate(order) if place < most or head in one.listed]
    return [
        [
            f"{head.label} (listed)" if head in one.listed else head.label,
            per_thousand(one.active[head]),
            _with_error(one.found.text, head),
            _with_error(one.found.shuffled, head),
            WITHOUT_CUE if head in one.by_place else SHUFFLED[one.place_or_content(head).kind],
        ]
        for head in chosen
    ]


def _with_error(means: RoleMeans, head: Head) -> str:
    layer, number = head
    error = means.error[layer][number]
    return decimal(means.mean[layer][number]) + ("" if error is None else f" ± {decimal(error)}")


def map_records(one: Wild) -> list[dict[str, object]]:
    """One record per head: at how many of 1,000 tokens where the role applies it is active."""
    shape = len(one.found.text.active), len(one.found.text.active[0])
    records = []
    for head in Head.every(*shape):
        rate = one.active.get(head)
        shown = (
            "the role never applies"
            if rate is None
            else f"active at {per_thousand(rate)} of 1,000 tokens where the role applies"
        )
        if head in one.by_place and one.rates.get(head):
            shown = (
                f"looks there at {per_thousand(one.rates[head])} of 1,000 tokens, but does so "
                "without the role's cue, too: never active"
            )
        records.append(
            head_record(
                head,
                rate,
                number="" if rate is None else f"{rate * 1000:.0f}",
                shown=shown,
                mark="listed" if head in one.listed else "",
            )
        )
    return records


def conclusion(roles: Sequence[Wild]) -> str:
    """What one may take from it, in two sentences; a head that rests is at no work."""
    known = [one for one in roles if one.rate_of_listed is not None]
    judged = [one for one in known if one.role.key != "positional"] or known
    if not judged:
        return (
            "No head of this model is listed for a role, so there is nothing to hold against this "
            "text: look at the map of a role below."
        )
    first = next((one for one in judged if one.role.key == "induction"), judged[0])
    said = (
        f"Where {_where(first.role)} ({first.rows:,} of {count(first.tokens, 'token')}), the "
        f"{'only' if len(first.listed) == 1 else f'{len(first.listed):,}'} listed "
        f"head{'s' * (len(first.listed) != 1)} of {first.role.name} "
        f"{'is' if len(first.listed) == 1 else 'are'} active {per_thousand(first.rate_of_listed)} "
        "times in 1,000; the median of all other heads is "
        f"{per_thousand(first.rate_of_others)}."
    )
    others = [one for one in judged if one is not first]
    if not others:
        return said
    most = max(others, key=lambda one: one.rate_of_listed)
    least = min(judged, key=lambda one: one.rate_of_listed)
    said += (
        f" On this text, the heads of {most.role.name} are at work most often "
        f"({per_thousand(most.rate_of_listed)} times in 1,000)"
        if most.rate_of_listed > first.rate_of_listed
        else " No other role's heads are at work as often; next come those of "
        f"{most.role.name} ({per_thousand(most.rate_of_listed)} times in 1,000)"
    )
    if least is not most and least is not first:
        said += f", those of {least.role.name} least often ({per_thousand(least.rate_of_listed)})"
    return f"{said}."


def _where(role: Role) -> str:
    if role.requires_repetition:
        return "a token comes back and is followed by what followed it before"
    return "the role applies"


def map_sentence(one: Wild) -> str:
    """The take-away of a role's map."""
    best = one.most_active
    if best is None:
        if not one.rates:
            return f"{one.role.name} never applies on this text."
        which = "head that goes by the role's cue" if one.by_place else "head"
        return f"{_applies(one)} No {which} is active there."
    often = sum(rate >= 0.5 for rate in one.active.values())
    return (
        f"{_applies(one)} {best.label} is active most often, at {per_thousand(one.active[best])} "
        f"of 1,000 of them; {often:,} of {count(len(one.active), 'head')} "
        f"{'is' if often == 1 else 'are'} active at half of them or more.{_without_cue(one)}"
    )


def _applies(one: Wild) -> str:
    return f"{one.role.name} applies at {one.rows:,} of {one.tokens:,} tokens."


def _without_cue(one: Wild) -> str:
    """The heads that look there at least half of the time without having the role; mostly none."""
    some = [head for head in one.by_place if one.rates.get(head, 0.0) >= 0.5]
    if not some:
        return ""
    most = max(sorted(some), key=one.rates.__getitem__)
    look = "looks" if len(some) == 1 else "look"
    named = "" if len(some) == 1 else " most"
    return (
        f" {count(len(some), 'head')} more {look} there as often, but without the role's cue, too "
        f"({most.label}{named}), and so {'is' if len(some) == 1 else 'are'} not active."
    )


def shuffled_sentence(one: Wild) -> str:
    """What the shuffled passages were."""
    rows = max(max(row) for row in one.found.shuffled.rows)
    return f"Shuffled: {count(rows, 'token')} of {count(one.found.shuffled.passages, 'passage')}."


# ------------------------------------------------------------------ copy suppression

SUPPRESSION_HEADERS = ("Head", "Writes of what it looks at (logits)", "Another token of the text")
"""The columns of :func:`suppression_rows`."""


STEADY = 3.0
"""Standard errors, as for the list: of hundreds of heads the lowest is two below by chance."""


def _clear(found: CopySuppression, head: Head) -> bool:
    """Whether a head's number stands out from its control by so many standard errors of both."""
    layer, number = head
    apart = found.mean[layer][number] - found.control[layer][number]
    errors = found.error[layer][number], found.control_error[layer][number]
    return abs(apart) > STEADY * sum(error**2 for error in errors) ** 0.5


def _by_size(found: CopySuppression) -> list[Head]:
    """Every head, the one that writes most against what it looks at first."""
    shape = len(found.mean), len(found.mean[0])
    return sorted(Head.every(*shape), key=lambda head: found.mean[head.layer][head.head])


def suppression_sentence(found: CopySuppression) -> str:
    """Which head writes most against what it looks at, and which most for it."""
    order = _by_size(found)
    against, most = order[0], order[-1]
    on = f"At {count(found.tokens, 'token')} that stood in the passage before,"
    value = found.mean[against.layer][against.head]
    largest = signed(found.mean[most.layer][most.head])
    if value <= -LEAST_LOGITS and _clear(found, against):
        return (
            f"{on} {against.label} writes most against what followed the earlier copy "
            f"({signed(value)} logits), and {most.label} most for it ({largest})."
        )
    return (
        f"{on} no head clearly writes against what followed the earlier copy by {LEAST_LOGITS} "
        f"logits or more; {most.label} writes most for it ({largest})."
    )


def suppression_rows(found: CopySuppression, *, most: int = 4) -> list[list[str]]:
    """The heads furthest below and above zero, as :data:`SUPPRESSION_HEADERS` says."""
    order = _by_size(found)
    chosen = dict.fromkeys([*order[:most], *order[-most:]])

    def number(values: list[list[float]], errors: list[list[float]], head: Head) -> str:
        layer, place = head
        return f"{signed(values[layer][place])} ± {decimal(errors[layer][place])}"

    return [
        [
            head.label,
            number(found.mean, found.error, head),
            number(found.control, found.control_error, head),
        ]
        for head in chosen
    ]


# ------------------------------------------------------------------ passages of a head


def evidence_sentence(head: Head, role: str | None, found: HeadEvidence | None) -> str:
    """What the passages of a head show, in numbers."""
    if found is None or not found.typical:
        if role is None:
            return f"This text is too short to show where {head.label} looks: give a longer one."
        return (
            f"No token of this text shows {head.label} as {ROLES[role].name}: choose another text."
        )
    values = [example[2] / 1000 for example in found.typical]
    middle = percent(median(values))
    best = percent(found.strongest[0][2] / 1000) if found.strongest else percent(0)
    if role is not None and not ROLES[role].has_cells:
        what, unit = f"the attention of {head.label} is {middle} even", " (100%: an even spread)"
    elif role is not None:
        aside = f"{ROLES[role].aside}," if ROLES[role].aside else ""
        what = (
            f"{head.label} puts {middle} of its attention{aside} where {ROLES[role].name} predicts"
        )
        unit = ""
    else:
        what = f"{head.label} puts {middle} of its attention on a single earlier token"
        unit = " (the first token is not counted)"
    return f"At a typical token, {what}{unit}; at most, {best}."


def tenths(n: int) -> list[str]:
    """What the tenths are called, the strongest first.

    >>> tenths(3)
    ['strongest tenth', 'tenth 2', 'weakest tenth']
    """
    names = [f"tenth {place + 1}" for place in range(n)]
    if n > 1:
        names[0], names[-1] = "strongest tenth", "weakest tenth"
    return names
