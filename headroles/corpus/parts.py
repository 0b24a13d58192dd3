"""What one pass over real text finds out about a model, part by part, and the record of all of it.

A part is a collector that can give its record: one line in :data:`PARTS` and one field of
:class:`headroles.store.real_text.RealText`. What else it runs, it names as ``further``: some
passages with their tokens shuffled, say.
"""

from __future__ import annotations

import datetime
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Protocol, runtime_checkable

from headroles.corpus.activity import ActivityPart
from headroles.corpus.kinds import KindsPart
from headroles.corpus.profiles import ProfileCollector
from headroles.corpus.proposals import ProposalsPart
from headroles.corpus.reading import MAX_CELLS, Collector, Corpus, EachLayer, Reading
from headroles.corpus.role_shares import RoleShares
from headroles.corpus.strongest import StrongestPart
from headroles.store import ModelEntry
from headroles.store.real_text import ReadSource, RealText, StoredPassage
from headroles.texts import TextSource
from headroles.types import Head


@runtime_checkable
class Part(Collector, Protocol):
    """A collector whose result is stored."""

    def record(self) -> object:
        """What it found, as the record of its field."""


@dataclass(frozen=True, eq=False)
class Setting:
    """What a part may need to know."""

    corpus: Corpus
    shape: tuple[int, int]
    """Layers and heads."""
    entry: ModelEntry | None
    """The model's reference scores, for thresholds and lists; None where it has none."""
    seed: int
    """Fixes every random choice."""

    @cached_property
    def shares(self) -> RoleShares:
        """The shares of all roles, for every collector that asks."""
        return RoleShares(self.entry, self.shape)

    @cached_property
    def thresholds(self) -> dict[str, float]:
        """{role key: threshold}; the role's provisional one where the entry has none."""
        stored = {} if self.entry is None else self.entry.categories
        return {
            key: role.default_threshold
            if key not in stored or stored[key].threshold is None
            else stored[key].threshold
            for key, role in self.shares.roles.items()
        }

    def listed(self, key: str) -> list[Head]:
        """The heads that the entry lists for a role."""
        return [] if self.entry is None else self.entry.listed(key)


PARTS: dict[str, Callable[[Setting], Part]] = {
    "activity": ActivityPart,
    "evidence": StrongestPart,
    "profiles": lambda setting: ProfileCollector(setting.shape),
    "kinds": KindsPart,
    "proposals": ProposalsPart,
}
"""{field of the record: what makes its collector}."""


def collectors(setting: Setting) -> dict[str, Part]:
    """A fresh collector for every part."""
    return {name: make(setting) for name, make in PARTS.items()}


class Pass:
    """A whole pass in steps: the text with every part, then what parts run besides.

    >>> whole = Pass(setting)  # doctest: +SKIP
    >>> for place in range(len(whole)):  # doctest: +SKIP
    ...     whole.step(place, partial(capture.each_layer, loaded))
    """

    def __init__(self, setting: Setting, *, max_cells: int = MAX_CELLS) -> None:
        self.setting, self.parts = setting, collectors(setting)
        readings = [Reading(setting.corpus, list(self.parts.values()))]
        for part in self.parts.values():
            readings += getattr(part, "further", ())
        readings = [replace(one, max_cells=max_cells) for one in readings]
        self._steps = [(one, rows) for one in readings for rows in one.batches]
        self.tokens = sum(one.corpus.tokens for one in readings)
        """Tokens of text that are run in all steps."""

    def __len__(self) -> int:
        return len(self._steps)

    def step(self, place: int, each_layer: EachLayer) -> int:
        """Run a batch, each of them once and in order; returns how many tokens of text it had.

        Raises:
            NotANumberError: if the model computes NaN or infinity.
            UnsupportedModelError: if what its heads see cannot be told.
        """
        reading, rows = self._steps[place]
        return reading.step(each_layer, rows)

    def record(self, *, model: str, revision: str, sources: Mapping[str, TextSource]) -> RealText:
        """What was found; as :func:`stored`."""
        return stored(self.setting, self.parts, model=model, revision=revision, sources=sources)


def stored(
    setting: Setting,
    parts: Mapping[str, Part],
    *,
    model: str,
    revision: str,
    sources: Mapping[str, TextSource],
) -> RealText:
    """The record of a pass.

    Args:
        setting: what was run.
        parts: the collectors, after the pass.
        model: the catalogue key, or the name of the entry.
        revision: of the weights that ran.
        sources: {key: source} of the passages.
    """
    corpus = setting.corpus
    tokens = dict.fromkeys(sources, 0)
    for passage, encoding in zip(corpus.passages, corpus.encodings, strict=True):
        tokens[passage.source] += len(encoding.token_ids) - 1
    return RealText(
        model_name=model,
        revision=revision,
        num_layers=setting.shape[0],
        num_heads=setting.shape[1],
        date=datetime.date.today().isoformat(),
        seed=setting.seed,
        python=f"{sys.version_info.major}.{sys.version_info.minor}",
        sources=[
            ReadSource(key=key, name=one.name, licence=one.licence, tokens=tokens[key])
            for key, one in sources.items()
        ],
        passages=[
            StoredPassage(
                digest=one.digest, source=one.source, document=one.document, place=one.place
            )
            for one in corpus.passages
        ],
        **{name: part.record() for name, part in parts.items()},
    )
