"""What would change for the students: an overview of all roles, and one role in detail."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import streamlit as st

from headroles.roles import ROLES
from headroles.ui.app import elements
from headroles.view import entry_diff
from headroles.view.html import table

if TYPE_CHECKING:
    from headroles.reference.diff import Comparison
    from headroles.store import ModelEntry


def overview(comparison: Comparison, after: ModelEntry) -> None:
    """One row per role."""
    summary = ""
    if comparison.is_new:
        summary = "Students have <b>no analysis of this model yet</b>, so all of it is new."
    elif comparison.nothing:
        summary = "<b>Nothing</b>: lists, thresholds and scores are the same as live."
    elif not comparison.comparable:
        summary = (
            "The live entry has <b>a different number of layers or heads</b>, so its scores cannot "
            "be compared."
        )
    for line in filter(None, [summary, *entry_diff.part_sentences(comparison)]):
        elements.html(f'<p class="hr-line">{line}</p>')
    elements.html(table(entry_diff.OVERVIEW, entry_diff.overview_rows(comparison, after)))


def role(comparison: Comparison, key: str) -> None:
    """Heads that enter, leave or move, and the largest score changes of one role."""
    change = comparison.roles.get(key)
    if change is None:
        return
    name = ROLES[key].name
    if change.nothing:
        st.markdown(f"{name}: the list, threshold and scores stay the same.")
        return
    left, right = st.columns(2, gap="medium")
    with left:
        elements.html("<b>Heads that enter, leave or move</b>")
        rows = entry_diff.head_rows(change)
        if rows:
            elements.html(table(["Change", "Head", "Live now", "Then"], rows))
        else:
            elements.html('<p class="hr-small">None: the same heads in the same order.</p>')
        elements.html(
            f'<p class="hr-small">Threshold: {escape(entry_diff.threshold_change(change))}</p>'
        )
    with right:
        elements.html("<b>Largest score changes</b>")
        if not change.scores:
            elements.html(f'<p class="hr-small">{_why_no_scores(comparison, key)}</p>')
            return
        headers = ["Head", "Live now", "Then", "Change", "Error", "Beyond chance?"]
        elements.html(table(headers, entry_diff.score_rows(change)))
        st.caption("Scores go from 0 to 1. Clear: more than two standard errors of the difference.")


def _why_no_scores(comparison: Comparison, key: str) -> str:
    if not ROLES[key].is_scored:
        return "This role has no score of its own."
    if not comparison.comparable:
        return "The two analyses have different numbers of layers or heads."
    return "None: every head keeps its score."
