"""What the card of the resting heads shows: layers in place of bars that are all alike."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import streamlit as st

from headroles import charts
from headroles.ui.app import elements, session
from headroles.view import html, resting_layers

if TYPE_CHECKING:
    from headroles.view import RestingLayers

_CHART = "your_prompt-resting_layers"


def columns(layers: RestingLayers) -> None:
    """The chart, and what it shows in words."""
    elements.chart(
        charts.resting.layer_columns(layers.records(), heads=layers.heads),
        key=session.chart_key(_CHART),
        alt_text=layers.alt,
        on_select=session.on_click(_CHART, "positional"),
    )
    answer = f"{layers.headline[0].upper()}{layers.headline[1:]}."
    elements.html(f'<p class="hr-explain"><b>{answer}</b> {escape(layers.sentence)}</p>')


def table(layers: RestingLayers) -> None:
    """The table twin."""
    elements.html(html.table(resting_layers.COLUMNS, layers.table_rows()))
    st.caption("Click a column to open the head that rests most in that layer.")
