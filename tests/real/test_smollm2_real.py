"""SmolLM2: what the app shows of a real language model is what it does.

Attention four ways, grouped keys, the heads that were found in it, what they cause, and the entry
that ships for it. All expected numbers come from another way of computing, or were written down
when the model was first looked at.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM

from headroles import ablation, analysis, capture, models, store, texts, verdicts
from headroles.models import LoadedModel
from headroles.paths import CATEGORIES
from headroles.texts.probe_texts import ordinary_ids, repeated_sequences
from headroles.types import Head
from tests.test_line_that_decides import PROMPTS, check_lines

pytestmark = [pytest.mark.real, pytest.mark.filterwarnings("ignore")]

TEXTS = [
    "The capital of France is",
    "Then, Mary and John went to the park. John gave a ring to",
    "def add(a, b):\n    return a + b\n\nprint(add(2, 40))",
    "Über allen Gipfeln ist Ruh, naïve café, 12345 and 67,890.",
]
INDUCTION = [Head(18, 6), Head(17, 4), Head(17, 3), Head(17, 5)]


def _eager(real: LoadedModel, ids: tuple[int, ...]) -> tuple[torch.Tensor, torch.Tensor]:
    model = _eager_model(real.source)
    with torch.inference_mode():
        output = model(torch.tensor([ids]), output_attentions=True)
    return torch.cat(output.attentions), output.logits[0, -1]


_eager_models: dict[str, torch.nn.Module] = {}


def _eager_model(source: str) -> torch.nn.Module:
    if source not in _eager_models:
        folder = models.loading.local_files(source)
        _eager_models[source] = AutoModelForCausalLM.from_pretrained(
            folder, attn_implementation="eager", dtype=torch.float32
        ).eval()
    return _eager_models[source]


# ------------------------------------------------------------------ the model itself


def test_its_shape_and_its_start_token(real: LoadedModel) -> None:
    assert (real.num_layers, real.num_heads, real.num_kv_heads) == (30, 9, 3)
    assert (real.start.token_id, real.start.text) == (0, "<|endoftext|>")


@pytest.mark.parametrize(
    ("prompt", "guess", "least"), [(TEXTS[0], " Paris", 0.7), (TEXTS[1], " Mary", 0.85)]
)
def test_it_knows_what_a_language_model_knows(
    real: LoadedModel, prompt: str, guess: str, least: float
) -> None:
    best = capture.capture(real, prompt).next_tokens[0]
    assert best.text == guess
    assert best.probability > least


@pytest.mark.parametrize("text", TEXTS)
def test_a_text_comes_back_from_its_tokens(real: LoadedModel, text: str) -> None:
    encoding = texts.encode(real.tokenizer, text)
    assert real.tokenizer.decode(encoding.token_ids[1:]) == text


# ------------------------------------------------------------------ attention, four ways


@pytest.mark.parametrize("text", TEXTS)
def test_capture_equals_eager_attention_exactly(real: LoadedModel, text: str) -> None:
    run = capture.capture(real, text)
    attention, logits = _eager(real, run.token_ids)
    assert (run.attention - attention).abs().max() == 0
    assert run.next_tokens[0].token_id == logits.argmax()


def test_the_bridge_of_the_analysis_sees_the_same(real: LoadedModel, real_model: str) -> None:
    run = capture.capture(real, TEXTS[1])
    bridge = analysis.load_bridge(real_model)
    names = [f"blocks.{layer}.attn.hook_pattern" for layer in range(real.num_layers)]
    with torch.inference_mode():
        logits, cache = bridge.run_with_cache(torch.tensor([run.token_ids]), names_filter=names)
    patterns = torch.cat([cache[name] for name in names])
    torch.testing.assert_close(run.attention, patterns, rtol=0, atol=1e-5)
    guess = run.next_tokens[0]
    assert logits[0, -1].softmax(-1)[guess.token_id] == pytest.approx(guess.probability, abs=1e-4)


def test_three_query_heads_share_each_key_head(real: LoadedModel) -> None:
    """Without the second key head of layer 0, query heads 3 to 5 spread evenly, and no others."""
    before = capture.capture(real, TEXTS[0]).attention[0]  # [head query key]
    keys = real.model.model.layers[0].self_attn.k_proj.weight
    kept, d_head = keys.data.clone(), keys.shape[0] // real.num_kv_heads
    try:
        keys.data[d_head : 2 * d_head] = 0
        after = capture.capture(real, TEXTS[0]).attention[0]
    finally:
        keys.data.copy_(kept)
    changed = (after - before).abs().amax((1, 2)) > 0  # [head]
    assert changed.nonzero().flatten().tolist() == [3, 4, 5]
    length = before.shape[-1]
    even = torch.ones(length, length).tril() / torch.arange(1, length + 1)[:, None]
    torch.testing.assert_close(after[3:6], even.expand(3, -1, -1), rtol=0, atol=1e-6)


# ------------------------------------------------------------------ its heads


def test_a_close_look_at_an_induction_head(real: LoadedModel) -> None:
    """On words said twice, L17H4 looks from each repeated word to what followed it the first time.

    The share is taken here by hand, from the cells of the attention alone.
    """
    run = capture.capture(real, " blue chair seven river candle" * 2)
    ids = run.token_ids
    cells = [
        (query, key + 1)
        for query in range(1, len(ids))
        for key in range(1, query - 1)
        if ids[key] == ids[query]
    ]
    there = sum(float(run.attention[17, 4, query, key]) for query, key in cells)
    awake = sum(1 - float(run.attention[17, 4, query, 0]) for query, _ in cells)
    assert there / awake > 0.8
    scores = verdicts.score_prompt(run.attention, ids)
    value = scores.activations["induction"].of(17, 4).value
    assert value == pytest.approx(there / awake, abs=1e-5)


@pytest.mark.parametrize(
    "prompt",
    [
        "No, no, no",
        "no, no, no, no, no",
        "no no no no no no",
        "Monday, Tuesday, Wednesday, Monday, Tuesday",
        "Monday, Tuesday, Wednesday, Thursday, Friday, Saturday, Sunday, Monday, Tuesday",
    ],
)
def test_a_previous_token_head_is_no_induction_head(real: LoadedModel, prompt: str) -> None:
    """L16H0 looks one token back whatever the text; that is where a day or a "no" came from."""
    run = capture.capture(real, prompt)
    scores = verdicts.score_prompt(run.attention, run.token_ids)
    before = run.attention[16, 0].diagonal(-1)[1:].mean()
    assert before > 0.7
    for role in ("induction", "duplicate_token"):
        assert not verdicts.judge(Head(16, 0), role, scores, 0.4).is_active


def test_on_an_ioi_sentence_the_second_subject_is_named(real: LoadedModel) -> None:
    """From the second John to "went", the word after the first: with what does not rest."""
    run = capture.capture(real, "When Mary and John went to the store, John gave a drink to")
    assert (run.tokens[4], run.tokens[5], run.tokens[10]) == (" John", " went", " John")
    scores = verdicts.score_prompt(run.attention, run.token_ids, tokens=run.tokens)
    for head in (Head(17, 4), Head(17, 5)):
        verdict = verdicts.judge(head, "induction", scores, 0.4)
        assert verdict.is_active
        share = float(run.attention[(*head, 10, 5)])
        assert share > 0.25
        assert f"“·John” (2nd): {share:.0%}" in verdict.reason
        assert verdict.resting_share > 0.3  # which is why the mean over all attention was small


def test_without_its_induction_heads_it_cannot_repeat(real: LoadedModel) -> None:
    """Against as many other heads of the same layers (first seen: +6.5 and +.35 nats)."""
    repeats = repeated_sequences(
        ordinary_ids(real.tokenizer),
        6,
        start_id=real.start.token_id,
        rng=np.random.default_rng(1),
    )
    others = [Head(18, 1), Head(17, 0), Head(17, 7), Head(17, 8)]
    conditions = [
        ablation.Condition("induction", (ablation.HeadOutput(tuple(INDUCTION)),)),
        ablation.Condition("others", (ablation.HeadOutput(tuple(others)),)),
    ]
    rises = {condition.name: [] for condition in conditions}
    for row, length in zip(repeats.token_ids.tolist(), repeats.lengths.tolist(), strict=True):
        ids = row[:length]
        places = ablation.outcomes.repeated_positions(ids)
        untouched, *without = ablation.run.run_conditions(
            real, [ids] * 3, [ablation.conditions.UNTOUCHED, *conditions]
        )
        for condition, outcome in zip(conditions, without, strict=True):
            change = outcome.losses - untouched.losses  # [pos - 1]
            rises[condition.name].append(float(change[[place - 1 for place in places]].mean()))
    means = {label: sum(values) / len(values) for label, values in rises.items()}
    assert means["induction"] > 3
    assert abs(means["others"]) < 1


# ------------------------------------------------------------------ the entry that ships


@pytest.fixture(scope="module")
def entry(real_model: str):
    return store.read_entry(real_model, CATEGORIES)


def test_its_entry_belongs_to_these_weights_and_is_complete(entry, real_model: str) -> None:
    assert entry.revision == models.model_revision(models.resolve_source(real_model))
    assert analysis.freshness.faults(entry) == []
    assert {"induction", "name_mover", "delimiter"} <= set(entry.all_scores)


@pytest.mark.parametrize(
    ("role", "heads"),
    [
        ("induction", ["L18H6", "L17H4", "L17H3"]),
        ("previous_token", ["L16H0", "L1H2", "L11H1"]),
        ("duplicate_token", ["L14H3", "L8H0"]),
        ("name_mover", ["L23H0", "L23H1"]),
        ("s_inhibition", ["L20H0", "L19H2"]),
    ],
)
def test_its_entry_lists_the_heads_that_were_seen_first(entry, role: str, heads: list[str]) -> None:
    listed = [Head(top.layer, top.head).label for top in entry.categories[role].top_heads]
    assert set(heads) <= set(listed)


def test_an_analysis_of_a_few_texts_gives_the_shipped_scores(entry, real_model: str) -> None:
    """Other random texts: within their errors, and the same heads in front."""
    bridge = analysis.load_bridge(real_model)
    tokenizer = models.load_tokenizer(models.resolve_source(real_model))
    probe = analysis.make_texts(tokenizer, n=8, seed=7)
    measured = analysis.measure_roles(bridge, probe, seed=7)
    for role in ("previous_token", "induction", "duplicate_token"):
        shipped = torch.tensor(entry.all_scores[role]).flatten()
        fresh = measured[role].mean.flatten()
        both = torch.stack([shipped, fresh])
        assert torch.corrcoef(both)[0, 1] > 0.97, role
        assert (shipped - fresh).abs().median() < 0.02, role


def test_what_keeps_its_name_movers_off_the_subject(real: LoadedModel, real_model: str) -> None:
    """L20H0 knocked out at the end by hand-written hooks, one prompt at a time, and in one pass."""
    tokenizer = models.load_tokenizer(real.source)
    prompts = analysis.ioi.ioi_prompts(tokenizer, 16, rng=np.random.default_rng(0))
    model, head, movers = _eager_model(real.source), Head(20, 0), (0, 1, 2, 7)  # of layer 23
    output = model.model.layers[head.layer].self_attn.o_proj
    place, width = slice(head.head * 64, (head.head + 1) * 64), []

    def run(batch, row: int, hook) -> torch.Tensor:
        ids = batch.token_ids[row, : batch.lengths[row]]
        handle = output.register_forward_pre_hook(hook)
        with torch.inference_mode():
            attention = model(ids[None], output_attentions=True).attentions[23][0]
        handle.remove()
        return attention[list(movers), -1]  # [mover key]

    for row in range(prompts.n):
        run(prompts.control, row, lambda _, given: width.append(given[0][0, -1, place].clone()))
    mean = torch.stack(width).mean(0)

    def to_mean(_, given):
        stream = given[0].clone()
        stream[0, -1, place] = mean
        return (stream,)

    at = torch.stack([prompts.io_at, prompts.s1_at, prompts.s2_at], -1)
    with_it, without = (
        torch.stack([run(prompts.prompts, row, hook)[:, at[row]] for row in range(prompts.n)])
        for hook in (lambda _, given: None, to_mean)
    )  # [prompt mover place]
    on_io = with_it[..., 0].mean(), without[..., 0].mean()
    assert float(on_io[0]) == pytest.approx(0.49, abs=0.05)
    assert float(on_io[1]) == pytest.approx(0.34, abs=0.05)
    right = analysis.s_inhibition.right_share
    fall = right(with_it) - right(without)
    assert float(fall.mean()) > 5 * float(fall.std()) / prompts.n**0.5

    bridge = analysis.load_bridge(real_model)
    rows = (prompts.prompts.lengths == prompts.prompts.lengths[0]).nonzero().flatten()
    ids = prompts.prompts.token_ids[rows, : prompts.prompts.lengths[0]]
    end = analysis.last_position.LastPosition(bridge, ids)
    means = torch.zeros(real.num_layers, real.num_heads, 64)
    means[head] = mean
    seen = end.without([head], means, watch=[23]).patterns[23][0]  # [row head key]
    for place_of, row in enumerate(rows.tolist()):
        torch.testing.assert_close(
            seen[place_of, list(movers)][:, at[row]], without[row], atol=1e-4, rtol=1e-3
        )


def test_the_line_in_a_bar_decides(real: LoadedModel, entry: store.ModelEntry) -> None:
    assert sum(check_lines(capture.capture(real, prompt), entry) for prompt in PROMPTS) > 10_000
