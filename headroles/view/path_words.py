"""What a circuit of paths says: boxes and arrows, its table, and one sentence. Pure.

>>> conclusion(arrows, roles, pair)  # doctest: +SKIP
'L3H1 (Duplicate token) tells L14H2 (S-inhibition) where to look; L14H2 tells L23H0 ...'
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from headroles.formatting import count, decimal, listing, quoted, signed, visible
from headroles.types import Head
from headroles.view.head_records import head_record, signed_number

if TYPE_CHECKING:
    from headroles.ablation import Arrow, Pair, SenderMap
    from headroles.ablation.paths import Receiver
    from headroles.store import ModelEntry

ANSWER = "logits"
"""The name of the answer's box."""
THE_ANSWER = "the answer"
SHARE = "share of the difference, in percent"
TELLS = {
    "query": "where to look",
    "key": "what stands where",
    "value": "what to pass on",
}
"""{input of a head: what a sender tells it}."""
INPUTS = {"query": "queries", "key": "keys", "value": "values"}
"""{input: in words}."""
LEAST_MISLEADS = 0.02
"""A head that takes less away, of the difference, is not said to mislead."""
HEADERS = ("From", "Into", "Input", "Effect", "Share", "Same layer (control)", "Verdict")


def roles_of(entry: ModelEntry | None) -> dict[Head, str]:
    """{listed head: the role in which it stands highest} of the roles with work to do."""
    found: dict[Head, tuple[int, str]] = {}
    for key, category in (entry.categories if entry else {}).items():
        if key in ("positional", "diffuse", "other"):
            continue
        name = entry.role(key).role.name
        for place, head in enumerate(category.heads):
            found[head] = min(found.get(head, (place, name)), (place, name))
    return {head: name for head, (_, name) in found.items()}


def called(head: Head, roles: Mapping[Head, str]) -> str:
    """``L14H2 (S-inhibition)``."""
    return f"{head.label} ({roles[head]})" if head in roles else head.label


def group_name(heads: Sequence[Head]) -> str:
    """Heads of a box in few letters.

    >>> group_name([Head(23, 0), Head(23, 1), Head(24, 4)])
    'L23H0, H1, L24H4'
    """
    layers = [None, *(head.layer for head in heads)]
    return ", ".join(
        f"H{head.head}" if head.layer == layers[at] else head.label for at, head in enumerate(heads)
    )


def end_of(arrow: Arrow) -> str:
    """Where an arrow ends, for files: ``logits``, ``L23H0`` or ``L23H0/L23H1``."""
    return "/".join(head.label for head in arrow.heads) or ANSWER


def heads_in(arrows: Iterable[Arrow]) -> list[Head]:
    """Every head of the drawing, the last layer first."""
    return sorted({head for arrow in arrows for head in (arrow.sender, *arrow.heads)}, reverse=True)


def box_heads(arrows: Sequence[Arrow]) -> list[tuple[Head, ...]]:
    """The heads of each box, the last layer first: those that an arrow reaches together are one."""
    found: list[set[Head]] = [{head} for head in heads_in(arrows)]
    for arrow in arrows:
        reached = [box for box in found if box & set(arrow.heads)]
        if len(reached) > 1:
            found = [box for box in found if box not in reached]
            found.append(set().union(*reached))
    return sorted((tuple(sorted(box)) for box in found), key=lambda box: box[-1], reverse=True)


def choices(arrows: Sequence[Arrow]) -> list[tuple[Head, ...]]:
    """Heads that can be asked who tells them: boxes, all of a layer that move the answer, each."""
    carry: dict[int, set[Head]] = defaultdict(set)
    for arrow in arrows:
        if not arrow.heads and arrow.effect > 0:
            carry[arrow.sender.layer].add(arrow.sender)
    layers = [tuple(sorted(heads)) for _, heads in sorted(carry.items(), reverse=True)]
    each = [(head,) for head in heads_in(arrows)]
    return list(dict.fromkeys([*box_heads(arrows), *layers, *each]))


def over(pairs: int) -> str:
    """What numbers are a mean over, in a sentence."""
    if pairs == 1:
        return (
            "All numbers are of this one pair of sentences, and differ much between pairs: take "
            "several pairs to see what holds."
        )
    return f"All numbers are means over {pairs} pairs of sentences with other names."


def fewer(pairs: int, most: int) -> str:
    """Why there are fewer pairs than asked for."""
    why = "has no first names to exchange" if pairs == 1 else "loses its difference with most names"
    return f"This pair {why}, so {count(pairs, 'pair')} of {most} can be used."


# ------------------------------------------------------------------ the drawing


def boxes(
    arrows: Sequence[Arrow], roles: Mapping[Head, str], pair: Pair, *, opened: Sequence[Head]
) -> list[dict[str, object]]:
    """One record per box, the answer first."""
    versus = f"{visible(pair.answer)} − {visible(pair.against)}"
    answer = {
        "node": ANSWER, "layer": -1, "head": -1, "label": THE_ANSWER, "note": versus,
        "open": not opened, "spoken": f"{THE_ANSWER}, {versus}",
    }  # fmt: skip
    heads = [
        {
            "node": box[0].label,
            "layer": box[0].layer,
            "head": box[0].head,
            "label": group_name(box) if len(box) <= 3 else group_name(box).replace(", H", ","),
            "note": _shared_role(box, roles),
            "open": bool(opened) and set(opened) <= set(box),
            "spoken": listing([called(head, roles) for head in box]),
        }
        for box in box_heads(arrows)
    ]
    return [answer, *heads]


def _shared_role(box: Sequence[Head], roles: Mapping[Head, str]) -> str:
    """The role of a head; of several, the one that most of them have, and how many."""
    named = Counter(roles[head] for head in box if head in roles).most_common(1)
    if not named:
        return ""
    (role, heads), *_ = named
    return role if len(box) == 1 else f"{role} ({heads} of {len(box)})"


def paths(arrows: Sequence[Arrow]) -> list[dict[str, object]]:
    """One record per arrow; those of one box into the same end are one, with the sum of them.

    Such a sum is drawn as larger than chance if what is larger than chance makes most of it.
    """
    node = {head: box[0].label for box in box_heads(arrows) for head in box}
    joined: dict[tuple[str, str, str], list[Arrow]] = defaultdict(list)
    for arrow in arrows:
        target = node[arrow.heads[0]] if arrow.heads else ANSWER
        if node[arrow.sender] != target:
            joined[node[arrow.sender], target, arrow.input[:1]].append(arrow)
    return [
        {
            "source": source,
            "target": target,
            "entry": entry,
            "value": (share := sum(arrow.share for arrow in of)),
            "number": f"{entry} {'Σ ' * (len(of) > 1)}{signed_percent(share)}".strip(),
            "clear": 2 * abs(sum(arrow.share for arrow in of if arrow.is_clear)) >= abs(share)
            and any(arrow.is_clear for arrow in of),
            "shown": "; ".join(
                f"{path_name(arrow)}: {signed_percent(arrow.share)} of the difference, "
                f"{verdict(arrow)}"
                for arrow in of
            ),
        }
        for (source, target, entry), of in joined.items()
    ]


def signed_percent(share: float) -> str:
    """A share with its sign.

    >>> signed_percent(0.412), signed_percent(-0.004)
    ('+41%', '0%')
    """
    return f"{signed(100 * share, digits=0)}%"


def path_name(arrow: Arrow) -> str:
    """``L14H2 into the queries of L23H0``."""
    return f"{arrow.sender.label} into {receiver_words(arrow.receivers)}"


def verdict(arrow: Arrow) -> str:
    """Whether it is larger than its control, in words."""
    if arrow.is_clear:
        return "larger than chance"
    if arrow.verdict == "not_tested":
        return "nothing to compare with"
    return "not larger than chance"


def alt_text(arrows: Sequence[Arrow], roles: Mapping[Head, str], pair: Pair) -> str:
    """What the drawing shows."""
    return f"A drawing of {len(arrows)} paths. {conclusion(arrows, roles, pair)}"


# ------------------------------------------------------------------ the map of senders


def sender_records(
    found: SenderMap, *, clear: Collection[Head], drawn: Collection[Head]
) -> list[dict[str, object]]:
    """One record per head: what it sends, signed; heads that cannot send have no number.

    Args:
        found: the map.
        clear: heads whose effect is larger than their control, which get a ring.
        drawn: heads whose arrow is drawn, which get a square.
    """
    shares = found.shares
    most = max((abs(float(shares[head])) for head in found.senders), default=0.0) or 1.0
    can_send = set(found.senders)
    records = []
    for head in Head.every(*shares.shape):
        if head not in can_send:
            records.append(head_record(head, None, shown="comes too late to send anything here"))
            continue
        share = float(shares[head])
        records.append(
            head_record(
                head,
                share,
                most=most,
                number=signed_number(100 * share, 0),
                active=head in clear,
                mark="drawn" if head in drawn else "",
                shown=f"{signed_percent(share)} of the difference"
                + ", larger than chance" * (head in clear),
            )
        )
    return records


def receiver_words(receivers: Sequence[Receiver]) -> str:
    """``the queries of L23H0``; ``the queries of L23H0, H1 together``."""
    heads = [one.head for one in receivers if one.head is not None]
    if not heads:
        return THE_ANSWER
    together = " together" if len(heads) > 1 else ""
    return f"the {INPUTS[receivers[0].input]} of {group_name(heads)}{together}"


def map_sentence(found: SenderMap, clear: Sequence[Head], roles: Mapping[Head, str]) -> str:
    """Who sends most, and whether that is larger than chance."""
    into = receiver_words(found.receivers)
    if not found.senders:
        return f"No head comes before {into}."
    strongest = max(found.senders, key=lambda head: abs(float(found.shares[head])))
    share = signed_percent(float(found.shares[strongest]))
    if not clear:
        return (
            f"No head sends clearly more into {into} than the other heads of its layer; the "
            f"largest is {strongest.label} ({share})."
        )
    named = [
        f"{called(head, roles)} {signed_percent(float(found.shares[head]))}" for head in clear[:3]
    ]
    more = len(clear) - len(named)
    named += [f"{more} more"] if more else []
    return f"Larger than chance, into {into}: {listing(named)}."


# ------------------------------------------------------------------ the conclusion


def conclusion(arrows: Sequence[Arrow], roles: Mapping[Head, str], pair: Pair) -> str:
    """Who tells whom, from the first layer to the answer, as far as arrows are clear."""
    clear = [arrow for arrow in arrows if arrow.is_clear]
    if not arrows:
        return (
            "Nothing is drawn yet: click a head on the map, or let the strongest be drawn for you."
        )
    if not clear:
        return (
            "No arrow here is larger than chance: other heads of the same layers do as much along "
            "the same paths."
        )
    named: set[Head] = set()

    def name(head: Head) -> str:
        first = head not in named
        named.add(head)
        return called(head, roles) if first else head.label

    parts = []
    ends = sorted({arrow.receivers for arrow in clear if arrow.heads})
    for end in ends:
        for works, verb in ((True, "tell"), (False, "mislead")):
            senders = _senders(clear, end, works=works)
            if senders:
                who = listing([name(head) for head in senders])
                says = verb if len(senders) > 1 else f"{verb}s"
                what = TELLS[end[0].input] if works else f"about {TELLS[end[0].input]}"
                whom = listing([name(one.head) for one in end])
                parts.append(f"{who} {says} {whom} {what}")
    parts += _movers(clear, name, pair)
    return f"{'; '.join(parts)}."


def _senders(clear: Sequence[Arrow], end: Sequence[Receiver], *, works: bool) -> list[Head]:
    """The heads whose clear arrows end there, layer by layer, but for what hardly misleads."""
    return sorted(
        arrow.sender
        for arrow in clear
        if arrow.receivers == end and (arrow.share > 0 if works else arrow.share < -LEAST_MISLEADS)
    )


def _movers(clear: Sequence[Arrow], name: Callable[[Head], str], pair: Pair) -> list[str]:
    """Who moves the answer, and who moves it back."""
    parts = []
    for works in (True, False):
        heads = sorted(a.sender for a in clear if not a.heads and (a.effect > 0) == works)
        if heads:
            who = listing([name(head) for head in heads])
            total = sum(a.share for a in clear if a.sender in heads and not a.heads)
            move = "move" if len(heads) > 1 else "moves"
            towards = pair.answer if works else pair.against
            back = "" if works else "back "
            parts.append(
                f"{who} {move} the answer {back}towards {quoted(towards)} "
                f"({signed_percent(total)} of the difference)"
            )
    return parts


# ------------------------------------------------------------------ tables and files


def table_rows(arrows: Sequence[Arrow], roles: Mapping[Head, str]) -> list[list[str]]:
    """The table twin of the drawing."""
    return [
        [
            called(arrow.sender, roles),
            listing([called(head, roles) for head in arrow.heads]) or THE_ANSWER,
            INPUTS.get(arrow.input, "–"),
            _with_error(arrow.effect, arrow.error),
            signed_percent(arrow.share),
            "–"
            if arrow.control_mean is None
            else f"{signed(arrow.control_mean)} ± "
            f"{decimal(arrow.control_spread or 0.0)} ({arrow.control_heads})",
            verdict(arrow),
        ]
        for arrow in arrows
    ]


def _with_error(value: float, error: float | None) -> str:
    return signed(value) + ("" if error is None else f" ± {decimal(error)}")


def sender_rows(found: SenderMap, roles: Mapping[Head, str], *, most: int = 12) -> list[list[str]]:
    """The table twin of the map: the strongest senders."""
    order = sorted(found.senders, key=lambda head: -abs(float(found.shares[head])))
    return [
        [called(head, roles), signed(float(found.effects[head])),
         signed_percent(float(found.shares[head]))]
        for head in order[:most]
    ]  # fmt: skip


def export_rows(arrows: Sequence[Arrow], roles: Mapping[Head, str]) -> list[dict[str, object]]:
    """One row per arrow, for a file."""
    return [
        {
            "from": arrow.sender.label,
            "role": roles.get(arrow.sender, ""),
            "into": end_of(arrow),
            "input": arrow.input,
            "effect": arrow.effect,
            "share": arrow.share,
            "error": arrow.error,
            "control_mean": arrow.control_mean,
            "control_spread": arrow.control_spread,
            "control_heads": arrow.control_heads,
            "verdict": arrow.verdict,
            "larger_than_control": arrow.is_clear,
        }
        for arrow in arrows
    ]
