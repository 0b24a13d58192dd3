"""What keeps an induction head from being perfect, in words, rows and records. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from headroles.formatting import percent, signed
from headroles.view.component_pairs import name_of

if TYPE_CHECKING:
    from headroles.ablation.component_errors import Errors, Pushing, WrongCell

NAMES = {
    "right": "behind an earlier copy: right",
    "first": "the first token",
    "itself": "itself",
    "previous": "the token before",
    "same": "an earlier copy of itself",
    "beside": "next to a right token",
    "other": "an unrelated token",
}
"""{kind of cell: what it is called}."""
HOW = (
    "Random tokens that come twice leave an induction head nothing to go by but the first copy. In "
    "the second copy, each token stood once before, and a perfect induction head would put all of "
    "its attention on the token **behind** that earlier copy.\n\n"
    "A *wrong cell* is attention to another token. Why is it there? The attention of a row is a "
    "softmax of scores, and the ratio of two cells is e to the difference of their scores. Each "
    "score is a sum over pairs of a query component and a key component, with the inner "
    "activations that the two tokens have here. So a pair **pushes** attention to the wrong token "
    "by what it adds to the score there, less what it adds at the right token. A push of +1 makes "
    "the wrong cell 2.7 times as large beside the right one; below zero the pair holds it back."
)


def share_records(found: Errors) -> list[dict[str, object]]:
    """Bars: where the attention goes."""
    shares = {"right": found.right, **found.shares}
    return [
        {
            "order": order,
            "name": NAMES[name],
            "share": share,
            "shown": percent(share),
            "right": name == "right",
        }
        for order, (name, share) in enumerate(shares.items())
    ]


def sentence(found: Errors) -> str:
    """Where it looks, and where it goes wrong most (plain text)."""
    name, most = max(found.shares.items(), key=lambda item: item[1])
    wrong = sum(found.shares.values())
    lead = (
        f"{found.head.label} puts {percent(found.right)} of its attention on the right tokens and "
        f"{percent(wrong)} on others"
    )
    if wrong <= 0:
        return f"{lead}."
    where = "unrelated tokens" if name == "other" else NAMES[name]
    rest = " Looking there is how a head rests." if name == "first" else ""
    return f"{lead}, most of that on {where} ({percent(most)}).{rest}"


def cell_label(cell: WrongCell, tokens: Sequence[str]) -> str:
    """A wrong cell as an entry of a list: which token looks at which."""
    return (
        f"{percent(cell.attention)}: {tokens[cell.query]} ({cell.query}) looks at "
        f"{tokens[cell.key]} ({cell.key}) in text {cell.text + 1}"
    )


def cell_sentence(cell: WrongCell, layer: int, tokens: Sequence[str]) -> str:
    """Where the head looks, where it should, and what pushes it (plain text)."""
    first = cell.pushing[0] if cell.pushing and cell.pushing[0].push > 0 else None
    push = (
        f" {_name(layer, first)} pushes most ({signed(first.push)})." if first is not None else ""
    )
    return (
        f"{tokens[cell.query]} at {cell.query} looks at {tokens[cell.key]} at {cell.key} "
        f"({NAMES[cell.what]}) with {percent(cell.attention)}, and with "
        f"{percent(cell.attention_right)} where it should: at {tokens[cell.right]} at "
        f"{cell.right}. In all, the scores differ by {signed(cell.total.push)}.{push}"
    )


def _name(layer: int, one: Pushing) -> str:
    return "biases" if one.pair is None else name_of(layer, one.pair)


def _others(cell: WrongCell) -> tuple[float, float]:
    """What all pairs add that are not named, there and at the right token."""
    named = [*cell.pushing, cell.biases]
    there = cell.total.there - sum(one.there for one in named)
    return there, cell.total.right - sum(one.right for one in named)


def push_records(cell: WrongCell, layer: int) -> list[dict[str, object]]:
    """Bars: the named pairs, the biases, all other pairs, and the sum."""
    there, right = _others(cell)
    named = [
        *((_name(layer, one), one.push, False) for one in cell.pushing),
        ("biases", cell.biases.push, False),
        ("all other pairs", there - right, False),
        ("sum", cell.total.push, True),
    ]
    return [
        {
            "order": order,
            "name": name,
            "value": value,
            "against": value < 0,
            "whole": whole,
            "shown": signed(value),
        }
        for order, (name, value, whole) in enumerate(named)
    ]


def push_table(cell: WrongCell, layer: int) -> tuple[list[str], list[list[str]]]:
    """The table twin of those bars."""
    others = _others(cell)
    named = [
        *((_name(layer, one), one.there, one.right) for one in cell.pushing),
        ("biases", cell.biases.there, cell.biases.right),
        ("all other pairs", *others),
        ("sum", cell.total.there, cell.total.right),
    ]
    rows = [
        [name, signed(there), signed(right), signed(there - right)] for name, there, right in named
    ]
    return ["Pair", "Score there", "Score at the right token", "Push"], rows


def cell_table(found: Errors, tokens: Sequence[Sequence[str]]) -> tuple[list[str], list[list[str]]]:
    """All wrong cells that were looked at closely."""
    headers = ["Attention", "On the right ones", "Token", "Looks at", "Which is", "Pushed most by"]
    rows = []
    for cell in found.cells:
        own = tokens[cell.text]
        best = cell.pushing[0] if cell.pushing else None
        rows.append(
            [
                percent(cell.attention),
                percent(cell.attention_right),
                f"{own[cell.query]} ({cell.query}), text {cell.text + 1}",
                f"{own[cell.key]} ({cell.key})",
                NAMES[cell.what],
                "–"
                if best is None or best.push <= 0
                else f"{_name(found.head.layer, best)} ({signed(best.push)})",
            ]
        )
    return headers, rows


def export_rows(found: Errors, tokens: Sequence[Sequence[str]]) -> list[dict[str, object]]:
    """One row per wrong cell and named part."""
    rows = []
    for number, cell in enumerate(found.cells):
        own = tokens[cell.text]
        for one in (*cell.pushing, cell.biases, cell.total):
            whole = one is cell.total
            rows.append(
                {
                    "cell": number,
                    "text": cell.text,
                    "query_position": cell.query,
                    "query_token": own[cell.query],
                    "key_position": cell.key,
                    "key_token": own[cell.key],
                    "right_position": cell.right,
                    "kind": cell.what,
                    "attention": cell.attention,
                    "attention_on_right": cell.attention_right,
                    "part": "sum" if whole else _name(found.head.layer, one),
                    "score_there": one.there,
                    "score_at_right": one.right,
                    "push": one.push,
                }
            )
    return rows
