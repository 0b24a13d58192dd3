"""A file that a page offers: its name, and how it is made. Each page lists its own files.

A file is made when its button is pressed, on another thread than the page's: what it needs is
bound beforehand, and nothing is read from the session then.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING, NamedTuple

from headroles import export, models, view

if TYPE_CHECKING:
    from headroles.charts.drawing import Drawing
    from headroles.export.documents import Document
    from headroles.store import ModelEntry
    from headroles.types import Head
    from headroles.ui.app.caches import Answer, Reference
    from headroles.view.report import Gathered
    from headroles.view.two_texts import TwoTexts

CSV, JSON, PYTHON = "text/csv", "application/json", "text/x-python"
HTML, MARKDOWN = "text/html", "text/markdown"
Table = tuple[list[dict[str, object]], dict[str, object]]
"""Rows, and where they come from."""
PICTURES = {"png": "image/png", "svg": "image/svg+xml"}


class File(NamedTuple):
    """One file that a page offers."""

    label: str
    """The label of its button."""
    name: str
    """The file's name: project, model, and what it is."""
    mime: str
    """Its media type."""
    make: Callable[[], bytes]
    """Makes its content."""

    @property
    def key(self) -> str:
        """The button's key."""
        return f"app-download_{re.sub(r'[^a-z]+', '_', self.label.lower()).strip('_')}"


def file_name(model: str, what: str, ending: str) -> str:
    """A file name that every system accepts.

    >>> file_name("org/Model 1", "L1H3 induction", "csv")
    'headroles_org-Model-1_L1H3-induction.csv'
    """
    parts = [re.sub(r"[^A-Za-z0-9.-]+", "-", part).strip("-.") for part in (model, what)]
    return f"headroles_{'_'.join(parts)}.{ending}"


def can_draw() -> bool:
    """Whether charts can be saved as pictures here."""
    return find_spec("vl_convert") is not None


def provenance(answer: Answer, reference: Reference) -> dict[str, object]:
    """Where the numbers of a prompt come from."""
    return export.provenance.provenance(
        answer.run,
        reference.entry,
        revision=answer.run.revision,
        thresholds=reference.thresholds,
    )


def revision(model: str) -> str:
    """Of the weights that lie here now, which is what a page runs."""
    return models.model_revision(models.resolve_source(model))


def utf8(text: str) -> bytes:
    """A text as bytes for a file."""
    # A token may hold half a character, which UTF-8 cannot encode.
    return text.encode("utf-8", "replace")


# ------------------------------------------------------------------ tables and pictures


def table_csv(make: Callable[[], Table]) -> bytes:
    """A table with its origin as CSV."""
    return export.tables.csv_bytes(export.tables.heads_csv(*make()))


def table_json(make: Callable[[], Table], *, name: str = "heads") -> bytes:
    """A table with its origin as JSON; ``name`` is what its rows are."""
    return utf8(export.tables.heads_json(*make(), name=name))


def tables(
    what: str, make: Callable[[], Table], *, name: tuple[str, str], rows: str = "rows"
) -> list[File]:
    """A table as CSV and as JSON.

    Args:
        what: the table, for the buttons: ``Draws``.
        make: makes it.
        name: the model and what it is, for the file's name.
        rows: what its rows are, in the JSON.
    """
    return [
        File(f"{what} as CSV", file_name(*name, "csv"), CSV, partial(table_csv, make)),
        File(
            f"{what} as JSON", file_name(*name, "json"), JSON, partial(table_json, make, name=rows)
        ),
    ]


def page(
    make: Callable[[], Document], *, name: tuple[str, str], what: str = "Report"
) -> list[File]:
    """Tables with what they say, as one HTML file that loads nothing.

    Args:
        make: makes the document.
        name: the model and what it is, for the file's name.
        what: the document, for the button.
    """
    return [File(f"{what} as HTML", file_name(*name, "html"), HTML, partial(_page, make))]


def _page(make: Callable[[], Document]) -> bytes:
    return utf8(export.document_html.to_html(make()))


def place_or_content(
    entry: ModelEntry, by_role: Mapping[str, TwoTexts], *, only: Head | None = None
) -> list[File]:
    """The scores on sentences and on random tokens, with what they mean, of every head.

    Args:
        entry: the stored analysis.
        by_role: from :func:`headroles.view.two_texts.two_texts`.
        only: leave out the other heads.
    """
    whose = "" if only is None else f"{only.label} "
    return tables(
        "Place or content",
        partial(_place_table, entry, by_role, only),
        name=(entry.model_name, f"{whose}place or content"),
        rows="heads",
    )


def _place_table(entry: ModelEntry, by_role: Mapping[str, TwoTexts], only: Head | None) -> Table:
    origin = export.provenance.reference_provenance(entry)
    return view.two_texts.export_rows(by_role, only=only), origin


def reports(model: str, gather: Callable[[], Gathered]) -> list[File]:
    """The report of a model, as one HTML file and as Markdown.

    Args:
        model: its key, for the files' names.
        gather: reads what is stored about it.
    """
    return [
        File(f"Report as {name}", file_name(model, "report", ending), mime, partial(write, gather))
        for name, ending, mime, write in (
            ("HTML", "html", HTML, _report_html),
            ("Markdown", "md", MARKDOWN, _report_markdown),
        )
    ]


def _report_html(gather: Callable[[], Gathered]) -> bytes:
    return utf8(view.report.html(gather()))


def _report_markdown(gather: Callable[[], Gathered]) -> bytes:
    return utf8(view.report.markdown(gather()))


def about_picture(
    model: str, *, prompt: str | None = None, chat: bool = False, analysed: str = ""
) -> str:
    """What stands under the title of a picture (:func:`export.provenance.about_picture`)."""
    return export.provenance.about_picture(model, prompt=prompt, chat=chat, analysed=analysed)


def pictures(
    chart: Callable[[], Drawing],
    *,
    name: tuple[str, str],
    title: str,
    about: str = "",
    width: int | None = None,
    what: str = "Chart",
) -> list[File]:
    """A chart as PNG and as SVG; none where pictures cannot be made.

    Args:
        chart: makes the chart.
        name: the model and what it is, for the file's name.
        title: what the picture is of.
        about: what stands under the title, from :func:`about_picture`.
        width: pixels; the export's own where none is given.
        what: the chart, for the buttons, where there is more than one.
    """
    if not can_draw():
        return []
    return [
        File(
            f"{what} as {kind.upper()}",
            file_name(*name, kind),
            mime,
            partial(_picture, chart, kind, title=title, about=about, width=width),
        )
        for kind, mime in PICTURES.items()
    ]


def _picture(
    chart: Callable[[], Drawing], kind: str, *, title: str, about: str, width: int | None
) -> bytes:

    spec: Mapping[str, object] = chart().to_dict()
    return export.pictures.chart_image(
        spec, kind, title=title, about=about, width=width or export.pictures.WIDTH
    )
