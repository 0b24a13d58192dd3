"""One card per role with two bars per head: the first prompt and the second."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

import streamlit as st

from headroles import charts, formatting, models
from headroles.ui.app import elements, session
from headroles.view import html, lamps, two_prompts

if TYPE_CHECKING:
    from headroles.types import PromptRun
    from headroles.view import RolePair


def strips(first: PromptRun, second: PromptRun) -> None:
    """How the model reads either prompt, side by side where there is room."""
    with st.container(key="your_prompt-two_strips"):
        for number, name, run in ((1, "First", first), (2, "Second", second)):
            with st.container(key=f"your_prompt-strip_{number}"):
                st.subheader(f"{number} · {name} prompt, as the model reads it", anchor=False)
                elements.html(html.token_strip(run.encoding))
                bundled = models.entry_of(run.model_name).is_bundled
                for note in html.notes(run.encoding, of_model=False, english_only=bundled):
                    elements.html(f'<div class="hr-small">{escape(note)}</div>')
                guess = run.next_tokens[0]
                elements.html(
                    f'<div class="hr-small">{escape(html.strip_sentence(run.encoding))} '
                    f"It expects {escape(formatting.quoted(guess.text))} next "
                    f"({escape(formatting.percent(guess.probability))}).</div>"
                )


def draw(pairs: Sequence[RolePair]) -> None:
    """Draw a card for every role."""
    with st.container(key="your_prompt-pair_cards"):
        for pair in pairs:
            with st.container(
                border=True, key=f"your_prompt-pair_card_{pair.role.key}", height="stretch"
            ):
                _card(pair)


def _card(pair: RolePair) -> None:
    lit, anchor = " hr-awake" * pair.second.awake, lamps.anchor(pair.role)
    elements.html(
        f'<div class="hr-cardhead{lit}" id="{anchor}">'
        f'<span class="hr-turn" role="img" aria-label="{pair.turn}">'
        f"{two_prompts.MARKS[pair.turn]}</span>"
        f"<h3>{escape(pair.role.name)}</h3></div>"
        f'<p class="hr-explain"><b>{escape(pair.headline)}</b></p>'
    )
    if pair.heads:
        _bars(pair)
    for reason in two_prompts.reasons(pair):
        elements.html(f'<p class="hr-asleep">{escape(reason)}</p>')
    if pair.heads:
        with st.expander("As a table", key=f"your_prompt-pair_numbers_{pair.role.key}"):
            headers = ["Head", "1: first", "2: second", "Change"]
            elements.html(html.table(headers, two_prompts.table_rows(pair)))
            st.caption(two_prompts.levels(pair))


def _bars(pair: RolePair) -> None:
    chart = f"your_prompt-pair_bars_{pair.role.key}"
    elements.chart(
        charts.two_prompts.paired_bars(two_prompts.bar_records(pair), pair.role),
        key=session.chart_key(chart),
        alt_text=two_prompts.alt_text(pair),
        on_select=session.on_click(chart, pair.role.key),
    )
