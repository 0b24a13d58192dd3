"""HTML pieces of the knock-out lab. Pure functions; whatever was typed or decoded is escaped."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from html import escape
from typing import TYPE_CHECKING

from headroles.ui.text import visible

if TYPE_CHECKING:
    from headroles.knockouts import Moved
    from headroles.types import Encoding


def marked_strip(
    encoding: Encoding, marked: Collection[int], *, word: str, before: bool = True
) -> str:
    """The prompt with the positions of a knock-out marked, and the ones just before them.

    Args:
        encoding: the prompt.
        marked: positions.
        word: what is said of them, e.g. ``off here``.
        before: whether the token before each is marked as well.
    """
    boxes = []
    for place, token in enumerate(encoding.tokens):
        text = escape(visible(token)) if place else "start"
        if place in marked:
            kind, note = " hr-cut", word
        elif before and place + 1 in marked:
            kind, note = " hr-prev", "one before"
        else:
            kind, note = "", ""
        sup = f"<sup>{escape(note)}</sup>" if note else ""
        said = f"position {place}{f' · {note}' if note else ''}"
        boxes.append(
            f'<span class="hr-token{kind}" title="{escape(said)}"><bdi>{text}</bdi>{sup}</span>'
        )
    return (
        '<div class="hr-strip" role="group" aria-label="The tokens of the prompt">'
        f"{''.join(boxes)}</div>"
    )


def logit_table(rose: Sequence[Moved], fell: Sequence[Moved]) -> str:
    """Two rows of cells, a token a cell: what rose, and what fell, with sign and number."""
    return (
        '<div class="hr-table hr-one-line" tabindex="0"><table class="hr-logits">'
        f"{_cells('▲ rose', rose, 'up')}{_cells('▼ fell', fell, 'down')}</table></div>"
    )


def _cells(name: str, moved: Sequence[Moved], kind: str) -> str:
    cells = "".join(
        f'<td class="hr-{kind}"><bdi>{escape(visible(one.text))}</bdi>'
        f"<small>{'▲' if one.change > 0 else '▼'} {one.change:+.2f}</small></td>"
        for one in moved
    )
    return f'<tr><th scope="row">{name}</th>{cells or "<td>nothing</td>"}</tr>'


def facts(pairs: Sequence[tuple[str, str, str]]) -> str:
    """Small tiles: (name, number, what it is out of)."""
    tiles = "".join(
        f'<div class="hr-fact"><span>{escape(name)}</span><b>{escape(number)}</b>'
        f"<small>{escape(note)}</small></div>"
        for name, number, note in pairs
    )
    return f'<div class="hr-facts">{tiles}</div>'
