"""A card per role, and the fold that says why some heads are gray."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from html import escape
from typing import TYPE_CHECKING

import streamlit as st

from headroles import charts, verdicts
from headroles.roles import ROLES
from headroles.ui.app import elements, scope, session, waking
from headroles.ui.app.elements import chips, heading
from headroles.ui.your_prompt import resting_card
from headroles.view import html, lamps, role_cards

if TYPE_CHECKING:
    from headroles.store import ModelEntry
    from headroles.ui.app.caches import Answer, Reference
    from headroles.view import RestingLayers, RoleCard


def of(answer: Answer | None, reference: Reference) -> list[RoleCard]:
    """A card per role; none without a prompt or without an analysis."""
    if answer is None or reference.entry is None:
        return []
    summary = verdicts.summarize(reference.entry, answer.scores)
    return role_cards.role_cards(summary, reference.entry)


def draw(cards: Sequence[RoleCard], entry: ModelEntry, resting: RestingLayers | None) -> None:
    """Draw every card, then the fold about the gray heads.

    ``resting`` takes the place of the resting heads' bars, where the prompt is long enough.
    """
    shared = role_cards.shared_reasons(cards)
    with st.container(key="your_prompt-role_cards"):
        for card in cards:
            with st.container(
                border=True, key=f"your_prompt-card_{card.role.key}", height="stretch"
            ):
                _card(card, resting if card.role.key == "positional" else None, shared)
        if "other" in entry.categories:  # a list that was made elsewhere need not say it
            with st.container(border=True, key="your_prompt-card_other", height="stretch"):
                _other(entry)
    _why_gray(cards)


def _card(card: RoleCard, resting: RestingLayers | None, shared: Collection[str]) -> None:
    top(card, said=shared)
    if resting:
        resting_card.columns(resting)
    elif card.rows:
        bars(card)
    explanation(card.role.explanation)
    listed(card)
    if card.rows:
        with st.expander(_numbers_label(card), key=f"your_prompt-numbers_{card.role.key}"):
            what_wakes(card)
            numbers(card)
            if resting:
                resting_card.table(resting)


def top(card: RoleCard, *, said: Collection[str] = ()) -> None:
    """The name of a card and, if it sleeps, why, with a prompt that wakes it.

    Reasons in ``said`` stand in the summary already.
    """
    name, anchor = card.role.name, lamps.anchor(card.role)
    heading(awake=card.awake, name=name, headline=card.headline, anchor=anchor)
    if not card.awake:
        if card.why_asleep not in said:
            elements.html(f'<p class="hr-asleep">{escape(card.why_asleep)}</p>')
        _try_this(card)


def bars(card: RoleCard) -> None:
    """A bar per head; a click on one leads to its close-up."""
    chart, role = f"your_prompt-bars_{card.role.key}", card.role
    elements.chart(
        charts.heads.head_bars(role_cards.bar_records(card), role),
        key=session.chart_key(chart),
        alt_text=role_cards.bars_alt(card),
        on_select=session.on_click(chart, role.key if role.level == "basic" else None),
    )


def explanation(words: str) -> None:
    """What a role is, below what its heads do: the numbers come first."""
    elements.html(f'<p class="hr-explain">{escape(words)}</p>')


def _numbers_label(card: RoleCard) -> str:
    heads = html.count(len(card.rows), "head")
    gray = len(card.rows) - card.active
    return f"Why is it gray? ({gray} of {heads})" if gray else f"All numbers ({heads})"


def what_wakes(card: RoleCard) -> None:
    """Of every gray head of a card what would wake it, as far as that is known."""
    waking.draw(
        card.wake_ups(st.session_state[session.PROMPT]),
        card.tried,
        place=f"your_prompt-wake_{card.role.key}",
    )


def numbers(card: RoleCard) -> None:
    """The table twin of the bars."""
    headers, rows = role_cards.table_headers(card.role), role_cards.table_rows(card)
    elements.html(html.table(headers, rows, notes=True))
    even = (
        "“Chance” is what an even spread gives on this prompt."
        if card.role.has_cells
        else "“Even” is a perfectly even spread."
    )
    st.caption(
        "“Needs” is the line in the bars: the threshold, or more where chance is high. "
        f"{even} “Measured” is the head's score in the analysis, from 0 to 1."
    )


def _try_this(card: RoleCard) -> None:
    """The prompt that wakes most of a sleeping card's heads, or that none is known to."""
    hint = card.hint(st.session_state[session.PROMPT], stories=session.knows_stories_only())
    if hint is not None:
        waking.suggestion(hint, key=f"your_prompt-try_card_{card.role.key}")
    elif card.rows:
        elements.html(f'<div class="hr-small">{escape(card.tried)}</div>')


def listed(card: RoleCard) -> None:
    """How many heads have the role and which are listed, and the way to the others."""
    words = f"{card.list_sentence} {role_cards.also_sentence(card)}".strip()
    if words:
        elements.html(f'<div class="hr-small">{escape(words)}</div>')
    if card.over > len(card.rows) > 0:
        scope.button(
            session.MAP,
            f"All {card.over} on the Head map",
            key=f"your_prompt-over_{card.role.key}",
            type="tertiary",
            icon=":material/grid_view:",
            on_click=session.show_role,
            args=(card.role.key if card.role.level == "basic" else None,),
        )


def _other(entry: ModelEntry) -> None:
    role = ROLES["other"]
    heads = sorted(role_cards.listed_heads(entry, role.key))
    total = entry.num_layers * entry.num_heads
    fit = "fits" if len(heads) == 1 else "fit"
    headline = f"{len(heads)} of {html.count(total, 'head')} {fit} nothing"
    heading(awake=None, name=role.name, headline=headline)
    explanation(role.explanation)
    chips(heads)


def _why_gray(cards: Sequence[RoleCard]) -> None:
    """How many heads are gray for which reason; each card says its own."""
    with st.expander("Why are some gray?", icon=":material/help:", key="your_prompt-why_gray"):
        st.markdown(
            f"{role_cards.why_gray(cards)} Nothing is broken: a head can only do its job when the "
            "prompt has work for it. A card with gray heads says why, and suggests a prompt that "
            "activates them if one is known."
        )
