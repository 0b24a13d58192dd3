"""Muon for the weight matrices, AdamW for everything else.

Muon (K. Jordan et al., 2024, "Muon: an optimizer for hidden layers") replaces the momentum of a
matrix by its nearest semi-orthogonal matrix, found by a few Newton-Schulz steps. On this model it
brings induction in about half the steps that AdamW needs. The fused query-key-value matrix of
GPT-NeoX is taken apart first, so that each of the three is orthogonalised by itself.
"""

from __future__ import annotations

from collections import defaultdict

import torch
from torch import Tensor, nn

NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)  # quintic coefficients of the reference implementation


def orthogonalised(stack: Tensor, steps: int = 5) -> Tensor:
    """Push every singular value of every matrix of ``[n, rows, columns]`` towards 1."""
    a, b, c = NEWTON_SCHULZ
    tall = stack.shape[1] > stack.shape[2]
    x = stack.mT if tall else stack
    x = (x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)).bfloat16()
    for _ in range(steps):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    return (x.mT if tall else x).float()


class Muon(torch.optim.Optimizer):
    """Momentum, made orthogonal, with decoupled weight decay.

    Updates are scaled by ``.2 * sqrt(longer side)``, to the root mean square usual for AdamW.
    """

    def __init__(
        self,
        params: list[nn.Parameter],
        *,
        lr: float,
        heads: int,
        momentum: float = 0.95,
        weight_decay: float = 0.1,
    ) -> None:
        """``heads`` tells how a fused ``[3 * width, width]`` matrix is laid out."""
        settings = {"lr": lr, "momentum": momentum, "weight_decay": weight_decay, "heads": heads}
        super().__init__(params, settings)

    def _parts(self, update: Tensor, heads: int) -> Tensor:
        """``[rows, columns] -> [parts, rows / parts, columns]``: query, key and value apart."""
        rows, columns = update.shape
        if rows != 3 * columns:
            return update[None]
        split = update.view(heads, 3, columns // heads, columns)
        return split.transpose(0, 1).reshape(3, columns, columns)

    def _whole(self, parts: Tensor, heads: int) -> Tensor:
        """The inverse of :meth:`_parts`."""
        if len(parts) == 1:
            return parts[0]
        columns = parts.shape[2]
        split = parts.view(3, heads, columns // heads, columns).transpose(0, 1)
        return split.reshape(3 * columns, columns)

    @torch.no_grad()
    def step(self, closure: None = None) -> None:
        """One update; matrices of one shape are orthogonalised in one batch."""
        for group in self.param_groups:
            batches: dict[torch.Size, list[tuple[nn.Parameter, Tensor]]] = defaultdict(list)
            for param in group["params"]:
                if param.grad is None:
                    continue
                state = self.state[param]
                mean = state.setdefault("momentum", torch.zeros_like(param))
                mean.lerp_(param.grad, 1 - group["momentum"])
                update = param.grad.lerp(mean, group["momentum"])  # Nesterov
                parts = self._parts(update, group["heads"])
                batches[parts.shape[1:]].append((param, parts))
            for shape, entries in batches.items():
                made = orthogonalised(torch.cat([parts for _, parts in entries]))
                made *= 0.2 * max(shape) ** 0.5
                pieces = made.split([len(parts) for _, parts in entries])
                for (param, _), piece in zip(entries, pieces, strict=True):
                    param.mul_(1 - group["lr"] * group["weight_decay"])
                    param.add_(self._whole(piece, group["heads"]), alpha=-group["lr"])


def build_optimizers(
    model: nn.Module, *, heads: int, matrix_lr: float, other_lr: float, weight_decay: float
) -> list[torch.optim.Optimizer]:
    """Muon on the layers' matrices; AdamW, without decay, on embeddings, norms and biases."""
    # Tied weights appear once, under their first name; what is frozen is left alone.
    named = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
    matrices = [p for name, p in named if p.ndim == 2 and ".layers." in name]
    others = [p for name, p in named if not (p.ndim == 2 and ".layers." in name)]
    return [
        Muon(matrices, lr=matrix_lr, heads=heads, weight_decay=weight_decay),
        torch.optim.AdamW(others, lr=other_lr, betas=(0.9, 0.98), weight_decay=0.0),
    ]
