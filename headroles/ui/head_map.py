"""All heads on this prompt: the map of layers and heads for one role."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import streamlit as st

from headroles.roles import ROLES, SCORED_ROLES, Role
from headroles.types import Head
from headroles.ui import pieces, state, text, view

if TYPE_CHECKING:
    from headroles.head_detection import PromptScores
    from headroles.ui.caches import Reference

CHART = "head_map"


def draw(scores: PromptScores, reference: Reference) -> None:
    """Draw the role picker, the map, its scale and its table."""
    key = st.segmented_control(
        "Role",
        [role.key for role in SCORED_ROLES],
        format_func=lambda name: ROLES[name].name,
        key=state.MAP_ROLE,
        default="induction",
        required=True,
        persist_state="session",
        on_change=state.close_pattern,
    )
    role = ROLES[key or "induction"]
    records = _records(role, scores, reference)
    active = [record for record in records if record["active"]]
    sentence = view.map_alt(
        role,
        active=len(active),
        listed_active=sum(record["listed"] for record in active) if reference.entry else None,
        total=len(records),
    )
    pieces.html(
        f'<p class="hr-explain">{escape(role.explanation)}</p>'
        f"<p><b>{escape(sentence)}</b> {escape(_why_nobody(role, scores, reference))}</p>"
    )
    left, right = st.columns([3, 2], gap="medium")
    with left:
        _map(records, role, sentence)
    with right:
        _legend(role, scores, reference)
    with st.expander("As a table"):
        pieces.html(
            text.table(
                ["Head", "On this prompt", "Listed"],
                [
                    [
                        str(record["label"]),
                        str(record["shown"]),
                        "listed" if record["listed"] else "–",
                    ]
                    for record in records
                ],
            )
        )


def _records(role: Role, scores: PromptScores, reference: Reference) -> list[dict[str, object]]:
    from headroles.head_detection import judge

    layers, heads = scores.resting.shape
    listed = view.listed_heads(reference.entry, role.key)
    records = []
    for head in (Head(layer, number) for layer in range(layers) for number in range(heads)):
        verdict = judge(head, role.key, scores, reference.thresholds[role.key])
        row = {
            "state": verdict.state,
            "activation_score": verdict.activation.value,
            "rows": verdict.activation.rows,
        }
        records.append(
            {
                "layer": head.layer,
                "head": head.head,
                "label": head.label,
                "value": verdict.activation.value,
                "active": verdict.is_active,
                "listed": head in listed,
                "shown": view.shown(row),
            }
        )
    return records


def _why_nobody(role: Role, scores: PromptScores, reference: Reference) -> str:
    """Why the prompt lets no head be judged; empty where it does."""
    from headroles.head_detection import judge

    # What keeps one head from being judged keeps every head, so the first one speaks for all.
    first = judge(Head(0, 0), role.key, scores, reference.thresholds[role.key])
    return first.reason if first.state in ("not_applicable", "too_short") else ""


def _map(records: list[dict[str, object]], role: Role, sentence: str) -> None:
    from headroles import charts

    opened = st.session_state[state.OPENED]
    pieces.chart(
        charts.head_map(records, role, opened=opened.head if opened else None),
        key=state.chart_key(CHART),
        alt_text=sentence,
        on_select=state.on_click(CHART, role.key),
    )
    st.caption("Click a head to see where it looks. The numbers are percent.")


def _legend(role: Role, scores: PromptScores, reference: Reference) -> None:
    from headroles.charts import share_title

    chance = scores.activations[role.key].chance
    threshold = reference.thresholds[role.key]
    applies = scores.activations[role.key].rows > 0
    meaning = "perfectly even" if not role.has_cells else "chance"
    ticks = f'<b class="hr-threshold" style="left:{threshold:.1%}"></b>'
    if applies:
        ticks += f'<b class="hr-chance" style="left:calc({chance:.1%} - 1px)"></b>'
    pieces.html(
        f'<div class="hr-small"><b>{escape(share_title(role).capitalize())}</b></div>'
        f'<div class="hr-scale" role="img" aria-label="0% to 100%; threshold {threshold:.0%}; '
        f'{meaning} {chance:.0%}"><span style="left:0;top:0">0%</span>'
        f'<span style="right:0;top:0">100%</span><div class="hr-scale-bar"></div>{ticks}</div>'
        '<div class="hr-legend">'
        + (
            f'<span><i class="hr-key hr-key-chance"></i>{meaning} {chance:.0%}</span>'
            if applies
            else ""
        )
        + f'<span><i class="hr-key hr-key-threshold"></i>threshold {threshold:.0%}'
        f"{'' if reference.entry else ' (provisional)'}</span>"
        + '<span><i class="hr-key hr-key-ring"></i>active on this prompt</span>'
        + (
            '<span><i class="hr-key hr-key-dot"></i>a listed head of this role</span>'
            if reference.entry
            else ""
        )
        + "</div>"
    )
