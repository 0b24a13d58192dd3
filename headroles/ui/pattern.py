"""One head's attention pattern on the prompt, opened from a bar, a map cell or the list."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import streamlit as st

from headroles.roles import ROLES
from headroles.types import Head
from headroles.ui import pieces, state, text, view

if TYPE_CHECKING:
    from headroles.ui.caches import Answer, Reference

STRONGEST = 40
"""Rows of the table twin."""


def draw(answer: Answer, reference: Reference) -> None:
    """Draw the open pattern, or only the list from which one can be opened."""
    layers, heads = answer.scores.resting.shape
    labels = [Head(layer, head).label for layer in range(layers) for head in range(heads)]
    opened = st.session_state[state.OPENED]
    state.restore_pattern_widgets()
    with st.container(border=True, key="pattern"):
        _title(opened)
        if opened is None:
            st.caption("Click a bar above, or choose any head here.")
        with st.container(horizontal=True, vertical_alignment="bottom", key="pattern_controls"):
            _controls(labels, is_open=opened is not None)
        if opened is not None:
            _pattern(opened.head, answer, reference)
    _scroll()


def _title(opened: state.Opened | None) -> None:
    if opened is None:
        st.subheader("Look inside a head", anchor=False)
        return
    with st.container(
        horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"
    ):
        st.subheader(f"Where {opened.head.label} looks", anchor=False, width="content")
        st.button(
            "Close", icon=":material/close:", on_click=state.close_pattern, key="close_pattern"
        )


def _controls(labels: list[str], *, is_open: bool) -> None:
    st.selectbox(
        "Head",
        labels,
        index=None,
        key=state.PATTERN_HEAD,
        placeholder="Choose a head",
        on_change=_choose,
        width=170,
    )
    if is_open:
        st.selectbox(
            "Outline the cells of",
            list(ROLES),
            format_func=lambda key: (
                ROLES[key].name if ROLES[key].has_cells else f"{ROLES[key].name} (no cells)"
            ),
            key=state.PATTERN_ROLE,
            width=260,
        )


def _choose() -> None:
    label = st.session_state[state.PATTERN_HEAD]
    if label is None:
        state.close_pattern()
        return
    role = (
        st.session_state.get(state.PATTERN_ROLE)
        or st.session_state.get(state.MAP_ROLE)
        or "induction"
    )
    state.open_pattern(Head.parse(label), role)


def _pattern(head: Head, answer: Answer, reference: Reference) -> None:
    from headroles import charts
    from headroles.head_detection import judge
    from headroles.scoring import evidence

    run, role = answer.run, ROLES[st.session_state[state.PATTERN_ROLE]]
    attention = run.attention[head]  # [query key]
    targets = evidence(attention, run.token_ids, role.key)
    labels = text.token_labels(run.encoding)
    verdict = judge(head, role.key, answer.scores, reference.thresholds.get(role.key))
    sentences = view.pattern_sentences(
        role, answer.scores.activations.get(role.key), head, targets, labels
    )
    cells, total = charts.drawn_cells(attention.tolist(), targets)
    left, right = st.columns([3, 2], gap="medium")
    with left:
        with st.container(width=charts.pattern_width(labels)):
            pieces.chart(
                charts.attention_pattern(cells, labels, role),
                key="pattern_chart",
                alt_text=f"Attention of {head.label}. {' '.join(sentences) or verdict.reason}",
            )
        if len(cells) < total:
            st.caption(
                f"{len(cells):,} of {total:,} cells are drawn: the largest, and first those that "
                "are outlined."
            )
    with right:
        _words(verdict, sentences, has_cells=bool(targets))
        _strongest(cells, labels)


def _words(verdict: object, sentences: list[str], *, has_cells: bool) -> None:
    name = ROLES[verdict.role].name
    state_words = view.STATE_WORDS[verdict.state]
    if ROLES[verdict.role].is_scored:
        circle = "●" if verdict.is_active else "○"
        pieces.html(f"<p><b>{circle} {escape(name)}: {escape(state_words)}.</b></p>")
        if verdict.state == "quiet":
            sentences = [verdict.reason, *sentences[1:]]
    else:
        sentences = [verdict.reason]
    pieces.html("".join(f"<p>{escape(sentence)}</p>" for sentence in sentences))
    pieces.html(_pattern_legend(has_cells=has_cells))


def _pattern_legend(*, has_cells: bool) -> str:
    from headroles.charts import SHADES, shade

    swatches = "".join(
        f'<span><i class="hr-swatch" style="background:rgba(46,127,208,{shade(weight)})"></i>'
        f"{weight:.0%}</span>"
        for weight in SHADES
    )
    outlined = (
        '<span><i class="hr-key hr-key-target"></i>where the role predicts it looks</span>'
        if has_cells
        else ""
    )
    return (
        '<div class="hr-small">Each row is a token; its row of cells says where it looks, and '
        "adds up to 100%.</div>"
        f'<div class="hr-legend">{swatches}</div><div class="hr-legend">{outlined}</div>'
    )


def _strongest(cells: object, labels: list[str]) -> None:
    strongest = cells.nlargest(STRONGEST, "weight")
    with st.expander(f"As a table (the {len(strongest)} strongest cells)"):
        pieces.html(
            text.table(
                ["Token", "Looks at", "Attention", "Outlined"],
                [
                    [
                        f"{labels[cell.query]} ({cell.query})",
                        f"{labels[cell.key]} ({cell.key})",
                        f"{cell.weight:.1%}",
                        "yes" if cell.target else "–",
                    ]
                    for cell in strongest.itertuples()
                ],
            )
        )


def _scroll() -> None:
    """Bring the pattern into view, once, when it was just opened."""
    if not st.session_state[state.SCROLL]:
        return
    st.session_state[state.SCROLL] = False
    opened = st.session_state[state.OPENED]
    # Nothing typed goes into this script; the comment makes it new for each head.
    st.html(
        "<script>document.querySelector('.st-key-pattern')?.scrollIntoView("
        "{behavior: matchMedia('(prefers-reduced-motion: reduce)').matches ? 'auto' : 'smooth', "
        f"block: 'start'}}); // {opened.head.label} {opened.role}</script>",
        unsafe_allow_javascript=True,
    )
