"""What heads do when the period changes, as a file: one row per head and period.

>>> rows(found)[0]["verdict"]  # doctest: +SKIP
'keeps'
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from headroles.export.provenance import library_versions, origin
from headroles.types import Head

if TYPE_CHECKING:
    from headroles.models import LoadedModel
    from headroles.verdicts.changing_patterns import ChangingPatterns


def rows(found: ChangingPatterns) -> list[dict[str, object]]:
    """The typical distance of every head at every period, as it is and in the pattern."""
    table = []
    for head, verdict in found.verdicts.items():
        for period in found.periods:
            row: dict[str, object] = {
                "layer": head.layer,
                "head": head.head,
                "label": head.label,
                "verdict": verdict.kind,
                "by": verdict.by,
                "period": period,
            }
            for name, by_head in (("", found.typical), ("pattern_", found.places)):
                typical = by_head[head][period]
                row |= {
                    f"{name}distance": typical.distance,
                    f"{name}share": typical.share,
                    f"{name}agreement": typical.agreement,
                    f"{name}control": _number(typical.control),
                    f"{name}attention": typical.attention,
                }
            table.append(row | {"rows": found.typical[head][period].rows})
    return table


def slot_rows(found: ChangingPatterns) -> list[dict[str, object]]:
    """Attention within each slot, every head; none for a kind without slots."""
    return [
        {
            "slot": slot,
            "layer": head.layer,
            "head": head.head,
            "label": head.label,
            "share": float(attention.share[head]),
            "on_the_last": float(attention.nearest[head]),
            "chance": float(attention.chance[head.layer]),
            "other_words": float(attention.control[head]),
            "error_of_the_difference": _number(float(attention.error[head])),
            "clear": bool(attention.clear[head]),
            "sequences": attention.sequences,
        }
        for slot, attention in found.slots.items()
        for head in Head.every(*found.shape)
    ]


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None


def provenance(found: ChangingPatterns, loaded: LoadedModel) -> dict[str, object]:
    """Where the numbers come from: the model, the kind, and every text."""
    return {
        **origin(loaded.key),
        "revision": loaded.revision,
        "libraries": library_versions(),
        "kind": found.kind,
        "seed": found.seed,
        "without_itself": found.without_itself,
        "texts": {
            str(period): [text.text for text in one.texts]
            for period, one in found.by_period.items()
        },
    }
