"""The app in a frame of somebody's own page: ``?embed=true``.

Streamlit hides its own header then. Here the navigation and the picker go too: the model comes from
the link. One line says what is shown, leads back, and opens the whole app in a tab of its own.
Which pages can be opened is up to :mod:`headroles.ui.app.scope`.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import streamlit as st

from headroles import models
from headroles.ui.app import address, elements, model_picker, session
from headroles.ui.app.keys import Keys

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator

_FIRST = Keys(__name__)("first_page")
"""The path of the page with which the frame opened."""


def draw(page: str) -> DeltaGenerator:
    """The line above an embedded page, in place of the navigation and the picker.

    Args:
        page: the path of the page that is shown.

    Returns:
        The place of :func:`way_out`.
    """
    model_picker.keep_offered()
    first = st.session_state.setdefault(_FIRST, page)
    with st.container(horizontal=True, vertical_alignment="center", key="app-embedded"):
        if page != first:
            st.page_link(first, label="Back", icon=":material/arrow_back:")
        name = models.name_of(st.session_state[session.MODEL])
        elements.html(f'<span class="hr-small">{escape(name)}</span>', width="stretch")
        return st.empty()


def way_out(place: DeltaGenerator) -> None:
    """The link that opens the same, with everything around it, in a tab of its own."""
    query, _ = address.shared()
    place.link_button(
        "Open in a new tab",
        f"{address.here()}?{query}",
        icon=":material/open_in_new:",
        type="tertiary",
    )
