"""The scatter of all heads by two of their numbers: its points, its table, what is said. Pure.

>>> correlation_sentence(along, up)  # doctest: +SKIP
'Across 270 heads, the two numbers have little to do with each other: ...'
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from headroles.formatting import count, listing, signed
from headroles.roles import ROLES, SCORED_ROLES
from headroles.scoring import likeness
from headroles.types import Head

if TYPE_CHECKING:
    from headroles.store import ModelEntry
    from headroles.view.head_numbers import HeadNumber


def correlation_sentence(along: HeadNumber, up: HeadNumber) -> str:
    """How far two numbers rise together, with the count of heads."""
    rho, n = likeness.spearman(along.values, up.values)
    missing = len(along.values) - n
    rest = (
        f" {count(missing, 'head')} {'lacks' if missing == 1 else 'lack'} one of the two."
        if missing
        else ""
    )
    if rho is None:
        return f"Too few heads differ to say whether the two numbers go together (n = {n}).{rest}"
    strength = (
        "have little to do with each other" if abs(rho) < 0.1
        else f"{'weakly ' if abs(rho) < 0.3 else 'clearly ' if abs(rho) >= 0.6 else ''}"
        f"{'rise and fall together' if rho > 0 else 'go opposite ways'}"
        f"{' to some extent' if 0.3 <= abs(rho) < 0.6 else ''}"
    )  # fmt: skip
    return (
        f"Across {count(n, 'head')}, the two numbers {strength}: Spearman’s rank correlation is "
        f"{signed(rho)} (−1 to +1; n = {n}).{rest}"
    )


@dataclass(frozen=True)
class Region:
    """A rectangle of the scatter; heads on its edge are inside."""

    along: tuple[float, float]
    up: tuple[float, float]

    def holds(self, x: float, y: float) -> bool:
        """Whether a head with these numbers is inside."""
        return self.along[0] <= x <= self.along[1] and self.up[0] <= y <= self.up[1]


def points(
    heads: Sequence[Head],
    along: HeadNumber,
    up: HeadNumber,
    *,
    roles: Mapping[Head, str],
    layers: int,
    opened: Head | None = None,
    region: Region | None = None,
) -> list[dict[str, object]]:
    """One record per head that has both numbers, for the chart.

    Args:
        heads: layer by layer, as the values of both numbers.
        along: the number from left to right.
        up: the number from below to above.
        roles: {head: key of its main role}; others have none.
        layers: of the model.
        opened: the head that is chosen.
        region: what is marked; heads inside are drawn as before, the others lighter.
    """
    records = []
    for head, x, y in zip(heads, along.values, up.values, strict=True):
        if x is None or y is None:
            continue
        role = ROLES[roles[head]].name if head in roles else "no role"
        records.append(
            {
                "layer": head.layer,
                "head": head.head,
                "label": head.label,
                "x": x,
                "y": y,
                "depth": head.layer / (layers - 1) if layers > 1 else 0.0,
                "third": third(head.layer, layers),
                "role": roles.get(head, "other"),
                "open": head == opened,
                "inside": region is None or region.holds(x, y),
                "named": "",
                "side": SIDES[0],
                "shown": f"{along.name} {along.shown(x)}, {up.name} {up.shown(y)}, {role}",
            }
        )
    for record, side in name_places(_extremes(records), records):
        record |= {"named": record["label"], "side": side}
    return records


MOST_NAMED = 3
"""Heads with the largest of either number that are named in the chart."""


def _extremes(records: Sequence[dict[str, object]]) -> list[dict[str, object]]:
    """The chosen head and those with the most of either number, but for names that would lie over
    each other."""
    wanted = [record for record in records if record["open"]]
    for axis in ("x", "y"):
        wanted += sorted(records, key=lambda record: -record[axis])[:MOST_NAMED]
    spans = {
        axis: (max(r[axis] for r in records) - min(r[axis] for r in records)) or 1.0
        for axis in ("x", "y")
    } if records else {}  # fmt: skip
    kept: list[dict[str, object]] = []
    for record in wanted:
        near = any(
            abs(record["x"] - other["x"]) < 0.14 * spans["x"]
            and abs(record["y"] - other["y"]) < 0.06 * spans["y"]
            for other in kept
        )
        if not near:
            kept.append(record)
    return kept


SIDES = ("right", "left", "above", "below")
"""Where a name can stand beside its point, the best place first."""
_NAME = 0.17, 0.05
"""Width and height of a name with its gap, as shares of the narrowest chart."""


class _Box(NamedTuple):
    """A rectangle in shares of the chart."""

    left: float
    right: float
    low: float
    high: float

    def holds(self, x: float, y: float) -> bool:
        """Whether a point is inside."""
        return self.left < x < self.right and self.low < y < self.high

    def overlaps(self, other: _Box) -> bool:
        """Whether two rectangles share some place."""
        return (
            self.left < other.right and other.left < self.right
            and self.low < other.high and other.low < self.high
        )  # fmt: skip


def name_places(
    named: Sequence[Mapping[str, object]], records: Sequence[Mapping[str, object]]
) -> list[tuple[Mapping[str, object], str]]:
    """[(record, side)] beside its point on the side where its name lies over the fewest other
    points and names; what would leave the chart comes last."""
    spots = _in_chart(records)
    taken: list[_Box] = []
    placed = []
    for record in named:
        x, y = spots[record["label"]]
        boxes = {side: _name_box(x, y, side) for side in SIDES}

        def cost(side: str, boxes: dict[str, _Box] = boxes, own: object = record["label"]) -> int:
            box = boxes[side]
            outside = box.left < -0.04 or box.right > 1.07 or box.low < -0.04 or box.high > 1.06
            under = sum(box.holds(*spot) for label, spot in spots.items() if label != own)
            return 1_000 * outside + 10 * sum(map(box.overlaps, taken)) + under

        side = min(SIDES, key=cost)
        taken.append(boxes[side])
        placed.append((record, side))
    return placed


def _in_chart(
    records: Sequence[Mapping[str, object]],
) -> dict[object, tuple[float, float]]:
    """{label: where its point is, from 0 to 1 along and up}."""
    ends = {}
    for axis in ("x", "y"):
        values = [record[axis] for record in records] or [0.0]
        ends[axis] = min(values), (max(values) - min(values)) or 1.0

    def share(record: Mapping[str, object], axis: str) -> float:
        low, span = ends[axis]
        return (record[axis] - low) / span

    return {record["label"]: (share(record, "x"), share(record, "y")) for record in records}


def _name_box(x: float, y: float, side: str) -> _Box:
    wide, high = _NAME
    if side in ("right", "left"):
        left = x + 0.01 if side == "right" else x - 0.01 - wide
        return _Box(left, left + wide, y - high / 2, y + high / 2)
    low, half = y + 0.02 if side == "above" else y - 0.02 - high, 0.4 * wide  # without the gap
    return _Box(x - half, x + half, low, low + high)


THIRDS = ("early", "middle", "late")
"""The thirds of a model's depth."""


def third(layer: int, layers: int) -> str:
    """The third of the layers that a layer is in.

    >>> [third(layer, 4) for layer in range(4)], third(0, 1)
    (['early', 'early', 'middle', 'late'], 'early')
    """
    return THIRDS[min(2, math.floor(3 * layer / layers))]


def scatter_sentence(
    records: Sequence[Mapping[str, object]], along: HeadNumber, up: HeadNumber
) -> str:
    """The take-away of the chart for whoever does not see it."""
    if not records:
        return f"No head has both {along.name} and {up.name}."
    most = [max(records, key=lambda record: record[axis]) for axis in ("x", "y")]
    ends = listing(
        [
            f"{record['label']} has the most {number.name} ({number.shown(record[axis])})"
            for record, number, axis in zip(most, (along, up), ("x", "y"), strict=True)
        ]
    )
    return f"{count(len(records), 'head')} by {along.name} and {up.name}: {ends}."


def rows(
    records: Sequence[Mapping[str, object]], along: HeadNumber, up: HeadNumber
) -> list[dict[str, object]]:
    """The heads inside the region, or all of them, by the number up: for the table and the file."""
    inside = sorted(
        (record for record in records if record["inside"]), key=lambda record: -record["y"]
    )
    return [
        {
            "label": record["label"],
            "layer": record["layer"],
            "head": record["head"],
            along.key: record["x"],
            up.key if up.key != along.key else f"{up.key} (again)": record["y"],
            "role": record["role"],
        }
        for record in inside
    ]


def main_roles(entry: ModelEntry | None) -> dict[Head, str]:
    """{head: the basic role that it has, listed or not, with the highest score}; resting only where
    it has no other."""
    if entry is None:
        return {}
    best: dict[Head, tuple[bool, float, str]] = {}
    for role in SCORED_ROLES:
        stored = entry.role(role.key)
        limit = stored.category.threshold
        listed = set(stored.listed)
        for head in stored.known_heads:
            if head not in listed and (limit is None or not stored.fits(head, limit)):
                continue
            rank = (role.key != "positional", stored.score(head) or 0.0, role.key)
            best[head] = max(best.get(head, (False, -1.0, "")), rank)
    return {head: key for head, (_, _, key) in best.items()}


def about(along: HeadNumber, up: HeadNumber) -> dict[str, object]:
    """What stands above a table of two numbers."""
    rho, n = likeness.spearman(along.values, up.values)
    return {
        along.key: f"{along.name}: {along.about}",
        up.key: f"{up.name}: {up.about}",
        "spearman": rho,
        "spearman_n": n,
    }
