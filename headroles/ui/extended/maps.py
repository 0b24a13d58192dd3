"""The extended roles on the head map: one map a role, signed ones in two colours and in words."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import streamlit as st

from headroles.extended_roles import EXTENDED_ROLES, RATE, ExtendedRole
from headroles.ui import pieces
from headroles.ui import state as session
from headroles.ui.extended import numbers

if TYPE_CHECKING:
    from headroles.extended_schema import ExtendedScores
    from headroles.store import ModelEntry

LEGEND = (
    '<div class="hr-legend"><span><i class="hr-key hr-key-active"></i>+ writes for the token'
    '</span><span><i class="hr-key hr-key-against"></i>− writes against it</span>'
    '<span><i class="hr-key hr-key-dot"></i>a listed head of the role</span></div>'
    '<div class="hr-small">Percent where a role is a share; logits, with their sign, where it is '
    "what a head writes: +1 makes the token 2.7 times as likely against the others, −1 that much "
    "less likely. Shades are each map's own.</div>"
)


def draw(entry: ModelEntry) -> None:
    """Draw the legend, then a card a role."""
    st.subheader("Extended roles", anchor=False)
    pieces.html(LEGEND)
    with st.container(key="extended_maps"):
        for key, scores in entry.extended.roles.items():
            with st.container(border=True, key=f"map_card_{key}", height="stretch"):
                card(EXTENDED_ROLES[key], scores, place="map")


def card(role: ExtendedRole, scores: ExtendedScores, *, place: str, clickable: bool = True) -> None:
    """One role: what it is, its map, what its numbers are out of; or why there is none."""
    pieces.html(f'<div class="hr-cardhead"><h3>{escape(role.name)}</h3></div>')
    pieces.html(f'<p class="hr-explain">{escape(role.explanation)}</p>')
    if not scores.is_measured:
        pieces.html(
            f'<p class="hr-asleep">Not measured for this model: {escape(scores.reason)}</p>'
        )
        return
    said = numbers.sentence(role, scores)
    pieces.html(f'<p class="hr-explain"><b>{escape(said)}</b></p>')
    alt_text = f"{role.name}: {said}"
    chart(role, scores, key=f"{place}_{role.key}", alt_text=alt_text, clickable=clickable)
    out_of = escape(numbers.out_of(role, scores))
    pieces.html(f'<div class="hr-small">{out_of} {escape(role.caution)}</div>')
    with st.expander("How it is measured", type="compact", key=f"how_{place}_{role.key}"):
        st.markdown(
            f"**Formula**: {role.formula}\n\n**Control**: {role.control_name}\n\n"
            f"**Threshold**: {scores.threshold_reason}\n\n**Source**: {role.source}"
        )
        _table(role, scores)


def chart(
    role: ExtendedRole,
    scores: ExtendedScores,
    *,
    key: str,
    alt_text: str,
    clickable: bool = True,
) -> None:
    """The map of one role; a click leads to the head's close-up."""
    from headroles import charts, extended_charts

    found = numbers.records(role, scores)
    shared = {
        "opened": st.session_state[session.HEAD] if clickable else None,
        "clickable": clickable,
    }
    if role.is_signed:
        limit = max(0.1, *(abs(float(one["value"])) for one in found))
        drawing = extended_charts.signed_map(found, limit=limit, title="direct effect", **shared)
    else:
        title = "share of the words" if role.unit == RATE else f"attention on {role.looks_at}"
        drawing = charts.head_map(found, role, small=True, title=title, **shared)
    pieces.chart(
        drawing,
        key=session.chart_key(key),
        alt_text=alt_text,
        on_select=session.on_click(key, None) if clickable else None,
    )


def _table(role: ExtendedRole, scores: ExtendedScores) -> None:
    """The table twin: the listed heads, or the furthest ones where none is listed."""
    from headroles.types import Head
    from headroles.ui.text import table

    sign = role.sign or 1
    every = [
        Head(layer, place) for layer, row in enumerate(scores.scores) for place in range(len(row))
    ]
    every.sort(key=lambda head: -sign * scores.scores[head.layer][head.head])
    shown = every[: max(8, len(scores.top_heads))]
    rows = [
        [
            head.label,
            numbers.plain(
                role,
                scores.scores[head.layer][head.head],
                scores.standard_errors[head.layer][head.head],
            ),
            numbers.plain(
                role,
                scores.control[head.layer][head.head],
                scores.control_errors[head.layer][head.head],
            ),
            "listed" if head in numbers.listed(scores) else "–",
            *numbers.offset_words(scores, head)[:1],
            *(
                numbers.plain(role, matrix[head.layer][head.head])
                for matrix in scores.details.values()
            ),
        ]
        for head in shown
    ]
    peaks = ["Peak"] if scores.profiles else []
    details = [name.capitalize() for name in scores.details]
    pieces.html(table(["Head", "Score", "Control", "Listed", *peaks, *details], rows))
