"""The files of the page Real text, made when their button is pressed."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from headroles import charts, export
from headroles.ui.app import download_button, files
from headroles.ui.app.files import Table, about_picture, pictures
from headroles.view import real_text as words

if TYPE_CHECKING:
    from headroles.store import ModelEntry
    from headroles.types import Head
    from headroles.ui.real_text.texts import Given
    from headroles.view.real_text import Wild


def draw_activity(given: Given, entry: ModelEntry | None, chosen: Wild) -> None:
    """Every role and head as a table, and the map of one role."""
    model = given.asked.model
    with download_button.popover():
        download_button.buttons(
            [
                *files.tables(
                    "Roles in the wild", partial(_activity, given, entry),
                    name=(model, "roles in the wild"), rows="heads",
                ),
                *pictures(
                    partial(
                        charts.heads.head_map, words.map_records(chosen), words.MAP_TITLE,
                        clickable=False,
                    ),
                    name=(model, f"{chosen.role.key} in the wild"),
                    title=words.map_sentence(chosen),
                    about=about_picture(model),
                ),
            ]
        )  # fmt: skip
        download_button.about("Every role and head, on the text and with its tokens shuffled.")


def _activity(given: Given, entry: ModelEntry | None) -> Table:
    record = given.record
    return export.real_text.activity_rows(record, entry), export.real_text.about(record)


def draw_evidence(given: Given, head: Head, role: str | None) -> None:
    """The passages of a head as a table."""
    with download_button.popover():
        download_button.buttons(
            files.tables(
                "Passages", partial(_evidence, given, head, role),
                name=(given.asked.model, f"{head.label} passages"), rows="passages",
            )
        )  # fmt: skip
        download_button.about("Each passage with its text, the token that looks, and its keys.")


def _evidence(given: Given, head: Head, role: str | None) -> Table:
    rows = export.real_text.evidence_rows(given.record, given.passages, [head], role)
    return rows, export.real_text.about(given.record)
