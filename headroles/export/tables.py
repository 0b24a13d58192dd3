"""What a page shows, to download: tables with their provenance.

Every table carries its provenance. A CSV begins with comment lines, ``# name: value`` with the
value as JSON; ``pandas.read_csv(..., comment="#")`` passes over them and a spreadsheet shows them
above the table. A prompt is free text, and a spreadsheet computes what begins with ``=``: such
cells get an apostrophe in front (:func:`guarded`); in the comments the sign is escaped.

>>> print(heads_csv([{"role": "induction", "label": "L1H3", "score": 0.5}], {"model": "demo"}))
# model: "demo"
"role","label","score"
"induction","L1H3",0.5
<BLANKLINE>
"""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence

from jaxtyping import Float
from torch import Tensor

from headroles.roles import SCORED_ROLES, Role
from headroles.store import KnockOut, ModelEntry, StoredRole
from headroles.types import Evidence, Head, PromptRun, Verdict
from headroles.verdicts import PromptScores, judge, judge_heads, summarize, thresholds_in

DIGITS = 8
"""Decimals of an exported number; two runs agree to about seven."""

_RISKY = re.compile(r"[\t\r\n']|[\s\"]*[=+\-@＝＋－＠]")
"""How a cell begins that a spreadsheet may compute, wide forms included (OWASP: CSV injection);
some trim a cell before they look. An apostrophe counts too, so that a guard differs from text."""
_AFTER_DELIMITER = re.compile(r"(?<=[,;|])([\s\"']*)([=+\-@＝＋－＠])")
_LINE_ENDS = {mark: f"\\u{ord(mark):04x}" for mark in "\x85\u2028\u2029"}


def summary_rows(
    summary: Mapping[str, Sequence[Mapping[str, object]]],
) -> list[dict[str, object]]:
    """The listed heads as one flat row each, from ``get_active_head_summary``."""
    return [{"role": key, **row} for key, rows in summary.items() for row in rows]


def listed_rows(
    scores: PromptScores, *, entry: ModelEntry | None, thresholds: Mapping[str, float]
) -> list[dict[str, object]]:
    """The listed heads on a prompt; without an analysis, every head of the model."""
    if entry is None:
        return prompt_rows(scores, thresholds=thresholds)
    return summary_rows(summarize(entry, scores))


def map_rows(
    scores: PromptScores,
    run: PromptRun,
    *,
    entry: ModelEntry | None,
    thresholds: Mapping[str, float],
    extended: bool = False,
    head: Head | None = None,
) -> list[dict[str, object]]:
    """Every head, or one, in every role on a prompt, the extended ones only where wanted."""
    rows = prompt_rows(scores, thresholds=thresholds, entry=entry, head=head)
    if extended and entry is not None:
        rows += extended_rows(entry, run, head=head)
    return rows


def prompt_rows(
    scores: PromptScores,
    *,
    thresholds: Mapping[str, float],
    entry: ModelEntry | None = None,
    head: Head | None = None,
) -> list[dict[str, object]]:
    """Every head of the model, or one, in every basic role, on a prompt and as stored.

    Returns:
        One row per role and head, role by role, the heads in the order of the model.
    """
    layers, width = scores.resting.shape
    heads = [Head(*divmod(place, width)) for place in range(layers * width)]
    return [
        _row(
            role,
            other,
            stored=entry.role(role.key) if entry else None,
            verdict=judge(other, role.key, scores, thresholds.get(role.key)),
        )
        | _largest(role, other, scores)
        for role in SCORED_ROLES
        for other in heads
        if head in (None, other)
    ]


def _largest(role: Role, head: Head, scores: PromptScores) -> dict[str, object]:
    """Beside the evenness of ``diffuse``: the head's mean largest weight, and an even spread's."""
    known = scores.largest_of(head) if role.key == "diffuse" else None
    return {} if known is None else {"largest_weight": known[0], "largest_weight_chance": known[1]}


def reference_rows(entry: ModelEntry) -> list[dict[str, object]]:
    """Every head of the model in every basic role, in the stored analysis.

    Returns:
        One row per role and head, role by role, the heads in the order of the model.
    """
    thresholds = thresholds_in(entry)
    return [
        _row(role, head, stored=stored, threshold=thresholds[role.key])
        for role, stored in ((role, entry.role(role.key)) for role in SCORED_ROLES)
        for head in entry.heads
    ]


def extended_rows(
    entry: ModelEntry, run: PromptRun | None = None, *, head: Head | None = None
) -> list[dict[str, object]]:
    """Every head in every extended role, with its control; on a prompt where attention shows it.

    Args:
        entry: the stored analysis; if it has no extended roles, there are no rows.
        run: the prompt; without one, the rows hold the stored scores only.
        head: only this head's.

    Returns:
        One row per role and head, in the order of :data:`headroles.roles.EXTENDED_ROLES`.
    """
    rows = []
    for stored in entry.extended.values():
        role = stored.role
        judged = run is not None and role.from_attention and stored.is_measured
        verdicts = {other.head: other for other in judge_heads(stored, run)} if judged else {}
        for other in stored.heads:
            if head in (None, other):
                row = _row(role, other, stored=stored, verdict=verdicts.get(other))
                row |= _knock_out(stored.knock_out(other))
                if run is not None and not judged:
                    row["state"] = "not_from_one_prompt"
                rows.append(row)
    return rows


def _knock_out(done: KnockOut | None) -> dict[str, object]:
    """What knocking a name mover out at the last position changed, in logits."""
    columns = {
        "knock_out_change": "change",
        "knock_out_error": "standard_error",
        "knock_out_direct": "direct",
        "knock_out_lead_change": "lead_change",
        "knock_out_lead_error": "lead_error",
    }
    return {name: done and getattr(done, field) for name, field in columns.items()}


def _row(
    role: Role,
    head: Head,
    *,
    stored: StoredRole | None,
    verdict: Verdict | None = None,
    threshold: float | None = None,
) -> dict[str, object]:
    """One head in one role: on the prompt where there is a verdict, and as stored."""
    row: dict[str, object] = {
        "role": role.key,
        "layer": head.layer,
        "head": head.head,
        "label": head.label,
    }
    if verdict is not None:
        row |= {
            "activation_score": verdict.activation.value,
            "chance": verdict.activation.chance,
            "needed": verdict.needed,
            "rows": verdict.activation.rows,
            "state": verdict.state,
            "resting_share": verdict.resting_share,
        }
    if stored is None:
        unknown = dict.fromkeys(("score", "standard_error", "kind_error"))
        return row | {"threshold": verdict.threshold} | unknown | {"listed": False, "hint": None}
    limit = threshold if threshold is not None else stored.limit
    return row | {
        "score": stored.score(head),
        "standard_error": stored.error(head),
        "kind_error": stored.kind_error(head),
        "unit": role.unit,
        "control": stored.control_score(head),
        "control_error": stored.control_error(head),
        "n": stored.category.n or None,
        "threshold": limit if verdict is None else verdict.threshold,
        "over_threshold": _over(stored, head, limit),
        "listed": head in stored.listed,
        "peak_distance": stored.distance(head),
        "hint": stored.hints.prompt_for(head) if stored.hints else None,
    }


def _over(stored: StoredRole, head: Head, limit: float | None) -> bool | None:
    """Whether a head has the role; None where its score is not known."""
    if stored.score(head) is None:
        return None
    return limit is not None and stored.fits(head, (stored.role.sign or 1) * limit)


def heads_csv(rows: Sequence[Mapping[str, object]], provenance: Mapping[str, object]) -> str:
    """A table of heads as CSV, with its provenance above it.

    Args:
        rows: from :func:`summary_rows` or :func:`prompt_rows`.
        provenance: from :func:`provenance`; more may be added, e.g. the role on the page.
    """
    columns = dict.fromkeys(name for row in rows for name in row)
    return _csv(list(columns), ([row.get(name) for name in columns] for row in rows), provenance)


def heads_json(
    rows: Sequence[Mapping[str, object]],
    provenance: Mapping[str, object],
    *,
    name: str = "heads",
    **more: Sequence[Mapping[str, object]],
) -> str:
    """The same as JSON: ``{"provenance": {...}, "heads": [{...}, ...]}``.

    Args:
        rows: the table.
        provenance: where it comes from.
        name: what the rows are.
        more: further tables, by what their rows are.
    """
    tables = {
        key: [{name: _rounded(value) for name, value in row.items()} for row in table]
        for key, table in {name: rows, **more}.items()
    }
    return (
        json.dumps(
            {"provenance": _finite(provenance), **tables},
            ensure_ascii=False,
            allow_nan=False,
            indent=1,
        )
        + "\n"
    )


def attention_csv(
    attention: Float[Tensor, "query key"],
    tokens: Sequence[str],
    *,
    provenance: Mapping[str, object],
    targets: Iterable[Evidence] = (),
) -> str:
    """One head's pattern as CSV: one line per token and token that it could look at.

    Args:
        attention: [query key] the pattern as it is shown.
        tokens: [pos] the tokens as text.
        provenance: with the head and the role added to it.
        targets: the cells that the role predicts.
    """
    predicted = {(cell.query, cell.key) for cell in targets}
    lines = (
        [query, tokens[query], key, tokens[key], weight, (query, key) in predicted]
        for query, row in enumerate(attention.tolist())
        for key, weight in enumerate(row[: query + 1])
    )
    columns = ["query", "query_token", "key", "key_token", "attention", "outlined"]
    return _csv(columns, lines, provenance)


def csv_bytes(text: str) -> bytes:
    """The bytes of a CSV file: UTF-8 with the mark by which Excel knows it."""
    return text.encode("utf-8-sig", "replace")


def _csv(
    columns: Sequence[str], lines: Iterable[Sequence[object]], provenance: Mapping[str, object]
) -> str:
    file = io.StringIO(newline="")
    file.writelines(f"# {name}: {_comment(value)}\n" for name, value in provenance.items())
    # Text is always quoted: pandas would take a bare # for a comment.
    writer = csv.writer(file, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_cell(value) for value in line] for line in lines)
    return file.getvalue()


def _cell(value: object) -> object:
    if isinstance(value, list | tuple):
        value = "; ".join(map(str, value))
    return guarded(value) if isinstance(value, str) else _rounded(value)


def _rounded(value: object) -> object:
    """A number to :data:`DIGITS` places; nothing in its place where it is none."""
    value = _finite(value)
    return round(value, DIGITS) if isinstance(value, float) else value


def _finite(value: object) -> object:
    """A value with nothing where it holds NaN or infinity, which JSON does not know."""
    if isinstance(value, Mapping):
        return {key: _finite(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def guarded(text: str) -> str:
    """A text that no spreadsheet computes: an apostrophe stands before what may be a formula.

    It also stands before an apostrophe, so removing the first one gives the text back.
    Only NUL, which CSV cannot hold, becomes its picture.

    >>> guarded("=1+1"), guarded(" -"), guarded("'tis"), guarded("cat")
    ("'=1+1", "' -", "''tis", 'cat')
    """
    clean = text.replace("\0", "␀")
    return "'" + clean if _RISKY.match(clean) else clean


def _comment(value: object) -> str:
    """A value as JSON in one line, of which no piece between two delimiters is a formula."""
    line = json.dumps(_finite(value), ensure_ascii=False, allow_nan=False)
    for mark, escaped in _LINE_ENDS.items():
        line = line.replace(mark, escaped)
    return _AFTER_DELIMITER.sub(lambda match: f"{match[1]}\\u{ord(match[2]):04x}", line)
