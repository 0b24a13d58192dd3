"""The extended roles that an entry lacks, measured and added; all else in it stays as it is.

A role that is new in the registry changes no number of the others, so a file that was made before
need not be analysed from the start.

>>> missing(store.read_entry("demo"))  # doctest: +SKIP
['retrieval']
"""

from __future__ import annotations

from headroles import store
from headroles.analysis.bridge import load_bridge
from headroles.analysis.extended_roles import measure_extended
from headroles.analysis.freshness import outdated
from headroles.analysis.hints import with_hints
from headroles.analysis.measure import Progress, make_texts
from headroles.analysis.setting import unseen_notes
from headroles.errors import AnalysisError
from headroles.models import load_tokenizer, model_revision, resolve_source
from headroles.reference import with_roles
from headroles.roles import EXTENDED_ROLES
from headroles.store import ModelEntry


def missing(entry: ModelEntry) -> list[str]:
    """The keys of the extended roles that an entry neither has nor says why not."""
    return [key for key in EXTENDED_ROLES if key not in entry.categories]


def with_missing_roles(
    entry: ModelEntry, model: str, *, progress: Progress | None = None
) -> ModelEntry:
    """The entry with the extended roles that it lacks, and prompts that wake their heads.

    Args:
        entry: what the file says of the model.
        model: the model's key, folder or Hub id.
        progress: told after every batch.

    Raises:
        AnalysisError: if the entry is out of date in any other way.
        OtherWeightsError: if it was measured on other weights.
        HeadrolesError: if the model cannot be loaded.
    """
    if reasons := outdated(entry):
        raise AnalysisError(
            f"Nothing can be added to the scores of {entry.model_name}: {reasons[0]}.",
            hint="Analyse the whole model, without --only-missing.",
            value=entry.model_name,
        )
    source = resolve_source(model)
    store.contents.check_weights(entry, source, model_revision(source))
    keys = missing(entry)
    if not keys:
        return entry
    bridge, tokenizer = load_bridge(model), load_tokenizer(source)
    probe = make_texts(tokenizer, n=entry.sequences, seed=entry.seed)
    scores = measure_extended(
        bridge, tokenizer, probe, seed=entry.seed, progress=progress, keys=keys
    )
    added = with_roles(entry, scores)
    notes = [*added.notes, *(note for note in unseen_notes(scores) if note not in added.notes)]
    return with_hints(
        bridge, tokenizer, added.model_copy(update={"notes": notes}), progress=progress
    )
