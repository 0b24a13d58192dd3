"""Files of trained components, with damaged bytes, names, shapes, numbers and metadata."""

from __future__ import annotations

import functools
import json
import random
import struct

import torch
from safetensors.torch import save

from headroles.circuits import trained_components as components
from scripts.fuzz import odd
from scripts.fuzz.cases import Case
from scripts.fuzz.tiny import demo

SHARE = 0.5
METADATA = {"format": components.FORMAT, "version": components.VERSION}


@functools.cache
def _sound() -> bytes:
    tensors = {}
    for (layer, name), (reads, writes) in components.shapes_of(demo()).items():
        if layer < 2:
            tensors[f"layers.{layer}.{name}.U"] = torch.ones(2, reads)
            tensors[f"layers.{layer}.{name}.V"] = torch.ones(2, writes)
    return save(tensors, metadata=METADATA)


def case(rng: random.Random) -> Case:
    """A sound file with a flaw in its header, its bytes or its tensors."""
    drawn = rng.random()
    if drawn < 0.4:
        content = odd.damaged(rng, _sound())
    elif drawn < 0.7:
        content = _with_another_header(rng)
    else:
        content = _of_odd_tensors(rng)
    return Case(ascii(content[:120]), lambda: _loaded(content))


def _with_another_header(rng: random.Random) -> bytes:
    sound = _sound()
    (length,) = struct.unpack("<Q", sound[:8])
    header = odd.changed(rng, json.loads(sound[8 : 8 + length]))
    written = json.dumps(header).encode()
    told = len(written) if rng.random() < 0.9 else rng.choice([0, 1, 2**40, 2**64 - 1])
    return struct.pack("<Q", told) + written + sound[8 + length :]


def _of_odd_tensors(rng: random.Random) -> bytes:
    reads, writes = components.shapes_of(demo())[0, "q"]
    shape = rng.choice([(2, reads), (2, writes), (0, reads), (), (0,), (2, 3), (1, 2, reads)])
    kind = rng.choice([torch.float32, torch.float16, torch.bfloat16, torch.int64, torch.bool])
    one = torch.zeros(shape).to(kind)
    if kind.is_floating_point and one.numel() and rng.random() < 0.5:
        one.flatten()[0] = rng.choice([float("nan"), float("inf"), -float("inf")])
    names = ("layers.0.q.U", "layers.0.q.V", "layers.9.q.U", "layers.0.x.U", "layers.٣.q.U", "w")
    tensors = {rng.choice(names): one.clone() for _ in range(rng.randrange(4))}
    metadata = rng.choice([METADATA, METADATA, METADATA, None, {}, {"format": odd.text(rng)}])
    return save(tensors, metadata=metadata and {k: _utf8(v) for k, v in metadata.items()})


def _utf8(text: str) -> str:
    return text.encode("utf-8", "replace").decode()


def _loaded(content: bytes) -> None:
    path = odd.folder() / "components.safetensors"
    path.write_bytes(content)
    shapes = components.shapes_of(demo())
    for place, pair in components.load_factors(path, shapes=shapes).items():
        assert tuple(pair.matrix().shape) == shapes[place], "a matrix of another shape"
        assert bool(pair.matrix().isfinite().all()), "numbers that are none"
