"""Whether a model can be analysed, and how large it is, before any of its weights is downloaded.

:func:`inspect_model` looks a model up by its files' names and sizes and its ``config.json``; no
weight is read or downloaded. It takes the keys of the catalogue and ids of the Hugging Face Hub,
never a folder, because the name comes from a browser. What cannot be analysed here is refused with
its own sentence: code of its own, weights that are no safetensors, no attention heads.

>>> inspect_model("demo").num_layers  # doctest: +SKIP
4
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from huggingface_hub.errors import HFValidationError
from huggingface_hub.utils import validate_repo_id
from transformers import CONFIG_MAPPING
from transformers.models.auto.modeling_auto import (
    MODEL_FOR_CAUSAL_LM_MAPPING_NAMES,
    MODEL_FOR_MASKED_LM_MAPPING_NAMES,
)

from headroles.errors import ModelNameError, ModelUnavailableError, UnsupportedModelError, ours
from headroles.models import building, tl_legacy
from headroles.models.catalogue import (
    CatalogueEntry,
    foreign_tokenizer,
    is_hub_id,
    known_models,
    offered_sources,
    pinned_revision,
    resolve_source,
)
from headroles.models.gguf_files import converted, original
from headroles.models.hub import (
    TIMEOUT,
    asked,
    cached,
    content,
    describe,
    missing,
    no_safetensors,
    small_files,
    weights_on_hub,
)
from headroles.models.loading import local_files, model_revision
from headroles.models.refusals import line_of
from headroles.models.weight_files import (
    LARGEST_CONFIG,
    WHOLE,
    check_folder,
    has_weights,
    weights_in,
)
from headroles.paths import ROOT


@dataclass(frozen=True)
class ModelFacts:
    """What can be known about a model without its weights."""

    key: str
    """The catalogue key or Hub id; also the name that a job is started with."""
    source: str
    """The folder of the bundled model, the package, or the Hub id."""
    revision: str
    """What pins the weights: the Hub commit, or a digest of the bundled file."""
    num_layers: int
    num_heads: int
    """Query heads per layer."""
    width: int
    """Of the residual stream."""
    vocabulary: int
    parameters: int
    """All numbers in the weight files."""
    download_bytes: int
    """What is still to be downloaded; 0 when all of it is on this disk."""
    is_tied: bool = True
    """Whether one matrix serves as embedding and unembedding."""
    stored_bytes: int | None = None
    """Of the weight files; None for 32-bit numbers."""

    @property
    def computed_parameters(self) -> int:
        """Those outside the embeddings: what every token is multiplied with."""
        tables = 1 if self.is_tied else 2
        return max(0, self.parameters - tables * self.vocabulary * self.width)


@dataclass(frozen=True)
class _Found:
    """A model's description, from the disk or from the Hub."""

    config: object
    revision: str
    parameters: int
    stored_bytes: int
    download_bytes: int


def inspect_model(name: str, *, timeout: float = TIMEOUT) -> ModelFacts:
    """Look a model up and refuse what cannot be analysed; no weight is downloaded.

    Args:
        name: a catalogue key, or an id of the Hugging Face Hub such as ``EleutherAI/pythia-160m``.
        timeout: seconds after which the Hub counts as unreachable, retries included.

    Raises:
        ModelNameError: if it is neither, looks like a path, or is the name of a folder here.
        HubAnswerError: if the Hub knows no such model, or does not give it to everybody.
        ModelUnavailableError: if there is no network, or the Hub does not answer.
        UnsupportedModelError: if it needs code of its own, has no safetensors, no attention heads,
            or is no decoder-only language model.
    """
    entry = _catalogued(name)
    if entry is None:
        _check_name(name)
    key, source = (entry.key, entry.source) if entry else (name, name)
    if entry and entry.package:
        description = _packaged(entry)
    elif entry and entry.is_local:
        # A listed GGUF file is converted here, which takes seconds, once.
        folder = Path(local_files(resolve_source(key)))
        description = _in_folder(key, folder, revision=model_revision(source))
    else:
        trusted = entry is not None
        description = _on_disk(source, trusted=trusted) or _on_hub(source, timeout, trusted=trusted)
    config = _checked_config(key, description.config)
    return ModelFacts(
        key=key,
        source=source,
        revision=description.revision,
        num_layers=_count(key, config, "num_hidden_layers"),
        num_heads=_count(key, config, "num_attention_heads"),
        width=_count(key, config, "hidden_size"),
        vocabulary=_count(key, config, "vocab_size"),
        parameters=description.parameters,
        download_bytes=description.download_bytes,
        is_tied=bool(getattr(config, "tie_word_embeddings", True)),
        stored_bytes=description.stored_bytes,
    )


# ------------------------------------------------------------------ the name


def _catalogued(name: str) -> CatalogueEntry | None:
    """The catalogue's entry of a key or Hub id; the bundled model's folder is not a name."""
    for entry in known_models().values():
        if name == entry.key or (name == entry.source and not entry.is_local):
            return entry
    return None


def _check_name(name: str) -> None:
    if not is_hub_id(name):
        raise ModelNameError(name, known=known_models())
    try:
        validate_repo_id(name)
    except HFValidationError:
        raise ModelNameError(name, known=known_models()) from None
    # transformers would load the folder instead, and a browser does not choose folders.
    if any((base / name).exists() for base in (Path.cwd(), ROOT)):
        raise ModelNameError(name, known=known_models(), is_folder=True)


# ------------------------------------------------------------------ the files


def _in_folder(key: str, folder: Path, *, revision: str, config_in: Path | None = None) -> _Found:
    """A model that lies in a folder or in the Hub's cache."""
    config = check_folder(config_in or folder, key)
    stored = building.stored_in(folder, key)
    size = sum(path.stat().st_size for path in weights_in(folder, key))
    return _Found(config, revision, stored.numbers, size, download_bytes=0)


def _packaged(entry: CatalogueEntry) -> _Found:
    """A model of the Python Package Index: what the catalogue says until it is here."""
    package = entry.package
    revision = model_revision(entry.source)
    if folder := converted(package.sha256):
        return _in_folder(entry.key, folder, revision=revision)
    to_come = 0 if original(package.sha256).is_file() else package.wheel_bytes
    return _Found(dict(package.config), revision, entry.size, 4 * entry.size, to_come)


def _on_disk(source: str, *, trusted: bool) -> _Found | None:
    """The model in the Hub's cache, if its weights are there as a whole."""
    folder = cached(source, pinned_revision(source))
    if folder is None:
        return None
    if made := tl_legacy.here(source, pinned_revision(source)):
        return _in_folder(source, made, revision=folder.name)
    if has_weights(folder):
        return _in_folder(source, folder, revision=folder.name)
    # A catalogue model's safetensors may lie on the Hub's conversion branch, another snapshot.
    for whole in folder.parent.glob(f"*/{WHOLE}") if trusted else ():
        return _in_folder(source, whole.parent, revision=folder.name, config_in=folder)
    return None


# ------------------------------------------------------------------ the Hub


def _on_hub(source: str, timeout: float, *, trusted: bool) -> _Found:
    """The model's description on the Hub; its errors as sentences."""
    return asked(
        source,
        lambda: _ask_hub(source, timeout, trusted=trusted),
        timeout=timeout,
        known=offered_sources(),
    )


def _ask_hub(source: str, timeout: float, *, trusted: bool) -> _Found:
    """Two questions: the list of files, and ``config.json``."""
    try:
        info, sizes = describe(source, pinned_revision(source), timeout)
        if not 0 < sizes.get("config.json", 0) <= LARGEST_CONFIG:
            raise UnsupportedModelError(source, why="it has no config.json that says what it is.")
        tokenizer = foreign_tokenizer(source)
        weights = (
            tl_legacy.weights_among(sizes)
            if tokenizer
            else weights_on_hub(source, info.sha, sizes, timeout)
        )
        if not weights and not trusted:
            raise no_safetensors(source)
        config = content(source, "config.json", info.sha, timeout)
        if tokenizer:
            config = tl_legacy.config_of(source, config, tokenizer=tokenizer)
    except (ValueError, KeyError, TypeError) as error:
        why = "the Hugging Face Hub's answer cannot be understood."
        raise ModelUnavailableError(source, why=why) from error
    # A catalogue model without safetensors has a copy of the same size on the conversion branch.
    weights = weights or [name for name in ("pytorch_model.bin",) if name in sizes]
    total = info.safetensors.total if info.safetensors else 0
    stored = sum(sizes[name] for name in weights)
    parameters = total or stored // _bytes_of_a_number(config)
    small = ["config.json"] if tokenizer else small_files(sizes)
    to_come = missing(source, info.sha, {*small, *weights})
    return _Found(config, info.sha, parameters, stored, sum(sizes[name] for name in to_come))


def _bytes_of_a_number(config: object) -> int:
    named = config if isinstance(config, Mapping) else {}
    kind = str(named.get("dtype") or named.get("torch_dtype"))
    return 2 if kind.endswith("16") else 4


# ------------------------------------------------------------------ config.json


def _checked_config(key: str, raw: object) -> object:
    """The text model's configuration, or the sentence that says why not."""
    raw = raw if isinstance(raw, dict) else {}
    kind = raw.get("model_type")
    if raw.get("auto_map"):
        raise UnsupportedModelError(
            key, why="it needs code of its own (remote code), which this server does not run."
        )
    if not isinstance(kind, str) or kind not in CONFIG_MAPPING:
        raise UnsupportedModelError(
            key, why=f"transformers knows no architecture '{str(kind)[:40]}'."
        )
    with ours(_senseless(key)):
        config = CONFIG_MAPPING[kind].from_dict(raw)
    if config.is_encoder_decoder:
        raise UnsupportedModelError(key, why="it is an encoder-decoder model.")
    if kind not in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES:
        raise UnsupportedModelError(key, why="it is not a model that continues a text.")
    if kind in MODEL_FOR_MASKED_LM_MAPPING_NAMES and not getattr(config, "is_decoder", False):
        raise UnsupportedModelError(key, why="its tokens also look at the ones after them.")
    text = config.get_text_config()
    if not getattr(text, "num_attention_heads", None):
        raise UnsupportedModelError(key, why="it has no attention heads.")
    return text


def _senseless(key: str) -> Callable[[BaseException], UnsupportedModelError]:
    """The refusal of a configuration that transformers cannot read."""

    def explain(error: BaseException) -> UnsupportedModelError:
        return UnsupportedModelError(key, why=f"its config.json makes no sense ({line_of(error)}).")

    return explain


def _count(key: str, config: object, name: str) -> int:
    number = getattr(config, name, None)
    if isinstance(number, bool) or not isinstance(number, int) or not 0 < number < 2**31:
        raise UnsupportedModelError(key, why=f"its config.json gives no usable {name}.")
    return number
