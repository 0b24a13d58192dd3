"""The names in the address of the sections with the pictures of components."""

from __future__ import annotations

import streamlit as st

from headroles import limits
from headroles.ui.app import link
from headroles.ui.app.link import Row
from headroles.ui.components import picture_state, state

MEASURES = ("phi", "jaccard", "counts")
"""As in :data:`headroles.view.component_pictures.MEASURES`."""


def _shown(section: str, key: str) -> object:
    """A value of a section; None where another one is open."""
    is_open = state.SECTIONS.get(st.session_state.get(state.SECTION)) == section
    return st.session_state.get(key) if is_open else None


ROWS = (
    Row("strength", picture_state.STRENGTH, "way to measure pairs",
        link.one_of(picture_state.STRENGTHS, "ways"), first="typical",
        get=lambda: _shown("by_offset", picture_state.STRENGTH)),
    Row("pairs_by", picture_state.ORDER, "order of pairs",
        link.one_of(picture_state.ORDERS, "orders"), first="size",
        get=lambda: _shown("by_offset", picture_state.ORDER)),
    Row("with_rest", picture_state.WITH_REST, "switch",
        link.flag("1 draws all that is left, 0 the strongest pairs alone."),
        lambda on: str(int(on)), first=False,
        get=lambda: _shown("by_offset", picture_state.WITH_REST)),
    Row("of_head", picture_state.OFFSET_HEAD, "head of the layer",
        lambda text: link.read_head(f"L0H{text.upper().removeprefix('H')}").head,
        lambda head: f"H{head}",
        get=lambda: _shown("by_offset", picture_state.OFFSET_HEAD)),
    Row("measure", picture_state.MEASURE, "measure", link.one_of(MEASURES, "measures"),
        first="phi", get=lambda: _shown("together", picture_state.MEASURE)),
    Row("wrong_head", picture_state.WRONG_HEAD, "head", link.read_head,
        lambda head: head.label,
        get=lambda: _shown("wrong_cells", picture_state.WRONG_HEAD)),
    Row("wrong_cell", picture_state.WRONG_CELL, "wrong cell",
        link.whole(limits.Range(1, picture_state.MOST_CELLS), "place in the list of wrong cells"),
        first=1, get=lambda: _shown("wrong_cells", picture_state.WRONG_CELL)),
)  # fmt: skip
