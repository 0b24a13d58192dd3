"""Which models the reference scores hold, and on which weights; nothing is validated here.

Pickers ask this on every click, before anything of pydantic is imported. Scores are only ever read
by :mod:`headroles.store.categories`.

>>> held()["demo"].source  # doctest: +SKIP
'data/demo_model'
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

from headroles import disk, paths
from headroles.errors import CategoriesBrokenError, OtherWeightsError
from headroles.models import catalogue

if TYPE_CHECKING:
    from headroles.store.schema import ModelEntry


class Held(NamedTuple):
    """One entry, in short."""

    source: str
    """What its scores were measured on: a Hub id, package, or name of a folder."""
    revision: str
    """What pins those weights."""


_readings: dict[Path, tuple[disk.Stamp, dict[str, Held]]] = {}


def held(path: Path | None = None) -> dict[str, Held]:
    """The entries of the file by model; of a damaged file what was last read, or nothing."""
    path = path or paths.CATEGORIES
    stamp = disk.stamp(path)
    if stamp is None:
        return {}
    known = _readings.get(path)
    if known is None or known[0] != stamp:
        good = _read(path)
        if good is None:
            good = known[1] if known else _newest_version(path)
        known = _readings[path] = (stamp, good)
    return known[1]


class _Measured(Protocol):
    source: str
    revision: str


def key_in(scores: Mapping[str, _Measured], model: str, *, read: bool = True) -> str | None:
    """The key under which the scores of a model lie, whichever of its names that is; or None.

    Its own key goes first. The entry of a folder is found by its weights, whatever the folder was
    called when it was analysed.

    Args:
        scores: the entries of the file.
        model: any of its names.
        read: whether the weights of a folder may be read for that. If not, those count that this
            process has read before, as when it loaded the model.
    """
    if model in scores:
        return model
    asked = catalogue.same_model(model)
    named = [one.source for one in scores.values()]
    digits = catalogue.digits_in(model, named=named, read=read)
    same = [
        key
        for key, one in scores.items()
        if catalogue.same_model(key) == asked
        or (digits and one.revision.startswith(f"sha256:{digits}"))
    ]
    return min(same, key=lambda key: not scores[key].revision, default=None)  # ours go first


def other_weights(scores: _Measured, source: str, revision: str) -> tuple[str, str] | None:
    """What scores were measured on and what the model is, where these are different weights.

    A name is no identity: a folder may have the name of another one, and a model of the Hub may
    have changed. Where nothing pins one of the two, nobody knows, and they count as the same.

    Args:
        scores: an entry of the file.
        source: of the model.
        revision: what pins the model's weights; "" where that is not known.
    """
    now = catalogue.portable_source(source)
    if scores.source != now and catalogue.is_hub_id(scores.source) and catalogue.is_hub_id(now):
        return scores.source, now
    if scores.revision != revision and _pins(scores.revision) and _pins(revision):
        return f"revision {scores.revision}", f"revision {revision}"
    return None


def check_weights(entry: ModelEntry, source: str, revision: str) -> None:
    """Refuse scores that were measured on other weights than those of a model.

    Raises:
        OtherWeightsError: with both.
    """
    if other := other_weights(entry, source, revision):
        name = catalogue.name_of(entry.model_name)
        raise OtherWeightsError(name, model=entry.model_name, measured=other[0], now=other[1])


def check_shape(entry: ModelEntry, shape: tuple[int, int]) -> None:
    """Refuse scores of another shape than the model's.

    Args:
        entry: the scores.
        shape: (layers, heads per layer) of the model.

    Raises:
        CategoriesBrokenError: with both.
    """
    if (entry.num_layers, entry.num_heads) != shape:
        raise CategoriesBrokenError(
            paths.CATEGORIES.name,
            why=f"'{entry.model_name}' has {shape[0]} layers of {shape[1]} heads, and the file "
            f"says {entry.num_layers} of {entry.num_heads}.",
        )


def _pins(revision: str) -> bool:
    digits = revision.removeprefix("sha256:")
    is_hexadecimal = not set(digits) - set("0123456789abcdef")
    return is_hexadecimal and (len(digits) == 40 or (digits != revision and len(digits) >= 16))


def _newest_version(path: Path) -> dict[str, Held]:
    versions = map(_read, disk.earlier_versions(path))
    return next((good for good in versions if good is not None), {})


def _read(path: Path) -> dict[str, Held] | None:
    try:
        plain = json.loads(disk.read(path)[0])
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(plain, dict):
        return None
    return {
        model: Held(str(entry.get("source") or ""), str(entry.get("revision") or ""))
        for model, entry in plain.items()
        if isinstance(entry, dict) and not model.startswith("_")
    }
