"""The recipes of papers: by hand, by naive loops, and against TransformerLens."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from transformer_lens.head_detector import detect_head

from headroles import models
from headroles.analysis import load_bridge
from headroles.capture import each_layer
from headroles.detector.recipe_scores import RecipeScores, prepare, recipe_scores
from headroles.detector.recipe_texts import (
    DEMO_IDS,
    PLAIN_PROMPTS,
    REPEATING_PROMPTS,
    TEXTS,
    Maker,
    make_texts,
    rows_of,
)
from headroles.detector.recipes import RECIPES, Recipe
from headroles.models import loading
from headroles.roles import ROLES, Prompts
from headroles.types import Head


@pytest.fixture(scope="module")
def loaded():
    return models.load_model("demo")


def maker(loaded, seed: int = 0) -> Maker:
    return Maker(loaded.tokenizer, np.random.default_rng(seed), loaded.max_tokens)


def two_copies(segment: int, *, start: bool, copies: int = 2) -> list[int]:
    ids = list(range(10, 10 + segment))
    return [0] * start + ids * copies


def perfect_induction(ids: list[int]) -> torch.Tensor:
    """[query key] all attention, evenly, on what followed earlier copies; else on column 0."""
    size = len(ids)
    attention = torch.zeros(size, size)
    for q in range(size):
        targets = [k + 1 for k in range(q) if ids[k] == ids[q] and k + 1 < q]
        for target in targets:
            attention[q, target] = 1 / len(targets)
        if not targets:
            attention[q, 0] = 1
    return attention


def resting(size: int) -> torch.Tensor:
    attention = torch.zeros(size, size)
    attention[:, 0] = 1
    return attention


def spreading(size: int) -> torch.Tensor:
    return torch.ones(size, size).tril() / torch.arange(1, size + 1).unsqueeze(-1)


def score(recipe: Recipe, attention: torch.Tensor, ids: list[int]) -> float:
    return float((attention * recipe.weights(Prompts.of_ids(ids))[0]).sum())


def of(role: str, key: str) -> Recipe:
    return next(recipe for recipe in RECIPES[role] if recipe.key == key)


# ------------------------------------------------------------------ by hand

STRIPES = {  # the perfect head's score, and the even one's
    "main_demo": (two_copies(50, start=False), 51 / 51, sum(1 / n for n in range(50, 101)) / 51),
    "arena": (two_copies(50, start=True), 51 / 52, sum(1 / n for n in range(50, 102)) / 52),
    "second_copy": (two_copies(50, start=True), 1, sum(1 / n for n in range(52, 102)) / 50),
    "ioi": (two_copies(100, start=False), 1, sum(1 / n for n in range(101, 201)) / 100),
}
"""Row 49 of the stripes is in the first copy and looks at column 0, where heads without work rest:
it counts as a hit. In ARENA's, row 50 has key 1 and is none."""


@pytest.mark.parametrize("key", STRIPES)
def test_stripes_by_hand(key: str) -> None:
    ids, best, even = STRIPES[key]
    recipe = of("induction", key)
    assert score(recipe, perfect_induction(ids), ids) == pytest.approx(best, abs=1e-6)
    assert score(recipe, spreading(len(ids)), ids) == pytest.approx(even, abs=1e-6)


def test_a_head_that_rests_scores_one_entry_of_a_stripe_and_nothing_without_it() -> None:
    for key, expected in (("main_demo", 1 / 51), ("arena", 1 / 52), ("second_copy", 0), ("ioi", 0)):
        ids = STRIPES[key][0]
        recipe = of("induction", key)
        assert score(recipe, resting(len(ids)), ids) == pytest.approx(expected, abs=1e-6)


def test_per_pair_gives_a_perfect_head_half_where_per_row_gives_all() -> None:
    """Copy 2 has one earlier copy, copy 3 two, copy 4 three: 3 x 25 rows over 6 x 25 pairs."""
    ids = two_copies(25, start=True, copies=4)
    perfect = perfect_induction(ids)
    assert score(of("induction", "olsson"), perfect, ids) == pytest.approx(3 / 6, abs=1e-6)
    ids = two_copies(50, start=True, copies=4)
    perfect = perfect_induction(ids)
    assert score(of("induction", "crosbie"), perfect, ids) == pytest.approx(1, abs=1e-6)
    assert score(of("induction", "crosbie"), resting(201), ids) == 0
    assert score(of("induction", "olsson"), resting(101), two_copies(25, start=True, copies=4)) == 0


def test_previous_token_diagonals_count_row_one() -> None:
    """A head that only rests: row 1 is its one hit among four rows."""
    recipe = of("previous_token", "diagonal")
    assert score(recipe, resting(5), [0, 5, 6, 7, 8]) == pytest.approx(1 / 4)
    assert score(recipe, torch.eye(5).roll(-1, -1).tril(), [0, 5, 6, 7, 8]) == pytest.approx(1)


def test_duplicate_and_first_column_by_hand() -> None:
    ids = two_copies(100, start=False)
    looking = torch.zeros(200, 200)
    looking[range(100, 200), range(100)] = 0.7
    assert score(of("duplicate_token", "ioi"), looking, ids) == pytest.approx(0.7, abs=1e-6)
    # row 0 can only look at itself, which is column 0
    attention = spreading(4)
    assert score(of("positional", "arena"), attention, [0, 5, 6, 7]) == pytest.approx(
        (1 + 1 / 2 + 1 / 3 + 1 / 4) / 4
    )


def test_variants_of_ours_differ_in_the_denominator_alone() -> None:
    """x, y, z twice and x again: rows 4, 5, 6 look at {2}, {3}, {4}, row 7 at {2, 5}."""
    ids = [0, 7, 8, 9, 7, 8, 9, 7]
    attention = torch.zeros(8, 8)
    attention[:, 0] = 0.4
    attention[4, 2], attention[5, 3], attention[7, 2], attention[7, 5] = 0.6, 0.6, 0.2, 0.4
    by_row = (0.6 + 0.6 + 0 + 0.6) / 4
    by_pair = (0.6 + 0.6 + 0 + 0.2 + 0.4) / 5
    assert score(of("induction", "whole_row"), attention, ids) == pytest.approx(by_row, abs=1e-6)
    assert score(of("induction", "per_pair"), attention, ids) == pytest.approx(by_pair, abs=1e-6)


# ------------------------------------------------------------------ by naive loops


def naive_crosbie(attention: np.ndarray, length: int) -> float:
    """Prefix matching, index by index as the paper's released code counts."""
    total, rows = 0.0, 0
    for i in range(length + 1, 4 * length + 1):
        for copy in range(i // length):
            total += attention[i][copy * length + i % length + 1]
        rows += 1
    return total / rows


def naive_olsson(attention: np.ndarray, ids: list[int]) -> float:
    found = [
        attention[q][k]
        for q in range(1, len(ids))
        for k in range(2, q + 1)
        if ids[k - 1] == ids[q] and k - 1 < q
    ]
    return sum(found) / len(found)


@pytest.mark.parametrize("seed", range(3))
def test_prefix_matching_of_any_attention(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    attention = torch.rand(201, 201, generator=generator).tril()
    attention /= attention.sum(-1, keepdim=True)
    ids = two_copies(50, start=True, copies=4)
    assert score(of("induction", "crosbie"), attention, ids) == pytest.approx(
        naive_crosbie(attention.numpy(), 50), abs=1e-6
    )
    ids, attention = two_copies(25, start=True, copies=4), attention[:101, :101]
    assert score(of("induction", "olsson"), attention, ids) == pytest.approx(
        naive_olsson(attention.numpy(), ids), abs=1e-6
    )


def test_every_weight_lies_on_causal_cells_within_the_text(loaded) -> None:
    for recipes in RECIPES.values():
        for recipe in recipes:
            if recipe.weights is None:
                continue
            prompts = Prompts(make_texts(maker(loaded), recipe.texts, 3))
            weights = recipe.weights(prompts)
            assert (weights >= 0).all()
            assert torch.equal(weights, weights.tril()), recipe.key
            for row, length in enumerate(prompts.sequences.lengths.tolist()):
                assert not weights[row, length:].any(), recipe.key
            if recipe.key != "crosbie":  # there a row's cells add up, and count once
                spread = weights.flatten(1).sum(-1)
                assert (spread > 0.99).all(), recipe.key


# ------------------------------------------------------------------ texts


def test_texts_are_those_of_the_sources(loaded) -> None:
    made = {key: rows_of(make_texts(maker(loaded), key)) for key in TEXTS}
    assert {key: len(rows) for key, rows in made.items()} == {
        "repeats": 32, "sentences": 32, "main_demo": 10, "arena": 10, "ioi": 10, "olsson": 10,
        "crosbie": 5, "read_again": 32, "repeating": 3, "plain": 3,
    }  # fmt: skip
    vocabulary = maker(loaded).vocabulary
    for row in made["main_demo"]:
        assert row[:50] == row[50:]
        assert min(row) >= DEMO_IDS[0]
        assert max(row) < min(DEMO_IDS[1], vocabulary)
    for row in made["arena"]:
        assert row[0] == maker(loaded).start
        assert row[1:51] == row[51:]
    for row in made["ioi"]:
        assert len(row) == 200
        assert row[:100] == row[100:]
    for row in made["crosbie"]:
        assert len(row) == 201
        assert len(set(row[1:51])) == 50
        assert row[1:51] * 4 == row[1:]
    for row in made["olsson"]:
        assert len(row) == 101
        assert row[1:26] * 4 == row[1:]


def test_common_and_rare_tokens_are_left_out(loaded) -> None:
    made = maker(loaded)
    ranked, pool = made.ranked, made.neither_common_nor_rare().tolist()
    cut = int(0.04 * len(ranked))
    assert cut > 0
    assert pool == ranked[cut:-cut]
    assert len(set(ranked)) == len(ranked)


def test_text_that_is_read_again_has_two_start_tokens_and_other_ids(loaded) -> None:
    again = rows_of(make_texts(maker(loaded), "read_again", 8))
    start = maker(loaded).start
    assert all(row[:2] == [start, start] for row in again)
    # 50 ids twice behind one start token are 101, and the text is read with another one
    assert any(len(row) != 102 for row in again)


# ------------------------------------------------------------------ on a model


@pytest.fixture(scope="module")
def scores(loaded) -> RecipeScores:
    return recipe_scores(loaded, "induction", seed=3)


def test_the_bundled_model_by_every_recipe(scores) -> None:
    own = scores.of(Head(1, 4))
    assert own["ours"] > 0.9
    assert own["crosbie"] > 0.9
    assert 0.4 < own["olsson"] < 0.55  # a perfect head gets half
    assert own["per_pair"] < own["whole_row"] <= own["ours"] + 1e-6
    assert own["mul"] < 0.5
    worst, high, low = scores.disagreement()
    assert scores.of(worst)[high.key] - scores.of(worst)[low.key] > 0.4
    ranks = scores.rank_correlation()
    assert torch.allclose(ranks.diagonal(), torch.ones(len(ranks), dtype=ranks.dtype))
    assert ranks[0, 1] > 0.9


def test_linear_recipes_are_plain_means_over_plain_attention(loaded, scores) -> None:
    """A second way: each text alone through ``collect``, and a loop over its rows."""
    rows = rows_of(scores.texts["ioi"])
    total = torch.zeros(loaded.shape)
    for ids in rows:

        def add(layer: int, attention, _visible=None) -> None:
            looks = [attention[0, :, q, q - 99] for q in range(100, 200)]
            total[layer] += torch.stack(looks).mean(0)

        each_layer(loaded, torch.tensor([ids]), add)
    place = [recipe.key for recipe in scores.recipes].index("ioi")
    assert torch.allclose(scores.mean[place], total / len(rows), atol=1e-5)


def test_ranks_with_ties_are_those_of_scipy() -> None:
    stats = pytest.importorskip("scipy.stats")
    values = torch.tensor([[[0.1, 0.1, 0.5, 0.2]], [[0.3, 0.2, 0.2, 0.9]]])
    found = RecipeScores("induction", RECIPES["induction"][:2], values, values, {}, 0)
    expected = stats.spearmanr(values[0, 0], values[1, 0]).statistic
    assert float(found.rank_correlation()[0, 1]) == pytest.approx(expected)


def test_detect_head_is_that_of_transformer_lens(loaded) -> None:
    """The demo's prompts, by every measure, through TransformerLens itself, which takes strings."""
    bridge = load_bridge("demo")
    start = bridge.tokenizer.bos_token  # which the bridge puts before no text of this family
    prompts = {
        "repeating": [start + prompt for prompt in REPEATING_PROMPTS],
        "plain": [start + prompt for prompt in PLAIN_PROMPTS],
    }
    for role in ("induction", "duplicate_token", "previous_token"):
        found = recipe_scores(loaded, role)
        for place, recipe in enumerate(found.recipes):
            if recipe.texts in prompts:
                theirs = detect_head(
                    bridge, prompts[recipe.texts], recipe.pattern,
                    exclude_bos=recipe.exclude_bos,
                    exclude_current_token=recipe.exclude_current_token,
                    error_measure=recipe.measure,
                )  # fmt: skip
                # abs is rounded to three decimals, where a tie may fall either way
                tolerance = 1e-3 if recipe.measure == "abs" else 1e-5
                assert torch.allclose(found.mean[place], theirs.float(), atol=tolerance), recipe.key


def test_stripes_are_those_of_the_main_demo_in_transformer_lens(loaded) -> None:
    """The demo's own way: the pattern of every layer from the cache, its diagonal, the mean."""
    bridge = load_bridge("demo")
    found = recipe_scores(loaded, "induction", n=2)
    for key in ("main_demo", "arena"):
        place = [recipe.key for recipe in found.recipes].index(key)
        _logits, cache = bridge.run_with_cache(found.texts[key].token_ids)
        for layer in range(bridge.cfg.n_layers):
            stripe = cache["pattern", layer].diagonal(dim1=-2, dim2=-1, offset=1 - 50)
            assert torch.allclose(found.mean[place, layer], stripe.mean((0, -1)), atol=1e-5)


def test_steps_of_a_large_model_are_short_and_change_no_score(loaded, monkeypatch) -> None:
    """SmolLM2 has 112 times as many parameters: 370 tokens run together, not 3,400."""
    whole = prepare(loaded, "previous_token", n=6)
    monkeypatch.setattr(loading, "STEP", loading.STEP // 112)
    short = prepare(loaded, "previous_token", n=6)
    assert len(short.steps) > len(whole.steps)
    for step in short.steps:
        width = int(short.texts[step.texts].lengths[step.places].max())
        assert len(step.places) == 1 or len(step.places) * width <= loaded.tokens_a_step
    found = [plan.assemble([plan.score(loaded, step) for step in plan.steps])
             for plan in (whole, short)]  # fmt: skip
    torch.testing.assert_close(found[0].mean, found[1].mean, atol=1e-5, rtol=0)
    torch.testing.assert_close(found[0].error, found[1].error, atol=1e-5, rtol=0)


def test_scores_without_a_spread_have_no_error(loaded) -> None:
    one = recipe_scores(loaded, "positional", n=1)
    assert all(map(math.isfinite, one.mean.flatten().tolist()))
    assert {recipe.role for recipe in one.recipes} == {"positional"}
    assert ROLES["positional"].name
