"""The files of the section *Any two numbers*, made when their button is pressed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

import streamlit as st

from headroles import export, view
from headroles.ui.app import download_button, files, session
from headroles.ui.app.files import File, Table, about_picture, pictures
from headroles.ui.find_heads import state

if TYPE_CHECKING:
    from headroles.charts.drawing import Drawing
    from headroles.view.head_numbers import HeadNumber


def draw(
    along: HeadNumber,
    up: HeadNumber,
    records: Sequence[Mapping[str, object]],
    *,
    chart: Callable[[], Drawing],
) -> None:
    """The button with the table of the heads that are listed, and the chart as a picture."""
    with download_button.popover():
        download_button.buttons(of_scatter(along, up, records, chart=chart))
        download_button.about("The heads of the table, by both numbers.")


def of_scatter(
    along: HeadNumber,
    up: HeadNumber,
    records: Sequence[Mapping[str, object]],
    *,
    chart: Callable[[], Drawing],
) -> list[File]:
    """Table and picture."""
    model = st.session_state[session.MODEL]
    name = (model, f"heads by {along.key} and {up.key}")
    prompt = st.session_state[session.PROMPT] if _of_prompt(along, up) else None
    return [
        *files.tables("Heads", partial(_table, along, up, records), name=name, rows="heads"),
        *pictures(
            chart,
            name=name,
            title=f"{up.name} against {along.name}",
            about=about_picture(model, prompt=prompt),
        ),
    ]


def _of_prompt(*numbers: HeadNumber) -> bool:
    return any(number.key.endswith(view.head_numbers.PROMPT) for number in numbers)


def _table(along: HeadNumber, up: HeadNumber, records: Sequence[Mapping[str, object]]) -> Table:
    model = st.session_state[session.MODEL]
    origin = export.provenance.origin(model) | view.scatter.about(along, up)
    origin["revision"] = files.revision(model)
    if _of_prompt(along, up):
        origin["prompt"] = st.session_state[session.PROMPT]
    if (region := st.session_state.get(state.REGION)) is not None:
        origin["region"] = list(region)
    return view.scatter.rows(records, along, up), origin
