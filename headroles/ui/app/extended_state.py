"""Whether the extended roles are shown, on all pages."""

from __future__ import annotations

import streamlit as st

from headroles.ui.app.keys import Keys

key = Keys(__name__)
# widget keys
SHOWN = key("extended_roles")
"""Whether the extended roles are shown."""


def shown() -> bool:
    """Whether the reader has switched the extended roles on."""
    return bool(st.session_state.get(SHOWN, False))
