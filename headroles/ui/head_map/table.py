"""Every head with every number, to sort and to search; a chosen row leads to its close-up."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from headroles import limits, view
from headroles.roles import COPIED, FALL, LOGITS, RATE, ROLES, SHARE, Role
from headroles.ui.app import map_marks, session
from headroles.ui.app.part import part
from headroles.ui.head_map import state
from headroles.view import causal, html, in_a_line
from headroles.view import map_marks as marking

if TYPE_CHECKING:
    from headroles.view import ModelMap

TABLE = "head_map-all_heads_table"
NAMES = 150
"""Pixels that the name of a role takes."""
KNOCKED_OUT = 260
"""Pixels that two roles take, each with its sign."""


@part
def draw(model: ModelMap) -> None:
    """Draw the search box and the table of the heads that match."""
    st.subheader("Every head", anchor=False)
    wanted = st.text_input(
        "Search",
        key=state.SEARCH,
        max_chars=limits.TOKEN.most,
        placeholder="L1H1, layer 2, induction, other …",
        persist_state="session",
        icon=":material/search:",
    )
    marks, large = map_marks.chosen(), st.session_state[session.LARGE_ROLE]
    places = marking.ordered(matching(model, wanted or ""), model, marks, large)
    total = len(model.heads)
    first = ""
    if marks.own:
        first = (
            f" Highest {ROLES[large].name} first."
            if large in model.roles
            else (" Heads that are marked on most maps come first.")
        )
    st.caption(
        f"{len(places)} of {html.count(total, 'head')}.{first} Click a column’s name to sort, or a "
        "row to open its head."
    )
    if not places:
        return
    signed = {role.key: 3 for role in model.extended if role.is_signed}
    st.dataframe(
        view.tables.with_minus(
            view.tables.every_head(model, places, marks), signed, changes=signed
        ),
        key=session.chart_key(TABLE),
        hide_index=True,
        column_config=_columns(model),
        on_select=session.on_row(TABLE, [model.heads[place] for place in places]),
        selection_mode="single-row",
        placeholder="–",
        height=min(36 * (len(places) + 1) + 2, 470),
    )


def matching(model: ModelMap, wanted: str) -> list[int]:
    """The places of the heads of which every wanted word is in the label, layer or roles."""
    words = wanted.lower().replace("layer ", "layer").split()

    def haystack(place: int) -> str:
        head = model.heads[place]
        return f"{head.label} layer{head.layer} {in_a_line(model.names_of(place))}".lower()

    return [
        place
        for place in range(len(model.heads))
        if all(_within(word, haystack(place)) for word in words)
    ]


def _within(word: str, haystack: str) -> bool:
    # "layer1" must not find layer 11, nor "l1h1" the head L1H11.
    return word in haystack.split() if word[-1].isdigit() else word in haystack


def _columns(model: ModelMap) -> dict[str, object]:
    on_prompt = model.unit == "prompt"
    shape = {"format": "percent"} if on_prompt else {"format": "%.3f"}
    roles_help = "active on this prompt" if on_prompt else "whose threshold its score reaches"
    columns = {
        "head": st.column_config.TextColumn("Head", pinned=True, width=70),
        "layer": st.column_config.NumberColumn("Layer", width=60),
        "roles": st.column_config.TextColumn("Roles", help=f"The roles {roles_help}", width=NAMES),
        "marked": st.column_config.TextColumn(
            "Marked", help="The roles on whose maps it is marked", width=NAMES
        ),
        "ablation": st.column_config.TextColumn(
            "Knocked out",
            width=KNOCKED_OUT,
            help="Whether the model needs the head for a role that lists it: "
            f"{causal.legend(list(model.ablations.values()))}. The numbers are in its "
            "close-up",
        ),
        "other": st.column_config.NumberColumn(
            ROLES["other"].name,
            help="For a head without a role: its highest number in any role but Diffuse",
            **shape,
        ),
    }
    for key, role_map in model.roles.items():
        columns[key] = st.column_config.NumberColumn(
            role_map.role.name,
            help=f"From 0 to 1; threshold {role_map.threshold:.2f}",
            **shape,
        )
    columns["largest"] = st.column_config.NumberColumn(
        "Largest weight",
        help="The largest weight of a row of its attention, on average: with the evenness of "
        "Diffuse it tells an even spread from a few peaks",
        **shape,
    )
    for role in model.extended:
        columns[role.key] = _extended_column(role, shape)
    return columns


def _extended_column(role: Role, shape: dict[str, str]) -> object:
    """Of a signed role in logits with the sign, of the others as the basic roles are shown."""
    if role.is_signed:
        shape = {}
    unit = {
        SHARE: f"share of attention on {role.looks_at}{role.aside}, from 0 to 1",
        RATE: "share of the words, from 0 to 1",
        COPIED: "share of the answers' tokens that it copies, from 0 to 1",
        LOGITS: "logits: + writes for the token, − against it",
        FALL: "how far the right name's share of the name movers' attention falls without the head",
    }[role.unit]
    return st.column_config.NumberColumn(role.name, help=f"Extended role; {unit}", **shape)
