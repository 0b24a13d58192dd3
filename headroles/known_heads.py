"""What papers say of single heads, from ``data/known_heads.json``, each with its source.

A list by *pattern* names heads for where they look; a list by *function* names them for their
effect on the output, and such a head need not show the role's pattern on the texts of the analysis
(GPT-2's L5H9 is an induction head of the IOI circuit with a score of .04 on random repeats).

>>> [known.head.label for known in known_heads("gpt2", role="previous_token")]
['L2H2', 'L4H11', 'L4H11']
"""

from __future__ import annotations

import json
from functools import lru_cache
from typing import NamedTuple

from headroles import paths
from headroles.types import Head


class KnownHead(NamedTuple):
    """One head that a source names."""

    head: Head
    """The head."""
    role: str
    """The role's key; also roles that this project does not score, e.g. ``name_mover``."""
    basis: str
    """``pattern`` or ``function``: what kind of evidence named it."""
    source: str
    """The citation."""


def known_heads(model_name: str, *, role: str | None = None) -> list[KnownHead]:
    """Every head that a source names for a model, in the order of the file; often none.

    Args:
        model_name: the model's key in the catalogue.
        role: only this role's.
    """
    return [one for one in _read().get(model_name, ()) if role in (None, one.role)]


@lru_cache(maxsize=1)
def _read() -> dict[str, list[KnownHead]]:
    text = (paths.ROOT / "data" / "known_heads.json").read_text(encoding="utf-8")
    models = {key: value for key, value in json.loads(text).items() if isinstance(value, dict)}
    return {
        model: [
            KnownHead(Head.parse(label), role, entry["basis"], entry["source"])
            for role, entries in roles.items()
            for entry in entries
            for label in entry["heads"]
        ]
        for model, roles in models.items()
    }
