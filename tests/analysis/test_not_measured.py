"""A part that cannot be measured is "not measured", with the reason; the rest goes on."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoModelForCausalLM

from headroles.analysis import analyze, direct_effect_roles, extended_roles, load_bridge, run
from headroles.analysis.setting import measured_or_why, scores_over_texts, without_gaps
from headroles.errors import AnalysisError, NotANumberError, UnsupportedModelError
from headroles.models import load_tokenizer
from headroles.paths import DEMO_MODEL
from headroles.reference import AnalysisSettings
from headroles.roles import BASIC_ROLES, EXTENDED_ROLES
from headroles.store.schema import to_json, validate
from headroles.types import RoleScores

FEW = AnalysisSettings(sequences=4, seed=3)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory):
    """``small("llama", hidden_size=32)``: a tiny random model that reads the demo's words."""

    def make(family: str, **config):
        folder = tmp_path_factory.mktemp(family)
        tokenizer = load_tokenizer(str(DEMO_MODEL))
        torch.manual_seed(0)
        basis = {"vocab_size": len(tokenizer), "max_position_embeddings": 256, "pad_token_id": None}
        basis |= {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2}
        basis |= {"num_attention_heads": 4, "num_key_value_heads": 4}
        model = AutoModelForCausalLM.from_config(AutoConfig.for_model(family, **basis | config))
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        return folder

    return make


@pytest.fixture(scope="module")
def model(small) -> str:
    return str(small("llama"))


@pytest.fixture(scope="module")
def whole(model):
    return analyze(model, FEW)


LATENT = {
    "q_lora_rank": 16,
    "kv_lora_rank": 16,
    "qk_nope_head_dim": 8,
    "qk_rope_head_dim": 8,
    "v_head_dim": 8,
    "n_routed_experts": 2,
    "num_experts_per_tok": 1,
    "moe_intermediate_size": 16,
    "n_group": 1,
    "topk_group": 1,
    "n_shared_experts": 1,
}

PARTS = {
    "by_attention": (
        extended_roles,
        [key for key, role in EXTENDED_ROLES.items() if role.from_attention],
    ),
    "Direct": (
        extended_roles,
        [key for key, role in EXTENDED_ROLES.items() if not role.from_attention],
    ),
    "measure_ioi": (extended_roles, ["s_inhibition", "name_mover"]),
    "measure_copies": (extended_roles, ["copy_suppression"]),
    "measure_successor": (extended_roles, ["successor"]),
    "measure_starts": (run, []),
    "measure_ablation": (run, []),
    "with_hints": (run, []),
}


def stops(*_args: object, **_kwargs: object) -> None:
    raise ZeroDivisionError("division by zero")


@pytest.mark.parametrize("part", PARTS)
def test_any_part_may_stop_and_the_rest_is_as_it_was(model, whole, monkeypatch, part: str) -> None:
    module, roles = PARTS[part]
    monkeypatch.setattr(module, part, stops)
    entry = analyze(model, FEW)
    missing = [key for key, found in entry.categories.items() if found.not_measured]
    already = [key for key, found in whole.categories.items() if found.not_measured]
    assert set(missing) == {*already, *roles}
    for key in roles:
        if key not in already:
            assert "division by zero" in entry.categories[key].not_measured
            assert entry.categories[key].top_heads == []
    for key in entry.all_scores:
        assert entry.all_scores[key] == whole.all_scores[key], key
    notes = [note for note in entry.notes if "not measured. " in note]
    assert len(notes) == (not roles)
    assert bool(entry.causal) == (part != "measure_ablation")
    assert bool(entry.hints) == (part != "with_hints")
    assert bool(entry.tokenization.candidates) == (part != "measure_starts")
    validate(to_json({entry.model_name: entry}), "a file")


def test_the_basic_roles_are_needed_and_say_so_in_a_sentence(model, monkeypatch) -> None:
    bridge = load_bridge(model)
    monkeypatch.setattr(run, "load_bridge", lambda name: bridge)
    bridge.blocks[0].attn.register_forward_hook(stops)
    with pytest.raises(AnalysisError, match=r"stops here \(division by zero\)"):
        analyze(model, FEW)


def test_whoever_watches_may_stop_it_with_an_error_of_their_own(model) -> None:
    class EnoughError(Exception):
        pass

    def watch(phase: str, done: int, total: int) -> None:
        if "knocking" in phase or "IOI" in phase:
            raise EnoughError

    with pytest.raises(EnoughError):
        analyze(model, FEW, progress=watch)


# ------------------------------------------------------------------ numbers that are none


def test_one_score_that_is_no_number_makes_its_role_not_measured(model, whole, monkeypatch) -> None:
    measure = direct_effect_roles.measure_copies

    def with_a_gap(*of: object) -> RoleScores:
        scores = measure(*of)
        scores.mean[1, 2] = torch.nan
        return scores

    monkeypatch.setattr(extended_roles, "measure_copies", with_a_gap)
    entry = analyze(model, FEW)
    found = entry.categories["copy_suppression"]
    assert found.top_heads == []
    assert "no number for L1H2." in found.not_measured
    assert entry.all_scores["name_mover"] == whole.all_scores["name_mover"]


def test_a_basic_role_without_a_number_ends_the_analysis_in_a_sentence(model, monkeypatch) -> None:
    measure = run.measure_roles

    def with_a_gap(*of: object, **more: object) -> dict[str, RoleScores]:
        scores = measure(*of, **more)
        scores["induction"].mean[0, 0] = torch.inf
        return scores

    monkeypatch.setattr(run, "measure_roles", with_a_gap)
    with pytest.raises(AnalysisError, match=r"Induction cannot be measured.*L0H0"):
        analyze(model, FEW)


def test_a_model_that_computes_nan_is_stopped_with_its_layer(small) -> None:
    folder = small("llama")
    weights = {key: one.clone() for key, one in load_file(folder / "model.safetensors").items()}
    weights["model.layers.0.mlp.down_proj.weight"][3, 3] = torch.nan
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(NotANumberError, match="first in layer 1"):
        analyze(str(folder), FEW)


def test_a_model_whose_guesses_alone_are_nan_is_stopped_too(small) -> None:
    folder = small("llama")
    weights = {key: one.clone() for key, one in load_file(folder / "model.safetensors").items()}
    weights["model.norm.weight"][3] = torch.nan
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(NotANumberError, match="guesses"):
        analyze(str(folder), FEW)


# ------------------------------------------------------------------ models that people bring


@pytest.mark.parametrize("family", ["deepseek_v2", "deepseek_v3"])
def test_latent_attention_is_analysed_but_for_what_its_heads_write(small, family) -> None:
    config = LATENT if family == "deepseek_v3" else {**LATENT, "head_dim": 8}
    entry = analyze(str(small(family, **config)), FEW)
    missing = {key for key, found in entry.categories.items() if found.not_measured}
    assert missing == {key for key, role in EXTENDED_ROLES.items() if not role.from_attention}
    assert "add up" in entry.categories["name_mover"].not_measured
    assert set(BASIC_ROLES) - {"other"} <= set(entry.all_scores)


def test_a_family_without_an_adapter_is_refused_in_one_sentence(small) -> None:
    with pytest.raises(UnsupportedModelError, match="TransformerLens") as caught:
        load_bridge(str(small("helium", head_dim=8)))
    assert "Available architectures" not in str(caught.value)
    assert caught.value.__cause__ is not None


def test_scores_without_any_text_say_that_nothing_could_show() -> None:
    nothing = torch.full((2, 4), torch.nan)
    scores = RoleScores(role="induction", mean=nothing, standard_error=nothing, chance=None, n=0)
    assert "None of the texts" in without_gaps(scores)
    by_text = torch.full((5, 2, 4), torch.nan)
    scores = scores_over_texts("copy_suppression", by_text, by_text, texts="five texts")
    assert "None of the texts" in without_gaps(scores)


def test_what_is_about_the_whole_model_is_no_part_that_goes_missing() -> None:
    def measure() -> None:
        raise NotANumberError("demo", where="layer 3")

    with pytest.raises(NotANumberError):
        measured_or_why(measure)
    with pytest.raises(KeyboardInterrupt):
        measured_or_why(lambda: (_ for _ in ()).throw(KeyboardInterrupt()))
