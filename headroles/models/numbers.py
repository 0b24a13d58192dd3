"""Whether a pass gave numbers at all, and where the first that is none came up.

Weights that are damaged, or too large for the numbers that a model runs in, give NaN or infinity.
From there on every number is one, and comparisons with NaN are false: a head would look quiet, and
a knock-out without effect. So each pass is checked by what is read from it, which costs a sum. Only
when that fails does a second pass say where it began.

>>> are_numbers(torch.tensor([0.5, math.nan])), are_logits(torch.tensor([0.5, -math.inf]))
(False, True)
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from headroles.errors import NotANumberError

_LAYER = re.compile(r"^(?:.*?\.)??(\d+)(?:\.(.+))?$")


def are_numbers(values: Tensor) -> bool:
    """Whether no value is NaN or infinite. A sum tells, unless it overflows itself."""
    return bool(values.sum().isfinite()) or bool(values.isfinite().all())


def are_logits(logits: Float[Tensor, "*batch vocab"]) -> bool:
    """Whether the logits of every position have a softmax.

    Minus infinity is meant where a family masks a part of its vocabulary: that token cannot come.
    """
    return are_numbers(logits.amax(-1))  # NaN is the maximum of whatever it is among


def check_weights(model: nn.Module, name: str) -> None:
    """Refuse a model with a weight that is no number, wherever it lies.

    Raises:
        NotANumberError: with the place of the first one.
    """
    for path, weights in model.named_parameters():
        if not are_numbers(weights):
            raise NotANumberError(name, where=_in_words(path.removesuffix(".weight")))


def not_a_number(
    model: nn.Module,
    name: str,
    token_ids: Int[Tensor, "batch pos"],
    *,
    otherwise: str = "what it says",
) -> NotANumberError:
    """The error for a pass that gave NaN or infinity, with the place where they first come up.

    Args:
        model: the model, which is run once more, as it is.
        name: its key.
        token_ids: [batch pos] what it was run on.
        otherwise: the place where plain passes are fine, for one with changed activations.
    """
    found: list[str] = []

    def watch(path: str) -> Callable[..., None]:
        def look(_module: nn.Module, _args: object, output: object) -> None:
            if not found and not all(map(are_numbers, _tensors(output))):
                found.append(path)

        return look

    hooks = [
        module.register_forward_hook(watch(path)) for path, module in model.named_modules() if path
    ]
    try:
        with torch.no_grad():
            model(token_ids)
    finally:
        for hook in hooks:
            hook.remove()
    return NotANumberError(name, where=_in_words(found[0]) if found else otherwise)


def _tensors(output: object) -> Iterator[Tensor]:
    """The tensors of real numbers that a module gave."""
    if isinstance(output, Tensor) and output.is_floating_point():
        yield output
    elif isinstance(output, tuple | list):
        for part in output:
            yield from _tensors(part)


def _in_words(path: str) -> str:
    """A module's path as a place.

    >>> _in_words("model.layers.3.mlp.down_proj"), _in_words("model.embed_tokens")
    ('layer 3 (mlp.down_proj)', 'embed_tokens')
    """
    match = _LAYER.match(path)
    if not match:
        return path.rpartition(".")[2]
    layer, part = match.groups()
    return f"layer {layer} ({part})" if part else f"layer {layer}"
