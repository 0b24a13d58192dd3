"""The files of the section *When the pattern changes*, made when their button is pressed."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from headroles import charts, export, view
from headroles.ui.app import caches, download_button, files
from headroles.ui.app.files import File, Table, about_picture, pictures

if TYPE_CHECKING:
    from headroles.types import Head
    from headroles.verdicts.changing_patterns import ChangingPatterns


def draw(model: str, found: ChangingPatterns, head: Head) -> None:
    """The button with the files."""
    with download_button.popover():
        download_button.buttons(of_sequences(model, found, head))
        download_button.about("Every file names the kind of sequence, and all texts.")


def of_sequences(model: str, found: ChangingPatterns, head: Head) -> list[File]:
    """All heads at all periods, attention within slots, and the map."""
    name = f"periods {found.kind}"
    made = [*files.tables("All heads", partial(_heads, model, found), name=(model, name))]
    if found.slots:
        slots = partial(_slots, model, found)
        made += files.tables("Names and numbers", slots, name=(model, f"{name} slots"))
    drawing = partial(
        charts.heads.head_map,
        view.sequences.map_records(found),
        "verdict",
        opened=head,
        clickable=False,
    )
    title = view.sequences.map_sentence(found)
    return made + pictures(drawing, name=(model, name), title=title, about=about_picture(model))


def _heads(model: str, found: ChangingPatterns) -> Table:
    return export.sequences.rows(found), _origin(model, found)


def _slots(model: str, found: ChangingPatterns) -> Table:
    return export.sequences.slot_rows(found), _origin(model, found)


def _origin(model: str, found: ChangingPatterns) -> dict[str, object]:
    with caches.borrow(model) as loaded:
        return export.sequences.provenance(found, loaded)
