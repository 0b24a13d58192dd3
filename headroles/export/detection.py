"""The scores of a detection as files: tables with their provenance.

>>> text = as_csv(detection, origin)  # doctest: +SKIP
>>> text.splitlines()[-1]  # doctest: +SKIP
'"induction",3,7,"L3H7",true,0.01,0.002,...'
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from datetime import datetime

from headroles.detector import MEASURES, Detection, caveats_of, kept_share
from headroles.export.provenance import library_versions, origin
from headroles.export.tables import guarded, heads_csv, heads_json
from headroles.models import LoadedModel
from headroles.roles import Prompts
from headroles.types import Head


def rows(detection: Detection) -> list[dict[str, object]]:
    """One row per pattern and head: every measure with its error, chance and n.

    A score that is not defined, or was not asked for, is None.
    """
    layers, heads = detection.asked.shape
    table = []
    for place, pattern in enumerate(detection.patterns):
        by = {measure: detection.summary(place, measure) for measure in MEASURES}
        left = kept_share(detection, place)
        for at in Head.every(layers, heads):
            row: dict[str, object] = {
                "pattern": pattern.spec,
                "layer": at.layer,
                "head": at.head,
                "label": at.label,
                "asked": bool(detection.asked[at]),
            }
            for measure, summary in by.items():
                row[measure] = _number(summary.mean[at])
                row[f"{measure}_standard_error"] = _number(summary.error[at])
                row[f"{measure}_chance"] = _number(summary.chance)
                row[f"{measure}_n"] = int(summary.n[at])
            row["attention_left"] = _number(left[at])
            table.append(row)
    return table


def _number(value: object) -> float | None:
    number = float(value)
    return number if math.isfinite(number) else None


def provenance(
    detection: Detection,
    loaded: LoadedModel,
    prompts: Prompts,
    *,
    made: str = "",
    when: datetime | None = None,
) -> dict[str, object]:
    """Everything that it takes to reproduce the numbers.

    Args:
        detection: the detection.
        loaded: the model that ran.
        prompts: what it ran on.
        made: how the prompts were made, where nobody typed them.
        when: the time of the export; by default now.
    """
    ids = prompts.sequences.token_ids.tolist()
    lengths = prompts.sequences.lengths.tolist()
    return {
        **origin(loaded.key, when=when),
        "revision": loaded.revision,
        "libraries": library_versions(),
        "patterns": {
            role.spec: role.key.partition(":")[2] if role.length else role.name
            for role in detection.patterns
        },
        "exclude_bos": detection.exclude_bos,
        "exclude_current_token": detection.exclude_current_token,
        "prompts_made": made or "typed",
        "token_ids": [row[:length] for row, length in zip(ids, lengths, strict=True)],
        "traps": {
            pattern.spec: [
                f"{measure}: {caveat.title}"
                for measure in MEASURES
                for caveat in caveats_of(detection, place, measure)
            ]
            for place, pattern in enumerate(detection.patterns)
        },
    }


def as_csv(detection: Detection, origin: dict[str, object]) -> str:
    """The table as CSV, its provenance above it."""
    return heads_csv(rows(detection), origin)


def as_json(detection: Detection, origin: dict[str, object]) -> str:
    """The table as JSON: ``{"provenance": {...}, "heads": [...]}``."""
    return heads_json(rows(detection), origin)


def pattern_csv(matrix: Sequence[Sequence[float]], tokens: Sequence[str]) -> str:
    """A pattern as a table with the tokens around it, as ``read_matrix`` reads it back."""
    file = io.StringIO(newline="")
    writer = csv.writer(file, lineterminator="\n")
    names = [guarded(token) for token in tokens]
    writer.writerow(["query \\ key", *names])
    writer.writerows(
        [name, *(f"{v:.6g}" for v in row)] for name, row in zip(names, matrix, strict=True)
    )
    return file.getvalue()
