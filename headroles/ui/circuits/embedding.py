"""Every token through the first block, once per model, before a head above it is read."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from headroles import circuits
from headroles.ui.app import caches, long_work

if TYPE_CHECKING:
    from headroles.circuits import CircuitSettings
    from headroles.models import LoadedModel
    from headroles.types import Head


def is_ready(loaded: LoadedModel, head: Head, settings: CircuitSettings) -> bool:
    """Whether the head's tables can be made; if not, the page works on it and shows how far."""
    if settings.embedding_at(head.layer) == "bare" or not circuits.effective.passes(loaded):
        return True
    tokens = len(circuits.weights.embedding(loaded))
    done = long_work.run(
        "embedding",
        loaded.weights,
        partial(_plan, loaded.key),
        doing=f"Running {tokens:,} tokens through the first block",
    )
    return done is not None


def _plan(model: str) -> long_work.Plan:
    """A step per pass; what they make is kept with the model, not here."""

    def run(first: int) -> None:
        with caches.borrow(model) as loaded:
            circuits.effective.run_tokens(loaded, first)

    with caches.borrow(model) as loaded:
        return long_work.Plan([partial(run, first) for first in circuits.effective.passes(loaded)])
