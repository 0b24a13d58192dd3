"""A model is built one at a time, and only where its description fits its files.

While transformers builds a model it changes things for the whole process: torch's default numbers,
how modules begin, whether weights are tied. Two threads that build at once leave some of it behind,
and every later model is refused. So whatever builds one holds :data:`ONE_AT_A_TIME`.

>>> with ONE_AT_A_TIME:  # doctest: +SKIP
...     model = AutoModelForCausalLM.from_pretrained(folder)
"""

from __future__ import annotations

import copy
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from safetensors import safe_open
from transformers import AutoConfig, AutoModelForCausalLM

from headroles.errors import (
    HeadrolesError,
    ModelUnavailableError,
    NoRoomError,
    UnsupportedModelError,
    ours,
)
from headroles.models import weight_files
from headroles.models.catalogue import spoken_name
from headroles.models.refusals import Step, explained, line_of, unavailable

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedModel

ONE_AT_A_TIME = threading.RLock()
"""Held while transformers builds a model, or a library that uses it; never while one downloads."""

MOST_LAYERS = 1_000
"""What a configuration may say at any rate, whatever the weights hold."""
_LAYERS = re.compile(r"(num|n)_(\w+_)?(layers?|blocks?)")
_KINDS = {torch.float32: "F32", torch.bfloat16: "BF16"}
"""How safetensors call the numbers that a model runs in."""
_BYTES = 4
"""Of a number in memory, at most."""


@dataclass(frozen=True)
class Stored:
    """What the headers of a model's safetensors say."""

    kinds: dict[str, str]
    """{name of a tensor: how its numbers are stored, e.g. ``BF16``}."""
    numbers: int
    """How many numbers there are in all."""


def stored_in(folder: Path, key: str = "") -> Stored:
    """Read the headers of a folder's weights: each is checked against its file, no number is read.

    Raises:
        ModelUnavailableError: if there are none, or one is damaged.
    """
    kinds, numbers = {}, 0
    for path in weight_files.weights_in(folder, key):

        def damaged(error: BaseException, path: Path = path) -> ModelUnavailableError:
            why = f"Its {path.name} is damaged, or was cut off ({line_of(error)})."
            return ModelUnavailableError(key or folder.name, why=why, is_folder=True)

        with ours(damaged), safe_open(path, framework="pt") as weights:
            for name in weights.keys():  # noqa: SIM118 - it is no mapping
                part = weights.get_slice(name)
                kinds[name] = part.get_dtype()
                size = 1
                for length in part.get_shape():
                    size *= length
                numbers += size
    return Stored(kinds, numbers)


def stored_or_none(folder: Path) -> Stored | None:
    """What the headers of a folder's weights say; None where their loading says what is wrong."""
    try:
        return stored_in(folder)
    except HeadrolesError:
        return None


def read_config(source: str, place: str) -> PretrainedConfig | None:
    """The configuration of a model; None where a folder has none, as one of a tokenizer alone.

    Args:
        source: what is to be loaded, for its name.
        place: the folder with its files, or the Hub id of one in the Hub's cache.

    Raises:
        ModelUnavailableError, UnsupportedModelError: if it cannot be read, or says what no model
            can be.
    """
    key, folder = spoken_name(source), Path(place)
    if folder.is_dir():
        said = weight_files.check_folder(folder, key)
        if not said:
            return None
        check_layers(said, stored_or_none(folder), key)
    explain = explained(source, place, during=Step.CONFIG)
    with ours(explain):
        config = AutoConfig.from_pretrained(place, trust_remote_code=False)
        text = config.get_text_config()
    for name in ("num_hidden_layers", "num_attention_heads", "vocab_size"):
        number = setting(text, name)
        if isinstance(number, int) and number < 1:
            raise unavailable(source, f"Its config.json says {name} = {number}.")
    return config


def setting(config: PretrainedConfig, name: str) -> object:
    """A setting of a configuration; None where it has none, or a different one for each layer."""
    try:
        return getattr(config, name, None)
    except Exception:  # transformers refuses to give one for all layers
        return None


def rows_of(config: PretrainedConfig | None) -> int | None:
    """How many tokens a configuration promises embeddings for."""
    rows = setting(config.get_text_config(), "vocab_size") if config else None
    return rows if isinstance(rows, int) else None


def check_layers(said: dict[str, object], stored: Stored | None, key: str) -> None:
    """Refuse a configuration of more layers than there are tensors: they would all be laid out.

    Raises:
        ModelUnavailableError: if it says so.
    """
    most = max(MOST_LAYERS, len(stored.kinds) if stored else 0)
    for name, value in _numbers_in(said):
        if _LAYERS.fullmatch(name) and value > most:
            why = f"Its config.json says {name} = {value:,}, and its weights hold "
            why += f"{len(stored.kinds):,} tensors." if stored else "far less."
            raise ModelUnavailableError(key, why=why, is_folder=True)


def _numbers_in(said: object) -> Iterator[tuple[str, float]]:
    if isinstance(said, dict):
        for name, value in said.items():
            if isinstance(value, int | float):
                yield name, value
            yield from _numbers_in(value)


def check_size(config: PretrainedConfig, stored: Stored, key: str, *, available: int) -> None:
    """Refuse what describes far more numbers than the weights hold, before any are allocated.

    Args:
        config: the model's.
        stored: what its weights hold.
        key: for the error's sentence.
        available: bytes of memory that are free.

    Raises:
        ModelUnavailableError: if there are more than twice as many (tied weights are stored once).
        NoRoomError: if what it lays out besides its weights does not fit into memory.
    """
    model = _laid_out(config)
    if model is None:
        return
    described = sum(part.numel() for part in {*model.parameters()})
    is_packed = getattr(config, "quantization_config", None)
    if described > 2 * stored.numbers and not is_packed:
        why = (
            f"Its weights do not fit its config.json, which describes {described:,} numbers; they "
            f"hold {stored.numbers:,}."
        )
        raise ModelUnavailableError(key, why=why, is_folder=True)
    besides = sum(part.numel() * part.element_size() for part in model.buffers())
    needs = besides + (_BYTES * described if is_packed else 0)
    if needs > available:
        raise NoRoomError(key, needs=needs, available=available, shortened=False)


def _laid_out(config: PretrainedConfig) -> PreTrainedModel | None:
    """The model's shapes without its numbers; None where building it will say what is wrong."""
    own = copy.deepcopy(config)  # building writes into it
    try:
        with ONE_AT_A_TIME, torch.device("meta"):
            return AutoModelForCausalLM.from_config(own, attn_implementation="eager")
    except Exception:  # whatever transformers raises, it raises again when it loads the weights
        return None


def check_loaded(
    model: PreTrainedModel, info: dict[str, set], stored: Stored | None, key: str
) -> None:
    """Refuse a model whose weights were not all in its files, or were not what they are taken for.

    Args:
        model: as transformers loaded it.
        info: what transformers says of the loading.
        stored: what the files hold, where they are a folder's.
        key: for the error's sentence.

    Raises:
        ModelUnavailableError: if weights are missing, or there are more of them: whole layers, or
            biases and scales of modules that the model runs without.
        UnsupportedModelError: if they are whole numbers that stand for others (quantised).
    """
    missing, more = info["missing_keys"], info["unexpected_keys"]
    if missing:  # transformers fills them with random numbers and only warns
        why = f"{len(missing)} weights are missing, e.g. {min(missing)}."
        raise ModelUnavailableError(key, why=why, is_folder=True)
    names = dict(model.named_parameters())
    alike = {_any_layer(name) for name in names}
    owners = {name.rpartition(".")[0] for name in names}
    if left := [
        name
        for name in more
        for whole in (name, f"{model.base_model_prefix}.{name}")
        if _any_layer(whole) in alike or whole.rpartition(".")[0] in owners
    ]:
        why = f"Its weights hold more than its config.json says, e.g. {min(left)}."
        raise ModelUnavailableError(key, why=why, is_folder=True)
    kinds = stored.kinds if stored else {}
    for name in names:
        kind = kinds.get(name, kinds.get(name.removeprefix(f"{model.base_model_prefix}."), "F32"))
        if kind[0] in "IU" and getattr(model, "hf_quantizer", None) is None:
            raise UnsupportedModelError(
                key,
                why=f"its weights are whole numbers ({name} is {kind}), and its config.json does "
                "not say how to unpack them.",
                hint="Take the same model in 16 or 32 bits, or as a GGUF file.",
            )


def unmap(model: PreTrainedModel, stored: Stored) -> None:
    """Give a model its own copy of weights that are views of their file, as those are that run in
    the numbers in which they are stored.

    Whoever writes into that file (training in place) would change a model that runs, and whoever
    cuts it off would end the process.
    """
    views = {None, *stored.kinds.values()}
    for part in (*model.parameters(), *model.buffers()):
        if _KINDS.get(part.dtype) in views:
            part.data = part.data.clone()


def _any_layer(name: str) -> str:
    """The name of a weight, whatever its layer.

    >>> _any_layer("model.layers.12.mlp.up_proj.weight")
    'model.layers.*.mlp.up_proj.weight'
    """
    return re.sub(r"\.\d+\.", ".*.", name)
