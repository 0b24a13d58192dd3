"""NaN and infinity: said at once with the place where they begin; never quiet, never no effect."""

from __future__ import annotations

import json
import math

import pytest
import torch
from safetensors.torch import load_file, save_file

from headroles.ablation import Condition, HeadOutput, ablate
from headroles.ablation.outcomes import compare, logit_changes
from headroles.ablation.run import Outcome, reference_means
from headroles.capture import capture, each_layer, run_edited
from headroles.circuits import CircuitSettings, head_factors
from headroles.circuits.weights import layer_weights
from headroles.errors import NotANumberError
from headroles.export.tables import heads_csv, heads_json
from headroles.models import LoadedModel, load_model
from headroles.models.numbers import are_logits, are_numbers
from headroles.texts import encode
from headroles.types import Head
from tests.families import LAYERS, PROMPT, save_family

pytestmark = pytest.mark.filterwarnings("ignore")  # the libraries' own

PLACES = {
    ("llama", "model.embed_tokens.weight"): "embed_tokens",
    ("llama", "model.layers.1.self_attn.q_proj.weight"): "layer 1 (self_attn.q_proj)",
    ("llama", "model.layers.0.self_attn.v_proj.weight"): "layer 0 (self_attn.v_proj)",
    ("llama", "model.layers.1.mlp.down_proj.weight"): "layer 1 (mlp.down_proj)",
    ("llama", "lm_head.weight"): "lm_head",
    ("gpt2", "transformer.h.1.attn.c_attn.weight"): "layer 1 (attn.c_attn)",
    ("gpt_neo", "transformer.h.0.mlp.c_proj.bias"): "layer 0 (mlp.c_proj)",
    ("bloom", "transformer.h.1.input_layernorm.weight"): "layer 1 (input_layernorm)",
}


@pytest.fixture
def damage(model_folders):
    """``damage("gpt2", "transformer.wte.weight", math.nan)``: a model with one such number."""

    def load(family: str, weight: str, value: float) -> LoadedModel:
        loaded = load_model(str(model_folders(family)))
        parameter = loaded.model.get_parameter(weight)
        ids = encode(loaded.tokenizer, PROMPT).token_ids
        with torch.no_grad():
            row = ids[-1] if len(parameter) == len(loaded.tokenizer) else 1
            parameter[row] = value
        return loaded

    return load


@pytest.mark.parametrize("value", [math.nan, math.inf])
@pytest.mark.parametrize(("family", "weight"), PLACES)
def test_the_place_where_it_begins_is_named(damage, family: str, weight: str, value: float) -> None:
    loaded = damage(family, weight, value)
    with pytest.raises(NotANumberError) as caught:
        capture(loaded, PROMPT)
    assert caught.value.value == PLACES[family, weight]
    assert not any(module._forward_hooks for module in loaded.model.modules())


def test_what_is_too_large_for_its_numbers_is_said(damage) -> None:
    loaded = damage("gpt2", "transformer.h.0.attn.c_proj.weight", 3e38)
    with pytest.raises(NotANumberError):
        capture(loaded.__class__(**vars(loaded) | {"model": loaded.model.bfloat16()}), PROMPT)


def test_no_layer_with_nan_is_handed_out(damage) -> None:
    loaded, seen = damage("llama", "model.layers.0.mlp.up_proj.weight", math.nan), []
    ids = torch.tensor([encode(loaded.tokenizer, PROMPT).token_ids])
    with pytest.raises(NotANumberError, match=r"first in layer 0 \(mlp.up_proj\)"):
        each_layer(
            loaded, ids, lambda layer, pattern, _: seen.append((layer, are_numbers(pattern)))
        )
    assert seen == [(0, True)]


@pytest.mark.parametrize("losses", [True, False])
def test_a_knock_out_in_a_damaged_model_is_not_without_effect(damage, losses: bool) -> None:
    loaded = damage("llama", "model.layers.1.mlp.down_proj.weight", math.nan)
    encoding = encode(loaded.tokenizer, PROMPT)
    with pytest.raises(NotANumberError, match=r"layer 1 \(mlp.down_proj\)"):
        ablate(loaded, encoding, [Condition("", (HeadOutput((Head(0, 1),)),))], losses=losses)
    damaged_below = damage("llama", "model.layers.0.self_attn.v_proj.weight", math.nan)
    with pytest.raises(NotANumberError, match=r"layer 0 \(self_attn.v_proj\)"):
        reference_means(damaged_below)


@pytest.mark.parametrize("weight", ["q_proj", "o_proj"])
def test_the_weights_of_a_damaged_model_are_not_an_unknown_layout(damage, weight: str) -> None:
    loaded = damage("llama", f"model.layers.1.self_attn.{weight}.weight", math.nan)
    with pytest.raises(NotANumberError, match=rf"layer 1 \(self_attn.{weight}\)"):
        layer_weights(loaded, 1)


def test_a_change_that_makes_nan_is_told_from_a_damaged_model(load_family) -> None:
    loaded = load_family("llama")
    ids = torch.tensor([encode(loaded.tokenizer, PROMPT).token_ids])
    with pytest.raises(NotANumberError, match="first in a run with something knocked out"):
        run_edited(loaded, ids, patterns={0: lambda pattern: pattern / 0})
    with pytest.raises(NotANumberError):
        run_edited(loaded, ids, patterns={0: lambda p: p * math.nan}, keep_patterns=[0],
                   with_logits=False)  # fmt: skip
    run_edited(loaded, ids, keep_patterns=range(LAYERS))  # nothing of it stays


def test_a_model_of_nan_alone_is_refused_for_what_it_is(tmp_path) -> None:

    save_family("gpt2", tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    weights = {name: torch.full_like(value, torch.nan) for name, value in weights.items()}
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(NotANumberError, match=r"first in (wte|the attention of layer 0)"):
        load_model(str(tmp_path))


def test_tokens_that_are_meant_to_be_impossible_are_fine(model_folders) -> None:
    loaded = load_model(str(model_folders("llama")))

    def mask(_module, _args, logits):
        logits[..., -3:] = -math.inf
        return logits

    loaded.model.get_output_embeddings().register_forward_hook(mask)
    run = capture(loaded, PROMPT)
    assert sum(token.probability for token in run.next_tokens) <= 1
    clean, without = ablate(
        loaded, run.encoding, [Condition("", (HeadOutput((Head(0, 1),)),))], losses=True
    )
    found = compare(clean, without, answer=clean.guess, token_ids=run.encoding.token_ids)
    kept = [torch.tensor(each.logits.tolist()[:-3]).double() for each in (clean, without)]
    p, q = (logits.log_softmax(-1) for logits in kept)
    assert found.kl == pytest.approx(float((p.exp() * (p - q)).sum()), abs=1e-6)
    assert math.isfinite(found.loss_change)


def _outcome(logits: list[float], losses: list[float] = ()) -> Outcome:
    return Outcome(Condition(""), torch.tensor(logits), torch.tensor(losses))


def test_kl_with_impossible_tokens_by_hand() -> None:
    no = -math.inf
    half, quarter = _outcome([0.0, 0.0, no]), _outcome([0.0, math.log(3), no])
    found = compare(half, quarter, answer=0)
    # .5 log(.5 / .25) + .5 log(.5 / .75)
    assert found.kl == pytest.approx(0.5 * math.log(2) + 0.5 * math.log(2 / 3))
    assert compare(half, _outcome([0.0, no, no]), answer=0).kl == math.inf  # .5 log(.5 / 0)
    assert compare(_outcome([0.0, no, no]), half, answer=0).kl == pytest.approx(math.log(2))


def test_losses_of_impossible_tokens_by_hand() -> None:
    no = math.inf
    clean = _outcome([0.0, 0.0], [1.0, no, 3.0])
    found = compare(clean, _outcome([0.0, 0.0], [2.0, no, 3.0]), answer=0, token_ids=[9, 1, 2, 1])
    assert found.loss_change == 0.5  # (1 + 0) / 2: the second token is impossible in both
    nothing = _outcome([0.0, 0.0], [no])
    assert compare(nothing, nothing, answer=0, token_ids=[9, 1]).loss_change is None


def test_logits_that_are_minus_infinity_in_both_runs_did_not_move() -> None:
    no = -math.inf
    rose, fell = logit_changes(_outcome([0.0, no, no, 1.0]), _outcome([2.0, no, no, 0.5]), top=2)
    assert [(change.token_id, change.change) for change in rose] == [(0, 2.0)]
    assert [(change.token_id, change.change) for change in fell] == [(3, -0.5)]


def test_sums_that_overflow_are_numbers_all_the_same() -> None:
    assert are_numbers(torch.full((4,), 3e38))
    assert not are_numbers(torch.tensor([1.0, -math.inf]))
    assert are_logits(torch.tensor([[0.0, -math.inf]]))
    for row in ([0.0, math.inf], [0.0, math.nan], [-math.inf, -math.inf]):
        assert not are_logits(torch.tensor([[0.0, 1.0], row]))


def test_a_file_holds_nothing_where_a_number_is_none() -> None:
    rows = [{"head": "L0H1", "score": math.nan, "more": [1.5, -math.inf]}]
    origin = {"error": math.inf, "settings": {"limits": (math.nan, 0.5)}}

    def refuse(token: str) -> None:
        raise AssertionError(token)

    read = json.loads(heads_json(rows, origin), parse_constant=refuse)
    assert read["heads"] == [{"head": "L0H1", "score": None, "more": [1.5, None]}]
    assert read["provenance"] == {"error": None, "settings": {"limits": [None, 0.5]}}
    table = heads_csv([{"head": "L0H1", "score": math.nan, "sure": 0.25}], origin)
    comments, line = table.splitlines()[:2], table.splitlines()[-1]
    assert [json.loads(text.split(": ", 1)[1], parse_constant=refuse) for text in comments] == [
        None, {"limits": [None, 0.5]},
    ]  # fmt: skip
    assert line == '"L0H1","",0.25'


def test_tables_of_a_token_that_nobody_typed(damage) -> None:
    loaded = damage("llama", "model.embed_tokens.weight", math.nan)
    for layer in range(loaded.num_layers):
        with pytest.raises(NotANumberError, match="embed_tokens"):
            head_factors(loaded, Head(layer, 0), CircuitSettings(embedding="bare"))


def test_an_overflow_that_a_norm_hides_is_said(tmp_path) -> None:
    save_family("llama", tmp_path)
    file = tmp_path / "model.safetensors"
    weights = {name: value.clone() for name, value in load_file(file).items()}
    weights["model.layers.0.mlp.down_proj.weight"] *= 1e25
    save_file(weights, file, metadata={"format": "pt"})
    with pytest.raises(NotANumberError, match=r"layers.1.input_layernorm"):
        load_model(str(tmp_path))
