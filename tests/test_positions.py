"""How long a prompt may be: by the configuration, and by the rows that a table of positions has."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM

from headroles.capture import capture
from headroles.errors import ModelRunError
from headroles.models import load_model
from headroles.models.positions import context_length
from headroles.texts import MAX_TOKENS
from tests.families import FAMILIES, byte_level_tokenizer, save, save_family

_WORDS = "The cat sat on the mat. " * 60
_BERT_LIKE = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": 40,
    "type_vocab_size": 2,
    "is_decoder": True,
}


def _saved(folder: Path, family: str, **settings: object) -> Path:
    torch.manual_seed(1)
    ids = {"vocab_size": len(byte_level_tokenizer()), "bos_token_id": 0, "eos_token_id": 0}
    config = AutoConfig.for_model(family, **{**ids, **settings})
    save(AutoModelForCausalLM.from_config(config, attn_implementation="eager"), folder)
    return folder


@pytest.mark.parametrize(
    ("family", "pad", "reads"),
    [
        ("roberta", 1, 38),  # the first position is pad + 1
        ("xlm-roberta", 1, 38),
        ("camembert", 1, 38),
        ("roberta", 5, 34),
        ("bert", 0, 40),  # begins at 0, whatever its padding token
    ],
)
def test_the_longest_prompt_that_is_offered_runs(
    tmp_path: Path, family: str, pad: int, reads: int
) -> None:
    loaded = load_model(str(_saved(tmp_path, family, **_BERT_LIKE, pad_token_id=pad)))
    assert loaded.max_tokens == reads
    run = capture(loaded, _WORDS)
    assert run.attention.shape == (2, 4, reads, reads)
    with pytest.raises(ModelRunError):  # one more is one too many
        type(loaded.model).forward(loaded.model, torch.full((1, reads + 1), 7))


@pytest.mark.parametrize("family", ["gpt2", "opt", "gpt_neo", "llama"])
def test_tables_that_begin_at_the_first_row_keep_their_length(tmp_path: Path, family: str) -> None:
    save_family(family, tmp_path)  # OPT's begins at row 2 and is two rows longer
    assert load_model(str(tmp_path)).context_length == 64


@pytest.mark.parametrize("said", [10**40, 10**13])
def test_a_number_that_says_there_is_no_end(tmp_path: Path, said: int) -> None:
    save_family("llama", tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    config["max_position_embeddings"] = said
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert load_model(str(tmp_path)).max_tokens == MAX_TOKENS


def test_other_names_are_read(tmp_path: Path) -> None:
    sizes = {"d_model": 32, "n_layers": 2, "n_heads": 4, "max_seq_len": 24}
    config = AutoConfig.for_model("mpt", vocab_size=len(byte_level_tokenizer()), **sizes)
    assert context_length(AutoModelForCausalLM.from_config(config)) == 24


def test_no_name_and_no_table_is_no_length() -> None:
    config = AutoConfig.for_model("bloom", vocab_size=50, **FAMILIES["bloom"])
    assert context_length(AutoModelForCausalLM.from_config(config)) is None
