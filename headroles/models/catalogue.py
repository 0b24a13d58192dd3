"""The models that this server knows, and how a name that somebody gives is looked up among them.

They are those that come with the project (:mod:`headroles.models.builtin`) and those of the
instructor's list (:mod:`headroles.models.listed`). Every part of the project looks a model up here,
so that one that is listed works wherever one that comes with it does. What the reference scores
hold besides is added where students choose (:mod:`headroles.view.offer`).

>>> entry_of("demo").name
'Headroles demo (bundled)'
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable
from pathlib import Path

from headroles.errors import ModelUnavailableError, UnknownModelError
from headroles.models import listed
from headroles.models.builtin import (
    CATALOGUE,
    DEFAULT_MODEL,
    INVITED,
    TL_TOKENIZER,
    CatalogueEntry,
    PackageFile,
)
from headroles.paths import BUNDLED, ROOT

__all__ = [
    "CATALOGUE",
    "DEFAULT_MODEL",
    "INVITED",
    "TL_TOKENIZER",
    "CatalogueEntry",
    "PackageFile",
    "catalogue_key",
    "entry_of",
    "foreign_tokenizer",
    "is_hub_id",
    "is_trusted",
    "known_models",
    "name_of",
    "offered_keys",
    "offered_sources",
    "package_of",
    "pinned_revision",
    "portable_source",
    "resolve_source",
]

_HUB_NAME = "[A-Za-z0-9_][A-Za-z0-9_.-]{0,95}"
_HUB_ID = re.compile(f"{_HUB_NAME}/{_HUB_NAME}")


def known_models() -> dict[str, CatalogueEntry]:
    """Every model of the project and of the list by key, hidden ones too."""
    return {**CATALOGUE, **listed.read().models.entries}


def offered_keys(also: Iterable[str] = (), *, hidden: bool = False) -> list[str]:
    """The models that can be chosen, in the order of the list.

    Args:
        also: Hub ids that are offered besides.
        hidden: with those that the list hides.
    """
    models = listed.read().models
    known = known_models()
    sources = {entry.source for entry in known.values()}
    keys = [*known, *(key for key in also if key not in known and key not in sources)]
    places = {key: place for place, key in enumerate(models.order)}
    keys.sort(key=lambda key: places.get(key, len(places)))  # stable: the others keep their order
    return [key for key in keys if hidden or key not in models.hide]


def entry_of(key: str) -> CatalogueEntry:
    """The entry of a key; a Hub id that nobody has listed gets one that says no more than that.

    Raises:
        UnknownModelError: if it is neither.
    """
    known = known_models()
    if key in known:
        return known[key]
    if is_hub_id(key):
        return CatalogueEntry(key, key, key, family="", size=0, licence="", about="")
    raise UnknownModelError(key, known=known)


def name_of(key: str) -> str:
    """The name that people read: the entry's, or the key itself."""
    known = known_models()
    return known[key].name if key in known else key


def is_hub_id(text: str) -> bool:
    """Whether this is written as an id of the Hugging Face Hub."""
    return bool(_HUB_ID.fullmatch(text)) and not text.lower().endswith(".gguf")


def catalogue_key(name_or_folder: str) -> str:
    """The key under which a model's scores are stored: its own, or else the name itself.

    A folder or GGUF file that is not listed goes by its name; where that is the key of another
    model, a few digits of its place are added, for it is not that model.

    >>> catalogue_key("openai-community/gpt2"), catalogue_key("someone/new-model")
    ('gpt2', 'someone/new-model')
    """
    known = known_models()
    for entry in known.values():
        if name_or_folder in (entry.key, entry.source):
            return entry.key
    if not _is_on_disk(name_or_folder):
        return name_or_folder
    place = Path(name_or_folder).resolve()
    for entry in known.values():
        if entry.is_local and Path(entry.source).resolve() == place:
            return entry.key
    for key, folder in BUNDLED.items():
        if folder.resolve() == place:
            return key
    name = place.stem if place.is_file() else place.name
    if name in known:
        name += f"-{hashlib.sha256(str(place).encode()).hexdigest()[:6]}"
    return name


def _is_on_disk(name: str) -> bool:
    """Whether this is a folder or file; what it holds is seen when it is loaded."""
    # Unlike those of Path, these take a name that is too long for the disk.
    return bool(name.strip()) and (os.path.isdir(name) or os.path.isfile(name))


def resolve_source(name_or_folder: str) -> str:
    """Turn a key, a folder, a GGUF file or a Hub id into what is loaded.

    Raises:
        UnknownModelError: if it is none of these.
        ModelUnavailableError: if it is listed as a folder or file that is no longer there.
    """
    known = known_models()
    if name_or_folder in known:
        entry = known[name_or_folder]
        if entry.is_gone:
            why = f"its {'file' if entry.is_gguf else 'folder'} is not on this server any more."
            hint = "Choose another model, or ask whoever runs the server to put it back."
            raise ModelUnavailableError(entry.key, why=why, hint=hint)
        return entry.source
    given = name_or_folder
    if _is_on_disk(given) or is_hub_id(given) or package_of(given):
        return given
    raise UnknownModelError(name_or_folder, known=known)


def portable_source(source: str) -> str:
    """A folder inside the project as a relative path, so that the file does not name a machine.

    Of a folder or file elsewhere it is the name.
    """
    if not _is_on_disk(source):
        return source
    place = Path(source).resolve()
    return place.relative_to(ROOT).as_posix() if place.is_relative_to(ROOT) else place.name


def _of_source(source: str) -> CatalogueEntry | None:
    return next((entry for entry in known_models().values() if entry.source == source), None)


def foreign_tokenizer(source: str) -> str | None:
    """The tokenizer of a catalogue model in TransformerLens' form; None for every other model."""
    entry = _of_source(source)
    return entry.tokenizer if entry else None


def package_of(source: str) -> PackageFile | None:
    """Where a model comes from the Python Package Index; None for every other model."""
    entry = _of_source(source)
    return entry.package if entry else None


def offered_sources() -> list[str]:
    """The Hub ids that are known, which a mistyped one may have meant."""
    known = known_models().values()
    return [entry.source for entry in known if not entry.is_local and entry.package is None]


def is_trusted(source: str) -> bool:
    """Whether the project or the instructor's list names this source."""
    return _of_source(source) is not None


def pinned_revision(source: str) -> str | None:
    """The revision that is known for a Hub id, or None."""
    entry = _of_source(source)
    return entry.revision if entry else None
