"""The files of the Head map, made when their button is pressed."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import streamlit as st

from headroles import charts, export
from headroles.ui.app import caches, chat_format, download_button, extended_state, session
from headroles.ui.app.files import (
    CSV,
    JSON,
    File,
    Table,
    about_picture,
    can_draw,
    file_name,
    pictures,
    provenance,
    table_csv,
    table_json,
)
from headroles.ui.head_map import state

if TYPE_CHECKING:
    from headroles.charts.drawing import Drawing
    from headroles.ui.app.caches import Reference
    from headroles.view import ModelMap, RoleMap


def draw(model: ModelMap, *, on_prompt: bool, reference: Reference) -> None:
    """The button with the table of all heads, and the map of a role as a picture."""
    name = st.session_state[session.MODEL]
    prompt = st.session_state[session.PROMPT] if on_prompt else None
    chat = chat_format.is_on(name)
    extended = extended_state.shown()
    with download_button.popover():
        download_button.buttons(of_map(name, prompt, reference, chat=chat, extended=extended))
        more = "" if extended else " Switch on “Extended roles” to include them."
        download_button.about(f"Every head in every role.{more}")
        if can_draw():
            entry = reference.entry
            about = about_picture(
                name,
                prompt=prompt,
                chat=chat,
                analysed=entry.analysis_date if entry and not on_prompt else "",
            )
            _role_picture(name, model, about=about)


@st.fragment
def _role_picture(name: str, model: ModelMap, *, about: str) -> None:
    """Which role's map is saved; only this part runs again on a choice."""
    role = st.selectbox(
        "The map of",
        list(model.roles),
        format_func=lambda key: model.roles[key].role.name,
        key=state.PICTURE,
    )
    download_button.buttons(of_role_map(name, model.roles[role], about=about))


def of_map(
    model: str,
    prompt: str | None,
    reference: Reference,
    *,
    extended: bool,
    chat: bool = False,
) -> list[File]:
    """Every head in every role, on the prompt or, without one, as measured beforehand.

    Args:
        model: the catalogue key.
        prompt: the prompt, or None for the stored scores.
        reference: the stored analysis.
        chat: whether the prompt is wrapped by the model's chat template.
        extended: whether to include the extended roles.
    """
    what = "all heads on a prompt" if prompt is not None else "reference scores"
    made = partial(_map_table, model, prompt, reference, chat=chat, extended=extended)
    return [
        File("Table as CSV", file_name(model, what, "csv"), CSV, partial(table_csv, made)),
        File("Table as JSON", file_name(model, what, "json"), JSON, partial(table_json, made)),
    ]


def of_role_map(model: str, role_map: RoleMap, *, about: str) -> list[File]:
    """The map of one role as a picture; ``about`` stands under its title."""
    return pictures(
        partial(_map_chart, role_map),
        name=(model, f"map {role_map.role.key}"),
        title=f"{role_map.role.name}. {role_map.sentence}",
        about=about,
    )


def _map_table(
    model: str, prompt: str | None, reference: Reference, *, chat: bool, extended: bool
) -> Table:

    entry = reference.entry
    if prompt is None:
        rows, origin = (
            export.tables.reference_rows(entry),
            export.provenance.reference_provenance(entry),
        )
        return rows + (export.tables.extended_rows(entry) if extended else []), origin
    answer = caches.answer(model, prompt, chat=chat)
    rows = export.tables.prompt_rows(answer.scores, thresholds=reference.thresholds, entry=entry)
    if extended and entry is not None:
        rows += export.tables.extended_rows(entry, answer.run)
    return rows, provenance(answer, reference)


def _map_chart(role_map: RoleMap) -> Drawing:

    return charts.heads.head_map(
        role_map.records, charts.share_title(role_map.role), clickable=False
    )
