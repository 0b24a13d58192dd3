"""Tiny tokenizers like those of chat models: special tokens, a declared BOS, a template."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedTokenizerFast

from headroles import paths
from headroles.paths import ROOT
from headroles.store import model_list

CHATML = (
    "{% for m in messages %}{% if loop.first and m.role != 'system' %}<|im_start|>system\n"
    "Be kind.<|im_end|>\n{% endif %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
"""As SmolLM2's: a system message of its own, and markers around every turn."""
LLAMA_2 = (
    "{% for m in messages %}{% if m.role == 'user' %}{{ bos_token }}[INST] {{ m.content | trim }} "
    "[/INST]{% else %} {{ m.content }}</s>{% endif %}{% endfor %}"
)
"""The start of text opens every pair of messages."""


def chat_tokenizer(
    *special: str, template: str | None = None, **declared
) -> PreTrainedTokenizerFast:
    """A byte-level BPE with these special tokens, ids from 0 on; e.g. ``bos_token="<s>"``."""
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=list(special),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    bpe.train_from_iterator(["user system assistant Be kind. The cat sat on the mat."] * 4, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=bpe, chat_template=template, **declared)


def chatml_tokenizer() -> PreTrainedTokenizerFast:
    """A chat model's: 0 is its end of text, 1 and 2 open and close a turn, and 1 is its BOS."""
    return chat_tokenizer(
        "<|endoftext|>",
        "<|im_start|>",
        "<|im_end|>",
        template=CHATML,
        bos_token="<|im_start|>",
        eos_token="<|im_end|>",
        unk_token="<|endoftext|>",
    )


def save_model(folder: Path, tokenizer: PreTrainedTokenizerFast, *, rows: int | None = None) -> str:
    """A tiny random llama with this tokenizer, saved as a user's would be."""
    torch.manual_seed(0)
    config = AutoConfig.for_model(
        "llama",
        vocab_size=rows or len(tokenizer),
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=512,
        bos_token_id=0,
        eos_token_id=0,
        pad_token_id=None,
    )
    AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)


def list_chat_models(folder: Path, monkeypatch: pytest.MonkeyPatch, key: str) -> str:
    """List a model with a chat template by this key, and ``broken``, whose template fails.

    The folder gets the shipped categories, and is the app's data folder from then on.
    """
    shutil.copy(ROOT / "data" / "head_categories.json", folder)
    monkeypatch.setattr(paths, "CATEGORIES", folder / "head_categories.json")
    save_model(folder / key, chatml_tokenizer())
    failing = "{{ raise_exception('Not like this') }}"
    save_model(folder / "broken", chat_tokenizer("<s>", template=failing, bos_token="<s>"))
    for listed in (key, "broken"):
        model_list.add({"key": listed, "folder": str(folder / listed)})
    return key
