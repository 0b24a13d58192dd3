"""Everything that is stored about a model, read once for its report.

A part that is damaged or belongs to other weights is left out, and the report says so: a report of
what is there is worth more than none.

>>> gather("demo").entry.num_layers  # doctest: +SKIP
4
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from headroles import models, store, texts, verdicts
from headroles.errors import HeadrolesError, KnownHeadsError
from headroles.models import on_disk
from headroles.roles import KnownHead, named_heads
from headroles.types import Head
from headroles.view import head_maps

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from headroles.circuits.overview import Overview
    from headroles.models import CatalogueEntry, LoadedModel, ModelFacts
    from headroles.store import ModelEntry, RealText
    from headroles.texts.sources import Passage
    from headroles.types import PromptRun
    from headroles.view.head_maps import ModelMap

FEW_HEADS = 64
"""Of a model with so many heads or fewer, the weights of every head are read; else of the listed
ones, because each takes a second or two."""


@dataclass(frozen=True, eq=False)
class Gathered:
    """What a report is made of."""

    entry: ModelEntry
    """The stored analysis."""
    model: CatalogueEntry | None = None
    """What the catalogue says of the model; None for one that nobody has listed."""
    facts: ModelFacts | None = None
    """What its files say, where they are on this disk."""
    backup_since: datetime | None = None
    """UTC: since when the version was live that replaces a damaged file; None if it is in order."""
    other_weights: tuple[str, str] | None = None
    """What the scores were measured on and what is here, where these are different weights."""
    known: tuple[KnownHead, ...] = ()
    """What papers say about its heads."""
    real_text: RealText | None = None
    """What its heads do on real text."""
    passages: Mapping[str, Passage] = field(default_factory=dict)
    """{digest: passage} of those that real text names and this machine has."""
    tokenizer: PreTrainedTokenizerBase | None = None
    """The model's, where it is on this disk and real text is stored; else None."""
    weights: Overview | None = None
    """Its circuits' strongest links, where they were read."""
    run: PromptRun | None = None
    """A prompt that was run for this report."""
    faults: Mapping[str, str] = field(default_factory=dict)
    """{part that cannot be shown: why, in sentences}."""

    @property
    def name(self) -> str:
        """The name that people read."""
        return self.model.name if self.model else self.entry.model_name

    @property
    def thresholds(self) -> dict[str, float]:
        """{role key: threshold} of the basic roles."""
        return verdicts.thresholds_in(self.entry)

    @cached_property
    def model_map(self) -> ModelMap:
        """Every head in every basic role, with those that papers name for it."""
        return head_maps.of_entry(self.entry, self.thresholds)


def gather(model: str, *, path: Path | None = None) -> Gathered:
    """What is stored about a model.

    Args:
        model: its key, or another of its names.
        path: another file of scores.

    Raises:
        CategoriesMissingError: if it has no analysis.
        CategoriesBrokenError: if the file is damaged and no earlier version has the model.
    """
    entry, good = store.categories.good_entry(model, path)
    return of_entry(entry, backup_since=good.since if good.fault else None)


def of_entry(entry: ModelEntry, *, backup_since: datetime | None = None) -> Gathered:
    """The same for an entry that is at hand, for example one that is not published yet."""
    key, faults = entry.model_name, {}
    listed = models.known_models().get(models.same_model(key))
    facts, other = _of_files(listed, entry, faults)
    real_text, passages = _real_text(entry, faults)
    return Gathered(
        entry,
        listed,
        facts,
        backup_since,
        other,
        _known_heads(entry, faults),
        real_text,
        passages,
        _tokenizer(listed, faults) if facts and real_text else None,
        faults=faults,
    )


def _tokenizer(listed: CatalogueEntry, faults: dict[str, str]) -> PreTrainedTokenizerBase | None:
    """The tokenizer of a model that is here, for the tokens of its passages."""
    try:
        return models.load_tokenizer(models.resolve_source(listed.key))
    except (HeadrolesError, OSError) as error:
        faults["Tokens of the passages"] = str(error)
        return None


def _of_files(
    listed: CatalogueEntry | None, entry: ModelEntry, faults: dict[str, str]
) -> tuple[ModelFacts | None, tuple[str, str] | None]:
    """What the model's files say, and whether they are other weights; nothing is downloaded."""
    if listed is None or not on_disk.is_here(listed):
        return None, None
    try:
        facts = models.inspect_model(listed.key)
    except (HeadrolesError, OSError) as error:
        faults["The model's files"] = str(error)
        return None, None
    other = store.contents.other_weights(entry, models.resolve_source(listed.key), facts.revision)
    return (None if other else facts), other


def _known_heads(entry: ModelEntry, faults: dict[str, str]) -> tuple[KnownHead, ...]:
    try:
        named = named_heads(models.same_model(entry.model_name))
    except KnownHeadsError as error:
        faults["What papers say"] = str(error)
        return ()
    inside = set(entry.heads)
    return tuple(known for known in named if known.head in inside)


def _real_text(
    entry: ModelEntry, faults: dict[str, str]
) -> tuple[RealText | None, Mapping[str, Passage]]:
    try:
        found = store.read_real_text(entry.model_name)
    except (HeadrolesError, OSError, ValueError) as error:  # ValueError: a name that no file has
        faults["Real text"] = str(error)
        return None, {}
    if found is None:
        return None, {}
    if (found.num_layers, found.num_heads) != (entry.num_layers, entry.num_heads):
        faults["Real text"] = (
            f"The stored results are of a model of {found.num_layers} layers of "
            f"{found.num_heads} heads, so they are not shown."
        )
        return None, {}
    if entry.revision and found.revision and entry.revision != found.revision:
        faults["Real text"] = (
            "The stored results were made with other weights than the scores, so they are not "
            "shown. Make them anew: python -m scripts.read_texts"
        )
        return None, {}
    return found, texts.sources.find(passage.digest for passage in found.passages)


def weight_heads(entry: ModelEntry) -> list[Head]:
    """The heads whose weights a report reads: all of a small model, else those that a role lists
    (``other`` aside), layer by layer."""
    if len(entry.heads) <= FEW_HEADS:
        return entry.heads
    listed = {head for key in entry.categories if key != "other" for head in entry.listed(key)}
    return sorted(listed)


def with_prompt(gathered: Gathered, loaded: LoadedModel, run: PromptRun) -> Gathered:
    """The same with a prompt that was run.

    Raises:
        OtherWeightsError: if the model has other weights than the scores were measured on.
    """
    store.contents.check_weights(gathered.entry, loaded.source, loaded.revision)
    return replace(gathered, run=run)
