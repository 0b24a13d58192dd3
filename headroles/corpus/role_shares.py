"""How much of its attention a head puts where a role predicts, token by token of a batch.

Row q of a passage *counts* for a role where its S(q) is neither empty nor all that the head can see
(:mod:`headroles.scoring.activation`). For the roles of repetition one more thing is asked of real
text: an earlier copy of the token must have been followed by what really comes next, as only there
a head that finds copies finds something of use. The share of row q is then

    share[q] = sum over S(q) of A[q, k] / max(sum over M(q) of A[q, k], 0.02)

with M(q) all keys for most roles, and its chance the same for an even spread. ``diffuse`` has no
cells: its share is the entropy of the row over that of an even spread.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from headroles.corpus.reading import Batch, Corpus
from headroles.roles import LONGEST_OFFSET, ROLES, Prompts, Role, earlier_copies
from headroles.scoring import MIN_WORK, Visible, missing_mass, once_per_sight, row_sizes
from headroles.scoring.activation import row_entropy
from headroles.store import ModelEntry

ROLES_ON_TEXT = tuple(role.key for role in ROLES.values() if role.from_attention and role.is_scored)
"""The roles that attention alone can show, in the order of the registry."""


@dataclass(frozen=True, eq=False)
class Look:
    """One role on a layer of a batch."""

    share: Float[Tensor, "batch head query"]
    """[batch head query] 0..1; 0 where the row does not count."""
    mass: Float[Tensor, "batch head query"]
    """[batch head query] what the share is of, 0..1."""
    work: Float[Tensor, "batch head query"] | None
    """[batch head query] what it is out of; None where that is 1."""
    counts: Bool[Tensor, "batch head query"]
    """[batch head query] the rows that count; heads differ where each has a distance."""
    chance: Float[Tensor, "batch heads query"]
    """[batch head query] the share of an even spread."""
    even: tuple[Float[Tensor, "batch heads query"], Float[Tensor, "batch heads query"]]
    """Mass and work of an even spread."""


@dataclass(frozen=True, eq=False)
class _Predicted:
    """A role with cells on a batch, for layers that see the same."""

    cells: Bool[Tensor, "batch query key"]
    among: Bool[Tensor, "batch query key"] | None
    counts: Bool[Tensor, "batch query"]
    even: tuple[Float[Tensor, "batch query"], Float[Tensor, "batch query"]]


class RoleShares:
    """The shares of all roles, made once per layer however many collectors ask.

    Args:
        entry: says how far back each head looks; without one, no such role is looked at.
        shape: layers and heads.
        cells_of: the corpus on whose tokens the cells are drawn, where other tokens are run in
            their places.
    """

    def __init__(
        self,
        entry: ModelEntry | None,
        shape: tuple[int, int],
        *,
        cells_of: Corpus | None = None,
    ) -> None:
        self._cells_of, self._batch, self._made = cells_of, None, (None, None)
        self.distances = _distances(entry, shape)
        self.roles = {
            key: ROLES[key]
            for key in ROLES_ON_TEXT
            if not ROLES[key].at_distance or key in self.distances
        }
        """{key: role} that are looked at."""

    def begin(self, batch: Batch) -> None:
        """A batch is about to run; the second collector that says so changes nothing."""
        if batch is self._batch:
            return
        self._batch, self._made = batch, (None, None)
        source = (
            batch.prompts if self._cells_of is None else self._cells_of.prompts.some(batch.rows)
        )
        told = _told(source)
        with_cells = [role for role in self.roles.values() if role.cells]
        drawn = {role.key: _draw(role, source) for role in with_cells}
        self._predicted = once_per_sight(
            lambda visible: {
                role.key: _predicted(
                    *drawn[role.key],
                    batch.is_text & told if role.requires_repetition else batch.is_text,
                    visible,
                )
                for role in with_cells
            }
        )

    def rows(self, key: str) -> Bool[Tensor, "batch query"]:
        """[batch query] the rows that count for a role where everything so far is in sight; of a
        role with a distance per head, those that count for every head."""
        role, is_text = self.roles[key], self._batch.is_text
        if role.cells:
            return self._predicted(None)[key].counts
        return is_text & (
            torch.arange(is_text.shape[-1]) > (LONGEST_OFFSET if role.at_distance else 0)
        )

    def of(
        self, layer: int, attention: Float[Tensor, "batch head query key"], visible: Visible
    ) -> dict[str, Look]:
        """{role key: the layer's shares}."""
        if self._made[0] != layer:
            self._made = layer, self._looks(layer, attention, visible)
        return self._made[1]

    def _looks(self, layer: int, attention: Tensor, visible: Visible) -> dict[str, Look]:
        predicted = self._predicted(visible)
        sums = _sums(attention, list(predicted.values()))
        looks = {}
        for key, role in self.roles.items():
            if role.cells:
                looks[key] = _look(predicted[key], *sums[id(predicted[key])])
            elif role.at_distance:
                looks[key] = _at_distance(
                    attention, self.distances[key][layer], self._batch.is_text, visible
                )
            else:
                looks[key] = _evenness(attention, self._batch.is_text, visible)
        return looks


def _distances(
    entry: ModelEntry | None, shape: tuple[int, int]
) -> dict[str, Int[Tensor, "layer head"]]:
    """{role key: [layer head] how many places back}, of roles whose heads each have their own."""
    found = {}
    for key in ROLES_ON_TEXT:
        if ROLES[key].at_distance and entry is not None and (stored := entry.role(key)).profile:
            found[key] = torch.tensor(stored.profile.peaks).reshape(shape)
    return found


def _told(prompts: Prompts) -> Bool[Tensor, "batch query"]:
    """[batch query] True where an earlier copy was followed by what comes next here."""
    ids = prompts.copy_ids
    copies = earlier_copies(ids)
    same_next = torch.zeros_like(copies)
    same_next[..., :-1, :-1] = ids[:, 1:, None] == ids[:, None, 1:]
    last = prompts.sequences.lengths.unsqueeze(-1) - 1
    has_next = torch.arange(ids.shape[-1]) < last
    return (copies & same_next).any(-1) & has_next


def _draw(role: Role, prompts: Prompts) -> tuple[Tensor, Tensor | None]:
    return role.cells(prompts) > 0, role.among(prompts) if role.among else None


def _predicted(
    cells: Bool[Tensor, "batch query key"],
    among: Bool[Tensor, "batch query key"] | None,
    rows: Bool[Tensor, "batch query"],
    visible: Visible,
) -> _Predicted:
    if visible is not None:
        cells, among = cells & visible, None if among is None else among & visible
    if among is not None:
        cells = cells & among
    sizes = row_sizes(cells.shape[-1], visible)  # [query]
    number = cells.sum(-1)
    counts = rows & (number > 0) & (number < sizes)
    work = torch.ones_like(number, dtype=torch.float) if among is None else among.sum(-1) / sizes
    return _Predicted(cells, among, counts, (number / sizes, work))


def _sums(
    attention: Float[Tensor, "batch head query key"], predicted: list[_Predicted]
) -> dict[int, tuple[Tensor, Tensor | None]]:
    """{id: [batch head query] attention on the cells, and on those that count}: one product."""
    if not predicted:
        return {}
    masks = [one.cells for one in predicted]
    masks += [one.among for one in predicted if one.among is not None]
    stacked = torch.stack(masks, -1).to(attention.dtype)  # [batch query key mask]
    sums = (attention.transpose(1, 2) @ stacked).permute(3, 0, 2, 1)  # [mask batch head query]
    works = iter(sums[len(predicted) :])
    return {
        id(one): (mass, None if one.among is None else next(works))
        for one, mass in zip(predicted, sums, strict=False)
    }


def _look(predicted: _Predicted, mass: Tensor, work: Tensor | None) -> Look:
    counts = predicted.counts.unsqueeze(1)
    share = mass if work is None else mass / work.clamp_min(MIN_WORK)
    mass_even, work_even = (values.unsqueeze(1) for values in predicted.even)
    return Look(
        share * counts,
        mass * counts,
        None if work is None else work * counts,
        counts.expand_as(share),
        mass_even / work_even.clamp_min(1e-9),
        (mass_even, work_even),
    )


def _at_distance(
    attention: Float[Tensor, "batch head query key"],
    distances: Int[Tensor, " head"],
    is_text: Bool[Tensor, "batch query"],
    visible: Visible,
) -> Look:
    """Each head at its own distance; never at the start token."""
    length = attention.shape[-1]
    key = torch.arange(length) - distances.unsqueeze(-1)  # [head query]
    inside = key >= 1
    place = key.clamp_min(0)
    if visible is not None:
        inside &= visible.gather(-1, place.T).T
    index = place[None, :, :, None].expand(*attention.shape[:3], 1)
    counts = inside & is_text.unsqueeze(1)
    mass = attention.gather(-1, index).squeeze(-1) * counts
    even = (1 / row_sizes(length, visible)).expand(len(attention), 1, -1)
    return Look(mass, mass, None, counts, even, (even, torch.ones_like(even)))


def _evenness(
    attention: Float[Tensor, "batch head query key"],
    is_text: Bool[Tensor, "batch query"],
    visible: Visible,
) -> Look:
    entropy = row_entropy(attention, visible, missing=missing_mass(attention))
    counts = (is_text & (row_sizes(attention.shape[-1], visible) > 1)).unsqueeze(1)
    counts = counts.expand_as(entropy)
    ones = torch.ones_like(entropy[:, :1])
    return Look(entropy * counts, entropy * counts, None, counts, ones, (ones, ones))
