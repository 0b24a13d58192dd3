"""What stood at position 0 while the model was analysed, and what else might have."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from headroles.ui.app import elements
from headroles.view import html

if TYPE_CHECKING:
    from headroles.store import StartCandidate, Tokenization


def draw(tokenization: Tokenization) -> None:
    """The losses behind every candidate, the chosen one first; nothing in an older analysis."""
    if not tokenization.candidates:
        return
    with st.expander("What stood at position 0", key="head_map-position_zero"):
        elements.html(
            html.table(
                ["At position 0", "Loss on sentences", "Loss on repeats"],
                rows(tokenization.candidates),
            )
        )
        passed = tokenization.passed_over
        why = f" It declares {passed}, which opens a chat message." if passed else ""
        st.caption(
            html.plain(
                "Nats per token; lower is better. Every text began with "
                f"{tokenization.start_token}, which was chosen from the tokenizer alone.{why} On "
                "repeats, only tokens that an earlier copy gives away were counted."
            )
        )


def rows(candidates: list[StartCandidate]) -> list[list[str]]:
    """One row per candidate."""
    return [
        [
            f"{candidate.token or 'nothing'}{' (used)' if place == 0 else ''}",
            f"{candidate.sentence_loss:.2f} nats",
            f"{candidate.repeat_loss:.2f} nats",
        ]
        for place, candidate in enumerate(candidates)
    ]
