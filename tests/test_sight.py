"""What a head can see, and what goes to no token: hand-worked patterns, and tiny models of windows.

Rows of a window of W see the last W tokens, themselves included. Expected numbers are worked out by
hand or come from plain loops over the visible cells.
"""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn
from transformers import AutoModelForCausalLM

from headroles import verify_head_activation
from headroles.capture import capture
from headroles.detector import detect
from headroles.detector.comparison import compare, pattern_weights
from headroles.errors import ShapeError, UnsupportedModelError
from headroles.models.sight import HIDES, Sights, cut, own_masks
from headroles.roles import ROLES, SCORED_ROLES, Prompts, patterns, prompts_of_run
from headroles.scoring import (
    cell_weights,
    even_spread,
    evidence,
    mean_entropy,
    missing_mass,
    offset_profile,
    offset_shares,
    prompt_activations,
    role_activation,
    without_rest,
)
from headroles.scoring.activation import resting_share
from headroles.types import Head
from headroles.verdicts import active_heads, judge, score_prompt, score_run
from headroles.verdicts.reasons import sight_in_words
from tests.families import PROMPT, WINDOW

LOCAL = {"mistral": (0, 1), "gemma2": (0,), "gemma3_text": (0,), "gpt_neo": (1,), "gpt_oss": (0,)}
"""The layers of each family that see WINDOW tokens only."""


def window(length: int, size: int) -> torch.Tensor:
    """[query key] a sliding window."""
    return torch.ones(length, length, dtype=torch.bool).tril().triu(1 - size)


def chunks(length: int, size: int) -> torch.Tensor:
    """[query key] chunks, as in Llama 4: a token sees those of its own chunk."""
    chunk = torch.arange(length) // size
    return (chunk[:, None] == chunk[None]).tril()


def evenly(visible: torch.Tensor) -> torch.Tensor:
    return visible / visible.sum(-1, keepdim=True)


def rests(visible: torch.Tensor) -> torch.Tensor:
    """On position 0 where it is in sight, else on the token itself."""
    return torch.where(visible[:, :1], torch.eye(len(visible))[0], torch.eye(len(visible)))


def looks_back(length: int) -> torch.Tensor:
    pattern = torch.diag(torch.ones(length - 1), -1)
    pattern[0, 0] = 1
    return pattern


# ------------------------------------------------------------------ by hand


@pytest.mark.parametrize("visible", [window(512, 256), window(12, 5), chunks(12, 4)])
def test_a_perfect_head_scores_1_where_it_can_see(visible: torch.Tensor) -> None:
    ids, sight = list(range(len(visible))), (visible,)
    assert float(role_activation(rests(visible), ids, "positional", sight=sight).value) == 1
    assert float(resting_share(rests(visible), sight)) == 1
    even = evenly(visible)
    assert float(role_activation(even, ids, "diffuse", sight=sight).value) == pytest.approx(1)
    for role in ("previous_token", "positional"):
        laid = role_activation(even, ids, role, sight=sight)
        assert float(laid.value) == pytest.approx(laid.chance)


def test_a_previous_token_head_in_a_window() -> None:
    laid = role_activation(looks_back(7), list(range(7)), "previous_token", sight=(window(7, 3),))
    # rows 2 to 6, which all see three tokens
    assert (float(laid.value), laid.chance, laid.rows) == (1, pytest.approx(1 / 3), 5)
    # a chunk's first token does not see the one before: of rows 2 to 6 these are 3 and 6
    laid = role_activation(looks_back(7), list(range(7)), "previous_token", sight=(chunks(7, 3),))
    assert (laid.rows, laid.chance) == (3, pytest.approx((1 / 3 + 1 / 2 + 1 / 3) / 3))


def test_only_copies_in_sight_count() -> None:
    # A at 1, 4 and 9: 4 sees 1's follower, 9 sees nothing of either in a window of 4
    ids, sight = [0, 7, 8, 9, 7, 1, 2, 3, 4, 7], (window(10, 4),)
    laid = role_activation(torch.eye(10), ids, "induction", sight=sight)
    # row 4 sees 1 2 3 4: all four count, and 2 is the follower
    assert (laid.rows, laid.chance) == (1, pytest.approx(1 / 4))
    assert role_activation(torch.eye(10), ids, "induction").rows == 2
    there = torch.zeros(10, 10)
    there[4, 2] = there[9, 2] = 1
    cells = evidence(there, ids, "induction", visible=sight[0])
    assert [(cell.query, cell.key) for cell in cells] == [(4, 2)]


def test_a_row_whose_cells_are_all_that_it_sees_does_not_apply() -> None:
    targets = torch.zeros(4, 4, dtype=torch.bool)
    targets[3, 2:] = True
    assert int(cell_weights(targets).rows) == 1
    assert int(cell_weights(targets, visible=window(4, 2)).rows) == 0


def test_entropy_is_over_the_log_of_what_is_visible() -> None:
    pattern = torch.zeros(4, 4)
    pattern[0, 0] = 1
    pattern[1, :2] = torch.tensor([0.5, 0.5])  # log 2 / log 2
    pattern[2, 1:3] = torch.tensor([0.25, 0.75])
    pattern[3, 3] = 1  # 0
    second = -(0.25 * math.log(0.25) + 0.75 * math.log(0.75)) / math.log(2)
    visible = window(4, 2)
    assert float(mean_entropy(pattern[None], visible=visible)) == pytest.approx((1 + second) / 3)


def test_distances_out_of_sight_have_no_rows() -> None:
    profile = offset_profile(evenly(window(8, 3)), visible=window(8, 3))
    assert [share.rows for share in profile.near] == [7, 6, 5, 0, 0, 0, 0]
    for share in (*profile.near[:3], profile.first):
        assert share.share == pytest.approx(share.chance)
    assert profile.first.rows == 2
    parts = (*profile.near, profile.further, profile.first, profile.nowhere)
    assert sum(part.share * part.rows for part in parts) == pytest.approx(7)
    shares, chances = offset_shares(
        evenly(window(8, 3))[None, None], torch.tensor([8]), longest=3, visible=window(8, 3)
    )
    torch.testing.assert_close(shares[:2, :, 0], chances[:2])
    assert shares[2].isnan().all()
    assert chances[2].isnan().all()


def test_layers_that_see_differently_are_each_scored_by_what_they_see() -> None:
    ids = [0, 7, 8, 9, 7, 1, 2, 3, 4, 7]
    attention = torch.rand(4, 3, 10, 10).tril()
    attention /= attention.sum(-1, keepdim=True)
    near, narrow = window(10, 4), window(10, 2)
    sight = (None, near, None, narrow)
    for layer, visible in enumerate(sight):
        if visible is not None:
            attention[layer] = attention[layer] * visible
            attention[layer] /= attention[layer].sum(-1, keepdim=True)
    together = prompt_activations(attention, ids, sight=sight)
    for role in SCORED_ROLES:
        for layer, visible in enumerate(sight):
            one = () if visible is None else (visible,)
            for head in range(3):
                alone = role_activation(attention[layer, head], ids, role, sight=one).of()
                ours = together[role.key].of(layer, head)
                for name in ("value", "chance", "rows", "work", "resting", "previous", "nowhere"):
                    assert getattr(ours, name) == pytest.approx(getattr(alone, name), abs=1e-6)


def test_a_sight_of_other_layers_is_refused() -> None:
    with pytest.raises(ShapeError, match="sight"):
        prompt_activations(torch.eye(4).expand(2, 1, 4, 4), [0, 1, 2, 3], sight=(window(4, 2),))


# ------------------------------------------------------------------ learned sinks


def test_what_goes_to_no_token_is_rest_and_never_a_divisor() -> None:
    ids = [0, 7, 8, 9, 7, 8, 9, 7, 8, 9]
    spread, length = 0.0003, len(ids)
    pattern = spread * evenly(window(length, length))
    one = role_activation(pattern, ids, "induction").of()
    assert one.nowhere == pytest.approx(1 - spread, abs=1e-5)
    assert one.work < spread
    assert one.value < spread / 0.02  # at least 2% counts as work
    diffuse = role_activation(pattern, ids, "diffuse").of()
    assert diffuse.value < 0.1  # an even spread of crumbs is not an even head
    torch.testing.assert_close(missing_mass(pattern), torch.full((length,), 1 - spread))
    assert missing_mass(evenly(window(6, 4))) is None
    verdict = judge(Head(0, 0), "induction", score_prompt(pattern.expand(1, 1, -1, -1), ids), None)
    assert verdict.state == "quiet"
    assert "on no token" in verdict.reason
    assert "elsewhere" not in verdict.reason


def test_evenness_is_of_what_is_on_tokens() -> None:
    pattern = 0.3 * evenly(window(6, 6))
    assert float(role_activation(pattern, list(range(6)), "diffuse").value) == pytest.approx(1)
    assert role_activation(pattern, list(range(6)), "diffuse").of().work == pytest.approx(0.3)
    scores = score_prompt(pattern.expand(1, 1, -1, -1), list(range(6)))
    assert "30% of its attention" in judge(Head(0, 0), "diffuse", scores, 0.7).reason


def test_a_head_that_half_rests_in_the_sink_half_works() -> None:
    ids = [0, 7, 8, 9, 7, 8, 9, 7]
    pattern = 0.5 * torch.eye(8)
    for query, key in ((4, 2), (5, 3), (6, 4), (7, 5)):
        pattern[query] = 0
        pattern[query, key] = 0.4
    one = role_activation(pattern, ids, "induction").of()
    assert (one.value, one.work) == (pytest.approx(1), pytest.approx(0.4))
    assert one.nowhere == pytest.approx(0.6)
    profile = offset_profile(pattern)
    assert profile.nowhere.share == pytest.approx((3 * 0.5 + 4 * 0.6) / 7)


def test_mul_counts_the_sink_as_another_place_to_rest() -> None:
    prompts = Prompts.of_ids(list(range(6)))
    attention = (0.001 * looks_back(6))[None, None]
    drawn = pattern_weights([patterns.offset(1)], prompts)
    scores, left = compare(attention, drawn)
    assert float(left) == pytest.approx(6)
    assert float(scores["mul"]) == pytest.approx(0.001 * 4 / 6)  # rows 2 to 5
    drawn = pattern_weights([patterns.offset(1)], prompts, exclude_bos=True)
    scores, left = compare(attention, drawn)
    assert float(left) == pytest.approx(0.004)
    assert float(scores["mul"]) == pytest.approx(1)


def test_what_is_left_beside_the_rest_is_over_the_rows_that_see_it() -> None:
    seen, pattern = window(5, 3), torch.zeros(5, 5)
    pattern[0, 0] = 1
    pattern[1, :2] = torch.tensor([0.9, 0.1])
    pattern[2, :3] = torch.tensor([0.5, 0.1, 0.2])  # 0.2 in the sink
    pattern[3, 1:4] = torch.tensor([0.5, 0.3, 0.2])  # rows 3 and 4 cannot see position 0
    pattern[4, 4] = 0.4
    assert float(resting_share(pattern, (seen,))) == pytest.approx((0.9 + 0.5) / 2)
    assert without_rest(pattern, visible=seen).left == pytest.approx((0.1 + 0.3) / 2)
    assert without_rest(pattern).left == pytest.approx((0.1 + 0.3 + 1 + 0.4) / 4)
    assert without_rest(torch.ones(1, 1)).left == 0


# ------------------------------------------------------------------ masks


def test_a_mask_is_read_not_the_zeros() -> None:
    hard = Sights("tiny", 6)
    seen = window(6, 3)
    added = torch.zeros(1, 1, 6, 6).masked_fill(~seen, torch.finfo(torch.float32).min)
    causal = torch.zeros(1, 1, 6, 6).masked_fill(~window(6, 6), -torch.inf)
    assert hard.of([]) is None
    assert hard.of([causal]) is None
    assert torch.equal(hard.of([added]), seen)
    assert hard.of([added.clone()]) is hard.of([seen[None, None]])
    differs = added.repeat(1, 2, 1, 1)
    differs[0, 1] = causal[0, 0]
    with pytest.raises(UnsupportedModelError, match="depends on the head"):
        hard.of([differs])


@pytest.mark.parametrize("value", [-1e4, -65504.0, -1e9, -torch.inf])
@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float32])
def test_a_mask_hides_by_what_it_does_whatever_its_value(value: float, kind: torch.dtype) -> None:
    seen = window(6, 3)
    added = torch.zeros(1, 1, 6, 6).masked_fill(~seen, value).to(kind)
    assert torch.equal(Sights("tiny", 6).of([added]), seen)
    scores = torch.tensor([300.0, -300.0, 0.0, 250.0, -250.0, 7.0]) + added[0, 0].float()
    assert not scores.softmax(-1)[~seen].any()
    # on top of a position bias, the same for every head
    biased = added + (torch.arange(6.0) - 5).to(kind)
    assert torch.equal(Sights("tiny", 6).of([biased]), seen)


def test_what_hides_leaves_exactly_nothing() -> None:
    over = HIDES - 104  # the hidden token's own score, over that of the one in sight
    assert torch.tensor([0.0, over - HIDES]).softmax(-1).tolist() == [1.0, 0.0]
    assert float(torch.tensor([0.0, over + 1 - HIDES]).softmax(-1)[1]) > 0


def test_a_position_bias_hides_nothing() -> None:
    length = 512  # the longest prompt
    distance = torch.arange(length)[None] - torch.arange(length)[:, None]
    slopes = 2.0 ** -torch.arange(0.125, 8.1, 0.125)  # ALiBi of 64 heads: up to 0.917
    bias = (slopes[:, None, None] * distance)[None]
    future = torch.where(distance > 0, torch.finfo(torch.float32).min, 0.0)
    assert bias.min() < -400
    assert Sights("tiny", length).of([bias]) is None
    assert Sights("tiny", length).of([bias + future]) is None
    hidden = torch.zeros(length, length).masked_fill(~window(length, 100), -1e4)
    seen = Sights("tiny", length).of([bias + future.clamp_min(-1e4) + hidden])
    assert torch.equal(seen, window(length, 100))


def test_a_row_that_is_the_same_everywhere_is_even() -> None:
    low = torch.finfo(torch.float32).min
    added = torch.zeros(1, 1, 4, 4).masked_fill(~window(4, 4), low)
    added[..., 3, :] = low  # softmax makes 1/4 of each
    assert Sights("tiny", 4).of([added]) is None


def test_masks_that_a_family_keeps_and_multiplies_with() -> None:
    module = nn.Module()
    module.register_buffer("bias", window(6, 3)[None, None].float())
    module.register_buffer("weights", torch.full((1, 1, 6, 6), 0.5))
    module.register_buffer("table", torch.ones(6, 6))
    (mask,) = own_masks(module)
    assert torch.equal(Sights("tiny", 6).of([mask]), window(6, 3))


def test_a_sight_is_cut_with_its_text() -> None:
    seen = window(8, 5)
    assert cut([None, seen, seen], 5) == ()
    first, second, third = cut([None, seen, seen], 6)
    assert first is None
    assert second is third
    assert torch.equal(second, window(6, 5))


@pytest.mark.parametrize("family", LOCAL)
def test_a_run_knows_what_each_layer_sees(load_family, family: str) -> None:
    run = capture(load_family(family), PROMPT)
    length = len(run.token_ids)
    assert length > 2 * WINDOW
    for layer, visible in enumerate(run.sight):
        if layer in LOCAL[family]:
            assert torch.equal(visible, window(length, WINDOW))
        else:
            assert visible is None
        hidden = ~(window(length, length) if visible is None else visible)
        assert not run.attention[layer][:, hidden].any()
    assert capture(load_family(family), "a").sight == ()  # all of a short text is in sight


def test_a_model_that_sees_everything_has_no_sight(load_family) -> None:
    for family in ("gpt2", "llama", "bloom", "gpt_neox"):
        assert capture(load_family(family), PROMPT).sight == ()


@pytest.mark.parametrize("family", LOCAL)
def test_every_number_is_that_of_plain_loops_over_eager_attention(
    load_family, model_folders, family: str
) -> None:
    run = capture(load_family(family), PROMPT)
    scores = score_run(run)
    model = AutoModelForCausalLM.from_pretrained(
        str(model_folders(family)), attn_implementation="eager"
    ).eval()
    ids = torch.tensor([run.token_ids])
    with torch.no_grad():
        eager = model(ids, output_attentions=True).attentions
    for layer in range(len(eager)):
        size = WINDOW if layer in LOCAL[family] else len(run.token_ids)
        for head in range(eager[layer].shape[1]):
            pattern = eager[layer][0, head]
            got = scores.activations["previous_token"].of(layer, head)
            value, chance, rows = _previous(pattern, size)
            assert got.value == pytest.approx(value, abs=1e-5)
            assert got.chance == pytest.approx(chance, abs=1e-6)
            assert got.rows == rows
            got = scores.activations["diffuse"].of(layer, head)
            assert got.value == pytest.approx(_evenness(pattern, size), abs=1e-5)
            got = scores.activations["positional"].of(layer, head)
            seeing = range(1, min(size, len(pattern)))
            assert got.rows == len(seeing)
            share = sum(float(pattern[q, 0]) for q in seeing) / len(seeing)
            assert got.value == pytest.approx(share, abs=1e-5)


def _previous(pattern: torch.Tensor, size: int) -> tuple[float, float, int]:
    rows = range(2, len(pattern))
    value = sum(float(pattern[q, q - 1]) for q in rows) / len(rows)
    return value, sum(1 / min(q + 1, size) for q in rows) / len(rows), len(rows)


def _evenness(pattern: torch.Tensor, size: int) -> float:
    values = []
    for q in range(1, len(pattern)):
        seen = [float(pattern[q, k]) for k in range(max(0, q + 1 - size), q + 1)]
        counted = max(sum(seen), 0.02)
        entropy = -sum(p / counted * math.log(p / counted) for p in seen if p > 0)
        values.append(entropy / math.log(len(seen)))
    return sum(values) / len(values)


def test_a_sink_model_says_where_its_heads_rest(load_family) -> None:
    run = capture(load_family("gpt_oss"), PROMPT)
    missing = 1 - run.attention[:, :, 1:].sum(-1)
    assert missing.max() > 0.5
    scores = score_run(run)
    torch.testing.assert_close(scores.nowhere, missing.mean(-1), atol=0.01, rtol=0)
    sleeper = Head(*divmod(int(scores.nowhere.argmax()), 4))
    for role in SCORED_ROLES:
        verdict = judge(sleeper, role.key, scores, None)
        if verdict.state == "quiet" and verdict.activation.nowhere > 0.5:
            assert "no token" in verdict.reason, role.key
    assert score_run(capture(load_family("gpt2"), PROMPT)).nowhere is None


# ------------------------------------------------------------------ verdicts and the lab


def test_an_active_head_of_a_window_is_active_and_the_reason_names_the_window() -> None:
    ids, near = [0, 7, 8, 9, 5, 6, 4, 3, 7, 8, 9, 5], window(12, 4)
    attention = torch.eye(12).expand(2, 1, 12, 12)
    scores = score_prompt(attention, ids, sight=(None, near))
    seen = judge(Head(0, 0), "induction", scores, None)
    hidden = judge(Head(1, 0), "induction", scores, None)
    assert (seen.state, hidden.state) == ("quiet", "not_applicable")
    assert "out of this head's sight" in hidden.reason
    assert "the last 4 tokens" in hidden.reason
    again = ROLES["induction"]
    active = active_heads(again, scores.activations["induction"], 0.0, num_tokens=12)
    assert active.tolist() == [[False], [False]]
    spread = score_prompt(evenly(near).expand(1, 1, -1, -1), ids, sight=(near,))
    assert judge(Head(0, 0), "diffuse", spread, 0.7).is_active


def test_a_sight_in_words() -> None:
    assert sight_in_words(window(9, 4)) == "sees only the last 4 tokens"
    assert sight_in_words(chunks(9, 4)) == "sees only some of the tokens so far"
    assert sight_in_words(None) == ""


def test_the_public_function_takes_the_sight(load_family) -> None:
    run = capture(load_family("gemma2"), PROMPT)
    for layer in (0, 1):
        value = verify_head_activation(
            run.attention, run.token_ids, Head(layer, 1), "diffuse", sight=run.sight
        )
        size = WINDOW if layer == 0 else len(run.token_ids)
        assert value == pytest.approx(_evenness(run.attention[layer, 1], size), abs=1e-5)


@pytest.mark.parametrize("family", ["mistral", "gemma2", "gpt_neo", "gpt_oss", "gpt2"])
def test_the_lab_gives_the_numbers_of_the_page(load_family, family: str) -> None:
    loaded = load_family(family)
    run = capture(loaded, PROMPT)
    chosen = [role for role in SCORED_ROLES if role.has_cells]
    found = detect(loaded, prompts_of_run(run), chosen)
    scores = score_run(run)
    for place, role in enumerate(chosen):
        summary = found.summary(place, "activation")
        for layer in range(loaded.num_layers):
            ours = scores.activations[role.key].of(layer, 2)
            if ours.rows:
                assert float(summary.mean[layer, 2]) == pytest.approx(ours.value, abs=1e-5)
                assert summary.chance_by_layer[layer] == pytest.approx(ours.chance, abs=1e-5)
            else:
                assert math.isnan(float(summary.mean[layer, 2]))


def test_an_even_head_in_a_window_gets_the_chance_of_every_measure() -> None:
    prompts, near = Prompts.of_ids(list(range(9))), window(9, 4)
    drawn = pattern_weights([patterns.offset(1)], prompts, visible=near)
    scores, left = compare(even_spread(9, near), drawn)
    assert float(left) == pytest.approx(9)
    assert float(scores["activation"]) == pytest.approx((1 / 3 + 6 / 4) / 7)
