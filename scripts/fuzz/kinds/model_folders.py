"""Damaged folders of models: loaded, and if that works, run on a prompt."""

from __future__ import annotations

import copy
import functools
import json
import os
import random
import shutil
import struct
import tempfile
from collections.abc import Callable
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedTokenizerFast

from headroles.capture import capture
from headroles.models import load_model, model_revision, stored_numbers, weight_files
from scripts.fuzz.cases import Case

SHARE = 1.0
PROMPT = "The cat sat on the mat. The cat é🐈"
WHOLE, INDEX = weight_files.WHOLE, weight_files.INDEX

_GROUPED = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 64,
}
FAMILIES = {
    "llama": _GROUPED,
    "gpt2": {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 64},
    "opt": {
        "hidden_size": 32,
        "word_embed_proj_dim": 32,
        "ffn_dim": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "max_position_embeddings": 64,
    },
    "gemma2": {**_GROUPED, "head_dim": 8, "query_pre_attn_scalar": 8},
    "bloom": {"hidden_size": 32, "n_layer": 2, "n_head": 4},
    "gpt_neo": {
        "hidden_size": 32,
        "num_layers": 2,
        "num_heads": 4,
        "attention_types": [[["global", "local"], 1]],
        "max_position_embeddings": 64,
    },
}

ODD = (
    None,
    True,
    0,
    1,
    -1,
    2,
    3,
    7,
    63,
    10**6,
    10**9,
    2**31,
    2**63,
    10**30,
    0.0,
    0.5,
    -1.5,
    32.0,
    1e308,
    float("nan"),
    float("inf"),
    "",
    "0",
    "32",
    "swiglu",
    "../../etc/passwd",
    "a" * 5000,
    "\x00",
    "\ud800",
    [],
    [0],
    [1, 2, 3],
    ["x"] * 40,
    {},
    {"a": 1},
    {"rope_type": "linear"},
    {"quant_method": "gptq", "bits": 4},
)
"""What a setting may be changed to."""


def case(rng: random.Random) -> Case:
    """One damaged folder: one or two of its files are changed."""
    family = rng.choice(list(FAMILIES))
    seed, count = rng.getrandbits(64), rng.choice([1, 1, 1, 2])
    names = [rng.choice(list(DAMAGES)) for _ in range(count)]
    said = f"{family}: {', '.join(names)} ({seed})"
    return Case(said, functools.partial(_tried, family, names, seed))


def _tried(family: str, names: list[str], seed: int) -> object:
    """Make the folder, and do with it what the app does."""
    rng = random.Random(seed)
    with tempfile.TemporaryDirectory(prefix="fuzz-") as place:
        folder = Path(place) / "model"
        shutil.copytree(_pristine(family), folder)
        for name in names:
            try:
                DAMAGES[name](folder, rng)
            except (OSError, KeyError, ValueError, IndexError, AttributeError, struct.error):
                continue  # there is nothing left that this could damage
        stored_numbers(str(folder))
        model_revision(str(folder))
        return capture(load_model(str(folder)), PROMPT).attention.shape


@functools.cache
def _pristine(family: str) -> Path:
    """A whole folder of a family; it goes when the process ends."""
    place = tempfile.TemporaryDirectory(prefix="fuzz-")
    _pristine_folders.append(place)
    torch.manual_seed(0)
    tokenizer = _tokenizer()
    config = AutoConfig.for_model(
        family,
        vocab_size=len(tokenizer),
        bos_token_id=0,
        eos_token_id=0,
        pad_token_id=None,
        **FAMILIES[family],
    )
    model = AutoModelForCausalLM.from_config(config)
    model.save_pretrained(place.name)
    tokenizer.save_pretrained(place.name)
    return Path(place.name)


_pristine_folders: list[tempfile.TemporaryDirectory] = []


def _tokenizer() -> PreTrainedTokenizerFast:
    inner = Tokenizer(models.BPE())
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=300,
        special_tokens=["<|endoftext|>"],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    inner.train_from_iterator([PROMPT] * 5, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=inner, bos_token="<|endoftext|>", eos_token="<|endoftext|>"
    )


# ------------------------------------------------------------------ damages


def _content(path: Path) -> bytes:
    """Of a file that an earlier damage may have made a pipe, which blocks whoever opens it."""
    if not path.is_file() or path.stat().st_size > 1 << 20:
        raise FileNotFoundError(path)
    return path.read_bytes()


def _json_file(name: str) -> Callable[[Path, random.Random], None]:
    """Change, remove or add a setting somewhere in a JSON file."""

    def damage(folder: Path, rng: random.Random) -> None:
        path = folder / name
        read = json.loads(_content(path)) if path.exists() else {}
        if not isinstance(read, dict):
            raise ValueError(name)
        _change(read, rng)
        path.write_bytes(json.dumps(read).encode("utf-8", "surrogatepass"))

    return damage


def _change(read: dict, rng: random.Random) -> None:
    own, names = read, list(read)
    while names:
        name = rng.choice(names)
        inner = own[name]
        if not isinstance(inner, dict | list) or not inner or rng.random() < 0.4:
            break
        own, names = inner, list(inner) if isinstance(inner, dict) else list(range(len(inner)))
    else:
        name = "added"
    how = rng.random()
    if how < 0.2 and names:
        del own[name]
    elif how < 0.3 and isinstance(own, dict):
        own[rng.choice(_MORE)] = copy.deepcopy(rng.choice(ODD))
    elif how < 0.4 and names and isinstance(own[name], int):
        own[name] += rng.choice([-1, 1, own[name], -2 * own[name]])
    else:
        own[name] = copy.deepcopy(rng.choice(ODD))


_MORE = (
    "model_type",
    "quantization_config",
    "transformers_weights",
    "auto_map",
    "rope_scaling",
    "rope_parameters",
    "layer_types",
    "sliding_window",
    "head_dim",
    "num_key_value_heads",
    "pad_token_id",
    "is_encoder_decoder",
    "tie_word_embeddings",
    "dtype",
    "torch_dtype",
    "attn_implementation",
    "text_config",
    "architectures",
    "chat_template",
    "tokenizer_class",
    "bos_token",
    "eos_token",
    "added_tokens_decoder",
    "extra_special_tokens",
    "model_max_length",
)
"""Settings that a file may not have had."""


def _any_bytes(folder: Path, rng: random.Random) -> None:
    """Truncate a file, or change, add or replace some of its bytes."""
    path = rng.choice([path for path in sorted(folder.iterdir()) if path.is_file()])
    content = bytearray(path.read_bytes())
    how = rng.randrange(6)
    if how == 0:
        del content[rng.randrange(len(content) + 1) :]
    elif how == 1:
        for _ in range(rng.choice([1, 8, 64])):
            content[rng.randrange(len(content))] = rng.randrange(256)
    elif how == 2:
        content = bytearray(b"" if rng.random() < 0.5 else rng.randbytes(50))
    elif how == 3:
        content = bytearray(rng.choice([b"{}", b"[]", b"null", b"3", b'"x"', b"[" * 30_000]))
    elif how == 4:
        content = bytearray(content.decode("utf-8", "replace").encode("utf-16"))
    else:
        content += rng.randbytes(10)
    path.write_bytes(content)


def _not_a_file(folder: Path, rng: random.Random) -> None:
    """Remove a file, or put a folder, a pipe, or a link in its place."""
    path = rng.choice(sorted(folder.iterdir()))
    path.unlink()
    how = rng.randrange(6)
    if how == 1:
        path.mkdir()
    elif how == 2:
        os.mkfifo(path)
    elif how == 3:
        path.symlink_to(rng.choice(["/nowhere", "/etc/passwd", "/dev/zero", ".", path.name]))
    elif how == 4:
        path.symlink_to(rng.choice(sorted(folder.iterdir())))
    elif how == 5:
        path.touch()
        path.chmod(0)


def _header(folder: Path, rng: random.Random) -> None:
    """Change the header of the safetensors: a name, a kind, a shape, a place."""
    path = folder / WHOLE
    content = _content(path)
    (length,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8 : 8 + length])
    name = rng.choice([name for name in header if name != "__metadata__"])
    how = rng.randrange(7)
    if how == 0:
        header[rng.choice(["", "x", name.upper()])] = header.pop(name)
    elif how == 1:
        header[name]["dtype"] = rng.choice(["F64", "F16", "I8", "U8", "I32", "F8_E4M3", "Q4", ""])
    elif how == 2:
        header[name]["shape"] = rng.choice([[], [0], [10**18], [2**40, 2**40], [-1], "x", [1.5]])
    elif how == 3:
        header[name]["data_offsets"] = rng.choice([[0, 0], [0, 10**12], [4, 0], [], None, [-4, 0]])
    elif how == 4:
        del header[name]
    elif how == 5:
        header["__metadata__"] = rng.choice([None, {}, {"format": "tf"}, {"format": 3}, []])
    else:
        _change(header, rng)
    told = json.dumps(header).encode()
    size = rng.choice([len(told)] * 6 + [0, 1, 2**63, len(told) * 2])
    path.write_bytes(struct.pack("<Q", size) + told + content[8 + length :])


def _shards(folder: Path, rng: random.Random) -> None:
    """Weights in shards whose index names what it should not."""
    shard = rng.choice(
        ["model-00001-of-00001.safetensors", "weights.safetensors", "a b.safetensors"]
    )
    content = _content(folder / WHOLE)
    (length,) = struct.unpack("<Q", content[:8])
    names = [name for name in json.loads(content[8 : 8 + length]) if name != "__metadata__"]
    (folder / WHOLE).rename(folder / shard)
    index = {"metadata": {"total_size": len(content)}, "weight_map": dict.fromkeys(names, shard)}
    places = [
        "weights.model",
        "pytorch_model.bin",
        "/etc/passwd",
        str(folder / shard),
        f"../model/{shard}",
        f"sub/{shard}",
        "gone.safetensors",
        "",
        ".safetensors",
    ]
    how = rng.randrange(6)
    if how == 1:
        index["weight_map"][rng.choice(names)] = rng.choice([*places, *ODD])
    elif how == 2:
        del index[rng.choice(list(index))]
    elif how == 3:
        _change(index, rng)
    elif how == 4:
        torch.save({name: torch.zeros(2) for name in names}, folder / "pytorch_model.bin")
        index["weight_map"] = dict.fromkeys(names, "pytorch_model.bin")
    elif how == 5:
        (folder / shard).rename(folder.parent / shard)
        (folder / shard).symlink_to(folder.parent / shard)
    told = json.dumps(index).encode("utf-8", "surrogatepass")
    (folder / INDEX).write_bytes(told)


def _adapter(folder: Path, rng: random.Random) -> None:
    """A folder that would lead to another model."""
    base = rng.choice(["gpt2", "/etc", "", None, str(folder)])
    (folder / "adapter_config.json").write_text(
        json.dumps({"base_model_name_or_path": base, "peft_type": "LORA"})
    )
    if rng.random() < 0.5:
        (folder / "config.json").unlink()


def _numbers(folder: Path, rng: random.Random) -> None:
    """Sizes that fit nothing, some so large that they would fill the memory."""
    path = folder / "config.json"
    read = json.loads(_content(path))
    sizes = [name for name, value in read.items() if isinstance(value, int) and value > 1]
    read[rng.choice(sizes)] = rng.choice([0, 1, 2, 3, 5, 1000, 10**5, 10**7, 2**31, 10**12, 10**40])
    path.write_text(json.dumps(read))


DAMAGES: dict[str, Callable[[Path, random.Random], None]] = {
    "config.json": _json_file("config.json"),
    "sizes": _numbers,
    "tokenizer.json": _json_file("tokenizer.json"),
    "tokenizer_config.json": _json_file("tokenizer_config.json"),
    "special_tokens_map.json": _json_file("special_tokens_map.json"),
    "generation_config.json": _json_file("generation_config.json"),
    "header": _header,
    "shards": _shards,
    "bytes": _any_bytes,
    "no file": _not_a_file,
    "adapter": _adapter,
}
"""{what is damaged: how}"""
