"""The extended roles on the head map: one map a role, signed ones in two colours and in words."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import streamlit as st

from headroles import charts
from headroles.roles import EXTENDED_ROLES, RATE, ExtendedRole
from headroles.types import Head
from headroles.ui.app import elements, session
from headroles.view import extended_roles
from headroles.view.html import count, plain, table

if TYPE_CHECKING:
    from collections.abc import Collection

    from headroles.store import ExtendedScores, ModelEntry
    from headroles.types import PromptRun

LEGEND = (
    '<div class="hr-legend"><span><i class="hr-key hr-key-active"></i>+ writes for the token'
    '</span><span><i class="hr-key hr-key-against"></i>− writes against it</span>'
    '<span><i class="hr-key hr-key-dot"></i>a listed head of the role</span>{papers}</div>'
    '<div class="hr-small">Percent where a role is a share; logits, with their sign, where it is '
    "what a head writes: +1 makes the token 2.7 times as likely against the others, −1 that much "
    "less likely. Shades are each map's own.</div>"
)
ON_PROMPT = (
    '<div class="hr-legend"><span><i class="hr-key hr-key-ring"></i>active on this prompt</span>'
    '<span><i class="hr-key hr-key-dot"></i>a listed head of the role</span>{papers}</div>'
)
PAPERS = '<span><i class="hr-key hr-key-named"></i>named for the role by papers</span>'


def draw(entry: ModelEntry, run: PromptRun | None = None) -> None:
    """Draw the legend, then a card a role: as measured beforehand, or on a prompt."""
    if run is None:
        _stored(entry)
    else:
        _on_prompt(entry, run)


def _stored(entry: ModelEntry) -> None:
    st.subheader("Extended roles", anchor=False)
    elements.html(LEGEND.format(papers=PAPERS * _any_named(entry)))
    with st.container(key="app-extended_maps"):
        for key, scores in entry.extended.roles.items():
            with st.container(border=True, key=f"app-map_card_{key}", height="stretch"):
                card(EXTENDED_ROLES[key], scores, place="app-map", model=entry.model_name)


def _on_prompt(entry: ModelEntry, run: PromptRun) -> None:
    """Maps of the roles that attention can show; the others say why not."""
    st.subheader("Extended roles on this prompt", anchor=False)
    elements.html(ON_PROMPT.format(papers=PAPERS * _any_named(entry)))
    with st.container(key="app-extended_maps"):
        for key, scores in entry.extended.roles.items():
            with st.container(border=True, key=f"app-map_card_{key}", height="stretch"):
                _card_on_prompt(EXTENDED_ROLES[key], scores, run)


def _any_named(entry: ModelEntry) -> bool:
    named = (
        extended_roles.by_papers(entry.model_name, EXTENDED_ROLES[key]) for key in EXTENDED_ROLES
    )
    return any(named)


def _card_on_prompt(role: ExtendedRole, scores: ExtendedScores, run: PromptRun) -> None:

    _heading(role)
    if not scores.is_measured:
        _not_measured(scores)
        return
    if not role.from_attention:
        elements.html(f'<p class="hr-asleep">{escape(extended_roles.NOT_ON_A_PROMPT)}</p>')
        where_to_test()
        return
    named = extended_roles.by_papers(run.model_name, role)
    found = extended_roles.on_prompt(role, scores, run, papers=named)
    elements.html(f'<p class="hr-explain"><b>{escape(found.sentence)}</b></p>')
    key = f"app-prompt_map_{role.key}"
    elements.chart(
        charts.heads.head_map(
            found.records, role, small=True, opened=st.session_state[session.HEAD]
        ),
        key=session.chart_key(key),
        alt_text=f"{role.name}: {found.sentence}",
        on_select=session.on_click(key, None),
    )
    far = ""
    if found.unjudged:
        far = f" For {count(found.unjudged, 'head')} that look far back it is too short to tell."
    own = " (of the heads' own distances, on average)" if scores.profiles else ""
    elements.html(
        f'<div class="hr-small">Attention on {escape(role.looks_at)}: an even spread '
        f"{found.chance:.0%}{own}, threshold {scores.threshold:.0%}. A head is active clearly "
        f"over both.{far}</div>"
    )


def where_to_test() -> None:
    """The way to a test of what a head writes on the present prompt."""
    said = "To test it on this prompt, switch the head off and look at what changes"
    elements.html(f'<p class="hr-small">{said} in the Knock-out lab.</p>')


def of_papers(model: str) -> None:
    """Without an analysis: the heads that papers name for the extended roles, if any do."""
    named = {
        role.name: (role, found)
        for role in EXTENDED_ROLES.values()
        if (found := extended_roles.by_papers(model, role))
    }
    if not named:
        return
    elements.html('<p class="hr-explain">Papers name these heads of the model for them:</p>')
    rows = [
        [name, head.label, f"From the literature, not measured here: {source}."]
        for name, (_, found) in named.items()
        for head, source in found.items()
    ]
    elements.html(table(["Role", "Head"], rows, notes=True))


def _heading(role: ExtendedRole) -> None:
    elements.html(f'<div class="hr-cardhead"><h3>{escape(role.name)}</h3></div>')
    elements.html(f'<p class="hr-explain">{escape(role.explanation)}</p>')


def _not_measured(scores: ExtendedScores) -> None:
    said = f"Not measured for this model: {scores.reason}"
    elements.html(f'<p class="hr-asleep">{escape(said)}</p>')


def card(
    role: ExtendedRole,
    scores: ExtendedScores,
    *,
    place: str,
    model: str = "",
    clickable: bool = True,
) -> None:
    """One role: what it is, its map, what its numbers are out of; or why there is none."""
    _heading(role)
    if not scores.is_measured:
        _not_measured(scores)
        return
    said = extended_roles.sentence(role, scores)
    elements.html(f'<p class="hr-explain"><b>{escape(said)}</b></p>')
    named = extended_roles.by_papers(model, role)
    chart(role, scores, key=f"{place}_{role.key}", alt_text=f"{role.name}: {said}",
          papers=named, clickable=clickable)  # fmt: skip
    out_of = escape(extended_roles.out_of(role, scores))
    elements.html(f'<div class="hr-small">{out_of} {escape(role.caution)}</div>')
    with st.expander("How it is measured", type="compact", key=f"{place}_how_{role.key}"):
        st.markdown(
            f"**Formula**: {role.formula}\n\n**Control**: {role.control_name}\n\n"
            f"**Threshold**: {scores.threshold_reason}\n\n**Source**: {role.source}"
        )
        _table(role, scores)
        for head, source in named.items():
            st.caption(f"{head.label} is {extended_roles.PAPERS}: {plain(source)}")


def chart(
    role: ExtendedRole,
    scores: ExtendedScores,
    *,
    key: str,
    alt_text: str,
    papers: Collection[Head] = (),
    clickable: bool = True,
) -> None:
    """The map of one role; a click leads to the head's close-up."""

    found = extended_roles.records(role, scores, papers=papers)
    shared = {
        "opened": st.session_state[session.HEAD] if clickable else None,
        "clickable": clickable,
    }
    if role.is_signed:
        limit = max(0.1, *(abs(float(one["value"])) for one in found))
        drawing = charts.signed.signed_map(found, limit=limit, title="direct effect", **shared)
    else:
        title = "share of the words" if role.unit == RATE else f"attention on {role.looks_at}"
        drawing = charts.heads.head_map(found, role, small=True, title=title, **shared)
    elements.chart(
        drawing,
        key=session.chart_key(key),
        alt_text=alt_text,
        on_select=session.on_click(key, None) if clickable else None,
    )


def _table(role: ExtendedRole, scores: ExtendedScores) -> None:
    """The table twin: the listed heads, or the furthest ones where none is listed."""
    sign = role.sign or 1
    every = [
        Head(layer, place) for layer, row in enumerate(scores.scores) for place in range(len(row))
    ]
    every.sort(key=lambda head: -sign * scores.scores[head.layer][head.head])
    shown = every[: max(8, len(scores.top_heads))]
    rows = [
        [
            head.label,
            extended_roles.plain(
                role,
                scores.scores[head.layer][head.head],
                scores.standard_errors[head.layer][head.head],
            ),
            extended_roles.plain(
                role,
                scores.control[head.layer][head.head],
                scores.control_errors[head.layer][head.head],
            ),
            "listed" if head in extended_roles.listed(scores) else "–",
            *extended_roles.offset_words(scores, head)[:1],
            *(
                extended_roles.plain(role, matrix[head.layer][head.head])
                for matrix in scores.details.values()
            ),
        ]
        for head in shown
    ]
    peaks = ["Peak"] if scores.profiles else []
    details = [name.capitalize() for name in scores.details]
    elements.html(table(["Head", "Score", "Control", "Listed", *peaks, *details], rows))
