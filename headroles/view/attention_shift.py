"""Where a head looks before and after a knock-out: records and sentences. Pure.

>>> points(-0.123)
'−12.3 points'
"""

from __future__ import annotations

import statistics
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, NamedTuple

from headroles import ablation
from headroles.formatting import count, decimal, percent, quoted, signed, told_apart
from headroles.types import Head

if TYPE_CHECKING:
    from torch import Tensor

    from headroles.ablation import Looks, OffsetPoint

UNTOUCHED, OTHERS = "untouched", "random others knocked out"
MOST_ROWS = 24
"""Most tokens of a chart; the others are told together."""


def later_heads(looks: Looks, since: int, knocked_out: Collection[Head]) -> list[Head]:
    """The heads that a knock-out can change: those from the layer
    :attr:`~headroles.ablation.conditions.Condition.looks_from` on that are not knocked out."""
    layers, heads = looks.at.shape[:2]
    every = Head.every(range(since, layers), heads)
    return [head for head in every if head not in knocked_out]


def nothing_later(since: int) -> str:
    """Why no head can change, where there is no layer to change from on (plain text)."""
    return (
        f"No other head can change: layer {since - 1} is the last one, and only later layers read "
        "what it writes."
    )


# ------------------------------------------------------------------ one head, one position


class Shift(NamedTuple):
    """How one head's row at position t moves."""

    head: Head
    """The head."""
    before: list[float]
    """[key] 0..1, its attention in the untouched run."""
    after: list[float]
    """[key] 0..1, with something knocked out."""
    draws: list[list[float]]
    """[draw][key] 0..1, with random others knocked out."""
    moved: float
    """0..1, the part of the row that moved (:func:`headroles.ablation.attention_shift.moved`)."""
    moved_by_draws: list[float]
    """[draw] the same for random others."""
    clear: bool | None
    """Whether it is more than random others do; None where fewer than two are there."""


class Shifts(NamedTuple):
    """How far the row of every head that can change moves."""

    moved: dict[Head, float]
    """{head: 0..1}, largest first."""
    clear: frozenset[Head] | None
    """Those that move more than with random others; None where fewer than two are there."""


def shifts(before: Looks, after: Looks, draws: Sequence[Looks], heads: Sequence[Head]) -> Shifts:
    """How far each of some heads' rows move."""
    own = ablation.moved(before.at, after.at).tolist()
    beside = [ablation.moved(before.at, draw.at).tolist() for draw in draws]
    changes = [own[layer][head] for layer, head in heads]
    clear = None
    if len(beside) > 1 and heads:
        by_draw = [[draw[layer][head] for layer, head in heads] for draw in beside]
        over = ablation.beyond_chance(changes, by_draw)
        clear = frozenset(head for head, is_over in zip(heads, over, strict=True) if is_over)
    order = sorted(zip(changes, heads, strict=True), key=lambda pair: (-pair[0], pair[1]))
    return Shifts({head: change for change, head in order}, clear)


def shift(before: Looks, after: Looks, draws: Sequence[Looks], head: Head, every: Shifts) -> Shift:
    """One head's row."""

    def row(looks: Looks) -> Tensor:
        return looks.at[head.layer, head.head]

    by_draws = [ablation.moved(row(before), row(draw)).item() for draw in draws]
    return Shift(
        head,
        row(before).tolist(),
        row(after).tolist(),
        [row(draw).tolist() for draw in draws],
        ablation.moved(row(before), row(after)).item(),
        by_draws,
        None if every.clear is None or head not in every.moved else head in every.clear,
    )


def shift_sentence(
    shift: Shift, labels: Sequence[str], without: str, *, knocked_out: Collection[Head], since: int
) -> str:
    """What becomes of the head's look, in a sentence or two (plain text).

    Args:
        shift: of the head.
        labels: [key] the tokens up to t.
        without: what is missing, e.g. ``without L1H4``.
        knocked_out: the heads that are.
        since: the first layer whose heads can change.
    """
    name = shift.head.label
    changes = [after - now for now, after in zip(shift.before, shift.after, strict=True)]
    least, most = changes.index(min(changes)), changes.index(max(changes))
    was, now = told_apart(shift.before[least], shift.after[least])
    instead = ""
    if changes[most] >= ablation.attention_shift.LEAST:
        pair = " → ".join(told_apart(shift.before[most], shift.after[most]))
        instead = f" (instead at {_at(labels, most)}: {pair})"
    if shift.head in knocked_out and shift.moved < ablation.attention_shift.LEAST:
        return f"{name} is itself knocked out: it looks where it did, but nothing of it is read."
    if shift.head.layer < since:
        return (
            f"{name} looks exactly as before: layer {shift.head.layer} reads nothing that was "
            "changed. Only later layers can change."
        )
    whose = " (itself knocked out)" if shift.head in knocked_out else ""
    lead = (
        f"From {quoted(labels[-1])}, {name}{whose} looks at {_at(labels, least)} with {was}, "
        f"{without} with {now}{instead}"
    )
    return f"{lead}; {percent(shift.moved)} of its attention moves{_beside(shift)}."


def _at(labels: Sequence[str], key: int) -> str:
    return f"{quoted(labels[key])} (position {key})"


def _beside(shift: Shift) -> str:
    if shift.clear is None:
        return ""
    mean, spread = statistics.fmean(shift.moved_by_draws), statistics.stdev(shift.moved_by_draws)
    more = "more than" if shift.clear else "no more than"
    return f", {more} with random others knocked out ({100 * mean:.0f}% ± {100 * spread:.0f})"


def kept_rows(shift: Shift) -> list[int]:
    """The keys that a chart shows, in order: those that the head looks at most, in either run."""
    weights = [max(pair) for pair in zip(shift.before, shift.after, strict=True)]
    most = sorted(range(len(weights)), key=lambda key: -weights[key])[:MOST_ROWS]
    return sorted(most)


def left_out(shift: Shift) -> str:
    """What a chart does not show, in a sentence; empty where it shows all."""
    kept = set(kept_rows(shift))
    rest = [key for key in range(len(shift.before)) if key not in kept]
    if not rest:
        return ""
    before, after = (sum(row[key] for key in rest) for row in (shift.before, shift.after))
    return (
        f"Shown: the {len(kept)} tokens that it looks at most; the other {len(rest)} get "
        f"{percent(before)} and {percent(after)} together."
    )


def token_records(
    shift: Shift, labels: Sequence[str], names: tuple[str, str], *, difference: bool
) -> list[dict[str, object]]:
    """Two records per token that is shown: the two runs, or the change beside random others'."""
    records = []
    for row, key in enumerate(kept_rows(shift)):
        before, after = shift.before[key], shift.after[key]
        if difference:
            beside = [draw[key] - before for draw in shift.draws]
            pairs = [(names[1], after - before, 0.0)]
            if beside:
                spread = statistics.stdev(beside) if len(beside) > 1 else 0.0
                pairs.append((OTHERS, statistics.fmean(beside), spread))
        else:
            pairs = [(names[0], before, 0.0), (names[1], after, 0.0)]
        records += [
            _record(labels[key], who, value, spread, row=row, signed_share=difference)
            for who, value, spread in pairs
        ]
    return records


def _record(
    token: str, who: str, value: float, spread: float, *, signed_share: bool, row: int = 0
) -> dict[str, object]:
    shown = points(value) if signed_share else f"{100 * value:.1f}%"
    return {
        "row": row,
        "token": token,
        "who": who,
        "share": value,
        "low": value - spread,
        "high": value + spread,
        "shown": f"{shown} ± {100 * spread:.1f}" if spread else shown,
    }


def points(change: float) -> str:
    """A change of a share, in percentage points.

    >>> points(-0.123)
    '−12.3 points'
    """
    return f"{signed(100 * change, digits=1)} points"


TOKEN_HEADERS = ["Position", "Token", "Untouched", "Knocked out", "Change", "Random (control)"]


def token_rows(shift: Shift, labels: Sequence[str]) -> list[tuple[str, ...]]:
    """The table twin: every token."""
    rows = []
    for key, (before, after) in enumerate(zip(shift.before, shift.after, strict=True)):
        beside = [draw[key] - before for draw in shift.draws]
        random = f"{points(statistics.fmean(beside))}" if beside else "–"
        rows.append((str(key), labels[key], f"{100 * before:.1f}%", f"{100 * after:.1f}%",
                     points(after - before), random))  # fmt: skip
    return rows


def token_file(found: Sequence[Shift], labels: Sequence[str]) -> list[dict[str, object]]:
    """The rows of a file: every token of some heads; shares 0..1."""
    return [
        {
            "head": shift.head.label,
            "position": key,
            "token": labels[key],
            "untouched": before,
            "knocked_out": after,
            "change": after - before,
            "random_heads_change": statistics.fmean(draw[key] - before for draw in shift.draws)
            if shift.draws
            else None,
            "part_of_row_moved": shift.moved,
        }
        for shift in found
        for key, (before, after) in enumerate(zip(shift.before, shift.after, strict=True))
    ]


# ------------------------------------------------------------------ over many texts


def offset_sentence(points_of: Sequence[OffsetPoint], head: Head, without: str, texts: int) -> str:
    """What happens on average, in a sentence (plain text)."""
    most = max(points_of, key=lambda point: abs(point.change))
    if abs(most.change) <= 2 * most.change_error:
        return (
            f"Over {count(texts, 'place')} in other texts, nothing clearly changes in where "
            f"{head.label} looks."
        )
    where = {
        "0": "the token itself",
        "1": "the token just before",
        ablation.attention_shift.FURTHER: "what lies further back",
        ablation.attention_shift.START: "the start token",
    }.get(most.place, f"the token {most.place} back")
    was, now = told_apart(most.before, most.after)
    said = (
        f"Over {count(texts, 'place')} in other texts, {head.label} looks at {where} with {was} on "
        f"average, {without} with {now} (± {_whole(most.change_error)})"
    )
    if most.others is None:
        return f"{said}."
    return f"{said}; with random others knocked out it changes by {points(most.others)}."


def _whole(error: float) -> str:
    return decimal(100 * error, digits=1)


def offset_records(
    points_of: Sequence[OffsetPoint], names: tuple[str, str], *, difference: bool
) -> list[dict[str, object]]:
    """Two records per place, with one standard error each."""
    records = []
    for point in points_of:
        if difference:
            pairs = [(names[1], point.change, point.change_error)]
            if point.others is not None:
                pairs.append((OTHERS, point.others, point.others_error))
        else:
            pairs = [
                (names[0], point.before, point.before_error),
                (names[1], point.after, point.after_error),
            ]
        records += [
            _record(point.place, who, value, error, signed_share=difference)
            for who, value, error in pairs
        ]
    return records


OFFSET_HEADERS = ["Offset", "Untouched", "Knocked out", "Change", "Random (control)"]


def offset_rows(points_of: Sequence[OffsetPoint]) -> list[tuple[str, ...]]:
    """The table twin."""

    def share(value: float, error: float) -> str:
        return f"{100 * value:.1f}% ± {_whole(error)}"

    return [
        (
            point.place,
            share(point.before, point.before_error),
            share(point.after, point.after_error),
            f"{points(point.change)} ± {_whole(point.change_error)}",
            "–"
            if point.others is None
            else f"{points(point.others)} ± {_whole(point.others_error)}",
        )
        for point in points_of
    ]


def offset_file(points_of: Sequence[OffsetPoint], head: Head) -> list[dict[str, object]]:
    """The rows of a file; shares 0..1 with standard errors."""
    return [
        {
            "head": head.label,
            "offset": point.place,
            "untouched": point.before,
            "untouched_error": point.before_error,
            "knocked_out": point.after,
            "knocked_out_error": point.after_error,
            "change": point.change,
            "change_error": point.change_error,
            "random_heads_change": point.others,
            "random_heads_error": point.others_error,
        }
        for point in points_of
    ]
