"""One record per head, as every map of a model's heads draws it, and how numbers are written. Pure.

>>> head_record(Head(1, 2), 0.5, number="50")["label"]
'L1H2'
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from headroles.formatting import count, decimal, percent, signed
from headroles.roles import COPIED, FALL, LOGITS, RATE, Role
from headroles.types import Head

if TYPE_CHECKING:
    from headroles.store import StoredRole

FINE = 0.5
"""A map whose largest size is below this shows two decimals."""
PAPERS = "named for it by papers"


def head_record(
    head: Head,
    value: float | None,
    *,
    shade: float | None = None,
    most: float | None = None,
    number: str = "",
    aside: str = "",
    shown: str = "",
    active: bool = False,
    mark: str = "",
    papers: bool = False,
) -> dict[str, object]:
    """What a map draws of one head.

    Args:
        head: the head.
        value: its number; None where it has none.
        shade: 0..1 from lightest to darkest; the value, where none is given.
        most: of a signed map, the number with the strongest shade: the shade is the size beside it,
            and a number below zero has the other colour.
        number: the text in the cell.
        aside: what stands beside it where there is room.
        shown: the number and what it means, in words.
        active: whether a ring goes round it.
        mark: why a square marks it, e.g. ``listed``; empty for no square.
        papers: whether papers name it for the role.
    """
    words = [shown, mark, PAPERS * papers]
    if most is not None and value is not None:
        shade = abs(value) / most
    return {
        "layer": head.layer,
        "head": head.head,
        "label": head.label,
        "value": None if value is None else round(value, 4),
        "shade": None if value is None else min(max(value if shade is None else shade, 0.0), 1.0),
        "number": number,
        "aside": aside,
        "against": most is not None and value is not None and value < 0,
        "active": active,
        "listed": bool(mark),
        "papers": papers,
        "shown": ", ".join(word for word in words if word),
    }


def percent_number(value: float) -> str:
    """A share in a cell: whole percent without the sign.

    >>> percent_number(0.256)
    '26'
    """
    return f"{value * 100:.0f}"


def signed_number(value: float, digits: int) -> str:
    """A number with its sign; what rounds to nothing has none.

    >>> signed_number(-0.26, 1), signed_number(0.01, 1), signed_number(-26.0, 0)
    ('−0.3', '0', '−26')
    """
    text = signed(value, digits=digits)
    return text if text[0] in "+−" else "0"


def number(role: Role, value: float) -> str:
    """A score as people read it, with its unit and its sign in words.

    >>> number(ROLES["name_mover"], -0.5), number(ROLES["delimiter"], 0.25)  # doctest: +SKIP
    ('−0.50 logits, against the token', '25% of its attention')
    >>> number(ROLES["s_inhibition"], 0.125)  # doctest: +SKIP
    '12.5 percentage points less for the right name without it'
    """
    if role.unit == LOGITS:
        if round(value, 2) == 0:
            return "0.00 logits, neither for nor against"
        return f"{signed(value)} logits, {'for' if value > 0 else 'against'} the token"
    if role.unit == FALL:
        points = f"{abs(value) * 100:.1f}"
        if points == "0.0":
            return "no change without it"
        less = "less" if value > 0 else "more"
        return f"{points} percentage points {less} for the right name without it"
    return f"{value:.0%} {_WHOLE.get(role.unit, 'of its attention')}"


_WHOLE = {RATE: "of the words", COPIED: "of the answers"}


def plain(role: Role, value: float, error: float | None = None) -> str:
    """A score with its error, short, for a table."""
    text = (signed if role.is_signed else decimal)(value, digits=3)
    return text if error is None else f"{text} ± {error:.3f}"


def going_by_place(stored: StoredRole) -> str:
    """The heads that only seem to have a role, for they do the same without its cue; mostly none.

    >>> going_by_place(entry.role("subword_merge"))  # doctest: +SKIP
    '9 heads reach the threshold, too, but by the place: over half of what lies above ...'
    """
    heads = stored.by_place(stored.category.threshold)
    if not heads:
        return _higher_by_place(stored)
    most = heads[0]
    named = f"{most.label}{' most' if len(heads) > 1 else ''}"
    reach = "reaches" if len(heads) == 1 else "reach"
    too = ", too" if stored.listed else ""
    return (
        f"{count(len(heads), 'head')} {reach} the threshold{too}, but by the place: over half of "
        f"what lies above chance is left without the cue ({named}: "
        f"{percent(stored.score(most))} with it, {percent(stored.control_score(most))} without)."
    )


def _higher_by_place(stored: StoredRole) -> str:
    """The highest head of the map, where that is not the strongest of those that go by the cue."""
    sign = stored.role.sign or 1
    highest = max(stored.known_heads, key=lambda head: sign * stored.score(head), default=None)
    if highest is None or stored.goes_by_cue(highest) or highest == stored.strongest:
        return ""
    without = percent(stored.control_score(highest))
    return (
        f"{highest.label} has {percent(stored.score(highest))}, but {without} without the cue as "
        "well: it goes by the place."
    )
