"""The head's attention pattern as a heatmap, with the cells that the role predicts outlined."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

import streamlit as st

from headroles import charts, formatting, scoring, verdicts
from headroles.roles import Role
from headroles.types import Evidence
from headroles.ui.app import elements
from headroles.ui.head_closeup import state
from headroles.view import html, role_cards

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

    from headroles.ui.head_closeup.subject import Subject

ZOOMABLE = 24
"""A prompt with more tokens than this can be zoomed into."""


@dataclass(frozen=True, eq=False)
class Shown:
    """A pattern as it is drawn: with its resting column, or without."""

    attention: Float[Tensor, "query key"]
    """[query key] what is drawn."""
    targets: tuple[Evidence, ...]
    """The cells that the role predicts."""
    labels: Sequence[str]
    """[pos] the tokens as short text."""
    role: Role
    """Whose cells are outlined."""
    alt_text: str
    """The take-away."""
    rest_hidden: bool
    """Whether the resting column is hidden."""


def shown(subject: Subject, *, rest_hidden: bool) -> Shown:
    """What is drawn of a subject."""

    attention = subject.attention
    verdict = subject.verdict(subject.role.key)
    targets = scoring.evidence(
        attention, subject.answer.run.copy_ids, subject.role.key, visible=subject.visible
    )
    sentences = _sentences(subject, targets) or [verdict.reason]
    hidden = "The resting column is hidden and every row rescaled to 100%. " if rest_hidden else ""
    return Shown(
        attention=scoring.without_rest(attention).attention if rest_hidden else attention.clone(),
        targets=targets,
        labels=subject.labels,
        role=subject.role,
        alt_text=f"Attention of {subject.head.label}. {hidden}{' '.join(sentences)}",
        rest_hidden=rest_hidden,
    )


def draw(subject: Subject, drawn: Shown) -> None:
    """Draw the heatmap, and beside it what it means and its table."""
    left, right = st.columns([3, 2], gap="medium")
    with left:
        _heatmap(drawn)
    with right:
        _words(subject, drawn)
        _rest(subject, drawn)
        elements.html(_legend(drawn.targets, _sight(subject)))
        elements.strongest_cells(drawn.attention, drawn.labels, drawn.targets)


@st.fragment
def _heatmap(drawn: Shown) -> None:
    """The chart with its zoom; only this part runs again when the window moves."""

    length = len(drawn.labels)
    window = _window(length)
    cells = charts.attention.pattern_cells(drawn.attention, drawn.targets, window=window)
    with st.container(
        width=charts.attention.pattern_width(cells, drawn.labels), key="head_closeup-pattern"
    ):
        elements.chart(
            charts.attention.attention_pattern(
                cells, drawn.labels, drawn.role, rest_hidden=drawn.rest_hidden
            ),
            key="head_closeup-pattern_chart",
            alt_text=drawn.alt_text,
        )
    for sentence in _about_window(drawn, window, block=cells.block):
        st.caption(sentence)


def _window(length: int) -> tuple[int, int]:
    """First and last position that are drawn."""
    if length <= ZOOMABLE:
        return 0, length - 1
    first, last = st.slider(
        "Zoom: show the positions",
        0,
        length - 1,
        (0, length - 1),
        key=state.window_key(length),
        persist_state="session",
        help="Drag either end, or choose it and press the arrow keys.",
    )
    # Both ends on one token would draw a single cell, which is always 100%.
    return (first, last) if last > first else (max(first - 1, 0), max(last, 1))


def _about_window(drawn: Shown, window: tuple[int, int], *, block: int) -> list[str]:
    """What the picture leaves out, in plain words."""
    first, last = window
    parts = []
    if block > 1:
        parts.append(
            f"Each square stands for {block} × {block} cells, and shows the largest of them. Zoom "
            "in to see single cells."
        )
    if first > 0:
        outside = float(drawn.attention[first : last + 1, :first].sum(-1).mean())
        parts.append(
            f"On average {formatting.percent(outside)} of these tokens' attention goes to tokens "
            f"before position {first}, which this window leaves out."
        )
    return parts


def _sentences(subject: Subject, targets: tuple[Evidence, ...]) -> list[str]:
    activation = subject.answer.scores.activations.get(subject.role.key)
    return role_cards.pattern_sentences(
        subject.role,
        activation,
        subject.head,
        targets,
        subject.labels,
        largest=subject.answer.scores.largest_of(subject.head),
    )


def _words(subject: Subject, drawn: Shown) -> None:
    verdict = subject.verdict(subject.role.key)
    sentences = _sentences(subject, drawn.targets)
    headline = ""
    if drawn.role.is_scored:
        circle = "●" if verdict.is_active else "○"
        words = role_cards.STATE_WORDS[verdict.state]
        headline = f"<p><b>{circle} {escape(drawn.role.name)}: {escape(words)}.</b></p>"
        if verdict.state == "quiet":
            sentences = [verdict.reason, *sentences[1:]]
    else:
        sentences = [verdict.reason]
    elements.html(headline + "".join(f"<p>{escape(sentence)}</p>" for sentence in sentences))


def _rest(subject: Subject, drawn: Shown) -> None:
    """What the hidden column held, while it is hidden."""
    if not drawn.rest_hidden:
        return

    resting = float(subject.answer.scores.resting[subject.head])
    without = scoring.without_rest(subject.attention, visible=subject.visible)
    empty = len(without.empty_rows) - 1  # row 0 is always one
    where = "" if subject.visible is None else " in the rows that see it"
    more = (
        f" {html.count(empty, 'row')} had nothing else and {'is' if empty == 1 else 'are'} blank."
        if empty > 0
        else ""
    )
    elements.html(
        f'<p class="hr-asleep">The resting column is hidden in the picture. On average it holds '
        f"{formatting.percent(resting)} of this head’s attention{where}; what is left, "
        f"{formatting.percent(without.left)}, is rescaled to 100% in every row.{more} "
        "The sentences above are about the whole attention.</p>"
    )


def _sight(subject: Subject) -> str:
    """What the rows of the pattern lack: keys out of sight, and what a learned sink takes."""
    scores, words = subject.answer.scores, []
    if sees := verdicts.reasons.sight_in_words(subject.visible):
        words.append(f" This layer {sees}.")
    if scores.nowhere is not None:
        share = formatting.percent(float(scores.nowhere[subject.head]))
        words.append(f" What is missing, {share} on average, is on no token: a learned sink.")
    return "".join(words)


def _legend(targets: Sequence[Evidence], sight: str) -> str:

    swatches = "".join(
        '<span><i class="hr-swatch" '
        f'style="background:rgba(46,127,208,{charts.shade(weight)})"></i>'
        f"{weight:.0%}</span>"
        for weight in charts.SHADES
    )
    outlined = (
        '<span><i class="hr-key hr-key-target"></i>where the role predicts it looks: '
        f"{outlined_words(targets)}</span>"
        if targets
        else ""
    )
    return (
        '<p class="hr-explain">Each row is a token, and its cells say where it looks. A row adds '
        f"up to 100%{' at most' if 'no token' in sight else ''}.{escape(sight)}</p>"
        f'<div class="hr-legend">{swatches}</div><div class="hr-legend">{outlined}</div>'
    )


def outlined_words(targets: Sequence[Evidence]) -> str:
    """How many cells are outlined, and in how many rows: a token may have several copies.

    >>> outlined_words([Evidence(9, 3, 0.6), Evidence(16, 3, 0.2), Evidence(16, 10, 0.5)])
    '3 cells in 2 rows'
    """
    rows = len({cell.query for cell in targets})
    return f"{html.count(len(targets), 'cell')} in {html.count(rows, 'row')}"
