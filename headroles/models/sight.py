"""What the heads of a layer can see, read off the mask of the pass itself.

A sliding window, chunks or any other pattern hides earlier tokens from a head. No setting is read
by its name: what counts is the mask that the attention was computed with, or, in a family that
keeps its own (GPT-Neo), the buffer with it. Zeros in a pattern say nothing: a head that looks hard
at one token has them, too.

An added mask hides a cell by what it does, not by a value: where it lies :data:`HIDES` or more
below the row's best cell. Softmax then gives exactly 0, as ``exp(-104)`` is 0 in float32, unless
the token's own score is 896 over the others'. So -1e4, -1e9 and -inf all hide, also on top of a
position bias; a bias by itself (ALiBi, at most 1 for each token of distance) stays above it, and
where its far end underflows to 0, the head can look there and does not. A row with the same on all
its cells is an even one, and hides none.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from jaxtyping import Bool
from torch import Tensor, nn

from headroles.errors import UnsupportedModelError

if TYPE_CHECKING:
    from headroles.models.loading import LoadedModel


HIDES = 1000.0
"""How far below the best cell of its row an added mask hides one: softmax gives exactly 0."""
_PLACES = "probes_and_own_masks"


class Sights:
    """The masks of one pass; layers that see the same keys get the same tensor.

    Args:
        key: the model's name, for the error.
        length: tokens of the pass.
    """

    def __init__(self, key: str, length: int) -> None:
        self._key = key
        self._causal = torch.ones(length, length, dtype=torch.bool).tril()
        self._masks: dict[int, tuple[Tensor, Tensor | None]] = {}  # the mask, too: its id stays its
        self._distinct: list[Tensor] = []

    def of(self, masks: Sequence[Tensor]) -> Bool[Tensor, "query key"] | None:
        """[query key] True where heads can look; None where that is every token so far.

        Args:
            masks: of a layer, each [row head query key]: added to the scores, or True where a head
                may look. Those of other shapes are passed over.

        Raises:
            UnsupportedModelError: if heads of one layer, or texts of one batch, differ in it.
        """
        visible = None
        for each in masks:
            if each.ndim != 4:
                continue
            if id(each) not in self._masks:
                self._masks[id(each)] = (each, self._hides(each))
            hides = self._masks[id(each)][1]
            if hides is not None:
                visible = hides if visible is None else visible & hides
        return None if visible is None else self._shared(visible)

    def _hides(self, mask: Tensor) -> Tensor | None:
        length = len(self._causal)
        mask = mask[..., :length, :length]
        if mask.dtype == torch.bool:
            sees = mask
        else:
            added = mask.float().masked_fill(~self._causal, -torch.inf)
            sees = added >= added.amax(-1, keepdim=True) - HIDES
        sees = sees & self._causal  # [row head query key]
        if bool((sees == self._causal).all()):
            return None
        if not bool((sees == sees[:1, :1]).all()):
            raise UnsupportedModelError(
                self._key, why="what its heads can see depends on the head or on the text."
            )
        return sees[0, 0]

    def _shared(self, visible: Tensor) -> Tensor:
        for known in self._distinct:
            if torch.equal(known, visible):
                return known
        self._distinct.append(visible)
        return visible


def layer_sight(
    loaded: LoadedModel, layer: int, sights: Sights
) -> Bool[Tensor, "query key"] | None:
    """What a layer's heads can see, while its pattern passes the probe."""
    if _PLACES not in loaded.tools:
        probes = [loaded.model.get_submodule(path) for path in loaded.probe_paths]
        paths = [path.rpartition(".")[0] for path in loaded.probe_paths]
        kept = [own_masks(loaded.model.get_submodule(path)) for path in paths]
        loaded.tools[_PLACES] = list(zip(probes, kept, strict=True))
    probe, masks = loaded.tools[_PLACES][layer]
    mask = getattr(probe, "mask", None)
    return sights.of(masks if mask is None else [mask, *masks])


def cut(sight: Sequence[Tensor | None], length: int) -> tuple[Tensor | None, ...]:
    """What the layers see of the first tokens only; empty where all see every token so far."""
    causal = torch.ones(length, length, dtype=torch.bool).tril()
    shorter = {id(visible): visible[:length, :length] for visible in sight if visible is not None}
    hides = {key: visible for key, visible in shorter.items() if not torch.equal(visible, causal)}
    return tuple(hides.get(id(visible)) for visible in sight) if hides else ()


def own_masks(attention: nn.Module) -> list[Tensor]:
    """The masks that a family keeps itself: square buffers of True and False, or of 1 and 0, which
    it multiplies the scores with (OpenAI GPT)."""
    squares = [
        buffer
        for buffer in attention.buffers()
        if buffer.ndim == 4 and buffer.shape[-1] == buffer.shape[-2]
    ]
    return [
        square.bool()
        for square in squares
        if square.dtype == torch.bool or bool(((square == 0) | (square == 1)).all())
    ]
