"""The names in the address of the Detector lab; the first pattern, if it is a role.

The reader's own patterns are not part of a link.
"""

from __future__ import annotations

import streamlit as st

from headroles.roles import BASIC_ROLES
from headroles.ui.app import link
from headroles.ui.app.link import KEEP
from headroles.ui.detector_lab import state


def _first_role() -> str | None:
    chosen = st.session_state.get(state.CHOSEN) or []
    return chosen[0].key if chosen and chosen[0].key in BASIC_ROLES else None


ROWS = (
    link.MODEL,
    link.PROMPT,
    link.ROLE._replace(get=_first_role),
    link.HEAD._replace(first=KEEP, written=False),
    link.CHAT,
)
