"""The names in the address of the page Components."""

from __future__ import annotations

import streamlit as st

from headroles.errors import UnknownComponentError
from headroles.types import Component
from headroles.ui.app import link
from headroles.ui.app.link import Row, Unusable
from headroles.ui.components import picture_link, state

_SECTIONS = (
    "list",
    "one",
    "role",
    "test",
    "by_offset",
    "together",
    "reconstruction",
    "wrong_cells",
)
SECTIONS = dict(zip(_SECTIONS, state.SECTION_NAMES, strict=True))
"""{name in a link: the section}."""
KINDS = ("trained", "svd")
"""As in :mod:`headroles.circuits.component_sets`."""
MATRICES = ("q", "k", "v", "o")
"""The same."""


def read_component(text: str) -> Component:
    """A component, in any of the ways that people write it."""
    try:
        return Component.parse(text)
    except UnknownComponentError:
        raise Unusable(
            "which is not a component.",
            "A component is written as layer, matrix and number, for example L0Q17.",
        ) from None


def _take_component(component: Component | None) -> None:
    if component is None:
        state.forget_component()
    else:
        state.choose_component(component)


def _take_section(name: str) -> None:
    """Every link to the page names a section, if only the first."""
    st.session_state[state.SECTION] = SECTIONS[name]
    st.session_state[state.IS_LINKED] = True


ROWS = (
    link.MODEL,
    link.PROMPT,
    link.section(state.SECTION, SECTIONS)._replace(put=_take_section),
    Row("decomposition", state.KIND, "kind of components", link.one_of(KINDS, "kinds"),
        first=KINDS[0]),
    link.LAYER._replace(key=state.LAYER, first=0),
    Row("matrix", state.MATRIX, "matrix", link.one_of(MATRICES, "matrices"), first=MATRICES[0]),
    Row("component", state.COMPONENT, "component", read_component,
        lambda component: component.label, put=_take_component),
    Row("role", state.ROLE, "role", link.one_of(state.ROLES, "roles"), first=state.ROLES[0],
        old="r"),
    Row("sets", state.SETS, "list of components", link.read_sets, link.write_sets),
    *picture_link.ROWS,
    link.CHAT,
)  # fmt: skip
