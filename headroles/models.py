"""The catalogue of models, and how one is loaded ready for capture.

Attention is captured through *probes*: modules inside every attention layer whose output is the
attention pattern ``[batch head query key]``. Most families of transformers 5 hand their attention
to a function that can be chosen by name (``AttentionInterface``). The one registered here calls
the family's own eager function, so soft caps, sinks and sliding windows are the family's, and
passes the pattern through an ``nn.Identity`` called ``attention_probe``. If something on the
probe changes the pattern, be it in place, the output is computed anew from the changed one.
Families older than that interface (GPT-Neo, BLOOM) have a dropout module in the same place, which
does nothing at inference.

Which modules these are is asked of the model itself, by one forward pass over two tokens.

>>> loaded = load_model("demo")  # doctest: +SKIP
>>> loaded.num_layers, loaded.num_heads  # doctest: +SKIP
(4, 8)
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from headroles import converted, hub, memory, precision
from headroles.errors import ModelUnavailableError, UnknownModelError, UnsupportedModelError
from headroles.paths import ATTN_ONLY_1L, ATTN_ONLY_2L, BUNDLED, DEMO_MODEL
from headroles.tokens import MAX_TOKENS, StartToken, start_token

if TYPE_CHECKING:
    from torch import Tensor, nn
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

PROBE = "attention_probe"
"""Name of the probe module on each attention module."""

_IMPLEMENTATION = "headroles_probe"
_DROPOUTS = ("attn_dropout", "attention_dropout")
_HUB_ID = re.compile(r"\w[\w.-]*/\w[\w.-]*")


@dataclass(frozen=True)
class CatalogueEntry:
    """A model that the app offers."""

    key: str
    """The name in URLs, in ``head_categories.json`` and on the command line."""
    name: str
    """The name people read."""
    source: str
    """A folder, or an id on the Hugging Face Hub."""
    family: str
    """The architecture, for people; no code decides by it."""
    size: int
    """How many parameters; a table that serves twice counts once."""
    licence: str
    """The licence of the weights."""
    about: str
    """One line for students."""
    revision: str | None = None
    """The Hub commit that is loaded; None for whatever the Hub calls ``main``."""
    tokenizer: str | None = None
    """The Hub id of its tokenizer, where its weights are in TransformerLens' form (see
    :mod:`headroles.converted`); None for all other models."""

    @property
    def is_bundled(self) -> bool:
        """Whether it ships with the project and needs no network."""
        return self.key in BUNDLED

    @property
    def parameters(self) -> str:
        """How many parameters, for people, e.g. ``124 M``."""
        millions = self.size / 1e6
        return f"{millions:.0f} M" if millions >= 10 else f"{millions:.1f} M"

    @property
    def memory_bytes(self) -> int:
        """What it takes of the app's memory once it is loaded: its weights as 32-bit numbers."""
        return 4 * self.size


_APACHE = "Apache-2.0"
_SEE_PAGE = "see its page on huggingface.co"

# A revision stands here where several public records name the same commit; the other ones could not
# be known without the Hub, and none was compared with it yet.
CATALOGUE: dict[str, CatalogueEntry] = {
    entry.key: entry
    for entry in (
        CatalogueEntry(
            "demo",
            "Headroles demo (bundled)",
            str(DEMO_MODEL),
            "GPT-NeoX",
            1_153_792,
            "MIT",
            "A tiny model trained for this app on simple stories. Works without internet.",
        ),
        CatalogueEntry(
            "attn-only-1l-tiny",
            "Attention only, 1 layer (bundled)",
            str(ATTN_ONLY_1L),
            "GPT-NeoX",
            788_097,
            "MIT",
            "One layer of attention and nothing else, to be read from its weights.",
        ),
        CatalogueEntry(
            "attn-only-2l-tiny",
            "Attention only, 2 layers (bundled)",
            str(ATTN_ONLY_2L),
            "GPT-NeoX",
            855_042,
            "MIT",
            "Two layers of attention and nothing else: the smallest model with induction heads.",
        ),
        CatalogueEntry(
            "gpt2",
            "GPT-2 small",
            "openai-community/gpt2",
            "GPT-2",
            124_439_808,
            "MIT",
            "The model of most papers on attention heads. Downloads 550 MB once.",
            "607a30d783dfa663caf39e06633721c8d4cfcd7e",
        ),
        CatalogueEntry(
            "gpt2-medium",
            "GPT-2 medium",
            "openai-community/gpt2-medium",
            "GPT-2",
            354_823_168,
            "MIT",
            "GPT-2 with twice the layers: do the same roles come back? Downloads 1.5 GB once.",
            "6dcaa7a952f72f9298047fd5137cd6e4f05f41da",
        ),
        CatalogueEntry(
            "distilgpt2",
            "DistilGPT-2",
            "distilbert/distilgpt2",
            "GPT-2",
            81_912_576,
            _APACHE,
            "GPT-2 pressed into half the layers. Downloads 350 MB once.",
            "2290a62682d06624634c1f46a6ad5be0f47f38aa",
        ),
        CatalogueEntry(
            "pythia-14m",
            "Pythia 14M",
            "EleutherAI/pythia-14m",
            "GPT-NeoX",
            14_067_712,
            _APACHE,
            "The smallest Pythia, with four heads a layer; most of its numbers are its vocabulary.",
        ),
        CatalogueEntry(
            "pythia-70m",
            "Pythia 70M",
            "EleutherAI/pythia-70m",
            "GPT-NeoX",
            70_426_624,
            _APACHE,
            "A small research model with public training checkpoints. Downloads 170 MB once.",
            "a39f36b100fe8a5377810d56c3f4789b9c53ac42",
        ),
        CatalogueEntry(
            "pythia-160m",
            "Pythia 160M",
            "EleutherAI/pythia-160m",
            "GPT-NeoX",
            162_322_944,
            _APACHE,
            "The Pythia of GPT-2's shape: twelve layers of twelve heads.",
            "50f5173d932e8e61f858120bcb800b97af589f46",
        ),
        CatalogueEntry(
            "pythia-410m",
            "Pythia 410M",
            "EleutherAI/pythia-410m",
            "GPT-NeoX",
            405_334_016,
            _APACHE,
            "A larger Pythia, with the shape of GPT-2 medium.",
            "9879c9b5f8bea9051dcb0e68dff21493d67e9d4f",
        ),
        CatalogueEntry(
            "opt-125m",
            "OPT 125M",
            "facebook/opt-125m",
            "OPT",
            125_239_296,
            "OPT-175B licence (research)",
            "Meta's model of GPT-2's size. Downloads 250 MB once.",
        ),
        CatalogueEntry(
            "qwen2.5-0.5b",
            "Qwen2.5 0.5B",
            "Qwen/Qwen2.5-0.5B",
            "Qwen2",
            494_032_768,
            _APACHE,
            "A newer model in which seven query heads share a key. Downloads 1.0 GB once.",
            "060db6499f32faf8b98477b0a26969ef7d8b9987",
        ),
        CatalogueEntry(
            "qwen3-0.6b",
            "Qwen3 0.6B",
            "Qwen/Qwen3-0.6B",
            "Qwen3",
            596_049_920,
            _APACHE,
            "A newer model that was also taught to chat and to reason. Downloads 1.5 GB once.",
            "c1899de289a04d12100db370d81485cdf75e47ca",
        ),
        CatalogueEntry(
            "smollm2-135m",
            "SmolLM2 135M",
            "HuggingFaceTB/SmolLM2-135M",
            "Llama",
            134_515_008,
            _APACHE,
            "A Llama of GPT-2's size: thirty thin layers of nine heads. Downloads 270 MB once.",
            "93efa2f097d58c2a74874c7e644dbc9b0cee75a2",
        ),
        CatalogueEntry(
            "tinystories-33m",
            "TinyStories 33M",
            "roneneldan/TinyStories-33M",
            "GPT-Neo",
            68_514_048,
            _SEE_PAGE,
            "Four layers, trained only on stories that a small child understands.",
        ),
        CatalogueEntry(
            "bloom-560m",
            "BLOOM 560M",
            "bigscience/bloom-560m",
            "BLOOM",
            559_214_592,
            "BigScience RAIL 1.0",
            "A model of 46 human languages; nearly half of its numbers are its vocabulary.",
        ),
        CatalogueEntry(
            "attn-only-1l",
            "Attention only, 1 layer",
            "NeelNanda/Attn_Only_1L512W_C4_Code",
            "attention only",
            50_999_809,
            _SEE_PAGE,
            "TransformerLens' attn-only-1l: one layer and no MLP, trained on web text and code. "
            "Downloads about 200 MB once.",
            tokenizer=converted.TOKENIZER,
        ),
        CatalogueEntry(
            "attn-only-2l",
            "Attention only, 2 layers",
            "NeelNanda/Attn_Only_2L512W_C4_Code",
            "attention only",
            52_054_018,
            _SEE_PAGE,
            "TransformerLens' attn-only-2l: the smallest published model with induction heads. "
            "Downloads about 210 MB once.",
            tokenizer=converted.TOKENIZER,
        ),
    )
}
"""Every offered model by key; the first one is the default."""

DEFAULT_MODEL = next(iter(CATALOGUE))


@dataclass(frozen=True, eq=False)
class LoadedModel:
    """A model in memory with its probes, shared by every session of the app."""

    key: str
    """The name under which its scores are stored."""
    source: str
    """The folder or Hub id that it came from."""
    model: PreTrainedModel
    """The transformers model, in eval mode, in float32 or bfloat16."""
    tokenizer: PreTrainedTokenizerBase
    """Its fast tokenizer."""
    start: StartToken
    """What stands at position 0 of every prompt."""
    num_layers: int
    """Attention layers."""
    num_heads: int
    """Query heads a layer."""
    context_length: int
    """Positions that the model was made for."""
    probe_paths: tuple[str, ...]
    """[layer] dotted path of each layer's probe module."""
    lock: threading.RLock = field(default_factory=threading.RLock)
    """Held around every run: a PyVene run hooks the shared model."""
    tools: dict[str, object] = field(default_factory=dict)
    """What other modules build once a model (the PyVene collector); it goes when the model goes."""

    @property
    def max_tokens(self) -> int:
        """Longest prompt that is run, BOS included."""
        return min(self.context_length, MAX_TOKENS)

    @property
    def precision(self) -> str:
        """The numbers that it runs in: ``float32`` or ``bfloat16``."""
        return str(self.model.dtype).removeprefix("torch.")

    @property
    def num_kv_heads(self) -> int:
        """Key/value heads a layer; fewer than ``num_heads`` where query heads share them."""
        config = self.model.config.get_text_config()
        return getattr(config, "num_key_value_heads", None) or self.num_heads


def catalogue_key(name_or_folder: str) -> str:
    """The key under which a model's scores are stored: its catalogue key, or the name itself.

    >>> catalogue_key("openai-community/gpt2"), catalogue_key("someone/new-model")
    ('gpt2', 'someone/new-model')
    """
    for entry in CATALOGUE.values():
        if name_or_folder in (entry.key, entry.source):
            return entry.key
    folder = Path(name_or_folder)
    if folder.is_dir():
        return next(
            (key for key, place in BUNDLED.items() if place.resolve() == folder.resolve()),
            folder.resolve().name,
        )
    return name_or_folder


def resolve_source(name_or_folder: str) -> str:
    """Turn a catalogue key, a folder or a Hub id into what ``from_pretrained`` takes.

    Raises:
        UnknownModelError: if it is none of these.
    """
    if name_or_folder in CATALOGUE:
        return CATALOGUE[name_or_folder].source
    is_folder = name_or_folder.strip() and Path(name_or_folder).is_dir()  # Path("") is "."
    if is_folder or _HUB_ID.fullmatch(name_or_folder):
        return name_or_folder
    raise UnknownModelError(name_or_folder, known=CATALOGUE)


def load_model(name_or_folder: str, *, progress: hub.Progress | None = None) -> LoadedModel:
    """Load a model and its tokenizer, put the probes in and check them.

    Args:
        name_or_folder: a catalogue key, a folder in Hugging Face format, or a Hub id.
        progress: told the bytes that are here and those that there will be, while it downloads.

    Raises:
        UnknownModelError: if there is no such model.
        HubAnswerError: if the Hub knows no such model, or does not give it to everybody.
        ModelUnavailableError: if its files cannot be read (no network, no such files).
        UnsupportedModelError: if it is no decoder-only model, or its attention cannot be captured.
        NoRoomError: if its weights do not fit into the free memory, not even in 16 bits.
    """
    source = resolve_source(name_or_folder)
    key = catalogue_key(name_or_folder)
    local_files(source, progress=progress)
    tokenizer = load_tokenizer(source)
    numbers = precision.choose(key, stored_numbers(source), available=memory.available_memory())
    model = load_weights(source, key, numbers=numbers)
    paths, num_heads = _install_probes(model, key)
    text_config = model.config.get_text_config()
    return LoadedModel(
        key=key,
        source=source,
        model=model,
        tokenizer=tokenizer,
        start=start_token(tokenizer),
        num_layers=len(paths),
        num_heads=num_heads,
        context_length=getattr(text_config, "max_position_embeddings", None) or MAX_TOKENS,
        probe_paths=paths,
    )


def local_files(source: str, *, progress: hub.Progress | None = None) -> str:
    """What ``from_pretrained`` should be given: a folder on this disk, downloaded if need be.

    A model without safetensors on its own branch is refused, unless it is of the catalogue: then
    transformers takes the copy that the Hub itself converted, and the source is returned as it is.

    Raises:
        HubAnswerError, ModelUnavailableError: if it is not here and cannot be had.
        UnsupportedModelError: if its weights are pickled.
    """
    if Path(source).is_dir() or _has_converted_copy(source):
        return source
    revision = pinned_revision(source)
    try:
        if tokenizer := foreign_tokenizer(source):
            place = converted.bring(
                source, tokenizer=tokenizer, revision=revision, progress=progress
            )
            return str(place)
        folder = hub.fetch(source, revision, progress=progress, known=offered_sources())
    except ModelUnavailableError as error:  # the Hub knows it by another name than the student
        raise _unavailable(source, error.why) from error
    if folder is None and not _is_trusted(source):
        raise hub.no_safetensors(source)
    return source if folder is None else str(folder)


def foreign_tokenizer(source: str) -> str | None:
    """The tokenizer of a catalogue model in TransformerLens' form; None for every other model."""
    return next((one.tokenizer for one in CATALOGUE.values() if one.source == source), None)


def offered_sources() -> list[str]:
    """The Hub ids of the catalogue, which a mistyped one may have meant."""
    return [entry.source for entry in CATALOGUE.values() if not entry.is_bundled]


def _is_trusted(source: str) -> bool:
    return any(source == entry.source for entry in CATALOGUE.values())


def _has_converted_copy(source: str) -> bool:
    """Whether the Hub's conversion of a catalogue model is on this disk, as another snapshot."""
    here = hub.cached(source, pinned_revision(source)) if _is_trusted(source) else None
    return bool(here and not hub.has_weights(here) and any(here.parent.glob(f"*/{hub.WHOLE}")))


def is_here(name_or_folder: str) -> bool:
    """Whether a model's files are on this disk, so that loading it needs no network.

    Raises:
        UnknownModelError: if there is no such model.
    """
    source = resolve_source(name_or_folder)
    if Path(source).is_dir() or _has_converted_copy(source):
        return True
    return _on_this_disk(source) is not None


def _on_this_disk(source: str) -> Path | None:
    """The folder that a Hub model is loaded from, if it is here with its weights and tokenizer."""
    find = converted.here if foreign_tokenizer(source) else hub.whole
    return find(source, pinned_revision(source))


def pinned_revision(source: str) -> str | None:
    """The commit that the catalogue names for a Hub id, or None."""
    return next((entry.revision for entry in CATALOGUE.values() if entry.source == source), None)


def stored_numbers(source: str) -> int:
    """How many numbers the weights of a folder or of a model on this disk hold; 0 if unknown.

    Read from the headers of its safetensors; for a catalogue model without any on its own branch
    it is the catalogue's size.
    """
    from huggingface_hub import parse_local_safetensors_file_metadata
    from huggingface_hub.errors import SafetensorsParsingError

    folder = Path(source) if Path(source).is_dir() else _on_this_disk(source)
    try:
        names = {path.name for path in folder.iterdir()} if folder else set()
        weights = [folder / name for name in hub.weights_among(names)]
        heads = [parse_local_safetensors_file_metadata(path) for path in weights]
    except (OSError, ValueError, SafetensorsParsingError):  # the loading itself says what is wrong
        heads = []
    known = (entry.size for entry in CATALOGUE.values() if entry.source == source)
    return sum(sum(head.parameter_count.values()) for head in heads) or next(known, 0)


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
        name: a catalogue key or Hub id; for a folder there is nothing to do.

    Returns:
        How many files were removed.
    """
    try:
        source = resolve_source(name)
    except UnknownModelError:
        return 0
    if Path(source).is_dir():
        return 0
    tokenizer = foreign_tokenizer(source)
    return hub.sweep(source) + (hub.sweep(tokenizer) if tokenizer else 0)


def load_tokenizer(source: str) -> PreTrainedTokenizerBase:
    """Load the fast tokenizer of a folder or Hub id.

    Raises:
        ModelUnavailableError: if its files cannot be read.
        UnsupportedModelError: if it has only a slow one, or asks for code of its own.
    """
    from transformers import AutoTokenizer

    place = local_files(source)
    try:
        tokenizer = AutoTokenizer.from_pretrained(place, trust_remote_code=False)
    except (OSError, ValueError) as error:
        raise _unreadable(source, place, error) from error
    if not tokenizer.is_fast:
        raise UnsupportedModelError(
            catalogue_key(source),
            why="it has no fast tokenizer (a tokenizer.json), which says where in the text every "
            "token stands.",
        )
    if not tokenizer("a", add_special_tokens=False)["input_ids"]:  # made up from the config alone
        raise _unavailable(source, "It has no tokenizer.")
    return tokenizer


def _unreadable(source: str, place: str, error: Exception) -> Exception:
    """Why a configuration or tokenizer cannot be read: code of its own, or the error's sentence."""
    for name in ("config.json", "tokenizer_config.json"):
        try:
            asks_for_code = "auto_map" in json.loads((Path(place) / name).read_bytes())
        except (OSError, ValueError, TypeError):
            continue
        if asks_for_code:
            why = "it needs code of its own (remote code), which this app does not run."
            return UnsupportedModelError(catalogue_key(source), why=why)
    return _unavailable(source, error)


def model_revision(source: str) -> str:
    """What pins the weights: the Hub commit, or a digest of a folder's weight files."""
    folder = Path(source)
    if folder.is_dir():
        digest = hashlib.sha256()
        for part in sorted(folder.glob("*.safetensors")):
            with part.open("rb") as weights:
                while piece := weights.read(1 << 20):  # never a gigabyte at once
                    digest.update(piece)
        return f"sha256:{digest.hexdigest()[:16]}"
    # The cache keeps every file in a folder that is named after the commit it came from.
    cached = hub.cached(source, pinned_revision(source))
    return cached.name if cached else "unknown"


def load_weights(
    source: str, key: str, *, attention: str | None = None, numbers: str = precision.FLOAT32
) -> PreTrainedModel:
    """Load a model's weights: safetensors only, no code of its own, none missing.

    Args:
        source: a folder or Hub id.
        key: the name for error messages.
        attention: the attention function by name; by default the probe, where the family takes it.
        numbers: what they run in, ``float32`` or ``bfloat16``; the analysis always takes float32.

    Raises:
        ModelUnavailableError: if its files cannot be read.
        UnsupportedModelError: if it is no decoder-only model.
    """
    import torch
    from safetensors import SafetensorError
    from transformers import AutoConfig, AutoModelForCausalLM

    _register_attention()
    place = local_files(source)
    try:
        config = AutoConfig.from_pretrained(place, trust_remote_code=False)
    except (OSError, ValueError) as error:
        raise _unreadable(source, place, error) from error
    if config.is_encoder_decoder:
        raise UnsupportedModelError(key, why="it is an encoder-decoder model.")
    try:
        model, info = AutoModelForCausalLM.from_pretrained(
            place,
            dtype=getattr(torch, numbers),
            attn_implementation=attention or _attention_for(config),
            use_safetensors=True,
            trust_remote_code=False,
            output_loading_info=True,
        )
    except (OSError, SafetensorError) as error:
        raise _unavailable(source, error) from error
    except RuntimeError as error:
        raise _unavailable(source, "Its weights do not fit its config.json.") from error
    except ValueError as error:
        raise UnsupportedModelError(key, why=_first_line(error)) from error
    if info["missing_keys"]:  # transformers fills them with random numbers and only warns
        first = min(info["missing_keys"])
        raise _unavailable(
            source, f"{len(info['missing_keys'])} weights are missing, e.g. {first}."
        )
    return model.eval().requires_grad_(False)


def _unavailable(source: str, why: Exception | str) -> ModelUnavailableError:
    why = _first_line(why) if isinstance(why, Exception) else why
    return ModelUnavailableError(catalogue_key(source), why=why, is_folder=Path(source).is_dir())


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n")[0].rstrip(".") + "."


def _attention_for(config: object) -> str:
    """The probe where the family takes an attention function by name, its eager code elsewhere."""
    from transformers import AutoModelForCausalLM

    model_class = AutoModelForCausalLM._model_mapping.get(type(config), None)
    takes_functions = getattr(model_class, "_supports_attention_backend", False)
    return _IMPLEMENTATION if takes_functions else "eager"


def _register_attention() -> None:
    from transformers import AttentionInterface, AttentionMaskInterface
    from transformers.masking_utils import eager_mask

    AttentionInterface.register(_IMPLEMENTATION, probed_attention)
    AttentionMaskInterface.register(_IMPLEMENTATION, eager_mask)


def probed_attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    **settings: object,
) -> tuple[Tensor, Tensor]:
    """Eager attention of the module's own family, with the pattern passed through its probe.

    Args:
        module: the attention module; its file defines ``eager_attention_forward``.
        query: [batch head query dim].
        key: [batch kv_head key dim], fewer heads than ``query`` where the model groups them.
        value: [batch kv_head key dim].
        attention_mask: additive mask that broadcasts over [batch head query key].
        **settings: whatever the family passes on (scaling, dropout, soft cap, sinks).

    Returns:
        The output [batch query head dim] and the pattern [batch head query key].
    """
    eager = sys.modules[type(module).__module__].eager_attention_forward
    output, pattern = eager(module, query, key, value, attention_mask, **settings)
    probe = getattr(module, PROBE, None)
    if probe is None:  # the pass that finds the attention modules
        _seen.append((module, pattern))
        return output, pattern
    handed, version = _watched(pattern)
    changed = probe(handed)
    if changed is handed and _is_untouched(handed, version, pattern):
        return output, pattern
    groups = query.shape[1] // value.shape[1]
    values = value.repeat_interleave(groups, dim=1)  # [batch head key dim]
    return (changed @ values).transpose(1, 2).contiguous(), changed


def _watched(pattern: Tensor) -> tuple[Tensor, int | None]:
    """What the probe is given, so that a change in place is seen too (PyVene writes in place).

    Torch counts the writes to a tensor, but not in inference mode: there the probe gets a copy.
    """
    if pattern.is_inference():
        return pattern.clone(), None
    return pattern, pattern._version


def _is_untouched(handed: Tensor, version: int | None, pattern: Tensor) -> bool:
    import torch

    return torch.equal(handed, pattern) if version is None else handed._version == version


_seen: list[tuple[nn.Module, Tensor]] = []
_discovery = threading.Lock()


def _install_probes(model: PreTrainedModel, key: str) -> tuple[tuple[str, ...], int]:
    """Find where the patterns pass by running two tokens, and put a probe there.

    Returns:
        [layer] the paths of the probes, and the number of query heads.
    """
    from torch import nn

    names = {module: path for path, module in model.named_modules()}
    dropouts = [module for module in names if names[module].rpartition(".")[2] in _DROPOUTS]
    found = _run_two_tokens(model, dropouts)
    by_function = [module for module, _ in found if module not in dropouts]
    # A family may own dropout modules and still compute its attention past them (Falcon).
    if not by_function and (not dropouts or len(found) != len(dropouts)):
        raise UnsupportedModelError(
            key, why="its attention can be reached neither by a function nor by a module."
        )
    if any(pattern.reshape(-1, 2, 2)[:, 0, 1].any() for _, pattern in found):
        raise UnsupportedModelError(key, why="its tokens also look at the ones after them.")
    if not by_function:
        paths = tuple(names[module] for module, _ in found)
        return paths, model.config.get_text_config().num_attention_heads
    for module in by_function:
        module.add_module(PROBE, nn.Identity())
    return tuple(f"{names[module]}.{PROBE}" for module in by_function), found[0][1].shape[1]


def _run_two_tokens(
    model: PreTrainedModel, dropouts: list[nn.Module]
) -> list[tuple[nn.Module, Tensor]]:
    """Which modules a pattern passes through, with the pattern, in the order of the layers."""
    import torch

    def record(module: nn.Module, _inputs: object, output: Tensor) -> None:
        _seen.append((module, output))

    with _discovery, torch.no_grad():
        _seen.clear()
        hooks = [module.register_forward_hook(record) for module in dropouts]
        try:
            model(torch.zeros(1, 2, dtype=torch.long))
            return list(_seen)
        finally:
            _seen.clear()
            for hook in hooks:
                hook.remove()
