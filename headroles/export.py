"""What a page shows, to take away: tables with their provenance, code that makes them, pictures.

Every table says where it comes from. A CSV begins with comment lines, ``# name: value`` with the
value as JSON; ``pandas.read_csv(..., comment="#")`` passes over them and a spreadsheet shows them
above the table. A prompt is text that anybody typed, and a spreadsheet computes what begins with
``=``: such cells get an apostrophe in front (:func:`guarded`); in the comments the sign is escaped.

>>> print(heads_csv([{"role": "induction", "label": "L1H3", "score": 0.5}], {"model": "demo"}))
# model: "demo"
"role","label","score"
"induction","L1H3",0.5
<BLANKLINE>
"""

from __future__ import annotations

import csv
import importlib.metadata
import io
import json
import re
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

from jaxtyping import Float
from torch import Tensor

from headroles import __version__
from headroles.errors import ExportError
from headroles.extended_roles import EXTENDED_ROLES, ExtendedRole
from headroles.extended_schema import ExtendedScores
from headroles.extended_scoring import judge_heads
from headroles.head_detection import DEFAULT_THRESHOLDS, PromptScores, judge, thresholds_in
from headroles.models import CATALOGUE
from headroles.roles import DEFINITIONS_VERSION, SCORED_ROLES
from headroles.schema import ModelEntry
from headroles.types import Evidence, Head, PromptRun

LIBRARIES = ("torch", "transformers", "pyvene")
"""What the numbers of a prompt depend on besides this package."""

DIGITS = 8
"""Decimals of an exported number; two runs agree to about seven."""

_RISKY = re.compile(r"[\t\r\n']|[\s\"]*[=+\-@＝＋－＠]")
"""How a cell begins that a spreadsheet may compute, wide forms included (OWASP: CSV injection);
some trim a cell before they look. The apostrophe is here so that a guard can be told from text."""
_AFTER_DELIMITER = re.compile(r"(?<=[,;|])([\s\"']*)([=+\-@＝＋－＠])")
_LINE_ENDS = {mark: f"\\u{ord(mark):04x}" for mark in "\x85\u2028\u2029"}


# ------------------------------------------------------------------ where it comes from


def provenance(
    run: PromptRun,
    entry: ModelEntry | None,
    *,
    revision: str,
    thresholds: Mapping[str, float] | None = None,
    when: datetime | None = None,
) -> dict[str, object]:
    """Everything that it takes to make the same numbers again.

    Args:
        run: the prompt's run.
        entry: the stored analysis beside which it is shown, if there is one.
        revision: of the weights that ran (:func:`headroles.models.model_revision`).
        thresholds: {role key: threshold} as the page used them; else the entry's, else provisional.
        when: the time of the export; now, without one.
    """
    used = thresholds or (thresholds_in(entry) if entry else DEFAULT_THRESHOLDS)
    return {
        "headroles_version": __version__,
        "definitions_version": DEFINITIONS_VERSION,
        "date": (when or datetime.now(UTC)).isoformat(timespec="seconds"),
        "model": run.model_name,
        "source": _source(run.model_name),
        "revision": revision,
        "prompt": run.prompt,
        "tokens": list(run.tokens),
        "token_ids": list(run.token_ids),
        "start_token": run.encoding.start_token,
        "tokens_left_out": run.encoding.full_length - len(run.token_ids),
        "thresholds": dict(used),
        "thresholds_are_calibrated": entry is not None,
        "analysis": _analysis(entry),
        "libraries": {name: importlib.metadata.version(name) for name in LIBRARIES},
    }


def reference_provenance(entry: ModelEntry, *, when: datetime | None = None) -> dict[str, object]:
    """Where the scores of a stored analysis come from, for :func:`reference_rows`.

    Args:
        entry: the stored analysis.
        when: the time of the export; now, without one.
    """
    return {
        "headroles_version": __version__,
        "date": (when or datetime.now(UTC)).isoformat(timespec="seconds"),
        "model": entry.model_name,
        "source": _source(entry.model_name),
        "thresholds": thresholds_in(entry),
        "analysis": _analysis(entry),
    }


def _source(model: str) -> str:
    """Where the weights come from, without the path of this machine."""
    known = CATALOGUE.get(model)
    if known is None:
        return model
    return "bundled with headroles" if known.is_bundled else known.source


def _analysis(entry: ModelEntry | None) -> dict[str, object] | None:
    if entry is None:
        return None
    return {
        "date": entry.analysis_date,
        "revision": entry.revision,
        "definitions_version": entry.definitions_version,
        "sequences": entry.sequences,
        "seed": entry.seed,
        "libraries": dict(entry.library_versions),
    }


# ------------------------------------------------------------------ tables


def summary_rows(
    summary: Mapping[str, Sequence[Mapping[str, object]]],
) -> list[dict[str, object]]:
    """The listed heads as one flat row each, from ``get_active_head_summary``."""
    return [{"role": key, **row} for key, rows in summary.items() for row in rows]


def prompt_rows(
    scores: PromptScores,
    *,
    thresholds: Mapping[str, float],
    entry: ModelEntry | None = None,
    head: Head | None = None,
) -> list[dict[str, object]]:
    """Every head of the model, or one, in every scored role, on a prompt and as stored.

    Returns:
        One row a role and head, role by role, the heads in the order of the model.
    """
    layers, heads = scores.resting.shape
    return [
        _prompt_row(scores, one, role.key, thresholds.get(role.key), entry)
        for role in SCORED_ROLES
        for one in (Head(layer, place) for layer in range(layers) for place in range(heads))
        if head in (None, one)
    ]


def reference_rows(entry: ModelEntry) -> list[dict[str, object]]:
    """Every head of the model in every scored role, in the stored analysis.

    Returns:
        One row a role and head, role by role, the heads in the order of the model.
    """
    thresholds = thresholds_in(entry)
    return [
        _reference_row(entry, Head(layer, head), role.key, thresholds[role.key])
        for role in SCORED_ROLES
        for layer in range(entry.num_layers)
        for head in range(entry.num_heads)
    ]


def extended_rows(
    entry: ModelEntry, run: PromptRun | None = None, *, head: Head | None = None
) -> list[dict[str, object]]:
    """Every head in every extended role, with its control; on a prompt where that can be told.

    Args:
        entry: the stored analysis; without its section of extended roles there are no rows.
        run: the prompt; without one, the rows have no columns of it.
        head: only this head's.

    Returns:
        One row a role and head, in the order of :data:`headroles.extended_roles.EXTENDED_ROLES`.
    """
    found = []
    for key, scores in entry.extended.roles.items() if entry.extended else ():
        if not scores.is_measured:
            continue
        role = EXTENDED_ROLES[key]
        judged = _judged(role, scores, run) if run is not None else None
        for place in range(entry.num_layers * entry.num_heads):
            one = Head(*divmod(place, entry.num_heads))
            if head in (None, one):
                row = _extended_row(role, scores, one)
                found.append(row | (judged[place] if judged else {}))
    return found


def _extended_row(role: ExtendedRole, scores: ExtendedScores, head: Head) -> dict[str, object]:
    layer, place = head
    return {
        "role": role.key,
        "layer": layer,
        "head": place,
        "label": head.label,
        "score": scores.scores[layer][place],
        "standard_error": scores.standard_errors[layer][place],
        "unit": role.unit,
        "control": scores.control[layer][place],
        "control_error": scores.control_errors[layer][place],
        "n": scores.n,
        "threshold": (role.sign or 1) * scores.threshold,
        "listed": any((top.layer, top.head) == head for top in scores.top_heads),
        "peak_distance": scores.profiles.peaks[layer][place] if scores.profiles else None,
    }


def _judged(role: ExtendedRole, scores: ExtendedScores, run: PromptRun) -> list[dict[str, object]]:
    """[head] what can be told of each head on a prompt."""
    if not role.from_attention:
        return [{"state": "not_from_one_prompt"}] * (len(scores.scores) * len(scores.scores[0]))
    verdicts = judge_heads(run.attention, run.tokens, scores)
    return [
        {
            "activation_score": one.value,
            "chance": one.chance,
            "rows": one.rows,
            "state": one.state,
        }
        for one in verdicts
    ]


def _reference_row(entry: ModelEntry, head: Head, key: str, threshold: float) -> dict[str, object]:
    score, errors = entry.all_scores[key][head.layer][head.head], entry.standard_errors.get(key)
    category = entry.categories.get(key)
    return {
        "role": key,
        "layer": head.layer,
        "head": head.head,
        "label": head.label,
        "score": score,
        "standard_error": errors[head.layer][head.head] if errors else None,
        "threshold": threshold,
        "over_threshold": score >= threshold,
        "listed": category is not None
        and any((top.layer, top.head) == head for top in category.top_heads),
    }


def _prompt_row(
    scores: PromptScores, head: Head, key: str, threshold: float | None, entry: ModelEntry | None
) -> dict[str, object]:
    verdict = judge(head, key, scores, threshold)
    category = entry.categories.get(key) if entry else None
    errors = entry.standard_errors.get(key) if entry else None
    return {
        "role": key,
        "layer": head.layer,
        "head": head.head,
        "label": head.label,
        "activation_score": verdict.activation.value,
        "chance": verdict.activation.chance,
        "rows": verdict.activation.rows,
        "threshold": verdict.threshold,
        "state": verdict.state,
        "resting_share": verdict.resting_share,
        "listed": category is not None
        and any((top.layer, top.head) == head for top in category.top_heads),
        "score": entry.all_scores[key][head.layer][head.head] if entry else None,
        "standard_error": errors[head.layer][head.head] if errors else None,
    }


def heads_csv(rows: Sequence[Mapping[str, object]], provenance: Mapping[str, object]) -> str:
    """A table of heads as CSV, with its provenance above it.

    Args:
        rows: from :func:`summary_rows` or :func:`prompt_rows`.
        provenance: from :func:`provenance`; more may be added, e.g. the role on the page.
    """
    columns = dict.fromkeys(name for row in rows for name in row)
    return _csv(list(columns), ([row.get(name) for name in columns] for row in rows), provenance)


def heads_json(rows: Sequence[Mapping[str, object]], provenance: Mapping[str, object]) -> str:
    """The same as JSON: ``{"provenance": {...}, "heads": [{...}, ...]}``."""
    heads = [{name: _rounded(value) for name, value in row.items()} for row in rows]
    return (
        json.dumps(
            {"provenance": provenance, "heads": heads},
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
    """One head's pattern as CSV: a line for each token and each one that it could look at.

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
    return round(value, DIGITS) if isinstance(value, float) else value


def guarded(text: str) -> str:
    """A text that no spreadsheet computes: an apostrophe stands before what may be a formula.

    It also stands before an apostrophe, so taking one away from the front gives the text back.
    Only NUL, which CSV cannot hold, becomes its picture.

    >>> guarded("=1+1"), guarded(" -"), guarded("'tis"), guarded("cat")
    ("'=1+1", "' -", "''tis", 'cat')
    """
    clean = text.replace("\0", "␀")
    return "'" + clean if _RISKY.match(clean) else clean


def _comment(value: object) -> str:
    """A value as JSON in one line, of which no piece between two delimiters is a formula."""
    line = json.dumps(value, ensure_ascii=False)
    for mark, escaped in _LINE_ENDS.items():
        line = line.replace(mark, escaped)
    return _AFTER_DELIMITER.sub(lambda found: f"{found[1]}\\u{ord(found[2]):04x}", line)


# ------------------------------------------------------------------ code

_HOW_TO = (
    "Save this file in the folder of the headroles project, beside README.md, install the "
    "project's requirements and run it there."
)


def script(
    run: PromptRun, rows: Sequence[Mapping[str, object]], *, provenance: Mapping[str, object]
) -> str:
    """A Python program that makes the numbers again and prints them beside those of the page.

    Args:
        run: the prompt's run.
        rows: the heads whose numbers it prints, as for :func:`heads_csv`.
        provenance: from :func:`provenance`.
    """
    words = textwrap.fill(f"{_made(provenance)} {_HOW_TO}", 95)
    code = "\n".join(block for _, block in _steps(run, rows, provenance))
    return f'"""Run a prompt again with headroles.\n\n{words}\n"""\n\n{code}'


def notebook(
    run: PromptRun, rows: Sequence[Mapping[str, object]], *, provenance: Mapping[str, object]
) -> str:
    """The program of :func:`script` as a Jupyter notebook (nbformat 4.5), as JSON."""
    cells = [_markdown(f"# A prompt, run again with headroles\n\n{_made(provenance)} {_HOW_TO}")]
    for words, code in _steps(run, rows, provenance):
        cells += [_markdown(words), _code(code)]
    for number, cell in enumerate(cells):
        cell["id"] = f"cell-{number}"
    document = {
        "cells": cells,
        "metadata": {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return json.dumps(document, indent=1) + "\n"


def _made(provenance: Mapping[str, object]) -> str:
    return f"Made by headroles {provenance['headroles_version']}, {provenance['date']}."


def _steps(
    run: PromptRun, rows: Sequence[Mapping[str, object]], provenance: Mapping[str, object]
) -> list[tuple[str, str]]:
    """What the program does, in steps: (words, code). Whatever was typed is a Python literal."""
    model = run.model_name if run.model_name in CATALOGUE else provenance["source"]
    shown = "".join(
        f"    ({row['role']!r}, {row['layer']}, {row['head']}, {row['activation_score']:.8f}),\n"
        for row in rows
    )
    return [
        (
            "What was run, and the numbers that the page showed: role, layer, head, activation.",
            f"MODEL = {model!a}  # a key of the catalogue, an id on the Hub, or a folder\n"
            f"REVISION = {provenance['revision']!a}  # of the weights that the page ran\n"
            f"PROMPT = {run.prompt!a}\n"
            f"TOKEN_IDS = {list(run.token_ids)}\n"
            f"SHOWN = [\n{shown}]\n",
        ),
        (
            "One forward pass gives the attention of every head: [layer head query key].",
            "from headroles.capture import capture\n"
            "from headroles.models import load_model, model_revision\n\n"
            "loaded = load_model(MODEL)\n"
            "if model_revision(loaded.source) != REVISION:\n"
            "    print('Note: these are other weights than those of the page.')\n"
            "run = capture(loaded, PROMPT)\n"
            "assert list(run.token_ids) == TOKEN_IDS, 'The tokens differ: is it another model?'\n",
        ),
        (
            "How far each head does what its role says, now and on the page.",
            "from headroles import verify_head_activation\n"
            "from headroles.types import Head\n\n"
            "print('role', 'head', 'now', 'page', sep='\\t')\n"
            "for role, layer, place, page in SHOWN:\n"
            "    head = Head(layer, place)\n"
            "    now = verify_head_activation(run.attention, run.token_ids, head, role)\n"
            "    print(role, head.label, f'{now:.8f}', f'{page:.8f}', sep='\\t')\n",
        ),
    ]


def _markdown(text: str) -> dict[str, object]:
    return {"cell_type": "markdown", "metadata": {}, "source": text.splitlines(keepends=True)}


def _code(text: str) -> dict[str, object]:
    return {
        "cell_type": "code",
        "execution_count": None,
        "metadata": {},
        "outputs": [],
        "source": text.rstrip("\n").splitlines(keepends=True),
    }


# ------------------------------------------------------------------ pictures

THEMES = {"light": ("#ffffff", "#1d232b"), "dark": ("#14171c", "#e8ebef")}
"""{theme: (background, ink)}, as ``.streamlit/config.toml`` has them."""

WIDTH = 720
"""Pixels of a picture whose chart is as wide as its place on the page."""


def chart_image(
    spec: Mapping[str, object],
    kind: str,
    *,
    theme: str = "light",
    width: int = WIDTH,
    scale: float = 2.0,
    title: str = "",
) -> bytes:
    """A chart as a picture that can be read on its own.

    The charts of the pages take the page's text colour (``currentColor``) and the width of their
    place; a picture has neither, so both become concrete.

    Args:
        spec: a Vega-Lite chart, as ``chart.to_dict()`` gives it.
        kind: ``png`` or ``svg``.
        theme: a key of :data:`THEMES`.
        width: pixels, for a chart that has no width of its own.
        scale: pixels of a PNG for each pixel of the chart.
        title: what the picture is of; a page says it around the chart.

    Raises:
        ExportError: for an unknown kind or theme, or a chart that cannot be drawn.
    """
    import vl_convert

    _check_choice("format of pictures", kind, ("png", "svg"))
    _check_choice("theme", theme, THEMES)
    # No data is ever fetched for a picture: a chart brings its own.
    settings = {"vl_spec": _concrete_chart(spec, theme, width, title), "allowed_base_urls": []}
    try:
        if kind == "png":
            return vl_convert.vegalite_to_png(scale=scale, **settings)
        return vl_convert.vegalite_to_svg(**settings).encode()
    except ValueError as error:
        raise ExportError(
            f"The picture could not be made: {_why(error)}",
            mend="Export the numbers instead, or try another chart.",
            value=kind,
        ) from error


def _check_choice(what: str, value: str, known: Iterable[str]) -> None:
    if value not in known:
        raise ExportError(
            f"There is no {what} '{value}'.", mend=f"Choose {' or '.join(known)}.", value=value
        )


def _why(error: Exception) -> str:
    """The line of a converter's message that says what is wrong."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    told = [line for line in lines if "Error: " in line]
    return (told or lines or [type(error).__name__])[0].rstrip(".:") + "."


def _concrete_chart(
    spec: Mapping[str, object], theme: str, width: int, title: str
) -> dict[str, object]:
    background, ink = THEMES[theme]
    chart = _concrete(dict(spec), ink, width)
    chart |= {"background": background, "padding": 16}
    if title:
        lines = textwrap.wrap(title, max(width // 8, 20))  # about 8 pixels a letter
        chart["title"] = {"text": lines, "anchor": "start", "fontSize": 14, "offset": 12}
    chart["config"] = _merged(_config(ink), chart.get("config", {}))
    return chart


def _config(ink: str) -> dict[str, object]:
    """The ink of everything that a chart does not colour itself."""
    labels = {"labelColor": ink, "titleColor": ink}
    return {
        "font": "sans-serif",
        "axis": {**labels, "domainColor": ink, "tickColor": ink, "gridColor": "#7d8590"},
        "legend": labels,
        "header": labels,
        "title": {"color": ink, "subtitleColor": ink},
        "text": {"color": ink},
    }


def _concrete(part: object, ink: str, width: int) -> object:
    """A part of a chart without ``currentColor`` and ``container``; data stay as they are."""
    if isinstance(part, str):
        return part.replace("currentColor", ink)
    if isinstance(part, list):
        return [_concrete(one, ink, width) for one in part]
    if not isinstance(part, dict):
        return part
    # A parameter with a name holds data (the tokens), which may well say "currentColor".
    data = {"data", "datasets"} | ({"value"} if "name" in part else set())
    found = {
        key: value if key in data else _concrete(value, ink, width) for key, value in part.items()
    }
    for side in ("width", "height"):
        if found.get(side) == "container":
            found[side] = width
    return found


def _merged(under: Mapping[str, object], over: Mapping[str, object]) -> dict[str, object]:
    """``over`` laid on ``under``, one level deep."""
    both = {**under, **over}
    return {
        key: {**under[key], **value}
        if isinstance(value, dict) and isinstance(under.get(key), dict)
        else value
        for key, value in both.items()
    }
