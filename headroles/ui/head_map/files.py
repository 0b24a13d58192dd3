"""The files of the Head map, made when their button is pressed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

import streamlit as st

from headroles import charts, export, view
from headroles.types import Head
from headroles.ui.app import (
    caches,
    chat_format,
    download_button,
    extended_state,
    map_marks,
    saved_roles,
    session,
)
from headroles.ui.app.files import (
    File,
    Table,
    about_picture,
    can_draw,
    pictures,
    provenance,
    reports,
    tables,
)
from headroles.ui.head_map import state
from headroles.view import map_marks as marking

if TYPE_CHECKING:
    from headroles.charts.drawing import Drawing
    from headroles.roles import SavedRole
    from headroles.ui.app.caches import Reference
    from headroles.view import ModelMap, RoleMap
    from headroles.view.map_marks import Marks


def draw(model: ModelMap, *, on_prompt: bool, reference: Reference) -> None:
    """The button with the table of all heads, and the map of a role as a picture."""
    name = st.session_state[session.MODEL]
    prompt = st.session_state[session.PROMPT] if on_prompt else None
    chat = chat_format.is_on(name)
    extended = extended_state.shown()
    with download_button.popover():
        download_button.buttons(
            of_map(
                name,
                prompt,
                reference,
                chat=chat,
                extended=extended,
                saved=saved_roles.shown(name),
                marked=(model, map_marks.chosen()),
            )
        )
        if reference.entry is not None:
            download_button.buttons(reports(name, partial(view.report.gather, name)))
        more = "" if extended else " Switch on “Extended roles” to include them."
        report = "" if reference.entry is None else " The report has all that is stored."
        download_button.about(f"Every head in every role.{more}{report}")
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
    download_button.buttons(
        of_role_map(name, model.roles[role], about=about, marks=map_marks.chosen())
    )


def of_map(
    model: str,
    prompt: str | None,
    reference: Reference,
    *,
    extended: bool,
    chat: bool = False,
    saved: Sequence[tuple[SavedRole, bool]] = (),
    marked: tuple[ModelMap, Marks] | None = None,
) -> list[File]:
    """Every head in every role, on the prompt or, without one, as measured beforehand.

    Args:
        model: the catalogue key.
        prompt: the prompt, or None for the stored scores.
        reference: the stored analysis.
        chat: whether the prompt is wrapped by the model's chat template.
        extended: whether to include the extended roles.
        saved: (role, whether it is kept for the class) of the roles made in the Detector lab, which
            only a prompt shows.
        marked: the maps of the page with the reader's own marks.
    """
    what = "all heads on a prompt" if prompt is not None else "reference scores"
    made = partial(
        _map_table, model, prompt, reference, chat=chat, extended=extended, saved=tuple(saved)
    )
    if marked is not None:
        made = partial(_with_marks, made, *marked)
    return tables("Table", made, name=(model, what), rows="heads")


def _with_marks(make: Callable[[], Table], model: ModelMap, marks: Marks) -> Table:
    rows, origin = make()
    return marking.in_rows(rows, model, marks), origin | marks.about()


def of_role_map(
    model: str, role_map: RoleMap, *, about: str, marks: Marks = marking.USUAL
) -> list[File]:
    """The map of one role as a picture, with a reader's own marks; ``about`` stands under its
    title."""
    said = marking.sentence(role_map.records, marks, role_map.role)
    return pictures(
        partial(_map_chart, role_map, marks),
        name=(model, f"map {role_map.role.key}"),
        title=f"{role_map.role.name}. {role_map.sentence} {said}".strip(),
        about=about,
    )


def _map_table(
    model: str,
    prompt: str | None,
    reference: Reference,
    *,
    chat: bool,
    extended: bool,
    saved: Sequence[tuple[SavedRole, bool]],
) -> Table:

    entry = reference.entry
    if prompt is None:
        rows, origin = (
            export.tables.reference_rows(entry),
            export.provenance.reference_provenance(entry),
        )
        return rows + (export.tables.extended_rows(entry) if extended else []), origin
    answer = caches.answer(model, prompt, chat=chat)
    rows = export.tables.map_rows(
        answer.scores,
        answer.run,
        entry=entry,
        thresholds=reference.thresholds,
        extended=extended,
    )
    every = Head.every(*answer.scores.resting.shape)
    rows += view.saved_roles.rows(saved, answer.run, answer.scores, heads=every)
    return rows, provenance(answer, reference)


def _map_chart(role_map: RoleMap, marks: Marks) -> Drawing:
    records = marking.applied(role_map.records, marks, role_map.role)
    return charts.heads.head_map(records, charts.share_title(role_map.role), clickable=False)
