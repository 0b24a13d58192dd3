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

from headroles import export, formatting, models

if TYPE_CHECKING:
    from headroles.charts.drawing import Drawing
    from headroles.ui.app.caches import Answer, Reference

CSV, JSON, PYTHON = "text/csv", "application/json", "text/x-python"
PROMPT_SHOWN = 90
"""Characters of a prompt under the title of a picture."""
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


def about_picture(
    model: str, *, prompt: str | None = None, chat: bool = False, analysed: str = ""
) -> str:
    """What stands under the title of a picture: the model, the prompt, the day of the analysis.

    Args:
        model: the catalogue key.
        prompt: what was run; None where the picture is not of a prompt.
        chat: whether it was wrapped as a chat message.
        analysed: the date of the analysis, where the picture depends on it.
    """
    parts = [models.name_of(model)]
    if prompt is not None:
        line = formatting.in_one_line(prompt, limit=PROMPT_SHOWN)
        as_chat = " (as a chat message)" if chat else ""
        parts.append(f"prompt: “{line}”{as_chat}")
    if analysed:
        parts.append(f"analysis of {analysed[:10]}")
    return " · ".join(parts)


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
