"""The models that students can choose, and in which state each of them is.

They are those of the project and of the instructor's list, and the Hub ids that the reference
scores hold. Nothing here asks the network or imports more than the standard library.

>>> mark(choice("demo"))  # doctest: +SKIP
'ready'
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from headroles import paths, store
from headroles.formatting import size
from headroles.models import catalogue, listed, on_disk
from headroles.models.catalogue import CatalogueEntry

READY, NOT_ANALYSED, GONE = "ready", "not analysed yet", "its files are gone"
OTHER_WEIGHTS = "analysed with other weights"


class Choice(NamedTuple):
    """A model in its present state."""

    entry: CatalogueEntry
    is_here: bool
    """Whether its files are on this disk."""
    scores: str
    """Its reference scores: ``ready``, ``not analysed yet``, or ``analysed with other weights``."""


def offered(*, hidden: bool = False) -> list[str]:
    """The models that can be chosen, in their order.

    Args:
        hidden: with those that the list hides.
    """
    also = [key for key, held in store.contents.held().items() if _may_join(key, held.source)]
    return catalogue.offered_keys(also, hidden=hidden)


def _may_join(key: str, source: str) -> bool:
    """Whether an entry of the file names a model of the Hub; a folder is never taken from there."""
    return (
        source in ("", key)  # an entry that was made elsewhere may not say it
        and catalogue.same_model(key) == key
        and catalogue.is_hub_id(key)
        and not any((base / key).exists() for base in (Path.cwd(), paths.ROOT))
    )


def choice(key: str) -> Choice:
    """A model in its present state.

    Raises:
        UnknownModelError: if there is none of that key.
    """
    entry = catalogue.entry_of(key)
    return Choice(entry, on_disk.is_here(entry), _scores(entry))


def _scores(entry: CatalogueEntry) -> str:
    held = store.contents.held()
    key = store.contents.key_in(held, entry.key, read=False)  # the first paint waits for this
    if key is None:
        return NOT_ANALYSED
    is_other = store.contents.other_weights(held[key], entry.source, entry.revision or "")
    return OTHER_WEIGHTS if is_other else READY


# ------------------------------------------------------------------ words


def mark(choice: Choice) -> str:
    """A model's state in a few words, e.g. ``ready`` or ``93 MB to download``."""
    if choice.entry.is_gone:
        return GONE
    return choice.scores if choice.is_here else download_words(choice.entry)


def state_words(choice: Choice) -> str:
    """A model's whole state, for an instructor, e.g. ``93 MB to download, not analysed yet``."""
    words = on_disk.fault(choice.entry) or mark(choice)
    scores = "" if choice.scores in (READY, words) else f", {choice.scores}"
    return f"{words}{scores}"


def download_words(entry: CatalogueEntry) -> str:
    """What is still to be downloaded."""
    return f"{size(entry.download_bytes)} to download" if entry.download_bytes else "to download"


def names(keys: Sequence[str]) -> dict[str, str]:
    """{key: name} for a menu, without the state, which takes longer to find out."""
    return _told_apart({key: catalogue.entry_of(key).name.partition(" (")[0] for key in keys})


def labels(keys: Sequence[str]) -> dict[str, str]:
    """{key: name and state} for a picker, short enough for the sidebar and each another one."""
    return _told_apart({key: _label(choice(key)) for key in keys})


def _told_apart(labels: dict[str, str]) -> dict[str, str]:
    many = Counter(labels.values())
    return {key: label if many[label] == 1 else f"{label} ({key})" for key, label in labels.items()}


def _label(choice: Choice) -> str:
    name = choice.entry.name.partition(" (")[0]  # what stands in brackets is told below the picker
    return f"{name} · {mark(choice)}"


def about(choice: Choice) -> str:
    """What there is to know about a model, in sentences."""
    entry = choice.entry
    facts = [f"{entry.parameters} parameters"] if entry.size else []
    facts += [f"{entry.family} family"] if entry.family else []
    facts += [f"{entry.quantization} weights"] if entry.quantization else []
    facts += [f"{size(entry.memory_bytes)} in memory"] if entry.size else []
    sentences = [entry.about, f"{', '.join(facts)}." if facts else "", _state(choice)]
    sentences.append(f"Licence: {entry.licence}." if entry.licence else "")
    return " ".join(sentence for sentence in sentences if sentence)


def _state(choice: Choice) -> str:
    if choice.entry.is_gone:
        return "Its files are no longer on this server."
    amount = size(choice.entry.download_bytes) if choice.entry.download_bytes else "Its files"
    download = "" if choice.is_here else f"{amount} to download, once. "
    return download + ("" if choice.scores == READY else f"{choice.scores.capitalize()}.")


def damage() -> str:
    """Why the instructor's list is not in use as it stands; "" where it is."""
    fault = listed.read().fault
    return fault.message if fault else ""
