"""Passes that do not run the beginning of a prompt again: its keys and values are kept.

Attention is causal, so what a pass computes at the first positions does not depend on what is
changed after them. Where all changes are at later positions, the keys and values of the beginning
are computed once, as a model does when it writes text, and only the rest is run, in every row.
Whether a model can be used so is tried for each beginning: two rows of the rest, from the middle
layer on, must get the logits of a plain pass.

>>> beginning = known(loaded, token_ids, 10)  # doctest: +SKIP
>>> loaded.model(token_ids[:1, 10:], **beginning.for_rows(1, 0))  # doctest: +SKIP
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch

from headroles.models import blocks

if TYPE_CHECKING:
    from jaxtyping import Int
    from torch import Tensor
    from transformers import Cache

    from headroles.models.loading import LoadedModel

_KEPT = "beginning"
_FEWEST = 3
"""Fewer known positions are not worth a try."""
_MOST_NUMBERS = 16_000_000
"""Keys and values of one beginning that are kept (64 MB)."""


@dataclass(frozen=True, eq=False)
class Beginning:
    """The beginning of a prompt."""

    token_ids: tuple[int, ...]
    """The whole prompt, as which it was tried."""
    length: int
    """Positions of the beginning."""
    cache: Cache | None = field(repr=False)
    """Its keys and values; None where this model cannot be used so."""

    def for_rows(self, rows: int, layer: int) -> dict[str, Cache]:
        """What a pass over the rest is given, with one row below a layer and so many from it on."""
        return {"past_key_values": _for_rows(self.cache, rows, layer)}


def known(loaded: LoadedModel, token_ids: Int[Tensor, "row pos"], start: int) -> Beginning | None:
    """The positions before ``start``, where nothing changes, if they need not be run again.

    None where these rows are of several prompts, or the model cannot be used so. The last one is
    kept with the model, and is used again for a longer beginning: a try costs about two passes.
    """
    if start < _FEWEST or not bool((token_ids == token_ids[:1]).all()):
        return None
    ids = tuple(token_ids[0].tolist())
    with loaded.lock:
        kept = loaded.tools.get(_KEPT)
        if kept is None or kept.token_ids != ids or kept.length > start:
            kept = Beginning(ids, start, _try(loaded, token_ids[:1], start))
            loaded.tools[_KEPT] = kept
    return kept if kept.cache is not None else None


def _for_rows(cache: Cache, rows: int, layer: int) -> Cache:
    """A copy, as a pass adds to it."""
    own = copy.deepcopy(cache)
    for kept in own.layers[layer:]:
        kept.batch_repeat_interleave(rows)
    return own


def _try(loaded: LoadedModel, ids: Int[Tensor, "1 pos"], start: int) -> Cache | None:
    """The keys and values of the first positions, if two rows of the rest get a plain pass's."""
    middle = loaded.num_layers // 2
    try:
        with torch.no_grad():
            plain = loaded.model(ids, use_cache=False).logits[:, start:]
            cache = loaded.model(ids[:, :start], use_cache=True).past_key_values
            if sum(one.keys.numel() + one.values.numel() for one in cache.layers) > _MOST_NUMBERS:
                return None
            with blocks.forked(loaded, middle, ids[:, start:].expand(2, -1)) as begun:
                own = _for_rows(cache, 2, middle if len(begun) < 2 else 0)
                rest = loaded.model(begun, past_key_values=own, use_cache=False).logits
    except Exception:  # whatever does not go with a family: the whole prompt is run
        return None
    tolerance = (1e-2 if plain.dtype == torch.bfloat16 else 1e-5) * plain.abs().max()
    same = rest.shape == (2, *plain.shape[1:]) and bool(((rest - plain).abs() <= tolerance).all())
    return cache if same else None
