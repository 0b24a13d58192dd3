"""The report of a model that has reference scores: from what is stored, or with its circuits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import streamlit as st

from headroles import circuits, models, store, view
from headroles.errors import HeadrolesError
from headroles.ui.admin import state
from headroles.ui.app import caches, files, long_work
from headroles.view import jobs
from headroles.view.html import count

if TYPE_CHECKING:
    from headroles.circuits.overview import Overview, Step
    from headroles.store import ModelEntry
    from headroles.view.report import Gathered

PART = "report"
"""The part of the page, for its long work."""
PER_HEAD = 1.5 / (49_152 * 576)
"""Seconds to read a head's numbers, for each number of the embedding."""
PER_PAIR = 1.2e-4
"""Seconds to compare two heads in all three ways."""


def draw(entries: Mapping[str, ModelEntry]) -> None:
    """Draw the choice of a model, its report from stored results, and the offer of its circuits."""
    st.subheader("Report of a model", anchor=False)
    st.caption(
        "One file to read, print or hand out: what the model is, how it was analysed, every role "
        "with its map and heads, evidence, and what was not measured."
    )
    if st.session_state.get(state.REPORT_MODEL) not in entries:
        first = models.DEFAULT_MODEL if models.DEFAULT_MODEL in entries else next(iter(entries))
        st.session_state[state.REPORT_MODEL] = first
    with st.container(horizontal=True, vertical_alignment="bottom", key="admin-report"):
        model = st.selectbox(
            "Model of the report",
            list(entries),
            format_func=jobs.model_name,
            key=state.REPORT_MODEL,
            width=320,
        )
        entry = entries[model]
        found = long_work.kept(PART, _name(entry))
        buttons(entry, weights=found, place="live")
    _offer(entry)


def buttons(entry: ModelEntry, *, weights: Overview | None = None, place: str) -> None:
    """A button per format; the file is made when it is pressed.

    Args:
        entry: the reference scores, published or not.
        weights: its circuits, where they were read.
        place: what tells these buttons from others of the page.
    """
    for file in files.reports(entry.model_name, partial(_gathered, entry, weights)):
        st.download_button(
            file.label,
            data=file.make,
            file_name=file.name,
            mime=file.mime,
            icon=":material/description:",
            key=f"admin-report_{place}_{file.mime.rpartition('/')[2]}",
            on_click="ignore",
        )


def _gathered(entry: ModelEntry, weights: Overview | None) -> Gathered:
    return replace(view.report.of_entry(entry), weights=weights)


def _name(entry: ModelEntry) -> tuple[str, str, str]:
    """What the circuits belong to: the weights, and the lists that say of which heads."""
    return entry.model_name, entry.revision, store.schema.digest(entry)


def _offer(entry: ModelEntry) -> None:
    """The circuits' strongest links, which need the model; read where somebody asks for them."""
    name, heads = _name(entry), view.report.weight_heads(entry)
    if long_work.kept(PART, name) is not None:
        st.caption(
            f"With the circuits: the strongest links, and what {count(len(heads), 'head')} copy."
        )
        return
    seconds = max(_seconds(entry, len(heads)), long_work.LIGHT + 1)  # only on a click
    if not long_work.offer(
        PART, name, "Add its circuits", what="report of a model", seconds=seconds
    ):
        return
    found = long_work.run(PART, name, partial(_plan, entry), doing="Reading the circuits")
    if found is not None:
        st.rerun()  # the buttons above were drawn before the circuits were there


def _plan(entry: ModelEntry) -> long_work.Plan:
    """A step per layer and kind, and per head.

    Raises:
        HeadrolesError: if the model cannot be loaded, or is not the one that was analysed.
    """
    model = models.same_model(entry.model_name)
    with caches.borrow(model) as loaded:
        store.contents.check_weights(entry, loaded.source, loaded.revision)
        if loaded.shape != (entry.num_layers, entry.num_heads):
            raise HeadrolesError(
                "The model has another shape than its stored scores.",
                hint="Analyse it again under “Analyse”.",
            )
        vocabulary = len(circuits.weights.embedding(loaded))
    likely = store.read_frequencies(entry.model_name, vocabulary).probabilities
    heads = view.report.weight_heads(entry)
    steps = circuits.overview.steps((entry.num_layers, entry.num_heads), heads, likely)

    def finish(results: list) -> Overview:
        with caches.borrow(model) as loaded:
            return circuits.overview.collect(loaded, results)

    return long_work.Plan([partial(_do, model, step) for step in steps], finish)


def _do(model: str, step: Step) -> object:
    with caches.borrow(model) as loaded:
        return step(loaded)


def _seconds(entry: ModelEntry, heads: int) -> float:
    """How long reading the circuits is likely to take, loading the model left out."""
    known = models.known_models().get(models.same_model(entry.model_name))
    size = (known.size if known else 0) / 5  # numbers of the embedding of a small model, roughly
    pairs = entry.num_heads**2 * entry.num_layers * (entry.num_layers - 1) / 2
    return heads * PER_HEAD * size + PER_PAIR * pairs
