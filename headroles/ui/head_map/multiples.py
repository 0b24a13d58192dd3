"""One map of layers and heads per role, all on one scale; or the map of one role, large."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import streamlit as st

from headroles import charts
from headroles.roles import ROLES
from headroles.ui.app import elements, extended_state, map_marks, session
from headroles.view import map_conclusions
from headroles.view import map_marks as marking

if TYPE_CHECKING:
    from headroles.view import ModelMap, RoleMap


def draw(model: ModelMap) -> None:
    """Draw the conclusion, then a card per role, or the one that is chosen, and the legend."""
    place = st.container()
    large = st.pills(
        "One role, large",
        [*model.roles, "other"],
        format_func=lambda key: ROLES[key].name,
        key=session.LARGE_ROLE,
        persist_state="session",
        help="Choose it again to see all roles side by side.",
    )
    map_marks.choose(usual="Listed heads", logits=extended_state.shown())
    with place:
        elements.conclusion(escape(map_conclusions.conclusion(model, large)))
    elements.html(legend(model))
    if large is not None:
        with st.container(border=True, key="head_map-alone"):
            if large == "other":
                _other(model, small=False)
            else:
                _card(model.roles[large], model, small=False)
        return
    with st.container(key="head_map-head_maps"):
        for role_map in model.roles.values():
            with st.container(
                border=True, key=f"head_map-map_card_{role_map.role.key}", height="stretch"
            ):
                _card(role_map, model)
        with st.container(border=True, key="head_map-map_card_other", height="stretch"):
            _other(model)


def _other(model: ModelMap, *, small: bool = True) -> None:
    """The heads of no role, so that none of the model is left out."""
    role_map = model.other_map()
    elements.html(
        f'<div class="hr-cardhead"><h3>{escape(role_map.role.name)}</h3></div>'
        f'<p class="hr-explain">{escape(f"{role_map.sentence} {marked(role_map)}")}</p>'
    )
    chart(role_map, key="head_map-map_other", small=small)
    elements.html(
        '<div class="hr-small">The number is the highest that a head reaches in any role but '
        "Diffuse.</div>"
    )
    elements.chips(sorted(model.other))


def _card(role_map: RoleMap, model: ModelMap, *, small: bool = True) -> None:
    said = f"{role_map.sentence} {role_map.why_nobody}" if small else ""  # large, it is said above
    said = f"{said} {marked(role_map)}".strip()
    elements.html(
        f'<div class="hr-cardhead"><h3>{escape(role_map.role.name)}</h3></div>'
        f'<p class="hr-explain">{escape(said)}</p>'
    )
    chart(role_map, key=f"head_map-map_{role_map.role.key}", small=small)
    elements.html(scale(role_map, model))


def chart(role_map: RoleMap, *, key: str, small: bool = False, model: str | None = None) -> None:
    """The clickable map of one role; ``model`` is named where it is not the present one."""

    here = st.session_state[session.HEAD] if model is None else None
    records = marking.applied(role_map.records, map_marks.chosen(), role_map.role)
    elements.chart(
        charts.heads.head_map(records, charts.share_title(role_map.role), opened=here, small=small),
        key=session.chart_key(key),
        alt_text=f"{role_map.role.name}: {role_map.sentence} {marked(role_map)}".strip(),
        on_select=session.on_click(
            key, role_map.role.key if role_map.role.is_scored else None, model=model
        ),
    )


def marked(role_map: RoleMap) -> str:
    """Which heads of a map the reader's own marks are on; empty with the usual ones."""
    return marking.sentence(role_map.records, map_marks.chosen(), role_map.role)


def legend(model: ModelMap) -> str:
    """What the marks mean, once for all maps (HTML)."""
    own = map_marks.legend(map_marks.chosen())
    ring = "active on this prompt" if model.unit == "prompt" else "reaches the threshold"
    marked = "a listed head of the role" if model.calibrated else ""
    if model.by_papers:
        marked = "named for the role by papers (from the literature)"
    listed = f'<span><i class="hr-key hr-key-dot"></i>{marked}</span>' if marked else ""
    usual = f'<span><i class="hr-key hr-key-ring"></i>{ring}</span>{listed}'
    return (
        '<div class="hr-legend"><span>0% <i class="hr-key-ramp"></i> 100%</span>'
        '<span><i class="hr-key hr-key-chance"></i>chance (an even spread)</span>'
        '<span><i class="hr-key hr-key-threshold"></i>threshold'
        f"{'' if model.calibrated else ' (provisional)'}</span>{own or usual}</div>"
        '<div class="hr-small">Numbers in cells are percentages. Click a cell to open that head.'
        "</div>"
    )


def scale(role_map: RoleMap, model: ModelMap) -> str:
    """A role's scale from 0 to 100% with its chance and its threshold (HTML)."""

    even = "chance" if role_map.role.has_cells else "perfectly even"
    words = [f"threshold {role_map.threshold:.0%}{'' if model.calibrated else ' (provisional)'}"]
    ticks = f'<b class="hr-threshold" style="left:{role_map.threshold:.1%}"></b>'
    if role_map.chance is not None:
        words.insert(0, f"{even} {role_map.chance:.0%}")
        ticks += f'<b class="hr-chance" style="left:calc({role_map.chance:.1%} - 1px)"></b>'
    marks = ", ".join(words)
    title = charts.share_title(role_map.role).capitalize()
    return (
        f'<div class="hr-scale hr-scale-low" role="img" aria-label="0% to 100%: {marks}">'
        f'<div class="hr-scale-bar"></div>{ticks}</div>'
        f'<div class="hr-small">{escape(title)}: {marks}</div>'
    )
