"""Which components: trained or of the SVD, of which layer and matrix."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import streamlit as st

from headroles import circuits, models, view
from headroles.errors import HeadrolesError, UnknownComponentError
from headroles.formatting import places
from headroles.ui.app import caches, elements, scope, session
from headroles.ui.components import state
from headroles.view.html import escape, plain

if TYPE_CHECKING:
    from headroles.circuits import Kind

KINDS = {"trained": "Trained", "svd": "SVD"}
"""{kind: what the reader sees}."""
MATRICES = {"q": "Query (Q)", "k": "Key (K)", "v": "Value (V)", "o": "Output (O)"}
"""{matrix: what the reader sees}."""
WITH_TRAINED = "attn-only-2l-tiny"
"""The model that a reader is led to, where theirs has no trained components."""


class Chosen(NamedTuple):
    """The components of one matrix."""

    model: str
    """The catalogue key."""
    kind: Kind
    """Trained ones or those of the SVD."""
    layer: int
    """From 0."""
    matrix: str
    """``q``, ``k``, ``v`` or ``o``."""

    @property
    def place(self) -> tuple[int, str]:
        """The layer and the matrix."""
        return self.layer, self.matrix


def draw(*, with_layer: bool = True, with_matrix: bool = True) -> Chosen | None:
    """The boxes; what is chosen in them, or None where the model cannot be read.

    Args:
        with_layer: whether the layer can be chosen; a section that is about a head goes without.
        with_matrix: whether the matrix can be; a section that is about several goes without.
    """
    model = st.session_state[session.MODEL]
    try:
        with st.spinner(f"Reading {plain(models.name_of(model))}."):
            layers, _ = caches.shape(model)
    except HeadrolesError as error:
        elements.show_error(error)
        return None
    kinds = circuits.kinds_of(model)
    _correct(kinds, layers)
    with st.container(horizontal=True, vertical_alignment="bottom", key="components-choose"):
        kind = st.segmented_control(
            "Components",
            list(kinds),
            format_func=KINDS.__getitem__,
            key=state.KIND,
            required=True,
            on_change=state.forget_component,
            persist_state="session",
            help="Trained ones were made to be few on each token. Those of the SVD (a way to take "
            "any matrix apart) are only sorted by size.",
        )
        if with_layer:
            st.selectbox(
                "Layer",
                range(layers),
                key=state.LAYER,
                on_change=state.forget_component,
                persist_state="session",
                width=100,
            )
        if with_matrix:
            st.segmented_control(
                "Matrix",
                list(MATRICES),
                format_func=MATRICES.__getitem__,
                key=state.MATRIX,
                required=True,
                on_change=state.forget_component,
                persist_state="session",
            )
    without_trained(model)
    return Chosen(model, kind, st.session_state[state.LAYER], st.session_state[state.MATRIX])


def _correct(kinds: tuple[Kind, ...], layers: int) -> None:
    """What a link or another model left behind is put right, and said where it was a link."""
    now = st.session_state
    if now.get(state.KIND) not in kinds:
        now[state.KIND] = kinds[0]
    component = now[state.COMPONENT]
    if component is not None and component.layer >= layers:
        session.link_errors([UnknownComponentError(component.label, layers=layers)])
        now[state.COMPONENT], now[state.LAYER] = None, 0
        st.rerun()  # the warning is drawn above the page
    if (layer := now.get(state.LAYER, 0)) >= layers:
        now[state.LAYER] = 0
        state.link_error(
            f"There is no layer {layer}.", f"This model has {places('layer', layers)}."
        )


def without_trained(model: str) -> None:
    """Say so where there are none for a model; and where there are."""
    if circuits.TRAINED in circuits.kinds_of(model):
        return
    offered = not scope.is_class() and WITH_TRAINED in view.offer.offered()
    with st.container(horizontal=True, vertical_alignment="center", key="components-no_trained"):
        elements.note(
            f"No components were trained for {escape(models.name_of(model))}. These are "
            "those of the SVD: they add up to the matrix, but nothing makes each of them mean one "
            "thing."
        )
        if offered:
            st.button(
                "A model with trained ones",
                icon=":material/swap_horiz:",
                key="components-with_trained",
                on_click=_lead,
                help=f"Changes the model to {plain(models.name_of(WITH_TRAINED))}.",
            )


def _lead() -> None:
    session.use_model(WITH_TRAINED)
    st.session_state[state.KIND] = "trained"
    state.forget_component()
