"""A pattern as a role of this session: saved in the lab, shown as a card on Your Prompt."""

from __future__ import annotations

from dataclasses import replace
from html import escape
from typing import TYPE_CHECKING

import streamlit as st

from headroles import charts, formatting, roles, scoring, verdicts
from headroles.errors import HeadrolesError, PatternError
from headroles.roles import Role
from headroles.types import Head
from headroles.ui.app import elements, session
from headroles.ui.detector_lab import state
from headroles.ui.detector_lab.state import SavedRole
from headroles.view import html, role_cards

if TYPE_CHECKING:
    from headroles.ui.app.caches import Answer
    from headroles.ui.detector_lab.detection import Request, Result

THRESHOLD = 0.4
"""Provisional: nobody measured what heads of a student's own role reach."""
MOST_HEADS = 8
"""Heads that a saved role lists, as for the roles of the analysis."""
FEWEST_HEADS = 3
"""Heads that it lists even if none reaches the threshold."""


def offer(request: Request, result: Result, place: int) -> None:
    """The button that saves the pattern that is shown, or takes it back."""
    role = SavedRole(result.found.patterns[place], request.model, _best(result, place))
    present = [
        one for one in state.saved() if (one.pattern, one.model) == (role.pattern, role.model)
    ]
    if present:
        st.success(
            f"“{html.plain(role.pattern.name)}” is a role of this session with "
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
        f"Your Prompt then shows a card with its heads: the best by activation, up to "
        f"{MOST_HEADS}. A head counts as active over {formatting.percent(THRESHOLD)} and clearly "
        "over chance; that threshold is provisional, as nobody measured one. It lasts until "
        "you close the page."
    )


def _best(result: Result, place: int) -> tuple[tuple[Head, float], ...]:
    """The heads over the threshold; the best few, where there is none."""
    summary = result.found.summary(place, "activation")
    ranking = [(head, float(summary.mean[head])) for head in summary.ranking()]
    over = [one for one in ranking if one[1] >= THRESHOLD][:MOST_HEADS]
    return tuple(over or ranking[:FEWEST_HEADS])


def draw(found: Answer) -> None:
    """The cards of this session's roles on a prompt; nothing where there are none."""
    mine = [one for one in state.saved() if one.model == found.run.model_name]
    if not mine:
        return
    st.markdown("**Roles of this session**, saved in the detector lab")
    with st.container(key="detector_lab-session_cards"):
        for place, one in enumerate(mine):
            with st.container(border=True, key=f"detector_lab-session_card_{place}"):
                _card(one, found, place)


def _card(one: SavedRole, found: Answer, place: int) -> None:
    try:
        card = card_of(one, found)
    except HeadrolesError as error:
        elements.html(f'<div class="hr-cardhead"><h3>{escape(one.pattern.name)}</h3></div>')
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
                    ["Head", "On this prompt", "Chance", "Threshold", "In the lab"],
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
        args=(one,),
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


def card_of(one: SavedRole, found: Answer) -> role_cards.RoleCard:
    """A saved role judged on a prompt, head by head, as the roles of the analysis are.

    Raises:
        PatternError: if the pattern does not fit the prompt.
    """
    prompts = roles.prompts_of_run(found.run)
    if not bool(one.pattern.fits(prompts).all()):
        raise PatternError(
            f"It was painted for {one.pattern.length} tokens, and this prompt has "
            f"{len(found.run.token_ids)} (the start token included).",
            hint="Type a prompt of that length, or save an expression: it fits any prompt.",
        )
    laid = scoring.cell_weights(one.pattern.draw(prompts)[0] > 0)
    rows = int(laid.rows)
    value = (found.run.attention * laid.weights).sum((-1, -2))
    role = role_of(one)
    activation = scoring.RoleActivation(value, float(laid.chance) if rows else 0.0, rows)
    scores = replace(found.scores, activations={**found.scores.activations, role.key: activation})
    layers, heads = scores.resting.shape
    return role_cards.RoleCard(
        role,
        tuple(
            {
                "layer": head.layer,
                "head": head.head,
                "label": head.label,
                "score": measured,
                "standard_error": None,
                "roles": [],
                **verdicts.verdict_row(verdicts.judge_as(role, head, scores, THRESHOLD)),
            }
            for head, measured in one.heads
            if head.layer < layers and head.head < heads
        ),
    )


def role_of(one: SavedRole) -> Role:
    """A pattern in the form of a role, as cards and verdicts take it."""
    return Role(
        key="session",
        name=one.pattern.name,
        icon="bookmark",
        explanation=f"Your own role: it looks at {one.pattern.looks_at}.",
        looks_at=one.pattern.looks_at,
        formula=one.pattern.spec,
        targets=lambda ids: ids,  # it has cells; they were drawn already
        measured_on="the lab",
        control="",
        min_rows=2,
        min_tokens=6,
        requires_repetition=True,  # without a cell there is nothing to do, as for those roles
        asleep="The pattern predicts nothing on this prompt.",
        hints=(),
    )
