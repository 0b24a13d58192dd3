"""A one-layer and a two-layer model that have attention and nothing else.

Elhage et al. 2021 ("A Mathematical Framework for Transformer Circuits") read such models from their
weights alone: without an MLP every path from token to logit goes through the OV and QK circuits of
their heads. They are put together like the bundled model, only that their MLP is a single neuron
with every number zero (transformers runs no layer without neurons), so whatever loads a GPT-NeoX
loads them. Embedding and unembedding are not tied, as in ``attn-only-1l`` and ``attn-only-2l``.

>>> build_attention_only(attention_only_config(2)).config.num_hidden_layers  # doctest: +SKIP
2
"""

from __future__ import annotations

from pathlib import Path

import torch
from transformers import GPTNeoXForCausalLM, PreTrainedTokenizerFast

from headroles.training.card import write_card
from headroles.training.held_out import write_held_out
from headroles.training.trainer import Phase, TrainingConfig, bundled_settings

FOLDERS = {1: "attn_only_1l", 2: "attn_only_2l"}
"""Name of the folder in ``data/`` by number of layers."""

_PHASES = {
    1: (
        Phase("blend", 1700, row_length=128, rows=16, english=0.85, repeats=0.05),
        Phase("long", 500, row_length=255, rows=8, english=0.85, repeats=0.05, rate=(1.0, 0.02)),
    ),
    2: (
        Phase("repeats", 700, row_length=64, rows=32, repeats=1.0, plain=True),
        Phase("blend", 1500, row_length=128, rows=16, english=0.6, repeats=0.3),
        Phase("long", 600, row_length=255, rows=8, english=0.6, repeats=0.3, rate=(1.0, 0.02)),
    ),
}


def attention_only_config(layers: int, seed: int = 0) -> TrainingConfig:
    """The recipe of the one- or two-layer model: the bundled model's texts in fewer steps."""
    return TrainingConfig(
        seed=seed, layers=layers, context=256, passages=30_000, phases=_PHASES[layers]
    )


def build_attention_only(config: TrainingConfig) -> GPTNeoXForCausalLM:
    """A freshly initialised model with eager attention, the same for the same seed.

    Its MLP is zero and stays so.
    """
    settings = bundled_settings(config)
    settings.intermediate_size = 1
    settings.tie_word_embeddings = False
    torch.manual_seed(config.seed)
    model = GPTNeoXForCausalLM._from_config(settings, attn_implementation="eager")
    for layer in model.gpt_neox.layers:
        for parameter in layer.mlp.parameters():
            parameter.requires_grad_(False).zero_()
        layer.post_attention_layernorm.requires_grad_(False)
    return model


def export_attention_only(
    model: GPTNeoXForCausalLM,
    tokenizer: PreTrainedTokenizerFast,
    config: TrainingConfig,
    folder: Path,
) -> None:
    """Write model, tokenizer and card; the weights as 16-bit numbers, to be small.

    The card's numbers are those of the weights as they are read back.
    """
    with torch.no_grad():
        for parameter in model.parameters():  # not the whole model: its rotary angles stay exact
            parameter.copy_(parameter.half())
    model.save_pretrained(
        folder, state_dict={name: value.half() for name, value in model.state_dict().items()}
    )
    tokenizer.save_pretrained(folder)
    write_held_out(folder, tokenizer, config)
    write_card(folder, model, tokenizer, config, attention_only=True)
