"""The sections of a report in their order, as HTML and as Markdown.

>>> html(gather("demo")).startswith("<!doctype html>")  # doctest: +SKIP
True
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from headroles import __version__, export
from headroles.export.documents import Document
from headroles.view.report import heads, real_text, roles, subject, weights
from headroles.view.report.missing import missing
from headroles.view.report.summary import lead

if TYPE_CHECKING:
    from headroles.export.documents import Section
    from headroles.view.report.gathering import Gathered


def document(gathered: Gathered) -> Document:
    """Everything that is known about a model, in one document; the same input gives the same."""
    entry = gathered.entry
    sections: list[Section | None] = [
        replace(subject.subject(gathered), anchor="model"),
        replace(subject.analysis(gathered), anchor="analysis"),
        *roles.sections(gathered),
        heads.place_or_content(gathered),
        roles.evidence(gathered),
        roles.papers(gathered),
        *real_text.sections(gathered),
        weights.circuits(gathered),
        heads.on_prompt(gathered),
        heads.table_of_all(gathered),
        missing(gathered),
    ]
    when = f"analysis of {entry.analysis_date}" if entry.analysis_date else "date not said"
    revision = f" · revision {entry.revision[:19]}" if entry.revision else ""
    return Document(
        title=f"The attention heads of {gathered.name}",
        about=f"{entry.model_name} · {when}{revision}",
        lead=lead(gathered),
        sections=tuple(section for section in sections if section is not None),
        end=f"Made by headroles {__version__} from the {when}.",
    )


def html(gathered: Gathered) -> str:
    """The report as one HTML file."""
    return export.document_html.to_html(document(gathered))


def markdown(gathered: Gathered) -> str:
    """The report as Markdown."""
    return export.document_markdown.to_markdown(document(gathered))
