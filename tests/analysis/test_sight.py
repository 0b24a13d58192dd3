"""The analysis of models with windows and sinks: the numbers of the pages, to 1e-5."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from transformers import AutoModelForCausalLM

from headroles.analysis import analyze, attention_roles, direct_effect_roles, hints
from headroles.analysis.bridge import each_layer, load_bridge
from headroles.analysis.direct import Direct, Seen
from headroles.analysis.measure import (
    ProbeTexts,
    _PerSequence,
    _role_scores,
    make_texts,
    measure_roles,
    random_cells,
)
from headroles.analysis.setting import Setting, unseen_notes, without_gaps
from headroles.capture import capture, collect
from headroles.reference import AnalysisSettings
from headroles.roles import ROLES, SCORED_ROLES, Prompts
from headroles.scoring import offset_shares, prompt_activations, write_effects
from headroles.types import Encoding, Sequences
from headroles.verdicts import score_run
from tests.families import PROMPT, WINDOW, family_config, save, widen

FAMILIES = ("mistral", "gemma2", "gpt_neo", "gpt_oss")


@pytest.fixture(scope="module")
def bridges(model_folders):
    return {family: load_bridge(str(model_folders(family))) for family in FAMILIES}


@pytest.fixture(scope="module")
def probe(tokenizer) -> ProbeTexts:
    """Texts of up to 30 tokens: the windows hide most of each."""
    whole = make_texts(tokenizer, n=8, seed=5)

    def first(sequences: Sequences) -> Sequences:
        return Sequences(sequences.token_ids[:8, :30], sequences.lengths[:8].clamp_max(30))

    return ProbeTexts(first(whole.sentences), first(whole.control), first(whole.repeats))


def runs(loaded, sequences: Sequences):
    """Each text alone through the runtime: its roles, [layer] sight and ids."""
    for row, length in zip(sequences.token_ids.tolist(), sequences.lengths.tolist(), strict=True):
        ids = tuple(row[:length])
        yield ids, collect(loaded, Encoding(ids, ("x",) * length, "", False, length))


@pytest.mark.parametrize("family", FAMILIES)
def test_both_halves_see_the_same_and_score_the_same(bridges, load_family, family: str) -> None:
    run = capture(load_family(family), PROMPT)
    patterns, sight = [], []
    each_layer(
        bridges[family],
        torch.tensor([run.token_ids]),
        lambda _, pattern, visible: (patterns.append(pattern[0].clone()), sight.append(visible)),
    )
    assert any(visible is not None for visible in sight)
    for ours, theirs in zip(run.sight, sight, strict=True):
        assert (ours is None) == (theirs is None)
        assert ours is None or torch.equal(ours, theirs)
    again = prompt_activations(torch.stack(patterns), run.token_ids, sight=sight)
    for key, ours in score_run(run).activations.items():
        torch.testing.assert_close(ours.value, again[key].value, atol=1e-5, rtol=0)
        for one, other in zip(ours.by_layer, again[key].by_layer, strict=True):
            assert one == pytest.approx(other, abs=1e-6)


@pytest.mark.parametrize("family", FAMILIES)
def test_scores_are_the_means_of_the_runtime(bridges, load_family, probe, family: str) -> None:
    measured = measure_roles(bridges[family], probe, seed=5)
    for role in SCORED_ROLES:
        texts = probe.repeats if role.measured_on == "repeats" else probe.sentences
        values, chances = [], []
        for ids, seen in runs(load_family(family), texts):
            scored = prompt_activations(seen.attention, ids, sight=seen.sight)[role.key]
            layers = scored.by_layer * (1 if len(scored.by_layer) > 1 else len(scored.value))
            empty = torch.tensor([rows == 0 for _, rows in layers])
            values.append(scored.value.masked_fill(empty.unsqueeze(-1), math.nan))
            chances += [chance for chance, rows in layers if rows]
        mean = torch.stack(values).nanmean(0).nan_to_num(0.0)
        torch.testing.assert_close(measured[role.key].mean, mean, atol=1e-5, rtol=0)
        assert measured[role.key].chance == pytest.approx(sum(chances) / len(chances), abs=1e-5)
        assert measured[role.key].standard_error.isfinite().all()
        assert measured[role.key].null is None or measured[role.key].null.isfinite().all()


def test_a_layer_without_a_place_for_a_role_is_not_measured() -> None:
    nan = torch.nan
    scores = torch.tensor([[[0.4], [0.0]], [[0.8], [0.0]], [[0.6], [0.0]]])  # 3 texts, 2 layers
    chance = torch.tensor([[0.1, nan], [0.2, nan], [0.3, nan]])
    seen = _PerSequence({"induction": scores}, {"induction": scores}, {"induction": chance}, {})
    found = _role_scores(ROLES["induction"], seen, None, None)
    assert found.unseen_layers == (1,)
    assert float(found.mean[0, 0]) == pytest.approx(0.6)
    assert float(found.standard_error[0, 0]) == pytest.approx(0.2 / 3**0.5)
    assert found.chance == pytest.approx(0.2)
    assert not isinstance(without_gaps(found), str)
    (note,) = unseen_notes({"induction": found, "successor": "Too few words."})
    assert note.startswith("Induction: not measured in 1 layer (1), whose heads cannot see")
    once = _PerSequence(
        {"induction": scores[:2]},
        {"induction": scores[:2]},
        {"induction": torch.tensor([[0.1, nan], [nan, nan]])},
        {},
    )  # one text alone, in one layer: no error, so no measurement
    nothing = _role_scores(ROLES["induction"], once, None, None)
    assert nothing.unseen_layers == (0, 1)


def test_an_analysis_says_which_layers_it_could_not_measure(bridges, tokenizer, probe) -> None:
    narrow = bridges["mistral"]
    setting = Setting(narrow, tokenizer, probe, 5, lambda *_: None)
    profile = attention_roles.by_attention(setting)["fixed_offset"].offsets
    assert len(profile.chance) == WINDOW - 1  # both layers see five tokens
    assert (profile.chance > 0).all()


def test_random_cells_lie_in_sight(probe) -> None:
    length = probe.repeats.token_ids.shape[1]
    near = torch.ones(length, length, dtype=torch.bool).tril().triu(-7)
    targets = ROLES["induction"].cells(Prompts(probe.repeats))
    drawn = random_cells(ROLES["induction"], targets, torch.Generator().manual_seed(0), near)
    assert drawn.any()
    assert not (drawn & (targets | ~near)).any()


def test_the_profile_of_distances_is_over_what_is_in_sight(bridges, tokenizer, probe) -> None:
    setting = Setting(bridges["gemma2"], tokenizer, probe, 5, lambda *_: None)
    profile = attention_roles.by_attention(setting)["fixed_offset"].offsets
    assert not profile.mean[4:, 0].any()  # layer 0 sees five tokens: four back at most
    assert (profile.peak[0] <= 4).all()
    assert profile.chance.isfinite().all()
    pattern = torch.ones(1, 1, 12, 12).tril().triu(-4)
    pattern /= pattern.sum(-1, keepdim=True)
    near = pattern[0, 0] > 0
    shares, chances = offset_shares(pattern, torch.tensor([12]), longest=4, visible=near)
    torch.testing.assert_close(shares[..., 0], chances)


def test_copies_out_of_sight_are_no_targets(bridges, tokenizer, probe) -> None:
    bridge = bridges["gemma2"]  # layer 0 sees five tokens, layer 1 all
    setting, direct = Setting(bridge, tokenizer, probe, 5, lambda *_: None), Direct(bridge)
    near, far = [0, *[7, 8, 9] * 4], [0, *range(20, 28), *range(20, 24)]
    texts = Sequences(torch.tensor([near, far]), torch.tensor([13, 13]))
    scores, attention = direct_effect_roles._copies_pass(setting, direct, texts, like=texts)
    assert scores.isnan().all(-1).tolist() == [[False, False], [True, False]]
    assert attention.isnan().all(-1).tolist() == [[False, False], [True, False]]
    for text, ids in enumerate(texts.token_ids):
        seen: list[Seen] = []
        scale, _ = direct.run(ids[None], lambda _, found, kept=seen: kept.append(_copy(found)))
        along = direct.directions(ids[None], direct.unembed.mean(1))
        for layer, found in enumerate(seen):
            wrote = write_effects(found.values, found.output, found.before(along))[0]  # [key head]
            post = found.post_scale[0] if found.post else torch.ones(13)
            looked, effects = [], []
            for q in range(2, 13):
                least = 0 if layer == 1 else max(0, q + 1 - WINDOW)
                keys = [k for k in range(max(2, least), q - 1) if ids[k - 1] == ids[q]]
                if keys:
                    shares = found.pattern[0, :, q, keys]  # [head key]
                    looked.append(shares.sum(-1))
                    effects.append((shares * wrote[keys].T).sum(-1) / post[q] / scale[0, q])
            assert len(looked) == ([9, 9], [0, 4])[text][layer]
            for ours, theirs in ((attention, looked), (scores, effects)):
                if theirs:
                    mean = torch.stack(theirs).mean(0)
                    torch.testing.assert_close(ours[text, layer], mean, atol=1e-5, rtol=1e-3)


def _copy(seen: Seen) -> Seen:
    return replace(seen, pattern=seen.pattern.clone(), values=seen.values.clone())


def test_prompts_are_tried_by_what_is_in_sight(bridges, tokenizer, monkeypatch) -> None:
    monkeypatch.setattr(hints, "candidates", lambda _: [PROMPT, "The cat sat."])
    tried = {run.prompt: run for run in hints._runs(bridges["gemma2"], tokenizer, "tiny", None)}
    assert tried["The cat sat."].sight == () or len(tried["The cat sat."].sight) == 2
    long = tried[PROMPT]
    assert long.sight[1] is None
    assert torch.equal(
        long.sight[0], torch.ones(len(long.token_ids), len(long.token_ids)).tril().triu(-4).bool()
    )
    without = replace(long, sight=())
    assert (
        score_run(long).activations["diffuse"].value[0, 0]
        > (score_run(without).activations["diffuse"].value[0, 0])
    )


@pytest.mark.parametrize("window", [1, 2])
def test_a_role_that_no_head_can_see_scores_nothing_and_the_rest_goes_on(
    tmp_path, window: int
) -> None:
    config = family_config("mistral")
    config.sliding_window, config.max_position_embeddings = window, 256
    model = AutoModelForCausalLM.from_config(config)
    widen(model)
    save(model, tmp_path)
    entry = analyze(str(tmp_path), AnalysisSettings(sequences=2, seed=0, causal=False))
    induction = entry.categories["induction"]
    assert (induction.chance, induction.n, induction.top_heads) == (0, 0, [])
    assert induction.unseen_layers == [0, 1]
    assert any("Induction: not measured in 2 layers (0 and 1)" in note for note in entry.notes)
    assert all(
        category.chance is None or 0 <= category.chance <= 1
        for category in entry.categories.values()
    )
