"""The attention-only pair: what is shipped, and that its MLP stays empty in training."""

from __future__ import annotations

import pytest
import torch

from headroles.paths import ATTN_ONLY_1L, ATTN_ONLY_2L
from headroles.training import (
    attention_only_config,
    build_attention_only,
    export_attention_only,
    train_tokenizer,
)
from headroles.training.monitor import measure
from headroles.training.trainer import Phase, Trainer, TrainingConfig
from headroles.types import Head
from scripts.train_attention_only import parse_arguments

pytestmark = pytest.mark.slow


def shipped(folder):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(
        folder, attn_implementation="eager", dtype=torch.float32
    )
    return model.eval(), AutoTokenizer.from_pretrained(folder)


@pytest.mark.parametrize(("folder", "layers"), [(ATTN_ONLY_1L, 1), (ATTN_ONLY_2L, 2)])
def test_it_is_attention_only_and_small(folder, layers: int) -> None:
    model, _ = shipped(folder)
    assert model.config.num_hidden_layers == layers
    for layer in model.gpt_neox.layers:
        assert not any(parameter.any() for parameter in layer.mlp.parameters())
    assert model.get_input_embeddings().weight is not model.get_output_embeddings().weight
    assert sum(path.stat().st_size for path in folder.iterdir()) < 2_100_000
    assert "no MLP" in (folder / "README.md").read_text()


def test_only_the_second_layer_does_induction() -> None:
    one, two = measure(*shipped(ATTN_ONLY_1L)), measure(*shipped(ATTN_ONLY_2L))
    assert one.by_role["induction"].max() < 0.2
    assert two.by_role["induction"][0].max() < 0.2
    assert (two.by_role["induction"][1] > 0.8).sum() >= 3
    assert two.best("previous_token")[0][0] == Head(0, 3).label
    assert two.best("previous_token")[0][1] > 0.8


def test_training_leaves_the_mlp_empty_and_the_export_reads_back(tmp_path) -> None:
    config = TrainingConfig(
        layers=2,
        heads=2,
        width=16,
        passages=40,
        phases=(Phase("short", 3, row_length=32, rows=4, plain=True),),
    )
    tokenizer = train_tokenizer(0, passages=2000)
    trainer = Trainer(config, tokenizer, tmp_path / "run", build=build_attention_only)
    before = trainer.model.gpt_neox.layers[0].attention.dense.weight.clone()
    for _ in range(3):
        trainer.advance()
    assert not torch.equal(before, trainer.model.gpt_neox.layers[0].attention.dense.weight)
    for layer in trainer.model.gpt_neox.layers:
        assert not any(parameter.any() for parameter in layer.mlp.parameters())
    export_attention_only(trainer.model, tokenizer, config, tmp_path / "out")
    again, _ = shipped(tmp_path / "out")
    ids = torch.arange(8)[None]
    assert torch.equal(again(ids).logits, trainer.model(ids).logits)


def test_the_recipe_is_fixed_by_layers_and_seed() -> None:
    assert attention_only_config(2, seed=3).seed == 3
    assert attention_only_config(1).steps == 2200
    assert parse_arguments(["--layers", "1"]).layers == 1
    with pytest.raises(SystemExit):
        parse_arguments(["--layers", "3"])
