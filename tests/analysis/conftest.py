"""A tiny model with random weights, saved to a folder as a user's would be."""

from __future__ import annotations

import pytest
import torch
from transformers import AutoTokenizer, GPTNeoXConfig, GPTNeoXForCausalLM

from headroles.paths import DEMO_MODEL


@pytest.fixture(scope="session")
def random_gpt_neox_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / "random"
    tokenizer = AutoTokenizer.from_pretrained(DEMO_MODEL)
    torch.manual_seed(0)
    config = GPTNeoXConfig(
        num_hidden_layers=3,
        num_attention_heads=4,
        hidden_size=64,
        intermediate_size=128,
        vocab_size=len(tokenizer),
        max_position_embeddings=256,
    )
    GPTNeoXForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
