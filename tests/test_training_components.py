"""Training of components: losses and masks by hand, a run that resumes, the card's figures."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch

from headroles.ablation.component_model import divergence
from headroles.circuits import SVD, factors_at, layer_weights
from headroles.circuits.trained_components import (
    PROJECTIONS,
    Factors,
    Gate,
    load_factors,
    projection,
    shapes_of,
)
from headroles.errors import HeadrolesError
from headroles.models import load_model
from headroles.training.component_card import export_components, measure
from headroles.training.components import (
    CHECKPOINT,
    ComponentConfig,
    ComponentTrainer,
    _LowerLeaky,
    component_batches,
    component_config,
    upper_leaky,
)
from scripts.train_components import main

CONFIG = ComponentConfig(
    steps=6, warm_up=5, rows=2, hidden=2, counts=dict.fromkeys(PROJECTIONS, 12)
)


@pytest.fixture(scope="module")
def loaded():
    return load_model("attn-only-1l-tiny")


@pytest.fixture(scope="module")
def batches(loaded):
    return component_batches(loaded.tokenizer, layers=1, config=CONFIG)


@pytest.fixture
def trainer(loaded, batches, tmp_path):
    return ComponentTrainer(loaded, CONFIG, batches, tmp_path)


def always(count: int) -> Gate:
    """Importance 1 for every component and token."""
    return Gate(torch.zeros(count, 1), torch.zeros(count, 1), torch.zeros(count, 1),
                torch.ones(count))  # fmt: skip


def test_a_gate_is_worked_by_hand():
    gate = Gate(torch.tensor([[1.0, -1.0]]), torch.tensor([[0.0, 1.0]]),
                torch.tensor([[2.0, 0.5]]), torch.tensor([-0.25]))  # fmt: skip
    activation = torch.tensor([[3.0]])
    gelu = torch.nn.functional.gelu(torch.tensor([3.0, -2.0]))
    expected = 2 * gelu[0] + 0.5 * gelu[1] - 0.25
    assert gate.raw(activation).item() == pytest.approx(expected.item())
    assert gate.importances(activation).item() == 1.0
    between = 0.5 * 0.8413447 - 0.25  # gelu(1) = Phi(1)
    assert gate.importances(torch.tensor([[0.0]])).item() == pytest.approx(between, abs=1e-6)


def test_the_leaky_sigmoids_pass_gradients_where_they_should():
    x = torch.tensor([-1.0, -1.0, 0.5, 2.0], requires_grad=True)
    clamped = _LowerLeaky.apply(x)
    assert clamped.tolist() == [0.0, 0.0, 0.5, 1.0]
    clamped.backward(torch.tensor([-1.0, 1.0, 3.0, 1.0]))
    # below 0 only what would raise the importance passes, a hundredth of it; above 1 nothing
    assert x.grad.tolist() == pytest.approx([-0.01, 0.0, 3.0, 0.0])
    y = torch.tensor([-1.0, 0.5, 2.0], requires_grad=True)
    upper_leaky(y).sum().backward()
    assert y.grad.tolist() == pytest.approx([0.0, 1.0, 0.01])


def test_masks_lie_between_the_importance_and_one_and_half_of_the_rows_have_it_alone(trainer):
    raw = {(0, "q"): torch.tensor([-0.5, 0.2, 0.9, 1.5]).expand(4, 3, 4)}
    (mask,) = trainer._masks(raw).values()
    g = torch.tensor([0.0, 0.2, 0.9, 1.0])
    assert torch.equal(mask[2:], g.expand(2, 3, 4))
    assert bool((mask[:2] >= g).all())
    assert bool((mask[:2] <= 1).all())
    assert mask[:2, :, 0].unique().numel() == 6  # a draw of its own for each token
    assert torch.equal(mask, next(iter(trainer._masks(raw).values())))  # fixed by seed and step


def test_faithfulness_is_the_naive_sum(trainer, loaded):
    missed = whole = 0.0
    for (layer, name), of in trainer.factors.items():
        of = of.map(torch.clone)
        weight = projection(layer_weights(loaded, layer), name)
        total = sum(torch.outer(u, v) for u, v in zip(of.U, of.V, strict=True))
        missed, whole = (
            missed + float((total - weight).square().sum()),
            whole + float(weight.square().sum()),
        )
    assert trainer.faithfulness().item() == pytest.approx(missed / whole, rel=1e-5)


def test_a_run_that_stops_and_resumes_is_the_same_run(loaded, batches, tmp_path):
    through = ComponentTrainer(loaded, CONFIG, batches, tmp_path / "through")
    through.run(every=3)
    first = ComponentTrainer(loaded, CONFIG, batches, tmp_path / "parts")
    first.run(3, every=3)
    second = ComponentTrainer(loaded, CONFIG, batches, tmp_path / "parts")
    assert second.step == 3
    second.run(every=3)
    for name, values in through.parts.state_dict().items():
        assert torch.equal(values, second.parts.state_dict()[name]), name
    assert [entry["step"] for entry in second.history] == [3, 6]
    for one, other in zip(through.history, second.history, strict=True):
        assert one["reconstruction"] == other["reconstruction"]


def test_training_lowers_what_it_should(loaded, batches, tmp_path):
    config = replace(CONFIG, steps=60, counts=dict.fromkeys(PROJECTIONS, 64), learning_rate=1e-2)
    trainer = ComponentTrainer(loaded, config, batches, tmp_path)
    losses = [trainer.advance() for _ in range(60)]
    for name in ("reconstruction", "faithfulness"):
        start = sum(getattr(one, name) for one in losses[:5])
        assert sum(getattr(one, name) for one in losses[-5:]) < 0.9 * start, name
    assert all(not parameter.requires_grad for parameter in loaded.model.parameters())


def test_what_costs_more_has_fewer_important_components(loaded, batches, tmp_path):
    sums = []
    for minimality in (0.0, 1.0):
        config = replace(CONFIG, steps=60, minimality=minimality, learning_rate=1e-2)
        trainer = ComponentTrainer(loaded, config, batches, tmp_path / str(minimality))
        sums.append([trainer.advance() for _ in range(60)][-1].minimality)
    assert sums[1] < 0.9 * sums[0]


def test_a_checkpoint_that_does_not_fit_is_refused(trainer, loaded, batches):
    trainer.run(1)
    with pytest.raises(HeadrolesError, match="other settings"):
        ComponentTrainer(loaded, replace(CONFIG, seed=5), batches, trainer.folder)
    (trainer.folder / CHECKPOINT).write_bytes(b"damaged")
    with pytest.raises(HeadrolesError, match="damaged"):
        ComponentTrainer(loaded, CONFIG, batches, trainer.folder)


def test_the_figures_are_those_of_naive_runs(loaded, batches):
    """Components of the SVD, half of them never important."""
    factors = {}
    for name in PROJECTIONS:
        of = factors_at(loaded, SVD, (0, name))
        gate = always(len(of.U))
        gate.b_out[len(of.U) // 2 :] = -1
        factors[0, name] = Factors(of.U, of.V, gate)
    rows = [batches.batch(0)[0][:, :-1]]
    found = measure(loaded, factors, rows)
    figures = {figure["name"]: figure for figure in found["figures"]}
    assert figures["all components"]["divergence"] == pytest.approx(0, abs=1e-5)
    # as many of the SVD, the same for every token, are here the important ones
    same = figures["SVD, as many, the same for every token"]["divergence"]
    assert figures["masked by importance"]["divergence"] == pytest.approx(same, rel=1e-4)
    assert figures["alive components, whole"]["divergence"] == pytest.approx(same, rel=1e-4)
    assert figures["masked by importance"]["alive"] == sum(
        len(of.U) // 2 for of in factors.values()
    )
    with torch.no_grad():
        target = loaded.model(rows[0]).logits
        before = {}
        for layer in loaded.model.gpt_neox.layers:
            for module in (layer.attention.query_key_value, layer.attention.dense):
                before[module] = module.weight.clone()
                module.weight.zero_()
        naive = divergence(target, loaded.model(rows[0]).logits)
        for module, weight in before.items():
            module.weight.copy_(weight)
    assert figures["none"]["divergence"] == pytest.approx(float(naive), rel=1e-4)
    assert figures["none"]["divergence"] > figures["as many, at random"]["divergence"] > same
    for matrix in found["matrices"]:
        assert matrix["alive"] == matrix["ever_alive"] == matrix["components"] / 2
        assert matrix["error"] < 1e-5
        assert matrix["whole"] == pytest.approx(same, rel=1e-4)  # importances of 0 and 1 alone


def test_divergence_is_worked_by_hand():
    p, q = torch.tensor([[0.75, 0.25]]), torch.tensor([[0.5, 0.5]])
    expected = 0.75 * torch.tensor(1.5).log() + 0.25 * torch.tensor(0.5).log()
    assert float(divergence(p.log(), q.log())) == pytest.approx(float(expected))


def test_what_is_written_is_what_was_trained(trainer, tmp_path):
    trainer.run()
    export_components(trainer, tmp_path)
    found = load_factors(tmp_path / "attn-only-1l-tiny.safetensors",
                         shapes=shapes_of(trainer.loaded))  # fmt: skip
    for place, of in trainer.factors.items():
        assert torch.allclose(found[place].U, of.U, atol=1e-2)
        assert torch.allclose(found[place].gate.w_out, of.gate.w_out, atol=1e-2)
    card = json.loads((tmp_path / "attn-only-1l-tiny.json").read_text())
    assert card["steps"] == CONFIG.steps
    assert card["recipe"]["counts"] == CONFIG.counts
    assert card["figures"][0]["name"] == "all components"
    assert card["history"][-1]["step"] == CONFIG.steps


def test_the_command_line_goes_on_and_writes(tmp_path, capsys):
    options = ["--layers", "1", "--checkpoint", str(tmp_path / "run"), "--out",
               str(tmp_path / "out"), "--steps", "2", "--every", "1"]  # fmt: skip
    assert main(options) == 0
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "attn-only-1l-tiny.json",
        "attn-only-1l-tiny.safetensors",
    }
    nothing = [*options, "--checkpoint", str(tmp_path / "nothing"), "--export-only"]
    assert main(nothing) != 0
    assert "There is no checkpoint" in capsys.readouterr().err


def test_recipes_have_components_enough_to_sum_to_a_matrix(loaded):
    for layers in (1, 2):
        for (_, name), (reads, writes) in shapes_of(loaded).items():
            assert component_config(layers).counts[name] >= min(reads, writes)
