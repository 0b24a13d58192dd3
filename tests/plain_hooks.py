"""What taking a head away does, by plain hooks on transformers' own model in eager attention.

Nothing of the project is used. The blocks are found by running the model, and a head's output by
the usual names of the projection after it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from transformers import AutoModelForCausalLM
from transformers.pytorch_utils import Conv1D

from headroles.types import Head

PROJECTIONS = {"o_proj", "out_proj", "c_proj", "dense", "Wo", "out_lin", "linear"}
"""How families call the map from the heads' outputs back to the residual stream."""


class PlainModel:
    """A folder's model as transformers loads it.

    Args:
        folder: a saved model.
        heads: query heads of a layer.
    """

    def __init__(self, folder: Path | str, heads: int) -> None:
        self.model = AutoModelForCausalLM.from_pretrained(folder, attn_implementation="eager")
        self.model.eval()
        self.heads, self.blocks = heads, self._find_blocks()

    def _find_blocks(self) -> nn.ModuleList:
        """The first list of modules with attention of which some are run."""
        ran: set[nn.Module] = set()
        lists = [
            module
            for module in self.model.modules()
            if isinstance(module, nn.ModuleList)
            and any("att" in name for name, _ in module.named_modules())
        ]
        blocks = [block for stack in lists for block in stack]
        self._run(torch.arange(5)[None], [(b, lambda one, *_: ran.add(one)) for b in blocks])
        return next(stack for stack in lists if any(block in ran for block in stack))

    def _run(self, ids: Tensor, hooks: Iterable[tuple[nn.Module, Callable]] = ()) -> Tensor:
        """[row pos vocab] logits of a pass with forward hooks."""
        handles = [module.register_forward_hook(hook) for module, hook in hooks]
        try:
            with torch.no_grad():
                return self.model(ids, use_cache=False).logits
        finally:
            for handle in handles:
                handle.remove()

    def logits(self, ids: Tensor) -> Tensor:
        """[row pos vocab] as the model gives them."""
        return self._run(ids)

    def attention(self, ids: Tensor) -> Tensor | None:
        """[layer head query key] as the family gives it out itself; None where it does not."""
        with torch.no_grad():
            output = self.model(ids, output_attentions=True, use_cache=False)
        given = getattr(output, "attentions", None)
        if not given or any(pattern is None for pattern in given):
            return None
        length = ids.shape[1]
        return torch.cat([one.reshape(1, -1, length, length) for one in given])

    def projection(self, layer: int) -> nn.Module | None:
        """What maps a layer's heads side by side back to the stream; None if no name tells."""
        found = [
            module
            for path, module in self.blocks[layer].named_modules()
            if isinstance(module, nn.Linear | Conv1D)
            and path.rpartition(".")[2] in PROJECTIONS
            and any(part in path for part in ("att", "temporal", "mixer"))
            and not any(part in path for part in ("encoder_att", "cross", "intermediate"))
        ]
        return found[-1] if found else None

    def without_rows(self, ids: Tensor, head: Head) -> Tensor:
        """[row pos vocab] logits when a head's rows are zero behind the layer's softmax."""
        with _SilentRows(head):
            return self._run(ids)

    def without(self, ids: Tensor, head: Head) -> Tensor:
        """[row pos vocab] logits when a head's slice before the projection is zero."""
        projection = self.projection(head.layer)
        return self._run(ids, [(projection, lambda *args: self._left(head, *args))])

    def _left(self, head: Head, projection: nn.Module, args: tuple, _output: object) -> Tensor:
        """What a projection gives without a head."""
        z = args[0].unflatten(-1, (self.heads, -1)).clone()
        z[..., head.head, :] = 0
        return projection.forward(z.flatten(-2))

    def without_positions(self) -> None:
        """Leave out what the model adds for each position, for good."""
        tokens = self.model.get_input_embeddings()
        inside = {module for block in self.blocks for module in block.modules()}
        for module in self.model.modules():
            if isinstance(module, nn.Embedding) and module is not tokens and module not in inside:
                module.weight.data.zero_()

    def direct(self, ids: Tensor, head: Head) -> tuple[Tensor, Tensor] | None:
        """What a head adds to the logits when everything after it stays as it was.

        Every module of the blocks that does a computation gives what it gave, and norms of the
        head's output alone and the last norm keep their scale. What a family does between modules
        (adding, multiplying the stream) is done.

        Returns:
            [pos vocab] the logits less those without the head, and [pos] the product of the scales
            that were kept; None where no last norm is found.
        """
        frozen = _Frozen(self, head)
        whole = self._run(ids, frozen.keeping())
        if not frozen.settle():
            return None
        without = self._run(ids, frozen.again())
        return (whole - without)[0], frozen.scale[0]


class _SilentRows(TorchFunctionMode):
    """Makes the softmax of a layer give zeros for a head; the layers' come one after another."""

    def __init__(self, head: Head) -> None:
        super().__init__()
        self._head, self._seen = head, 0

    def __torch_function__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        if func.__name__ == "softmax" and result.ndim == 4:
            if self._seen == self._head.layer:
                result = result.clone()
                result[:, self._head.head] = 0
            self._seen += 1
        return result


class _Frozen:
    """The two passes of :meth:`PlainModel.direct`."""

    def __init__(self, plain: PlainModel, head: Head) -> None:
        self._plain, self._head = plain, head
        self._own = plain.projection(head.layer)
        self._inside = [
            module
            for block in plain.blocks
            for module in block.modules()
            if not any(True for _ in module.children())
        ]
        self._calls: list[tuple[nn.Module, Tensor, object]] = []
        self._live: dict[nn.Module, Callable] = {}
        """Modules behind the projection, and the last norm: what they do instead."""
        self.scale = torch.ones(1, 1)

    def keeping(self) -> list[tuple[nn.Module, Callable]]:
        blocks = set(self._plain.blocks)
        every = [
            module
            for module in self._plain.model.modules()
            if module in blocks or not any(True for _ in module.children())
        ]
        return [(module, self._keep) for module in every]

    def _keep(self, module: nn.Module, args: tuple, output: object) -> None:
        given = next((arg for arg in args if isinstance(arg, Tensor)), None)
        # Families add to a module's output in place: what it gave is kept as it was.
        kept = output.clone() if isinstance(output, Tensor) else output
        self._calls.append((module, given, kept))

    def settle(self) -> bool:
        """Decide what stays and what runs; whether there is a last norm."""
        order = [module for module, _, _ in self._calls]
        behind = [self._calls[order.index(self._own)][2]]
        inside = set(self._plain.blocks[self._head.layer].modules())
        for module, given, output in self._calls[order.index(self._own) + 1 :]:
            if module not in inside or not isinstance(output, Tensor) or module not in self._inside:
                continue
            if any(_same(given, seen) for seen in behind):
                behind.append(output)
                self._live[module] = self._linear if _is_norm(module, given) else _as_it_is
        last = self._plain.blocks[-1]
        place = len(order) - 1 - order[::-1].index(last)
        end = self._calls[place][2]
        end = end[0] if isinstance(end, tuple | list) else end
        for module, given, _ in self._calls[place + 1 :]:
            if _same(given, end) and _is_norm(module, given):
                self._live[module] = self._linear
                return True
        return False

    def again(self) -> list[tuple[nn.Module, Callable]]:
        self._queue = defaultdict(list)
        for module, given, output in self._calls:
            self._queue[module].append((given, output))
        hooks = [(module, self._repeat) for module in set(self._inside) - {self._own}]
        hooks += [(m, self._repeat) for m in self._live if m not in self._inside]
        return [*hooks, (self._own, lambda *args: self._plain._left(self._head, *args))]

    def _repeat(self, module: nn.Module, args: tuple, output: object) -> object:
        given, gave = self._queue[module].pop(0)
        gave = gave.clone() if isinstance(gave, Tensor) else gave
        return (
            self._live[module](module, given, args, output, gave) if module in self._live else gave
        )

    def _linear(
        self, norm: nn.Module, before: Tensor, args: tuple, _: object, gave: Tensor
    ) -> Tensor:
        """A norm with its scale kept, from what it does to vectors of size 1."""
        far, zero = 1e4, torch.zeros_like(before)
        centres = _same(norm.forward(before + 3.0), gave)

        def centred(x: Tensor) -> Tensor:
            return x - x.mean(-1, keepdim=True) if centres else x

        change = centred(args[0] - before)
        size = change.square().mean(-1, keepdim=True).sqrt()
        scale = centred(before).square().mean(-1, keepdim=True).sqrt()
        self.scale = self.scale * scale[..., 0]
        unit = change / size.clamp_min(1e-30)
        return gave + (norm.forward(far * unit) - norm.forward(zero)) * size / scale


def _as_it_is(_m: nn.Module, _given: Tensor, _args: tuple, output: object, _gave: object) -> object:
    return output


def _is_norm(module: nn.Module, given: Tensor) -> bool:
    """Whether what it gives depends on the direction of its input alone."""
    if isinstance(module, nn.Linear | Conv1D | nn.Embedding):
        return False
    with torch.no_grad():
        one, other = module.forward(10 * given), module.forward(1000 * given)
    return isinstance(one, Tensor) and torch.allclose(one, other, rtol=1e-2, atol=1e-4)


def _same(one: Tensor | None, other: object) -> bool:
    return (
        one is not None
        and isinstance(other, Tensor)
        and one.numel() == other.numel()
        and torch.allclose(one.flatten(), other.flatten(), rtol=1e-4, atol=1e-5)
    )
