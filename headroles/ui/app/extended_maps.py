"""The extended roles on the head map: one map per role, signed ones in two colours and in words."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import streamlit as st

from headroles import charts
from headroles.formatting import decimal
from headroles.roles import EXTENDED_ROLES, Role
from headroles.ui.app import caches, elements, map_marks, session
from headroles.view import extended_roles, head_maps, head_records
from headroles.view import map_marks as marking
from headroles.view.html import count, plain, table

if TYPE_CHECKING:
    from headroles.store import ModelEntry, StoredRole
    from headroles.types import PromptRun
    from headroles.view import RoleMap
    from headroles.view.map_marks import Marks

LEGEND = (
    '<div class="hr-legend"><span><i class="hr-key hr-key-active"></i>+ writes for the token'
    '</span><span><i class="hr-key hr-key-against"></i>− writes against it</span>{marks}{papers}'
    "</div>"
    '<div class="hr-small">Roles that are shares are in percent; roles about what a head writes '
    "are in logits, with their sign: +1 makes the token 2.7 times as likely relative to the "
    "others, −1 that much less likely. S-inhibition is a share that falls without the head: + "
    "keeps name movers off the subject, − turns them to it. Each map has its own shading.</div>"
)
LISTED = (
    '<span><i class="hr-key hr-key-ring"></i> <i class="hr-key hr-key-dot"></i>'
    "a listed head of the role</span>"
)
ON_PROMPT = '<div class="hr-legend">{marks}{papers}</div>'
ACTIVE = (
    '<span><i class="hr-key hr-key-ring"></i>active on this prompt</span>'
    '<span><i class="hr-key hr-key-dot"></i>a listed head of the role</span>'
)
DISTANCES = " In brackets, where there is room: how far back each head looks."
PAPERS = '<span><i class="hr-key hr-key-named"></i>named for the role by papers</span>'


def draw(entry: ModelEntry, run: PromptRun | None = None) -> None:
    """Draw the legend, then a card per role: as measured beforehand, or on a prompt."""
    if run is None:
        _stored(entry)
    else:
        _on_prompt(entry, run)


def _stored(entry: ModelEntry) -> None:
    st.subheader("Extended roles", anchor=False)
    marks = map_marks.legend(map_marks.chosen(), signed=True) or LISTED
    elements.html(LEGEND.format(marks=marks, papers=PAPERS * _any_named(entry)))
    with st.container(key="app-extended_maps"):
        for key, stored in entry.extended.items():
            with st.container(border=True, key=f"app-map_card_{key}", height="stretch"):
                marks = map_marks.chosen()
                card(stored, place="app-map", model=entry.model_name, marks=marks)


def _on_prompt(entry: ModelEntry, run: PromptRun) -> None:
    """Maps of the roles that attention can show; the others explain why not."""
    st.subheader("Extended roles on this prompt", anchor=False)
    marks = map_marks.legend(map_marks.chosen()) or ACTIVE
    elements.html(ON_PROMPT.format(marks=marks, papers=PAPERS * _any_named(entry)))
    with st.container(key="app-extended_maps"):
        for key, stored in entry.extended.items():
            with st.container(border=True, key=f"app-map_card_{key}", height="stretch"):
                _card_on_prompt(stored, run)


def _any_named(entry: ModelEntry) -> bool:
    named = (extended_roles.by_papers(entry.model_name, role) for role in EXTENDED_ROLES.values())
    return any(named)


def _card_on_prompt(stored: StoredRole, run: PromptRun) -> None:
    role = stored.role
    _heading(role)
    if not stored.is_measured:
        _not_measured(stored)
        where_seen(stored, run.model_name)
        return
    if not role.from_attention:
        elements.html(f'<p class="hr-asleep">{escape(extended_roles.not_on_a_prompt(role))}</p>')
        where_to_test()
        return
    named = extended_roles.by_papers(run.model_name, role)
    role_map = extended_roles.on_prompt(stored, run, papers=named)
    sentence = role_map.why_nobody or role_map.sentence
    _map(role_map, sentence, key=f"app-prompt_map_{role.key}", marks=map_marks.chosen())
    far = ""
    if role_map.unjudged:
        far = (
            f" For {count(role_map.unjudged, 'head')} that look far back, it is too short to tell."
        )
    own = " (of the heads' own distances, on average)" if stored.profile else ""
    even = "" if role_map.chance is None else f"an even spread {role_map.chance:.0%}{own}, "
    elements.html(
        f'<div class="hr-small">Attention on {escape(role.looks_at)}: {even}threshold '
        f"{role_map.threshold:.0%}. A head is active when it is clearly above both.{far}"
        f"{DISTANCES * bool(stored.profile)}</div>"
    )
    where_seen(stored, run.model_name)


def where_seen(stored: StoredRole, model: str) -> None:
    """For a role without heads in a model: the analysed models that have some. An analysis that is
    being reviewed is of no model yet."""
    if model and not stored.category.top_heads:
        said = extended_roles.seen_on(stored.role.key, caches.analysed(), besides=model)
        elements.html(f'<p class="hr-small">{escape(said)}</p>')


def where_to_test() -> None:
    """The way to a test of what a head writes on the present prompt."""
    advice = "To test it on this prompt, knock the head out and see what changes,"
    elements.html(f'<p class="hr-small">{advice} in the Knock-out lab.</p>')


def of_papers(model: str) -> None:
    """Without an analysis: the heads that papers name for the extended roles, if any do."""
    named = {
        role.name: (role, heads)
        for role in EXTENDED_ROLES.values()
        if (heads := extended_roles.by_papers(model, role))
    }
    if not named:
        return
    elements.html(
        '<p class="hr-explain">Papers name these heads of this model for the extended roles:</p>'
    )
    rows = [
        [name, head.label, f"From the literature, not measured here: {source}."]
        for name, (_, heads) in named.items()
        for head, source in heads.items()
    ]
    elements.html(table(["Role", "Head"], rows, notes=True))


def _heading(role: Role) -> None:
    elements.html(f'<div class="hr-cardhead"><h3>{escape(role.name)}</h3></div>')
    elements.html(f'<p class="hr-explain">{escape(role.explanation)}</p>')


def _not_measured(stored: StoredRole) -> None:
    reason = f"Not measured for this model: {stored.category.not_measured}"
    elements.html(f'<p class="hr-asleep">{escape(reason)}</p>')


def card(
    stored: StoredRole,
    *,
    place: str,
    model: str = "",
    clickable: bool = True,
    marks: Marks = marking.USUAL,
) -> None:
    """One role: what it is, its map, what its numbers are out of; or why there is none."""
    role = stored.role
    _heading(role)
    if not stored.is_measured:
        _not_measured(stored)
        where_seen(stored, model)
        return
    named = extended_roles.by_papers(model, role)
    role_map = head_maps.stored_map(stored, papers=named)
    key = f"{place}_{role.key}"
    _map(role_map, role_map.sentence, key=key, marks=marks, clickable=clickable)
    out_of = escape(extended_roles.out_of(stored) + DISTANCES * bool(stored.profile))
    elements.html(f'<div class="hr-small">{out_of} {escape(role.caution)}</div>')
    where_seen(stored, model)
    if done := extended_roles.strongest_knocked_out(stored):
        elements.html(f'<div class="hr-small">{escape(done)}</div>')
    with st.expander("How it is measured", type="compact", key=f"{place}_how_{role.key}"):
        st.markdown(
            f"**Formula**: {role.formula}\n\n**Control**: {role.control}\n\n"
            f"**Threshold**: {plain(stored.category.threshold_reason)}\n\n**Source**: {role.source}"
        )
        _table(stored)
        for head, source in named.items():
            st.caption(f"{head.label} is {head_records.PAPERS}: {plain(source)}")


def _map(
    role_map: RoleMap, sentence: str, *, key: str, marks: Marks, clickable: bool = True
) -> None:
    """The take-away and the map of one role; a click leads to the head's close-up."""
    role = role_map.role
    marked = marking.sentence(role_map.records, marks, role)
    elements.html(f'<p class="hr-explain"><b>{escape(sentence)}</b> {escape(marked)}</p>')
    elements.chart(
        charts.heads.head_map(
            marking.applied(role_map.records, marks, role),
            charts.share_title(role_map.role),
            opened=st.session_state[session.HEAD] if clickable else None,
            clickable=clickable,
            small=True,
        ),
        key=session.chart_key(key),
        alt_text=f"{role.name}: {sentence} {marked}".strip(),
        on_select=session.on_click(key, None) if clickable else None,
    )


def _table(stored: StoredRole) -> None:
    """The table twin: the listed heads, or the furthest ones where none is listed."""
    role = stored.role
    ranked = sorted(stored.known_heads, key=lambda head: -(role.sign or 1) * stored.score(head))
    knocked_out = any(stored.knock_out(head) for head in stored.listed)
    rows = [
        [
            head.label,
            head_records.plain(role, stored.score(head), stored.error(head)),
            head_records.plain(role, stored.control_score(head), stored.control_error(head)),
            "listed" if head in stored.listed else "–",
            *head_maps.offset_words(stored, head)[:1],
            *([extended_roles.knock_out_short(stored, head)] if knocked_out else []),
            *(
                decimal(matrix[head.layer][head.head], digits=3)
                for matrix in stored.factors.values()
            ),
        ]
        for head in ranked[: max(8, len(stored.listed))]
    ]
    peaks = ["Peak"] if stored.profile else []
    peaks += [extended_roles.KNOCKED_OUT] if knocked_out else []
    factors = [name[:1].upper() + name[1:] for name in stored.factors]
    elements.html(table(["Head", "Score", "Control", "Listed", *peaks, *factors], rows))
