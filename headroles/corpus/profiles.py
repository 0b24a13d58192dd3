"""What a head's attention on real text is like, in shares: a part of the pass.

Every token of the text hands out one unit of attention. What goes to the first token is kept apart,
because most heads rest there; the rest is divided in three ways, each of them completely:

========  ==========================================================================================
distance  the token itself, 1 to 16 tokens back, further back
copies    what followed an earlier copy of the current token, an earlier copy, everything else
classes   the sort of token that is looked at (:mod:`headroles.texts.token_classes`)
========  ==========================================================================================

With the resting share and the evenness of its attention, these are a head's *attention profile*.
It does not depend on the size of a model, so heads of two models can be held against each other
(:mod:`headroles.corpus.likeness`).
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from headroles.corpus.reading import Batch
from headroles.roles import cells
from headroles.scoring import Visible, activation, missing_mass
from headroles.scoring.offsets import LONGEST
from headroles.store.real_text import Profiles
from headroles.texts import token_classes

DIGITS = 5
"""Decimals of a stored share."""
NAMES = tuple(token_classes.CLASSES)


class ProfileCollector:
    """Sums the attention of every head by what it goes to; bounded by heads, not by text.

    Args:
        shape: layers and heads.
    """

    def __init__(self, shape: tuple[int, int]) -> None:
        self.shape, self._rows = shape, 0
        self._first, self._entropy = (torch.zeros(*shape, dtype=torch.double) for _ in range(2))
        self._distance = torch.zeros(LONGEST + 2, *shape, dtype=torch.double)
        self._copies = torch.zeros(2, *shape, dtype=torch.double)
        self._classes = torch.zeros(len(NAMES), *shape, dtype=torch.double)

    def begin(self, batch: Batch) -> None:
        """Find the cells of copies and the class of every token."""
        self._is_text = batch.is_text
        self._rows += int(batch.is_text.sum())
        prompts = batch.prompts
        self._cells = [
            find(prompts)[:, :, 1:].float().flatten(1)
            for find in (cells.after_earlier_copies, cells.copies)
        ]
        self._kinds = torch.zeros(*prompts.sequences.token_ids.shape, len(NAMES))
        for row, tokens in enumerate(prompts.tokens):
            for place, kind in enumerate(token_classes.classes(tokens)):
                self._kinds[row, place, token_classes.PLACE[kind]] = 1

    def on_layer(
        self, layer: int, attention: Float[Tensor, "batch head query key"], visible: Visible
    ) -> None:
        """Add a layer's attention."""
        missing = missing_mass(attention)
        entropy = activation.row_entropy(attention, visible, missing=missing)
        text = self._is_text.unsqueeze(1)  # [batch 1 query]
        self._entropy[layer] += (entropy * text).sum((0, 2)).double()
        shown = attention * text.unsqueeze(-1)
        self._first[layer] += shown[..., 0].sum((0, 2)).double()
        beside = shown[..., 1:]  # [batch head query key-1]
        self._distance[:, layer] += _by_distance(beside)
        flat = beside.flatten(2)
        for place, there in enumerate(self._cells):
            self._copies[place, layer] += (flat @ there.unsqueeze(-1)).sum((0, 2)).double()
        columns = beside.sum(2) @ self._kinds[:, 1:]  # [batch head class]
        self._classes[:, layer] += columns.sum(0).T.double()

    def end(self) -> None:
        """Nothing is kept of a batch."""
        del self._is_text, self._cells, self._kinds

    def add(self, other: ProfileCollector) -> None:
        """Take over what another one of the same model has summed."""
        self._rows += other._rows
        for name in ("_first", "_entropy", "_distance", "_copies", "_classes"):
            getattr(self, name).add_(getattr(other, name))

    def record(self) -> Profiles:
        """The shares of all attention, and the mean evenness, of every head."""
        rows = max(self._rows, 1)
        return Profiles(
            rows=self._rows,
            first=_plain(self._first / rows),
            entropy=_plain(self._entropy / rows),
            distance=_plain(self._distance / rows),
            copies=_plain(self._copies / rows),
            classes={
                name: _plain(numbers / rows)
                for name, numbers in zip(NAMES, self._classes, strict=True)
                if float(numbers.sum()) > 0
            },
        )


def _by_distance(
    beside: Float[Tensor, "batch head query key"],
) -> Float[Tensor, "distance head"]:
    """Sums at 0, 1 ... :data:`LONGEST` tokens back and further; column i is key i + 1."""
    near = []
    for distance in range(LONGEST + 1):
        if distance >= beside.shape[2]:
            near.append(torch.zeros(beside.shape[1], dtype=torch.double))
            continue
        # Key i + 1 is `distance` back from query i + 1 + distance.
        there = beside.diagonal(-(distance + 1), 2, 3)
        near.append(there.sum((0, 2)).double())
    further = beside.sum((0, 2, 3)).double() - torch.stack(near).sum(0)
    return torch.stack([*near, further.clamp_min(0)])


def _plain(numbers: Tensor) -> list:
    return numbers.clamp(0, 1).mul(10**DIGITS).round().div(10**DIGITS).tolist()
