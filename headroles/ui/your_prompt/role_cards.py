"""A card per role, and the box that explains which roles are asleep and why."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

import streamlit as st

from headroles import charts
from headroles.roles import ROLES
from headroles.ui.app import elements, session, waking
from headroles.ui.app.elements import chips, heading
from headroles.ui.your_prompt import resting_card
from headroles.view import html, role_cards

if TYPE_CHECKING:
    from headroles.store import ModelEntry
    from headroles.view import RestingLayers, RoleCard


def draw(cards: Sequence[RoleCard], entry: ModelEntry, resting: RestingLayers | None) -> None:
    """Draw every card, then the box about the sleeping ones.

    ``resting`` takes the place of the resting heads' bars, where the prompt is long enough.
    """
    with st.container(key="your_prompt-role_cards"):
        for card in cards:
            with st.container(
                border=True, key=f"your_prompt-card_{card.role.key}", height="stretch"
            ):
                _card(card, resting if card.role.key == "positional" else None)
        with st.container(border=True, key="your_prompt-card_other", height="stretch"):
            _other(entry)
    why_gray(cards)


def _card(card: RoleCard, resting: RestingLayers | None) -> None:
    role = card.role
    headline = resting.headline if resting else card.headline
    heading(awake=card.awake, name=role.name, headline=headline)
    elements.html(f'<p class="hr-explain">{escape(role.explanation)}</p>')
    if resting:
        resting_card.columns(resting)
    elif card.rows:
        _bars(card)
    if not card.awake:
        elements.html(f'<p class="hr-asleep">{escape(card.why_asleep)}</p>')
        try_this(card, place="card")
    listed(card)
    if card.rows:
        with st.expander(_numbers_label(card), key=f"your_prompt-numbers_{card.role.key}"):
            what_wakes(card)
            _numbers(card)
            if resting:
                resting_card.table(resting)


def _bars(card: RoleCard) -> None:

    chart = f"your_prompt-bars_{card.role.key}"
    elements.chart(
        charts.heads.head_bars(role_cards.bar_records(card), card.role),
        key=session.chart_key(chart),
        alt_text=role_cards.bars_alt(card),
        on_select=session.on_click(chart, card.role.key),
    )


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


def _numbers(card: RoleCard) -> None:
    chance = "Even" if not card.role.has_cells else "Chance"
    elements.html(
        html.table(
            ["Head", "On this prompt", chance, "Threshold", "Measured"],
            role_cards.table_rows(card),
            notes=True,
        )
    )
    note = (
        "“Even” is 100% by definition: a perfectly even spread. "
        if not card.role.has_cells
        else "“Chance” is what an even spread gives on this prompt. "
    )
    st.caption(note + "“Measured” is the head's score in the analysis done beforehand.")


def try_this(card: RoleCard, *, place: str) -> None:
    """The prompt that wakes most of a sleeping card's heads, or that none is known to."""
    hint = card.hint(st.session_state[session.PROMPT], stories=session.knows_stories_only())
    if hint is not None:
        waking.suggestion(hint, key=f"your_prompt-try_{place}_{card.role.key}")
    elif card.rows:
        elements.html(f'<div class="hr-small">{escape(card.tried)}</div>')


def listed(card: RoleCard) -> None:
    """How many heads have the role and which are listed, and the way to the others."""
    if card.list_sentence:
        elements.html(f'<div class="hr-small">{escape(card.list_sentence)}</div>')
    if card.over > len(card.rows) > 0:
        st.button(
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
    heading(awake=None, name=role.name, headline=f"{len(heads)} of {total} heads fit nothing")
    elements.html(f'<p class="hr-explain">{escape(role.explanation)}</p>')
    chips(heads)


def why_gray(cards: Sequence[RoleCard]) -> None:
    """Which roles are asleep on this prompt, why, and what wakes each."""
    asleep = [card for card in cards if not card.awake]
    with st.container(border=True, key="your_prompt-why_gray"):
        st.subheader("Why are some gray?", anchor=False)
        if not asleep:
            st.markdown(
                f"All {len(cards)} roles are awake on this prompt. A single head can still be "
                "gray: open “Why is it gray?” in its card, which also says what would wake it."
            )
            return
        st.markdown(
            f"**{len(asleep)} of {len(cards)}** roles {'is' if len(asleep) == 1 else 'are'} asleep "
            "on this prompt. Nothing is "
            "broken: a head can only do its job when the prompt has work for it."
        )
        for card in asleep:
            with st.container(
                horizontal=True,
                vertical_alignment="center",
                key=f"your_prompt-why_{card.role.key}",
            ):
                elements.html(
                    f"<b>○ {escape(card.role.name)}</b><br>{escape(card.why_asleep)}",
                    width="stretch",
                )
                try_this(card, place="box")
