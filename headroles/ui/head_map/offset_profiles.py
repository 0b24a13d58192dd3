"""How far back every head looks: all heads' offset profiles in one map."""

from __future__ import annotations

from functools import partial
from html import escape
from typing import TYPE_CHECKING

import streamlit as st

from headroles import charts, export, view
from headroles.roles import LONGEST_OFFSET
from headroles.ui.app import chat_format, download_button, elements, session
from headroles.ui.app.files import about_picture, pictures, provenance, tables
from headroles.ui.app.part import part
from headroles.ui.head_map import state
from headroles.view import html, offset_profiles

if TYPE_CHECKING:
    from headroles.store import ModelEntry
    from headroles.types import Head
    from headroles.ui.app.caches import Answer, Reference
    from headroles.ui.app.files import Table
    from headroles.view.offset_profiles import Profiles

CHART = "head_map-profiles"


@part
def draw(entry: ModelEntry | None, answer: Answer | None, reference: Reference) -> None:
    """Draw the section: of the prompt, or as measured beforehand where that was done."""
    profiles = _profiles(entry, answer)
    if profiles is None or not profiles.heads:
        return
    st.subheader("How far back every head looks", anchor=False)
    elements.html(
        '<p class="hr-explain"><b>'
        f"{escape(offset_profiles.sentence(profiles))}</b> Each row is a head and each column a "
        f"distance; the number is its mean attention there, in %, on {escape(profiles.measured_on)}"
        ". The first token of the text is left out.</p>"
    )
    heads = offset_profiles.drawn(profiles, layer=_layer(profiles))
    largest = offset_profiles.largest_share(profiles, heads)
    elements.html(
        f'<div class="hr-legend"><span>0% <i class="hr-key-ramp"></i> {largest:.0%}</span>'
        '<span><i class="hr-key hr-key-frame"></i>where it stands out most from an even spread'
        "</span></div>"
    )
    if len(heads) < len(profiles.heads) and st.session_state[state.PROFILE_LAYER] is None:
        st.caption(
            f"These are the {len(heads)} of {html.count(len(profiles.heads), 'head')} that stand "
            "out most. Choose a layer to see all of its heads."
        )
    records = offset_profiles.records(profiles, heads)
    elements.chart(
        charts.profiles.every_profile(records),
        key=session.chart_key(CHART),
        alt_text=f"Mean attention by distance of {html.count(len(heads), 'head')}. "
        f"{offset_profiles.sentence(profiles)}",
        on_select=session.on_click(CHART, None),
    )
    _as_table(profiles, heads, answer, reference)


def _profiles(entry: ModelEntry | None, answer: Answer | None) -> Profiles | None:
    if answer is not None:
        return offset_profiles.of_run(answer.run, LONGEST_OFFSET)
    return None if entry is None else offset_profiles.of_entry(entry)


def _layer(profiles: Profiles) -> int | None:
    """The chosen layer; None for all of them."""
    layers = sorted({head.layer for head in profiles.heads})
    if st.session_state[state.PROFILE_LAYER] not in layers:
        st.session_state[state.PROFILE_LAYER] = None
    return st.selectbox(
        "Layer",
        layers,
        index=None,
        placeholder="All layers",
        key=state.PROFILE_LAYER,
        persist_state="session",
        width=200,
    )


def _as_table(
    profiles: Profiles, heads: list[Head], answer: Answer | None, reference: Reference
) -> None:
    with st.expander("As a table, and to download", type="compact", key="head_map-profiles_table"):
        frame = view.tables.offset_profiles(profiles, heads)
        share = st.column_config.NumberColumn
        st.dataframe(
            frame,
            hide_index=True,
            column_config={
                name: share(format="percent") for name in frame.columns if name not in _PLAIN
            },
            placeholder="–",
            key="head_map-profiles_rows",
        )
        model = st.session_state[session.MODEL]
        name = (model, "offset profiles")
        with st.container(key="head_map-profiles_files"):
            download_button.buttons(
                tables("Profiles", partial(_table, profiles, answer, reference), name=name)
            )
            about = about_picture(
                model,
                prompt=answer.run.prompt if answer else None,
                chat=chat_format.is_on(model),
                analysed=reference.entry.analysis_date if answer is None else "",
            )
            download_button.buttons(
                pictures(
                    partial(_picture, profiles, heads),
                    name=name,
                    title=f"Mean attention by distance. {offset_profiles.sentence(profiles)}",
                    about=about,
                    what="Profiles",
                )
            )


_PLAIN = ("head", "layer", "best distance")
"""The columns of the table that are no shares."""


def _table(profiles: Profiles, answer: Answer | None, reference: Reference) -> Table:
    """Every head, whichever are drawn."""
    if answer is not None:
        origin = provenance(answer, reference)
    else:
        origin = export.provenance.reference_provenance(reference.entry)
    return offset_profiles.rows(profiles), origin | {"measured_on": profiles.measured_on}


def _picture(profiles: Profiles, heads: list[Head]) -> charts.drawing.Drawing:
    return charts.profiles.every_profile(offset_profiles.records(profiles, heads), clickable=False)
