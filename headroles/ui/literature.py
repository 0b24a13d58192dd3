"""What papers say of a model that was not analysed here, held against the prompt."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from headroles.errors import UnknownHeadError
from headroles.roles import ROLES
from headroles.ui import pieces, text, view

if TYPE_CHECKING:
    from headroles.ui.caches import Answer


def draw(found: Answer) -> None:
    """The heads that papers name, each with its source; nothing where no paper speaks of them."""
    from headroles.head_detection import literature_entry, summarize_literature

    named = literature_entry(found.run.model_name)
    if not named:
        return
    try:
        summary = summarize_literature(named, found.scores)
    except UnknownHeadError:  # another model under the same name
        return
    st.markdown("**Heads from the literature**")
    st.caption(
        "Papers name these heads of this model. Nobody has measured them here: “active” goes by "
        "provisional thresholds, and a head that a paper names for its effect on the output need "
        "not show the role's pattern."
    )
    rows = [
        [
            f"{row['label']} · {ROLES[key].name}",
            view.STATE_WORDS[str(row["state"])],
            text.percent(float(row["activation_score"])),
            f"its {row['basis']}",
            f"From the literature: {row['source']}.",
        ]
        for key, heads in summary.items()
        for row in heads
    ]
    headers = ["Head and role", "On this prompt", "Activation", "Named for"]
    pieces.html(text.table(headers, rows, notes=True))
