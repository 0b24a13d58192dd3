"""The writer of the instructor's list of models, ``data/models.toml``; comments in it stay.

Every change is checked as a whole before it replaces the file, under the file's lock and in one
step, and what it replaces is kept in ``history/``, so that it can be undone. Read by
:mod:`headroles.models.listed`.

>>> add({"hub": "EleutherAI/pythia-1b", "name": "Pythia 1B"})  # doctest: +SKIP
>>> undo()  # doctest: +SKIP
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

import tomlkit
from tomlkit import TOMLDocument
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import AoT

from headroles.errors import (
    HeadrolesError,
    ModelListError,
    ModelNotListedError,
    UnknownModelError,
    near_match,
)
from headroles.models import catalogue, list_file, listed
from headroles.store import files, versions

LOCK_SECONDS = 30
"""How long a writer waits for another one."""

HEADER = """\
# The models that students can choose, besides those that come with headroles. Edit it by hand,
# with "python -m scripts.models_list", or on the Admin page; it is read again when it changes.
#
# order = ["demo", "my-model"]        # these come first; keys of headroles' own models too
# hide = ["bloom-560m"]               # these are not offered
#
# [[model]]                           # one for each model, with one of hub, folder and gguf
# key = "my-model"                    # in addresses and in the reference scores
# hub = "EleutherAI/pythia-1b"        # an id on the Hugging Face Hub, and its commit or branch:
# revision = "main"
# folder = "/srv/models/ours"         # or a folder as save_pretrained writes it
# gguf = "/srv/models/ours.gguf"      # or a GGUF file
# name = "Our model"                  # what students read; this and the rest may be left out
# about = "Trained on our own texts."
# licence = "MIT"

"""


class NotInListError(HeadrolesError):
    """A model that is to leave the list, and is not in it."""

    def __init__(self, key: str, known: Sequence[str]) -> None:
        own = "It comes with headroles: it can be hidden, but not removed."
        super().__init__(
            f"The list of models holds no '{key}'.{near_match(key, known)}",
            hint=own if key in catalogue.CATALOGUE else "Nothing was changed.",
            value=key,
        )


def add(model: Mapping[str, str], file: Path | None = None) -> str:
    """Add a model at the end.

    Args:
        model: {field: text} as in the file; see :class:`headroles.models.list_file.ListedModel`.
        file: another list than the server's.

    Returns:
        Its key.

    Raises:
        ModelListError: if the file is damaged.
        ModelNotListedError: if the model is not as it should be.
        DiskError, FileBusyError: if the disk or another writer is in the way; nothing changes.
    """

    if not model.get("key") and not model.get("hub"):
        raise ModelNotListedError("", why="it needs a key, or the id of a model on the Hub.")

    def change(document: TOMLDocument) -> None:
        table = tomlkit.table()
        table.update(model)
        table.add(tomlkit.nl())
        _tables(document).append(table)

    _edit(change, file)
    return model.get("key") or model["hub"]


def remove(key: str, file: Path | None = None) -> None:
    """Remove a listed model; its reference scores stay.

    Raises:
        NotInListError: if the list does not have it; one of the project can only be hidden.
        ModelListError, ModelNotListedError, DiskError, FileBusyError: as :func:`add`.
    """

    def change(document: TOMLDocument) -> None:
        tables = document.get("model", [])
        places = [
            place for place, table in enumerate(tables) if table.get("key", table.get("hub")) == key
        ]
        if not places:
            known = [table.get("key", table.get("hub")) for table in tables]
            raise NotInListError(key, known)
        del tables[places[0]]
        if not tables:
            del document["model"]
        for field in ("order", "hide"):
            _set(document, field, [name for name in document.get(field, []) if name != key])

    _edit(change, file)


def hide(key: str, file: Path | None = None) -> None:
    """Leave a model out of the pickers.

    Raises:
        UnknownModelError: if there is no such model.
        ModelListError, ModelNotListedError, DiskError, FileBusyError: as :func:`add`.
    """
    _edit(lambda document: _set(document, "hide", [*_without(document, "hide", key), key]), file)


def show(key: str, file: Path | None = None) -> None:
    """Offer a hidden model again.

    Raises:
        ModelListError, ModelNotListedError, DiskError, FileBusyError: as :func:`add`.
    """
    _edit(lambda document: _set(document, "hide", _without(document, "hide", key)), file)


def order(keys: Sequence[str], file: Path | None = None) -> None:
    """Put some models first, in this order; none for the order that there is without a list.

    Raises:
        ModelListError, ModelNotListedError, DiskError, FileBusyError: as :func:`add`.
    """
    _edit(lambda document: _set(document, "order", list(keys)), file)


def undo(file: Path | None = None) -> None:
    """Bring back what the last change replaced; undone once more, the change is back.

    It also replaces a damaged file.

    Raises:
        ModelListError: if nothing is kept that could come back.
        DiskError, FileBusyError: if the disk or another writer is in the way; nothing changes.
    """
    file = file or listed.path()
    with files.writing(file, wait=LOCK_SECONDS):
        if not versions.bring_back(file, is_good=partial(_is_good, file)):
            raise ModelListError(file.name, why="there is no earlier version of it.")


def can_undo(file: Path | None = None) -> bool:
    """Whether an earlier version of the list is kept."""
    return bool(versions.kept(file or listed.path()))


# ------------------------------------------------------------------ the file


def _edit(change: Callable[[TOMLDocument], None], file: Path | None) -> None:
    file = file or listed.path()
    with files.writing(file, wait=LOCK_SECONDS), _explained(file):
        raw = files.bytes_of(file) if file.exists() else HEADER.encode()
        if raw is None:
            raise ModelListError(file.name, why="it cannot be read.")
        list_file.parse(raw, name=file.name, folder=file.parent)
        document = tomlkit.parse(raw.decode(list_file.ENCODING))
        change(document)
        new = tomlkit.dumps(document).encode()
        if new == raw:
            return
        try:
            list_file.parse(new, name=file.name, folder=file.parent)
        except ModelListError as error:
            raise ModelNotListedError(file.name, why=error.why) from error
        if not file.exists():  # so that the first change can be undone as well
            files.replace_file(file, raw)
        versions.replace(file, new, is_good=partial(_is_good, file))


@contextlib.contextmanager
def _explained(file: Path) -> Iterator[None]:
    try:
        yield
    except TOMLKitError as error:
        raise ModelListError(file.name, why=f"it is not valid TOML: {error}.") from error


def _is_good(file: Path, raw: bytes) -> bool:
    with contextlib.suppress(ModelListError):
        list_file.parse(raw, name=file.name, folder=file.parent)
        return True
    return False


def _tables(document: TOMLDocument) -> AoT:
    """The models of the file, as ``[[model]]`` each; those written as one list become such."""
    if not isinstance(document.get("model"), AoT):
        models = document.pop("model", [])
        document["model"] = tomlkit.aot()
        document["model"].extend(tomlkit.item(dict(model)) for model in models)
    return document["model"]


def _without(document: TOMLDocument, field: str, key: str) -> list[str]:
    known = catalogue.known_models()
    if key not in known and not catalogue.is_hub_id(key):
        raise UnknownModelError(key, known=known)
    return [name for name in document.get(field, []) if name != key]


def _set(document: TOMLDocument, field: str, keys: list[str]) -> None:
    """Set a list of keys; an empty one goes, and one that is the same stays as it is written."""
    if keys == document.get(field, []):
        return
    if not keys:
        del document[field]
    elif field in document:
        document[field].clear()
        document[field].extend(keys)
    else:
        document[field] = keys
