"""The switch that shows the extended roles; off until a reader wants them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from headroles.formatting import listing
from headroles.roles import EXTENDED_ROLES
from headroles.ui.app import extended_maps, extended_state

if TYPE_CHECKING:
    from headroles.store import ModelEntry

NOT_MEASURED = (
    "The extended roles were not measured for this model. An analysis that includes them "
    "(the default of the Admin page and of the command line) adds them."
)

NEWER = (
    "The analysis of this model is older than some roles, which are left out: {}. "
    "An instructor adds them with `python -m scripts.analyze_heads MODEL --only-missing`, or by a "
    "new analysis."
)


def draw(entry: ModelEntry | None, *, model: str = "") -> bool:
    """Draw the switch; True where it is on and there is something to show.

    Without an analysis, it shows which heads of ``model`` papers name.
    """
    on = st.toggle(
        "Extended roles",
        key=extended_state.SHOWN,
        persist_state="session",
        help="More roles, for when you know the first five: "
        f"{listing([role.name for role in EXTENDED_ROLES.values()])}.",
    )
    if on and (entry is None or not entry.extended):
        st.caption(NOT_MEASURED)
        extended_maps.of_papers(model)
        return False
    if on and (
        missing := [role.name for key, role in EXTENDED_ROLES.items() if key not in entry.extended]
    ):
        st.caption(NEWER.format(listing(missing)))
    return on
