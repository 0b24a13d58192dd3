"""The form of ``data/models.toml``, and one clear sentence for each way in which a file misses it.

>>> parse(b'hide = ["bloom-560m"]').hide
frozenset({'bloom-560m'})
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from headroles.errors import ModelListError, ModelNotListedError, near_match
from headroles.models.builtin import CATALOGUE, DEFAULT_MODEL, CatalogueEntry
from headroles.models.catalogue import is_hub_id
from headroles.models.listed import FILE, ModelList
from headroles.paths import ROOT

ENCODING = "utf-8-sig"
"""UTF-8, with or without the mark that Windows' editors put in front."""
MOST = 200
"""Most models in a list."""
LONGEST = 300
"""Most characters of a text; of a path ten times as many."""

KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
"""What reads well in the address of a page."""
REVISION = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._/-]{0,99}")
"""A commit, a branch or a tag."""
SOURCES = ("hub", "folder", "gguf")
"""Where a model may come from: one of them for each."""


def _printable(text: str) -> str:
    if not text.strip() or not text.isprintable():
        raise ValueError("is empty or holds characters that cannot be seen")
    return text.strip()


Line = Annotated[str, Field(max_length=LONGEST), AfterValidator(_printable)]
Place = Annotated[str, Field(max_length=10 * LONGEST), AfterValidator(_printable)]


class ListedModel(BaseModel):
    """One ``[[model]]`` of the file."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    key: Line | None = None
    """Its name in addresses and in the reference scores; a Hub id may go without."""
    hub: Line | None = None
    revision: Line | None = None
    """Of the Hub id: a commit, branch or tag."""
    folder: Place | None = None
    gguf: Place | None = None
    name: Line | None = None
    about: Line | None = None
    licence: Line | None = None

    @property
    def label(self) -> str:
        """What it is called in a sentence."""
        return self.key or self.hub or self.folder or self.gguf or ""


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    order: list[str] = Field(default=[], max_length=2 * MOST)
    hide: list[str] = Field(default=[], max_length=2 * MOST)
    model: list[ListedModel] = Field(default=[], max_length=MOST)


class _Wrong(Exception):  # noqa: N818 - :func:`parse` turns it into a ModelListError
    """What is wrong, as a sentence."""


def parse(raw: bytes, *, name: str = FILE, folder: Path = Path()) -> ModelList:
    """The list in a file.

    Args:
        raw: the file's bytes.
        name: of the file, for the sentence.
        folder: where its relative paths begin.

    Raises:
        ModelListError: with one sentence, if anything in it is wrong.
    """
    try:
        file = _File.model_validate(tomllib.loads(raw.decode(ENCODING)))
        entries: dict[str, CatalogueEntry] = {}
        for number, model in enumerate(file.model, start=1):
            try:
                entry = _entry_of(model, folder)
                _refuse_twice(entry, entries)
            except _Wrong as wrong:
                raise _Wrong(f"model {number} ('{model.label[:60]}'): {wrong}") from None
            entries[entry.key] = entry
        for field in ("order", "hide"):
            _check_keys(field, getattr(file, field), entries)
    except ValidationError as error:
        raise ModelListError(name, why=_sentence(error)) from error
    except UnicodeDecodeError as error:
        raise ModelListError(name, why="it is not UTF-8 text.") from error
    except (ValueError, RecursionError) as error:
        why = f"it is not valid TOML: {str(error)[:LONGEST] or 'too many brackets'}."
        raise ModelListError(name, why=why) from error
    except _Wrong as wrong:
        raise ModelListError(name, why=str(wrong)) from None
    return ModelList(entries, tuple(file.order), frozenset(file.hide))


def checked(fields: Mapping[str, str]) -> CatalogueEntry:
    """A model that is not in the list yet as an entry.

    Args:
        fields: {field: text} as in the file; a path is absolute.

    Raises:
        ModelNotListedError: with one sentence, if the list cannot take it.
    """
    label = next((fields[field] for field in ("key", *SOURCES) if field in fields), "")
    try:
        return _entry_of(ListedModel(**fields), Path())
    except ValidationError as error:
        raise ModelNotListedError(label, why=_sentence(error)) from error
    except _Wrong as wrong:
        raise ModelNotListedError(label, why=str(wrong)) from None


def as_key(name: str) -> str:
    """A name made fit to be a key, with a hyphen for whatever a key may not hold.

    >>> as_key("Our model (2)")
    'Our-model-2'
    """
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-._")[:64] or "model"


def _entry_of(model: ListedModel, folder: Path) -> CatalogueEntry:
    """A listed model as an entry; a path in it becomes absolute."""
    given = [field for field in SOURCES if getattr(model, field) is not None]
    if len(given) != 1:
        raise _Wrong(f"it needs one of {', '.join(SOURCES)}, and has {', '.join(given) or 'none'}.")
    if model.hub is None:
        if model.revision is not None:
            raise _Wrong("a revision goes with a Hub id only.")
        source = os.path.abspath(folder / os.path.expanduser(getattr(model, given[0])))
        if model.gguf and not source.lower().endswith(".gguf"):
            raise _Wrong(
                f"'{model.gguf[:80]}' is not the name of a GGUF file: it must end in .gguf."
            )
    else:
        source = _checked_hub_id(model)
    key = model.key or model.hub
    if key is None:
        raise _Wrong("it has no key.")
    if key != model.hub and not KEY.fullmatch(key):
        raise _Wrong(
            "its key does not work in an address: use letters, digits, dots, hyphens and "
            "underscores, 64 at most."
        )
    return CatalogueEntry(
        key,
        model.name or key,
        source,
        family="",
        size=0,
        licence=model.licence or "",
        about=model.about or "",
        revision=model.revision,
    )


def _checked_hub_id(model: ListedModel) -> str:
    hub_id = model.hub or ""
    if not is_hub_id(hub_id) or ".." in hub_id or "--" in hub_id:
        raise _Wrong(f"'{hub_id[:80]}' is not an id on the Hugging Face Hub, such as owner/name.")
    if any((base / hub_id).exists() for base in (Path.cwd(), ROOT)):  # it would be loaded instead
        raise _Wrong(f"there is also a folder '{hub_id[:80]}' on this server.")
    revision = model.revision
    if revision is not None and (
        not REVISION.fullmatch(revision) or ".." in revision or revision.endswith("/")
    ):
        raise _Wrong(f"'{revision[:80]}' is not a revision: give a commit, a branch or a tag.")
    return hub_id


def _refuse_twice(entry: CatalogueEntry, before: dict[str, CatalogueEntry]) -> None:
    if entry.key in CATALOGUE:
        raise _Wrong(f"'{entry.key}' is a model that comes with headroles; choose another key.")
    if entry.key in before:
        raise _Wrong(f"the key '{entry.key}' was used before.")
    for known in (*CATALOGUE.values(), *before.values()):
        if known.source == entry.source or known.key == entry.source:
            raise _Wrong(f"it is the same model as '{known.key}'.")
        if known.source == entry.key:
            raise _Wrong(f"its key is the source of '{known.key}'; choose another key.")


def _check_keys(field: str, keys: Sequence[str], entries: dict[str, CatalogueEntry]) -> None:
    known = [*CATALOGUE, *entries]
    for number, key in enumerate(keys, start=1):
        if key in keys[: number - 1]:
            raise _Wrong(f"`{field}` names '{key[:80]}' twice.")
        # A Hub id may be of the reference scores, which change without this file.
        if key not in known and not is_hub_id(key):
            raise _Wrong(
                f"`{field}`, entry {number}: there is no model '{key[:80]}'."
                f"{near_match(key[:80], known)}"
            )
    if field == "hide" and DEFAULT_MODEL in keys:
        raise _Wrong(f"`hide`: every visit begins with '{DEFAULT_MODEL}', so it cannot be hidden.")


_ABOVE = ("order", "hide")
"""Fields of the file itself, which TOML counts to a model where they stand below one."""


def _sentence(error: ValidationError) -> str:
    """The first of pydantic's errors in our words."""
    first = error.errors(include_url=False)[0]
    *above, field = first["loc"] or ("",)
    place = f"model {above[1] + 1}: " if above[:1] == ["model"] and len(above) > 1 else ""
    if isinstance(field, int):
        place, field = f"`{above[0]}`, entry {field + 1}: ", "it"
    else:
        field = f"`{str(field)[:80]}`"
    if place and first["loc"][-1] in _ABOVE:
        return f"{place}{field} belongs above the first [[model]]; below one, it is a part of it."
    if first["loc"] == ("model",) and isinstance(first["input"], dict):
        return "[model] has too few brackets: a model begins with [[model]]."
    if first["type"] == "extra_forbidden":
        known = ListedModel.model_fields if place else _File.model_fields
        return f"{place}there is no field {field}.{near_match(field.strip('`'), known)}"
    why = re.sub(r"^(Value error,|Input|String|List|Tuple) ", "", first["msg"])
    return f"{place}{field} {why}."
