"""Reading real text in the background: what is stored for each model, and a reading to start."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import streamlit as st

from headroles import admin, limits, store, view
from headroles.errors import HeadrolesError
from headroles.ui.admin import new_analysis, state
from headroles.ui.app import elements, files
from headroles.view import jobs

if TYPE_CHECKING:
    from headroles.admin import JobRequest
    from headroles.ui.admin.desk import AdminSession

TOKENS = 60_000
"""Tokens that are read, unless another number is chosen."""
HEADERS = ("Model", "Tokens read", "Read on", "For the weights that are here?")


def draw(desk: AdminSession, running: Sequence[JobRequest]) -> None:
    """What is stored, and a form that reads anew.

    Args:
        desk: the sign-in at hand.
        running: what runs or waits already.
    """
    st.markdown(
        "A model reads Python's manual and the code of its library (a model of stories: stories "
        "and the manual). Students then find on the page *Real text* how often its heads are at "
        "work and the passages that show it. It takes the place of an earlier reading as soon as "
        "it is done."
    )
    offered = view.offer.offered(hidden=True)
    elements.html(view.html.table(HEADERS, [_row(model) for model in offered]))
    with st.container(horizontal=True, vertical_alignment="bottom"):
        model = st.selectbox(
            "Model", offered, format_func=jobs.model_name, key=state.READ_MODEL, width=280
        )
        tokens = st.number_input(
            "Tokens, at most", *limits.READ_TOKENS, TOKENS, step=10_000, key=state.READ_TOKENS,
            width=160,
        )  # fmt: skip
    request = admin.job_request(model=model, read_tokens=int(tokens))
    fits = new_analysis.prospect_row(desk, request, where="read_")
    if request in running:
        st.caption("Already waiting or running with these settings: see above.")
    st.button(
        "Read",
        icon=":material/play_arrow:",
        key="admin-read_text",
        disabled=request in running or not fits,
        on_click=new_analysis.start,
        args=(desk, [request]),
    )


def _row(model: str) -> list[str]:
    name = jobs.model_name(model)
    try:
        record = store.read_real_text(model)
    except HeadrolesError as error:
        return [name, "—", "—", error.message]
    if record is None:
        return [name, "none", "—", "—"]
    try:
        now = files.revision(model)
        fits = "yes" if now == record.revision else "no: read it again"
    except HeadrolesError:
        fits = "its weights are not here"
    return [name, f"{record.tokens:,}", record.date, fits]
