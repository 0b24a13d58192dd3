"""Scores as sums over pairs of components: by hand, and against the model's own product."""

from __future__ import annotations

import math

import pytest
import torch

from headroles.ablation.component_activity import activations
from headroles.circuits import SVD, TRAINED, factors_at, query_key_products
from headroles.circuits.component_pairs import (
    CHANGE,
    Sides,
    measured_strength,
    of_pairs,
    profile,
    sides,
    typical,
    typical_strength,
)
from headroles.circuits.parts import Rotation
from headroles.circuits.trained_components import Factors
from headroles.circuits.weights import layer_weights
from headroles.errors import DecompositionError
from tests.families import LAYOUTS

IDS = (0, 5, 9, 5, 9, 7, 3)
NORMED = ("qwen3", "gemma3_text", "olmo2")
SUMS = [family for family in LAYOUTS if family not in NORMED]
QUARTER = Rotation(torch.tensor([0]), torch.tensor([1]), torch.tensor([math.pi / 2]))
"""A turn of a quarter for each token back."""


def of_text(loaded, kind, layer, ids=IDS):
    (found,) = activations(loaded, kind, [(layer, "q"), (layer, "k")], [ids])
    return found[layer, "q"], found[layer, "k"]


def own_scores(loaded, layer, ids=IDS):
    """[head query key] the model's own products, scaled."""
    with loaded.lock, torch.no_grad():
        query, key = query_key_products(loaded, layer, torch.tensor([ids]))
    return layer_weights(loaded, layer).scale * (query[0] @ key[0].mT)


def close(first, second):
    return torch.testing.assert_close(
        first, second, atol=1e-4 * float(second.abs().max()), rtol=1e-4
    )


# ------------------------------------------------------------------ against the model


@pytest.mark.parametrize("family", SUMS)
def test_the_pairs_of_two_tokens_sum_to_the_models_own_score(family, load_family):
    loaded = load_family(family)
    for layer in (0, loaded.num_layers - 1):
        parts, (queries, keys) = sides(loaded, SVD, layer), of_text(loaded, SVD, layer)
        own = own_scores(loaded, layer)
        for head, query, key in [(0, 6, 2), (1, 3, 3), (loaded.num_heads - 1, 5, 0)]:
            made = parts.exact(head, query - key, queries[query], keys[key])
            assert made.shape == (queries.shape[1] + 1, keys.shape[1] + 1)
            close(made.sum(), own[head, query, key])


@pytest.mark.parametrize("family", SUMS)
def test_measured_over_text_they_are_the_mean_scores_of_each_distance(family, load_family):
    loaded = load_family(family)
    parts, found = sides(loaded, SVD, 1), of_text(loaded, SVD, 1)
    strength = measured_strength([found], offsets=4)
    for top in (0, 3):
        total = profile(parts, strength, top=top).total  # [head offset]
        own = own_scores(loaded, 1)[:, 1:, 1:]
        expected = torch.stack([own.diagonal(-k, 1, 2).mean(1) for k in range(4)], 1)
        close(total, expected)


def test_a_pair_is_what_a_plain_hook_takes_off_the_score(load_family):
    """Without query component 2 and, apart from that, key component 1: inclusion and exclusion."""
    loaded, head = load_family("llama"), 1
    queries, keys = of_text(loaded, SVD, 1)
    found = sides(loaded, SVD, 1).exact(head, 2, queries[5], keys[3])[2, 1]
    attention = loaded.model.model.layers[1].self_attn

    def score(*without):
        def less(place, number):
            factors = factors_at(loaded, SVD, (1, place))

            def hook(_module, given, result):
                return result - (given[0] @ factors.U[number])[..., None] * factors.V[number]

            return hook

        hooks = [
            getattr(attention, f"{place}_proj").register_forward_hook(less(place, number))
            for place, number in without
        ]
        try:
            return own_scores(loaded, 1)[head, 5, 3]
        finally:
            for hook in hooks:
                hook.remove()

    query, key = ("q", 2), ("k", 1)
    expected = score() - score(query) - score(key) + score(query, key)
    assert abs(float(found)) > 1e-6
    close(found, expected)


@pytest.mark.parametrize("family", ["qwen3", "olmo2"])
def test_where_queries_are_normed_a_score_is_no_sum(family, load_family):
    with pytest.raises(DecompositionError, match="norms its queries"):
        sides(load_family(family), SVD, 0)


def test_scaled_components_add_the_same(load_family):
    """U and V of a component may be scaled against each other, and change their signs together."""
    loaded = load_family("llama")
    svd = {name: factors_at(loaded, SVD, (0, name)) for name in "qk"}
    x = torch.randn(40, svd["q"].U.shape[1], generator=torch.Generator().manual_seed(0))

    def made():
        strength = typical_strength(
            *(x @ factors_at(loaded, TRAINED, (0, n)).U.T for n in "qk"), offsets=3
        )
        return profile(sides(loaded, TRAINED, 0), strength, top=4)

    found = []
    for factor in (1.0, -2.5):
        loaded.tools["components-trained"] = {
            (0, name): Factors(own.U * factor, own.V / factor) for name, own in svd.items()
        }
        found.append(made())
    del loaded.tools["components-trained"]
    assert found[0].pairs == found[1].pairs
    close(found[0].parts, found[1].parts)


# ------------------------------------------------------------------ by hand


def by_hand(rotation=None):
    """One head of two features; two query components, one key component, and biases."""
    query = torch.tensor([[[1.0, 0.0], [0.0, 2.0], [0.5, 0.0]]])  # the last is the bias
    key = torch.tensor([[[3.0, 1.0], [0.0, 1.0]]])
    return Sides(query, key, rotation)


def test_products_by_hand():
    assert by_hand().products(0, 5).tolist() == [[3.0, 0.0], [2.0, 2.0], [1.5, 0.0]]
    # A quarter turn takes (1, 0) to (0, 1), (0, 2) to (-2, 0) and (.5, 0) to (0, .5).
    turned = by_hand(QUARTER).products(0, 1)
    torch.testing.assert_close(turned, torch.tensor([[1.0, 1.0], [-6.0, 0.0], [0.5, 0.5]]))
    exact = by_hand().exact(0, 0, torch.tensor([2.0, -1.0]), torch.tensor([10.0]))
    assert exact.tolist() == [[60.0, 0.0], [-20.0, -2.0], [15.0, 0.0]]


def test_a_profile_by_hand():
    strength = typical_strength(torch.tensor([[1.0, 1.0]]), torch.tensor([[1.0]]), offsets=2)
    found = profile(by_hand(QUARTER), strength, top=1)
    assert found.pairs == ((1, 0),)  # 2 and -6; the other pair is 3 and 1
    expected = [[[2.0, -6.0]], [[0.0 + 2.0 + 1.5 + 0.0, 1.0 + 0.0 + 0.5 + 0.5]], [[3.0, 1.0]]]
    torch.testing.assert_close(found.parts, torch.tensor(expected))
    torch.testing.assert_close(found.total, torch.tensor([[8.5, -3.0]]))
    still = profile(by_hand(), strength, top=1)
    assert still.pairs == ((0, 0),)
    assert not still.rotates
    moves = Sides(torch.tensor([[[9.0], [1.0], [0.0]]]), torch.tensor([[[1.0], [0.0]]]), None)
    uneven = torch.ones(2, 3, 2)
    uneven[1, 1, 0] = 4.0  # the small pair grows with distance, the large one does not
    assert profile(moves, uneven, top=1).pairs == ((0, 0),)
    assert profile(moves, uneven, top=1, order=CHANGE).pairs == ((1, 0),)


def test_the_head_that_decides():
    query = torch.tensor([[[1.0], [0.0], [0.0]], [[0.0], [2.0], [0.0]]])  # a component for each
    parts = Sides(query, torch.ones(2, 2, 1), None)
    strength = torch.ones(1, 3, 2)
    assert profile(parts, strength, top=1).pairs == ((1, 0),)
    assert profile(parts, strength, top=1, head=0).pairs == ((0, 0),)
    assert of_pairs(parts, strength, [(1, 0)]).flatten().tolist() == [0.0, 2.0]


def test_typical_activations_by_hand():
    found = typical(torch.tensor([[3.0, -3.0, 0.0], [4.0, -4.0, 0.0]]))
    assert found.tolist() == pytest.approx([12.5**0.5, -(12.5**0.5), 0.0])


def test_measured_strength_by_hand():
    """Position 0 counts on neither side."""
    queries, keys = (
        torch.tensor([[9.0], [1.0], [2.0], [3.0]]),
        torch.tensor([[9.0], [5.0], [7.0], [1.0]]),
    )
    found = measured_strength([(queries, keys)], offsets=2)
    assert found[0].tolist() == [
        [pytest.approx((5 + 14 + 3) / 3), 2.0],
        [pytest.approx(13 / 3), 1.0],
    ]
    assert found[1].tolist() == [[(2 * 5 + 3 * 7) / 2, 2.5], [6.0, 1.0]]
    with pytest.raises(DecompositionError, match="3 apart"):
        measured_strength([(queries, keys)], offsets=4)
