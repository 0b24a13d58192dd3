"""GGUF files: which one a source means, and where the weights that are made of it lie.

GGUF is llama.cpp's format: one file with the weights, mostly in 2 to 8 bits, the configuration and
the tokenizer. Each file is converted once (:mod:`headroles.models.gguf_conversion`) to what
transformers loads, float32 safetensors, in a folder of this project's cache that is named after the
file's SHA-256. So a renamed or copied file is the same model, a changed one another, and nothing is
ever written beside somebody's own file.

>>> gguf_at("models/SmolLM2-135M-Instruct.Q4_1.gguf")  # doctest: +SKIP
PosixPath('models/SmolLM2-135M-Instruct.Q4_1.gguf')
"""

from __future__ import annotations

import contextlib
import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from headroles import disk, paths
from headroles.errors import DiskFullError, SourceError
from headroles.models.catalogue import CATALOGUE, PackageFile, folder_of

FORM = 1
"""Grows when the conversion changes, so that older folders are made anew."""
NOTE = "headroles.json"
"""Beside the converted weights: what they were made from, and with what."""
_ENDING = ".gguf"
_PART = re.compile(r"-\d{5}-of-(\d{5})\.gguf$", re.IGNORECASE)


@dataclass(frozen=True)
class Task:
    """Which file is to be made into a folder of weights."""

    sha256: str
    """Of the GGUF file."""
    file: Path | None = None
    """Where it lies on this disk; None where it comes out of a package."""
    package: PackageFile | None = None
    numbers: int = 0
    """How many numbers its weights are, as far as that is known beforehand."""
    start_token: str | None = None
    """What stands at position 0, where the file declares something else."""


def gguf_at(source: str) -> Path | None:
    """The GGUF file that a source means; None where it means something else.

    Args:
        source: a file of any name, a folder with one GGUF and no safetensors, or anything else.

    Raises:
        SourceError: if the folder holds several GGUF files, or the model is split into parts.
    """
    place = Path(source)
    if place.is_file():
        return _in_one_piece(place)
    if not folder_of(source) or any(place.glob("*.safetensors")):
        return None
    files = sorted(path for path in place.iterdir() if path.suffix.lower() == _ENDING)
    if len({_PART.sub("", path.name) for path in files}) > 1:
        names = ", ".join(path.name for path in files)
        raise SourceError(
            f"The folder {place.name} holds {len(files)} GGUF files: {names}.",
            hint="Give the path of one of them.",
            value=source,
        )
    return _in_one_piece(files[0]) if files else None


def _in_one_piece(file: Path) -> Path:
    part = _PART.search(file.name)
    if part and int(part[1]) > 1:
        raise SourceError(
            f"The model {_PART.sub('', file.name)} is split into {int(part[1])} GGUF files.",
            hint="Join them with llama.cpp: llama-gguf-split --merge FIRST_PART WHOLE.gguf",
            value=str(file),
        )
    return file


def sha256_of(file: Path) -> str:
    """The SHA-256 of a file, read once for as long as it does not change.

    Raises:
        OSError: if it cannot be read.
    """
    return disk.sha256([file])


def task_of(source: str) -> Task | None:
    """What is to be converted before a source can be loaded; None where nothing is.

    Args:
        source: as :func:`headroles.models.catalogue.resolve_source` returns it.

    Raises:
        SourceError: as :func:`gguf_at`, or if the file cannot be read.
    """
    packaged = [entry for entry in CATALOGUE.values() if entry.package]
    for entry in packaged:
        if entry.source == source:
            package = entry.package
            return Task(
                package.sha256, None, package, numbers=entry.size, start_token=package.start_token
            )
    file = gguf_at(source)
    if file is None:
        return None
    try:
        sha256 = sha256_of(file)
    except OSError as error:
        raise SourceError(
            f"The file {file.name} cannot be read: {error.strerror or 'unknown error'}.",
            hint="Check its permissions.",
            value=source,
        ) from error
    # The very file of a package starts its prompts as the package's model does.
    tokens = (entry.package.start_token for entry in packaged if entry.package.sha256 == sha256)
    return Task(sha256, file.resolve(), start_token=next(tokens, None))


def revision_of(sha256: str) -> str:
    """What pins weights, by the SHA-256 of their files."""
    return f"sha256:{sha256[:16]}"


# ------------------------------------------------------------------ in the cache


def converted_folder(sha256: str) -> Path:
    """Where the weights made from a file of this SHA-256 lie, or will lie."""
    return paths.CACHE / f"converted-{FORM}" / sha256[:16]


def converted(sha256: str) -> Path | None:
    """The folder of the weights made from a file of this SHA-256, if they are here."""
    folder = converted_folder(sha256)
    return folder if (folder / NOTE).is_file() else None  # it appears as a whole or not at all


def original(sha256: str) -> Path:
    """Where a GGUF file that was taken out of a package is kept."""
    return paths.CACHE / "gguf" / f"{sha256[:16]}{_ENDING}"


def note_of(folder: Path) -> dict[str, str]:
    """What the weights in a converted folder were made from; empty for every other folder."""
    with contextlib.suppress(OSError, ValueError):
        note = json.loads((folder / NOTE).read_bytes())
        return note if isinstance(note, dict) else {}
    return {}


def check_room(place: Path, needs: int) -> None:
    """Refuse to begin what the disk cannot take.

    Args:
        place: a folder of the cache.
        needs: bytes.

    Raises:
        DiskFullError: with both numbers.
    """
    free = shutil.disk_usage(place).free
    if needs > free:
        raise DiskFullError(paths.CACHE, needs=needs, free=free)
