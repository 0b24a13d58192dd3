"""Activation patching as tables: one line per patch, with its share and the control beside it.

>>> patch_rows(patched)[0]  # doctest: +SKIP
{'head': 'L0H0', 'layer': 0, 'logit_difference': -7.81, 'share': 0.001}
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from headroles.export.provenance import library_versions, origin

if TYPE_CHECKING:
    from headroles.ablation.patching import Beside, Patched
    from headroles.models import LoadedModel


def patch_rows(patched: Patched, beside: Sequence[Beside] = ()) -> list[dict[str, object]]:
    """One line per head, or per position of the heads that were patched together there.

    Args:
        patched: a table of patches.
        beside: the control of some heads, for a table of every head.
    """
    control = {one.head: one for one in beside}
    lines = []
    for row, heads in enumerate(patched.rows):
        for column, difference in enumerate(patched.differences[row].tolist()):
            head = heads[0] if patched.by_position else heads[column]
            together = len(heads) > 1 and patched.by_position
            line: dict[str, object] = {"head": "all" if together else head.label}
            line["layer"] = head.layer
            if patched.by_position:
                line["position"] = column
                line["first_token"] = patched.pair.first.tokens[column]
                line["second_token"] = patched.pair.second.tokens[column]
            line["logit_difference"] = difference
            line["share"] = float(patched.share[row, column])
            if found := control.get(head):
                line["control_mean"] = found.control_mean
                line["control_spread"] = found.control_spread
                line["exchanges"] = found.exchanges
                line["verdict"] = found.verdict
            lines.append(line)
    return lines


def patch_provenance(loaded: LoadedModel, patched: Patched) -> dict[str, object]:
    """Everything that it takes to reproduce the numbers."""
    pair = patched.pair
    return {
        **origin(loaded.key),
        "revision": loaded.revision,
        "libraries": library_versions(),
        "first": pair.first_text,
        "second": pair.second_text,
        "answer": pair.answer,
        "against": pair.against,
        "first_logit_difference": pair.first_difference,
        "second_logit_difference": pair.second_difference,
        "direction": patched.direction,
        "chat": pair.first.is_chat,
        "exchanged": list(pair.exchange),
    }
