"""Tiny models with random weights, one a family, saved as a user would find them on disk.

The weights are drawn wide (std .25), so that the patterns are far from even and a wrong mask, a
forgotten soft cap or swapped heads would show.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedTokenizerFast

LAYERS, HEADS, WIDTH, CONTEXT = 2, 4, 32, 64

WINDOW = 5
"""Sliding window of the families that have one: smaller than :data:`PROMPT`."""

PROMPT = "The cat sat on the mat. The cat slept, and the dog saw the cat 🐈."
"""A prompt with repeats and an emoji; 20 to 64 tokens with the tokenizer below."""

_CORPUS = [
    "The cat sat on the mat. The cat slept, and the dog saw the cat.",
    "One two three four, one two three four, and the dog sat on the mat.",
] * 8

_LLAMA_LIKE = {
    "hidden_size": WIDTH,
    "intermediate_size": 48,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": HEADS,
    "num_key_value_heads": 2,
    "max_position_embeddings": CONTEXT,
}
_HEAD_DIM = {"head_dim": 16}  # not WIDTH / HEADS: a family that reads it must really read it
_LOCAL_AND_GLOBAL = ["sliding_attention", "full_attention"]

FAMILIES: dict[str, dict[str, object]] = {
    "gpt2": {"n_embd": WIDTH, "n_layer": LAYERS, "n_head": HEADS, "n_positions": CONTEXT},
    "gpt_neox": {
        "hidden_size": WIDTH,
        "intermediate_size": 48,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
        "max_position_embeddings": CONTEXT,
        "rotary_pct": 0.5,
    },
    "opt": {
        "hidden_size": WIDTH,
        "word_embed_proj_dim": WIDTH,
        "ffn_dim": 48,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
        "max_position_embeddings": CONTEXT,
    },
    "llama": _LLAMA_LIKE,
    "mistral": {**_LLAMA_LIKE, "sliding_window": WINDOW},
    "qwen2": _LLAMA_LIKE,
    "qwen3": {**_LLAMA_LIKE, **_HEAD_DIM},
    "gemma2": {
        **_LLAMA_LIKE,
        **_HEAD_DIM,
        "sliding_window": WINDOW,
        "layer_types": _LOCAL_AND_GLOBAL,
        "attn_logit_softcapping": 2.0,  # far below the logits of wide random weights
        "query_pre_attn_scalar": 16,
    },
    "gemma3_text": {
        **_LLAMA_LIKE,
        **_HEAD_DIM,
        "sliding_window": WINDOW,
        "layer_types": _LOCAL_AND_GLOBAL,
        "query_pre_attn_scalar": 16,
    },
    "smollm3": {**_LLAMA_LIKE, "no_rope_layers": [1, 0]},  # rotary in the first layer only
    "olmo2": _LLAMA_LIKE,
    "phi": {**_LLAMA_LIKE, "num_key_value_heads": HEADS, "partial_rotary_factor": 0.5},
    "gpt_neo": {
        "hidden_size": WIDTH,
        "num_layers": LAYERS,
        "num_heads": HEADS,
        "attention_types": [[["global", "local"], 1]],
        "window_size": WINDOW,
        "max_position_embeddings": CONTEXT,
    },
    "bloom": {"hidden_size": WIDTH, "n_layer": LAYERS, "n_head": HEADS},
}
"""Settings of each family's tiny model by transformers' ``model_type``."""

WITH_SINKS: dict[str, dict[str, object]] = {
    "gpt_oss": {
        **_LLAMA_LIKE,
        **_HEAD_DIM,
        "sliding_window": WINDOW,
        "layer_types": _LOCAL_AND_GLOBAL,
        "num_local_experts": 2,
        "num_experts_per_tok": 1,
    },
}
"""Families with learned sinks, whose rows sum to less than 1."""

LAYOUTS = ("gpt2", "bloom", "llama", "gpt_neo")
"""A family for each way in which a layer keeps its heads' weights and shows their pattern.

Queries, keys and values in one matrix; the same, interleaved head by head; heads that share keys
and values; and a pattern that is probed by its dropout.
"""


@cache
def byte_level_tokenizer() -> PreTrainedTokenizerFast:
    """A byte-level BPE of about 330 tokens: every byte, some English, ``<|endoftext|>`` as BOS."""
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=330,
        special_tokens=["<|endoftext|>"],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    bpe.train_from_iterator(_CORPUS, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=bpe, bos_token="<|endoftext|>", eos_token="<|endoftext|>"
    )


def family_config(family: str, settings: dict[str, object] | None = None):
    """The configuration of a family's tiny model; no dropout, no padding token."""
    settings = (FAMILIES | WITH_SINKS)[family] if settings is None else settings
    tokenizer = byte_level_tokenizer()
    return AutoConfig.for_model(
        family,
        vocab_size=len(tokenizer),
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=None,
        **settings,
    )


def save_family(family: str, folder: Path) -> None:
    """Save a seeded tiny model of a family and its tokenizer."""
    torch.manual_seed(len(family))
    model = AutoModelForCausalLM.from_config(family_config(family), attn_implementation="eager")
    widen(model)
    save(model, folder)


def widen(model: torch.nn.Module) -> None:
    """Redraw every matrix with std .25, so that no pattern is nearly even."""
    for parameter in model.parameters():
        if parameter.ndim > 1:
            torch.nn.init.normal_(parameter, std=0.25)


def save(model, folder: Path) -> None:
    """Save a model with the shared tokenizer, as files of the Hub would be."""
    model.save_pretrained(folder)
    byte_level_tokenizer().save_pretrained(folder)
