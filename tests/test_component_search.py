"""The search for the components that a role hangs on, against naive runs."""

from __future__ import annotations

import pytest
import torch

from headroles.ablation.component_search import (
    components_of,
    drops,
    left,
    ranked,
    reaching,
    spread_of,
    without_top,
)
from headroles.ablation.conditions import Condition, Without
from headroles.ablation.run import run_under
from headroles.circuits import SVD, factors_at
from headroles.errors import UnknownHeadError
from headroles.types import Component, Head

TEXTS = [(0, 5, 9, 5, 9, 7), (0, 3, 4, 6, 3, 4)]
HEADS = [Head(1, 0), Head(1, 2)]


@pytest.fixture
def loaded(load_family):
    return load_family("gpt_neox")


@pytest.fixture
def found(loaded):
    every = components_of(loaded, SVD, reaching(loaded, SVD, HEADS))
    return drops(loaded, SVD, "previous_token", HEADS, TEXTS, every)


def naive(loaded, gone):
    """Mean attention to the token before, from the third token on, by a loop over cells."""
    cells = []
    for ids in TEXTS:
        condition = Condition("", (Without(gone, SVD),))
        run = run_under(loaded, torch.tensor([ids]), [condition], [len(ids)], keep_patterns=[1])
        for head in HEADS:
            pattern = run.patterns[1][0, head.head]
            cells.append([float(pattern[q, q - 1]) for q in range(2, len(ids))])
    return sum(map(sum, cells)) / sum(map(len, cells))


def test_a_drop_is_that_of_a_naive_loop(loaded, found):
    before = naive(loaded, ())
    for component in (Component(0, "v", 3), Component(1, "q", 0), Component(1, "k", 5)):
        (one,) = (one for one in found if one.component == component)
        assert one.before == pytest.approx(before, abs=1e-6)
        assert one.drop == pytest.approx(before - naive(loaded, (component,)), abs=1e-6)


def test_every_matrix_that_can_reach_the_heads_is_searched(loaded, found):
    places = [(0, "q"), (0, "k"), (0, "v"), (0, "o"), (1, "q"), (1, "k")]
    assert reaching(loaded, SVD, HEADS) == places
    counts = sum(len(factors_at(loaded, SVD, place).U) for place in places)
    assert len(found) == len({one.component for one in found}) == counts
    assert reaching(loaded, SVD, [Head(0, 1)]) == [(0, "q"), (0, "k")]


def test_what_cannot_reach_the_heads_changes_nothing(loaded):
    gone = [Component(1, name, 0) for name in "vo"]
    with_all, without = left(loaded, SVD, "previous_token", HEADS, TEXTS, [(), gone]).tolist()
    assert with_all == pytest.approx(without, abs=1e-7)


def test_sets_are_measured_together_and_the_largest_drop_comes_first(loaded, found):
    best = ranked(found)
    assert [one.drop for one in best] == sorted((one.drop for one in found), reverse=True)
    pair = tuple(one.component for one in best[:2])
    measured = left(loaded, SVD, "previous_token", HEADS, TEXTS, [(), pair[:1], pair]).tolist()
    assert measured[0] - measured[1] == pytest.approx(best[0].drop, abs=1e-6)
    assert measured[2] == pytest.approx(naive(loaded, pair), abs=1e-6)


def test_a_head_that_is_not_there_is_refused(loaded):
    with pytest.raises(UnknownHeadError):
        drops(loaded, SVD, "previous_token", [Head(9, 0)], TEXTS, [])


def test_beside_a_set_stand_as_many_others(loaded):
    top = [Component(1, "q", 0), Component(1, "k", 5)]
    found = without_top(loaded, SVD, "previous_token", HEADS, TEXTS, top, draws=3)
    assert found.count == 2
    assert found.top == pytest.approx(naive(loaded, tuple(top)), abs=1e-6)
    assert len(set(found.others)) == 3
    assert found.chance == pytest.approx(sum(found.others) / 3)
    assert found.svd is None  # it stands beside trained ones
    nothing = without_top(loaded, SVD, "previous_token", HEADS, TEXTS, [], draws=3)
    assert (nothing.count, nothing.others, nothing.chance) == (0, (), None)
    assert nothing.top == pytest.approx(naive(loaded, ()), abs=1e-6)


def test_the_head_with_the_largest_share_is_named(loaded):
    of = factors_at(loaded, SVD, (1, "q"))
    by_head = of.V[3].unflatten(0, (loaded.num_heads, -1)).norm(dim=1)
    most, heads = spread_of(loaded, SVD, [Component(1, "q", 3)])["L1Q3"]
    assert most == f"H{int(by_head.argmax())}"
    shares = by_head.square() / by_head.square().sum()
    assert heads == pytest.approx(float((-shares * shares.log()).sum().exp()), rel=1e-4)
