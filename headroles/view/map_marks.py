"""Which cells of a map of heads are marked: listed heads, those over a threshold, or the highest.

On a map with a sign, sizes count: the marked heads are the strongest for and against, and the mark
says which. Pure: no Streamlit, no charts.

>>> from headroles.types import Head
>>> from headroles.view.head_records import head_record
>>> records = [head_record(Head(0, h), v, number="x") for h, v in enumerate((0.2, 0.9, 0.4))]
>>> [record["own"] for record in applied(records, Marks(TOP, most=2), ROLES["induction"])]
['', 'up', 'up']
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from headroles.formatting import decimal, percent
from headroles.roles import LOGITS, Role
from headroles.view.html import count

if TYPE_CHECKING:
    from headroles.view.head_maps import ModelMap

LISTED, OVER, TOP = "listed", "over", "top"
WAYS = (LISTED, OVER, TOP)
"""The usual marks, the heads over a threshold, the highest ones."""
NAMED = 6
"""Marked heads that a sentence names."""
UP, DOWN = "▲", "▼"
"""The marks in words: above zero, and below."""

Record = Mapping[str, object]


class Marks(NamedTuple):
    """What a reader wants to see marked."""

    way: str = LISTED
    """One of :data:`WAYS`."""
    share: float = 0.4
    """0..1, the threshold of maps of shares."""
    logits: float = 0.5
    """0 and up, the threshold of maps in logits, whatever the sign."""
    most: int = 5
    """How many are marked on each map as the highest."""

    @property
    def own(self) -> bool:
        """Whether the reader chose other marks than the usual ones."""
        return self.way != LISTED

    def level(self, role: Role) -> float:
        """The threshold on a role's map."""
        return self.logits if role.unit == LOGITS else self.share

    def rule(self, role: Role) -> str:
        """What is marked on a role's map, in a few words."""
        either = ", either sign" if role.is_signed else ""
        if self.way == TOP:
            return f"the {'highest' if self.most == 1 else f'{self.most} highest'}{either}"
        unit = f"{decimal(self.logits)} logits" if role.unit == LOGITS else percent(self.share)
        return f"from {unit}{either}"

    def about(self) -> dict[str, object]:
        """The choice, for the provenance of a file; nothing with the usual marks."""
        if self.way == TOP:
            return {"marks": {"way": TOP, "most": self.most}}
        if self.way == OVER:
            return {"marks": {"way": OVER, "share": self.share, "logits": self.logits}}
        return {}


USUAL = Marks()


def ranked(records: Sequence[Record], role: Role) -> list[int]:
    """The places of the heads that have a number, highest first; with a sign, largest first.

    Equal ones keep their order: layer by layer.
    """
    known = [
        place
        for place, record in enumerate(records)
        if record["value"] is not None and record["number"] != ""
    ]
    return sorted(known, key=lambda place: -_size(records[place], role))


def _size(record: Record, role: Role) -> float:
    value = float(record["value"])
    return abs(value) if role.is_signed else value


def marked(records: Sequence[Record], marks: Marks, role: Role) -> list[int]:
    """The places of the marked heads, highest first; with the usual marks none."""
    order = ranked(records, role)
    if marks.way == TOP:
        return order[: marks.most]
    if marks.way == OVER:
        return [place for place in order if _size(records[place], role) >= marks.level(role)]
    return []


def applied(records: Sequence[Record], marks: Marks, role: Role) -> tuple[Record, ...]:
    """A map's records with the reader's marks in place of rings and squares.

    Args:
        records: one per head, from :func:`headroles.view.head_records.head_record`.
        marks: what is marked; the usual marks change nothing.
        role: whose map it is; its sign and unit decide.
    """
    if not marks.own:
        return tuple(records)
    ranks = {place: rank for rank, place in enumerate(marked(records, marks, role), start=1)}
    changed = []
    for place, record in enumerate(records):
        own = "" if place not in ranks else "down" if record["against"] else "up"
        shown = f"{record['shown']}, marked ({ranks[place]} of {len(ranks)})" if own else None
        changed.append(
            {**record, "active": False, "listed": False, "own": own}
            | ({"shown": shown} if shown else {})
        )
    return tuple(changed)


def sentence(records: Sequence[Record], marks: Marks, role: Role) -> str:
    """Which heads of a map are marked; empty with the usual marks."""
    if not marks.own:
        return ""
    places = marked(records, marks, role)
    total = count(len(records), "head")
    if not places:
        return f"Marked ({marks.rule(role)}): none of {total}."
    named = ", ".join(
        f"{DOWN if records[place]['against'] else UP}\u00a0{records[place]['label']} "
        f"{records[place]['number']}"
        for place in places[:NAMED]
    )
    more = len(places) - NAMED
    rest = f" and {more} more" if more > 0 else ""
    return f"Marked ({marks.rule(role)}): {len(places)} of {total}: {named}{rest}."


def _every_map(model: ModelMap) -> dict[Role, Sequence[Record]]:
    """{role: the records of its map}; extended roles that are shown, too."""
    return {one.role: one.records for one in model.roles.values()} | dict(model.extended)


def in_rows(
    rows: Sequence[Mapping[str, object]], model: ModelMap, marks: Marks
) -> list[dict[str, object]]:
    """The rows of a file with the reader's marks: ``marked`` and, 1 for the highest, ``mark_rank``.

    Args:
        rows: with ``role`` (a key) and ``label``; of a role without a map, nothing is said.
        model: the maps as the page shows them.
        marks: what is marked; the usual marks change nothing.
    """
    if not marks.own:
        return [dict(row) for row in rows]
    ranks = {
        role.key: {
            records[place]["label"]: rank
            for rank, place in enumerate(marked(records, marks, role), start=1)
        }
        for role, records in _every_map(model).items()
    }
    return [
        {**row, "marked": row["label"] in of_role, "mark_rank": of_role.get(row["label"])}
        if (of_role := ranks.get(row["role"])) is not None
        else dict(row)
        for row in rows
    ]


def roles_marking(model: ModelMap, marks: Marks) -> dict[int, list[str]]:
    """{place of a head: the roles on whose maps it is marked}; extended roles that are shown, too.

    A mark below zero stands before the name of its role.
    """
    found: dict[int, list[str]] = {}
    for role, records in _every_map(model).items():
        for place in marked(records, marks, role):
            sign = f"{DOWN} " if records[place]["against"] else ""
            found.setdefault(place, []).append(f"{sign}{role.name}")
    return found


def ordered(places: Sequence[int], model: ModelMap, marks: Marks, large: str | None) -> list[int]:
    """The rows of the table of all heads: as they are, or marked heads first.

    Args:
        places: of the heads that are shown, layer by layer.
        model: the maps.
        marks: what is marked.
        large: the role that is shown alone, by whose numbers the table is then sorted; None for all
            of them: heads that are marked on more maps come first.
    """
    if not marks.own:
        return list(places)
    if large in model.roles:
        role_map = model.roles[large]
        order = ranked(role_map.records, role_map.role)
        rank = {place: number for number, place in enumerate(order)}
        return sorted(places, key=lambda place: rank.get(place, len(rank)))
    found = roles_marking(model, marks)
    return sorted(places, key=lambda place: -len(found.get(place, ())))
