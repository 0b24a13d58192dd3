"""The files of Your Prompt, made when their button is pressed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from headroles import export, view
from headroles.ui.app import download_button, saved_roles
from headroles.ui.app.files import (
    CSV,
    JSON,
    PYTHON,
    File,
    Table,
    file_name,
    provenance,
    table_csv,
    table_json,
    tables,
    utf8,
)

if TYPE_CHECKING:
    from headroles.roles import SavedRole
    from headroles.ui.app.caches import Answer, Reference
    from headroles.view import RolePair


def draw(
    answer: Answer, reference: Reference, *, second: Answer | None, pairs: Sequence[RolePair]
) -> None:
    """The button with what the page shows, of one prompt or of two."""
    with download_button.popover():
        saved = saved_roles.shown(answer.run.model_name)
        download_button.buttons(of_prompt(answer, reference, saved=saved))
        if second is not None and pairs:
            download_button.buttons(of_comparison(answer, second, reference=reference, pairs=pairs))
        download_button.about(
            "The script and the notebook run the prompt again. They need the headroles project, "
            "and say at their top how to set it up."
        )


def of_prompt(
    answer: Answer, reference: Reference, *, saved: Sequence[tuple[SavedRole, bool]] = ()
) -> list[File]:
    """The listed heads on the prompt (all heads, without an analysis), and code for them.

    Args:
        answer: the prompt.
        reference: the stored analysis.
        saved: (role, whether it is kept for the class) of the roles made in the Detector lab.
    """
    model = answer.run.model_name
    what = "listed heads" if reference.entry else "all heads"
    made = partial(_heads, answer, reference, tuple(saved))
    code = file_name(model, "again", "py"), file_name(model, "again", "ipynb")
    return [
        *tables("Heads", made, name=(model, what), rows="heads"),
        File("Python script", code[0], PYTHON, partial(_script, answer, reference)),
        File("Jupyter notebook", code[1], JSON, partial(_notebook, answer, reference)),
    ]


def of_comparison(
    answer: Answer, second: Answer, *, reference: Reference, pairs: Sequence[RolePair]
) -> list[File]:
    """The listed heads on both prompts with the change."""
    name = file_name(answer.run.model_name, "two prompts", "csv")
    make = partial(_comparison_csv, answer, second, reference=reference, pairs=tuple(pairs))
    return [File("Both prompts as CSV", name, CSV, make)]


def of_models(first: tuple[Answer, Reference], second: tuple[Answer, Reference]) -> list[File]:
    """The heads of two models on one prompt, model by model."""
    model = first[0].run.model_name

    def named(label: str, ending: str, mime: str, make: Callable[..., bytes]) -> File:
        name = file_name(model, f"and {second[0].run.model_name}", ending)
        return File(label, name, mime, partial(make, partial(_of_both, first, second)))

    return [
        named("Both models as CSV", "csv", CSV, table_csv),
        named("Both models as JSON", "json", JSON, table_json),
    ]


def _of_both(first: tuple[Answer, Reference], second: tuple[Answer, Reference]) -> Table:
    rows = [
        {"model": side[0].run.model_name, **row} for side in (first, second) for row in _rows(*side)
    ]
    return rows, export.provenance.of_both(provenance(*first), provenance(*second))


def _rows(answer: Answer, reference: Reference) -> list[dict[str, object]]:
    return export.tables.listed_rows(
        answer.scores, entry=reference.entry, thresholds=reference.thresholds
    )


def _heads(answer: Answer, reference: Reference, saved: Sequence[tuple[SavedRole, bool]]) -> Table:
    rows = _rows(answer, reference)
    rows += view.saved_roles.rows(saved, answer.run, answer.scores)
    return rows, provenance(answer, reference)


def _script(answer: Answer, reference: Reference) -> bytes:

    rows, origin = _rows(answer, reference), provenance(answer, reference)
    return utf8(export.notebook.script(answer.run, rows, provenance=origin))


def _notebook(answer: Answer, reference: Reference) -> bytes:

    rows, origin = _rows(answer, reference), provenance(answer, reference)
    return utf8(export.notebook.notebook(answer.run, rows, provenance=origin))


def _comparison_csv(
    answer: Answer, second: Answer, *, reference: Reference, pairs: Sequence[RolePair]
) -> bytes:

    origin = export.provenance.of_both(provenance(answer, reference), provenance(second, reference))
    return export.tables.csv_bytes(export.tables.heads_csv(view.export_rows(pairs), origin))
