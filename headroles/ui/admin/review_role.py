"""One role of a finished analysis: its map, its distribution, its heads, and what is chosen."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import streamlit as st

from headroles import charts, reference
from headroles.formatting import listing
from headroles.roles import BASIC_ROLES, ROLES, Role
from headroles.ui.admin import state
from headroles.ui.app import elements
from headroles.view import candidate as view_candidate
from headroles.view import causal
from headroles.view.html import plain, table

if TYPE_CHECKING:
    from headroles.store import Category, ModelEntry


MOST_ROWS = 32
"""More heads than this are listed without a table: hundreds of heads may fit no role."""


def first_choice(candidate: ModelEntry) -> state.Choice:
    """What the analysis itself was run with."""

    by_hand = [
        (key, category.threshold)
        for key, category in candidate.categories.items()
        if category.threshold_reason == reference.BY_HAND and category.threshold is not None
    ]
    return state.Choice(tuple(by_hand), candidate.cap)


def selected(job_id: str, candidate: ModelEntry) -> ModelEntry:
    """The candidate with the thresholds and the cap that are chosen now."""

    first = first_choice(candidate)
    choice = state.chosen(job_id, first)
    if choice == first:
        return candidate
    return reference.reselect(candidate, dict(choice.thresholds), cap=choice.cap)


def choose_role(entry: ModelEntry, key: str, *, first: str | None = None) -> str:
    """Draw the list of an entry's roles; the chosen one, at first ``first`` if that is given."""
    keys = [role for role in BASIC_ROLES if role in entry.categories]
    if st.session_state.get(key) not in keys:
        st.session_state[key] = first if first in keys else keys[0]
    return st.segmented_control(
        "Role",
        keys,
        format_func=lambda name: ROLES[name].name,
        key=key,
        required=True,
        persist_state="session",
        label_visibility="collapsed",
    )


def draw(job_id: str, candidate: ModelEntry, entry: ModelEntry, key: str) -> None:
    """Draw a role: the controls, the two charts, and the heads as a table."""
    role, category = ROLES[key], entry.categories[key]
    elements.html(f'<p class="hr-explain">{escape(role.explanation)}</p>')
    _controls(job_id, candidate, entry, key)
    records = list(view_candidate.role_map(entry, key).records)
    sentence = view_candidate.map_sentence(entry, key)
    elements.html(f'<p class="hr-line"><b>{escape(sentence)}</b></p>')
    left, right = st.columns([3, 2], gap="medium")
    with left, st.container(key="admin-candidate"):
        _map(records, role, sentence)
    with right:
        _legend(role, category)
        if role.is_scored:
            _distribution(records, role, category, sentence)
    _tables(records, entry, key)


def _controls(job_id: str, candidate: ModelEntry, entry: ModelEntry, key: str) -> None:
    left, right = st.columns([3, 2], gap="medium")
    with left:
        if ROLES[key].is_scored:
            _threshold(job_id, entry, key)
    with right:
        _cap(job_id, entry)
    with st.container(horizontal=True, key="admin-choice_buttons"):
        st.button(
            "Undo",
            icon=":material/undo:",
            key="admin-undo_choice",
            on_click=state.undo_choice,
            args=(job_id,),
            disabled=not state.can_undo(job_id),
            help="Undoes the last change of a threshold or the cap.",
        )
        calibrated = state.Choice((), candidate.cap)
        st.button(
            "Back to the rule",
            icon=":material/restart_alt:",
            key="admin-calibrated",
            on_click=state.choose,
            args=(job_id, calibrated),
            disabled=state.chosen(job_id, calibrated) == calibrated,
            help="Sets each role's threshold by the rule again, and the cap as in the analysis.",
        )


def _threshold(job_id: str, entry: ModelEntry, key: str) -> None:
    category, widget = entry.categories[key], state.threshold_key(job_id, key)
    st.session_state[widget] = category.threshold
    st.slider(
        "Threshold",
        min_value=0.005,
        max_value=0.995,
        step=0.005,
        format="%.3f",
        key=widget,
        on_change=_move_threshold,
        args=(job_id, key),
        help="A head has the role when its score reaches the threshold. The lists follow at once; "
        "no model is run.",
    )
    classic = view_candidate.classic_sentence(entry, key)
    st.caption(plain(f"{category.threshold_reason} {classic}"))


def _move_threshold(job_id: str, key: str) -> None:
    now = st.session_state[state.CHOICES][job_id][-1]
    moved = {**dict(now.thresholds), key: st.session_state[state.threshold_key(job_id, key)]}
    state.choose(job_id, now._replace(thresholds=tuple(sorted(moved.items()))))


def _cap(job_id: str, entry: ModelEntry) -> None:
    widget = state.cap_key(job_id)
    st.session_state[widget] = entry.cap
    st.slider(
        "Cap, for all roles",
        min_value=1,
        max_value=max(32, entry.cap),
        key=widget,
        on_change=_move_cap,
        args=(job_id,),
        help="The most heads that a role lists. If more are over the threshold, three of four "
        "places go to the highest scores, the others first to the best heads of other layers. Free "
        "places may go to a layer's best head a little below the threshold.",
    )


def _move_cap(job_id: str) -> None:
    now = st.session_state[state.CHOICES][job_id][-1]
    state.choose(job_id, now._replace(cap=st.session_state[state.cap_key(job_id)]))


def _map(records: list[dict[str, object]], role: Role, sentence: str) -> None:

    elements.chart(
        charts.heads.head_map(records, charts.share_title(role), clickable=False),
        key="admin-candidate_map",
        alt_text=sentence,
    )
    st.caption(
        "Point at a cell to see its score. Numbers in cells, where there is room, are hundredths: "
        "75 means 0.75."
    )


def _distribution(
    records: list[dict[str, object]], role: Role, category: Category, sentence: str
) -> None:

    elements.html("<b>How the scores are spread</b>")
    chance = category.chance if role.has_cells else None
    elements.chart(
        charts.distribution.score_distribution(
            records, role, threshold=category.threshold, chance=chance
        ),
        key="admin-candidate_scores",
        alt_text=sentence
        if chance is None
        else f"{sentence} Chance, what an even spread would score, is {chance:.2f}.",
    )
    st.caption("One mark per head. Point at a mark to see which head it is.")


def _legend(role: Role, category: Category) -> None:
    if not role.is_scored:
        elements.html(
            '<div class="hr-legend"><span><i class="hr-key hr-key-dot"></i>fits no role</span>'
            "</div>"
            '<p class="hr-small">The number is the largest score that a head has on any role with '
            "cells.</p>"
        )
        return
    chance = (
        f'<span><i class="hr-key hr-key-chance"></i>chance {category.chance:.2f}</span>'
        if role.has_cells and category.chance is not None
        else ""
    )
    elements.html(
        '<div class="hr-legend">'
        '<span><i class="hr-key hr-key-ring"></i>on the map: reaches the threshold</span>'
        '<span><i class="hr-key hr-key-dot"></i>on the map: listed</span>'
        '<span><i class="hr-mark hr-mark-listed"></i>listed</span>'
        '<span><i class="hr-mark hr-mark-over"></i>reaches the threshold, not listed</span>'
        '<span><i class="hr-mark"></i>below it</span>'
        f'<span><i class="hr-key hr-key-threshold"></i>threshold {category.threshold:.2f}</span>'
        f"{chance}</div>"
    )


def _tables(records: list[dict[str, object]], entry: ModelEntry, key: str) -> None:
    heads = view_candidate.top_rows(entry, key)
    elements.html(f"<b>Heads that {escape(ROLES[key].name)} would list</b>")
    if len(heads) > MOST_ROWS:
        names = ", ".join(head for head, *_ in heads)
        elements.html(f'<p class="hr-small">{escape(names)}</p>')
    elif heads:
        kinds = ["Between kinds"] if key in entry.by_kind else []
        control = ["Control"] if key in entry.controls else []
        columns = ["Head", "Score", "Error", *kinds, *control, "Entered by"]
        columns += causal.cell_columns(entry.causal.get(key))
        elements.html(f'<div class="hr-one-line">{table(columns, heads)}</div>')
        st.caption(about_the_table(entry, key))
    else:
        elements.html('<p class="hr-small">None: no head of this model reaches the threshold.</p>')
    with st.expander("All heads as a table", key="admin-all_heads"):
        elements.html(
            table(["Head", "Score"], [[str(row["label"]), str(row["shown"])] for row in records])
        )


def about_the_table(entry: ModelEntry, key: str) -> str:
    """What the columns are, and the evidence in sentences, a line each, as Markdown."""
    note = f"{view_candidate.order_sentence(entry, key)} Error: the standard error of sampling."
    if key in entry.by_kind:
        note += (
            " Between kinds: how far the score on one kind of repeat "
            f"({listing(list(entry.by_kind[key]))}) typically lies from the score."
        )
    control = entry.controls.get(key)
    if control:
        note += f" Control: the same head's score on {control.name}."
    return plain(note) + _about_the_evidence(entry, key)


def _about_the_evidence(entry: ModelEntry, key: str) -> str:
    evidence = entry.causal.get(key)
    if evidence is None:
        return ""
    places = evidence.everywhere
    sentences = [
        *(causal.together(place) for place in places),
        causal.unreadable(places),
        causal.borrowed(places),
        causal.method(places),
    ]
    return "  \n" + "  \n".join(plain(sentence) for sentence in sentences if sentence)
