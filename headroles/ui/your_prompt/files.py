"""The files of Your Prompt, made when their button is pressed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from headroles import export, verdicts, view
from headroles.ui.app import download_button
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
    utf8,
)

if TYPE_CHECKING:
    from headroles.ui.app.caches import Answer, Reference
    from headroles.view import RolePair


def draw(
    answer: Answer, reference: Reference, *, second: Answer | None, pairs: Sequence[RolePair]
) -> None:
    """The button with what the page shows, of one prompt or of two."""
    with download_button.popover():
        download_button.buttons(of_prompt(answer, reference))
        if second is not None and pairs:
            download_button.buttons(of_comparison(answer, second, reference=reference, pairs=pairs))
        download_button.about(
            "The script and the notebook run the prompt again. They need the headroles project, "
            "and say at their top how to set it up."
        )


def of_prompt(answer: Answer, reference: Reference) -> list[File]:
    """The listed heads on the prompt (all heads, without an analysis), and code for them."""
    model = answer.run.model_name
    what = "listed heads" if reference.entry else "all heads"

    def named(label: str, ending: str, mime: str, make: Callable[..., bytes]) -> File:
        return File(label, file_name(model, what, ending), mime, partial(make, answer, reference))

    code = file_name(model, "again", "py"), file_name(model, "again", "ipynb")
    return [
        named("Heads as CSV", "csv", CSV, _heads_csv),
        named("Heads as JSON", "json", JSON, _heads_json),
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
    origin, other = provenance(*first), provenance(*second)
    differs = {f"second_{name}": value for name, value in other.items() if value != origin[name]}
    return rows, origin | differs


def _rows(answer: Answer, reference: Reference) -> list[dict[str, object]]:

    if reference.entry is None:
        return export.tables.prompt_rows(answer.scores, thresholds=reference.thresholds)
    return export.tables.summary_rows(verdicts.summarize(reference.entry, answer.scores))


def _heads_csv(answer: Answer, reference: Reference) -> bytes:

    rows = _rows(answer, reference)
    return export.tables.csv_bytes(export.tables.heads_csv(rows, provenance(answer, reference)))


def _heads_json(answer: Answer, reference: Reference) -> bytes:

    return utf8(export.tables.heads_json(_rows(answer, reference), provenance(answer, reference)))


def _script(answer: Answer, reference: Reference) -> bytes:

    rows, origin = _rows(answer, reference), provenance(answer, reference)
    return utf8(export.notebook.script(answer.run, rows, provenance=origin))


def _notebook(answer: Answer, reference: Reference) -> bytes:

    rows, origin = _rows(answer, reference), provenance(answer, reference)
    return utf8(export.notebook.notebook(answer.run, rows, provenance=origin))


def _comparison_csv(
    answer: Answer, second: Answer, *, reference: Reference, pairs: Sequence[RolePair]
) -> bytes:

    second_origin = provenance(second, reference)
    origin = provenance(answer, reference) | {
        f"second_{name}": second_origin[name] for name in ("prompt", "tokens", "token_ids")
    }
    return export.tables.csv_bytes(export.tables.heads_csv(view.export_rows(pairs), origin))
