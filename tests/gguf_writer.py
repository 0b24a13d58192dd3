"""Tiny models written as GGUF files, with the reorderings of llama.cpp's converter.

What llama.cpp does to a tensor is spelled out here a second time, from its converter and not from
transformers' reader, so that a test that compares the two can fail.

>>> expected = write_gguf("llama", folder / "tiny.gguf", quantization="Q8_0")  # doctest: +SKIP
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import gguf
import numpy as np
import torch
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedTokenizerFast

from tests.families import byte_level_tokenizer, widen

_SIZES = {"hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2}
_GROUPED = {**_SIZES, "num_attention_heads": 4, "num_key_value_heads": 2}
_ROPE = {"rope_theta": 5_000.0, "rope_type": "default"}  # no family's default

MODELS: dict[str, tuple[str, dict[str, object]]] = {
    "llama": ("llama", {**_GROUPED, "rope_parameters": _ROPE, "rms_norm_eps": 3e-5}),
    "qwen2": ("qwen2", {**_GROUPED, "rope_parameters": _ROPE, "rms_norm_eps": 3e-5}),
    "qwen3": ("qwen3", {**_GROUPED, "head_dim": 16, "rope_parameters": _ROPE}),
    "gpt2": ("gpt2", {"n_embd": 64, "n_layer": 2, "n_head": 4, "n_positions": 64}),
    "gemma2": ("gemma2", {**_GROUPED, "head_dim": 32, "sliding_window": 5}),
    "gemma3": ("gemma3_text", {**_GROUPED, "head_dim": 32, "sliding_window": 5}),
    "phi3": ("phi3", {**_GROUPED, "rope_parameters": _ROPE, "rms_norm_eps": 3e-5}),
    "bloom": ("bloom", {"hidden_size": 64, "n_layer": 2, "n_head": 4}),
    "starcoder2": ("starcoder2", {**_GROUPED, "rope_parameters": _ROPE, "norm_epsilon": 3e-5}),
    "stablelm": ("stablelm", {**_GROUPED, "rope_parameters": _ROPE, "layer_norm_eps": 3e-5}),
    "nemotron": ("nemotron", {**_GROUPED, "rope_parameters": _ROPE, "norm_eps": 3e-5}),
}
"""{llama.cpp's name: (transformers' name, sizes)}; blocks of 32 numbers fit every row."""


def tiny_model(family: str, **changes: object) -> torch.nn.Module:
    """A seeded random model of a family, every parameter of it random."""
    kind, sizes = MODELS[family]
    torch.manual_seed(len(family))
    tokenizer = byte_level_tokenizer()
    given = {
        "vocab_size": len(tokenizer),
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": None,
        "max_position_embeddings": 64,
    }
    config = AutoConfig.for_model(kind, **{**given, **sizes, **changes})
    model = AutoModelForCausalLM.from_config(config, attn_implementation="eager")
    widen(model)
    for parameter in model.parameters():
        if parameter.ndim == 1:
            torch.nn.init.normal_(parameter, mean=0.5, std=0.2)
    return model.eval()


def write_gguf(
    model: torch.nn.Module,
    family: str,
    path: Path,
    *,
    quantization: str = "F32",
    tokenizer: PreTrainedTokenizerFast | None = None,
    pre: str = "gpt-2",
    change: Callable[[gguf.GGUFWriter], None] | None = None,
) -> dict[str, torch.Tensor]:
    """Write a model as llama.cpp's converter would.

    Args:
        model: of that family.
        family: llama.cpp's name.
        path: the file to write.
        quantization: how matrices are stored; vectors are in F32 always.
        tokenizer: a byte-level one.
        pre: llama.cpp's name of how the vocabulary splits a text.
        change: may add to the header.

    Returns:
        {name in transformers: numbers as they come out of the file again}.
    """
    writer = gguf.GGUFWriter(path, family)
    kind = gguf.GGMLQuantizationType[quantization]
    writer.add_file_type(
        gguf.LlamaFileType["ALL_F32" if quantization == "F32" else f"MOSTLY_{quantization}"]
    )
    _add_sizes(writer, family, model.config)
    _add_tokenizer(writer, tokenizer or byte_level_tokenizer(), pre)
    if change:
        change(writer)
    names = gguf.get_tensor_name_map(
        next(key for key, name in gguf.MODEL_ARCH_NAMES.items() if name == family),
        model.config.num_hidden_layers,
    )
    tied = set(model.all_tied_weights_keys) if model.config.tie_word_embeddings else set()
    expected = {}
    for name, part in model.state_dict().items():
        if name in tied:
            continue
        numbers = part.detach().numpy()
        stored = reordered(family, name, numbers, model.config)
        used = kind if stored.ndim > 1 else gguf.GGMLQuantizationType.F32
        data = gguf.quants.quantize(np.ascontiguousarray(stored), used)
        given = name.removeprefix("transformer.") if family == "bloom" else name
        writer.add_tensor(
            names.get_name(given, try_suffixes=(".weight", ".bias")), data, raw_dtype=used
        )
        again = gguf.quants.dequantize(data, used)
        expected[name] = torch.from_numpy(
            put_back(family, name, again, numbers.shape, model.config)
        )
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return expected


# ------------------------------------------------------------------ what llama.cpp reorders


def reordered(family: str, name: str, numbers: np.ndarray, config) -> np.ndarray:
    """A tensor as the file stores it."""
    if family == "llama" and ("q_proj" in name or "k_proj" in name):
        heads = config.num_attention_heads if "q_proj" in name else config.num_key_value_heads
        # rotary halves (x0..x31, y0..y31) become pairs (x0 y0 x1 y1 ...)
        halves = numbers.reshape(heads, 2, len(numbers) // heads // 2, *numbers.shape[1:])
        return halves.swapaxes(1, 2).reshape(numbers.shape)
    if family in ("gemma2", "gemma3", "nemotron") and name.endswith("norm.weight"):
        return numbers + 1
    if family == "gpt2" and name.endswith(("c_attn.weight", "c_fc.weight", "c_proj.weight")):
        return numbers.T
    if family == "bloom" and "query_key_value" in name:
        heads = config.n_head
        by_head = numbers.reshape(heads, 3, config.hidden_size // heads, *numbers.shape[1:])
        return by_head.swapaxes(0, 1).reshape(numbers.shape)
    return numbers


def put_back(
    family: str, name: str, numbers: np.ndarray, shape: tuple[int, ...], config
) -> np.ndarray:
    """A tensor as it was, up to what quantising lost: where did each cell go?"""
    if family in ("gemma2", "gemma3", "nemotron") and name.endswith("norm.weight"):
        return numbers - 1
    places = np.arange(int(np.prod(shape))).reshape(shape)
    where = reordered(family, name, places, config)
    original = np.empty(numbers.size, np.float32)
    original[where.ravel()] = numbers.ravel()
    return original.reshape(shape)


# ------------------------------------------------------------------ the header


def _add_sizes(writer: gguf.GGUFWriter, family: str, config) -> None:
    heads = config.num_attention_heads
    groups = getattr(config, "num_key_value_heads", None) or heads
    width = getattr(config, "head_dim", None) or config.hidden_size // heads
    writer.add_block_count(config.num_hidden_layers)
    writer.add_context_length(64)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(getattr(config, "intermediate_size", 4 * config.hidden_size))
    writer.add_head_count(heads)
    writer.add_head_count_kv(groups)
    writer.add_vocab_size(config.vocab_size)
    for name in (
        "rms_norm_eps",
        "layer_norm_eps",
        "layer_norm_epsilon",
        "norm_epsilon",
        "norm_eps",
    ):
        if value := getattr(config, name, None):
            (writer.add_layer_norm_rms_eps if "rms" in name else writer.add_layer_norm_eps)(value)
    if getattr(config, "sliding_window", None):
        writer.add_sliding_window(config.sliding_window)
    if rope := getattr(config, "rope_parameters", None):
        rope = rope.get("full_attention", rope)
        writer.add_rope_freq_base(rope["rope_theta"])
        writer.add_rope_dimension_count(int(width * rope.get("partial_rotary_factor", 1)))
        writer.add_key_length(width)
        writer.add_value_length(width)


def _add_tokenizer(writer: gguf.GGUFWriter, tokenizer: PreTrainedTokenizerFast, pre: str) -> None:
    model = json.loads(tokenizer.backend_tokenizer.to_str())["model"]
    special = set(tokenizer.all_special_tokens)
    words = sorted(tokenizer.get_vocab(), key=tokenizer.get_vocab().get)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(pre)
    writer.add_token_list(words)
    writer.add_token_types(
        [gguf.TokenType.CONTROL if word in special else gguf.TokenType.NORMAL for word in words]
    )
    writer.add_token_merges([" ".join(pair) for pair in model["merges"]])
    if tokenizer.bos_token_id is not None:
        writer.add_bos_token_id(tokenizer.bos_token_id)
    if tokenizer.eos_token_id is not None:
        writer.add_eos_token_id(tokenizer.eos_token_id)
