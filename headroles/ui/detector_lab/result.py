"""The result of a detection: the pattern's picture, a map per pattern, caveats, the ranking."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import streamlit as st

from headroles import charts, detector, formatting, texts, view
from headroles.roles import BASIC_ROLES
from headroles.ui.app import elements, map_marks, session
from headroles.ui.detector_lab import by_prompt, files, session_roles, state
from headroles.ui.detector_lab.measures import NAMES
from headroles.view import detection, html

if TYPE_CHECKING:
    from headroles.roles import Role
    from headroles.ui.detector_lab.detection import Request, Result

TABLE = "detector_lab-table"


def picture(result: Result) -> int:
    """Draw a pattern on the first prompt that it fits; the place of the pattern that is shown."""
    patterns = result.detection.patterns
    place = _which(patterns)
    pattern = patterns[place]
    row = int(result.detection.fits[place].nonzero()[0])
    tokens = result.prompts.tokens[row]
    drawn = pattern.draw(result.prompts.only(row))[0]
    cells = [(q, k, float(drawn[q, k])) for q, k in drawn.nonzero().tolist()]
    labels = texts.token_labels(tokens)
    size = min(len(labels), charts.detector.MOST)
    cut = f" Its first {size} tokens are drawn." if len(labels) > size else ""
    which = "" if len(result.prompts) == 1 else f" Prompt {row + 1} of {len(result.prompts)}."
    words = (
        f"{pattern.name}: an orange cell means “this token (row) looks at that one (column)”. "
        f"{html.count(len(cells), 'cell')} on this prompt.{which}{cut}"
    )
    elements.html(f'<p class="hr-explain">{escape(words)}</p>')
    elements.chart(
        charts.detector.pattern_picture(cells, labels),
        key="detector_lab-pattern",
        alt_text=words,
        width=charts.detector.picture_width(size),
    )
    with st.expander("As a list", type="compact"):
        rows = [
            [f"{q} {labels[q]}", f"{k} {labels[k]}", formatting.true_minus(f"{v:.2g}")]
            for q, k, v in cells[:300]
        ]
        elements.html(html.table(["At the token", "look at", "value"], rows))
    return place


def _which(patterns: tuple[Role, ...]) -> int:
    if st.session_state.get(state.RANKED) not in patterns:
        st.session_state[state.RANKED] = patterns[0]
    if len(patterns) == 1:
        st.session_state[state.RANKED] = patterns[0]
        return 0
    shown = st.selectbox(
        "Picture and ranking of",
        patterns,
        format_func=lambda pattern: pattern.name,
        key=state.RANKED,
        persist_state="session",
    )
    return patterns.index(shown)


def conclude(result: Result, place: int) -> None:
    """Say which heads match; it stays in view while the reader changes settings below."""
    measure = st.session_state[state.MEASURE]
    elements.conclusion(escape(detection.conclusion(result.detection, place, measure)))


def draw(request: Request, result: Result, place: int) -> None:
    """Draw the maps of all patterns, and the ranking of the one that is shown."""
    measure = st.session_state[state.MEASURE]
    st.subheader("How well every head matches", anchor=False)
    files.draw(request, result, place, measure)
    map_marks.choose(usual="The three highest")
    elements.html(_legend(measure))
    with st.container(key="detector_lab-maps"):
        for number in range(len(result.detection.patterns)):
            with st.container(border=True, key=f"detector_lab-map_{number}"):
                _card(result, number, measure)
    _ranking(request, result, place, measure)
    by_prompt.draw(request, result, place, measure)


def _legend(measure: str) -> str:
    write = (lambda end: f"{end:.0f}") if measure == "abs" else formatting.percent
    low, high = (formatting.true_minus(write(end)) for end in detection.DOMAINS[measure])
    own = map_marks.legend(map_marks.chosen())
    usual = '<span><i class="hr-key hr-key-ring"></i>the three highest</span>'
    return (
        f'<div class="hr-legend"><span>{low} <i class="hr-key-ramp"></i> {high}</span>'
        f"{own or usual}<span><b>–</b> not asked</span><span><b>?</b> undefined</span></div>"
        '<div class="hr-small">All maps share one shading. Click a cell to open that head on the '
        "prompt under “This prompt”.</div>"
    )


def _card(result: Result, place: int, measure: str) -> None:

    card = detection.card_of(result.detection, place, measure, map_marks.chosen())
    elements.html(
        f'<div class="hr-cardhead"><h3>{escape(card.pattern.name)}</h3>'
        f'<span class="hr-count">{NAMES[measure]}</span></div>'
        f'<p class="hr-explain">{escape(card.sentence)}</p>'
        f'<p class="hr-small">{escape(card.basis)}</p>'
    )
    key = f"detector_lab-chart_{place}"
    role = card.pattern.key if card.pattern.key in BASIC_ROLES else None
    elements.chart(
        charts.heads.head_map(
            card.records, "score", opened=st.session_state[session.HEAD], small=True
        ),
        key=session.chart_key(key),
        alt_text=f"{card.pattern.name}, {NAMES[measure]}: {card.sentence} {card.basis}",
        on_select=session.on_click(key, role),
    )
    for caveat in detector.caveats_of(result.detection, place, measure):
        st.warning(
            f"**{html.plain(caveat.title)}.** {html.plain(caveat.sentence)}",
            icon=":material/warning:",
        )


def _ranking(request: Request, result: Result, place: int, measure: str) -> None:
    pattern = result.detection.patterns[place]
    st.subheader("Ranking", anchor=False)
    st.caption(
        f"{html.named(pattern.name)} by {NAMES[measure]}, best first. “Chance” is what a head gets "
        "by spreading its attention evenly. “Left” is the share of its attention that still counts "
        "after what you left out. Click a row to open its head."
    )
    frame = view.tables.ranking(result.detection, place, measure, map_marks.chosen())
    role = pattern.key if pattern.key in BASIC_ROLES else None
    number, share = st.column_config.NumberColumn, {"format": "percent"}
    own = {"format": "%.3f"} if measure == "abs" else share
    st.dataframe(
        view.tables.with_minus(frame, {"abs": 3} | ({"score": 3} if measure == "abs" else {})),
        key=session.chart_key(TABLE),
        hide_index=True,
        column_config={
            "rank": number("Rank", width=60),
            "head": st.column_config.TextColumn("Head", pinned=True, width=70),
            "score": number(NAMES[measure], **own),
            "error": number("± error", help="Standard error over the prompts", **own),
            "chance": number("Chance", **own),
            "n": number("Prompts", help="Prompts with a score"),
            "activation": number("Activation", **share),
            "mul": number("mul", **share),
            "abs": number("abs", format="%.3f"),
            "left": number("Left", **share),
            "marked": st.column_config.TextColumn("Marked", width=70),
        },
        on_select=session.on_row(TABLE, view.tables.heads_of(frame), role),
        selection_mode="single-row",
        placeholder="–",
        height=min(36 * (len(frame) + 1) + 2, 400),
    )
    session_roles.offer(request, result, place)
