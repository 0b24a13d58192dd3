"""What another program hands in: attention, token ids and heads, read or refused in a sentence.

PyVene, NumPy and a model in half precision give tensors of other kinds than this package works
with: lists of layers, 64 or 16 bits, ids with an axis for the batch.

>>> ids_of(torch.tensor([[10, 20, 10]]))
[10, 20, 10]
"""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from headroles.errors import EmptyPromptError, HeadrolesError, ShapeError, UnknownHeadError
from headroles.types import Head, PromptRun

_NEEDED = "{'attention': [layer, head, query, key], 'token_ids': [pos]}"
_NO_NUMBERS = (TypeError, ValueError, RuntimeError, OverflowError)
"""What torch raises for what it cannot read; NotImplementedError is a RuntimeError."""
_ROUNDING = 0.02
"""How far weights of 16 bits, and their sums, may lie outside 0 to 1."""


def unpack_heads(activation_data: object) -> tuple[Tensor, Sequence[int]]:
    """[layer head query key] attention and [pos] token ids of a run, or of a mapping with both."""
    if isinstance(activation_data, PromptRun):
        return activation_data.attention, activation_data.copy_ids
    held = activation_data if isinstance(activation_data, Mapping) else {}
    if not {"attention", "token_ids"} <= held.keys():
        got = sorted(map(str, held)) or type(activation_data).__name__
        raise ShapeError("The activation data", expected=_NEEDED, got=got)
    return attention_of(held["attention"]), ids_of(held["token_ids"])


def attention_of(given: object) -> Float[Tensor, "..."]:
    """Attention weights of 32 bits, of a tensor, an array, or lists of them.

    Raises:
        ShapeError: if it holds no numbers.
        HeadrolesError: if a number is none, or cannot be a weight.
    """
    try:
        if isinstance(given, list | tuple) and any(isinstance(part, Tensor) for part in given):
            given = torch.stack(list(given))
        weights = torch.as_tensor(given).detach()
        if weights.is_complex():
            raise TypeError
        weights = (weights.to_dense() if weights.is_sparse else weights).to("cpu", torch.float32)
    except _NO_NUMBERS as error:
        raise ShapeError("Attention", expected="[query, key]", got=_kind(given)) from error
    if not bool(weights.isfinite().all()):
        raise HeadrolesError(
            "The attention holds numbers that are not numbers (NaN or infinity).",
            hint="The model that was run is damaged, or a number of it overflowed.",
        )
    if bool((outside := (weights - 0.5).abs() > 0.5 + _ROUNDING).any()):
        raise HeadrolesError(
            f"Attention weights lie between 0 and 1, but one here is {weights[outside][0]:.4g}.",
            hint="Pass the weights after the softmax.",
        )
    return weights


def ids_of(given: object) -> list[int]:
    """The token ids of one prompt, as plain numbers.

    Raises:
        ShapeError: if these are no whole numbers of one prompt.
        EmptyPromptError: if there are none.
    """
    try:
        ids = torch.as_tensor(given if hasattr(given, "shape") else list(given))
        if ids.ndim == 2 and len(ids) == 1:  # with an axis for the batch
            ids = ids[0]
        if ids.ndim != 1 or (len(ids) and (ids.is_floating_point() or ids.is_complex())):
            raise TypeError
    except _NO_NUMBERS as error:
        expected = "[pos], whole numbers"
        raise ShapeError("The list of token ids", expected=expected, got=_kind(given)) from error
    if not len(ids):
        raise EmptyPromptError("There are no token ids.", hint="Give those of one prompt.")
    return [int(number) for number in ids.tolist()]


def head_index(head_info: object, weights: Tensor) -> tuple[int, int]:
    """Layer and head, checked against the attention's shape.

    Raises:
        UnknownHeadError: if they are no head of the model.
    """
    layers, heads = weights.shape[:2]
    try:
        if isinstance(head_info, str):
            head_info = Head.parse(head_info)
        is_pair = isinstance(head_info, tuple)
        both = head_info if is_pair else (head_info["layer"], head_info["head"])
        layer, head = (int(operator.index(part)) for part in both)
    except (TypeError, KeyError, ValueError):
        raise UnknownHeadError(head_info, layers=layers, heads=heads) from None
    if not (0 <= layer < layers and 0 <= head < heads):
        raise UnknownHeadError(Head(layer, head).label, layers=layers, heads=heads)
    return layer, head


def _kind(given: object) -> object:
    """A shape, or else what kind of thing that is."""
    shape = getattr(given, "shape", None)
    return list(shape) if shape is not None else type(given).__name__
