"""A detection of the lab as code: a script and a notebook that make its scores again.

The prompts stand in it as token ids, so generated ones need no generator, and the patterns as they
are written on the command line; painted cells as their CSV.
"""

from __future__ import annotations

import math
import pprint
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from headroles.detector import MEASURES
from headroles.export.detection import rows as rows_of
from headroles.export.notebook import LOAD, as_notebook, as_script, find_step
from headroles.models import CATALOGUE

if TYPE_CHECKING:
    from headroles.detector import Detection
    from headroles.models import LoadedModel
    from headroles.roles import Prompts

_IMPORTS = (
    "from headroles import __version__, detector, roles",
    "from headroles.errors import HeadrolesError",
    "from headroles.models import load_model",
    "from headroles.roles import Prompts",
    "from headroles.texts import pack, token_texts",
    "from headroles.types import Head",
)
_TITLE = "Score the heads of a model against detection patterns again, with headroles."


def script(
    detection: Detection,
    loaded: LoadedModel,
    prompts: Prompts,
    *,
    provenance: Mapping[str, object],
) -> str:
    """A Python program that makes the scores again and prints them beside those of the lab.

    Args:
        detection: the detection.
        loaded: the model that ran.
        prompts: what it ran on.
        provenance: from :func:`headroles.export.detection.provenance`.
    """
    steps = _steps(detection, loaded, prompts, provenance, kind="script")
    return as_script(_TITLE, steps, provenance=provenance)


def notebook(
    detection: Detection,
    loaded: LoadedModel,
    prompts: Prompts,
    *,
    provenance: Mapping[str, object],
) -> str:
    """The program of :func:`script` as a Jupyter notebook (nbformat 4.5), as JSON."""
    steps = _steps(detection, loaded, prompts, provenance, kind="notebook")
    return as_notebook(_TITLE.rstrip("."), steps, provenance=provenance)


def _steps(
    detection: Detection,
    loaded: LoadedModel,
    prompts: Prompts,
    provenance: Mapping[str, object],
    *,
    kind: str,
) -> list[tuple[str, str]]:
    """The program in steps: (explanation, code)."""
    model = loaded.key if loaded.key in CATALOGUE else loaded.source
    specs = [pattern.key for pattern in detection.patterns]
    asked = [row["label"] for row in rows_of(detection) if row["asked"]]
    heads = list(dict.fromkeys(asked)) if not bool(detection.asked.all()) else []
    return [
        find_step(kind, provenance, _IMPORTS),
        (
            "What was run: the prompts as token ids, and the patterns.",
            f"MODEL = {model!a}  # a key of the catalogue, an id on the Hub, or a folder\n"
            f"REVISION = {loaded.revision!a}  # of the weights that the lab used\n"
            f"TOKEN_IDS = {_lists(prompts.sequences.token_ids, prompts)}\n"
            f"# The ids by which copies are found, where they are others (chat messages).\n"
            f"COPY_IDS = {'None' if prompts.copies is None else _lists(prompts.copies, prompts)}\n"
            f"PATTERNS = [\n{_quoted(specs)}]\n"
            f"HEADS = {heads!a}  # those that were asked for; none for all\n"
            f"EXCLUDE_BOS = {detection.exclude_bos}\n"
            f"EXCLUDE_CURRENT_TOKEN = {detection.exclude_current_token}\n",
        ),
        (
            f"What the lab showed: pattern, head, {', '.join(MEASURES)}; None where a score is "
            "not defined.",
            f"SHOWN = [\n{_shown(detection)}]\n",
        ),
        ("One pass per batch of prompts scores all heads against all patterns.", LOAD + _DETECT),
        ("Every score, now and in the lab.", _COMPARE),
    ]


_DETECT = (
    "def pattern_of(spec):\n"
    "    kind, _, cells = spec.partition(':')\n"
    "    if kind == 'matrix':\n"
    "        return roles.of_matrix(roles.read_matrix(cells))\n"
    "    return roles.parse_pattern(spec)\n\n"
    "copies = None if COPY_IDS is None else pack(COPY_IDS).token_ids\n"
    "tokens = tuple(tuple(token_texts(loaded.tokenizer, ids)) for ids in TOKEN_IDS)\n"
    "detection = detector.detect(\n"
    "    loaded,\n"
    "    Prompts(pack(TOKEN_IDS), tokens, copies),\n"
    "    [pattern_of(spec) for spec in PATTERNS],\n"
    "    exclude_bos=EXCLUDE_BOS,\n"
    "    exclude_current_token=EXCLUDE_CURRENT_TOKEN,\n"
    "    heads=[Head.parse(label) for label in HEADS],\n"
    ")\n"
)
_COMPARE = (
    f"MEASURES = {MEASURES!a}\n"
    "means = [\n"
    "    [detection.summary(n, name).mean for name in MEASURES] for n in range(len(PATTERNS))\n"
    "]\n"
    "print('pattern', 'head', 'measure', 'now', 'lab', sep='\\t')\n"
    "largest, compared = 0.0, 0\n"
    "for n, label, *lab in SHOWN:\n"
    "    for name, mean, score in zip(MEASURES, means[n], lab):\n"
    "        now = float(mean[Head.parse(label)])\n"
    "        if score is None:\n"
    "            assert now != now, (n, label, name)  # not defined now either\n"
    "            continue\n"
    "        largest, compared = max(largest, abs(now - score)), compared + 1\n"
    "        print(n, label, name, f'{now:.8f}', f'{score:.8f}', sep='\\t')\n"
    "print(f'{compared} scores; largest difference from the lab: {largest:.1e}')\n"
)


def _lists(ids: object, prompts: Prompts) -> str:
    """Ids without their padding, a prompt to a line or several."""
    lengths = prompts.sequences.lengths.tolist()
    rows = [row[:length] for row, length in zip(ids.tolist(), lengths, strict=True)]
    return pprint.pformat(rows, width=95, compact=True)


def _quoted(specs: Sequence[str]) -> str:
    """Patterns as Python literals, a painted one in pieces of a row."""
    lines = []
    for spec in specs:
        parts = "\n        ".join(ascii(part) for part in spec.splitlines(keepends=True))
        lines.append(f"    {parts},\n")
    return "".join(lines)


def _shown(detection: Detection) -> str:
    """The scores of every head that was asked for."""
    width = detection.asked.numel()
    return "".join(
        f"    ({at // width}, {row['label']!r}, "
        f"{', '.join(_number(row[measure]) for measure in MEASURES)}),\n"
        for at, row in enumerate(rows_of(detection))
        if row["asked"]
    )


def _number(value: object) -> str:
    return "None" if value is None or not math.isfinite(value) else f"{value:.8f}"
