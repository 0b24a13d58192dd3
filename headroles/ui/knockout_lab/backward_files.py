"""The files of the section *Working backward*, made when their button is pressed."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from headroles import charts, export, view
from headroles.ui.app import files
from headroles.ui.app.files import File, Table, about_picture, pictures

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from headroles.ablation import Comparison, Judgement
    from headroles.ablation.backup import Backup
    from headroles.ablation.working_backward import Curve
    from headroles.charts.drawing import Drawing
    from headroles.ui.app.caches import Answer, Reference
    from headroles.ui.knockout_lab.working_backward import Kept, Watched


def of_kept(
    answer: Answer,
    reference: Reference,
    kept: Kept,
    judgement: Judgement | None,
    draws: Sequence[tuple[str, Comparison]],
    axis: str,
) -> list[File]:
    """Only some heads kept, with random ones beside them."""
    name = (answer.run.model_name, "only these heads")
    layers = "all" if kept.layers is None else list(kept.layers)
    settings = {"kept": [head.label for head in kept.heads], "layers": layers,
                "watched_token": kept.table.answer.text}  # fmt: skip
    rows = partial(export.working_backward.kept_rows, kept.table, tuple(draws))
    offered = files.tables(
        "Runs", partial(_table, answer, reference, rows, settings), name=name, rows="runs"
    )
    if judgement is None or not draws:
        return offered
    none = kept.table.rows[-1].comparison.surprise
    gains = [(label, none - comparison.surprise) for label, comparison in draws]
    chart = partial(charts.control_strip, judgement, gains, name="yours", axis=axis)
    first = sum(comparison.rank == 1 for _, comparison in draws)
    title = view.working_backward.kept_beside(judgement, first)
    return offered + _pictures(answer, chart, name, title)


def of_curve(
    answer: Answer,
    reference: Reference,
    curve: Curve,
    watched: Watched,
    measure: tuple[str, str],
) -> list[File]:
    """Heads taken away one after another."""
    name = (answer.run.model_name, "heads taken away")
    token = watched.untouched.answer
    settings = {"watched_token": token.text, "order": view.working_backward.RULE_OF_THE_ORDER}
    rows = partial(export.working_backward.curve_rows, curve)
    offered = files.tables(
        "Curve", partial(_table, answer, reference, rows, settings), name=name, rows="points"
    )
    field, axis = measure
    chart = partial(charts.working_backward.taking_away, curve, measure=field, axis=axis)
    title = view.working_backward.taking_away(curve, token, watched.shape)
    return offered + _pictures(answer, chart, name, title)


def of_backup(answer: Answer, reference: Reference, found: Backup, axis: str) -> list[File]:
    """A, B and both together, with random partners."""
    name = (answer.run.model_name, "backup")
    rows = partial(export.working_backward.backup_rows, found)
    offered = files.tables(
        "Pairs", partial(_table, answer, reference, rows, {}), name=name, rows="pairs"
    )
    records = view.working_backward.bar_records(found)
    chart = partial(charts.working_backward.pair_bars, records, axis=axis)
    return offered + _pictures(answer, chart, name, view.working_backward.backup(found))


def _table(
    answer: Answer,
    reference: Reference,
    rows: Callable[[], list[dict[str, object]]],
    settings: dict[str, object],
) -> Table:
    return rows(), files.provenance(answer, reference) | settings


def _pictures(
    answer: Answer, chart: Callable[[], Drawing], name: tuple[str, str], title: str
) -> list[File]:
    run = answer.run
    about = about_picture(run.model_name, prompt=run.prompt, chat=run.encoding.is_chat)
    return pictures(chart, name=name, title=title, about=about)
