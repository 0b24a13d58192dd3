"""A pass over the later tokens of a prompt alone, for rows that differ in nothing before them.

Attention is causal: what is changed at a position changes nothing before it. So the keys and values
of the earlier tokens are computed once, and rows go on from them. Families differ in how they keep
keys and values; whether a model's passes can be cut in this way is seen by a row in which nothing
is changed, and whoever asks compares it with the whole prompt.

>>> with later_tokens(loaded, (0, 5, 6, 7), 2, rows=3, first=1) as run:  # doctest: +SKIP
...     run().shape  # the last logits of three rows, which part at layer 1
torch.Size([3, 2048])
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable, Iterator, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from headroles.capture.runner import inputs
from headroles.models import LoadedModel, blocks

_KEPT = "keys_and_values"


@contextlib.contextmanager
def later_tokens(
    loaded: LoadedModel, token_ids: Sequence[int], start: int, *, rows: int, first: int
) -> Iterator[Callable[[], Float[Tensor, "row vocab"]]]:
    """While it is open, the pass can be run once; hooks on layers from ``first`` on see all rows.

    The caller holds the model's lock.

    Args:
        loaded: a model.
        token_ids: the prompt.
        start: the first position that is run; at least 1.
        rows: how many rows.
        first: the first layer that anything is done to.
    """
    kept = copy.deepcopy(_beginning(loaded, tuple(token_ids[:start])))
    later = torch.tensor(token_ids[start:]).expand(rows, -1)
    with blocks.forked(loaded, first, later) as begun:
        for layer in kept.layers[first if len(begun) < rows else 0 :]:
            layer.batch_repeat_interleave(rows)
        given = inputs(loaded, begun, last_only=True)

        def run() -> Float[Tensor, "row vocab"]:
            with torch.no_grad():
                output = loaded.model(**given | {"past_key_values": kept, "use_cache": True})
            return output.logits[:, -1].float()

        yield run


def _beginning(loaded: LoadedModel, token_ids: tuple[int, ...]) -> object:
    """The keys and values of a prompt's beginning; those of the latest are kept."""
    known = loaded.tools.get(_KEPT)
    if known is None or known[0] != token_ids:
        given = inputs(loaded, torch.tensor([token_ids]), last_only=True)
        with torch.no_grad():
            made = loaded.model(**given | {"use_cache": True}).past_key_values
        loaded.tools[_KEPT] = known = (token_ids, made)
    return known[1]
