"""Session keys of the extended roles."""

from __future__ import annotations

import streamlit as st

SHOWN = "extended_roles"
"""Whether the extended roles are shown (a widget's key)."""
PLACE_ROLE = "place_role"
"""The role whose two kinds of text are compared (a widget's key)."""
LOOK_MAPS = "look_extended_maps"
"""Whether the instructor looks at maps of extended roles (a widget's key)."""
LOOK_ROLE = "look_extended_role"
"""The extended role of a candidate that an instructor looks at (a widget's key)."""


def shown() -> bool:
    """Whether the reader has switched the extended roles on."""
    return bool(st.session_state.get(SHOWN, False))
