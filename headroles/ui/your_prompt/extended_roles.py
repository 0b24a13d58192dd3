"""The extended roles on Your Prompt: bars where attention can show them, a list for the rest."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import streamlit as st

from headroles.ui.app import elements, extended_maps
from headroles.ui.your_prompt import role_cards as your_prompt_role_cards
from headroles.view import extended_roles, head_maps, head_records, lists
from headroles.view.html import count, table

if TYPE_CHECKING:
    from headroles.roles import Role
    from headroles.store import ModelEntry, StoredRole
    from headroles.ui.app.caches import Answer


def draw(entry: ModelEntry, answer: Answer) -> None:
    """Draw a card per role."""
    st.subheader("Extended roles", anchor=False)
    with st.container(key="your_prompt-extended_cards"):
        for key, stored in entry.extended.items():
            with st.container(border=True, key=f"your_prompt-card_{key}", height="stretch"):
                if not stored.is_measured:
                    _heading(stored.role, "not measured")
                    _asleep(stored.category.not_measured)
                    extended_maps.where_seen(stored, entry.model_name)
                elif stored.role.from_attention:
                    _on_prompt(stored, answer, entry)
                else:
                    _from_reference(stored, entry)


def _heading(role: Role, headline: str) -> None:
    elements.heading(awake=None, name=role.name, headline=headline)
    your_prompt_role_cards.explanation(role.explanation)


def _asleep(reason: str) -> None:
    elements.html(f'<p class="hr-asleep">{escape(reason)}</p>')


def _on_prompt(stored: StoredRole, answer: Answer, entry: ModelEntry) -> None:
    """Bars of the listed heads on this prompt, as in the cards of the basic roles."""
    role = stored.role
    card = extended_roles.card(stored, answer.run, answer.scores, entry)
    if not card.rows:
        _heading(role, card.headline)
        _asleep(extended_roles.nearest(stored))
        extended_maps.where_seen(stored, entry.model_name)
        return
    your_prompt_role_cards.top(card)
    your_prompt_role_cards.bars(card)
    your_prompt_role_cards.explanation(role.explanation)
    your_prompt_role_cards.listed(card)
    with st.expander(
        f"All numbers ({count(len(card.rows), 'head')})", key=f"your_prompt-numbers_{role.key}"
    ):
        your_prompt_role_cards.what_wakes(card)
        your_prompt_role_cards.numbers(card)


def _from_reference(stored: StoredRole, entry: ModelEntry) -> None:
    """The listed heads with their reference scores: one prompt's attention cannot tell."""
    role, tops = stored.role, stored.category.top_heads
    _heading(role, f"{count(len(tops), 'head')} listed" if tops else "no head of this model")
    if tops:
        rows = [
            [
                top.place.label,
                head_records.plain(role, top.score, top.standard_error),
                head_records.number(role, top.score),
                *([extended_roles.knock_out_short(stored, top.place)] if top.knock_out else []),
            ]
            for top in tops
        ]
        more = [extended_roles.KNOCKED_OUT] if tops[0].knock_out else []
        elements.html(table(["Head", "Measured", "In words", *more], rows))
        if done := extended_roles.strongest_knocked_out(stored):
            elements.html(f'<p class="hr-small">{escape(done)}</p>')
        said = lists.list_sentence(entry, role.key)
        elements.html(f'<p class="hr-small">{escape(said)}</p>')
    else:
        _asleep(head_maps.stored_map(stored).sentence)
        extended_maps.where_seen(stored, entry.model_name)
    elements.html(
        f'<p class="hr-small">{escape(extended_roles.not_on_a_prompt(role))} '
        f"{escape(extended_roles.out_of(stored))}</p>"
    )
    extended_maps.where_to_test()
