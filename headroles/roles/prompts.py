"""Prompts for roles and detectors: ids and the text of every token, in a padded batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Int
from torch import Tensor

from headroles.types import PromptRun, Sequences


@dataclass(frozen=True, eq=False)
class Prompts:
    """Prompts as the model reads them, with the text of every token."""

    sequences: Sequences
    """Ids padded on the right, with the true lengths."""
    tokens: tuple[tuple[str, ...], ...] = ()
    """[prompt][pos] the tokens as text, without padding; empty if no role needs them."""
    copies: Int[Tensor, "batch pos"] | None = None
    """[batch pos] the ids by which roles look for copies, where they are not those that are run
    (:attr:`headroles.types.Encoding.copy_ids`)."""

    @property
    def copy_ids(self) -> Int[Tensor, "batch pos"]:
        """[batch pos] the ids by which roles look for copies."""
        return self.sequences.token_ids if self.copies is None else self.copies

    def __len__(self) -> int:
        return len(self.sequences)

    @classmethod
    def of_ids(
        cls,
        token_ids: Sequence[int] | Int[Tensor, "*batch pos"],
        *,
        lengths: Int[Tensor, " batch"] | None = None,
        tokens: Sequence[Sequence[str]] = (),
    ) -> Prompts:
        """A batch of ids, or one prompt's; without ``lengths`` there is no padding."""
        ids = torch.atleast_2d(torch.as_tensor(token_ids, dtype=torch.long))
        if lengths is None:
            lengths = torch.full((len(ids),), ids.shape[1])
        return cls(Sequences(ids, lengths), tuple(map(tuple, tokens)))

    def some(self, rows: Int[Tensor, " rows"]) -> Prompts:
        """These rows only, no wider than the longest of them."""
        lengths = self.sequences.lengths[rows]
        ids = self.sequences.token_ids[rows, : int(lengths.max())]
        tokens = tuple(self.tokens[row] for row in rows.tolist()) if self.tokens else ()
        copies = None if self.copies is None else self.copies[rows, : ids.shape[-1]]
        return Prompts(Sequences(ids, lengths), tokens, copies)

    def only(self, row: int) -> Prompts:
        """One row alone."""
        return self.some(torch.tensor([row]))


def prompts_of_run(run: PromptRun) -> Prompts:
    """The prompt of a run, as a batch of one."""
    return Prompts.of_ids(run.copy_ids, tokens=[run.tokens])
