"""Token by token: choose one, and the tokens it looks at, and that look at it, are tinted.

The strip works in the browser alone (mouse, keyboard and touch), so that moving over it costs no
round trip; only a choice comes back, for the table below. Weights under 1% are not sent: they could
not be seen, and at most a hundred of a row are larger.
"""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from headroles import formatting, verdicts
from headroles.ui.app import elements
from headroles.ui.head_closeup import state
from headroles.view import html

if TYPE_CHECKING:
    from headroles.ui.head_closeup.pattern import Shown
    from headroles.verdicts import TokenLinks

SMALLEST = 0.01
"""Weights under this are neither tinted nor sent."""
NAMED = 5
"""Tokens that a sentence names at most."""

_HERE = Path(__file__).parent
_strip = st.components.v2.component(
    "headroles_token_strip",
    html='<div class="strip" role="radiogroup" aria-label="The tokens of the prompt"></div>'
    '<p class="said" aria-live="polite"></p>',
    css=(_HERE / "tokens.css").read_text(encoding="utf-8"),
    js=(_HERE / "tokens.js").read_text(encoding="utf-8"),
)


@st.fragment
def draw(drawn: Shown) -> None:
    """Draw the strip and the chosen token's table; only this part runs again on a choice."""

    st.subheader("Token by token", anchor=False)
    elements.html(
        '<div class="hr-small">Point at a token, or choose one (click, tap or arrow keys). '
        "A stronger colour means more attention.</div>"
        '<div class="hr-legend"><span><i class="hr-key hr-key-to"></i><span><b>to 34%</b>: the '
        "chosen token looks at it</span></span><span>"
        '<i class="hr-key hr-key-from"></i><span><b>from 34%</b>: '
        "it looks at the chosen token</span></span></div>"
    )
    if drawn.rest_hidden:
        elements.html(
            '<p class="hr-small"><b>The resting column is hidden and every row rescaled to 100% '
            "here too.</b></p>"
        )
    chosen = _chosen(drawn)
    _strip(
        key="head_closeup-token_strip",
        data={
            "tokens": list(drawn.labels),
            "rows": rows(drawn),
            "chosen": chosen,
            "smallest": SMALLEST,
        },
        on_token_change=_choose,
    )
    if legend := formatting.legend(drawn.labels):
        elements.html(f'<div class="hr-small">{escape(legend)}</div>')
    links = verdicts.token_links(drawn.attention, chosen)
    with st.expander(
        f"As a table: “{html.plain(drawn.labels[chosen])}” ({chosen})", key="head_closeup-links"
    ):
        said = sentence(links, drawn.labels, chosen)
        nowhere = 1 - sum(cell.weight for cell in links.looks_at)
        if nowhere >= SMALLEST and not drawn.rest_hidden:
            said += f" {formatting.percent(nowhere)} is on no token: a learned sink."
        elements.html(f"<p>{escape(said)}</p>")
        left, right = st.columns(2, gap="medium")
        with left:
            elements.html(_table("It looks at", links.looks_at, drawn.labels, place="key"))
        with right:
            elements.html(
                _table("These look at it", links.looked_at_by, drawn.labels, place="query")
            )


def _choose() -> None:
    position = st.session_state["head_closeup-token_strip"].token
    if isinstance(position, int):
        st.session_state[state.TOKEN] = position


def _chosen(drawn: Shown) -> int:
    """The chosen token if this prompt has it; else one that shows the role, else the last."""
    position = st.session_state[state.TOKEN]
    if position is not None and 0 <= position < len(drawn.labels):
        return position
    return drawn.targets[0].query if drawn.targets else len(drawn.labels) - 1


def rows(drawn: Shown) -> list[list[int]]:
    """[query] what each token looks at: key, weight in thousandths, key, weight ...

    >>> rows(drawn)[2]  # doctest: +SKIP
    [0, 250, 1, 750]
    """
    queries = []
    for query, weights in enumerate(drawn.attention.tolist()):
        queries.append(
            [
                number
                for key, weight in enumerate(weights[: query + 1])
                if weight >= SMALLEST
                for number in (key, round(weight * 1000))
            ]
        )
    return queries


def sentence(links: TokenLinks, labels: tuple[str, ...], chosen: int) -> str:
    """A token's links in words: the largest of both directions."""

    def named(cells: tuple, place: str) -> str:
        large = [cell for cell in cells if cell.weight >= SMALLEST][:NAMED]
        return formatting.listing(
            [
                f"“{labels[getattr(cell, place)]}” ({getattr(cell, place)}) "
                f"{formatting.percent(cell.weight)}"
                for cell in large
            ]
        )

    to, by = named(links.looks_at, "key"), named(links.looked_at_by, "query")
    first = f"“{labels[chosen]}” ({chosen}) looks at {to or 'nothing that is left'}."
    second = f"Tokens after it that look at it: {by}." if by else ""
    return f"{first} {second or 'No token after it looks at it with 1% or more.'}"


def _table(title: str, cells: tuple, labels: tuple[str, ...], *, place: str) -> str:
    large = [cell for cell in cells if cell.weight >= SMALLEST]
    table = html.table(
        [title, "Attention"],
        [
            [f"{labels[getattr(cell, place)]} ({getattr(cell, place)})", f"{cell.weight:.1%}"]
            for cell in large
        ],
    )
    left_out = len(cells) - len(large)
    note = f"{html.count(left_out, 'token')} with under 1%" if left_out else ""
    return table + f'<div class="hr-small">{note}</div>'
