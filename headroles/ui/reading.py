"""What the model read (the token strip) and what it expects next."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from headroles.ui import pieces, text

if TYPE_CHECKING:
    from headroles.types import PromptRun

GUESSES = 8
"""How many next-token guesses are shown."""


def draw(run: PromptRun) -> None:
    """Draw both, side by side where there is room."""
    encoding = run.encoding
    pieces.cut_off(encoding)
    left, right = st.columns([3, 2], gap="medium")
    with left:
        st.subheader("How the model reads it", anchor=False)
        pieces.html(text.token_strip(encoding))
        pieces.html(f'<div class="hr-small">{text.escape(text.strip_sentence(encoding))}</div>')
        if encoding.start_is_stand_in:
            pieces.html(f'<div class="hr-small">{text.escape(text.start_sentence(encoding))}</div>')
    with right:
        st.subheader("What it expects next", anchor=False)
        _guesses(run)


def _guesses(run: PromptRun) -> None:
    from headroles import charts

    guesses = run.next_tokens[:GUESSES]
    labels = [text.visible(guess.text) for guess in guesses]
    pieces.chart(
        charts.next_tokens(guesses, labels),
        key="next_tokens",
        alt_text=f"The most probable next token is “{labels[0]}” with "
        f"{text.percent(guesses[0].probability)}.",
    )
    left_over = 1 - sum(guess.probability for guess in guesses)
    pieces.html(
        f'<div class="hr-small">The {len(guesses)} likeliest tokens. All others together: '
        f"{text.percent(max(left_over, 0.0))}.</div>"
    )
    with st.expander("As a table", type="compact"):
        pieces.html(
            text.table(
                ["Token", "Probability", "Id"],
                [
                    [label, f"{guess.probability:.1%}", str(guess.token_id)]
                    for label, guess in zip(labels, guesses, strict=True)
                ],
            )
        )
