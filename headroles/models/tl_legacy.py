"""Models that are published in TransformerLens' form: fetched, converted once, then a folder.

The attention-only models of the catalogue (``attn-only-1l``, ``attn-only-2l``) lie on the Hub as a
state dict (``*final.pth``) beside a ``config.json`` in TransformerLens' terms, and their tokenizer
lies in a repository of its own. TransformerLens 4 reads them the same way
(``model_bridge/sources/tl_legacy.py``). The file is a pickle, so torch reads nothing but numbers
from it (``weights_only``). What :mod:`headroles.attention_only` makes of them is kept in the Hub's
cache, beside the files that it was made from, and goes when those are deleted.

>>> bring("NeelNanda/Attn_Only_2L512W_C4_Code", tokenizer=TL_TOKENIZER)  # doctest: +SKIP
PosixPath('.../models--NeelNanda--Attn_Only_2L512W_C4_Code/headroles-1/0123...')
"""

from __future__ import annotations

import contextlib
import json
import shutil
import tempfile
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from transformers import PreTrainedTokenizerFast

from headroles.errors import DiskError, ModelUnavailableError, UnsupportedModelError, ours
from headroles.models import hub
from headroles.models.building import ONE_AT_A_TIME
from headroles.models.catalogue import TL_TOKENIZER
from headroles.models.tl_to_gpt2 import NORMS, convert
from headroles.models.weight_files import has_weights

if TYPE_CHECKING:
    from torch import Tensor

"""The tokenizer of the published attention-only models; their ``config.json`` names it."""

FORM = 1
"""Grows when the conversion changes, so that older folders are made anew."""

CONFIG, ENDING, TOKENS = "config.json", "final.pth", "tokenizer.json"
_NOT_THE_TOKENIZERS = {CONFIG, "generation_config.json"}


def here(source: str, revision: str | None = None) -> Path | None:
    """The folder of a converted model on this disk, if it is here as a whole."""
    raw = hub.snapshot(source, CONFIG, revision)
    folder = raw and _folder(raw)
    return folder if folder and _is_whole(folder) else None


def bring(
    source: str,
    *,
    tokenizer: str = TL_TOKENIZER,
    revision: str | None = None,
    progress: hub.Progress | None = None,
    timeout: float = hub.TIMEOUT,
) -> Path:
    """The folder of a converted model, fetched and converted if it is not here.

    Args:
        source: the Hub id of the weights.
        tokenizer: the Hub id of the tokenizer.
        revision: the commit of the weights; None for what the Hub calls ``main``.
        progress: told the bytes that are here and those that there will be.
        timeout: seconds after which the Hub counts as unreachable.

    Raises:
        HubAnswerError, ModelUnavailableError: if the files are not here and cannot be had, or
            cannot be read.
        UnsupportedModelError: if it is no attention-only model that a GPT-2 can stand for.
        DiskError: if the disk does not take the files.
    """
    if ready := here(source, revision):
        return ready
    if not (_weights(source, revision) and hub.snapshot(tokenizer, TOKENS)):
        _fetch(source, tokenizer, revision, progress, timeout)
    weights = _weights(source, revision)
    if weights is None:
        raise _unreadable(source, "its files are not where they were put.")
    return _converted(source, weights, tokenizer)


def weights_among(names: Collection[str]) -> list[str]:
    """The one file with the final weights, as TransformerLens chooses it; empty without one."""
    return [name for name in names if "/" not in name and name.endswith(ENDING)][:1]


def config_of(source: str, raw: object, *, tokenizer: str = TL_TOKENIZER) -> dict[str, object]:
    """``config.json`` in TransformerLens' terms as that of a GPT-2.

    Raises:
        UnsupportedModelError: if it is no attention-only model that a GPT-2 can stand for.
    """

    raw = raw if isinstance(raw, Mapping) else {}
    norm = raw.get("normalization", raw.get("normalization_type"))
    if raw.get("attn_only") is not True:
        raise UnsupportedModelError(source, why="it is no attention-only model.")
    if raw.get("shortformer_pos"):
        why = "its positions are added to queries and keys only (shortformer)."
        raise UnsupportedModelError(source, why=why)
    if norm not in NORMS:
        raise UnsupportedModelError(source, why=f"its norm '{str(norm)[:20]}' is no layer norm.")
    if raw.get("tokenizer_name", tokenizer) != tokenizer:
        why = f"its tokenizer is '{str(raw['tokenizer_name'])[:60]}', not the expected one."
        raise UnsupportedModelError(source, why=why)
    return {
        "model_type": "gpt2",
        "n_layer": raw.get("n_layers"),
        "n_head": raw.get("n_heads"),
        "n_embd": raw.get("d_model"),
        "n_positions": raw.get("n_ctx"),
        "vocab_size": raw.get("d_vocab"),
        "tie_word_embeddings": False,
    }


# ------------------------------------------------------------------ the files


def _folder(raw: Path) -> Path:
    """Where what is made of a snapshot lies: beside ``snapshots``, which is the Hub's own."""
    return raw.parent.parent / f"headroles-{FORM}" / raw.name


def _is_whole(folder: Path) -> bool:
    return has_weights(folder) and (folder / TOKENS).is_file()


def _weights(source: str, revision: str | None) -> Path | None:
    """The downloaded weights, if they are here with their configuration."""
    raw = hub.snapshot(source, CONFIG, revision)
    names = weights_among(sorted(path.name for path in raw.iterdir())) if raw else []
    return raw / names[0] if names else None


def _fetch(
    source: str,
    tokenizer: str,
    revision: str | None,
    progress: hub.Progress | None,
    timeout: float,
) -> None:
    """Download the tokenizer's small files, the configuration, and the weights last."""
    _, sizes = hub.asked(source, lambda: hub.describe(source, revision, timeout), timeout=timeout)
    weights = weights_among(sizes)
    if not weights or CONFIG not in sizes:
        raise UnsupportedModelError(source, why=f"it has no {CONFIG} or no *{ENDING} any more.")
    _, others = hub.asked(
        tokenizer, lambda: hub.describe(tokenizer, None, timeout), timeout=timeout
    )
    small = [name for name in hub.small_files(others) if name not in _NOT_THE_TOKENIZERS]
    if TOKENS not in small:
        raise UnsupportedModelError(source, why=f"its tokenizer '{tokenizer}' has no {TOKENS}.")
    hub.download(
        [
            hub.Part(tokenizer, None, {name: others[name] for name in small}),
            hub.Part(source, revision, {name: sizes[name] for name in [CONFIG, *weights]}),
        ],
        progress=progress,
    )


# ------------------------------------------------------------------ the conversion


def _converted(source: str, weights: Path, tokenizer: str) -> Path:
    """Convert into a folder beside the final one, which then appears as a whole or not at all."""

    raw = _read_config(source, weights.parent / CONFIG)
    config_of(source, raw, tokenizer=tokenizer)
    norm = raw.get("normalization", raw.get("normalization_type"))
    state = _read(source, weights)
    why = f"{weights.name} does not hold the weights of a model of this kind."
    with ONE_AT_A_TIME, ours(lambda _: _unreadable(source, why)):
        made = convert(state, has_gain=NORMS[norm], name=source).model
    fast = _tokenizer(source, tokenizer)
    if len(fast) > made.config.vocab_size:
        raise UnsupportedModelError(source, why="its tokenizer has more tokens than the model.")
    folder = _folder(weights.parent)
    try:
        with _appearing(folder) as place:
            made.save_pretrained(place)
            fast.save_pretrained(place)
    except OSError as error:
        if not _is_whole(folder):  # else another process was quicker
            raise DiskError(folder, error) from error
    return folder


@contextlib.contextmanager
def _appearing(folder: Path) -> Iterator[Path]:
    """A place to write into, which takes the folder's name once everything is written."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    place = Path(tempfile.mkdtemp(dir=folder.parent, prefix="."))
    try:
        place.chmod(0o755)
        yield place
        if not _is_whole(folder):
            shutil.rmtree(folder, ignore_errors=True)
            place.rename(folder)
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _read_config(source: str, path: Path) -> dict[str, object]:
    try:
        config = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise _unreadable(source, f"its {CONFIG} cannot be read.") from error
    return config if isinstance(config, dict) else {}


def _read(source: str, path: Path) -> dict[str, Tensor]:
    """The state dict: numbers only, whatever else the pickle asks for."""
    why = (
        f"{path.name} is damaged, or holds more than numbers, which are all that is read. "
        f"Delete it to have it fetched anew: {path}."
    )
    with ours(lambda _: _unreadable(source, why)):
        state = torch.load(path, map_location="cpu", weights_only=True)
    if not isinstance(state, Mapping):
        raise _unreadable(source, f"{path.name} holds no weights by name.")
    return {str(name): part for name, part in state.items() if isinstance(part, torch.Tensor)}


def _tokenizer(source: str, tokenizer: str) -> object:
    """The tokenizer, exactly as its ``tokenizer.json`` says."""
    place = hub.snapshot(tokenizer, TOKENS)
    with ours(lambda _: _unreadable(source, "its tokenizer cannot be read.")):
        # Not AutoTokenizer: a class made for a family may build its own splitting of digits.
        return PreTrainedTokenizerFast.from_pretrained(str(place))


def _unreadable(source: str, why: str) -> ModelUnavailableError:
    return ModelUnavailableError(source, why=why)
