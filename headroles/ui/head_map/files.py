"""The files of the Head map, made when their button is pressed."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from headroles import charts, export
from headroles.models import CATALOGUE
from headroles.ui.app import caches
from headroles.ui.app.files import (
    CSV,
    JSON,
    File,
    Table,
    _provenance,
    _table_csv,
    _table_json,
    file_name,
    pictures,
)

if TYPE_CHECKING:
    import altair as alt

    from headroles.ui.app.caches import Reference
    from headroles.view import RoleMap


def of_map(model: str, prompt: str | None, reference: Reference, *, extended: bool) -> list[File]:
    """Every head in every role, on the prompt or, without one, as measured beforehand.

    Args:
        model: the catalogue key.
        prompt: the prompt, or None for the stored scores.
        reference: the stored analysis.
        extended: whether the extended roles are in it, too.
    """
    what = "all heads on a prompt" if prompt is not None else "reference scores"
    made = partial(_map_table, model, prompt, reference, extended=extended)
    return [
        File("Table as CSV", file_name(model, what, "csv"), CSV, partial(_table_csv, made)),
        File("Table as JSON", file_name(model, what, "json"), JSON, partial(_table_json, made)),
    ]


def of_role_map(model: str, one: RoleMap, *, where: str) -> list[File]:
    """The map of one role as a picture."""
    name = CATALOGUE[model].name if model in CATALOGUE else model
    return pictures(
        partial(_map_chart, one),
        name=(model, f"map {one.role.key}"),
        title=f"{one.role.name} in {name}, {where}. {one.sentence}",
    )


def _map_table(model: str, prompt: str | None, reference: Reference, *, extended: bool) -> Table:

    entry = reference.entry
    if prompt is None:
        rows, origin = (
            export.tables.reference_rows(entry),
            export.provenance.reference_provenance(entry),
        )
        return rows + (export.tables.extended_rows(entry) if extended else []), origin
    found = caches.answer(model, prompt)
    rows = export.tables.prompt_rows(found.scores, thresholds=reference.thresholds, entry=entry)
    if extended and entry is not None:
        rows += export.tables.extended_rows(entry, found.run)
    return rows, _provenance(found, reference)


def _map_chart(one: RoleMap) -> alt.LayerChart:

    return charts.heads.head_map(one.records, charts.share_title(one.role), clickable=False)
