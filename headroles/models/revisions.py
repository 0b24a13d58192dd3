"""What pins the weights in a folder or a GGUF file: a digest, taken once for as long as they stay.

>>> of_place(Path("data/demo_model"))
'sha256:79221a7b07cdaa6d'
"""

from __future__ import annotations

import hashlib
import threading
from collections import defaultdict
from functools import lru_cache
from pathlib import Path

from headroles import disk
from headroles.errors import ModelUnavailableError
from headroles.models import gguf_files, weight_files

_DIGITS = 16
_reading: dict[tuple[Path, ...], threading.Lock] = defaultdict(threading.Lock)


def of_place(place: Path) -> str:
    """What pins the weights of a folder or GGUF file; "" where there are none.

    Raises:
        OSError: if they cannot be read.
        SourceError: if the folder holds several GGUF files.
    """
    if file := gguf_files.gguf_at(str(place)):
        return gguf_files.revision_of(gguf_files.sha256_of(file))
    try:
        parts = weight_files.weights_in(place)
    except ModelUnavailableError:  # loading it says why
        return ""
    return of_parts(parts)


def of_parts(parts: list[Path]) -> str:
    """A digest of safetensors, one after the other, in the order given.

    Raises:
        OSError: if one cannot be read.
    """
    places = tuple(part.resolve() for part in parts)
    with _reading[places]:  # many sessions may ask for large weights at once
        digest = _digest(places, tuple(disk.stamp(place) for place in places))
    return f"sha256:{digest[:_DIGITS]}"


@lru_cache(maxsize=64)
def _digest(parts: tuple[Path, ...], _stamps: tuple) -> str:
    digest = hashlib.sha256()
    for part in parts:
        with part.open("rb") as weights:
            while piece := weights.read(1 << 20):  # never a gigabyte at once
                digest.update(piece)
    return digest.hexdigest()
