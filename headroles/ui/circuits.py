"""What the circuit lesson and the components keep between reruns."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from headroles.ui import ablations

if TYPE_CHECKING:
    from headroles.composition import Measured
    from headroles.types import Head


@st.cache_data(max_entries=16, show_spinner=False)
def repeated_rows(model: str) -> list[tuple[int, ...]]:
    """The repeated random sequences of the lesson.

    Raises:
        HeadrolesError: if the model cannot be loaded.
    """
    from headroles.composition import repeated_rows as make

    with ablations.model(model) as loaded:
        return make(loaded)


@st.cache_data(max_entries=32, show_spinner=False)
def on_prompt(
    model: str,
    token_ids: tuple[int, ...],
    feeders: tuple[Head, ...],
    readers: tuple[Head, ...],
) -> Measured:
    """The lesson's knock-outs on one prompt.

    Raises:
        HeadrolesError: if it cannot be run.
    """
    from headroles.composition import measure

    with ablations.model(model) as loaded:
        return measure(loaded, token_ids, feeders, readers)
