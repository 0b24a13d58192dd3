"""A folder whose model is trained on in place, as a course does it under a running server."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import load, save


def retrain(folder: Path) -> None:
    """Write other weights into the very file that holds the model's."""
    file, draw = folder / "model.safetensors", torch.Generator().manual_seed(0)
    weights = {
        name: value + value.std() * torch.randn(value.shape, generator=draw)
        if value.ndim > 1
        else value
        for name, value in load(file.read_bytes()).items()
    }
    file.write_bytes(save(weights, metadata={"format": "pt"}))
