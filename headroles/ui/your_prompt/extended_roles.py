"""The extended roles on Your Prompt: bars where attention can show them, a list for the rest."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import streamlit as st

from headroles import charts, verdicts
from headroles.formatting import percent
from headroles.roles import EXTENDED_ROLES, ExtendedRole
from headroles.types import Head
from headroles.ui.app import elements, extended_maps, session
from headroles.view import extended_roles
from headroles.view.html import count, table

if TYPE_CHECKING:
    from headroles.store import ExtendedScores, ModelEntry
    from headroles.ui.app.caches import Answer


def draw(entry: ModelEntry, found: Answer) -> None:
    """Draw a card a role."""
    st.subheader("Extended roles", anchor=False)
    with st.container(key="your_prompt-extended_cards"):
        for key, scores in entry.extended.roles.items():
            role = EXTENDED_ROLES[key]
            with st.container(border=True, key=f"your_prompt-card_{key}", height="stretch"):
                if not scores.is_measured:
                    _heading(role, "not measured")
                    elements.html(f'<p class="hr-asleep">{escape(scores.reason)}</p>')
                elif role.from_attention:
                    _on_prompt(role, scores, found)
                else:
                    _from_reference(role, scores)


def _heading(role: ExtendedRole, headline: str, *, awake: bool | None = None) -> None:
    circle = {True: "●", False: "○", None: "◌"}[awake]
    meaning = {True: "awake", False: "asleep", None: "cannot be told from one prompt"}[awake]
    elements.html(
        f'<div class="hr-cardhead{" hr-awake" if awake else ""}">'
        f'<span class="hr-dot" role="img" aria-label="{meaning}">{circle}</span>'
        f'<h3>{escape(role.name)}</h3><span class="hr-count">{escape(headline)}</span></div>'
        f'<p class="hr-explain">{escape(role.explanation)}</p>'
    )


def _on_prompt(role: ExtendedRole, scores: ExtendedScores, found: Answer) -> None:
    """Bars of the listed heads on this prompt, with chance and threshold."""

    peaks = scores.profiles.peaks if scores.profiles else None
    every = verdicts.judge_heads(found.run.attention, found.run.tokens, scores)
    width = len(scores.scores[0])
    judged = [every[top.layer * width + top.head] for top in scores.top_heads]
    active = sum(one.state == "active" for one in judged)
    if not judged:
        _heading(role, "no head of this model", awake=False)
        best = max(extended_roles.records(role, scores), key=lambda one: float(one["value"]))
        elements.html(
            f'<p class="hr-asleep">The analysis lists no head. The nearest is {best["label"]} with '
            f"{percent(float(best['value']))} of its attention; it takes "
            f"{percent(scores.threshold)}.</p>"
        )
        return
    _heading(role, f"{active} of {count(len(judged), 'head')} active", awake=active > 0)
    records = [
        {
            "order": order,
            "layer": top.layer,
            "head": top.head,
            "label": Head(top.layer, top.head).label,
            "note": f"{peaks[top.layer][top.head]} back" if peaks else "",
            "value": one.value,
            "chance": one.chance,
            "threshold": scores.threshold,
            "state": one.state,
            "applies": one.rows > 0,
            "shown": one.shown,
            "reason": one.reason,
        }
        for order, (top, one) in enumerate(zip(scores.top_heads, judged, strict=True))
    ]
    chart = f"your_prompt-bars_{role.key}"
    elements.chart(
        charts.heads.head_bars(records, role),
        key=session.chart_key(chart),
        alt_text=f"{role.name}: {active} of {count(len(judged), 'head')} active. "
        + " ".join(f"{one['label']}: {one['shown']}." for one in records),
        on_select=session.on_click(chart, None),
    )
    with st.expander(
        f"All numbers ({count(len(judged), 'head')})", key=f"your_prompt-numbers_{role.key}"
    ):
        rows = [
            [
                str(one["label"]),
                str(one["shown"]),
                percent(float(one["chance"])),
                percent(float(one["threshold"])),
                str(one["reason"]),
            ]
            for one in records
        ]
        elements.html(
            table(["Head", "On this prompt", "Chance", "Threshold", ""], rows, notes=True)
        )


def _from_reference(role: ExtendedRole, scores: ExtendedScores) -> None:
    """The listed heads with their reference scores: one prompt's attention cannot tell."""
    heads = len(scores.top_heads)
    _heading(role, f"{count(heads, 'head')} listed" if heads else "no head of this model")
    if heads:
        rows = [
            [
                Head(top.layer, top.head).label,
                extended_roles.plain(role, top.score, top.standard_error),
                extended_roles.number(role, top.score),
            ]
            for top in scores.top_heads
        ]
        elements.html(table(["Head", "Measured", "In words"], rows))
    else:
        elements.html(f'<p class="hr-asleep">{escape(extended_roles.sentence(role, scores))}</p>')
    elements.html(
        f'<p class="hr-small">{escape(extended_roles.NOT_ON_A_PROMPT)} '
        f"{escape(extended_roles.out_of(role, scores))}</p>"
    )
    extended_maps.where_to_test()
