"""How a model is loaded, ready for capture.

Attention is captured through *probes*: modules inside every attention layer whose output is the
attention pattern ``[batch head query key]``. :mod:`headroles.models.probes` finds their places with
one forward pass over a few tokens, and refuses a model whose layers do not each show one pattern.

>>> loaded = load_model("demo")  # doctest: +SKIP
>>> loaded.num_layers, loaded.num_heads  # doctest: +SKIP
(4, 8)
"""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from huggingface_hub.errors import HFValidationError
from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig

from headroles.errors import (
    ModelUnavailableError,
    SourceError,
    UnknownModelError,
    UnsupportedModelError,
    ours,
)
from headroles.models import building, hub, memory, precision, revisions, tl_legacy
from headroles.models.catalogue import (
    catalogue_key,
    folder_of,
    foreign_tokenizer,
    is_trusted,
    known_models,
    offered_sources,
    package_of,
    pinned_revision,
    resolve_source,
    spoken_name,
)
from headroles.models.gguf_files import converted, note_of, revision_of, task_of
from headroles.models.positions import context_length
from headroles.models.preparing import prepare, sweep
from headroles.models.probes import install_probes, register_attention
from headroles.models.refusals import Step, explain_failures, explained, unavailable
from headroles.models.weight_files import WHOLE, has_weights
from headroles.texts import MAX_TOKENS, StartToken, known_ids, start_token

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


SMALL = 10_000_000
"""A model of fewer parameters than this runs on one core."""
STEP = 50_000_000_000
"""Parameters x tokens of a step of a page's work; 370 tokens of SmolLM2 take 1.8 s of one core."""
MOST_CORES = torch.get_num_threads()
"""What the machine has, or the environment variable OMP_NUM_THREADS allows."""


@dataclass(frozen=True, eq=False)
class LoadedModel:
    """A model in memory with its probes, shared by every session of the app."""

    key: str
    """The name under which its scores are stored."""
    source: str
    """The folder, GGUF file, package or Hub id that it came from."""
    model: PreTrainedModel
    """The transformers model, in eval mode, in float32 or bfloat16."""
    tokenizer: PreTrainedTokenizerBase
    start: StartToken
    """What stands at position 0 of every prompt."""
    num_layers: int
    num_heads: int
    """Query heads per layer."""
    context_length: int
    """Positions that the model was made for."""
    probe_paths: tuple[str, ...]
    """[layer] dotted path of each layer's probe module."""
    lock: threading.RLock = field(default_factory=threading.RLock)
    """Held around every run: a PyVene run hooks the shared model."""
    quantization: str | None = None
    """How the file that it was made from stores its weights, e.g. ``Q4_1``; None where that was no
    GGUF file."""
    tools: dict[str, object] = field(default_factory=dict)
    """What other modules build once per model (the PyVene collector); it goes with the model."""
    revision: str = ""
    """What pins the very weights in memory (:func:`model_revision` as it was loaded): others may
    lie in their place by now."""
    state: revisions.State = ()
    """Of the files that they came from, before they were read."""

    @property
    def weights(self) -> tuple[str, str]:
        """Where the weights in memory came from, and what pins them: a name for what is made of
        them."""
        return self.source, self.revision

    @property
    def max_tokens(self) -> int:
        """Longest prompt that is run, BOS included."""
        return min(self.context_length, MAX_TOKENS)

    @property
    def precision(self) -> str:
        """The numbers that it runs in: ``float32`` or ``bfloat16``."""
        return str(self.model.dtype).removeprefix("torch.")

    def use_cores(self, count: int) -> None:
        """Let the passes of this thread use so many cores; those of a small model use one.

        Torch splits an operation among threads that wait for each other. Where one of them has no
        core to itself, a pass of milliseconds takes a second; and an operation of a small model is
        over before a second thread has begun.
        """
        count = 1 if self._num_parameters < SMALL else max(1, min(count, MOST_CORES))
        torch.set_num_threads(count)

    @property
    def tokens_a_step(self) -> int:
        """Tokens that a step of a page's work runs together: a second or two on one core.

        A step is never cut. While it runs, Stop waits for it, and so does everybody else who uses
        the model; and a processor runs more tokens at once no faster, each of them for itself.
        """
        return max(1, STEP // self._num_parameters)

    @cached_property
    def _num_parameters(self) -> int:
        return sum(parameter.numel() for parameter in self.model.parameters())

    def nameless(self, size: int) -> Tensor:
        """[id] which of the first ``size`` ids no token has: embeddings are padded to round sizes.

        A model may give them logits, and nobody can read them.
        """
        key = f"nameless {size}"
        if key not in self.tools:
            named = set(known_ids(self.tokenizer))
            self.tools[key] = torch.tensor(
                [token_id for token_id in range(size) if token_id not in named], dtype=torch.long
            )
        return self.tools[key]

    @property
    def shape(self) -> tuple[int, int]:
        """Layers, and query heads per layer."""
        return self.num_layers, self.num_heads

    @property
    def num_kv_heads(self) -> int:
        """Key/value heads per layer; fewer than ``num_heads`` where query heads share them."""
        config = self.model.config.get_text_config()
        return getattr(config, "num_key_value_heads", None) or self.num_heads


def load_model(
    name_or_folder: str | os.PathLike[str], *, progress: hub.Progress | None = None
) -> LoadedModel:
    """Load a model and its tokenizer, put the probes in and check them.

    Args:
        name_or_folder: a catalogue key, a folder in Hugging Face format, a GGUF file or a folder
            with one, or a Hub id.
        progress: told the bytes that are here and those that there will be, while it downloads or
            converts.

    Raises:
        UnknownModelError: if there is no such model.
        HubAnswerError: if the Hub knows no such model, or does not give it to everybody.
        ModelUnavailableError: if its files cannot be read (no network, no such files), or others
            come in their place meanwhile.
        SourceError: if its GGUF file or package cannot be had or read.
        UnsupportedModelError: if it is no decoder-only model, or its attention cannot be captured.
        NoRoomError: if its weights do not fit into the free memory, not even in 16 bits.
    """
    name_or_folder = os.fspath(name_or_folder)
    source, name = resolve_source(name_or_folder), spoken_name(name_or_folder)
    place = local_files(source, progress=progress)
    with building.ONE_AT_A_TIME:
        state = revisions.state_of(source)
        tokenizer = load_tokenizer(source)
        free = memory.available_memory()
        numbers = precision.choose(name, stored_numbers(source), available=free)
        key, revision = catalogue_key(name_or_folder), model_revision(source)
        model = load_weights(source, name, numbers=numbers)
        if revisions.state_of(source) != state:
            raise unavailable(source, "Its files changed while they were being read.")
        with ours(explained(source, place, during=Step.TRIAL)):
            shape = _tried(model, tokenizer, name)
    explain_failures(model, name)
    return LoadedModel(
        key=key,
        source=source,
        model=model,
        tokenizer=tokenizer,
        quantization=quantization(source),
        revision=revision,
        state=state,
        **shape,
    )


def _tried(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, name: str
) -> dict[str, object]:
    """What a pass over a few tokens shows of a model, by the fields of :class:`LoadedModel`."""
    paths, num_heads = install_probes(model, name)
    rows = model.get_input_embeddings().weight.shape[0]
    context = context_length(model) or MAX_TOKENS
    if context < 2:
        raise UnsupportedModelError(name, why="it reads no more than one token.")
    return {
        "start": start_token(tokenizer, rows=rows),
        "num_layers": len(paths),
        "num_heads": num_heads,
        "context_length": context,
        "probe_paths": paths,
    }


def local_files(source: str, *, progress: hub.Progress | None = None) -> str:
    """What ``from_pretrained`` should be given: a folder on this disk, downloaded if need be.

    A model without safetensors on its own branch is refused, unless it is of the catalogue: then
    transformers takes the copy that the Hub itself converted, and the source is returned as it is.

    A GGUF file, and a package that holds one, is converted once; this is the folder made of it.

    Raises:
        HubAnswerError, ModelUnavailableError, SourceError: if it is not here and cannot be had.
        UnsupportedModelError: if its weights are pickled.
    """
    if task := task_of(source):
        return str(prepare(task, progress=progress))
    if folder_of(source) or _has_converted_copy(source):
        return source
    revision = pinned_revision(source)
    try:
        if tokenizer := foreign_tokenizer(source):
            place = tl_legacy.bring(
                source, tokenizer=tokenizer, revision=revision, progress=progress
            )
            return str(place)
        folder = hub.fetch(source, revision, progress=progress, known=offered_sources())
    except ModelUnavailableError as error:  # the Hub knows it by another name than the student
        raise unavailable(source, error.why) from error
    if folder is None and not is_trusted(source):
        raise hub.no_safetensors(source)
    return source if folder is None else str(folder)


def _has_converted_copy(source: str) -> bool:
    """Whether the Hub's conversion of a catalogue model is on this disk, as another snapshot."""
    is_hubs = source in offered_sources()
    here = hub.cached(source, pinned_revision(source)) if is_hubs else None
    return bool(here and not has_weights(here) and any(here.parent.glob(f"*/{WHOLE}")))


def is_here(name_or_folder: str) -> bool:
    """Whether a model's files are on this disk, so that loading it needs no network.

    Raises:
        UnknownModelError: if there is no such model.
    """
    source = resolve_source(name_or_folder)
    return _on_this_disk(source) is not None or _has_converted_copy(source)


def _on_this_disk(source: str) -> Path | None:
    """The folder that a model is loaded from, if it is here with its weights and tokenizer."""
    if task := task_of(source):
        return converted(task.sha256)
    if folder := folder_of(source):
        return folder
    find = tl_legacy.here if foreign_tokenizer(source) else hub.whole
    return find(source, pinned_revision(source))


def stored_numbers(source: str) -> int:
    """How many numbers the weights of a folder or of a model on this disk hold; 0 if unknown.

    Read from the headers of its safetensors; for a catalogue model without any on its own branch
    it is the catalogue's size.
    """
    folder = _on_this_disk(source)
    stored = building.stored_or_none(folder) if folder else None
    known = (entry.size for entry in known_models().values() if entry.source == source)
    return (stored.numbers if stored else 0) or next(known, 0)


def quantization(source: str) -> str | None:
    """How the GGUF file that a model is made from stores its weights, e.g. ``Q4_1``.

    None where it is no GGUF file, or one of somebody's own that was not converted yet.
    """
    if package := package_of(source):
        return package.quantization
    folder = _on_this_disk(source)
    return note_of(folder).get("quantization") if folder else None


def fits_whole(name_or_folder: str) -> bool:
    """Whether a model that is on this disk fits into the free memory as it should run.

    That is float32, unless ``HEADROLES_PRECISION`` asks for something else.
    """
    wanted = precision.wanted()
    numbers = stored_numbers(resolve_source(name_or_folder))
    kind = precision.FLOAT32 if wanted == precision.AUTO else wanted
    return precision.needed_bytes(numbers, kind) <= memory.available_memory()


def fetch_model(name_or_folder: str, *, progress: hub.Progress | None = None) -> None:
    """Bring a model's files to this disk, so that loading it needs no network.

    Raises:
        UnknownModelError, HubAnswerError, ModelUnavailableError, UnsupportedModelError: as
            :func:`load_model`.
    """
    local_files(resolve_source(name_or_folder), progress=progress)


def sweep_unfinished(name: str) -> int:
    """Remove the parts of a model's files that no process is downloading any more.

    Args:
        name: a catalogue key, GGUF file or Hub id; for a folder of weights there is nothing to do.

    Returns:
        How many files, or folders of them, were removed.
    """
    try:
        source = resolve_source(name)
        if task := task_of(source):
            return sweep(task.sha256)
    except (UnknownModelError, SourceError):
        return 0
    if folder_of(source):
        return 0
    tokenizer = foreign_tokenizer(source)
    return hub.sweep(source) + (hub.sweep(tokenizer) if tokenizer else 0)


def load_tokenizer(source: str) -> PreTrainedTokenizerBase:
    """Load the fast tokenizer of a folder or Hub id.

    Raises:
        ModelUnavailableError: if its files cannot be read.
        UnsupportedModelError: if it has only a slow one, asks for code of its own, or has nothing
            to stand at position 0.
    """
    try:
        place = local_files(source)
    except HFValidationError as error:
        raise ModelUnavailableError(source, why="there is no such folder.") from error
    with building.ONE_AT_A_TIME:
        config = building.read_config(source, place)
        with ours(explained(source, place, during=Step.TOKENIZER)):
            tokenizer = AutoTokenizer.from_pretrained(place, trust_remote_code=False)
            if not tokenizer.is_fast:
                raise UnsupportedModelError(
                    spoken_name(source),
                    why="it has no fast tokenizer (a tokenizer.json), which says where in the text "
                    "every token stands.",
                )
            # One that has no files is made up from the configuration alone.
            if not tokenizer("a", add_special_tokens=False)["input_ids"]:
                raise unavailable(source, "It has no tokenizer.")
            # The analysis and the app take the same one.
            start_token(tokenizer, rows=building.rows_of(config))
    return tokenizer


def model_revision(source: str) -> str:
    """What pins the weights on this disk now: the Hub commit, or a digest of the weight files or
    the GGUF file. That of a model in memory is :attr:`LoadedModel.revision`.

    Raises:
        ModelUnavailableError, SourceError: if the files cannot be read.
    """
    if task := task_of(source):
        return revision_of(task.sha256)
    if folder := folder_of(source):
        with ours(explained(source, folder, during=Step.WEIGHTS)):
            return revisions.of_place(folder) or "unknown"
    # The cache keeps every file in a folder that is named after the commit it came from.
    cached = hub.cached(source, pinned_revision(source))
    return cached.name if cached else "unknown"


def load_weights(source: str, key: str, *, numbers: str = precision.FLOAT32) -> PreTrainedModel:
    """Load a model's weights: safetensors only, no code of its own, none missing.

    Args:
        source: a folder or Hub id.
        key: the name for error messages.
        numbers: what they run in, ``float32`` or ``bfloat16``; the analysis always takes float32.

    Raises:
        ModelUnavailableError: if its files cannot be read.
        UnsupportedModelError: if it is no decoder-only model.
        NoRoomError: if its configuration asks for more memory than there is.
    """
    register_attention()
    place = local_files(source)
    with building.ONE_AT_A_TIME:
        config = building.read_config(source, place)
        if config is None:
            raise unavailable(source, "It has no config.json.")
        if config.is_encoder_decoder:
            raise UnsupportedModelError(key, why="it is an encoder-decoder model.")
        stored = building.stored_in(Path(place), key) if Path(place).is_dir() else None
        if stored:
            building.check_size(config, stored, key, available=memory.available_memory())
        with ours(explained(source, place, during=Step.WEIGHTS)):
            model, info = AutoModelForCausalLM.from_pretrained(
                place,
                config=config,
                dtype=getattr(torch, numbers),
                attn_implementation="eager",
                generation_config=GenerationConfig(),  # it is never asked to go on by itself
                use_safetensors=True,
                trust_remote_code=False,
                output_loading_info=True,
            )
            building.check_loaded(model, info, stored, key)
            if stored and folder_of(source):
                building.unmap(model, stored)
    return model.eval().requires_grad_(False)
