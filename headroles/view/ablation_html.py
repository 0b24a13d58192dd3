"""HTML pieces of the knock-out lab. Pure functions; typed and decoded text is escaped."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

from headroles import export
from headroles.formatting import legend, visible

if TYPE_CHECKING:
    from headroles.ablation import Moved


def logit_table(rose: Sequence[Moved], fell: Sequence[Moved]) -> str:
    """Two rows, one token per cell: what rose and what fell, with sign and number."""
    said = escape(legend(visible(moved.text) for moved in (*rose, *fell)))
    return (
        '<div class="hr-table hr-one-line" tabindex="0"><table class="hr-logits">'
        f"{_cells('▲ rose', rose)}{_cells('▼ fell', fell)}</table></div>"
        + (f'<div class="hr-small">{said}</div>' if said else "")
    )


def _cells(name: str, moved: Sequence[Moved]) -> str:

    cells = "".join(export.moved_cells(moved))
    return f'<tr><th scope="row">{name}</th>{cells or "<td>nothing</td>"}</tr>'


def facts(pairs: Sequence[tuple[str, str, str]]) -> str:
    """Small tiles: (name, number, what it is out of)."""
    tiles = "".join(
        f'<div class="hr-fact"><span>{escape(name)}</span><b>{escape(number)}</b>'
        f"<small>{escape(note)}</small></div>"
        for name, number, note in pairs
    )
    return f'<div class="hr-facts">{tiles}</div>'
