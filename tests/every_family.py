"""A tiny random model of every causal family that the installed transformers knows.

A family's own default configuration is shrunk by one rule for each kind of number: layers, heads,
widths, experts, windows, vocabularies; a list with an entry for each layer is cut so that every
kind of layer stays. :data:`SPECIAL` holds what a family needs besides.
"""

from __future__ import annotations

import re
from pathlib import Path

import torch
from transformers import CONFIG_MAPPING, AutoModelForCausalLM, PreTrainedConfig
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

from tests.families import byte_level_tokenizer, save, widen

CAUSAL = tuple(sorted(MODEL_FOR_CAUSAL_LM_MAPPING_NAMES))
"""Every causal family by its ``model_type``."""

LAYERS, HEADS, KV_HEADS, WIDTH, HEAD_DIM, CONTEXT = 3, 4, 2, 32, 8, 256
VOCABULARY = len(byte_level_tokenizer())

_RULES = {
    r"chunk_size_(feed_forward|lm_head)": 0,
    r".*vocab.*": VOCABULARY,
    r"(bos|eos|decoder_start|forced_eos)_token_id": byte_level_tokenizer().bos_token_id,
    r"pad_token_id": 1,
    r"((num|n|num_decoder|num_encoder|decoder|encoder|conf_num)_(hidden_)?layers?)": LAYERS,
    r"num_blocks|depth": LAYERS,
    r"max_window_layers": 1,
    r".*(kv_n_heads|num_kv_heads|key_value_heads|query_groups)": KV_HEADS,
    r"qk_rope_head_dim|rotary_dim": HEAD_DIM // 2,
    r"qk_head_dim": HEAD_DIM + HEAD_DIM // 2,
    r"mamba_d_head|mamba_head_?dim": 2 * HEAD_DIM,
    r".*(head_dim|head_size)|d_head|d_kv|kv_channels|dim_head": HEAD_DIM,
    r".*(_heads?|heads_per_layer|attention_heads)": HEADS,
    r".*(intermediate|ffn|feed_forward).*|d_ff|dff|dim_ff|d_inner|n_inner|mlp_dim": 48,
    r".*(rank|lowrank)": 8,
    r"index_topk": CONTEXT,  # as in the models that people use: more than a prompt has tokens
    r".*per_tok(en)?|.*top_?k|moe_k": 2,
    r".*n_?groups|n_group|topk_group|num_expert_group": 1,
    r".*(num|routed|local)_experts": 4,
    r".*sliding_window(_size)?|(attention_)?window_size|local_attention": 8,
    r"(original_)?max_position_embeddings|max_(source|target)_positions": CONTEXT,
    r"n_positions|n_ctx|max_seq_len|model_max_length|context_length": CONTEXT,
    r".*(hidden_size|embed_dim|embedding_size|lru_width)|n_embd|d_model|emb_dim": WIDTH,
    r"embedding_dim|word_embed_proj_dim|hidden_size_.*|dim_model_base": WIDTH,
    r"adapter_(in_dim|out_dim|input_size)": WIDTH,
    r".*chunk_size": 8,
    r".*(period|interval|every_n_layers|group_size)": 2,
    r".*layer_offset": 1,
}
"""{names of settings: their value in a tiny model}; the first that fits counts."""

_SCALES = r".*multiplier|.*logits?_scal(e|ing)|.*(residual|embedding|router)_scal(e|ing).*"
"""Factors that are 1 by default and something else in the models that people use."""
_NEEDED = {"head_dim", "num_key_value_heads", "n_routed_experts", "num_experts_per_tok"}
"""What some families leave open by default and then cannot do without."""
_LEFT_OUT = {
    "id2label",
    "label2id",
    "transformers_version",
    "dtype",
    "architectures",
    "per_layer_config",
}

_ROPE = {"rope_type": "default", "rope_theta": 10000.0}
_MIXED = ["linear_attention", "full_attention", "linear_attention"]
_SHARED_BLOCKS = {
    "num_hidden_layers": 5,
    "layers_block_type": ["linear_attention", "hybrid"] * 2 + ["linear_attention"],
    "attention_hidden_size": 2 * WIDTH,
    "attention_head_dim": 2 * WIDTH // HEADS,
}
_WIDER_LAST = {"per_layer_config": {"2": {"head_dim": 2 * HEAD_DIM}}}
_FEWER_HEADS = {
    "layer_types": ["indexed_attention", "sliding_attention", "indexed_attention"],
    "per_layer_config": {"1": {"num_attention_heads": 2, "num_key_value_heads": 2}},
    "head_dim": HEAD_DIM + HEAD_DIM // 2,
}
_SHARED_KEYS = {
    "num_hidden_layers": 4,
    "layer_types": ["sliding_attention", "full_attention"] * 2,
    "num_kv_shared_layers": 2,
    "intermediate_size": 48,
    "activation_sparsity_pattern": None,
}
_INDEXED = {
    "indexer_n_heads": HEADS,
    "indexer_kv_heads": 1,
    "indexer_head_dim": HEAD_DIM,
    "indexer_budget": 8,
    "indexer_compress_ratio": 4,
}

SPECIAL: dict[str, dict[str, object]] = {
    "bamba": {"attn_layer_indices": [1]},
    "blt": {"encoder_hash_byte_group_size": [3, 4]},
    "cohere_compass_text": {
        "layer_types": ["full_attention"] * LAYERS,
        "rope_parameters": {"full_attention": _ROPE, "sliding_attention": _ROPE},
    },
    "dbrx": {"attn_config": {"rope_theta": 10000.0, "clip_qkv": 8.0}},
    "dots1": {"n_shared_experts": 1},
    "dots3_note": {"text_config": _FEWER_HEADS},
    "dots3_note_text": _FEWER_HEADS,
    "falcon_h1": {"mamba_d_ssm": 2 * WIDTH},
    "falcon_mamba": {"intermediate_size": 2 * WIDTH},
    "gemma3n": {"text_config": _SHARED_KEYS},
    "gemma3n_text": _SHARED_KEYS,
    "gemma4": {"text_config": _WIDER_LAST},
    "gemma4_text": _WIDER_LAST,
    "gemma4_unified": {"text_config": _WIDER_LAST},
    "gemma4_unified_text": _WIDER_LAST,
    "granitemoehybrid": {"layer_types": _MIXED},
    "hrm_text": {"num_layers_per_stack": LAYERS, "num_hidden_layers": 8 * LAYERS},
    "lfm2": {"layer_types": ["conv", "full_attention", "conv"]},
    "lfm2_moe": {"layer_types": ["conv", "full_attention", "conv"]},
    "mamba": {"intermediate_size": 2 * WIDTH},
    "mamba2": {"head_dim": 2 * HEAD_DIM},
    "mllama": {"text_config": {"cross_attention_layers": [1]}},
    "qwen4_exp": {"text_config": _INDEXED},
    "qwen4_exp_text": _INDEXED,
    "reformer": {"axial_pos_embds_dim": [16, 16], "axial_pos_shape": [16, 16]},
    "xlstm": {"hidden_size": 64, "embedding_dim": 64, "chunk_size": 16},
    "xmod": {"default_language": "en_XX"},
    "zamba": _SHARED_BLOCKS,
    "zamba2": _SHARED_BLOCKS | {"hybrid_layer_ids": [1, 3]},
    "zaya": {"num_experts_per_tok": 1},
}
"""What a family needs that no rule can know."""


def config_of(family: str) -> PreTrainedConfig:
    """The configuration of a family's tiny model."""
    kind = CONFIG_MAPPING[family]
    default = kind(**({"is_decoder": True} if hasattr(kind, "is_decoder") else {}))
    return kind.from_dict(_merged(_shrunk(default.to_dict()), SPECIAL.get(family, {})))


def save_tiny(family: str, folder: Path) -> None:
    """Save a seeded tiny model of a family, with the tests' tokenizer."""
    torch.manual_seed(0)
    config = config_of(family)
    model = AutoModelForCausalLM.from_config(config, attn_implementation="eager")
    numbers = sum(parameter.numel() for parameter in model.parameters())
    assert numbers < 6_000_000, f"{family} is not tiny: {numbers:,} numbers"
    widen(model)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 1:  # norms that are all ones would hide that they were left out
                parameter.add_(0.2 * torch.randn_like(parameter))
    save(model, folder)
    if model.config.model_type not in CAUSAL:  # only a part was saved; people bring the whole
        config.save_pretrained(folder)


def _shrunk(settings: dict[str, object]) -> dict[str, object]:
    """A configuration's settings with every size made tiny, those of its parts too."""
    names = ("num_hidden_layers", "n_layer", "n_layers", "num_layers")
    layers = next((settings[name] for name in names if name in settings), None)
    kept = {name: value for name, value in settings.items() if name not in _LEFT_OUT}
    small = {name: _small(name, value, layers) for name, value in kept.items()}
    if isinstance(settings.get("kv_lora_rank"), int):
        # Latent attention rotates a part of each head, and its heads share no keys.
        small |= {"num_key_value_heads": HEADS, "head_dim": HEAD_DIM // 2}
    return small


def _small(name: str, value: object, layers: object) -> object:
    rules = [rule for pattern, rule in _RULES.items() if re.fullmatch(pattern, name)]
    if isinstance(value, dict):
        return _shrunk(value)
    if isinstance(value, list | tuple) and value and len(value) == layers:
        return [rules[0] if rules else entry for entry in _every_kind(list(value))]
    if value == 1.0 and isinstance(value, float) and re.fullmatch(_SCALES, name):
        return 0.6
    is_number = isinstance(value, int) and not isinstance(value, bool)
    left_open = value is None and name in _NEEDED
    if rules and (is_number or left_open or name == "eos_token_id"):
        return rules[0]
    return value


def _every_kind(values: list) -> list:
    """As many entries as a tiny model has layers, every kind among them, in their order."""
    first = {repr(value): place for place, value in reversed(list(enumerate(values)))}
    places = sorted(first.values())[:LAYERS]
    others = [place for place in range(len(values)) if place not in places]
    return [values[place] for place in sorted(places + others[: LAYERS - len(places)])]


def _merged(settings: dict[str, object], special: dict[str, object]) -> dict[str, object]:
    for name, value in special.items():
        inner = settings.get(name)
        both = isinstance(inner, dict) and isinstance(value, dict)
        settings[name] = _merged(inner, value) if both else value
    return settings
