"""What pins the weights in a folder or a GGUF file: a digest, taken once for as long as they stay.

>>> of_place(Path("data/demo_model"))
'sha256:79221a7b07cdaa6d'
"""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path

from headroles import disk
from headroles.errors import HeadrolesError, ModelUnavailableError
from headroles.models import gguf_files, weight_files

State = tuple[disk.Stamp | None, ...]
"""What changes whenever a model's files do; empty where no file of somebody's own is meant."""


def of_place(place: Path, *, read: bool = True) -> str:
    """What pins the weights of a folder or GGUF file; "" where there are none.

    Args:
        place: the folder or file.
        read: whether the weights may be read for it, which takes seconds for a gigabyte. If not, it
            is "" where this process has not read them as they are now.

    Raises:
        OSError: if they cannot be read.
        SourceError: if the folder holds several GGUF files.
    """
    try:
        parts = _weights_at(place)
    except ModelUnavailableError:  # loading it says why
        return ""
    digest = (disk.sha256 if read else disk.known_sha256)(parts)
    return gguf_files.revision_of(digest) if digest else ""


def state_of(source: str) -> State:
    """What changes whenever the weights of a folder or GGUF file do, or the configuration or
    tokenizer beside them: a look at each file, no reading.

    Args:
        source: as :func:`headroles.models.catalogue.resolve_source` returns it. Of a model of the
            Hub or a package the state is empty: what these names mean does not change.
    """
    if not os.path.isabs(source):
        return ()
    place = Path(source)
    try:
        parts = _parts(place, disk.stamp(place), disk.stamp(place / weight_files.INDEX))
    except (HeadrolesError, OSError):  # loading it says why
        return ()
    return tuple(map(disk.stamp, parts))


@lru_cache(maxsize=64)
def _parts(place: Path, _stamp: disk.Stamp | None, _index: disk.Stamp | None) -> list[Path]:
    """Kept until a file is added or removed there, or the index is another one."""
    parts = _weights_at(place)
    beside = [] if parts == [place] else [weight_files.CONFIG, weight_files.TOKENIZER]
    return [*parts, *(place / name for name in beside)]


def _weights_at(place: Path) -> list[Path]:
    file = gguf_files.gguf_at(str(place))
    return [file] if file else weight_files.weights_in(place)
