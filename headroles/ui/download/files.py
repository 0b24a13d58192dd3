"""Which files a page offers, their names, and how each is made. No Streamlit is drawn here.

A file is made when its button is pressed, on another thread than the page's: what it needs is
bound beforehand, and nothing of the session is read then.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING, NamedTuple

from headroles.models import CATALOGUE
from headroles.ui import caches

if TYPE_CHECKING:
    import altair as alt

    from headroles.ui.caches import Answer, Reference
    from headroles.ui.closeup.pattern import Shown
    from headroles.ui.closeup.subject import Subject
    from headroles.ui.compare.numbers import RolePair
    from headroles.ui.map.numbers import RoleMap

CSV, JSON, PYTHON = "text/csv", "application/json", "text/x-python"
Table = tuple[list[dict[str, object]], dict[str, object]]
"""Rows, and where they come from."""
PICTURES = {"png": "image/png", "svg": "image/svg+xml"}


class File(NamedTuple):
    """One file that a page offers."""

    label: str
    """What the button says."""
    name: str
    """The file's name: project, model, and what it is."""
    mime: str
    """Its type."""
    make: Callable[[], bytes]
    """Makes its content."""

    @property
    def key(self) -> str:
        """The button's key."""
        return f"download_{re.sub(r'[^a-z]+', '_', self.label.lower()).strip('_')}"


def file_name(model: str, what: str, ending: str) -> str:
    """A name that every system takes.

    >>> file_name("org/Model 1", "L1H3 induction", "csv")
    'headroles_org-Model-1_L1H3-induction.csv'
    """
    parts = [re.sub(r"[^A-Za-z0-9.-]+", "-", part).strip("-.") for part in (model, what)]
    return f"headroles_{'_'.join(parts)}.{ending}"


def can_draw() -> bool:
    """Whether charts can be saved as pictures here."""
    return find_spec("vl_convert") is not None


# ------------------------------------------------------------------ Your Prompt


def of_prompt(found: Answer, reference: Reference) -> list[File]:
    """The listed heads on the prompt (all heads, without an analysis), and code for them."""
    model = found.run.model_name
    what = "listed heads" if reference.entry else "all heads"

    def named(label: str, ending: str, mime: str, make: Callable[..., bytes]) -> File:
        return File(label, file_name(model, what, ending), mime, partial(make, found, reference))

    code = file_name(model, "again", "py"), file_name(model, "again", "ipynb")
    return [
        named("Heads as CSV", "csv", CSV, _heads_csv),
        named("Heads as JSON", "json", JSON, _heads_json),
        File("Python script", code[0], PYTHON, partial(_script, found, reference)),
        File("Jupyter notebook", code[1], JSON, partial(_notebook, found, reference)),
    ]


def of_comparison(
    found: Answer, second: Answer, *, reference: Reference, pairs: Sequence[RolePair]
) -> list[File]:
    """The listed heads on both prompts with the change."""
    name = file_name(found.run.model_name, "two prompts", "csv")
    make = partial(_comparison_csv, found, second, reference=reference, pairs=tuple(pairs))
    return [File("Both prompts as CSV", name, CSV, make)]


def _provenance(found: Answer, reference: Reference) -> dict[str, object]:
    from headroles import export

    return export.provenance(
        found.run,
        reference.entry,
        revision=_revision(found.run.model_name),
        thresholds=reference.thresholds,
    )


def _revision(model: str) -> str:
    from headroles.models import model_revision, resolve_source

    return model_revision(resolve_source(model))


def _rows(found: Answer, reference: Reference) -> list[dict[str, object]]:
    from headroles import export
    from headroles.head_detection import summarize

    if reference.entry is None:
        return export.prompt_rows(found.scores, thresholds=reference.thresholds)
    return export.summary_rows(summarize(reference.entry, found.scores))


def _heads_csv(found: Answer, reference: Reference) -> bytes:
    from headroles import export

    rows = _rows(found, reference)
    return export.csv_bytes(export.heads_csv(rows, _provenance(found, reference)))


def _heads_json(found: Answer, reference: Reference) -> bytes:
    from headroles import export

    return _utf8(export.heads_json(_rows(found, reference), _provenance(found, reference)))


def _script(found: Answer, reference: Reference) -> bytes:
    from headroles import export

    rows, origin = _rows(found, reference), _provenance(found, reference)
    return _utf8(export.script(found.run, rows, provenance=origin))


def _notebook(found: Answer, reference: Reference) -> bytes:
    from headroles import export

    rows, origin = _rows(found, reference), _provenance(found, reference)
    return _utf8(export.notebook(found.run, rows, provenance=origin))


def _comparison_csv(
    found: Answer, second: Answer, *, reference: Reference, pairs: Sequence[RolePair]
) -> bytes:
    from headroles import export
    from headroles.ui.compare.numbers import export_rows

    other = _provenance(second, reference)
    origin = _provenance(found, reference) | {
        f"second_{name}": other[name] for name in ("prompt", "tokens", "token_ids")
    }
    return export.csv_bytes(export.heads_csv(export_rows(pairs), origin))


def _utf8(text: str) -> bytes:
    # Half a character, which no text can hold, may come from a token.
    return text.encode("utf-8", "replace")


# ------------------------------------------------------------------ Head close-up


def of_closeup(subject: Subject, drawn: Shown, *, extended: bool) -> list[File]:
    """The attention pattern as it is drawn, as numbers and as a picture; the head's roles."""
    model = subject.answer.run.model_name
    what = f"{subject.head.label} {subject.role.key}"
    numbers = File(
        "Attention as CSV",
        file_name(model, f"{what} attention", "csv"),
        CSV,
        partial(_attention_csv, subject, drawn),
    )
    name = CATALOGUE[model].name if model in CATALOGUE else model
    hidden = ", the resting column hidden" if drawn.rest_hidden else ""
    title = f"{subject.head.label} of {name} as {subject.role.name}{hidden}"
    prompt = f"Prompt: {_one_line(subject.answer.run.prompt)}"
    roles = partial(_head_table, subject, extended=extended)
    name_of = partial(file_name, model, f"{subject.head.label} roles")
    return [
        numbers,
        File("Roles as CSV", name_of("csv"), CSV, partial(_table_csv, roles)),
        File("Roles as JSON", name_of("json"), JSON, partial(_table_json, roles)),
        *pictures(
            partial(_pattern_chart, drawn),
            name=(model, f"{what} attention"),
            title=f"{title}. {prompt}",
            width=_pattern_pixels(drawn),
        ),
    ]


def _head_table(subject: Subject, *, extended: bool) -> Table:
    from headroles import export

    found, reference, head = subject.answer, subject.reference, subject.head
    rows = export.prompt_rows(
        found.scores, thresholds=reference.thresholds, entry=reference.entry, head=head
    )
    if extended and reference.entry is not None:
        rows += export.extended_rows(reference.entry, found.run, head=head)
    return rows, _provenance(found, reference) | {"head": head.label}


def _pattern_pixels(drawn: Shown) -> int:
    from headroles import closeup_charts

    cells = closeup_charts.pattern_cells(drawn.attention, drawn.targets)
    return max(closeup_charts.pattern_width(cells, drawn.labels), 360)


def _one_line(prompt: str, limit: int = 160) -> str:
    line = " ".join(prompt.split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def _attention_csv(subject: Subject, drawn: Shown) -> bytes:
    from headroles import export

    origin = _provenance(subject.answer, subject.reference) | {
        "head": subject.head.label,
        "role": subject.role.key,
        "resting_column_hidden": drawn.rest_hidden,
    }
    tokens = subject.answer.run.tokens
    return export.csv_bytes(
        export.attention_csv(drawn.attention, tokens, provenance=origin, targets=drawn.targets)
    )


def _pattern_chart(drawn: Shown) -> alt.LayerChart:
    from headroles import closeup_charts

    cells = closeup_charts.pattern_cells(drawn.attention, drawn.targets)
    return closeup_charts.attention_pattern(
        cells, drawn.labels, drawn.role, rest_hidden=drawn.rest_hidden
    )


# ------------------------------------------------------------------ Head map


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
    from headroles import export

    entry = reference.entry
    if prompt is None:
        rows, origin = export.reference_rows(entry), export.reference_provenance(entry)
        return rows + (export.extended_rows(entry) if extended else []), origin
    found = caches.answer(model, prompt)
    rows = export.prompt_rows(found.scores, thresholds=reference.thresholds, entry=entry)
    if extended and entry is not None:
        rows += export.extended_rows(entry, found.run)
    return rows, _provenance(found, reference)


def _table_csv(make: Callable[[], Table]) -> bytes:
    from headroles import export

    return export.csv_bytes(export.heads_csv(*make()))


def _table_json(make: Callable[[], Table]) -> bytes:
    from headroles import export

    return _utf8(export.heads_json(*make()))


def _map_chart(one: RoleMap) -> alt.LayerChart:
    from headroles import charts

    return charts.head_map(one.records, one.role, clickable=False)


# ------------------------------------------------------------------ pictures


def pictures(
    chart: Callable[[], alt.LayerChart],
    *,
    name: tuple[str, str],
    title: str,
    width: int | None = None,
) -> list[File]:
    """A chart as PNG and as SVG; none where pictures cannot be made.

    Args:
        chart: makes the chart.
        name: the model and what it is, for the file's name.
        title: what the picture is of.
        width: pixels; the export's own where none is given.
    """
    if not can_draw():
        return []
    return [
        File(
            f"Chart as {kind.upper()}",
            file_name(*name, kind),
            mime,
            partial(_picture, chart, kind, title=title, width=width),
        )
        for kind, mime in PICTURES.items()
    ]


def _picture(
    chart: Callable[[], alt.LayerChart], kind: str, *, title: str, width: int | None
) -> bytes:
    from headroles import export

    spec: Mapping[str, object] = chart().to_dict()
    return export.chart_image(spec, kind, title=title, width=width or export.WIDTH)
