"""The session keys of the page Components, and the functions that change more than one of them."""

from __future__ import annotations

import streamlit as st

from headroles.errors import LinkError
from headroles.types import Component
from headroles.ui.app import session
from headroles.ui.app.keys import Keys

PAGE = "pages/components.py"
"""The page's path."""
key = Keys(__name__)
SECTIONS = {
    "List": "overview",
    "One": "one_component",
    "Behind a role": "carriers",
    "Test": "tested",
    "Distance": "by_offset",
    "Together": "together",
    "Sum": "reconstruction",
    "Errors": "wrong_cells",
}
"""{what the reader sees: the module of this package}; the first one is open at first."""
SECTION_NAMES = tuple(SECTIONS)
"""In the order of :data:`headroles.ui.components.link.SECTIONS`."""
COMPONENT = key("component", None)
"""The component that is looked at closely; None for the one that matters most on the prompt."""
# widget keys
SECTION = key("section", SECTION_NAMES[0])
"""The open section."""
KIND = key("kind", "trained")
"""Trained components or those of the SVD; what a model lacks is not taken from here."""
LAYER = key("layer", 0)
"""The layer."""
MATRIX = key("matrix", "q")
"""The matrix of the layer: ``q``, ``k``, ``v`` or ``o``."""
ROLES = ("induction", "previous_token", "duplicate_token")
"""The roles that are asked about: those that attention to single tokens shows."""
ROLE = key("role", ROLES[0])
"""The role whose carriers are sought."""
CARRIER = key("carrier")
"""The components that are offered there to be looked at closely."""
SETS = key("sets")
"""The sets that are tested, as they are typed."""
PILLS = key("pills")
"""The components that are offered to be looked at closely."""
BOX = key("box")
"""The component in its box; one key for each list."""

MODEL = key("model", None)
"""The model that the choices are of."""
IS_LINKED = key("is_linked", False)
"""Whether a link has just chosen them."""


def begin() -> None:
    """First values; another model has other components, so what was chosen is forgotten."""
    key.begin()
    now, model = st.session_state, st.session_state[session.MODEL]
    if now[MODEL] not in (None, model) and not now[IS_LINKED]:
        forget_component()
        now[SETS] = None
    now[MODEL] = model


def link_error(message: str, hint: str) -> None:
    """Say above the page that a link names what the model lacks, if a link did."""
    if st.session_state[IS_LINKED]:
        st.session_state[IS_LINKED] = False
        session.link_errors([LinkError(message, hint=hint)])
        st.rerun()  # the warning is drawn above the page


def opened() -> None:
    """The page is drawn: what changes now was not chosen by the link."""
    st.session_state[IS_LINKED] = False


def open_section(name: str) -> None:
    """Lead to another section of the page."""
    st.session_state[SECTION] = name


def test(sets: str) -> None:
    """Lead to the test of some sets."""
    st.session_state[SETS] = sets
    open_section(SECTION_NAMES[3])


def choose_component(component: Component) -> None:
    """Look at a component closely."""
    st.session_state[COMPONENT] = component
    st.session_state[LAYER], st.session_state[MATRIX] = component.place


def choose_in_box(box: str) -> None:
    """Take over the component in the box."""
    st.session_state[COMPONENT] = Component.parse(st.session_state[box])


def forget_component() -> None:
    """Another kind or matrix has other components."""
    st.session_state[COMPONENT] = None
