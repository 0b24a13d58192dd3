"""Verdicts on the extended roles that attention can show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from headroles.formatting import percent
from headroles.roles import delimiter_cells, offset_cells
from headroles.scoring import cell_weights
from headroles.store import ExtendedScores

LEAST_ROWS = 4
"""Fewer rows than this cannot show a role on a prompt."""


MIN_LIFT, MAX_CHANCE = 0.25, 0.5
"""As in :mod:`headroles.verdicts.prompt`: clearly over chance, and chance itself not too high."""


@dataclass(frozen=True)
class OnPrompt:
    """What a head does about an extended role on one prompt."""

    value: float
    """0..1, share of attention."""
    chance: float
    """0..1, an even spread's on this prompt."""
    rows: int
    """Rows that count."""
    state: str
    """``active``, ``quiet``, ``not_applicable`` or ``too_short``."""
    reason: str
    """One sentence."""

    @property
    def shown(self) -> str:
        """Value and state in words."""
        words = {
            "active": "active",
            "quiet": "quiet",
            "not_applicable": "nothing to do here",
            "too_short": "too short to tell",
        }[self.state]
        return f"{percent(self.value)} · {words}" if self.rows else words


def judge_heads(
    attention: Float[Tensor, "layer head query key"],
    tokens: Sequence[str],
    scores: ExtendedScores,
) -> list[OnPrompt]:
    """Judge every head on a prompt by the basic roles' rule, layer by layer.

    Args:
        attention: [layer head query key] all patterns.
        tokens: [pos] the prompt's tokens as text.
        scores: of ``delimiter`` or ``fixed_offset``: the threshold, and each head's own distance.
    """
    heads = attention.flatten(0, 1)
    if scores.profiles is None:
        return _CellWeights.over(tokens, None).judge(heads, scores.threshold)
    own = torch.tensor(scores.profiles.peaks).flatten()
    found: dict[int, OnPrompt] = {}
    for distance in own.unique().tolist():
        places = (own == distance).nonzero().flatten()
        judged = _CellWeights.over(tokens, distance).judge(heads[places], scores.threshold)
        found |= zip(places.tolist(), judged, strict=True)
    return [found[place] for place in range(len(heads))]


@dataclass(frozen=True, eq=False)
class _CellWeights:
    """A role's cells over a prompt, with what is said of them."""

    weights: Float[Tensor, "query key"]
    chance: float
    rows: int
    there: str
    """Where it looks."""
    missing: str
    """Why no row counts, if none does."""

    @classmethod
    def over(cls, tokens: Sequence[str], distance: int | None) -> _CellWeights:
        """The delimiters of a prompt, or the tokens at a distance."""
        if distance is None:
            cells = delimiter_cells([tokens], length=len(tokens))[0]
            there = "delimiters"
            missing = "There is no . , ; : ! ? or line break in this prompt."
        else:
            cells = offset_cells(len(tokens), distance)
            there = f"the token {distance} back"
            missing = f"No token has one {distance} back."
        laid = cell_weights(cells)
        return cls(laid.weights, float(laid.chance), int(laid.rows), there, missing)

    def judge(self, heads: Float[Tensor, "head query key"], threshold: float) -> list[OnPrompt]:
        if not self.rows:
            return [OnPrompt(0.0, 0.0, 0, "not_applicable", self.missing)] * len(heads)
        values = torch.einsum("hqk,qk->h", heads, self.weights).tolist()
        return [self._judge_one(value, threshold) for value in values]

    def _judge_one(self, value: float, threshold: float) -> OnPrompt:
        said = (
            f"{percent(value)} of its attention goes to {self.there} at the {self.rows} places "
            f"that count; an even spread would give {percent(self.chance)}, and it takes "
            f"{percent(threshold)}."
        )
        if self.rows < LEAST_ROWS or self.chance > MAX_CHANCE:
            said = f"Too little to judge by: {said}"
            return OnPrompt(value, self.chance, self.rows, "too_short", said)
        needed = max(threshold, self.chance + MIN_LIFT * (1 - self.chance))
        state = "active" if value >= needed else "quiet"
        return OnPrompt(value, self.chance, self.rows, state, said)
