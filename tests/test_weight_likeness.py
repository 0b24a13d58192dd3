"""Heads held against each other by their weights: whole matrices, opposites, other bases."""

from __future__ import annotations

import pytest
import torch

from headroles.circuits import likeness, weights
from headroles.models import load_model
from headroles.types import Head
from tests.families import LAYOUTS


def whole_matrices(loaded, head: Head) -> tuple[torch.Tensor, torch.Tensor]:
    """QK and OV as d_model x d_model, with the norm applied to the identity."""
    own = weights.layer_weights(loaded, head.layer)
    norm = weights.attention_norm(loaded, head.layer)
    read = norm.fold(torch.eye(own.W_Q.shape[1]))  # [d_model d_model] row i: what e_i becomes
    qk = read @ own.W_Q[head.head] @ own.key_of(head.head).T @ read.T
    written = weights.writing(loaded, head.layer).apply(own.W_O[head.head])
    return qk, read @ own.value_of(head.head) @ written


@pytest.mark.parametrize("family", [*LAYOUTS, "gemma2"])
def test_cosines_are_those_of_the_whole_matrices(family: str, load_family) -> None:
    loaded = load_family(family)
    heads = Head.every(*loaded.shape)
    found = likeness.likeness(loaded, heads[1], heads)
    own = whole_matrices(loaded, heads[1])
    for place, head in enumerate(heads):
        for cosine, one, other in zip(
            (found.qk, found.ov), own, whole_matrices(loaded, head), strict=True
        ):
            expected = torch.nn.functional.cosine_similarity(one.flatten(), other.flatten(), dim=0)
            assert float(cosine[place]) == pytest.approx(float(expected), abs=1e-5)
    assert float(found.both[1]) == pytest.approx(1, abs=1e-5)


def test_pairs_are_symmetric_and_agree_with_one_against_all() -> None:
    loaded = load_model("demo")
    one, other = Head(1, 2), Head(3, 4)
    pair = likeness.of_pairs(loaded, [(one, other), (other, one)])
    single = likeness.likeness(loaded, one, [other])
    assert pair.qk[0] == pytest.approx(float(pair.qk[1]), abs=1e-6)
    assert float(pair.qk[0]) == pytest.approx(float(single.qk[0]), abs=1e-6)
    assert float(pair.ov[0]) == pytest.approx(float(single.ov[0]), abs=1e-6)


def test_another_basis_is_the_same_head_and_a_minus_the_opposite() -> None:
    generator = torch.Generator().manual_seed(0)
    query, key, other = (torch.randn(12, 3, generator=generator) for _ in range(3))
    basis = torch.randn(3, 3, generator=generator)
    turned = (query @ basis, key @ torch.linalg.inv(basis).T)
    assert likeness._cosine((query, key), turned) == pytest.approx(1, abs=1e-5)
    assert likeness._cosine((query, key), (-query, key)) == pytest.approx(-1, abs=1e-6)
    assert abs(likeness._cosine((query, key), (other, query))) < 0.9
    assert likeness._cosine((query, key), (0 * query, key)) == 0


def test_random_pairs_are_pairs_of_two_heads_and_each_once() -> None:
    heads = Head.every(3, 4)
    drawn = likeness.random_pairs(heads, 20, seed=1)
    assert len(set(map(frozenset, drawn))) == 20
    assert all(len(set(pair)) == 2 for pair in drawn)
    assert drawn == likeness.random_pairs(heads, 20, seed=1) != likeness.random_pairs(heads, 20)
    assert len(likeness.random_pairs(heads, 1_000)) == 12 * 11 // 2
