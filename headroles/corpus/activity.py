"""Roles in the wild: on how many of the tokens where it could act does a head act?

A head is *active* at a token where its share of attention there reaches what the role asks of it on
a prompt (:meth:`headroles.roles.Role.needed`) with that row's chance. Its mean activation is the
same number as on one prompt, a quotient of sums over rows, with the standard error of such a
quotient over groups of documents (Cochran 1977, Sampling Techniques, section 6.3):

    R = sum of m[g] / sum of w[g]
    error = sqrt(n / (n - 1) * sum of (m[g] - R w[g])^2) / sum of w[g]

where m[g] and w[g] are sums over the rows of a group that count, and n is the number of groups with
such a row. Passages of one document are alike, so a group holds whole documents; there are at most
:data:`GROUPS`, so that memory does not grow with the text. Of a single group there is no error.

*Content or place.* A part of the passages runs once more with their tokens shuffled, and the role's
cells where they were: a head that goes by place does the same there, one that goes by content does
not (the rule is that of :func:`headroles.scoring.place_or_content`).
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from headroles.corpus.reading import Batch, Corpus, Reading, units
from headroles.corpus.role_shares import Look, RoleShares
from headroles.roles import Role
from headroles.scoring import MIN_WORK, Visible
from headroles.store.real_text import RoleActivity, RoleMeans
from headroles.types import Encoding

if TYPE_CHECKING:
    from headroles.corpus.parts import Setting

GROUPS = 32
"""Groups of documents at most, for the standard error; with fewer documents each is a group."""
CONTROL_TOKENS = 10_000
"""At most so many tokens run once more in another order."""
DIGITS = 4
"""Of the numbers that are stored."""


class _Sums:
    """What is added up for one role."""

    def __init__(self, shape: tuple[int, int]) -> None:
        layers = shape[0]
        self.active = torch.zeros(shape, dtype=torch.long)
        self.rows = torch.zeros(shape, dtype=torch.long)
        self.passages = torch.zeros(shape, dtype=torch.long)
        self.mass, self.work, self.counted = torch.zeros(3, GROUPS, *shape, dtype=torch.double)
        self.even = torch.zeros(2, layers, shape[1], dtype=torch.double)

    def add(
        self,
        layer: int,
        look: Look,
        needed: Float[Tensor, "batch heads query"],
        groups: Int[Tensor, " batch"],
    ) -> None:
        """One layer of a batch; ``groups`` says to which group each of its passages belongs."""
        counts = look.counts
        self.active[layer] += ((look.share >= needed) & counts).sum((0, 2))
        rows = counts.sum(-1)  # [batch head]
        self.rows[layer] += rows.sum(0)
        self.passages[layer] += (rows > 0).sum(0)
        work = rows if look.work is None else look.work.sum(-1)
        for sums, values in (
            (self.mass, look.mass.sum(-1)),
            (self.work, work),
            (self.counted, rows),
        ):
            sums[:, layer].index_add_(0, groups, values.double())
        for place, values in enumerate(look.even):
            self.even[place, layer] += (values * counts).sum((0, 2)).double()

    def means(self) -> RoleMeans:
        """Mean, error and how often, of every head."""
        work = self.work.sum(0).clamp_min(1e-12).maximum(MIN_WORK * self.rows)
        mean = self.mass.sum(0) / work
        squares = (self.mass - mean * self.work).square().sum(0)
        n = (self.counted > 0).sum(0)  # [layer head]
        error = (n / (n - 1).clamp_min(1) * squares).sqrt() / work
        error = error.masked_fill(n < 2, torch.nan)
        return RoleMeans(
            rows=_by_layer(self.rows),
            passages=int(self.passages.max()),
            active=self.active.tolist(),
            mean=_rounded(mean),
            error=_rounded(error),
        )

    @property
    def chance(self) -> Float[Tensor, " layer"]:
        """[layer] the activation of an even spread."""
        mass, work = self.even.mean(-1)
        return mass / work.clamp_min(1e-12)


def _by_layer(rows: Tensor) -> list[list[int]]:
    """[layer][head] rows that count; a layer whose heads agree has one number."""
    return [row[:1] if len(set(row)) == 1 else row for row in rows.tolist()]


def _rounded(values: Tensor) -> list[list[float | None]]:
    """None for NaN."""
    return [
        [None if math.isnan(value) else round(value, DIGITS) for value in row]
        for row in values.tolist()
    ]


class Activity:
    """The collector of one pass: on real text, or on the shuffled copies.

    Args:
        shares: of the roles.
        thresholds: {role key: threshold}.
        shape: layers and heads.
    """

    def __init__(
        self, shares: RoleShares, thresholds: dict[str, float], shape: tuple[int, int]
    ) -> None:
        self._shares, self._thresholds = shares, thresholds
        self._sums = {key: _Sums(shape) for key in shares.roles}
        self._corpus: Corpus | None = None

    def begin(self, batch: Batch) -> None:
        """A batch is about to run."""
        self._shares.begin(batch)
        if batch.corpus is not self._corpus:
            self._corpus, self._units = batch.corpus, units(batch.corpus) % GROUPS
        self._groups = self._units[batch.rows]

    def on_layer(
        self, layer: int, attention: Float[Tensor, "batch head query key"], visible: Visible
    ) -> None:
        """Take in one layer of it."""
        for key, look in self._shares.of(layer, attention, visible).items():
            role = self._shares.roles[key]
            least = needed(role, self._thresholds[key], look.chance)
            self._sums[key].add(layer, look, least, self._groups)

    def end(self) -> None:
        """The batch has run; every layer is taken in already."""

    def means(self) -> dict[str, RoleMeans]:
        """{role key: means of every head}."""
        return {key: sums.means() for key, sums in self._sums.items()}

    def chance(self, key: str) -> list[float]:
        """[layer] the activation of an even spread."""
        return [round(value, DIGITS) for value in self._sums[key].chance.tolist()]


def needed(role: Role, threshold: float, chance: Float[Tensor, "*row"]) -> Float[Tensor, "*row"]:
    """:meth:`headroles.roles.Role.needed`, row by row."""
    if not role.has_cells:
        return torch.full_like(chance, threshold)
    return (chance + role.min_lift * (1 - chance)).clamp_min(threshold)


class ActivityPart(Activity):
    """Roles on real text and on its shuffled copies, as a part of the record."""

    def __init__(self, setting: Setting) -> None:
        super().__init__(setting.shares, setting.thresholds, setting.shape)
        some = _some(setting.corpus)
        shares = RoleShares(setting.entry, setting.shape, cells_of=some)
        self._control = Activity(shares, setting.thresholds, setting.shape)
        self.further = (Reading(shuffle(some, seed=setting.seed), [self._control]),)
        """What runs besides the text."""

    def record(self) -> dict[str, RoleActivity]:
        """{role key: what its heads do}."""
        control = self._control.means()
        return {
            key: RoleActivity(
                threshold=self._thresholds[key],
                chance=self.chance(key),
                text=means,
                shuffled=control[key],
            )
            for key, means in self.means().items()
        }


def _some(corpus: Corpus, *, tokens: int = CONTROL_TOKENS) -> Corpus:
    """Passages from all over a corpus, of about so many tokens; all of a small one."""
    step = max(1, -(-corpus.tokens // tokens))
    return Corpus(corpus.passages[::step], corpus.encodings[::step])


def shuffle(corpus: Corpus, *, seed: int) -> Corpus:
    """Every passage with its tokens in a random order; the start token stays where it is."""
    rng = np.random.default_rng(seed)
    return Corpus(corpus.passages, tuple(_shuffled(one, rng) for one in corpus.encodings))


def _shuffled(encoding: Encoding, rng: np.random.Generator) -> Encoding:
    order = [0, *(1 + rng.permutation(len(encoding.token_ids) - 1)).tolist()]
    return replace(
        encoding,
        token_ids=tuple(encoding.token_ids[place] for place in order),
        tokens=tuple(encoding.tokens[place] for place in order),
        special_positions=(),
        unknown_positions=(),
    )
