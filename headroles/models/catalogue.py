"""The models that this server knows, and how a name that somebody gives is looked up among them.

They are those that come with the project (:mod:`headroles.models.builtin`) and those of the
instructor's list (:mod:`headroles.models.listed`). Every part of the project looks a model up here,
so that one that is listed works wherever one that comes with it does. What the reference scores
hold besides is added where students choose (:mod:`headroles.view.offer`).

>>> entry_of("demo").name
'Headroles demo (bundled)'
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
from collections.abc import Collection, Iterable
from pathlib import Path

from headroles import models
from headroles.errors import ModelUnavailableError, SourceError, UnknownModelError
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
    "digits_in",
    "entry_of",
    "folder_of",
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
    "same_model",
    "spoken_name",
]

_HUB_NAME = "[A-Za-z0-9_][A-Za-z0-9_.-]{0,95}"
_HUB_ID = re.compile(f"{_HUB_NAME}/{_HUB_NAME}")
_DIGITS = 6
"""Of a folder's revision, in its key."""
_WITH_DIGITS = re.compile(f".+-([0-9a-f]{{{_DIGITS}}})")
_ELSEWHERE = {"gpt2-small": "gpt2"}
"""What other libraries call a model, where that is more than the end of its id on the Hub."""


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

    A name is no identity: of a folder or GGUF file that is not listed, the key is its name and the
    first digits of its weights' revision, so that it stays the same wherever the folder is moved.
    Where there are no weights yet, the digits are those of its place.

    >>> catalogue_key("openai-community/gpt2"), catalogue_key("someone/new-model")
    ('gpt2', 'someone/new-model')
    """
    known = known_models()
    if name_or_folder in known:
        return name_or_folder
    if not _is_on_disk(name_or_folder):
        entry = _of_source(name_or_folder)
        return entry.key if entry else name_or_folder
    place = Path(name_or_folder).resolve()
    for entry in known.values():
        if entry.is_local and Path(entry.source).resolve() == place:
            return entry.key
    for key, folder in BUNDLED.items():
        if folder.resolve() == place:
            return key
    return f"{place.stem if place.is_file() else place.name}-{_digits_of(place)}"


def spoken_name(name_or_folder: str) -> str:
    """The key as sentences have it: of a folder or file its bare name, unless that is a key."""
    key, known = catalogue_key(name_or_folder), known_models()
    bare = key[: -_DIGITS - 1]
    return key if key in known or bare in known or not _is_on_disk(name_or_folder) else bare


def _digits_of(place: Path, *, read: bool = True) -> str:
    revision = ""
    with contextlib.suppress(OSError, SourceError):  # its loading says what is wrong
        revision = models.revisions.of_place(place, read=read)
    if not revision:
        return hashlib.sha256(os.fsencode(place)).hexdigest()[:_DIGITS]
    return revision.removeprefix("sha256:")[:_DIGITS]


def digits_in(key: str, *, named: Collection[str], read: bool = True) -> str:
    """The first digits of the revision of a folder or file; "" of any other model.

    Those of one that is not listed are in its key. The weights of a listed one are read for it, if
    scores were measured on one of that name, perhaps before it was listed.

    Args:
        key: of the model.
        named: what scores were measured on.
        read: whether weights may be read for it; if not, only digits are found that are known.

    >>> digits_in("checkpoint-500-3fa2b1", named=()), digits_in("gpt2", named=())
    ('3fa2b1', '')
    """
    entry = known_models().get(key)
    if entry is None:
        match = _WITH_DIGITS.fullmatch(key)
        return match[1] if match else ""
    listed_only = entry.is_local and not entry.is_bundled and not entry.is_gone
    if listed_only and portable_source(entry.source) in named:
        return _digits_of(Path(entry.source), read=read)
    return ""


def same_model(name: str) -> str:
    """The key that a model's many names have in common; of an unknown name the name itself.

    Ids on the Hub know no capitals, and elsewhere a model goes by the end of its id.

    >>> same_model("GPT2"), same_model("openai-community/gpt2"), same_model("someone/gpt2")
    ('gpt2', 'gpt2', 'someone/gpt2')
    """
    known = known_models()
    if name in known:
        return name
    asked = name.lower()
    asked = _ELSEWHERE.get(asked, asked)
    for entry in known.values():
        if not entry.is_local and asked in _names(entry):
            return entry.key
    return name


def _names(entry: CatalogueEntry) -> set[str]:
    source = entry.source.lower()
    return {entry.key.lower(), source, source.rpartition("/")[2]}


def _is_on_disk(name: str) -> bool:
    """Whether this is a folder or file; what it holds is seen when it is loaded."""
    # Unlike those of Path, these take a name that is too long for the disk.
    return bool(name.strip()) and (os.path.isdir(name) or os.path.isfile(name))


def folder_of(source: str) -> Path | None:
    """The folder that a source means; None where it means something else.

    A Hub id of the catalogue is never one, whatever lies in the folder that the server runs in.
    """
    entry, place = _of_source(source), Path(source)
    return (
        place if source.strip() and not (entry and not entry.is_local) and place.is_dir() else None
    )


def resolve_source(name_or_folder: str) -> str:
    """Turn a key, a folder, a GGUF file or a Hub id into what is loaded.

    A folder or file becomes an absolute path, which no Hub id looks like.

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
    if _is_on_disk(given):
        return os.path.abspath(given)
    if is_hub_id(given) or package_of(given):
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
