"""What papers say about a model that was not analysed here, compared with the prompt."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from headroles import formatting, verdicts
from headroles.errors import UnknownHeadError
from headroles.roles import ROLES
from headroles.types import Head
from headroles.ui.app import elements, session
from headroles.ui.app.keys import Keys
from headroles.view import html, role_cards

if TYPE_CHECKING:
    from headroles.ui.app.caches import Answer

_CHOSEN = Keys(__name__)("head_of_papers")
"""The key of the chips."""


def summary(answer: Answer) -> dict[str, list[dict[str, object]]]:
    """The named heads by scored role, judged on the prompt; empty where no paper names any."""

    try:
        return verdicts.summarize_literature(
            verdicts.literature_entry(answer.run.model_name), answer.scores
        )
    except UnknownHeadError:  # another model under the same name
        return {}


def heads(answer: Answer) -> dict[str, frozenset[Head]]:
    """The named heads by scored role."""
    return {
        key: frozenset(Head(int(row["layer"]), int(row["head"])) for row in rows)
        for key, rows in summary(answer).items()
    }


def draw(answer: Answer) -> None:
    """The heads that papers name, each with its source; nothing where no paper names any."""
    named = summary(answer)
    if not named:
        return
    st.markdown("**Heads from the literature**")
    st.caption(
        "Papers name these heads of this model. They have not been measured here: “active” goes "
        "by provisional thresholds, and a head that a paper names for its effect on the output "
        "need not show the role's pattern."
    )
    chips(named)
    rows = [
        [
            f"{row['label']} · {ROLES[key].name}",
            role_cards.STATE_WORDS[str(row["state"])],
            formatting.percent(float(row["activation_score"])),
            f"its {row['basis']}",
            f"From the literature: {row['source']}.",
        ]
        for key, of_role in named.items()
        for row in of_role
    ]
    headers = ["Head and role", "On this prompt", "Activation", "Named for"]
    elements.html(html.table(headers, rows, notes=True))


def draw_others(answer: Answer, head: Head) -> None:
    """On the close-up of a head: the way to the other heads that papers name."""
    named = {
        key: [row for row in rows if row["label"] != head.label]
        for key, rows in summary(answer).items()
    }
    if any(named.values()):
        elements.html('<p class="hr-explain">Others that papers name in this model:</p>')
        chips(named)


def chips(named: dict[str, list[dict[str, object]]]) -> None:
    """The named heads, each a way to its close-up."""
    choices = {
        f"{row['label']} · {ROLES[key].name}": (str(row["label"]), key)
        for key, rows in named.items()
        for row in rows
    }
    st.pills("Open one of them", list(choices), key=_CHOSEN, on_change=_open, args=(choices,))


def _open(choices: dict[str, tuple[str, str]]) -> None:
    chosen = st.session_state[_CHOSEN]
    if chosen is not None:
        label, role = choices[chosen]
        session.open_closeup(Head.parse(label), role)
