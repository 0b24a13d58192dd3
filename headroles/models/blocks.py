"""Passes that use a part of a model's blocks: rows that are one row at first, and an early end.

Knock-outs of one prompt differ from the first layer on that one of them changes; below it every row
holds the same numbers. So a pass begins with one row, and at that layer's block the residual stream
is repeated, once per row. What the model made for all its layers (masks, rotations of the
positions) stands there for one row and is broadcast. Whether a model's blocks can be used so is
tried once: BLOOM's position bias, for one, has its heads folded into the rows.

>>> with forked(loaded, 17, token_ids.expand(6, -1)) as ids:  # doctest: +SKIP
...     loaded.model(ids).logits.shape  # doctest: +SKIP
torch.Size([6, 20, 49152])
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from headroles.models.loading import LoadedModel

_CAN_FORK = "can_fork"


def path_of(inside: str) -> str:
    """The path of the block that a module is in: blocks are numbered.

    >>> path_of("model.layers.3.self_attn.attention_probe")
    'model.layers.3'
    """
    while not inside.rpartition(".")[2].isdigit():
        inside = inside.rpartition(".")[0]
    return inside


def block_of(loaded: LoadedModel, layer: int) -> nn.Module:
    """The block of a layer."""
    return loaded.model.get_submodule(path_of(loaded.probe_paths[layer]))


Stream = Float[Tensor, "row pos d_model"]


@contextlib.contextmanager
def entering(loaded: LoadedModel, layer: int, change: Callable[[Stream], Stream]) -> Iterator[None]:
    """While it is open, what ``change`` makes of the stream enters this layer's block."""

    def hook(_block: nn.Module, args: tuple, kwargs: dict) -> tuple[tuple, dict]:
        if args:
            return (change(args[0]), *args[1:]), kwargs
        return args, {**kwargs, "hidden_states": change(kwargs["hidden_states"])}

    handle = block_of(loaded, layer).register_forward_pre_hook(hook, with_kwargs=True)
    try:
        yield
    finally:
        handle.remove()


def rows_from(loaded: LoadedModel, layer: int, rows: int) -> AbstractContextManager[None]:
    """While it is open, a pass over one row becomes one over many rows at this layer's block."""
    return entering(loaded, layer, lambda stream: stream.repeat_interleave(rows, 0))


class SeenEnough(BaseException):
    """Raised where nothing after it in a pass is wanted."""


@contextlib.contextmanager
def until(loaded: LoadedModel, layer: int) -> Iterator[None]:
    """While it is open, a pass ends after this layer's block, without a result."""

    def stop(*_: object) -> None:
        raise SeenEnough

    if layer == loaded.num_layers - 1:
        yield
        return
    hook = block_of(loaded, layer + 1).register_forward_pre_hook(stop)
    try:
        with contextlib.suppress(SeenEnough):
            yield
    finally:
        hook.remove()


@contextlib.contextmanager
def forked(
    loaded: LoadedModel, layer: int, token_ids: Int[Tensor, "row pos"]
) -> Iterator[Int[Tensor, "row pos"]]:
    """While it is open, a pass over the ids that it gives is one over all rows from this layer on.

    That is one row where all are the same and the model can be used so; else all of them. The
    caller holds the model's lock, and has no hooks of its own on the model yet.
    """
    if not _can_fork(loaded, token_ids):
        yield token_ids
        return
    with rows_from(loaded, layer, len(token_ids)):
        yield token_ids[:1]


def _can_fork(loaded: LoadedModel, token_ids: Int[Tensor, "row pos"]) -> bool:
    """Whether these rows are of one prompt and the model's blocks take more rows midway."""
    if len(token_ids) < 2 or not bool((token_ids == token_ids[:1]).all()):
        return False
    if _CAN_FORK not in loaded.tools:
        loaded.tools[_CAN_FORK] = _try(loaded)
    return loaded.tools[_CAN_FORK]


def _try(loaded: LoadedModel) -> bool:
    """Whether three rows from the last block on get the logits of a plain pass."""
    ids = torch.arange(3)[None]
    with torch.no_grad():
        plain = loaded.model(ids, use_cache=False).logits
        try:
            with rows_from(loaded, loaded.num_layers - 1, 3):
                forked = loaded.model(ids, use_cache=False).logits
        except Exception:  # whatever does not go with a family: all its rows are run
            return False
    # Rounding differs with the number of rows; a bias in the wrong place differs by more.
    tolerance = 1e-2 if plain.dtype == torch.bfloat16 else 1e-4
    return forked.shape == (3, *plain.shape[1:]) and bool(
        ((forked - plain).abs() <= tolerance * plain.abs().max()).all()
    )
