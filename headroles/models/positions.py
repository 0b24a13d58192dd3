"""How many positions a model was made for: what its configuration says, and what its tables hold.

A table of positions may be shorter than ``max_position_embeddings``: RoBERTa and its heirs begin to
count after the padding token, so the first two or more rows are never used. Which rows a model
takes is seen in one pass over two tokens, not told by its name: the same token twice, looked up in
a table at two rows that follow each other, is a table of positions.

>>> context_length(load_model("demo").model)  # doctest: +SKIP
512
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.overrides import TorchFunctionMode

from headroles.models.building import setting
from headroles.models.probes import without_cache

if TYPE_CHECKING:
    from collections.abc import Callable

    from transformers import PreTrainedModel

NAMES = (
    "max_position_embeddings",
    "n_positions",
    "n_ctx",
    "max_seq_len",
    "max_sequence_length",
    "seq_length",
    "context_length",
)
"""What families call it."""
_LONGEST = 1 << 40
"""A number above is none of positions, but says that there is no end."""


def context_length(model: PreTrainedModel) -> int | None:
    """Positions that a model was made for, the start token's included; None where nothing says so.

    Raises:
        Exception: whatever the model raises on two tokens.
    """
    config = model.config.get_text_config()
    said = [number for name in NAMES if _is_length(number := setting(config, name))]
    lengths = [*said[:1], *_rows_left(model)]
    return min(lengths) if lengths else None


def _is_length(number: object) -> bool:
    return isinstance(number, int) and not isinstance(number, bool) and 0 < number < _LONGEST


def _rows_left(model: PreTrainedModel) -> list[int]:
    """[table] the rows of each table of positions, from the first one that is used."""
    with torch.no_grad(), _LookUps() as seen:
        model(torch.zeros(1, 2, dtype=torch.long), **without_cache(model))
    return [
        table - int(rows.flatten()[0])
        for rows, table in seen.found
        if rows.numel() == 2 and int(rows.flatten()[1]) == int(rows.flatten()[0]) + 1
    ]


class _LookUps(TorchFunctionMode):
    """Keeps which rows of which tables a pass of this thread looks up."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[torch.Tensor, int]] = []
        """(the rows that were looked up, how many the table has)"""

    def __torch_function__(
        self,
        func: Callable[..., object],
        types: object,
        args: tuple = (),
        kwargs: dict[str, object] | None = None,
    ) -> object:
        if func is torch.nn.functional.embedding:
            rows, table = args[:2]
            self.found.append((rows, len(table)))
        return func(*args, **(kwargs or {}))
