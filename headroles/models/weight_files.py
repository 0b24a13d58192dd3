"""What a model's folder says of itself, checked before transformers believes it.

transformers reads whatever a folder names: an index may name a pickle, or a file anywhere on the
disk, ``config.json`` another file of weights, and an adapter another model. Here every weight is a
safetensors file of the folder itself, and everything else is refused by name. Nothing heavy is
imported, for pickers ask too.

>>> weights_in(DEMO_MODEL)  # doctest: +SKIP
[PosixPath('.../model.safetensors')]
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

from headroles import disk
from headroles.errors import (
    HeadrolesError,
    ModelUnavailableError,
    UnsupportedModelError,
    ours,
)

WHOLE, INDEX = "model.safetensors", "model.safetensors.index.json"
CONFIG, TOKENIZER, ADAPTER = "config.json", "tokenizer.json", "adapter_config.json"
LARGEST_CONFIG = 1_000_000
"""Bytes of a ``config.json`` that is read."""
LARGEST_INDEX, LARGEST_SMALL_FILE = 64 << 20, 256 << 20
"""Bytes of an index, and of a tokenizer's file."""
_SMALL_FILES = (
    CONFIG,
    INDEX,
    "generation_config.json",
    TOKENIZER,
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "chat_template.jinja",
    "vocab.json",
    "vocab.txt",
    "merges.txt",
    "tokenizer.model",
)
_NAME = re.compile(r"[^/\\\x00-\x1f]+\.safetensors")
_PICKLES = frozenset((".bin", ".pt", ".pth", ".ckpt", ".pkl"))


def weights_among(names: Collection[str], index: Callable[[], object], key: str) -> list[str]:
    """The weight files that transformers would read; empty where there are no safetensors.

    Args:
        names: of the model's files.
        index: what its index says; asked only where there is one and it counts.
        key: the model, for the error's sentence.

    Raises:
        ModelUnavailableError: if the index names anything but safetensors files among them.
    """
    if WHOLE in names:
        return [WHOLE]
    if INDEX not in names:
        return []
    shards = _shards(index(), key)
    if missing := [name for name in shards if name not in names]:
        raise _unavailable(key, f"Its index names {_short(missing[0])}, and there is no such file.")
    return shards


def weights_in(folder: Path, key: str = "") -> list[Path]:
    """The weight files of a folder, in the order of their names.

    Raises:
        ModelUnavailableError: if it has none, or its index names anything but safetensors files of
            the folder itself.
    """
    key = key or folder.name
    names = _names(folder, key)
    found = weights_among(names, lambda: _index_of(folder, key), key)
    if not found:
        pickled = any(Path(name).suffix in _PICKLES for name in names)
        why = f"There is no file named {WHOLE}."
        if pickled:
            why += " Its weights are pickled, and reading those can run code."
        raise _unavailable(key, why)
    if found == [WHOLE] and not (folder / WHOLE).is_file():
        raise _unavailable(key, f"Its {WHOLE} is no regular file.")
    if found != [WHOLE]:
        for name in found:
            _check_place(folder, name, key)
    return [folder / name for name in found]


def has_weights(folder: Path) -> bool:
    """Whether a folder holds all the weights, in one file or in shards."""
    try:
        return all(path.is_file() for path in weights_in(folder))
    except HeadrolesError:
        return False


def check_folder(folder: Path, key: str) -> dict[str, object]:
    """Refuse a folder that would lead transformers elsewhere, or that no program should open.

    Returns:
        What its ``config.json`` says; empty where there is none.

    Raises:
        UnsupportedModelError: if it is an adapter, or its configuration names other weights.
        ModelUnavailableError: if one of its small files is none, is far too large, or its
            ``config.json`` is no JSON object.
    """
    if (folder / ADAPTER).exists():
        raise UnsupportedModelError(
            key,
            why="it is an adapter (LoRA), which belongs to another model.",
            hint="Merge it into its base model (merge_and_unload of peft), save the whole with "
            "save_pretrained, and give that folder.",
        )
    for name in _SMALL_FILES:
        place = folder / name
        if place.is_symlink() and not place.exists():
            raise _unavailable(key, f"Its {name} is a link to nothing.")
        if place.exists() and not place.is_file():
            raise _unavailable(key, f"Its {name} is no regular file.")
        if place.exists() and place.stat().st_size > LARGEST_SMALL_FILE:
            raise _unavailable(key, f"Its {name} is far too large.")
    if not (folder / CONFIG).exists():
        return {}
    said = _read(folder / CONFIG, LARGEST_CONFIG, key)
    if "transformers_weights" in _settings(said):
        why = "its config.json names a weight file of its own (transformers_weights)."
        hint = f"Take the entry out, and call the weights {WHOLE}."
        raise UnsupportedModelError(key, why=why, hint=hint)
    return said


def _settings(said: object) -> Iterator[str]:
    """The names of all settings, those of a part's own configuration too."""
    if isinstance(said, dict):
        for name, value in said.items():
            yield name
            yield from _settings(value)


def _names(folder: Path, key: str) -> set[str]:
    try:
        return {path.name for path in folder.iterdir()}
    except OSError as error:
        raise _unavailable(key, f"Its folder cannot be read: {error.strerror}.") from error


def _index_of(folder: Path, key: str) -> object:
    return _read(folder / INDEX, LARGEST_INDEX, key)


def _shards(index: object, key: str) -> list[str]:
    """The names in an index, each once; each that of a safetensors file beside it."""
    named = index.get("weight_map") if isinstance(index, dict) else None
    if not isinstance(named, dict) or not named:
        raise _unavailable(key, f"Its {INDEX} does not say which file holds which weight.")
    if not isinstance(index.get("metadata"), dict):  # transformers writes into it
        raise _unavailable(key, f"Its {INDEX} lacks its part 'metadata'.")
    names = list(named.values())
    for name in names:
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            why = f"Its index names {_short(name)}. Weights are read only from safetensors files "
            raise _unavailable(key, f"{why}in the model's own folder.")
    return sorted(set(names))


def _check_place(folder: Path, name: str, key: str) -> None:
    """Refuse a shard that is missing, or a link out of the folder (the Hub's cache is made so)."""
    place = folder / name
    if not place.is_file():
        raise _unavailable(key, f"Its index names {_short(name)}, and there is no such file.")
    target = place.resolve().parent
    in_hub_cache = target.name == "blobs" and target.parent.name.startswith("models--")
    if target != folder.resolve() and not in_hub_cache:
        why = f"Its index names {_short(name)}, which is a link out of the model's own folder."
        raise _unavailable(key, why)


def _read(path: Path, most: int, key: str) -> dict[str, object]:
    def unreadable(error: BaseException) -> HeadrolesError:
        return _unavailable(key, f"Its {path.name} cannot be read: {_in_words(error)}.")

    with ours(unreadable):
        said = json.loads(disk.read(path, most=most)[0])
    if not isinstance(said, dict):
        raise _unavailable(key, f"Its {path.name} is no JSON object.")
    return said


def _in_words(error: BaseException) -> str:
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    return "it is not a valid JSON file"


def _short(name: object) -> str:
    """A stranger's name of a file, as it may stand in a sentence."""
    if isinstance(name, str):  # where a path leads is the server's own business
        name = re.sub(r".*[/\\]", "…/", name, flags=re.DOTALL)
    text = f"'{name}'" if isinstance(name, str) and name.isprintable() else ascii(name)
    return text if len(text) <= 80 else f"{text[:79]}…"


def _unavailable(key: str, why: str) -> ModelUnavailableError:
    return ModelUnavailableError(key, why=why, is_folder=True)
