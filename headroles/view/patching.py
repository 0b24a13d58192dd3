"""What a pair of prompts and its patches say: records, tables and sentences. Pure.

>>> pair_sentence(pair)  # doctest: +SKIP
'After the first sentence “·Mary” leads “·John” by 2.10 logits; after the second it is 1.50 behind.'
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from html import escape
from typing import TYPE_CHECKING

from headroles.formatting import count, decimal, listing, percent, quoted, signed, visible
from headroles.types import Head
from headroles.view.head_records import head_record, signed_number

if TYPE_CHECKING:
    from headroles.ablation import Beside, Pair, Patched

CLEAR = 0.05
"""A share of less than five of a hundred is not named in a conclusion."""
MOST_NAMED = 2
"""Most positions that a sentence names."""
WORDS = {
    "denoise": ("first", "second", "brings back"),
    "noise": ("second", "first", "takes away"),
}
"""{direction: whose output is put in, which sentence runs, what that does to the difference}."""


def lead(pair: Pair, difference: float) -> str:
    """Which answer is ahead, and by how much."""
    ahead, behind = pair.answer, pair.against
    if difference < 0:
        ahead, behind = behind, ahead
    return f"{quoted(ahead)} leads {quoted(behind)} by {decimal(abs(difference))} logits"


def pair_sentence(pair: Pair) -> str:
    """How far the model tells the two sentences apart, in logits."""
    first, second = pair.first_difference, pair.second_difference
    return (
        f"After the first sentence {lead(pair, first)}; after the second {lead(pair, second)}. "
        f"That makes a difference of {decimal(pair.gap)} logits."
    )


def doubt(pair: Pair) -> str:
    """That the model does not prefer the right answer after both sentences."""
    return (
        f"The model does not say both: its own guess is {quoted(pair.first_guess)} after the first "
        f"and {quoted(pair.second_guess)} after the second. Shares are of the difference all the "
        "same."
    )


def token_label(pair: Pair, position: int, *, labels: Sequence[str]) -> str:
    """A token of the pair: both, where they differ."""
    one, other = pair.first.tokens[position], pair.second.tokens[position]
    return labels[position] if one == other else f"{visible(one)}|{visible(other)}"


def token_names(pair: Pair) -> list[str]:
    """[position] the tokens for an axis; ``·Mary|·John`` where the sentences differ."""
    labels = ["start", *(visible(token) for token in pair.first.tokens[1:])]
    return [token_label(pair, at, labels=labels) for at in range(pair.length)]


def aligned(pair: Pair) -> str:
    """HTML: the tokens of both sentences one below the other; those that differ are marked."""
    differ = set(pair.differ)
    head = "".join(f'<th scope="col">{at}</th>' for at in range(pair.length))
    lines = "".join(
        f'<tr><th scope="row">{name}</th>'
        + "".join(_token(encoding.tokens, at, differ) for at in range(pair.length))
        + "</tr>"
        for name, encoding in (("first", pair.first), ("second", pair.second))
    )
    return (
        '<div class="hr-aligned" tabindex="0" role="group" aria-label="The tokens of both '
        f'sentences"><table><thead><tr><th scope="col">position</th>{head}</tr></thead>'
        f"<tbody>{lines}</tbody></table></div>"
    )


def _token(tokens: Sequence[str], at: int, differ: set[int]) -> str:
    text = "start" if at == 0 else escape(visible(tokens[at]))
    return f"<td><mark>≠ <bdi>{text}</bdi></mark></td>" if at in differ else f"<td>{text}</td>"


# ------------------------------------------------------------------ maps


def _most(patched: Patched) -> float:
    """The largest share, of which the shades are shares."""
    return max(float(patched.share.abs().max()), 1e-9)


def head_records(
    patched: Patched, *, chosen: Sequence[Head] = (), clear: Collection[Head] = ()
) -> list[dict[str, object]]:
    """One record per head for the map: its share, signed.

    Args:
        patched: every head by itself.
        chosen: heads that get a square.
        clear: heads whose share is larger than its control, which get a ring.
    """
    most, verb = _most(patched), WORDS[patched.direction][2]
    records = []
    for row, shares in zip(patched.rows, patched.share.tolist(), strict=True):
        for head, share in zip(row, shares, strict=True):
            records.append(
                head_record(
                    head,
                    share,
                    most=most,
                    number=signed_number(100 * share, 0),
                    active=head in clear,
                    mark="looked at below" if head in chosen else "",
                    shown=f"{verb} {percent(share)} of the difference",
                )
            )
    return records


def position_records(patched: Patched) -> list[dict[str, object]]:
    """One record per row (a head or a layer) and position, signed."""
    most, names, labels = _most(patched), row_names(patched), token_names(patched.pair)
    return [
        {
            "row": names[at],
            "position": position,
            "value": round(share, 4),
            "shade": abs(share) / most,
            "number": signed_number(100 * share, 0),
            "against": share < 0,
            "shown": f"{names[at]} at {labels[position]} ({position}): {percent(share)}",
        }
        for at, shares in enumerate(patched.share.tolist())
        for position, share in enumerate(shares)
        if position >= patched.pair.start
    ]


def strongest_cell(patched: Patched) -> str:
    """The share of the cell with the strongest colour."""
    return percent(_most(patched))


def position_alt(patched: Patched) -> str:
    """The take-away of a map by position: its strongest cell."""
    names, labels = row_names(patched), token_names(patched.pair)
    at, column = divmod(int(patched.share.abs().argmax()), patched.pair.length)
    share, start = float(patched.share[at, column]), patched.pair.start
    return (
        f"{count(len(names), 'row')} by {count(patched.pair.length - start, 'token')}, "
        f"from position {start}, where the sentences first differ. The strongest is "
        f"{names[at]} at {labels[column]}: {percent(share)} of the difference."
    )


def row_names(patched: Patched) -> list[str]:
    """[row] ``L14H2`` for a head, ``layer 14`` for a whole layer."""
    return [row[0].label if len(row) == 1 else f"layer {row[0].layer}" for row in patched.rows]


def ranked(patched: Patched) -> list[tuple[Head, float]]:
    """Every head with its share, the largest effect first."""
    pairs = [
        (head, share)
        for row, shares in zip(patched.rows, patched.share.tolist(), strict=True)
        for head, share in zip(row, shares, strict=True)
    ]
    return sorted(pairs, key=lambda one: -abs(one[1]))


def places_of(patched: Patched, row: int) -> list[tuple[int, float]]:
    """Where a row of a map by position matters: (position, share), the largest first."""
    shares = list(enumerate(patched.share[row].tolist()))
    clear = [(at, share) for at, share in shares if abs(share) >= CLEAR]
    return sorted(clear, key=lambda one: -abs(one[1]))


# ------------------------------------------------------------------ sentences


def heads_sentence(
    patched: Patched, by_position: Patched | None = None, beside: Sequence[Beside] = ()
) -> str:
    """What the strongest head carries of the difference, and where it matters.

    Args:
        patched: every head by itself.
        by_position: some of the heads at each position, if that was run.
        beside: some of the heads beside their control, if that was run.
    """
    taken, runs, verb = WORDS[patched.direction]
    by_share = sorted(ranked(patched), key=lambda one: -one[1])
    (head, share), (other, least) = by_share[0], by_share[-1]
    gap = decimal(patched.pair.gap)
    against = f" {other.label} works against it ({percent(least)})." if least <= -CLEAR else ""
    if share < CLEAR:
        return (
            f"No single head carries the difference: {head.label}, the strongest, {verb} "
            f"{percent(max(share, 0.0))} of {gap} logits.{against}"
        )
    return (
        f"Putting {head.label}’s output of the {taken} sentence into the {runs} {verb} "
        f"{percent(share)} of the difference ({decimal(share * patched.pair.gap)} of {gap} logits)"
        f"{_where(head, by_position)}.{_beside(head, beside)}{against}"
    )


def _beside(head: Head, beside: Sequence[Beside]) -> str:
    """`` That is larger than its control (1% ± 2%).``; empty where that was not run."""
    own = next((one for one in beside if one.head == head), None)
    if own is None or own.verdict == "not_tested":
        return ""
    larger = "is" if own.verdict == "holds_up" else "is not clearly"
    return f" That {larger} larger than its control ({_spread(own)})."


def _spread(beside: Beside) -> str:
    return f"{percent(beside.control_mean)} ± {percent(beside.control_spread)}"


def control_sentence(beside: Sequence[Beside], words: Sequence[str], direction: str) -> str:
    """What was exchanged, how often, and how many heads are larger than that."""
    clear = sum(one.verdict == "holds_up" for one in beside)
    tries = beside[0].exchanges
    verb = WORDS[direction][2]
    return (
        f"Control: the sentence that runs lends its own outputs, with {quoted(words[0])} exchanged "
        f"for {count(tries, 'other word')}, which should not matter. {clear} of "
        f"{count(len(beside), 'head')} {'does' if clear == 1 else 'do'} clearly more than that; "
        f"the strongest control {verb} {percent(max(abs(one.control_mean) for one in beside))}."
    )


CONTROL_HEADERS = ("Head", "Share", "Control", "Exchanges", "Verdict")


def control_rows(beside: Sequence[Beside]) -> list[list[str]]:
    """The table of the control."""
    words = {"holds_up": "larger than chance", "not_tested": "nothing to compare with"}
    return [
        [one.head.label, percent(one.share), _spread(one), str(one.exchanges),
         words.get(one.verdict, "not larger than chance")]
        for one in beside
    ]  # fmt: skip


def _where(head: Head, by_position: Patched | None) -> str:
    """``; it matters at “·John”``; empty where that was not run."""
    if by_position is None or (head,) not in by_position.rows:
        return ""
    names = token_names(by_position.pair)
    places = places_of(by_position, by_position.rows.index((head,)))[:MOST_NAMED]
    if not places:
        return "; no single position shows it"
    named = [f"“{names[at]}”, position {at} ({percent(share)})" for at, share in places]
    return f"; it matters at {listing(named)}"


def layers_sentence(patched: Patched) -> str:
    """From which token to which the information moves, layer by layer."""
    names, shares = token_names(patched.pair), patched.share
    best = [
        (layer, int(row.argmax()), float(row.max()))
        for layer, row in enumerate(shares)
        if float(row.max()) >= CLEAR
    ]
    if not best:
        return "No layer’s heads at a single token carry a clear part of the difference."
    runs: list[list[tuple[int, int, float]]] = []
    for one in best:
        if runs and runs[-1][-1][1] == one[1]:
            runs[-1].append(one)
        else:
            runs.append([one])
    strongest = sorted(runs, key=lambda run: -max(share for *_, share in run))[:3]
    parts = []
    for run in sorted(strongest, key=lambda run: run[0][0]):
        layer, at, share = max(run, key=lambda one: one[2])
        parts.append(f"those of layer {layer} {percent(share)} at “{names[at]}”, position {at}")
    return f"All heads of a layer together, at one token, carry most here: {'; '.join(parts)}."


# ------------------------------------------------------------------ tables and files

HEADERS = ("Head", "Share", "Logits")
"""The columns of :func:`head_rows`."""


def head_rows(patched: Patched, *, most: int = 12) -> list[list[str]]:
    """The table twin of the head map: the strongest heads."""
    return [
        [head.label, percent(share), signed(share * patched.pair.gap)]
        for head, share in ranked(patched)[:most]
    ]


def position_rows(patched: Patched) -> tuple[list[str], list[list[str]]]:
    """The table twin of a map by position: headers and rows."""
    start = patched.pair.start
    headers = ["", *(f"{at} {name}" for at, name in enumerate(token_names(patched.pair)))]
    rows = [
        [name, *(percent(share) for share in shares[start:])]
        for name, shares in zip(row_names(patched), patched.share.tolist(), strict=True)
    ]
    return [headers[0], *headers[1 + start :]], rows


def export_rows(patched: Patched) -> list[dict[str, object]]:
    """One row per number, for a file."""
    names, labels = row_names(patched), token_names(patched.pair)
    rows = []
    for at, shares in enumerate(patched.share.tolist()):
        for column, share in enumerate(shares):
            if patched.by_position:
                place = {"what": names[at], "position": column, "token": labels[column]}
            else:
                head = patched.rows[at][column]
                place = {"what": head.label, "layer": head.layer, "head": head.head}
            logits = float(patched.differences[at][column])
            rows.append({**place, "share": share, "logit_difference": logits})
    return rows
