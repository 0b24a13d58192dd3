"""How pattern and attention are compared, and for which heads."""

from __future__ import annotations

from typing import NamedTuple

import streamlit as st

from headroles import models
from headroles.errors import HeadrolesError
from headroles.types import Head
from headroles.ui.app import caches, elements, session
from headroles.ui.detector_lab import state

NAMES = {"activation": "Activation", "mul": "mul", "abs": "abs"}
"""The measures, as the control names them."""
ABOUT = {
    "activation": "How much of its attention a head puts on the marked cells, averaged over the "
    "tokens that have one. For Induction and Duplicate token, attention that rests on the first "
    "token is left out. All other pages use this number.",
    "mul": "How much of all its attention a head puts on the marked cells. Tokens without a marked "
    "cell count too. This is what TransformerLens’ function detect_head gives by default.",
    "abs": "How closely attention and pattern agree, cell by cell: 1 is a perfect match. Attention "
    "beside the marks and marks without attention both lower it. detect_head’s other measure.",
}
"""Each measure in a sentence or two."""


class Asked(NamedTuple):
    """How the heads are compared."""

    exclude_bos: bool
    exclude_current_token: bool
    heads: tuple[str, ...]
    """Labels; empty for all heads."""


def draw() -> Asked:
    """Draw the controls."""
    st.segmented_control(
        "Measure",
        list(NAMES),
        format_func=NAMES.get,
        key=state.MEASURE,
        required=True,
        persist_state="session",
    )
    measure = st.session_state[state.MEASURE]
    elements.html(f'<p class="hr-explain">{ABOUT[measure]}</p>')
    with st.expander("Leave some attention or some heads out", key="detector_lab-more"):
        bos = st.toggle(
            "Leave out attention on the first token",
            key=state.NO_BOS,
            persist_state="session",
            help="TransformerLens calls it exclude_bos. For mul and abs",
        )
        own = st.toggle(
            "Leave out attention of a token on itself",
            key=state.NO_SELF,
            persist_state="session",
            help="TransformerLens calls it exclude_current_token. For mul and abs",
        )
        st.caption(
            "Both work for mul and abs only. The activation always counts all attention, so that a "
            "resting head cannot pass for a busy head."
        )
        labels = _labels()
        st.session_state[state.HEADS] = [
            label for label in st.session_state[state.HEADS] if label in labels
        ]
        heads = st.multiselect(
            "Heads",
            labels,
            key=state.HEADS,
            persist_state="session",
            placeholder="All heads" if labels else "All heads, until the model is here",
            disabled=not labels,
        )
    return Asked(bos, own, tuple(heads))


def _labels() -> list[str]:
    """Every head of the model, once its files are here; it need not have been analysed."""

    model = st.session_state[session.MODEL]
    try:
        caches.check_offered(model)
        if not models.loading.is_here(model):
            return []
        layers, heads = caches.shape(model)
    except HeadrolesError:  # running the model shows what is wrong
        return []
    return [head.label for head in Head.every(layers, heads)]
