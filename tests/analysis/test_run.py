"""The analysis on real models: its numbers a second way, its file, its command line."""

from __future__ import annotations

import json

import pytest
import torch
from transformers import AutoModelForCausalLM

from headroles.analysis import analyze, largest_difference
from headroles.analysis.bridge import each_layer, load_bridge
from headroles.analysis.measure import make_texts, measure_roles, random_cells
from headroles.capture import capture
from headroles.errors import (
    AnalysisError,
    UnknownModelError,
    UnknownRoleError,
    UnsupportedModelError,
)
from headroles.models import load_model, load_tokenizer
from headroles.paths import DEMO_MODEL
from headroles.reference import AnalysisSettings
from headroles.roles import ROLES, SCORED_ROLES, Prompts
from headroles.scoring import MIN_WORK, role_activation
from headroles.store import categories
from headroles.texts import SENTENCES, probe_texts
from headroles.types import RoleScores, Sequences
from scripts import analyze_heads


@pytest.fixture(scope="module")
def bridge():
    return load_bridge("demo")


@pytest.fixture(scope="module")
def probe():
    return make_texts(load_tokenizer(str(DEMO_MODEL)), n=8, seed=5)


@pytest.fixture(scope="module")
def measured(bridge, probe) -> dict[str, RoleScores]:
    return measure_roles(bridge, probe, seed=5)


@pytest.fixture(scope="module")
def entry():
    return analyze("demo", AnalysisSettings(sequences=60, seed=0, causal=False))


def naive_mean(model, sequences, role_key):
    """One sequence at a time through transformers' eager attention and the runtime's function."""
    per_sequence = []
    for row, length in zip(sequences.token_ids, sequences.lengths, strict=True):
        ids = row[:length]
        with torch.no_grad():
            patterns = torch.cat(model(ids[None], output_attentions=True).attentions)
        per_sequence.append(role_activation(patterns, ids, role_key).value)
    stacked = torch.stack(per_sequence)  # [n layer head]
    return stacked.mean(0), stacked.std(0) / len(stacked) ** 0.5


@pytest.mark.parametrize("role", [role.key for role in SCORED_ROLES])
def test_batched_scores_equal_one_sequence_at_a_time_in_transformers(role, probe, measured):
    model = AutoModelForCausalLM.from_pretrained(DEMO_MODEL, attn_implementation="eager").eval()
    on = probe.sentences if ROLES[role].measured_on == "sentences" else probe.repeats
    mean, standard_error = naive_mean(model, on, role)
    torch.testing.assert_close(measured[role].mean, mean, atol=1e-5, rtol=0)
    torch.testing.assert_close(measured[role].standard_error, standard_error, atol=1e-5, rtol=0)
    if ROLES[role].control:
        control, _ = naive_mean(model, probe.control, role)
        torch.testing.assert_close(measured[role].control, control, atol=1e-5, rtol=0)


def test_the_mean_on_each_kind_of_repeat_is_that_of_its_rows(probe, measured):
    model = AutoModelForCausalLM.from_pretrained(DEMO_MODEL, attn_implementation="eager").eval()
    found = measured["induction"].by_kind
    kinds = [kind.name for kind in probe_texts.KINDS]
    assert list(found) == [*kinds, probe_texts.SAID_TWICE]
    for place, kind in enumerate(kinds):
        rows = Sequences(probe.repeats.token_ids[place::4], probe.repeats.lengths[place::4])
        mean, _ = naive_mean(model, rows, "induction")
        torch.testing.assert_close(found[kind], mean, atol=1e-5, rtol=0)
    twice, _ = naive_mean(model, probe.twice, "induction")
    torch.testing.assert_close(found[probe_texts.SAID_TWICE], twice, atol=1e-5, rtol=0)
    random = torch.stack([found[kind] for kind in kinds])  # two rows of each kind
    torch.testing.assert_close(random.mean(0), measured["induction"].mean, atol=1e-5, rtol=0)
    assert measured["previous_token"].by_kind == {}


def test_the_null_of_single_texts_lies_over_that_of_their_mean(measured):
    for role in SCORED_ROLES:
        if role.has_cells:
            scores = measured[role.key]
            assert float(scores.null.quantile(0.99)) < scores.null_limit < 1
        else:
            assert measured[role.key].null_limit is None


def test_offline_and_runtime_give_the_same_head_the_same_number(bridge):
    """PyVene on one side, TransformerLens on the other, on the same sentence."""
    run = capture(load_model("demo"), SENTENCES[0])
    patterns: dict[int, torch.Tensor] = {}
    each_layer(
        bridge,
        torch.tensor([run.token_ids]),
        lambda layer, pattern, _: patterns.update({layer: pattern[0].clone()}),
    )
    theirs = torch.stack([patterns[layer] for layer in sorted(patterns)])
    torch.testing.assert_close(run.attention, theirs, atol=1e-5, rtol=0)
    for role in SCORED_ROLES:
        ours = role_activation(run.attention, run.token_ids, role.key)
        again = role_activation(theirs, run.token_ids, role.key)
        torch.testing.assert_close(ours.value, again.value, atol=1e-5, rtol=0)


def test_chance_is_the_score_of_an_even_spread(probe, measured):
    spread = []
    for row, length in zip(probe.repeats.token_ids, probe.repeats.lengths, strict=True):
        even = torch.ones(length, length).tril() / torch.arange(1, int(length) + 1).unsqueeze(-1)
        spread.append(float(role_activation(even, row[:length], "induction").value))
    assert measured["induction"].chance == pytest.approx(sum(spread) / len(spread), abs=1e-6)


def test_random_cells_keep_the_count_and_avoid_the_real_ones(probe):
    for role in (ROLES["induction"], ROLES["previous_token"], ROLES["positional"]):
        targets = role.cells(Prompts(probe.repeats))
        drawn = random_cells(role, targets, torch.Generator().manual_seed(0))
        assert not (drawn & targets).any()
        assert not drawn.triu(1).any()
        roomy = targets.sum(-1) * 2 < torch.arange(targets.shape[-1])  # rows with room for as many
        assert torch.equal(drawn.sum(-1)[roomy], targets.sum(-1)[roomy])


def test_detect_head_agrees_where_it_means_the_same(bridge):
    prompts = [*SENTENCES[:2], f"{SENTENCES[2]} {SENTENCES[2]}"]
    assert max(largest_difference(bridge, prompts).values()) < 1e-5


def test_activation_times_rows_is_detect_head_times_length(bridge):
    """The same number through this project's own definition: only the denominator differs.

    Without a repeated first token, induction has the same cells in both; ``detect_head`` divides by
    all rows, this project by what does not rest in those that apply.
    """
    from transformer_lens.head_detector import detect_head

    prompt = f"{SENTENCES[1]} {SENTENCES[1]}"
    ids = bridge.to_tokens(prompt)[0]
    patterns: dict[int, torch.Tensor] = {}
    each_layer(bridge, ids[None], lambda n, pattern, _: patterns.update({n: pattern[0].clone()}))
    attention = torch.stack([patterns[layer] for layer in sorted(patterns)])
    for key, name in (("induction", "induction_head"), ("duplicate_token", "duplicate_token_head")):
        own = role_activation(attention, ids, key)
        theirs = detect_head(bridge, prompt, name)
        mass = own.value * own.work.clamp_min(MIN_WORK)
        torch.testing.assert_close(
            mass * own.rows / len(ids), theirs, atol=1e-5, rtol=0, check_dtype=False
        )


def test_the_bundled_model_has_the_roles_it_is_there_to_show(entry):
    best = {key: [top.score for top in one.top_heads] for key, one in entry.categories.items()}
    assert best["induction"][1] > 0.6
    assert best["previous_token"][0] > 0.6
    assert best["positional"][0] > 0.6
    assert best["diffuse"][0] > 0.7
    assert len(best["other"]) >= 1
    for key in ("induction", "previous_token", "positional"):
        assert best[key][0] > entry.categories[key].chance + 0.4


def test_the_committed_file_is_what_the_analysis_gives(entry):
    stored = categories.read_entry("demo")
    assert stored.revision == entry.revision
    for role in SCORED_ROLES:
        again = torch.tensor(entry.all_scores[role.key])
        assert stored.num_layers == entry.num_layers
        if stored.sequences == entry.sequences and stored.seed == entry.seed:
            torch.testing.assert_close(
                torch.tensor(stored.all_scores[role.key]), again, atol=1e-4, rtol=0
            )


def test_random_weights_get_no_role_but_an_even_spread(random_gpt_neox_folder):
    found = analyze(str(random_gpt_neox_folder), AnalysisSettings(sequences=20, seed=1))
    for key, category in found.categories.items():
        if key in ("diffuse", "other"):
            continue
        assert category.top_heads == [], key


@pytest.mark.slow
def test_the_same_seed_gives_the_same_file(tmp_path, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "0")
    for name in ("a.json", "b.json"):
        code = analyze_heads.main(
            ["--sequences", "4", "--seed", "9", "--no-causal", "--out", str(tmp_path / name)]
        )
        assert code == 0
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()


@pytest.mark.slow
def test_json_lines_tell_the_progress_and_the_result(tmp_path, capsys):
    out = tmp_path / "out.json"
    arguments = ["--sequences", "4", "--format", "json-lines", "--out", str(out)]
    assert analyze_heads.main([*arguments, "--threshold", "induction=0.5", "--cap", "1"]) == 0
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    done = [event["done"] for event in events if event["event"] == "progress"]
    assert done == sorted(done)
    assert done[-1] == events[-2]["total"]
    assert events[-1]["event"] == "result"
    stored = categories.read_entry("demo", out)
    assert stored.categories["induction"].threshold == 0.5
    assert all(len(one.top_heads) <= 1 for key, one in stored.categories.items() if key != "other")
    assert "rough" in stored.notes[0]


def test_an_unknown_model_is_a_sentence_and_an_exit_code(tmp_path, capsys):
    out = tmp_path / "out.json"
    assert analyze_heads.main(["--model", "gpt22", "--out", str(out)]) == 2
    assert "Did you mean 'gpt2'?" in capsys.readouterr().err
    assert not out.exists()


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"sequences": 1}, AnalysisError),
        ({"cap": 0}, AnalysisError),
        ({"thresholds": {"induction": 1.5}}, AnalysisError),
        ({"thresholds": {"inductoin": 0.5}}, UnknownRoleError),
    ],
)
def test_settings_that_make_no_sense_are_refused(wrong, error):
    with pytest.raises(error):
        AnalysisSettings(**wrong)


def test_an_unknown_model_is_refused_before_anything_loads():
    with pytest.raises(UnknownModelError):
        analyze("no/such/folder", AnalysisSettings())


def test_a_context_too_short_for_the_texts_is_refused_with_both_numbers(model_folders):
    with pytest.raises(UnsupportedModelError, match=r"reads 64 tokens at most.* texts of \d{2,3}"):
        analyze(str(model_folders("gpt2")), AnalysisSettings(sequences=50))
