"""What would change for the students: an overview of all roles, and one role in detail."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import streamlit as st

from headroles.roles import ROLES
from headroles.ui import pieces
from headroles.ui.admin import changes
from headroles.ui.text import table

if TYPE_CHECKING:
    from headroles.comparison import Comparison
    from headroles.store import ModelEntry


def overview(comparison: Comparison, after: ModelEntry) -> None:
    """One row a role."""
    said = ""
    if comparison.is_new:
        said = "Students have <b>no analysis of this model yet</b>: all of it is new."
    elif comparison.nothing:
        said = "<b>Nothing</b>: the same lists, thresholds and scores as live."
    elif not comparison.comparable:
        said = (
            "The live entry has <b>another number of layers or heads</b>, so no score of it can "
            "be compared."
        )
    for line in filter(None, [said, *changes.part_sentences(comparison)]):
        pieces.html(f'<p class="hr-line">{line}</p>')
    pieces.html(table(changes.OVERVIEW, changes.overview_rows(comparison, after)))


def role(comparison: Comparison, key: str) -> None:
    """Heads that enter, leave or move, and the largest score changes of one role."""
    change = comparison.roles.get(key)
    if change is None:
        return
    name = ROLES[key].name
    if change.nothing:
        st.markdown(f"{name}: list, threshold and scores stay as they are live.")
        return
    left, right = st.columns(2, gap="medium")
    with left:
        pieces.html("<b>Heads that enter, leave or move</b>")
        rows = changes.head_rows(change)
        if rows:
            pieces.html(table(["Change", "Head", "Live now", "Then"], rows))
        else:
            pieces.html('<p class="hr-small">None: the same heads in the same order.</p>')
        pieces.html(
            f'<p class="hr-small">Threshold: {escape(changes.threshold_change(change))}</p>'
        )
    with right:
        pieces.html("<b>Largest score changes</b>")
        if not change.scores:
            pieces.html(f'<p class="hr-small">{_why_no_scores(comparison, key)}</p>')
            return
        headers = ["Head", "Live now", "Then", "Change", "Error", "Beyond chance?"]
        pieces.html(table(headers, changes.score_rows(change)))
        st.caption("Scores are out of 1. Clear: more than two standard errors of the difference.")


def _why_no_scores(comparison: Comparison, key: str) -> str:
    if not ROLES[key].is_scored:
        return "This role has no score of its own."
    if not comparison.comparable:
        return "The two have another number of layers or heads."
    return "None: every head keeps its score."
