"""Roles made in the detector lab: those of this visit, and those that are kept for the class.

Your Prompt shows them as cards, the Head map as maps on a prompt, the close-up as rows of a table,
and the lab as patterns. A link carries those of the visit that are no painted cells.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import streamlit as st

from headroles import charts, limits, roles, store, view
from headroles.errors import HeadrolesError
from headroles.formatting import percent
from headroles.ui.app import caches, elements, link, session
from headroles.ui.app.keys import Keys
from headroles.ui.app.link import Row, Unusable
from headroles.view import html, role_cards

if TYPE_CHECKING:
    from headroles.roles import SavedRole
    from headroles.types import Head
    from headroles.ui.app.caches import Answer

key = Keys(__name__)
SAVED = key("saved_roles", ())
"""The patterns that are roles of this visit: a tuple of SavedRole."""


# ------------------------------------------------------------------ which


def saved() -> tuple[SavedRole, ...]:
    """The roles of this visit."""
    return st.session_state.get(SAVED, ())


def save(role: SavedRole) -> None:
    """Save a pattern as a role of this visit; a newer ranking replaces the older one.

    Raises:
        LimitError: if there are as many already as a visit may have.
    """
    others = _others(role)
    limits.SESSION_ROLES.check(len(others) + 1)
    st.session_state[SAVED] = (*others, role)


def forget(role: SavedRole) -> None:
    """Remove a role from this visit."""
    st.session_state[SAVED] = _others(role)


def _others(role: SavedRole) -> tuple[SavedRole, ...]:
    return tuple(one for one in saved() if (one.pattern, one.model) != (role.pattern, role.model))


def kept(model: str) -> tuple[SavedRole, ...]:
    """The roles of a model that the instructor keeps for every visitor."""
    return store.class_roles.read().of(model)


def shown(model: str) -> list[tuple[SavedRole, bool]]:
    """(role, whether it is kept) of everything that is shown of a model, the kept ones first."""
    for_all = kept(model)
    known = {one.pattern.key for one in for_all}
    own = [one for one in saved() if one.model == model and one.pattern.key not in known]
    return [*((one, True) for one in for_all), *((one, False) for one in own)]


# ------------------------------------------------------------------ in a link


def _read(text: str) -> tuple[SavedRole, ...]:
    caches.import_libraries()  # an expression is read with torch
    try:
        return roles.saved_roles.from_link(text)
    except HeadrolesError as error:
        raise Unusable(f"which cannot be used. {error.message}", error.hint) from None


def _travelling() -> tuple[SavedRole, ...] | None:
    return tuple(one for one in saved() if one.travels) or None


ROW = Row(
    "own_roles", SAVED, "saved role", _read, lambda own: roles.saved_roles.to_link(own),
    first=link.KEEP, get=_travelling,
)  # fmt: skip
"""The roles of this visit, as every page with them has them in its address."""


# ------------------------------------------------------------------ drawing


def badge(*, is_kept: bool) -> str:
    """Whose role it is (HTML)."""
    words = view.saved_roles.KEPT if is_kept else "Saved by you, for this visit"
    return f'<div class="hr-small">{escape(words)}</div>'


def cards(answer: Answer) -> None:
    """A card per role on a prompt; nothing where there are none."""
    every = shown(answer.run.model_name)
    if not every:
        return
    st.markdown("**Roles made in the detector lab**")
    with st.container(key="app-saved_cards"):
        for place, (role, is_kept) in enumerate(every):
            with st.container(border=True, key=f"app-saved_card_{place}"):
                _card(role, answer, place, is_kept=is_kept)


def _card(role: SavedRole, answer: Answer, place: int, *, is_kept: bool) -> None:
    try:
        card = view.saved_roles.card_of(role, answer.run, answer.scores)
    except HeadrolesError as error:
        elements.html(f'<div class="hr-cardhead"><h3>{escape(role.name)}</h3></div>')
        elements.html(badge(is_kept=is_kept))
        elements.show_error(error, kind=st.info)
    else:
        elements.heading(awake=card.awake, name=card.role.name, headline=card.headline)
        elements.html(badge(is_kept=is_kept))
        _numbers(card, place)
    if not is_kept:
        st.button(
            "Remove",
            icon=":material/delete:",
            key=f"app-saved_remove_{place}",
            on_click=forget,
            args=(role,),
            type="tertiary",
        )


def _numbers(card: role_cards.RoleCard, place: int) -> None:
    lab = card.role.level == "lab"  # whose explanation speaks to the one who made it
    words = f"It looks at {card.role.looks_at}." if lab else card.role.explanation
    elements.html(f'<p class="hr-explain">{escape(words)}</p>')
    if not card.rows:
        elements.html('<p class="hr-asleep">This model has none of its heads.</p>')
        return
    bars = f"app-saved_bars_{place}"
    elements.chart(
        charts.heads.head_bars(role_cards.bar_records(card), card.role),
        key=session.chart_key(bars),
        alt_text=role_cards.bars_alt(card),
        on_select=session.on_click(bars, None),
    )
    if not card.awake:
        elements.html(f'<p class="hr-asleep">{escape(card.why_asleep)}</p>')
    with st.expander(f"All numbers ({html.count(len(card.rows), 'head')})"):
        headers = role_cards.table_headers(card.role, measured="In the lab")
        elements.html(html.table(headers, role_cards.table_rows(card), notes=True))
    st.caption(f"The threshold of {percent(view.saved_roles.THRESHOLD)} is provisional.")


def maps(answer: Answer) -> None:
    """A map of every head per role, on a prompt; nothing where there are none."""
    every = shown(answer.run.model_name)
    if not every:
        return
    st.subheader("Roles made in the detector lab", anchor=False)
    with st.container(key="app-saved_maps"):
        for place, (role, is_kept) in enumerate(every):
            with st.container(border=True, key=f"app-saved_map_{place}", height="stretch"):
                _map(role, answer, place, is_kept=is_kept)


def _map(role: SavedRole, answer: Answer, place: int, *, is_kept: bool) -> None:
    elements.html(
        f'<div class="hr-cardhead"><h3>{escape(role.name)}</h3></div>{badge(is_kept=is_kept)}'
    )
    try:
        drawn = view.saved_roles.map_of(role, answer.run, answer.scores)
    except HeadrolesError as error:
        elements.show_error(error, kind=st.info)
        return
    said = f"{drawn.sentence} {drawn.why_nobody}".strip()
    elements.html(f'<p class="hr-explain">{escape(said)}</p>')
    chart = f"app-saved_map_chart_{place}"
    elements.chart(
        charts.heads.head_map(
            drawn.records,
            charts.share_title(drawn.role),
            opened=st.session_state[session.HEAD],
            small=True,
        ),
        key=session.chart_key(chart),
        alt_text=f"{role.name}: {said}",
        on_select=session.on_click(chart, None),
    )
    even = "" if drawn.chance is None else f", chance {percent(drawn.chance)}"
    limit = f"threshold {percent(view.saved_roles.THRESHOLD)} (provisional){even}"
    elements.html(f'<div class="hr-small">{escape(limit)}</div>')


def of_head(answer: Answer, head: Head) -> None:
    """What a head does in each role on a prompt, as a table; nothing where there are none."""
    every = shown(answer.run.model_name)
    if not every:
        return
    elements.html('<p class="hr-explain"><b>Roles made in the detector lab</b></p>')
    rows = [_row(role, answer, head, is_kept=is_kept) for role, is_kept in every]
    headers = ["Role", "On this prompt", "Needs", "Chance", "In the lab", "Whose"]
    elements.html(f'<div class="hr-one-line">{html.table(headers, rows)}</div>')


def _row(role: SavedRole, answer: Answer, head: Head, *, is_kept: bool) -> list[str]:
    whose = view.saved_roles.KEPT if is_kept else "yours"
    in_lab = next((f"{score:.2f}" for one, score in role.heads if one == head), "–")
    try:
        (verdict,) = view.saved_roles.judge(role, answer.run, answer.scores, [head])
    except HeadrolesError as error:
        return [role.name, error.message, "–", "–", in_lab, whose]
    own = verdict.activation
    applies = verdict.state in ("active", "quiet")
    return [
        role.name,
        role_cards.shown_verdict(verdict),
        percent(verdict.needed) if applies else "–",
        percent(own.chance) if own.rows else "–",
        in_lab,
        whose,
    ]
