"""The model as a sum of components, and without some: exact, whatever the family."""

from __future__ import annotations

import contextlib
import math

import pytest
import torch
from transformers.pytorch_utils import Conv1D

from headroles.ablation.attention_shift import looks
from headroles.ablation.component_model import masked, place_of, recorded
from headroles.ablation.conditions import (
    ALL_COMPONENTS,
    UNTOUCHED,
    Condition,
    HeadOutput,
    Without,
)
from headroles.ablation.run import run_conditions, run_under
from headroles.circuits import (
    SVD,
    TRAINED,
    component_sets,
    factors_at,
    head_shares,
    layer_weights,
    places_of,
)
from headroles.circuits.component_sets import degenerate, null, sizes
from headroles.circuits.trained_components import Factors, projection, save_factors
from headroles.errors import DecompositionError, UnknownComponentError
from headroles.types import Component, Encoding, Head

IDS = (0, 5, 9, 5, 9, 7)
FAMILIES = ["gpt2", "llama", "gpt_neox", "qwen3", "opt"]


def logits(loaded, *conditions):
    rows = [IDS] * len(conditions)
    return [outcome.logits for outcome in run_conditions(loaded, rows, conditions)]


def close(first, second, *, within=1e-4):
    return bool((first - second).abs().max() <= within * second.abs().max())


def every_component(loaded, place):
    return tuple(Component(*place, n) for n in range(len(factors_at(loaded, SVD, place).U)))


@pytest.mark.parametrize("family", FAMILIES)
def test_the_components_of_the_svd_sum_to_every_matrix(family, load_family):
    loaded = load_family(family)
    for place in places_of(loaded, SVD):
        W = projection(layer_weights(loaded, place[0]), place[1])
        factors = factors_at(loaded, SVD, place)
        assert close(factors.matrix(), W)
        assert close(sizes(factors).square().sum(), W.square().sum())


def test_a_few_matrices_are_kept(load_family, monkeypatch):
    loaded = load_family("gpt_neox")
    one = factors_at(loaded, SVD, (0, "q"))
    assert factors_at(loaded, SVD, (0, "q")) is one
    size = one.U.numel() + one.V.numel()
    monkeypatch.setattr(component_sets, "_KEPT_NUMBERS", 2 * size)
    for name in "qkv":
        factors_at(loaded, SVD, (1, name))
    assert factors_at(loaded, SVD, (0, "q")) is not one  # made anew, and the same
    assert torch.equal(factors_at(loaded, SVD, (0, "q")).U, one.U)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("name", "qkvo")
def test_without_all_components_of_a_matrix_the_matrix_is_zero(family, name, load_family):
    loaded, place = load_family(family), (1, name)
    gone = Condition("", (Without(every_component(loaded, place), SVD),))
    untouched, (found,) = logits(loaded, UNTOUCHED)[0], logits(loaded, gone)
    with changed(loaded, place, torch.zeros_like):
        (expected,) = logits(loaded, UNTOUCHED)
    assert not close(expected, untouched)
    assert close(found, expected)


class _View:
    """The numbers of a matrix in the model, [d_in d_out], to be read and written."""

    def __init__(self, loaded, place) -> None:
        module, features = place_of(loaded, place)
        weight = module.weight.data
        self.weight = weight if isinstance(module, Conv1D) else weight.T
        self.own = slice(None) if features is None else features

    def read(self):
        return self.weight[:, self.own].clone()

    def write(self, values) -> None:
        self.weight[:, self.own] = values


@contextlib.contextmanager
def changed(loaded, place, change):
    """While it is open, the matrix is what ``change`` makes of it."""
    view = _View(loaded, place)
    before = view.read()
    view.write(change(before))
    try:
        yield
    finally:
        view.write(before)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("name", "qkvo")
def test_an_effect_is_that_of_a_hand_written_change_of_the_weights(family, name, load_family):
    loaded, place = load_family(family), (0, name)
    condition = Condition("", (Without((Component(*place, 2),), SVD),))
    (found,) = logits(loaded, condition)
    factors = factors_at(loaded, SVD, place)
    part = torch.outer(factors.U[2], factors.V[2])  # [d_in d_out]
    with changed(loaded, place, lambda weight: weight - part):
        (expected,) = logits(loaded, UNTOUCHED)
    assert close(found, expected)
    assert not close(found, logits(loaded, UNTOUCHED)[0], within=1e-6)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("name", "qo")
def test_the_effects_in_all_heads_one_by_one_take_the_whole_component(family, name, load_family):
    loaded, component = load_family(family), Component(1, name, 1)
    everywhere = Without((component,), SVD)
    heads = Head.every([1], loaded.num_heads)
    in_all = Without((component,), SVD, only_in=tuple(heads))
    found = logits(loaded, Condition("", (everywhere,)), Condition("", (in_all,)))
    assert close(*found)
    (in_none,) = logits(loaded, Condition("", (Without((component,), SVD, only_in=()),)))
    assert close(in_none, logits(loaded, UNTOUCHED)[0])
    (in_one,) = logits(loaded, Condition("", (Without((component,), SVD, only_in=(heads[0],)),)))
    assert not close(in_one, in_none, within=1e-6)


def test_all_output_components_in_one_head_are_that_head(load_family):
    loaded = load_family("llama")
    gone = Without(every_component(loaded, (1, "o")), SVD, only_in=(Head(1, 2),))
    head = HeadOutput((Head(1, 2),))
    found = logits(loaded, Condition("", (gone,)), Condition("", (head,)))
    assert close(*found)


def test_rows_of_a_batch_do_not_disturb_each_other(load_family):
    loaded = load_family("gpt_neox")
    conditions = [
        UNTOUCHED,
        Condition("", (Without((Component(0, "q", 0), Component(1, "v", 3)), SVD),)),
        Condition("", (HeadOutput((Head(1, 1),)),)),
        Condition("", (HeadOutput((Head(0, 1),)), Without((Component(1, "k", 0),), SVD))),
        Condition("", (Without((Component(1, "o", 0),), SVD, positions=(-1,)),)),
    ]
    together = logits(loaded, *conditions)
    for condition, found in zip(conditions, together, strict=True):
        assert close(found, logits(loaded, condition)[0])
    assert len({tuple(found.tolist()) for found in together}) == len(conditions)


def test_at_one_position_only_its_query_changes(load_family):
    loaded = load_family("llama")
    change = Without((Component(0, "q", 0),), SVD, positions=(3,))
    outcomes = list(run_conditions(loaded, [IDS] * 2, [UNTOUCHED, Condition("", (change,))]))
    moved = (outcomes[0].losses - outcomes[1].losses).abs() > 1e-6
    assert moved.tolist()[:3] == [False] * 3  # losses 0 to 2 are of guesses before position 3
    assert moved.tolist()[3]


def test_masks_of_one_are_the_model_and_masks_of_zero_leave_the_bias(load_family):
    loaded = load_family("gpt2")
    factors = {place: factors_at(loaded, SVD, place) for place in places_of(loaded, SVD)}
    ids = torch.tensor([IDS])
    with torch.no_grad(), loaded.lock:
        with recorded(loaded, factors) as inputs:
            plain = loaded.model(ids).logits
        assert inputs[0, "q"].shape == (1, len(IDS), factors[0, "q"].U.shape[1])
        with masked(loaded, factors, {place: torch.ones(()) for place in factors}):
            assert close(loaded.model(ids).logits, plain)
        with masked(loaded, factors, {(1, "o"): torch.zeros(())}):
            found = loaded.model(ids).logits[0, -1]
        assert close(loaded.model(ids).logits, plain)  # nothing stays behind
    gone = Condition("", (Without(every_component(loaded, (1, "o")), SVD),))
    assert close(found, logits(loaded, gone)[0])


def test_shares_are_worked_by_hand(load_family):
    loaded = load_family("gpt2")
    d_head = loaded.model.config.hidden_size // loaded.num_heads
    V = torch.zeros(2, loaded.model.config.hidden_size)
    V[0, 0], V[0, d_head] = 3.0, 4.0  # heads 0 and 1
    V[1, 2 * d_head] = 5.0  # head 2 alone
    found = head_shares(loaded, (0, "q"), Factors(torch.ones_like(V), V))
    assert found.shares[0, :3].tolist() == pytest.approx([9 / 25, 16 / 25, 0])
    assert found.shares[1, :3].tolist() == pytest.approx([0, 0, 1])
    expected = -(9 / 25) * math.log(9 / 25) - (16 / 25) * math.log(16 / 25)
    assert found.entropy.tolist() == pytest.approx([expected, 0], abs=1e-6)
    read = head_shares(loaded, (0, "o"), Factors(V, torch.ones_like(V)))  # by what it reads
    assert torch.allclose(read.shares, found.shares)


@pytest.mark.parametrize("family", FAMILIES)
def test_shares_sum_to_one_and_their_entropy_is_between_none_and_all_alike(family, load_family):
    loaded = load_family(family)
    for place in places_of(loaded, SVD):
        spread = head_shares(loaded, place, factors_at(loaded, SVD, place))
        assert torch.allclose(spread.shares.sum(1), torch.ones(len(spread.shares)), atol=1e-5)
        heads = spread.shares.shape[1]
        assert float(spread.entropy.min()) >= 0
        assert float(spread.effective_heads.max()) <= heads + 1e-4


def test_null_and_degenerate_directions_are_flagged():
    S = torch.tensor([2.0, 1.0, 1.0, 0.5, 1e-9])
    factors = Factors(torch.eye(5) * S[:, None], torch.eye(5))
    assert null(factors).tolist() == [False, False, False, False, True]
    assert degenerate(factors).tolist() == [False, True, True, False, False]


def test_where_heads_look_without_a_component_is_what_the_pass_without_it_has(load_family):
    loaded = load_family("gpt_neox")
    gone = Condition("", (Without((Component(0, "v", 0), Component(1, "q", 0)), SVD),))
    encoding = Encoding(IDS, tuple(map(str, IDS)), "0", True, len(IDS))
    found, before = looks(loaded, encoding, [gone, UNTOUCHED])
    run = run_under(loaded, torch.tensor([IDS]), [gone], [len(IDS)], keep_patterns=[0, 1])
    for layer in (0, 1):
        assert close(found.at[layer], run.patterns[layer][0, :, -1])
    assert close(found.at[0], before.at[0])  # its queries are those of layer 1
    assert not close(found.at[1], before.at[1], within=1e-6)


def test_what_is_not_there_is_refused_by_name(load_family):
    loaded = load_family("gpt2")
    for component in (Component(9, "q", 0), Component(0, "q", 999)):
        with pytest.raises(UnknownComponentError, match=component.label):
            logits(loaded, Condition("", (Without((component,), SVD),)))
    with pytest.raises(DecompositionError, match="No components were trained"):
        logits(loaded, Condition("", (Without(),)))
    with pytest.raises(UnknownComponentError, match="L0Q17"):
        Component.parse("L0H17")
    for text in ("L0Q17", "l0-q-17", "0.q.17", " L0q17 "):
        assert Component.parse(text) == Component(0, "q", 17)


@pytest.fixture
def trained(load_family, tmp_path, monkeypatch):
    """A tiny model with trained components: those of an SVD, a little off."""
    loaded = load_family("gpt_neox")
    monkeypatch.setattr(component_sets, "COMPONENTS", tmp_path)
    monkeypatch.delitem(loaded.tools, "components-trained", raising=False)
    draw = torch.Generator().manual_seed(0)
    made = {}
    for place in places_of(loaded, SVD):
        of = factors_at(loaded, SVD, place)
        made[place] = Factors(of.U * (1 + 0.02 * torch.randn(of.U.shape, generator=draw)), of.V)
    save_factors(tmp_path / f"{loaded.key}.safetensors", made)
    yield loaded
    loaded.tools.pop("components-trained", None)


def test_with_trained_components_the_model_is_their_sum(trained):
    rows = [UNTOUCHED, ALL_COMPONENTS, Condition("", (Without((Component(1, "k", 2),)),))]
    untouched, every, less = logits(trained, *rows)
    factors = {place: factors_at(trained, TRAINED, place) for place in places_of(trained, TRAINED)}
    with contextlib.ExitStack() as sums:
        for place, of in factors.items():
            sums.enter_context(changed(trained, place, lambda _, of=of: of.matrix()))
        (expected,) = logits(trained, UNTOUCHED)
        of = factors[1, "k"]
        part = torch.outer(of.U[2], of.V[2])
        with changed(trained, (1, "k"), lambda weight: weight - part):
            (expected_less,) = logits(trained, UNTOUCHED)
    assert close(every, expected)
    assert close(less, expected_less)
    assert not close(every, untouched, within=1e-3)
    assert not close(every, less, within=1e-6)


def test_components_of_other_weights_are_refused(trained):
    trained.tools.pop("components-trained", None)
    with (
        changed(trained, (0, "q"), lambda weight: weight + weight.std()),
        pytest.raises(DecompositionError, match="other weights"),
    ):
        logits(trained, ALL_COMPONENTS)
