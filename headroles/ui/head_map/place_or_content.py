"""Sentences against random tokens: does a head go by place, or by content?"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import streamlit as st

from headroles import charts
from headroles.roles import BASIC_ROLES, ROLES
from headroles.ui.app import download_button, elements, extended_state, files, session
from headroles.ui.app.part import part
from headroles.ui.head_map import state
from headroles.view import two_texts
from headroles.view.html import table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from headroles.store import ModelEntry


@part
def draw(entry: ModelEntry, thresholds: Mapping[str, float]) -> None:
    """Draw the picker and the three maps of the head map page, and their table."""
    by_role = two_texts.two_texts(entry, thresholds, extended=extended_state.shown())
    if not by_role:
        return
    st.subheader("Place or content?", anchor=False)
    elements.html(
        '<p class="hr-explain">Random tokens have no grammar and no meaning. A head that treats '
        "them like sentences goes by position; a head that works on sentences only goes by what "
        "the words are.</p>"
    )
    if st.session_state.get(state.PLACE_ROLE) not in by_role:
        st.session_state[state.PLACE_ROLE] = next(iter(by_role))
    key = st.segmented_control(
        "Role",
        list(by_role),
        format_func=lambda role: by_role[role].name,
        key=state.PLACE_ROLE,
        required=True,
        persist_state="session",
        label_visibility="collapsed",
    )
    texts = by_role[key]
    elements.html(
        f'<p class="hr-line"><b>{escape(two_texts.two_texts_sentence(texts))}</b></p>'
        '<div class="hr-legend"><span><i class="hr-key hr-key-ring"></i>reaches the threshold, '
        f"{texts.threshold:.0%}</span>"
        '<span><i class="hr-key hr-key-active"></i>+ more on sentences</span>'
        '<span><i class="hr-key hr-key-against"></i>− more on random tokens</span></div>'
    )
    with st.container(key="head_map-place_maps"):
        for which in ("sentences", "random tokens", "difference"):
            with st.container(key=f"head_map-place_{which.replace(' ', '_')}"):
                _map(texts, which)
    _table(texts, files.place_or_content(entry, by_role))


def _map(texts: two_texts.TwoTexts, which: str) -> None:

    records = two_texts.two_texts_records(texts, which)
    if which == "difference":
        st.markdown("**Difference**: sentences minus random tokens")
        title = "both"
        most = max(records, key=lambda record: abs(record["value"]))
        alt_text = f"Difference: largest for {most['label']}, {most['shown']}"
    else:
        st.markdown(f"**{which.capitalize()}**")
        title = charts.share_title(ROLES[texts.key])
        best = max(records, key=lambda record: record["value"])
        alt_text = f"{texts.name} on {which}: highest {best['label']}, {best['value']:.0%}"
    chart = f"head_map-place_{texts.key}_{which.replace(' ', '_')}"
    elements.chart(
        charts.heads.head_map(records, title, opened=st.session_state[session.HEAD], small=True),
        key=session.chart_key(chart),
        alt_text=alt_text,
        on_select=session.on_click(chart, texts.key if texts.key in BASIC_ROLES else None),
    )


def _table(texts: two_texts.TwoTexts, offered: list[files.File]) -> None:
    title = "As a table, with the rule, and to download"
    with st.expander(title, type="compact", key="head_map-place_table"):
        rows = [
            [head.label, *texts.pair(head), texts.verdict(head).sentence]
            for head in texts.heads
            if texts.verdict(head).kind != "neither"
        ]
        if rows:
            elements.html(table(["Head", *two_texts.HEADERS[1:]], rows))
        st.caption(f"Scores from 0 to 1, ± standard error. {two_texts.PLACE_OR_CONTENT_RULE}")
        with st.container(key="head_map-place_files"):
            download_button.buttons(offered)
