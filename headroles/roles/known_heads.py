"""What papers say about single heads, from ``data/known_heads.json``, each with its source.

A list by *pattern* names heads for where they look; a list by *function* names them for their
effect on the output, and such a head need not show the role's pattern on the texts of the analysis
(GPT-2's L5H9 is an induction head of the IOI circuit with a score of .04 on random repeats).

>>> [known.head.label for known in named_heads("gpt2", role="previous_token")]
['L2H2', 'L4H11', 'L4H11']
"""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from headroles import disk, paths
from headroles.errors import KnownHeadsError
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


def named_heads(
    model_name: str, *, role: str | None = None, path: Path | None = None
) -> list[KnownHead]:
    """Every head that a source names for a model, in the order of the file; often none.

    Args:
        model_name: the model's key in the catalogue.
        role: only the heads of this role.
        path: another file of the same form.

    Raises:
        KnownHeadsError: if the file is not a valid list.
    """
    named = _read() if path is None else _parsed(path)
    return [known for known in named.get(model_name, ()) if role in (None, known.role)]


@lru_cache(maxsize=1)
def _read() -> dict[str, list[KnownHead]]:
    return _parsed(paths.ROOT / "data" / "known_heads.json")


def _parsed(path: Path) -> dict[str, list[KnownHead]]:
    try:
        models = json.loads(disk.read(path)[0])
        return {
            model: [
                KnownHead(Head.parse(label), role, entry["basis"], entry["source"])
                for role, entries in roles.items()
                for entry in entries
                for label in entry["heads"]
            ]
            for model, roles in models.items()
            if isinstance(roles, dict)
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise KnownHeadsError(
            f"The named heads in {path} cannot be read: {error}.",
            hint="Write them as data/known_heads.json is: model, role, and a list of heads with "
            "basis and source.",
            value=str(path),
        ) from error
