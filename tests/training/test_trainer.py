"""Resuming changes nothing, the loss is the usual one, and the export loads anywhere."""

import math
from dataclasses import replace

import pytest
import torch
from torch.nn import functional
from transformers import AutoModelForCausalLM, AutoTokenizer

from headroles.errors import HeadrolesError
from headroles.training import train_tokenizer, write_card
from headroles.training.optimizer import Muon, orthogonalised
from headroles.training.trainer import Phase, Trainer, TrainingConfig, build_model, next_token_loss

PHASES = (
    Phase("repeats", 3, row_length=32, rows=4, plain=True),
    Phase("blend", 3, row_length=48, rows=6, english=0.5, repeats=0.2, rate=(1.0, 0.5)),
)


@pytest.fixture(scope="module")
def tokenizer():
    return train_tokenizer(0, passages=2000)


@pytest.fixture(scope="module")
def config(tokenizer) -> TrainingConfig:
    return TrainingConfig(
        seed=3,
        layers=2,
        heads=2,
        width=16,
        vocab_size=len(tokenizer),
        passages=60,
        phases=PHASES,
        warm_up=2,
    )


def weights(trainer: Trainer) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in trainer.model.state_dict().items()}


def test_a_resumed_run_equals_an_uninterrupted_one(tmp_path, config, tokenizer):
    whole = Trainer(config, tokenizer, tmp_path / "whole")
    whole.run(every=100)
    Trainer(config, tokenizer, tmp_path / "parts").run(until=2, every=100)
    resumed = Trainer(config, tokenizer, tmp_path / "parts")
    assert resumed.step == 2
    resumed.run(every=100)
    assert resumed.step == whole.step == config.steps
    for name, tensor in weights(whole).items():
        assert torch.equal(tensor, weights(resumed)[name]), name
    assert resumed.history == whole.history


def test_training_moves_every_weight(tmp_path, config, tokenizer):
    trainer = Trainer(config, tokenizer, tmp_path)
    before = weights(trainer)
    trainer.run(until=2, every=100)
    assert all(not torch.equal(before[name], after) for name, after in weights(trainer).items())


def test_a_checkpoint_of_another_seed_is_refused(tmp_path, config, tokenizer):
    Trainer(config, tokenizer, tmp_path).save()
    with pytest.raises(HeadrolesError, match="made with seed 3, not 4"):
        Trainer(replace(config, seed=4), tokenizer, tmp_path)


def test_the_loss_is_the_weighted_cross_entropy_of_the_whole_model(config):
    """The model as others load it, all logits computed, gives the same number."""
    model = build_model(config)
    torch.manual_seed(0)
    ids = torch.randint(1, config.vocab_size, (3, 20))
    weight = torch.rand(3, 19) * (torch.rand(3, 19) > 0.4)
    loss = next_token_loss(model, ids, weight, half_precision=False)
    logits = model(ids[:, :-1]).logits
    each = functional.cross_entropy(logits.transpose(1, 2), ids[:, 1:], reduction="none")
    assert loss.item() == pytest.approx(((each * weight).sum() / weight.sum()).item(), rel=1e-5)


def test_rates_warm_up_and_then_follow_the_phase(config):
    rates = [config.rate_at(step) for step in range(config.steps)]
    assert rates == pytest.approx([0.5, 1, 1, 1, 1 - 0.5 / 3, 1 - 1 / 3])
    with pytest.raises(ValueError, match="past the end"):
        config.rate_at(config.steps)


def test_every_row_of_a_batch_starts_with_the_bos(tmp_path, config, tokenizer):
    batches = Trainer(config, tokenizer, tmp_path).batches
    for step in range(config.steps):
        ids, weight = batches.batch(step)
        phase, _ = config.phase_at(step)
        assert ids.shape == (phase.rows, phase.row_length + 1)
        assert weight.shape == (phase.rows, phase.row_length)
        assert (ids[:, 0] == 0).all()
        assert (ids[:, 1:] != 0).all()


def test_orthogonalised_matrices_have_singular_values_near_one():
    torch.manual_seed(0)
    for shape in ((2, 16, 16), (3, 32, 8), (1, 8, 32)):
        values = torch.linalg.svdvals(orthogonalised(torch.randn(shape)))
        assert values.max() < 1.3
        assert values.median() > 0.6


def test_muon_takes_query_key_and_value_of_each_head_apart():
    """The fused rows are laid out as head, then query | key | value, then the head's width."""
    heads, size, width = 2, 3, 6
    muon = Muon([torch.nn.Parameter(torch.zeros(18, width))], lr=1.0, heads=heads)
    fused = torch.arange(18.0)[:, None].expand(18, width)
    parts = muon._parts(fused, heads)
    assert parts[0][:, 0].tolist() == [0, 1, 2, 9, 10, 11]  # query rows of both heads
    assert parts[2][:, 0].tolist() == [6, 7, 8, 15, 16, 17]  # value rows
    assert parts.shape == (3, heads * size, width)
    assert torch.equal(muon._whole(parts, heads), fused)


def test_the_export_loads_with_auto_classes_and_gives_the_same_logits(tmp_path, config, tokenizer):
    trainer = Trainer(config, tokenizer, tmp_path / "run")
    trainer.run(until=2, every=100)
    trainer.export(tmp_path / "out")
    write_card(tmp_path / "out", trainer.model, tokenizer, config)
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "out")
    loaded = AutoTokenizer.from_pretrained(tmp_path / "out")
    text = "The cat sat on the mat. 日本"
    assert loaded(text).input_ids == tokenizer(text).input_ids
    ids = torch.tensor([[0, *loaded(text).input_ids]])
    trainer.model.eval()
    with torch.no_grad():
        difference = (model(ids).logits - trainer.model(ids).logits).abs().max().item()
    assert math.isfinite(difference)
    assert difference < 1e-4
    card = (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    assert "| L1H1 |" in card
