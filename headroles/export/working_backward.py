"""Rows of what the section *Working backward* of the Knock-out lab shows."""

from __future__ import annotations

import math
from collections.abc import Sequence

from headroles.ablation import Comparison, PromptTable
from headroles.ablation.backup import Backup, Costs
from headroles.ablation.working_backward import Curve, Point
from headroles.types import Head


def kept_rows(
    table: PromptTable, draws: Sequence[tuple[str, Comparison]]
) -> list[dict[str, object]]:
    """One row per run: all heads kept, only these, none, and every random draw.

    Args:
        table: the prompt with only some heads kept, then with none kept.
        draws: (what was kept instead, what that did).
    """
    own, none = table.rows
    before = own.comparison
    rows = [_kept("all heads kept", before.rank_before, before.probability_before, 0.0)]
    rows += [
        _kept(row.name, row.comparison.rank, row.comparison.probability, row.comparison.loss_change)
        | {"says": row.says}
        for row in (own, none)
    ]
    rows[0]["says"] = table.says
    rows += [_kept(name, c.rank, c.probability, None, random=True) for name, c in draws]
    return rows


def _kept(
    name: str, rank: int, probability: float, loss: float | None, *, random: bool = False
) -> dict[str, object]:
    return {"kept": name, "random": random, "rank": rank, "probability": probability,
            "log_probability": math.log(max(probability, 1e-45)), "loss_change": loss,
            "says": ""}  # fmt: skip


def curve_rows(curve: Curve) -> list[dict[str, object]]:
    """One row per point: of the greedy order, then of each random one."""
    rows = [_point(point, "least harm") for point in curve.points]
    for n, order in enumerate(curve.random):
        rows += [_point(point, f"random {n}") for point in order]
    return rows


def _point(point: Point, order: str) -> dict[str, object]:
    at = point.standing
    return {"order": order, "heads_left": point.left,
            "went_last": point.taken.label if point.taken else "", "rank": at.rank,
            "probability": at.probability, "log_probability": at.log_probability,
            "log_odds": at.log_odds, "loss": at.loss, "says": point.says}  # fmt: skip


def backup_rows(found: Backup) -> list[dict[str, object]]:
    """A with B, then A with every random partner."""
    pairs = [(found.b, found.pair, False), *((heads, pair, True) for heads, pair in found.partners)]
    return [_pair(found.a, b, pair) | {"random": random} for b, pair, random in pairs]


def partner_rows(a: Sequence[Head], found: Sequence[tuple[Head, Costs]]) -> list[dict[str, object]]:
    """A with each of some heads."""
    return [_pair(a, [head], pair) for head, pair in found]


def _pair(a: Sequence[Head], b: Sequence[Head], pair: Costs) -> dict[str, object]:
    row: dict[str, object] = {"a": _labels(a), "b": _labels(b)}
    for name, cost in (("a", pair.a), ("b", pair.b), ("both", pair.both), ("over", pair.over)):
        row |= {f"{name}_log_probability": cost.log_probability, f"{name}_log_odds": cost.log_odds}
    return row | {"surplus": pair.surplus, "verdict": pair.verdict}


def _labels(heads: Sequence[Head]) -> str:
    return " ".join(head.label for head in heads)
