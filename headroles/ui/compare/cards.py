"""A card a role with two bars a head: the same heads on the first prompt and on the second."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

import streamlit as st

from headroles.ui import pieces, state, text
from headroles.ui.compare import numbers

if TYPE_CHECKING:
    from headroles.types import PromptRun
    from headroles.ui.compare.numbers import RolePair

_TURNS = {
    "wakes up": "○ → ●",
    "falls asleep": "● → ○",
    "awake in both": "●",
    "asleep in both": "○",
    numbers.TOO_SHORT: "◌",
}


def strips(first: PromptRun, second: PromptRun) -> None:
    """How the model reads either prompt, side by side where there is room."""
    with st.container(key="two_strips"):
        for number, name, run in ((1, "First", first), (2, "Second", second)):
            with st.container(key=f"strip_{number}"):
                st.subheader(f"{number} · {name} prompt, as the model reads it", anchor=False)
                pieces.cut_off(run.encoding)
                pieces.html(text.token_strip(run.encoding))
                guess = run.next_tokens[0]
                pieces.html(
                    f'<div class="hr-small">{escape(text.strip_sentence(run.encoding))} '
                    f"It expects “{escape(text.visible(guess.text))}” next "
                    f"({text.percent(guess.probability)}).</div>"
                )


def draw(pairs: Sequence[RolePair]) -> None:
    """Draw the legend, then a card for every role."""
    pieces.html(
        '<div class="hr-legend"><span><b>1</b> the first prompt</span>'
        "<span><b>2</b> the second prompt</span></div>"
    )
    pieces.bar_legend()
    with st.container(key="pair_cards"):
        for pair in pairs:
            with st.container(border=True, key=f"pair_card_{pair.role.key}", height="stretch"):
                _card(pair)


def _card(pair: RolePair) -> None:
    awake = pair.second.awake
    pieces.html(
        f'<div class="hr-cardhead{" hr-awake" if awake else ""}">'
        f'<span class="hr-turn" role="img" aria-label="{pair.turn}">{_TURNS[pair.turn]}</span>'
        f"<h3>{escape(pair.role.name)}</h3></div>"
        f'<p class="hr-explain"><b>{escape(pair.headline)}</b></p>'
    )
    if pair.heads:
        _bars(pair)
    for reason in numbers.reasons(pair):
        pieces.html(f'<p class="hr-asleep">{escape(reason)}</p>')
    if pair.heads:
        with st.expander("As a table", key=f"pair_numbers_{pair.role.key}"):
            even = "Even" if not pair.role.has_cells else "Chance"
            pieces.html(
                text.table(
                    ["Head", "1: first", even, "2: second", even, "Change"],
                    numbers.table_rows(pair),
                )
            )
            threshold = text.percent(float(pair.heads[0].first["threshold"]))
            st.caption(f"The threshold is {threshold} on both prompts.")


def _bars(pair: RolePair) -> None:
    from headroles import compare_charts

    chart = f"pair_bars_{pair.role.key}"
    pieces.chart(
        compare_charts.paired_bars(numbers.bar_records(pair), pair.role),
        key=state.chart_key(chart),
        alt_text=numbers.alt_text(pair),
        on_select=state.on_click(chart, pair.role.key),
    )
