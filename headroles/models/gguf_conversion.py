"""What a GGUF file holds, as a folder that transformers loads like every other.

transformers says what becomes of each tensor (names, transposed matrices, the rows of queries and
keys that llama.cpp permutes) and of the tokenizer; :mod:`gguf` unpacks the numbers. Here they only
go from one file to the other, one tensor at a time: the largest one is all that is in memory, where
``from_pretrained(..., gguf_file=...)`` holds the whole model twice.

Families are let in by name, after their parity test (``tests/test_gguf.py``): a family whose
permutation is not undone loads cleanly and attends to the wrong places.

>>> convert(Path("SmolLM2.Q4_1.gguf"), Path("out"), digest, report=print)  # doctest: +SKIP
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import json
import os
import re
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import gguf
import numpy as np
import torch
from gguf.constants import GGML_QUANT_SIZES
from tokenizers import pre_tokenizers
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedTokenizerFast
from transformers import modeling_gguf_pytorch_utils as reading
from transformers.integrations.gguf import read_gguf_metadata
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

from headroles.errors import DiskError, HeadrolesError, SourceError, ours
from headroles.models.building import ONE_AT_A_TIME
from headroles.models.gguf_files import NOTE, check_room

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedModel

FAMILIES = frozenset(
    [
        "llama",
        "qwen2",
        "qwen3",
        "gpt2",
        "gemma2",
        "gemma3",
        "phi3",
        "bloom",
        "starcoder2",
        "stablelm",
        "nemotron",
    ]
)
"""What llama.cpp calls the architectures whose conversion is tested."""

_SINGLE_DIGITS = frozenset(
    ("smollm", "starcoder", "refact", "command-r", "codeshell", "exaone", "minerva-7b")
)
"""llama.cpp's names for vocabularies in which every digit stands alone and the rest is split as for
GPT-2; transformers would group the digits."""

_ALSO_SAID = {
    "attention.key_length": "head_dim",
    "context_length": "n_positions",
    "attention.layer_norm_epsilon": "norm_eps",
}
"""{what the header says: the setting that transformers leaves at its default}"""

_ROWS_BYTES = 1 << 20
"""Of the file, that are unpacked at once."""

_NO_MODELS = {
    "adapter": "a LoRA adapter, which is no model of its own",
    "mmproj": "the image part of a model (mmproj)",
    "imatrix": "a table for quantising (imatrix)",
}


def convert(
    file: Path,
    folder: Path,
    sha256: str,
    *,
    start_token: str | None = None,
    report: Callable[[int, int], None] | None = None,
) -> None:
    """Write the model of a GGUF file as safetensors in float32, with its tokenizer.

    Args:
        file: the GGUF file; it is only read.
        folder: an empty folder.
        sha256: of the file, for the note that is kept beside the weights.
        start_token: what stands at position 0, where the file declares something else as its BOS.
        report: told the bytes of the file that are done, and all of them.

    Raises:
        SourceError: if the file is damaged, or no model that can be read.
        DiskError: if the disk does not take the weights.
    """
    metadata = _metadata(file)
    with _explained(file, lambda _: _damaged(file)):
        _check_kind(file, metadata)
        tensors = _tensors(file)
        _check_blocks(file, metadata, tensors)
        tokenizer = _tokenizer(file, metadata, start_token)
        config = _config(file, metadata, tensors)
        config.dtype = torch.float32
        with ONE_AT_A_TIME, torch.device("meta"):
            model = AutoModelForCausalLM.from_config(config)
        config.architectures = [type(model).__name__]
    with _explained(file, lambda error: DiskError(folder, error)):
        check_room(folder, 4 * sum(int(tensor.n_elements) for tensor in tensors))
        config.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        _write(folder / "model.safetensors", model, _converted(file, model, tensors, report))
        (folder / NOTE).write_text(json.dumps(_note(file, sha256, metadata), indent=1))


@contextlib.contextmanager
def _explained(file: Path, of_the_system: Callable[[OSError], HeadrolesError]) -> Iterator[None]:
    """Tell every error in a sentence: a header may say anything, and each library has its own."""

    def explain(error: BaseException) -> HeadrolesError:
        is_systems = isinstance(error, OSError)
        return of_the_system(error) if is_systems else _not_read(file, _in_a_line(error))

    with ours(explain):
        yield


def _note(file: Path, sha256: str, metadata: dict[str, object]) -> dict[str, str]:
    return {
        "file": file.name,
        "sha256": sha256,
        "quantization": _quantization(metadata),
        "transformers": importlib.metadata.version("transformers"),
        "gguf": importlib.metadata.version("gguf"),
    }


def _quantization(metadata: dict[str, object]) -> str:
    """How most weights are stored, e.g. ``Q4_K_M``, as the file says it; ``unknown`` otherwise."""
    try:
        name = gguf.LlamaFileType(metadata["general.file_type"]).name
    except (KeyError, ValueError):
        return "unknown"
    return name.removeprefix("MOSTLY_").removeprefix("ALL_")


# ------------------------------------------------------------------ is it a model?


def _metadata(file: Path) -> dict[str, object]:
    """The file's header, without the words of its vocabulary."""

    def explain(error: BaseException) -> HeadrolesError:
        if isinstance(error, OSError):
            return _not_read(file, error.strerror or str(error))
        if "general.architecture" in str(error) or "is GGUF v" in str(error):
            return _not_read(file, str(error).split(file.name)[-1].strip(" ."))
        return _damaged(file)

    with ours(explain):
        with file.open("rb") as content:
            magic = content.read(4)
        if magic != b"GGUF":
            raise SourceError(
                f"The file {file.name} is not a GGUF file.",
                hint="Give a GGUF file, or a folder with config.json and model.safetensors.",
                value=str(file),
            )
        return read_gguf_metadata(str(file))[0]


def _check_kind(file: Path, metadata: dict[str, object]) -> None:
    """Refuse what is no whole language model, or of a family that was not tested."""
    family, kind = metadata["general.architecture"], metadata.get("general.type", "model")
    if kind in _NO_MODELS or family == "clip":
        raise _not_read(file, f"it is {_NO_MODELS.get(kind, _NO_MODELS['mmproj'])}")
    if metadata.get("split.count", 1) > 1:
        raise _not_read(
            file, f"it is one of {metadata['split.count']} parts; join them with llama-gguf-split"
        )
    if family not in FAMILIES:
        known = ", ".join(sorted(FAMILIES))
        raise _not_read(
            file, f"its architecture is '{family}', and those that can be read are {known}"
        )
    if "tokenizer.ggml.tokens" not in metadata:
        raise _not_read(file, "it has no tokenizer")


def _check_blocks(
    file: Path, metadata: dict[str, object], tensors: list[gguf.ReaderTensor]
) -> None:
    """Refuse a header that says more layers than there are tensors: they would all be laid out."""
    said = metadata.get(f"{metadata['general.architecture']}.block_count", 0)
    if said > len(tensors):
        raise _not_read(file, f"its header says {said:,} layers, and it has {len(tensors)} tensors")


def _tensors(file: Path) -> list[gguf.ReaderTensor]:
    """The file's tensors, all of them there and of a kind that can be unpacked."""

    def explain(error: BaseException) -> HeadrolesError:
        if "GGMLQuantizationType" not in str(error):
            return _damaged(file)
        number = re.sub(r"\D", "", str(error).removeprefix("np.uint32"))
        return _not_read(
            file, f"its weights are stored in a way (type {number}) that is unknown here"
        )

    with ours(explain):
        tensors = gguf.GGUFReader(file).tensors
    for kind in {tensor.tensor_type for tensor in tensors}:
        try:
            gguf.dequantize(np.zeros((1, GGML_QUANT_SIZES[kind][1]), np.uint8), kind)
        except NotImplementedError as error:
            raise _not_read(file, f"no code unpacks its weights, stored as {kind.name}") from error
    return tensors


def _not_read(file: Path, why: str) -> SourceError:
    return SourceError(
        f"The file {file.name} cannot be used: {why}.",
        hint="Give the GGUF file of a decoder-only language model, such as a Llama or a Qwen2, in "
        "one piece.",
        value=str(file),
    )


def _in_a_line(error: BaseException) -> str:
    """The last line of a library's error: the others say where in the library it was."""
    return (str(error).strip().split("\n")[-1].strip().rstrip(".") or type(error).__name__)[:200]


def _damaged(file: Path) -> SourceError:
    return SourceError(
        f"The file {file.name} is damaged, or was cut off while it was copied.",
        hint="Copy or download it again.",
        value=str(file),
    )


# ------------------------------------------------------------------ its parts


def _config(
    file: Path, metadata: dict[str, object], tensors: list[gguf.ReaderTensor]
) -> PretrainedConfig:
    """The configuration as transformers reads it, and what the header says besides."""
    config = AutoConfig.from_pretrained(file.parent, gguf_file=file.name)
    family = metadata["general.architecture"]
    said = {key.removeprefix(f"{family}."): value for key, value in metadata.items()}
    for key, name in _ALSO_SAID.items():
        if key in said and hasattr(config, name):
            setattr(config, name, said[key])
    if (config.pad_token_id or 0) >= config.vocab_size:  # the default of another vocabulary
        config.pad_token_id = None
    _set_positions(file, config, said, {tensor.name: tensor for tensor in tensors})
    return config


def _set_positions(
    file: Path,
    config: PretrainedConfig,
    said: dict[str, object],
    tensors: dict[str, gguf.ReaderTensor],
) -> None:
    """What the header says of rotary positions; those stretched in an unknown way are refused."""
    rope = getattr(config, "rope_parameters", None)
    stretch = said.get("rope.scaling.type", "none")
    if "rope_factors_long.weight" in tensors or stretch not in ("none", "linear"):
        raise _not_read(file, f"its positions are stretched for long texts ({stretch})")
    if not rope or "rope_theta" not in rope:  # none, or one for each kind of layer
        if stretch != "none":
            raise _not_read(file, "its positions are stretched for long texts")
        return
    rope["rope_theta"] = said.get("rope.freq_base", rope["rope_theta"])
    if "partial_rotary_factor" in rope and "rope.dimension_count" in said:
        width = getattr(config, "head_dim", None)
        width = width or config.hidden_size // config.num_attention_heads
        rope["partial_rotary_factor"] = said["rope.dimension_count"] / width
    if stretch == "linear":
        rope |= {"rope_type": "linear", "factor": said.get("rope.scaling.factor", 1.0)}
    if "rope_freqs.weight" in tensors:
        _set_llama3_positions(file, config, tensors["rope_freqs.weight"].data)


def _set_llama3_positions(file: Path, config: PretrainedConfig, divisors: np.ndarray) -> None:
    """Llama 3.1's stretched positions, of which the file keeps only what came out.

    Args:
        divisors: [pair] what each frequency is divided by; the slowest one by the whole factor.
    """
    plain = config.rope_parameters["rope_theta"] ** (-np.arange(len(divisors)) / len(divisors))
    config.rope_parameters |= {
        "rope_type": "llama3",
        "factor": float(divisors.max()),
        "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
        "original_max_position_embeddings": 8192,
    }
    frequencies, _ = ROPE_INIT_FUNCTIONS["llama3"](config, "cpu")
    if not np.allclose(plain / divisors, frequencies.numpy(), rtol=1e-3):
        raise _not_read(file, "its positions are stretched in another way than Llama 3.1's")


def _tokenizer(
    file: Path, metadata: dict[str, object], start_token: str | None
) -> PreTrainedTokenizerFast:
    """The tokenizer as transformers rebuilds it, with its digits split as they were."""
    tokenizer = PreTrainedTokenizerFast.from_pretrained(file.parent, gguf_file=file.name)
    if metadata.get("tokenizer.ggml.pre") in _SINGLE_DIGITS:
        tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
            [
                pre_tokenizers.Digits(individual_digits=True),
                pre_tokenizers.ByteLevel(add_prefix_space=False),
            ]
        )
    if start_token is not None:
        tokenizer.bos_token = start_token
    return tokenizer


def _converted(
    file: Path,
    model: PreTrainedModel,
    tensors: list[gguf.ReaderTensor],
    report: Callable[[int, int], None] | None,
) -> Iterator[tuple[str, np.ndarray]]:
    """(name in transformers, numbers) of one tensor after the other, in the order of the file."""
    config, family = model.config.to_dict(), _metadata(file)["general.architecture"]
    processor = reading.TENSOR_PROCESSORS.get(family, reading.TensorProcessor)(config=config)
    names = reading.get_gguf_hf_weights_map(model, processor, family)
    total, done = sum(tensor.n_bytes for tensor in tensors), 0
    for tensor in tensors:
        aside: dict[str, torch.Tensor] = {}  # where a family puts what has no name of its own
        made = processor.process(
            weights=_unpacked(tensor),
            name=tensor.name,
            tensor_key_mapping=names,
            parsed_parameters={"tensors": aside},
        )
        if made.name in names:
            yield names[made.name], made.weights
        yield from ((name, weights.numpy()) for name, weights in aside.items())
        done += tensor.n_bytes
        if report:
            report(done, total)


def _unpacked(tensor: gguf.ReaderTensor) -> np.ndarray:
    """A tensor as float32, some rows at a time: unpacking takes several times the room of both."""
    if tensor.data.ndim < 2:
        return gguf.dequantize(tensor.data, tensor.tensor_type)
    step = max(1, _ROWS_BYTES // (tensor.data[:1].nbytes))
    parts = (tensor.data[at : at + step] for at in range(0, len(tensor.data), step))
    whole = None
    for place, part in enumerate(parts):
        rows = gguf.dequantize(part, tensor.tensor_type)
        if whole is None:
            whole = np.empty((len(tensor.data), *rows.shape[1:]), np.float32)
        whole[place * step : place * step + len(rows)] = rows
    return whole


def _write(path: Path, model: PreTrainedModel, weights: Iterator[tuple[str, np.ndarray]]) -> None:
    """Write a safetensors file tensor by tensor; its header is known from the model's shapes.

    The format: 8 bytes with the length of a JSON header, which says where each tensor lies behind.

    Raises:
        SourceError: if a tensor is missing or has another shape.
    """
    tied = set(model.all_tied_weights_keys) if model.config.tie_word_embeddings else set()
    shapes = {
        name: tuple(part.shape) for name, part in model.state_dict().items() if name not in tied
    }
    header, end = {"__metadata__": {"format": "pt"}}, 0
    for name, shape in shapes.items():
        begin, end = end, end + 4 * int(np.prod(shape))
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [begin, end]}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        start, missing = file.tell(), set(shapes)
        for name, numbers in weights:
            if name not in shapes:
                continue
            if numbers.shape != shapes[name]:
                raise _misshapen(name, numbers.shape, shapes[name])
            file.seek(start + header[name]["data_offsets"][0])
            file.write(np.ascontiguousarray(numbers, dtype="<f4"))
            missing.discard(name)
        if missing:
            raise SourceError(
                f"The GGUF file lacks {len(missing)} of its model's weights, e.g. {min(missing)}.",
                hint="Use another file of this model.",
                value=min(missing),
            )
        file.flush()
        os.fsync(file.fileno())


def _misshapen(name: str, got: tuple[int, ...], expected: tuple[int, ...]) -> SourceError:
    return SourceError(
        f"The GGUF file's {name} has the shape {got}, and its model expects {expected}.",
        hint="Use another file of this model.",
        value=name,
    )
