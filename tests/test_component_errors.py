"""What keeps an induction head from being perfect: cells by hand, and scores by the model's own."""

from __future__ import annotations

import pytest
import torch

from headroles.ablation import repeated_rows
from headroles.ablation.component_errors import (
    RIGHT,
    WRONG,
    errors,
    kinds_of_cells,
    right_cells,
)
from headroles.capture import run_edited
from headroles.circuits import SVD, layer_weights, query_key_products
from headroles.roles import ROLES
from headroles.scoring import role_activation
from headroles.types import Head

S, A, B, C = 90, 5, 7, 9
ROW = torch.tensor([S, A, B, C, A, B, C])


def cells(mask):
    return [tuple(place) for place in mask.nonzero().tolist()]


def test_right_cells_by_hand():
    assert cells(right_cells(ROW)) == [(4, 2), (5, 3), (6, 4)]
    doubled = torch.tensor([S, A, A, B, A])  # after two earlier copies
    assert cells(right_cells(doubled)) == [(2, 2), (4, 2), (4, 3)]
    assert cells(right_cells(torch.tensor([A, B, A]))) == []  # the start token is no word


def test_each_cell_is_of_one_kind():
    found = kinds_of_cells(ROW)
    assert sum(mask.long() for mask in found.values()).equal(
        torch.ones(7, 7, dtype=torch.long).tril()
    )
    row = {name: [key for query, key in cells(mask) if query == 5] for name, mask in found.items()}
    # B at 5 looks: C at 3 stood after the earlier B at 2.
    assert row == {
        RIGHT: [3], "first": [0], "itself": [5], "previous": [4], "same": [2], "beside": [],
        "other": [1],
    }  # fmt: skip
    assert [key for query, key in cells(found["beside"]) if query == 4] == []  # 1 same, 3 previous
    longer = kinds_of_cells(torch.tensor([S, A, B, C, B + 1, A, B, C]))
    assert [key for query, key in cells(longer["beside"]) if query == 5] == [3]


def naive(pattern, ids):
    """{kind: sum} of the second copy, cell by cell."""
    ids, sums = list(ids), dict.fromkeys([RIGHT, *WRONG], 0.0)
    for query in range(len(ids) // 2 + 1, len(ids)):
        right = {k + 1 for k in range(1, query) if ids[k] == ids[query]}
        for key in range(query + 1):
            near = key + 1 in right or key - 1 in right
            what = (
                RIGHT if key in right
                else "first" if key == 0
                else "itself" if key == query
                else "previous" if key == query - 1
                else "same" if ids[key] == ids[query]
                else "beside" if near
                else "other"
            )  # fmt: skip
            sums[what] += float(pattern[query, key])
    return sums


@pytest.mark.parametrize("family", ["llama", "gpt2", "gpt_neox"])
def test_the_shares_and_the_scores_are_the_models_own(family, load_family):
    loaded, head = load_family(family), Head(1, 1)
    rows = repeated_rows(loaded, n=2, seed=3)
    found = errors(loaded, SVD, head, rows, cells=4, pairs=3)
    sums, scale = dict.fromkeys([RIGHT, *WRONG], 0.0), layer_weights(loaded, 1).scale
    patterns, scores = [], []
    for row in rows:
        ids = torch.tensor([row])
        run = run_edited(loaded, ids, keep_patterns=[1], with_logits=False)
        patterns.append(run.patterns[1][0, 1])
        for name, value in naive(patterns[-1], row).items():
            sums[name] += value
        with loaded.lock, torch.no_grad():
            query, key = query_key_products(loaded, 1, ids)
        scores.append(scale * query[0, 1] @ key[0, 1].T)
    count = sum(len(row) // 2 for row in rows)
    assert found.rows == count
    assert found.right == pytest.approx(sums[RIGHT] / count, abs=1e-5)
    assert found.shares == pytest.approx({name: sums[name] / count for name in WRONG}, abs=1e-5)
    assert found.right + sum(found.shares.values()) == pytest.approx(1, abs=1e-4)
    assert len(found.cells) == 4
    sizes = [cell.attention for cell in found.cells]
    assert sizes == sorted(sizes, reverse=True)
    for cell in found.cells:
        assert cell.attention == pytest.approx(float(patterns[cell.text][cell.query, cell.key]))
        for total, key in ((cell.total.there, cell.key), (cell.total.right, cell.right)):
            own = float(scores[cell.text][cell.query, key])
            assert total == pytest.approx(own, abs=1e-3 * float(scores[cell.text].abs().max()))
        pushes = [pair.push for pair in cell.pushing]
        assert pushes == sorted(pushes, reverse=True)
        # A row's attention is a softmax of its scores: their difference is that of the logarithms.
        row = patterns[cell.text][cell.query]
        assert cell.total.push == pytest.approx(
            float(row[cell.key].log() - row[cell.right].log()), abs=1e-3
        )


def test_the_named_pairs_are_the_strongest_of_all(load_family):
    loaded, rows = load_family("llama"), repeated_rows(load_family("llama"), n=1, seed=3)
    some = errors(loaded, SVD, Head(1, 0), rows, cells=1, pairs=2).cells[0]
    every = errors(loaded, SVD, Head(1, 0), rows, cells=1, pairs=10**6).cells[0]
    assert some.pushing == (every.pushing[0], every.pushing[-1])
    assert some.pushing[0].push > 0 > some.pushing[1].push
    assert every.pushing[0].push == max(one.push for one in every.pushing)
    whole = sum(one.push for one in every.pushing) + every.biases.push
    assert whole == pytest.approx(every.total.push, abs=1e-4)


def test_the_right_cells_are_those_of_the_role(load_family):
    """On a whole row of attention to one kind of cell, the role's number is all or nothing."""
    loaded = load_family("llama")
    ids = torch.tensor(repeated_rows(loaded, n=1, seed=5)[0])
    attention = right_cells(ids).float()
    attention[attention.sum(1) == 0, 0] = 1
    attention = attention / attention.sum(1, keepdim=True)
    found = role_activation(attention, ids, ROLES["induction"])
    assert float(found.value) == pytest.approx(1, abs=1e-5)
