"""What the model read (the token strip) and what it expects next."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import streamlit as st

from headroles import charts, formatting, models
from headroles.ui.app import address, elements, scope, session
from headroles.view import html, lamps

if TYPE_CHECKING:
    from headroles.types import PromptRun

GUESSES = 8
"""How many next-token guesses are shown."""
TOKENS = "prompt-tokens"
"""The HTML id of the token strip."""


def lamp(run: PromptRun) -> str:
    """The likeliest next token as HTML beside the lamps; it leads to the tokens and guesses."""
    guess = run.next_tokens[0]
    words = f"{formatting.visible(guess.text)} ({formatting.percent(guess.probability)})"
    return lamps.lamp("→", "Next token", words, lit=False, target=TOKENS)


def draw(run: PromptRun) -> None:
    """Draw both, side by side where there is room."""
    encoding = run.encoding
    left, right = st.columns([3, 2], gap="medium")
    with left:
        st.subheader("How the model reads it", anchor=False)
        elements.html(f'<div id="{TOKENS}">{html.token_strip(encoding)}</div>')
        elements.html(f'<div class="hr-small">{html.escape(html.strip_sentence(encoding))}</div>')
        bundled = models.entry_of(run.model_name).is_bundled
        for note in html.notes(encoding, english_only=bundled):
            elements.html(f'<div class="hr-small">{html.escape(note)}</div>')
    with right:
        st.subheader("What it expects next", anchor=False)
        _guesses(run)


def _guesses(run: PromptRun) -> None:
    guesses = run.next_tokens[:GUESSES]
    labels = [formatting.visible(guess.text) for guess in guesses]
    elements.chart(
        charts.heads.next_tokens(guesses, labels),
        key="your_prompt-next_tokens",
        alt_text=f"The most probable next token is {formatting.quoted(guesses[0].text)} with "
        f"{formatting.percent(guesses[0].probability)}.",
    )
    left_over = 1 - sum(guess.probability for guess in guesses)
    elements.html(
        f'<div class="hr-small">The {len(guesses)} likeliest tokens. All others together: '
        f"{html.escape(formatting.percent(max(left_over, 0.0)))}. "
        f"{html.escape(formatting.legend(labels))}</div>"
    )
    scope.button(
        session.ANSWER_PAGE,
        "Which head wrote it?",
        icon=":material/account_tree:",
        key="your_prompt-answer_page",
        on_click=partial(
            address.follow, session.ANSWER_PAGE, section="contributions", answer="", against="",
            position=None, head=None,
        ),
        help="Opens the page Answer with the model's first guess",
    )  # fmt: skip
    with st.expander("As a table", type="compact"):
        elements.html(
            html.table(
                ["Token", "Probability", "Id"],
                [
                    [label, f"{guess.probability:.1%}", str(guess.token_id)]
                    for label, guess in zip(labels, guesses, strict=True)
                ],
            )
        )
