"""Whether a model's files are on this disk, by a glance at their names.

Pickers ask this of every model on every click, before anything of transformers is imported. What
loads a model asks :func:`headroles.models.loading.is_here`, which looks at each file.

>>> is_here(entry_of("demo"))  # doctest: +SKIP
True
"""

from __future__ import annotations

import contextlib
import json
import os
from functools import lru_cache
from pathlib import Path

from headroles.errors import SourceError
from headroles.models.catalogue import CatalogueEntry
from headroles.models.gguf_files import converted, gguf_at, original, sha256_of
from headroles.models.weight_files import ADAPTER, has_weights


def is_here(entry: CatalogueEntry) -> bool:
    """Whether a model can be loaded without any network, as far as names of files tell."""
    if entry.is_local:
        return not entry.is_gone
    if package := entry.package:
        return bool(converted(package.sha256) or original(package.sha256).is_file())
    folder = _in_hub_cache(entry)
    if folder is None or entry.tokenizer is not None:
        return folder is not None
    if not (folder / "config.json").is_file():
        return False
    # A model of the catalogue may have its safetensors in another snapshot, which the Hub made.
    return has_weights(folder) or any(folder.parent.glob("*/model.safetensors"))


def _in_hub_cache(entry: CatalogueEntry) -> Path | None:
    """The folder of a model of the Hub, if there is one; a converted one where it is converted."""
    repository = hub_cache() / f"models--{entry.source.replace('/', '--')}"
    commit = entry.revision or "main"
    with contextlib.suppress(OSError, UnicodeDecodeError):  # a commit has no name of its own
        commit = (repository / "refs" / commit).read_text().strip()
    form = "snapshots" if entry.tokenizer is None else "headroles-*"
    return next(repository.glob(f"{form}/{commit}"), None)


def has_chat_template(entry: CatalogueEntry) -> bool:
    """Whether a model that is here brings a chat template, by its tokenizer's small files."""
    with contextlib.suppress(OSError, ValueError, SourceError):  # its loading says what is wrong
        folder = _tokenizer_folder(entry)
        if folder is not None:
            settings = folder / "tokenizer_config.json"
            return (folder / "chat_template.jinja").is_file() or _declares_template(
                settings, settings.stat().st_mtime_ns
            )
    return False


def _tokenizer_folder(entry: CatalogueEntry) -> Path | None:
    """Where the tokenizer's files lie; None where there are none, as before a conversion."""
    if package := entry.package:
        return converted(package.sha256)
    if not entry.is_local:
        return _in_hub_cache(entry)
    file = gguf_at(entry.source)
    return converted(sha256_of(file)) if file else Path(entry.source)


@lru_cache(maxsize=64)
def _declares_template(settings: Path, _changed: int) -> bool:
    read = json.loads(settings.read_bytes())
    return isinstance(read, dict) and bool(read.get("chat_template"))


def fault(entry: CatalogueEntry) -> str:
    """Why the folder or file of a listed model is no model, in a few words; "" where it is one."""
    place = Path(entry.source)
    if not entry.is_local or entry.is_bundled:
        return ""
    if not entry.is_gguf:
        return fault_of_folder(place)
    if not place.is_file():
        return "there is no such GGUF file"
    return "" if _begins_with(place, b"GGUF") else "its file is not a GGUF file"


def fault_of_folder(folder: Path) -> str:
    """Why a folder is no model, in a few words; "" where it is one, by the names of its files."""
    if not folder.is_dir():
        return "there is no such folder"
    if (folder / ADAPTER).exists():
        return "it is an adapter (LoRA), which belongs to another model"
    endings = {path.suffix.lower() for path in folder.iterdir()}
    if {".safetensors", ".bin"} & endings:
        return "" if (folder / "config.json").is_file() else "its folder has no config.json"
    try:
        file = gguf_at(str(folder))
    except SourceError as error:  # several, or one in parts
        return error.message.rstrip(".")
    return "" if file else "its folder holds no weights (no model.safetensors, no GGUF file)"


def _begins_with(file: Path, magic: bytes) -> bool:
    try:
        with file.open("rb") as content:
            return content.read(len(magic)) == magic
    except OSError:
        return False


def hub_cache() -> Path:
    """The folder of the Hub's cache, by the variables that huggingface_hub goes by."""
    home = os.environ.get("HF_HOME") or os.path.join(
        os.environ.get("XDG_CACHE_HOME") or "~/.cache", "huggingface"
    )
    named = os.environ.get("HF_HUB_CACHE") or os.environ.get("HUGGINGFACE_HUB_CACHE")
    return Path(os.path.expanduser(named or os.path.join(home, "hub")))
