"""The files of the Knock-out lab, made when their button is pressed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from headroles import ablation, charts, export, models
from headroles.ui.app import download_button, files
from headroles.ui.app.files import File, Table, about_picture, file_name, pictures

if TYPE_CHECKING:
    from headroles.ablation import (
        Comparison,
        Drop,
        Judgement,
        LeftOut,
        OffsetScores,
        Profile,
        PromptTable,
        Removed,
    )
    from headroles.charts.drawing import Drawing
    from headroles.types import PromptRun
    from headroles.ui.app.caches import Answer, Reference
    from headroles.ui.knockout_lab.choose_heads import Chosen
    from headroles.ui.knockout_lab.component_caches import Split
    from headroles.ui.knockout_lab.components import Asked as AskedComponents
    from headroles.ui.knockout_lab.induction_circuit import Circuit
    from headroles.ui.knockout_lab.many_form import Asked as AskedMany
    from headroles.ui.knockout_lab.offset_test import Asked as AskedOffsets


def draw(offered: Sequence[File], words: str = "") -> None:
    """The button with the files of a section."""
    with download_button.popover():
        download_button.buttons(offered)
        download_button.about(words)


# ------------------------------------------------------------------ one knock-out


def of_one(
    answer: Answer,
    reference: Reference,
    result: PromptTable,
    chosen: Chosen,
    draws: Sequence[tuple[str, Comparison]],
) -> list[File]:
    """A knock-out with the random ones beside it, and a report of what it changed."""
    model = answer.run.model_name
    rows = partial(_one, answer, reference, result, chosen, tuple(draws))
    report = partial(_report, model, result, chosen.says)
    return [
        *files.tables("Knock-out", rows, name=(model, "knock-out"), rows="knock_outs"),
        File("Report as HTML", file_name(model, "knock-out", "html"), "text/html", report),
    ]


def _one(
    answer: Answer,
    reference: Reference,
    result: PromptTable,
    chosen: Chosen,
    draws: Sequence[tuple[str, Comparison]],
) -> Table:
    origin = files.provenance(answer, reference) | {
        "knocked_out": chosen.says,
        "watched_token": result.answer.text,
        "watched_token_named": result.answer.named,
    }
    return export.ablation_report.knock_out_rows(result, draws), origin


def _report(model: str, result: PromptTable, says: str) -> bytes:
    return files.utf8(export.to_html([result], model=models.name_of(model), note=says))


def of_draws(
    answer: Answer,
    result: PromptTable,
    judgement: Judgement,
    draws: Sequence[tuple[str, float]],
    *,
    axis: str,
    title: str,
) -> list[File]:
    """The chart of a knock-out beside random ones."""
    model = answer.run.model_name
    chart = partial(charts.control_strip, judgement, draws, name=result.rows[0].name, axis=axis)
    return pictures(
        chart,
        name=(model, "knock-out beside random heads"),
        title=title,
        about=about_picture(model, prompt=result.prompt, chat=result.encoding.is_chat),
    )


# ------------------------------------------------------------------ what else it changes


def of_what_else(
    what: str,
    model: str,
    chosen: Chosen,
    result: PromptTable,
    rows: Callable[[], list[dict[str, object]]],
    chart: Callable[[], Drawing],
    *,
    title: str,
    **settings: object,
) -> list[File]:
    """One view of what else a knock-out changes, as a table and as a picture.

    Args:
        what: the view, for buttons and file names, e.g. ``Tokens``.
        model: the catalogue key.
        chosen: what was knocked out.
        result: the prompt under it.
        rows: makes the rows.
        chart: makes the chart.
        title: of the picture.
        **settings: what else is needed to reproduce the rows.
    """
    table = partial(_what_else, model, chosen, result, rows, settings)
    return [
        *files.tables(what, table, name=(model, what), rows="rows"),
        *pictures(
            chart,
            name=(model, what),
            title=title,
            about=about_picture(model, prompt=result.prompt, chat=result.encoding.is_chat),
            what=what,
        ),
    ]


# ------------------------------------------------------------------ many prompts


def of_many(
    asked: AskedMany, tables: Sequence[PromptTable], left_out: Sequence[LeftOut]
) -> list[File]:
    """The report, every row, and the summary over all prompts."""
    model, given = asked.model, (asked, tuple(tables), tuple(left_out))
    return [
        File(
            "Report as HTML",
            file_name(model, "knock-outs", "html"),
            "text/html",
            partial(_many_html, *given),
        ),
        File(
            "Knock-outs as CSV",
            file_name(model, "knock-outs", "csv"),
            files.CSV,
            partial(files.table_csv, partial(_many_rows, *given)),
        ),
        File(
            "Summary as CSV",
            file_name(model, "knock-outs summary", "csv"),
            files.CSV,
            partial(files.table_csv, partial(_many_summary, *given)),
        ),
        File(
            "Everything as JSON",
            file_name(model, "knock-outs", "json"),
            files.JSON,
            partial(_many_json, *given),
        ),
    ]


def _what_else(
    model: str,
    chosen: Chosen,
    result: PromptTable,
    rows: Callable[[], list[dict[str, object]]],
    settings: dict[str, object],
) -> Table:
    encoding = result.encoding
    origin = _origin(
        model,
        prompt=result.prompt,
        tokens=list(encoding.tokens),
        token_ids=list(encoding.token_ids),
        chat=encoding.is_chat,
        knocked_out=chosen.says,
        position=chosen.position,
        **settings,
    )
    return rows(), origin


def _many_origin(asked: AskedMany) -> dict[str, object]:
    return _origin(asked.model, **export.many_prompts.settings_of(asked.settings))


def _many_rows(asked: AskedMany, tables: Sequence[PromptTable], _: Sequence[LeftOut]) -> Table:
    return export.ablation_report.table_rows(tables), _many_origin(asked)


def _many_summary(asked: AskedMany, tables: Sequence[PromptTable], _: Sequence[LeftOut]) -> Table:
    rows = export.many_prompts.summary_rows(ablation.many_prompts.summarise(tables))
    return rows, _many_origin(asked) | {"prompts": [table.prompt for table in tables]}


def _many_html(
    asked: AskedMany, tables: Sequence[PromptTable], left_out: Sequence[LeftOut]
) -> bytes:
    return files.utf8(
        export.to_html(
            tables,
            model=models.name_of(asked.model),
            note=export.many_prompts.doing(asked.settings),
            left_out=left_out,
            provenance=_many_origin(asked),
        )
    )


def _many_json(
    asked: AskedMany, tables: Sequence[PromptTable], left_out: Sequence[LeftOut]
) -> bytes:
    rows, origin = _many_rows(asked, tables, left_out)
    return files.utf8(export.many_prompts.to_json(rows, tables, left_out, provenance=origin))


# ------------------------------------------------------------------ the other sections


def of_offsets(asked: AskedOffsets, profile: Profile, *, summary: str) -> list[File]:
    """The previous-token test as tables and as a picture."""
    what = f"previous-token test {asked.label}"
    rows = partial(_offsets, asked, profile)
    return [
        *files.tables("Test", rows, name=(asked.model, what), rows="offsets"),
        *pictures(
            partial(charts.offset_profile, profile, head=asked.label),
            name=(asked.model, what),
            title=f"Previous-token test. {summary}",
            about=about_picture(asked.model),
        ),
    ]


def _offsets(asked: AskedOffsets, profile: Profile) -> Table:
    origin = _origin(
        asked.model,
        knocked_out=asked.label,
        samples=profile.n,
        redundancy=profile.redundancy,
        redundancy_error=profile.redundancy_error,
        random_others_redundancy=profile.other_redundancy,
    )
    return export.ablation_report.offset_rows(profile), origin


def of_circuit(
    circuit: Circuit,
    on_repeats: Sequence[Drop],
    on_prompt: Sequence[Drop],
    run: PromptRun | None,
) -> list[File]:
    """The two-step circuit on repeated sequences and on the prompt."""
    rows = partial(_circuit, circuit, tuple(on_repeats), tuple(on_prompt), run)
    return files.tables("Circuit", rows, name=(circuit.model, "two-step circuit"), rows="heads")


def _circuit(
    circuit: Circuit,
    on_repeats: Sequence[Drop],
    on_prompt: Sequence[Drop],
    run: PromptRun | None,
) -> Table:
    rows = export.ablation_report.drop_rows
    origin = _origin(
        circuit.model,
        knocked_out=[head.label for head in circuit.previous_token_heads],
        watched=[head.label for head in circuit.induction_heads],
        **_prompt(run),
    )
    return rows(on_repeats, on="repeated random tokens") + rows(on_prompt, on="prompt"), origin


def of_components(
    asked: AskedComponents,
    split: Split,
    run: PromptRun | None,
    removed: Sequence[Sequence[Removed]],
    scores: OffsetScores | None,
) -> list[File]:
    """A head's components with what their removal changed, and their scores by distance."""
    what = f"{asked.head.label} {asked.kind} components"
    rows = partial(_components, asked, split, run, removed)
    offered = files.tables("Components", rows, name=(asked.model, what), rows="components")
    if scores is not None:
        far = partial(_distances, asked, scores)
        name = (asked.model, f"{what} by distance")
        offered += files.tables("Distances", far, name=name, rows="distances")
    return offered


def _components(
    asked: AskedComponents,
    split: Split,
    run: PromptRun | None,
    removed: Sequence[Sequence[Removed]],
) -> Table:
    rows = export.ablation_report.component_rows(split.components, split.spread, removed)
    return rows, _origin(asked.model, head=asked.head.label, map=asked.kind, **_prompt(run))


def _distances(asked: AskedComponents, scores: OffsetScores) -> Table:
    origin = _origin(asked.model, head=asked.head.label, map=asked.kind, sentences=scores.texts)
    return export.ablation_report.distance_rows(scores), origin


def _origin(model: str, **settings: object) -> dict[str, object]:
    return export.ablation_report.provenance(model, revision=files.revision(model), **settings)


def _prompt(run: PromptRun | None) -> dict[str, object]:
    if run is None:
        return {}
    return {"prompt": run.prompt, "tokens": list(run.tokens), "token_ids": list(run.token_ids)}
