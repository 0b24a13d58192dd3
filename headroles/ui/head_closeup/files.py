"""The files of the Head close-up, made when their button is pressed."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from headroles import charts, export, view
from headroles.ui.app import download_button, extended_state, saved_roles
from headroles.ui.app.files import (
    CSV,
    JSON,
    File,
    Table,
    about_picture,
    file_name,
    pictures,
    provenance,
    table_csv,
    table_json,
)

if TYPE_CHECKING:
    from headroles.charts.drawing import Drawing
    from headroles.roles import SavedRole
    from headroles.ui.head_closeup.pattern import Shown
    from headroles.ui.head_closeup.subject import Subject


def draw(subject: Subject, drawn: Shown) -> None:
    """The button with the attention pattern that the page shows."""
    with download_button.popover():
        saved = saved_roles.shown(subject.answer.run.model_name)
        download_button.buttons(
            of_closeup(subject, drawn, extended=extended_state.shown(), saved=saved)
        )
        download_button.about(
            "The attention file has the whole prompt, even where the picture is zoomed in. “Roles” "
            "has the head’s numbers in every role."
        )


def of_closeup(
    subject: Subject,
    drawn: Shown,
    *,
    extended: bool,
    saved: Sequence[tuple[SavedRole, bool]] = (),
) -> list[File]:
    """The attention pattern as it is drawn, as numbers and as a picture; the head's roles, and
    those made in the Detector lab with whether they are kept for the class."""
    model = subject.answer.run.model_name
    subject_name = f"{subject.head.label} {subject.role.key}"
    numbers = File(
        "Attention as CSV",
        file_name(model, f"{subject_name} attention", "csv"),
        CSV,
        partial(_attention_csv, subject, drawn),
    )
    hidden = ", the resting column hidden" if drawn.rest_hidden else ""
    run = subject.answer.run
    roles = partial(_head_table, subject, extended=extended, saved=tuple(saved))
    name_of = partial(file_name, model, f"{subject.head.label} roles")
    return [
        numbers,
        File("Roles as CSV", name_of("csv"), CSV, partial(table_csv, roles)),
        File("Roles as JSON", name_of("json"), JSON, partial(table_json, roles)),
        *pictures(
            partial(_pattern_chart, drawn),
            name=(model, f"{subject_name} attention"),
            title=f"{subject.head.label} as {subject.role.name}: its attention{hidden}",
            about=about_picture(model, prompt=run.prompt, chat=run.encoding.is_chat),
            width=_pattern_pixels(drawn),
        ),
    ]


def _head_table(
    subject: Subject, *, extended: bool, saved: Sequence[tuple[SavedRole, bool]]
) -> Table:

    answer, reference, head = subject.answer, subject.reference, subject.head
    rows = export.tables.map_rows(
        answer.scores,
        answer.run,
        entry=reference.entry,
        thresholds=reference.thresholds,
        extended=extended,
        head=head,
    )
    rows += view.saved_roles.rows(saved, answer.run, answer.scores, heads=[head])
    return rows, provenance(answer, reference) | {"head": head.label}


def _pattern_pixels(drawn: Shown) -> int:

    cells = charts.attention.pattern_cells(drawn.attention, drawn.targets)
    return max(charts.attention.pattern_width(cells, drawn.labels), 360)


def _attention_csv(subject: Subject, drawn: Shown) -> bytes:

    origin = provenance(subject.answer, subject.reference) | {
        "head": subject.head.label,
        "role": subject.role.key,
        "resting_column_hidden": drawn.rest_hidden,
    }
    tokens = subject.answer.run.tokens
    return export.tables.csv_bytes(
        export.tables.attention_csv(
            drawn.attention, tokens, provenance=origin, targets=drawn.targets
        )
    )


def _pattern_chart(drawn: Shown) -> Drawing:

    cells = charts.attention.pattern_cells(drawn.attention, drawn.targets)
    return charts.attention.attention_pattern(
        cells, drawn.labels, drawn.role, rest_hidden=drawn.rest_hidden
    )
