"""What a circuit of paths says: boxes and arrows, its table, and one sentence. Pure.

>>> conclusion(arrows, roles, pair)  # doctest: +SKIP
'L3H1 (Duplicate token) tells L14H2 (S-inhibition) where to look; L14H2 tells L23H0 ...'
"""

from __future__ import annotations

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


def node_of(receiver: Receiver) -> str:
    """The name of the box where an arrow ends."""
    return ANSWER if receiver.head is None else receiver.head.label


def heads_in(arrows: Iterable[Arrow]) -> list[Head]:
    """Every head of the drawing, the last layer first."""
    arrows = list(arrows)
    ends = [arrow.receiver.head for arrow in arrows if arrow.receiver.head is not None]
    return sorted({*(arrow.sender for arrow in arrows), *ends}, reverse=True)


def over(pairs: int) -> str:
    """What numbers are a mean over, in a sentence."""
    if pairs == 1:
        return "All numbers are of this one pair of sentences, and may differ on others."
    return f"All numbers are means over {pairs} pairs of sentences with other names."


def fewer(pairs: int, most: int) -> str:
    """Why there are fewer pairs than asked for."""
    why = "has no first names to exchange" if pairs == 1 else "loses its difference with most names"
    return f"This pair {why}, so {count(pairs, 'pair')} of {most} can be used."


# ------------------------------------------------------------------ the drawing


def boxes(
    arrows: Sequence[Arrow], roles: Mapping[Head, str], pair: Pair, *, opened: Head | None
) -> list[dict[str, object]]:
    """One record per box, the answer first."""
    versus = f"{visible(pair.answer)} − {visible(pair.against)}"
    answer = {
        "node": ANSWER, "layer": -1, "head": -1, "label": THE_ANSWER, "note": versus,
        "open": opened is None, "spoken": f"{THE_ANSWER}, {versus}",
    }  # fmt: skip
    heads = [
        {
            "node": head.label,
            "layer": head.layer,
            "head": head.head,
            "label": head.label,
            "note": roles.get(head, ""),
            "open": head == opened,
            "spoken": called(head, roles),
        }
        for head in heads_in(arrows)
    ]
    return [answer, *heads]


def paths(arrows: Sequence[Arrow]) -> list[dict[str, object]]:
    """One record per arrow."""
    return [
        {
            "source": arrow.sender.label,
            "target": node_of(arrow.receiver),
            "entry": arrow.input[:1],
            "value": arrow.share,
            "number": f"{arrow.input[:1]} {signed_percent(arrow.share)}".strip(),
            "clear": arrow.is_clear,
            "shown": f"{path_name(arrow)}: {signed_percent(arrow.share)} of the difference, "
            f"{verdict(arrow)}",
        }
        for arrow in arrows
    ]


def signed_percent(share: float) -> str:
    """A share with its sign.

    >>> signed_percent(0.412), signed_percent(-0.004)
    ('+41%', '0%')
    """
    return f"{signed(100 * share, digits=0)}%"


def path_name(arrow: Arrow) -> str:
    """``L14H2 into the queries of L23H0``."""
    if arrow.receiver.head is None:
        return f"{arrow.sender.label} into {THE_ANSWER}"
    return f"{arrow.sender.label} into the {INPUTS[arrow.input]} of {arrow.receiver.head.label}"


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
    layers, heads = shares.shape
    records = []
    for head in (Head(layer, place) for layer in range(layers) for place in range(heads)):
        if head not in can_send:
            records.append(head_record(head, None, shown="comes too late to send anything here"))
            continue
        share = float(shares[head])
        records.append(
            head_record(
                head,
                share,
                shade=abs(share) / most,
                number=signed_number(100 * share, 0),
                against=share < 0,
                active=head in clear,
                mark="drawn" if head in drawn else "",
                shown=f"{signed_percent(share)} of the difference"
                + ", larger than chance" * (head in clear),
            )
        )
    return records


def receiver_words(receiver: Receiver) -> str:
    """``the queries of L23H0``."""
    if receiver.head is None:
        return THE_ANSWER
    return f"the {INPUTS[receiver.input]} of {receiver.head.label}"


def map_sentence(found: SenderMap, clear: Sequence[Head], roles: Mapping[Head, str]) -> str:
    """Who sends most, and whether that is larger than chance."""
    (receiver,) = found.receivers
    into = receiver_words(receiver)
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
    rest = f", and {more} more" if more else ""
    return f"Larger than chance, into {into}: {listing(named)}{rest}."


# ------------------------------------------------------------------ the conclusion


def conclusion(arrows: Sequence[Arrow], roles: Mapping[Head, str], pair: Pair) -> str:
    """Who tells whom, from the first layer to the answer, as far as arrows are clear."""
    clear = [arrow for arrow in arrows if arrow.is_clear]
    if not arrows:
        return "Nothing is drawn yet: click a head on the map to put it into the drawing."
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
    ends = sorted(
        {arrow.receiver for arrow in clear if arrow.receiver.head is not None},
        key=lambda receiver: (receiver.head, receiver.input),
    )
    for receiver in ends:
        for works, verb in ((True, "tell"), (False, "mislead")):
            senders = _senders(clear, receiver, works=works)
            if senders:
                who = listing([name(head) for head in senders])
                says = verb if len(senders) > 1 else f"{verb}s"
                what = TELLS[receiver.input] if works else f"about {TELLS[receiver.input]}"
                parts.append(f"{who} {says} {name(receiver.head)} {what}")
    parts += _movers(clear, name, pair)
    return f"{'; '.join(parts)}."


def _senders(clear: Sequence[Arrow], receiver: Receiver, *, works: bool) -> list[Head]:
    """The heads whose clear arrows end there, layer by layer."""
    return sorted(a.sender for a in clear if a.receiver == receiver and (a.effect > 0) == works)


def _movers(clear: Sequence[Arrow], name: Callable[[Head], str], pair: Pair) -> list[str]:
    """Who moves the answer, and who moves it back."""
    parts = []
    for works in (True, False):
        heads = sorted(
            a.sender for a in clear if a.receiver.head is None and (a.effect > 0) == works
        )
        if heads:
            who = listing([name(head) for head in heads])
            total = sum(a.share for a in clear if a.sender in heads and a.receiver.head is None)
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
            THE_ANSWER if arrow.receiver.head is None else called(arrow.receiver.head, roles),
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
            "into": node_of(arrow.receiver),
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
