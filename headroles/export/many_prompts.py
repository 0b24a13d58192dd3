"""All prompts of a table of knock-outs together: as HTML, for a page and its report, and as rows.

What stands in a cell is said by :mod:`headroles.ablation.many_prompts`, as on the command line.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from html import escape

from headroles import ablation
from headroles.ablation import LeftOut, PromptTable, Row, Settings, Summary
from headroles.circuits import SVD
from headroles.export.tables import heads_json
from headroles.formatting import count, in_one_line, listing, ordinal, percent, quoted, signed

_SHOWN = 60
"""Characters of a prompt that is named."""


def summary_cells(row: Summary) -> dict[str, str]:
    """{what it is: a condition over all prompts}, in the words of every output."""
    cells = {
        "Still first": f"{row.still_first} of {row.were_first}",
        "Less likely on": f"{row.fell} of {row.prompts}",
        "Loses (nats)": ablation.many_prompts.of_spread(row),
        "Its logit": signed(row.logit_change),
    }
    if row.beside is not None:
        cells["Random others lose"] = ablation.many_prompts.of_draws(row.beside)
        cells["Beside chance"] = ablation.many_prompts.of_chance(row)
    return cells


def row_cells(row: Row) -> dict[str, str]:
    """{what it is: the watched token's own numbers under one condition}, likewise."""
    cells = {
        "Its logit": ablation.many_prompts.of_logit(row.comparison),
        "Loses (nats)": signed(row.comparison.surprise),
    }
    if (beside := row.beside) is not None:
        cells["Random others lose"] = ablation.many_prompts.of_draws(beside)
        cells["Beside chance"] = ablation.many_prompts.of_chance(row)
    return cells


def summary_table(rows: Sequence[Summary]) -> str:
    """One row per condition over all prompts."""
    cells = [summary_cells(row) for row in rows]
    names = list(dict.fromkeys(name for row in cells for name in row))
    body = "".join(
        f'<tr><th scope="row">{escape(row.name)}</th>'
        + "".join(f"<td>{escape(own.get(name, '–'))}</td>" for name in names)
        + "</tr>"
        for row, own in zip(rows, cells, strict=True)
    )
    heads = "".join(f'<th scope="col">{name}</th>' for name in ("Knocked out", *names))
    return (
        '<div class="hr-table hr-one-line hr-summary" tabindex="0"><table>'
        f"<thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def about_summary(rows: Sequence[Summary]) -> str:
    """What the columns are out of (plain text)."""
    said = (
        "“Still first”: of the prompts where the watched token came first before. “Loses”: its "
        "log-probability in nats (0.69: half as likely), mean ± spread over the prompts. “Its "
        "logit”: how far its own logit moved, mean."
    )
    if any(row.beside_all for row in rows):
        said += (
            " A row “without” components is compared with “all components”, the model computed as "
            "their sum; that row itself, and every other, with the model as it is."
        )
    if any(row.beside for row in rows):
        components = (
            "other components of the same matrices, "
            if any(row.of_components for row in rows)
            else ""
        )
        said += (
            " “Random others”: the same with as many random other heads of the same layers, "
            f"{components}or value vectors at other positions; mean ± spread of the draws, each a "
            "mean over the prompts."
        )
    if any(row.beside and row.controlled < row.prompts for row in rows):
        said += " Prompts with too few others count neither there nor in “Beside chance”."
    if any(ablation.many_prompts.of_chance(row) == ablation.many_prompts.NOT_CLEAR for row in rows):
        said += " “Not clear”: the prompts differ too much to tell the mean from zero."
    return said


def together(tables: Sequence[PromptTable]) -> str:
    """What to conclude from several conditions, and the summary over all prompts."""
    rows = ablation.many_prompts.summarise(tables)
    if len(rows) < 2:
        return ""
    return (
        f'<p class="hr-conclusion">{escape(ablation.many_prompts.headline(rows))}</p>'
        f"{summary_table(rows)}<p>{escape(about_summary(rows))}</p>"
    )


def origin_table(provenance: Mapping[str, object]) -> str:
    """Where the numbers come from, as a list."""
    if not provenance:
        return ""
    items = "".join(
        f'<tr><th scope="row">{escape(name)}</th><td>{escape(_in_words(value))}</td></tr>'
        for name, value in provenance.items()
    )
    return f'<h2>Where this comes from</h2><div class="hr-table"><table>{items}</table></div>'


def _in_words(value: object) -> str:
    """A value of a provenance, without brackets."""
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {part}" for name, part in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def watched(table: PromptTable) -> str:
    """Where t is, the watched token, and what the untouched model says (plain text)."""
    place = ordinal(table.rows[0].comparison.rank_before) if table.rows else ""
    at_t = table.read_at == table.position
    where = f"{ablation.many_prompts.of_position(table)}. " if at_t else ""
    return (
        f"{where}Watched token: {quoted(table.answer.text)} ({table.answer.origin}; {place} of "
        f"{table.vocabulary:,} tokens in the untouched model). The untouched model says "
        f"{quoted(table.says)} ({percent(table.says_probability)})."
    )


def weak_controls(table: PromptTable) -> str:
    """Which controls are missing or weaker than others, and why."""
    said: dict[str, list[str]] = {}
    for row in table.rows:
        if "too few" in row.control:
            said.setdefault(row.control, []).append(row.name)
    lines = "".join(
        f"<br>Random others for {escape(listing(names))}: {escape(note)}"
        for note, names in said.items()
    )
    return f'<div class="hr-small">{lines.removeprefix("<br>")}</div>' if lines else ""


def settings_of(settings: Settings) -> dict[str, object]:
    """What was done to every prompt, for a provenance."""
    of_sets = {}
    if settings.sets:
        of_sets = {
            "component_sets": [each.label for each in settings.sets],
            "components": settings.kind,
        }
    return {
        "heads": [head.label for head in settings.heads],
        **of_sets,
        "position": settings.position,
        "control_draws": settings.draws,
        "seed": settings.seed,
        "top": settings.top,
    }


def doing(settings: Settings) -> str:
    """What was done to every prompt, in sentences (plain text)."""
    heads = ", ".join(head.label for head in settings.heads)
    where = {-1: "the last token", ablation.many_prompts.RANDOM: "a random token of every prompt"}
    t = where.get(settings.position, f"position {settings.position}")
    draws = f" Random others: {count(settings.draws, 'draw')}." if settings.draws else ""
    is_random = settings.draws or settings.position == ablation.many_prompts.RANDOM
    seed = f" Seed: {settings.seed}." if is_random else ""
    sets = "; ".join(each.label for each in settings.sets)
    kind = "SVD components" if settings.kind == SVD else "trained components"
    named = [f"Heads: {heads}."] if heads else []
    named += [f"Removed {kind}: {sets}."] if sets else []
    return f"{' '.join(named)} t: {t}.{draws}{seed}"


def left_out_sentences(left_out: Sequence[LeftOut]) -> list[str]:
    """Which prompts could not be run and why, a sentence each (plain text)."""
    return [
        f"Left out: “{in_one_line(one.prompt, limit=_SHOWN)}”. {one.error.message}"
        for one in left_out
    ]


def summary_rows(rows: Sequence[Summary]) -> list[dict[str, object]]:
    """One row per condition over all prompts, for a file."""
    return [
        {
            "condition": row.name,
            "compared_with": compared_with(row),
            "prompts": row.prompts,
            "were_first": row.were_first,
            "still_first": row.still_first,
            "less_likely_on": row.fell,
            "log_probability_lost_nats": row.lost,
            "log_probability_lost_spread": row.spread,
            "logit_change": row.logit_change,
            **control_columns(row),
            "controlled_prompts": row.controlled,
        }
        for row in rows
    ]


def compared_with(row: Row | Summary) -> str:
    """The model that a row's numbers are changes from."""
    return "all components" if row.beside_all else "untouched"


def control_columns(row: Row | Summary) -> dict[str, object]:
    """The random others of a condition; empty cells where there are none."""
    beside = row.beside
    has = beside is not None and beside.draws > 1
    return {
        "control_mean_nats": beside.mean if has else None,
        "control_spread_nats": beside.spread if has else None,
        "control_draws": beside.draws if beside else None,
        "beside_chance": ablation.many_prompts.of_chance(row) if beside else None,
    }


def to_json(
    rows: Sequence[Mapping[str, object]],
    tables: Sequence[PromptTable],
    left_out: Sequence[LeftOut],
    *,
    provenance: Mapping[str, object],
    what_else: Mapping[str, Sequence[Mapping[str, object]]] | None = None,
) -> str:
    """``{"provenance": …, "conclusion": …, "summary": […], "left_out": […], "knock_outs": […]}``.

    Args:
        rows: one per prompt and condition, from :mod:`headroles.export.ablation_report`.
        tables: the tables that they are of.
        left_out: the prompts that could not be run.
        provenance: where the numbers come from.
        what_else: {what: rows} of other tables, which stand beside ``knock_outs``.
    """
    summary = ablation.many_prompts.summarise(tables)
    told = json.loads(heads_json(summary_rows(summary), provenance, name="summary"))
    told["conclusion"] = ablation.many_prompts.headline(summary)
    told["left_out"] = [{"prompt": one.prompt, "why": one.error.message} for one in left_out]
    told["knock_outs"] = json.loads(heads_json(rows, {}, name="rows"))["rows"]
    for name, others in (what_else or {}).items():
        told[name] = json.loads(heads_json(others, {}, name="rows"))["rows"]
    return json.dumps(told, ensure_ascii=False, indent=1) + "\n"
