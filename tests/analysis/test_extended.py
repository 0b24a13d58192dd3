"""The extended roles on real models: every number a second way, and heads planted in weights."""

from __future__ import annotations

import json
from functools import partial

import numpy as np
import pytest
import torch

from headroles.analysis import (
    analyze,
    direct_effect_roles,
    faults,
    ioi,
    load_bridge,
    make_texts,
    sequences,
    setting,
    why_stale,
)
from headroles.analysis.direct import Direct, HeadsInseparableError
from headroles.capture import capture
from headroles.export.tables import extended_rows
from headroles.models import load_model, load_tokenizer
from headroles.paths import DEMO_MODEL
from headroles.reference import AnalysisSettings, reselect
from headroles.roles import BASIC_ROLES, EXTENDED_ROLES, ROLES, SHARE, Role, cells
from headroles.scoring import calibrate, largest_is, select_heads, write_effects
from headroles.store import categories
from headroles.store.schema import to_json, validate
from headroles.verdicts import judge_heads
from headroles.view.head_maps import stored_map
from scripts import analyze_heads
from tests.families import byte_level_tokenizer, save_family

SEPARABLE = ("gpt2", "gpt_neox", "opt", "llama", "qwen3", "gemma2", "gemma3_text", "gpt_neo")


@pytest.fixture(scope="module")
def tokenizer():
    return load_tokenizer(str(DEMO_MODEL))


@pytest.fixture(scope="module")
def entry():
    return analyze("demo", AnalysisSettings(sequences=8, seed=3))


@pytest.fixture(scope="module")
def prompts(tokenizer):
    return ioi.ioi_prompts(tokenizer, 16, rng=np.random.default_rng(0))


def setting_of(bridge, tokenizer, n: int = 8) -> setting.Setting:
    probe = make_texts(tokenizer, n=n, seed=3)
    return setting.Setting(bridge, tokenizer, probe, 3, lambda phase, count: None)


# ------------------------------------------------------------------ texts


def test_ioi_prompts_have_their_names_where_they_say(prompts, tokenizer) -> None:
    for row in range(prompts.n):
        ids, control = prompts.prompts.token_ids[row], prompts.control.token_ids[row]
        s2, io = int(prompts.s2_at[row]), int(prompts.io_at[row])
        assert ids[s2] == prompts.subject[row]
        assert ids[io] == prompts.io[row]
        assert (ids == prompts.subject[row]).sum() == 2
        assert (ids != control).nonzero().flatten().tolist() == [s2]
        assert control[s2] == prompts.third[row]
        assert tokenizer.decode(ids[: prompts.prompts.lengths[row]]).endswith(" to")


def test_half_of_the_prompts_name_the_subject_first(prompts) -> None:
    first = [
        int((prompts.prompts.token_ids[row] == prompts.subject[row]).nonzero()[0])
        for row in range(prompts.n)
    ]
    assert sum(one < int(io) for one, io in zip(first, prompts.io_at, strict=True)) == 8


def test_a_tokenizer_without_names_or_days_is_told_with_the_reason() -> None:
    bare = byte_level_tokenizer()
    assert "first names" in ioi.ioi_prompts(bare, 4, rng=np.random.default_rng(0))
    assert sequences.ordered_classes(bare) == []


def test_classes_follow_their_order_and_days_go_round(tokenizer) -> None:
    classes = {one.name: one for one in sequences.ordered_classes(tokenizer)}
    assert list(classes) == ["numbers", "letters", "days", "months"]

    def pairs(name: str) -> list[tuple[str, str]]:
        one = classes[name]
        word = [tokenizer.decode([i]).strip() for i in one.ids.tolist()]
        return [(word[a], word[b]) for a, b in zip(one.asked, one.wanted, strict=True)]

    assert ("Sunday", "Monday") in pairs("days")
    assert len(pairs("days")) == 7
    assert ("nineteen", "twenty") in pairs("numbers")
    assert len(pairs("numbers")) == 19


# ------------------------------------------------------------------ direct effects


@pytest.mark.parametrize("family", SEPARABLE)
def test_effects_of_single_positions_add_up_to_each_heads_own(family, tmp_path) -> None:
    """Against TransformerLens' own z, one head and one row at a time: nothing is grouped there."""
    save_family(family, tmp_path)
    bridge = load_bridge(str(tmp_path))
    direct, ids = Direct(bridge), torch.arange(5, 45).view(2, 20)
    along = direct.directions(torch.tensor(7), torch.zeros(bridge.cfg.d_model))
    found, post_scales = {}, {}

    def on_layer(layer, seen) -> None:
        before = seen.before(along).expand(*ids.shape, -1)
        wrote = write_effects(seen.values, seen.output, before)  # [batch key head]
        post_scales[layer] = seen.post_scale[:, -1, None] if seen.post else 1.0
        moved = torch.einsum("bhk,bkh->bh", seen.pattern[:, :, -1], wrote)
        found[layer] = moved / post_scales[layer]

    scale, after = direct.run(ids, on_layer)
    with torch.inference_mode():
        _, cache = bridge.run_with_cache(ids)
        stream = cache["ln_final.hook_in"]
        spread = (
            stream.var(-1, unbiased=False) if direct.final.centers else stream.square().mean(-1)
        )
        torch.testing.assert_close(scale, spread.sqrt(), atol=1e-3, rtol=1e-3)
        torch.testing.assert_close(after, cache["ln_final.hook_out"], atol=1e-5, rtol=1e-5)
        for layer in range(bridge.cfg.n_layers):
            z, output = cache[f"blocks.{layer}.attn.hook_z"][:, -1], bridge.blocks[layer].attn.W_O
            for head in range(4):
                wrote = z[:, head] @ output[head]  # [batch model]
                if direct.posts[layer]:
                    wrote = wrote * direct.posts[layer].gain / post_scales[layer]
                if direct.final.centers:
                    wrote = wrote - wrote.mean(-1, keepdim=True)
                logit = (wrote * direct.final.gain) @ bridge.W_U[:, 7]
                torch.testing.assert_close(found[layer][:, head], logit, atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize("family", ["gpt2", "gpt_neox", "llama", "qwen2", "gemma2", "opt"])
def test_values_from_the_weights_equal_those_of_the_run(family, tmp_path) -> None:
    save_family(family, tmp_path)
    bridge = load_bridge(str(tmp_path))
    ids = torch.tensor([7, 9])
    before, after = direct_effect_roles.effective_embeddings(bridge, ids)
    if "hook_pos_embed" in bridge.hook_dict:  # each token alone, without a position
        bridge.add_hook("hook_pos_embed", lambda value, hook: torch.zeros_like(value))
    _, cache = bridge.run_with_cache(ids.unsqueeze(1))
    for layer, residual in enumerate((before, after)):
        values = direct_effect_roles.layer_values(bridge, layer, residual)
        torch.testing.assert_close(
            values, cache[f"blocks.{layer}.attn.hook_v"][:, 0].detach(), atol=1e-4, rtol=1e-4
        )


def test_a_family_whose_heads_do_not_add_up_is_refused_not_approximated(tmp_path) -> None:
    save_family("bloom", tmp_path)
    bridge = load_bridge(str(tmp_path))
    with pytest.raises(HeadsInseparableError, match="does not add up"):
        Direct(bridge).run(torch.arange(2, 12).view(1, 10), lambda layer, seen: None)


def test_ioi_scores_equal_one_prompt_at_a_time(tokenizer, prompts) -> None:
    """By hand: attention, times value through W_O, the final norm and the unembedding."""
    bridge = load_bridge("demo")
    direct = Direct(bridge)
    found = direct_effect_roles._ioi_pass(
        setting_of(bridge, tokenizer), direct, prompts, prompts.prompts, written=prompts.subject
    )
    row, layer, head = 3, 2, 5
    length = int(prompts.prompts.lengths[row])
    with torch.inference_mode():
        _, cache = bridge.run_with_cache(prompts.prompts.token_ids[row : row + 1, :length])
        place = int(prompts.s2_at[row])
        share = cache[f"blocks.{layer}.attn.hook_pattern"][0, head, -1, place]
        wrote = cache[f"blocks.{layer}.attn.hook_v"][0, place, head] @ bridge.W_O[layer, head]
        stream = cache["ln_final.hook_in"][0, -1]
        seen = (wrote - wrote.mean()) / (stream.var(unbiased=False) + 1e-5).sqrt()
        logits = (seen * bridge.ln_final.weight) @ bridge.W_U
        names = prompts.names[prompts.names != prompts.subject[row]]
        effect = share * (logits[prompts.subject[row]] - logits[names].mean())
    torch.testing.assert_close(found.effects["S2"][row, layer, head], effect, atol=1e-5, rtol=1e-3)
    torch.testing.assert_close(found.attention["S2"][row, layer, head], share, atol=1e-5, rtol=0)


# ------------------------------------------------------------------ planted in weights


def test_an_induction_head_whose_output_is_turned_round_suppresses(tokenizer) -> None:
    """The bundled model's L1H4 looks where it did, but writes the opposite."""
    bridge = load_bridge("demo")
    before = direct_effect_roles.measure_copies(setting_of(bridge, tokenizer), Direct(bridge))
    weight = bridge.blocks[1].attn.o.weight  # [model, heads x width]
    with torch.no_grad():
        weight[:, 4 * 16 : 5 * 16] *= -1
    after = direct_effect_roles.measure_copies(setting_of(bridge, tokenizer), Direct(bridge))
    key = "attention on induction targets"
    assert after.factors[key][1, 4] == pytest.approx(float(before.factors[key][1, 4]), abs=1e-5)
    assert after.factors[key][1, 4] > 0.9
    assert before.mean[1, 4] > 0.1
    assert after.mean[1, 4] < -0.1
    best, *_ = select_heads(after, calibrate(after).value, cap=8)
    assert best.head == (1, 4)
    assert best.score < 0
    # Without the repetition there is nothing to suppress.
    assert abs(after.control[1, 4]) < 0.1 * abs(best.score)


def test_a_planted_successor_head_is_found(tokenizer) -> None:
    """L0H0's OV circuit is made to send each day to the next one, by least squares."""
    bridge = load_bridge("demo")
    direct = Direct(bridge)
    days = next(one for one in sequences.ordered_classes(tokenizer) if one.name == "days")
    before, _ = direct_effect_roles.effective_embeddings(bridge, days.ids)
    values = direct_effect_roles.layer_values(bridge, 0, before)[:, 0]  # [day width]
    target = direct.unembed.T[days.ids[days.wanted]] * direct.final.gain.reciprocal()
    planted = torch.linalg.pinv(values) @ (target - target.mean(-1, keepdim=True))
    direct.outputs[0] = direct.outputs[0].clone()
    direct.outputs[0][0] = planted
    logits = direct_effect_roles._ov_logits(setting_of(bridge, tokenizer), direct, days)
    assert largest_is(logits, days.wanted)[0, 0].mean() == 1
    assert largest_is(logits, days.asked)[0, 0].mean() == 0


@pytest.mark.slow
def test_the_bundled_models_fixed_offset_heads_are_positional(entry) -> None:
    role = entry.role("fixed_offset")
    assert role.listed, "the bundled model has heads two tokens back"
    for top in role.category.top_heads:
        assert not role.profile.previous[top.layer][top.head]
        distance = role.distance(top.place)
        assert role.profile.scores[distance - 1][top.layer][top.head] == pytest.approx(top.score)
        assert top.control > 0.75 * top.score


# ------------------------------------------------------------------ the section


def test_every_role_is_there_with_its_error_control_and_n(entry) -> None:
    assert list(entry.extended) == list(EXTENDED_ROLES)
    for key, stored in entry.extended.items():
        category = stored.category
        assert stored.is_measured, f"{key}: {category.not_measured}"
        assert category.n >= (8 if key != "retrieval" else 3)  # the needles that it finds
        assert category.measured_on
        assert category.measured_by == EXTENDED_ROLES[key].measured_by
        assert category.sign == EXTENDED_ROLES[key].sign
        assert len(stored.scores) == len(stored.control.standard_errors) == entry.num_layers
        by_convention = category.threshold_reason == "0.40 by convention."
        assert by_convention == (EXTENDED_ROLES[key].unit == SHARE)
        by_paper = category.threshold_reason == "0.10 by Wu et al. 2024."
        assert by_paper == (key == "retrieval")
        set_by_data = category.threshold_reason.startswith("Set by")
        assert by_convention or by_paper or set_by_data


def test_the_section_comes_back_from_the_file_as_it_was(entry, tmp_path) -> None:
    path = tmp_path / "head_categories.json"
    categories.write_entry(entry, path)
    assert categories.read_entry("demo", path) == entry


def test_moving_thresholds_keeps_the_section_untouched(entry) -> None:
    moved = reselect(entry, {"induction": 0.9}, cap=2)
    assert moved.extended == entry.extended
    assert moved.controls == entry.controls


@pytest.mark.slow
def test_the_five_basic_roles_do_not_depend_on_the_section(entry) -> None:
    bare = analyze("demo", AnalysisSettings(sequences=8, seed=3, extended=False))
    assert bare.extended == {}
    for key in bare.categories:
        assert bare.role(key) == entry.role(key)


def test_an_entry_without_the_section_is_out_of_date_unless_it_was_not_asked_for(entry) -> None:
    settings = AnalysisSettings(sequences=8, seed=3)
    basic = {key: entry.categories[key] for key in BASIC_ROLES}
    bare = entry.model_copy(update={"categories": basic})
    assert "extended" in why_stale(bare, "demo", settings)
    assert why_stale(bare, "demo", AnalysisSettings(sequences=8, seed=3, extended=False)) == ""
    assert why_stale(entry, "demo", settings) == ""
    assert faults(entry) == faults(bare) == []


def test_the_control_of_a_basic_role_has_its_error(entry) -> None:
    for key in ("previous_token", "positional", "diffuse"):
        errors = np.array(entry.controls[key].standard_errors)
        assert errors.shape == (4, 8)
        assert (errors > 0).all()


@pytest.mark.slow
def test_the_command_line_leaves_them_out_on_request_and_tells_their_progress(
    tmp_path, capsys
) -> None:
    path = tmp_path / "out.json"
    common = ["--sequences", "8", "--out", str(path), "--format", "json-lines"]
    assert analyze_heads.main([*common, "--no-extended"]) == 0
    assert categories.read_entry("demo", path).extended == {}
    capsys.readouterr()
    assert analyze_heads.main(common) == 0  # not up to date: the section is missing
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    # One bar over all parts: what comes after the extended roles fills it.
    bar = [one for one in events if one["event"] == "progress" and one["total"]]
    assert [one["done"] for one in bar] == sorted(one["done"] for one in bar)
    assert len({one["total"] for one in bar}) == 1
    assert bar[-1]["done"] == bar[-1]["total"]
    told = [place for place, one in enumerate(bar) if one["phase"].startswith("extended: ")]
    assert len(told) > 1
    assert told == list(range(told[0], told[-1] + 1))
    assert bar[told[0] - 1]["phase"].startswith("scoring ")
    assert bar[told[-1] + 1]["phase"] == "knocking heads out"
    assert bar[told[-1]]["done"] < bar[told[-1]]["total"]
    assert set(events[-1]["extended"]) == set(EXTENDED_ROLES)


def test_a_new_role_is_one_entry_of_the_registry(monkeypatch) -> None:
    """Measured, listed, stored, judged on a prompt and drawn: nothing else was written."""
    near = Role(
        key="near",
        name="Near",
        level="extended",
        explanation="This head looks at one of the three tokens before the current one.",
        looks_at="the three tokens before",
        formula="S(q) = {q−3, q−2, q−1}",
        source="a test",
        cells=partial(cells.where, expression="1 <= k < q and q - k <= 3"),
        measured_on="pairs of sentences",
        control="random tokens",
    )
    for registry in (ROLES, EXTENDED_ROLES):
        monkeypatch.setitem(registry, near.key, near)
    model = "attn-only-1l-tiny"
    entry = analyze(model, AnalysisSettings(sequences=4, causal=False))
    assert validate(to_json({model: entry}), "a file") == {model: entry}
    stored = entry.role("near")
    assert stored.is_measured
    # The profile of the fixed offset has the same three distances one by one, on nearly the rows.
    profile = entry.role("fixed_offset").profile.scores
    for head in stored.heads:
        assert stored.score(head) == pytest.approx(
            sum(profile[back][head.layer][head.head] for back in range(3)), abs=0.06
        )
    run = capture(load_model(model), "The old man walked slowly to the river with his dog.")
    judged = judge_heads(stored, run)
    length = len(run.token_ids)
    for verdict in judged:
        rows = [run.attention[verdict.head][q, max(q - 3, 1) : q].sum() for q in range(2, length)]
        assert verdict.activation.value == pytest.approx(float(sum(rows) / len(rows)), abs=1e-5)
    assert len(stored_map(stored).records) == len(stored.heads)
    assert "near" in {row["role"] for row in extended_rows(entry, run)}
