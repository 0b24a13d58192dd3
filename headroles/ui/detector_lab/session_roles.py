"""A pattern as a role of this session: saved in the lab, shown as a card on Your Prompt."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import streamlit as st

from headroles import charts, formatting, roles, scoring, verdicts
from headroles.errors import HeadrolesError, PatternError
from headroles.types import Head
from headroles.ui.app import elements, session
from headroles.ui.detector_lab import state
from headroles.ui.detector_lab.state import SavedRole
from headroles.view import html, role_cards

if TYPE_CHECKING:
    from headroles.ui.app.caches import Answer
    from headroles.ui.detector_lab.detection import Request, Result

THRESHOLD = 0.4
"""Provisional: what heads of a student's own role reach has not been measured."""
MOST_HEADS = 8
"""Heads that a saved role lists, as for the roles of the analysis."""
FEWEST_HEADS = 3
"""Heads that it lists even if none reaches the threshold."""


def offer(request: Request, result: Result, place: int) -> None:
    """The button that saves the pattern that is shown, or removes it."""
    role = SavedRole(result.detection.patterns[place], request.model, _best(result, place))
    present = [
        saved
        for saved in state.saved()
        if (saved.pattern, saved.model) == (role.pattern, role.model)
    ]
    if present:
        st.success(
            f"“{html.named(role.pattern.name)}” is a role of this session with "
            f"{html.plain(', '.join(head.label for head, _ in present[0].heads))}. Your Prompt "
            "shows it as a card.",
            icon=":material/check:",
        )
        with st.container(horizontal=True):
            st.button(
                "Remove it",
                icon=":material/undo:",
                on_click=state.forget,
                args=(present[0],),
                key="detector_lab-forget",
            )
            st.page_link(session.YOUR_PROMPT, label="Your Prompt", icon=":material/edit_note:")
        return
    st.button(
        "Save as a role of this session",
        icon=":material/bookmark_add:",
        on_click=state.save,
        args=(role,),
        key="detector_lab-save",
        disabled=not role.heads,
    )
    st.caption(
        f"Your Prompt then shows a card with its best heads, up to {MOST_HEADS}. A head is active "
        f"over {formatting.percent(THRESHOLD)} and clearly above chance; that threshold is "
        "provisional. The role lasts until you close the page."
    )


def _best(result: Result, place: int) -> tuple[tuple[Head, float], ...]:
    """The heads over the threshold; the best few, where there is none."""
    summary = result.detection.summary(place, "activation")
    ranking = [(head, float(summary.mean[head])) for head in summary.ranking()]
    over = [ranked for ranked in ranking if ranked[1] >= THRESHOLD][:MOST_HEADS]
    return tuple(over or ranking[:FEWEST_HEADS])


def draw(answer: Answer) -> None:
    """The cards of this session's roles on a prompt; nothing where there are none."""
    shown = [saved for saved in state.saved() if saved.model == answer.run.model_name]
    if not shown:
        return
    st.markdown("**Roles of this session**, saved in the detector lab")
    with st.container(key="detector_lab-session_cards"):
        for place, saved in enumerate(shown):
            with st.container(border=True, key=f"detector_lab-session_card_{place}"):
                _card(saved, answer, place)


def _card(saved: SavedRole, answer: Answer, place: int) -> None:
    try:
        card = card_of(saved, answer)
    except HeadrolesError as error:
        elements.html(f'<div class="hr-cardhead"><h3>{escape(saved.pattern.name)}</h3></div>')
        elements.show_error(error, kind=st.info)
    else:
        elements.heading(awake=card.awake, name=card.role.name, headline=card.headline)
        elements.html(f'<p class="hr-explain">{escape(card.role.explanation)}</p>')
        _bars(card, place)
        if not card.awake:
            elements.html(f'<p class="hr-asleep">{escape(card.why_asleep)}</p>')
        with st.expander(f"All numbers ({html.count(len(card.rows), 'head')})"):
            elements.html(
                html.table(
                    role_cards.table_headers(card.role, measured="In the lab"),
                    role_cards.table_rows(card),
                    notes=True,
                )
            )
        st.caption(f"The threshold of {formatting.percent(THRESHOLD)} is provisional.")
    st.button(
        "Remove",
        icon=":material/delete:",
        key=f"detector_lab-session_remove_{place}",
        on_click=state.forget,
        args=(saved,),
        type="tertiary",
    )


def _bars(card: role_cards.RoleCard, place: int) -> None:

    key = f"detector_lab-session_bars_{place}"
    elements.chart(
        charts.heads.head_bars(role_cards.bar_records(card), card.role),
        key=session.chart_key(key),
        alt_text=role_cards.bars_alt(card),
        on_select=session.on_click(key, None),
    )


def card_of(saved: SavedRole, answer: Answer) -> role_cards.RoleCard:
    """A saved role judged on a prompt, head by head, as the roles of the analysis are.

    Raises:
        PatternError: if the pattern does not fit the prompt.
    """
    role, scores = saved.pattern, answer.scores
    prompts = roles.prompts_of_run(answer.run)
    if not bool(role.fits(prompts).all()):
        raise PatternError(
            f"It was painted for {role.length} tokens, and this prompt has "
            f"{len(answer.run.token_ids)} (the start token included).",
            hint="Type a prompt of that length, or save an expression: it fits any prompt.",
        )
    activations = scoring.role_activation(
        answer.run.attention, prompts, role, sight=answer.run.sight
    )
    layers, heads = scores.resting.shape
    rows = []
    for head, measured in saved.heads:
        if head.layer < layers and head.head < heads:
            verdict = verdicts.judge_as(role, head, activations.of(*head), scores, THRESHOLD)
            rows.append(
                {
                    "layer": head.layer,
                    "head": head.head,
                    "label": head.label,
                    "score": measured,
                    "standard_error": None,
                    "roles": [],
                    **verdicts.verdict_row(verdict),
                }
            )
    return role_cards.role_card(role, rows, None)
