"""When the pattern changes: sentences, and records for charts and tables. Pure.

>>> by_words("keeps", 2)
'2 tokens back wherever it is'
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from headroles.formatting import count, listing, percent
from headroles.texts.sequences import KINDS
from headroles.types import Head
from headroles.view.head_records import head_record

if TYPE_CHECKING:
    from headroles.scoring.largest_look import PeriodVerdict, TypicalDistance
    from headroles.verdicts.changing_patterns import ChangingPatterns

VERDICTS = {
    "follows": "follows the period",
    "keeps": "keeps its distance",
    "neither": "neither",
}
"""What a verdict is called."""
HOW = (
    "A head's largest look is the token that gets most of its attention; the first column, on "
    "which heads rest, does not count. Rows count from which two whole periods can be looked back. "
    "Follows the period: at every period, most rows of most sequences look at the same place of "
    "the pattern, whichever copy of it, and 1.5 times as often as on the same tokens in random "
    "order. Keeps its distance: most rows look the same number of tokens back at every period. "
    "Looks that hold less than 5% of a head's attention count for neither."
)


def by_words(kind: str, by: int | None) -> str:
    """What a head looks at, in words."""
    if kind == "keeps":
        far = {0: "the token itself", 1: "1 token back"}.get(by, f"{by} tokens back")
        return f"{far} wherever it is"
    if kind == "follows":
        near = {
            0: "the same place of the pattern",
            -1: "the token after the same place of the pattern",
        }
        return near.get(by, f"{-by} tokens after the same place of the pattern")
    return "no place that most of its rows agree on"


def shown_distances(found: ChangingPatterns, head: Head) -> str:
    """The distances by which a head is judged: ``2, 3, 4``; a dash where it looks nowhere."""
    return ", ".join(
        "–" if typical.distance is None else str(typical.distance)
        for typical in found.shown(head).values()
    )


def conclusion(found: ChangingPatterns, head: Head) -> str:
    """How many heads follow the period, how the chosen one does, and what numbers look at."""
    kinds = Counter(verdict.kind for verdict in found.verdicts.values())
    total = len(found.verdicts)
    text = KINDS[found.kind].name
    periods = listing([str(period) for period in found.periods])
    after = _with(found, "follows", -1)
    said = (
        f"“{text}”: {kinds['follows']} of {count(total, 'head')} follow the period, "
        f"{kinds['keeps']} keep their distance."
    )
    if after:
        said += (
            f" Of those that follow, {len(after)} look{'s' * (len(after) == 1)} at the token after "
            f"the same place, as induction heads do ({after[0].label}: "
            f"{shown_distances(found, after[0])} back at the periods {periods})."
        )
    said += f" {head_sentence(found, head)}"
    clear = [slot for slot, attention in found.slots.items() if bool(attention.clear.any())]
    return " ".join([said, *(slot_sentence(found, slot) for slot in clear[-1:])])


def _with(found: ChangingPatterns, kind: str, by: int) -> list[Head]:
    """The heads with a verdict, the clearest first."""
    heads = [head for head, verdict in found.verdicts.items() if verdict == (kind, by)]
    return sorted(heads, key=lambda head: -least_share(found, head))


def least_share(found: ChangingPatterns, head: Head) -> float:
    """The share of rows at the period where it is smallest."""
    return min(typical.share for typical in found.shown(head).values())


def head_sentence(found: ChangingPatterns, head: Head) -> str:
    """What one head does when the period changes."""
    verdict = found.verdicts[head]
    rows = listing(
        [f"{typical.distance} (period {period}, {percent(typical.share)} of rows)"
         for period, typical in found.shown(head).items() if typical.distance is not None]
    )  # fmt: skip
    if not rows:
        return f"{head.label} looks at nothing but the first column."
    far = f"{head.label} looks {rows} back"
    if verdict.kind == "neither":
        faint = max(typical.attention for typical in found.shown(head).values()) < 0.05
        why = "with hardly any attention" if faint else "and follows nothing that most rows share"
        return f"{far}, {why}."
    return f"{far}: it {VERDICTS[verdict.kind]} ({by_words(*verdict)})."


def slot_sentence(found: ChangingPatterns, slot: str) -> str:
    """Whether tokens of a slot look at earlier ones of it: numbers at numbers."""
    attention = found.slots[slot]
    clear = attention.clear
    places = attention.share.masked_fill(~clear, -1.0).flatten()
    many = f"{slot}s"
    if not bool(clear.any()):
        return f"No head clearly looks from {many} at earlier {many}."
    width = attention.share.shape[1]
    best = Head(*divmod(int(places.argmax()), width))
    number = int(clear.sum())
    who = f"{best.label} clearly looks" if number == 1 else f"{number} heads clearly look"
    most = "with" if number == 1 else f"most of all {best.label}:"
    return (
        f"{who} from {many} at earlier {many}, {most} {percent(float(attention.share[best]))} of "
        f"its attention ({percent(float(attention.nearest[best]))} on the last one), by chance "
        f"{percent(float(attention.chance[best.layer]))}, on other words in the same places "
        f"{percent(float(attention.control[best]))}."
    )


def three_back(found: ChangingPatterns, *, period: int = 4, back: int = 3) -> str:
    """What heads that look three back at a period of four do at the other periods."""
    if period not in found.by_period:
        return ""
    there = [head for head in found.verdicts if _looks(found, head, period) == back]
    follow = [head for head in there if found.verdicts[head].kind == "follows"]
    keep = [head for head in there if found.verdicts[head].kind == "keeps"]
    if not there:
        return f"No head clearly looks {back} back at period {period}."
    return (
        f"Does a head that looks {back} back adjust when the pattern has another length? Of the "
        f"{count(len(there), 'head')} that clearly do{'es' * (len(there) == 1)} at period "
        f"{period}, {len(follow)} follow{'s' * (len(follow) == 1)} the period{_named(follow)} "
        f"and {len(keep)} keep{'s' * (len(keep) == 1)} {back}{_named(keep)}."
    )


def _looks(found: ChangingPatterns, head: Head, period: int) -> int | None:
    typical = found.shown(head)[period]
    return typical.distance if typical.is_clear else None


def _named(heads: list[Head]) -> str:
    named = ", ".join(head.label for head in heads[:4]) + (" …" if len(heads) > 4 else "")
    return f" ({named})" if heads else ""


# ------------------------------------------------------------------ records and tables


def map_records(found: ChangingPatterns) -> list[dict[str, object]]:
    """One per head for the map: blue follows the period, orange keeps its distance."""
    records = []
    for head, verdict in found.verdicts.items():
        value = {"follows": 1.0, "keeps": -1.0, "neither": 0.0}[verdict.kind]
        shade = least_share(found, head) if value else 0.0
        record = head_record(
            head,
            value * shade,
            most=1.0,
            number=_short(verdict),
            shown=f"{VERDICTS[verdict.kind]}: {shown_distances(found, head)}",
        )
        records.append(record)
    return records


def _short(verdict: PeriodVerdict) -> str:
    """The distance as a formula: ``p−1``, ``2``."""
    if verdict.kind == "neither":
        return ""
    if verdict.kind == "keeps":
        return str(verdict.by)
    return "p" if not verdict.by else f"p−{-verdict.by}"


def map_sentence(found: ChangingPatterns) -> str:
    """The map in words."""
    kinds = Counter(verdict.kind for verdict in found.verdicts.values())
    best = max(
        (head for head, verdict in found.verdicts.items() if verdict.kind == "follows"),
        key=lambda head: least_share(found, head),
        default=None,
    )
    most = f" Clearest: {best.label}, {shown_distances(found, best)}." if best else ""
    return (
        f"All heads on “{KINDS[found.kind].name}”: {kinds['follows']} follow the period, "
        f"{kinds['keeps']} keep their distance, {kinds['neither']} do neither.{most}"
    )


def look_records(found: ChangingPatterns, head: Head, period: int) -> list[dict[str, object]]:
    """One per token of a period's first sequence, for :func:`headroles.charts.sequences.lane`."""
    one = found.by_period[period]
    text, tokens = one.texts[0], one.texts[0].encoding.tokens
    keys = one.first.key[head.layer, head.head].tolist()
    weights = one.first.attention[head.layer, head.head].tolist()
    return [
        {
            "place": row,
            "token": tokens[row].strip() or tokens[row],
            "distance": row - key if key >= 0 else None,
            "attention": weight,
            "counted": row in text.counted,
            "shown": (
                f"looks {row - key} back at “{tokens[key].strip()}” with {percent(weight)}"
                if key >= 0
                else "looks at nothing but the first column"
            ),
        }
        for row, (key, weight) in enumerate(zip(keys, weights, strict=True))
        if row > 0
    ]


def lane_sentence(found: ChangingPatterns, head: Head, period: int) -> str:
    """One lane in words."""
    typical = found.shown(head)[period]
    if typical.distance is None:
        return f"Period {period}: {head.label} looks at nothing but the first column."
    return f"Period {period}: {_typical(typical, found.verdicts[head].kind == 'follows')}"


def _typical(typical: TypicalDistance, in_pattern: bool) -> str:
    copies = ", or so far in an earlier copy" if in_pattern else ""
    return (
        f"{typical.distance} back{copies}, {percent(typical.share)} of rows "
        f"({percent(typical.control)} in random order), in "
        f"{percent(typical.agreement)} of the sequences, with {percent(typical.attention)} of its "
        "attention."
    )


def slot_rows(found: ChangingPatterns, slot: str, *, most: int = 8) -> list[list[str]]:
    """The heads that look most from a slot at earlier tokens of it."""
    attention = found.slots[slot]
    width = attention.share.shape[1]
    order = attention.share.flatten().argsort(descending=True)[:most].tolist()
    heads = [Head(*divmod(place, width)) for place in order]
    return [
        [
            head.label,
            percent(float(attention.share[head])),
            percent(float(attention.nearest[head])),
            percent(float(attention.chance[head.layer])),
            percent(float(attention.control[head])),
            "yes" if bool(attention.clear[head]) else "no",
        ]
        for head in heads
    ]


SLOT_HEADERS = (
    "Head", "On all earlier ones", "On the last one", "Chance", "Other words there", "Clear",
)  # fmt: skip
