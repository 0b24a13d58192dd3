"""Where a role sits in models of different depth."""

from __future__ import annotations

from functools import partial
from html import escape
from typing import TYPE_CHECKING

import streamlit as st

from headroles import charts, export, models, view
from headroles.roles import EXTENDED_ROLES, LOGITS, ROLES, SCORED_ROLES, Role
from headroles.ui.app import caches, download_button, elements, files, session
from headroles.ui.find_heads import state
from headroles.view.html import plain, table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from headroles.charts.drawing import Drawing
    from headroles.store import ModelEntry
    from headroles.ui.app.files import Table
    from headroles.view.depth import LayerBest


def draw() -> None:
    """Draw the section."""
    entries = caches.analysed()
    if not entries:
        st.info(
            "No model on this server has been analysed. An instructor can have one analysed on the "
            "Admin page.",
            icon=":material/info:",
        )
        return
    role, chosen = choose(entries)
    found = [
        best
        for key in chosen
        if view.depth.has_scores(entries[key], role.key)
        for best in view.depth.by_layer(entries[key], role.key, name=models.name_of(key))
    ]
    if not found:
        st.info(f"None of the chosen models has a score for the role {role.name}. Choose others.")
        return
    said = view.depth.sentence(found, role)
    elements.conclusion(escape(said))
    records = view.depth.records(found, role)
    elements.chart(
        drawing(records, role),
        key=session.chart_key(state.DEPTH),
        alt_text=said,
        on_select=state.open_of_model,
    )
    elements.html(_legend(records))
    elements.note(
        "A point is the best head of a layer; a filled one reaches the role’s threshold in its "
        "model. Click a point to open its head."
    )
    headers, lines = view.depth.table(found, role, entries=entries)
    elements.html(table(headers, lines))
    elements.note(
        "Depth: layer ÷ (layers − 1). A model with few layers can only have few depths, so compare "
        "thirds, not percents."
    )
    _files(found, records, role, said=said)


def choose(entries: Mapping[str, ModelEntry]) -> tuple[Role, list[str]]:
    """The role and the models."""
    roles = [
        role.key
        for role in (*SCORED_ROLES, *EXTENDED_ROLES.values())
        if any(view.depth.has_scores(entry, role.key) for entry in entries.values())
    ]
    if st.session_state[state.ROLE] not in roles:
        st.session_state[state.ROLE] = "induction" if "induction" in roles else roles[0]
    most = len(charts.depth.LOOKS)
    first = list(entries)[:most]
    asked = st.session_state.get(state.MODELS) or []
    kept = [key for key in asked if key in entries]
    st.session_state[state.FIRST_MODELS] = tuple(first)
    st.session_state[state.MODELS] = kept or first
    if missing := [models.name_of(key) for key in asked if key not in entries]:
        st.info(f"Left out, for they are not analysed yet: {plain(', '.join(missing))}.")
    with st.container(horizontal=True, vertical_alignment="bottom", key="find_heads-depth"):
        role = st.selectbox(
            "Role",
            roles,
            format_func=lambda key: ROLES[key].name,
            key=state.ROLE,
            persist_state="session",
            width=240,
        )
        chosen = st.multiselect(
            "Models",
            list(entries),
            format_func=models.name_of,
            key=state.MODELS,
            max_selections=most,
            persist_state="session",
        )
    return ROLES[role], chosen or kept or first


def drawing(records: Sequence[Mapping[str, object]], role: Role, *, still: bool = False) -> Drawing:
    """The chart; ``still`` for a picture."""
    return charts.depth.by_depth(
        records,
        title=charts.share_title(role),
        share=role.unit != LOGITS,
        clickable=not still,
    )


def _legend(records: Sequence[Mapping[str, object]]) -> str:
    names = dict.fromkeys(str(record["name"]) for record in records)
    marks = "".join(
        f'<span><i class="hr-key hr-key-shape hr-shape-{shape}" style="color:{colour}"></i>'
        f"{escape(name)}</span>"
        for name, (shape, colour, _) in zip(names, charts.depth.LOOKS, strict=False)
    )
    return f'<div class="hr-legend">{marks}</div>'


def _files(
    found: Sequence[LayerBest],
    records: Sequence[Mapping[str, object]],
    role: Role,
    *,
    said: str,
) -> None:
    name = ("models", f"{role.key} by depth")
    with download_button.popover():
        download_button.buttons(
            [
                *files.tables("Layers", partial(_table, found, role), name=name, rows="layers"),
                *files.pictures(partial(drawing, records, role, still=True), name=name, title=said),
            ]
        )
        download_button.about("The best head of every layer of these models.")


def _table(found: Sequence[LayerBest], role: Role) -> Table:
    chosen = list(dict.fromkeys(one.model for one in found))
    origin = export.provenance.origin(", ".join(chosen))
    origin |= view.depth.about(role)
    origin["revisions"] = {key: caches.stored(key).entry.revision for key in chosen}
    return view.depth.rows(found, role), origin
