"""What working backward from an answer shows, in sentences and table rows. Pure; plain text."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import TYPE_CHECKING

from headroles import scoring
from headroles.formatting import count, decimal, listing, ordinal, percent, quoted, signed

if TYPE_CHECKING:
    from headroles.ablation import Judgement, PromptTable
    from headroles.ablation.backup import Backup, Cost, Costs
    from headroles.ablation.tables import Answer
    from headroles.ablation.working_backward import Curve, Standing
    from headroles.types import Head

NAMED = 8
"""Most heads that a sentence names."""
RISE = 0.1
"""A rise of the answer's probability on the way that is worth a sentence."""
RULE_OF_THE_ORDER = (
    "The head whose loss harms the answer least goes first, and the rest is ranked again. Such a "
    "greedy order is seldom the best one, and it was chosen for this very prompt and answer: the "
    "set that is left is one that was found, not “the” circuit."
)


def names(heads: Sequence[Head]) -> str:
    """Heads in a sentence: all of a few, the count of many.

    >>> from headroles.types import Head
    >>> names([Head(1, 4), Head(0, 6)])
    'L0H6 and L1H4'
    """
    if len(heads) > NAMED:
        return count(len(heads), "head")
    return listing([head.label for head in sorted(heads)])


# ------------------------------------------------------------------ keep only these


def kept(table: PromptTable, heads: Sequence[Head], total: int) -> str:
    """Whether the answer is still first with only some heads kept, and with none.

    Args:
        table: the prompt with only these kept, then with none kept.
        heads: the kept heads.
        total: heads of the model.
    """
    own, none = table.rows[0], table.rows[-1].comparison
    if not heads:
        return f"No head kept, all {total:,} at their mean: {own.verdict}"
    which = f"{len(heads):,} of {count(total, 'head')}"
    if len(heads) <= NAMED:
        which = f"{names(heads)} kept, {which}"
    return (
        f"Only {which}{' kept' * (len(heads) > NAMED)}: {own.verdict} "
        f"With no head kept, it is {ordinal(none.rank)} ({percent(none.probability)})."
    )


def kept_beside(judgement: Judgement, first: int) -> str:
    """The same beside random heads that are kept instead.

    Args:
        judgement: the nats that the answer gains over no head kept, beside the random draws.
        first: draws in which the answer is first.
    """
    if judgement.verdict == "not_tested":
        return "There is nothing to draw at random, so there is no control."
    beside = {
        "holds_up": "clearly more than random heads give it",
        "reversed": "clearly less than random heads give it",
    }.get(judgement.verdict, "no more than random heads give it")
    return (
        f"That gives the answer {signed(judgement.effect)} nats over keeping none, {beside}"
        f" ({signed(judgement.mean)} ± {decimal(judgement.spread)}; the answer is first in {first} "
        f"of {count(judgement.draws, 'draw')})."
    )


# ------------------------------------------------------------------ one after another


def taking_away(curve: Curve, answer: Answer, shape: tuple[int, int]) -> str:
    """How far the answer lasts, and what is left there."""
    token, start = quoted(answer.text), curve.points[0].standing
    if not curve.is_whole:
        at = curve.points[-1]
        return (
            f"With {at.left:,} of {curve.total:,} heads left, {token} is "
            f"{_place(at.standing)}. (So far.)"
        )
    found = curve.smallest
    if found is None:
        return (
            f"{token} is {_place(start)} even with all heads, so there is no point where it stops "
            "being first."
        )
    if found.left == 0:
        return f"{token} stays first with no head left: this answer needs none of them."
    after = curve.after(found)
    if found.left == curve.total:
        return (
            f"None of {count(curve.total, 'head')} can go: even without {after.taken.label}, whose "
            f"loss harms least, {token} is {ordinal(after.standing.rank)}, and the model says "
            f"{quoted(after.says)}."
        )
    last = curve.heads_at(found, shape)
    alone = "them alone" if len(last) > NAMED else f"only {names(last)} left"
    is_or_are = "head is" if found.left == 1 else "heads are"
    return (
        f"{found.left:,} of {curve.total:,} {is_or_are} enough: with {alone}, {token} is still "
        f"first ({percent(start.probability)} → {percent(found.standing.probability)}). Without "
        f"{after.taken.label} too, it is {ordinal(after.standing.rank)}, and the model says "
        f"{quoted(after.says)}."
    )


def on_the_way(curve: Curve) -> str:
    """What a reader should know of the smallest set: how it came about, and what it cannot do."""
    found, start = curve.smallest, curve.points[0].standing
    if found is None or found.left in (0, curve.total):
        return ""
    sentences = []
    best = max(curve.points, key=lambda point: point.standing.log_odds)
    if best.standing.probability - start.probability >= RISE:
        sentences.append(
            f"On the way the answer even rises to {percent(best.standing.probability)} (with "
            f"{best.left:,} left), because heads that speak against it go first."
        )
    fall = curve.first_fall
    if fall and fall.left > found.left:
        sentences.append(f"It was not first at every point before, e.g. with {fall.left:,} left.")
    if start.loss is not None and found.standing.loss is not None:
        sentences.append(
            f"With the smallest set, the loss on the whole prompt goes from {decimal(start.loss)} "
            f"to {decimal(found.standing.loss)} nats per token: it was chosen for the answer alone."
        )
    return " ".join(sentences)


def random_orders(curve: Curve) -> str:
    """Up to where random orders keep the answer first; empty before they are there, and where the
    answer needs no head."""
    bands, found = curve.band(), curve.smallest
    if not bands or (found is not None and not found.left):
        return ""
    orders = bands[0].orders
    first = [band.left for band in bands if 2 * band.first > orders]
    if not first:
        at = bands[0]
        return (
            f"In random order, most of {count(orders, 'order')} have lost it with {at.left:,} left."
        )
    return (
        f"In random order, it is first in most of {count(orders, 'order')} down to "
        f"{min(first):,} left."
    )


def _place(standing: Standing) -> str:
    return f"{ordinal(standing.rank)} ({percent(standing.probability)})"


def curve_rows(curve: Curve) -> tuple[list[str], list[tuple[str, ...]]]:
    """The table twin of the curve: headers and rows."""
    headers = ["Heads left", "Went last", "Rank", "Probability", "Log-probability (nats)",
               "Loss on the prompt", "The model says"]  # fmt: skip
    rows = [
        (
            f"{point.left:,}",
            point.taken.label if point.taken else "–",
            f"{point.standing.rank:,}",
            percent(point.standing.probability),
            decimal(point.standing.log_probability),
            decimal(point.standing.loss) if point.standing.loss is not None else "–",
            quoted(point.says),
        )
        for point in curve.points
    ]
    return headers, rows


def band_rows(curve: Curve) -> tuple[list[str], list[tuple[str, ...]]]:
    """Random orders, as far as they are there: headers and rows."""
    headers = ["Heads left", "Log-probability, mean ± spread (nats)",
               "Loss on the prompt, mean ± spread", "Answer first"]  # fmt: skip
    rows = [
        (
            f"{band.left:,}",
            f"{decimal(band.mean)} ± {decimal(band.spread)}",
            f"{decimal(loss.mean)} ± {decimal(loss.spread)}",
            f"{band.first} of {count(band.orders, 'order')}",
        )
        for band, loss in zip(curve.band(), curve.band("loss"), strict=True)
    ]
    return headers, rows


# ------------------------------------------------------------------ backup

MEASURES = (
    "Lost log-probability is what counts for the answer: 0.69 nats are half as likely. Log-odds, "
    "log p − log(1 − p), have no ceiling: from 99.9% to 99% costs 0.01 nats of log-probability and "
    "2.3 of log-odds. A surplus is called so only where both measures show it."
)
"""Why there are two measures."""
MEANING = {
    "superadditive": "each stands in for the other",
    "subadditive": "together they cost less than the sum, as heads do of which one works through "
    "the other, or do the same",
    "additive": "that is about the sum, so they work apart",
    "ceiling": "that is more than the sum only because a sure answer hides small losses; in "
    "log-odds it is not, so this is no backup",
}
"""What a verdict means, in words."""


def backup(found: Backup) -> str:
    """What A, B and both together cost, and what that means."""
    pair, a, b = found.pair, names(found.a), names(found.b)
    meaning = MEANING[pair.verdict]
    if pair.verdict == "superadditive" and not pair.is_backup:
        meaning = "together they cost more than the sum"  # one of them alone even harms the answer
    elif pair.verdict == "superadditive" and found.judgement.verdict in ("not_special", "reversed"):
        meaning = "more than the sum, but no clearer than with random partners"
    if pair.verdict == "subadditive" and min(pair.a.log_odds, pair.b.log_odds) < 0.05:
        meaning = "together they cost less than the sum"
    if pair.verdict == "additive" and _costs_nothing(pair):
        meaning = "this answer does not need them, so there is nothing to stand in for"
    return (
        f"{a} alone {_costs(a, pair.a)}, {b} alone {decimal(pair.b.log_probability)}, both "
        f"together {decimal(pair.both.log_probability)}: {meaning}."
    )


def _costs_nothing(pair: Costs) -> bool:
    return max(abs(cost.log_odds) for cost in (pair.a, pair.b, pair.both)) < 0.05


def _costs(name: str, cost: Cost) -> str:
    several = " and " in name or name.endswith("heads")
    return f"cost{'' if several else 's'} the answer {decimal(cost.log_probability)} nats"


def backup_beside(found: Backup) -> str:
    """The surplus of these two beside that of A with random partners."""
    judgement = found.judgement
    if judgement.verdict == "not_tested":
        return found.note
    beside = {
        "holds_up": f"clearly more than {names(found.a)} has with random partners",
        "reversed": f"clearly less than {names(found.a)} has with random partners",
    }.get(judgement.verdict, f"no more than {names(found.a)} has with random partners")
    return (
        f"Over the sum in both measures: {signed(judgement.effect)} nats, {beside} "
        f"({signed(judgement.mean)} ± {decimal(judgement.spread)}, "
        f"{count(judgement.draws, 'draw')})."
    )


def answer_stays(found: Backup, token: str) -> str:
    """Where the answer stands without A, without B and without both."""
    places = [_place(standing) for standing in found.without]
    return (
        f"{quoted(token)} is {_place(found.untouched)} untouched, {places[0]} without A, "
        f"{places[1]} without B and {places[2]} without both."
    )


def backup_rows(found: Backup) -> tuple[list[str], list[tuple[str, ...]]]:
    """The table twin of the bars, in both measures: headers and rows."""
    pair = found.pair
    headers = ["At their mean", "Log-probability lost (nats)", "Log-odds lost (nats)", "Rank",
               "Probability"]  # fmt: skip
    alone = (("A", found.a, pair.a), ("B", found.b, pair.b))
    rows = [
        (f"{group}: {names(heads)}", *_numbers(cost), f"{at.rank:,}", percent(at.probability))
        for (group, heads, cost), at in zip(alone, found.without[:2], strict=True)
    ]
    at = found.without[2]
    both, over = _numbers(pair.both), _numbers(pair.over)
    rows.append(("A and B", *both, f"{at.rank:,}", percent(at.probability)))
    rows.append(("over the sum", *over, "", ""))
    return headers, rows


def _numbers(cost: Cost) -> tuple[str, str]:
    return signed(cost.log_probability), signed(cost.log_odds)


def bar_records(found: Backup) -> list[dict[str, object]]:
    """The bars: A, B, their sum, both together."""
    pair = found.pair
    a, b = pair.a.log_probability, pair.b.log_probability
    costs = {"A alone": a, "B alone": b, "sum of both": a + b,
             "both together": pair.both.log_probability}  # fmt: skip
    return [{"what": what, "cost": cost, "shown": signed(cost)} for what, cost in costs.items()]


def pair_rows(found: Sequence[tuple[str, Costs]]) -> tuple[list[str], list[tuple[str, ...]]]:
    """A with different partners (name of B, pair), in their order: headers and rows."""
    headers = ["B", "A alone", "B alone", "Both", "Over the sum", "Over it in log-odds",
               "Together they cost"]  # fmt: skip
    words = {
        "superadditive": "more than the sum",
        "subadditive": "less than the sum",
        "additive": "about the sum",
        "ceiling": "more, by a sure answer's ceiling",
    }
    rows = [
        (
            name,
            *(signed(cost.log_probability) for cost in (pair.a, pair.b, pair.both)),
            *_numbers(pair.over),
            words[pair.verdict],
        )
        for name, pair in found
    ]
    return headers, rows


def _beyond_the_sum(surplus: float) -> str:
    """What two cost together beside their sum, by the measure that says less."""
    if round(surplus, 2) <= 0:
        return "both together cost no more than the sum in both measures"
    return f"both together cost {decimal(surplus)} nats more than the sum in the smaller measure"


def best_partner(a: Sequence[Head], ranked: Sequence[tuple[Head, Costs]]) -> str:
    """Who stands in for A most, of how many, and who comes next.

    It was the largest of all that were tried, so its surplus must lie outside those of the others
    at a level that is divided by their number (Bonferroni).
    """
    head, pair = ranked[0]
    if not pair.is_backup:
        return (
            f"None of {count(len(ranked), 'head')} backs up {names(a)} here: with the nearest one, "
            f"{head.label}, {_beyond_the_sum(pair.surplus)}."
        )
    many = sum(other.is_backup for _, other in ranked)
    more = f" {many - 1:,} more cost clearly more than the sum with it." if many > 1 else ""
    rest, stands_out = [other.surplus for _, other in ranked[1:]], False
    if len(rest) > 1:
        beside = scoring.effect_of(pair.surplus, rest)
        stands_out = beside.p_control <= scoring.ALPHA / len(ranked)  # the largest of so many
        clearer = "" if stands_out else ", so it may be the largest by chance"
        more += (
            f" That is at least {signed(pair.surplus)} nats over the sum in both measures, with "
            "the other heads "
            f"{signed(statistics.fmean(rest))} ± {decimal(statistics.stdev(rest))}{clearer}."
        )
    does = "stands in for" if stands_out else "may stand in for"
    return (
        f"Of {count(len(ranked), 'head')}, {head.label} {does} {names(a)} most: both "
        f"together cost {decimal(pair.both.log_probability)} nats, alone "
        f"{decimal(pair.a.log_probability)} and {decimal(pair.b.log_probability)}.{more}"
    )
