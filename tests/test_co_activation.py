"""Components that are alive together, matrices in blocks: by hand, and against NumPy."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from headroles.ablation.component_activity import ALIVE, activations, alive_together, without_starts
from headroles.circuits import SVD, TRAINED, factors_at, layer_weights
from headroles.circuits.co_activation import co_activation
from headroles.circuits.reconstruction import block_side, blocks, error_of, reconstruction
from headroles.circuits.trained_components import Factors, Gate, projection
from headroles.errors import DecompositionError

#             token 0  1  2  3  4  5
FIRST = torch.tensor([[1, 1, 0], [1, 1, 0], [1, 0, 0], [0, 0, 0], [0, 1, 0], [0, 1, 0]]) > 0
SECOND = torch.tensor([[1, 1], [1, 1], [1, 0], [0, 1], [0, 0], [0, 1]]) > 0


def test_counts_phi_and_jaccard_by_hand():
    found = co_activation(FIRST, SECOND)
    assert found.tokens == 6
    assert found.first.tolist() == [3, 4, 0]
    assert found.second.tolist() == [3, 4]
    assert found.both.tolist() == [[3, 2], [2, 3], [0, 0]]
    # (6 * 3 - 9) / sqrt(3 * 3 * 3 * 3) = 1;  (6 * 2 - 12) = 0;  (6 * 3 - 16) / sqrt(4 * 2 * 4 * 2)
    expected = [[1.0, 0.0], [0.0, 0.25], [0.0, 0.0]]
    assert found.phi.tolist() == [pytest.approx(row) for row in expected]
    jaccard = [[1.0, 0.4], [0.4, 0.6], [0.0, 0.0]]  # 3 of 3, 2 of 5; 2 of 5, 3 of 5
    assert found.jaccard.tolist() == [pytest.approx(row) for row in jaccard]


def test_phi_is_the_correlation_of_numpy():
    draw = torch.Generator().manual_seed(0)
    first = torch.rand(50, 4, generator=draw) > 0.6
    second = torch.rand(50, 3, generator=draw) > 0.3
    found = co_activation(first, second).phi
    expected = np.corrcoef(first.numpy().T * 1.0, second.numpy().T * 1.0)[:4, 4:]
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-6)


def test_the_closest_couples_come_first_and_those_that_never_meet_not_at_all():
    assert co_activation(FIRST, SECOND).coupled(2) == ([0, 1], [0, 1])
    assert co_activation(FIRST, SECOND).coupled(1) == ([0], [0])
    assert co_activation(FIRST[3:4], SECOND[3:4]).coupled(3) == ([], [])


def test_components_are_alive_where_their_importance_is(load_family):
    loaded, ids = load_family("llama"), (0, 5, 9, 5, 7)
    places = [(1, "k"), (1, "v")]
    gate_of = lambda n: Gate(*(torch.full((n, 1), w) for w in (3.0, 0.1, 0.5)), torch.zeros(n))  # noqa: E731
    loaded.tools["components-trained"] = {
        place: Factors((own := factors_at(loaded, SVD, place)).U, own.V, gate_of(len(own.U)))
        for place in places
    }
    texts = list(activations(loaded, TRAINED, places, [ids]))
    found = alive_together(loaded, TRAINED, *places, texts)
    del loaded.tools["components-trained"]
    k, v = (without_starts(texts, place) for place in places)
    alive = [torch.nn.functional.gelu(3 * a + 0.1) * 0.5 > ALIVE for a in (k, v)]
    assert 0 < int(alive[0].sum()) < alive[0].numel()
    for c in range(k.shape[1]):
        for d in range(v.shape[1]):
            assert found.both[c, d] == sum(
                bool(alive[0][t, c]) and bool(alive[1][t, d]) for t in range(4)
            )
    with pytest.raises(DecompositionError, match="no importances"):
        alive_together(loaded, SVD, *places, list(activations(loaded, SVD, places, [ids])))


# ------------------------------------------------------------------ matrices in blocks


def test_blocks_by_hand():
    matrix = torch.tensor([[3.0, 4.0, 1.0], [0.0, 0.0, 1.0], [2.0, 2.0, -5.0]])
    assert blocks(matrix, 2).tolist() == [[2.5, 1.0], [2.0, 5.0]]  # the edges are smaller
    assert blocks(matrix, 1).tolist() == matrix.tolist()  # with their signs


def test_blocks_keep_the_sum_of_squares_and_lie_in_one_head():
    matrix = torch.randn(48, 96, generator=torch.Generator().manual_seed(1))
    found = blocks(matrix, 3)
    assert float(9 * found.square().sum()) == pytest.approx(float(matrix.square().sum()), rel=1e-5)
    assert float(found[2, 5]) == pytest.approx(float(matrix[6:9, 15:18].square().mean().sqrt()))
    assert [block_side((128, 128), 16), block_side((576, 192), 64)] == [4, 16]
    assert block_side((32, 32), 8) == 1
    assert block_side((90, 90), 2) == 3  # no divisor is large enough


@pytest.mark.parametrize("name", "qkvo")
def test_a_reconstruction_says_what_is_missing(name, load_family):
    loaded, place = load_family("llama"), (1, name)
    W, svd = projection(layer_weights(loaded, 1), name), factors_at(loaded, SVD, place)
    assert error_of(loaded, SVD, place) == (len(svd.U), pytest.approx(0, abs=1e-5))
    loaded.tools["components-trained"] = {place: Factors(svd.U[1:], svd.V[1:])}
    found = reconstruction(loaded, TRAINED, place)
    del loaded.tools["components-trained"]
    first = torch.outer(svd.U[0], svd.V[0])
    assert found.error == pytest.approx(float(first.norm() / W.norm()), rel=1e-4)
    torch.testing.assert_close(found.target, blocks(W, found.side))
    torch.testing.assert_close(found.difference, blocks(-first, found.side), atol=1e-5, rtol=1e-4)
    whole, missing = torch.tensor(found.by_head).square().sum(0).tolist()
    assert whole == pytest.approx(float(W.square().sum()), rel=1e-4)
    assert missing == pytest.approx(float(first.square().sum()), rel=1e-4)
    heads = first.unflatten(0 if name == "o" else 1, (found.heads, -1))
    second = heads[1] if name == "o" else heads[:, 1]
    assert found.by_head[1][1] == pytest.approx(float(second.norm()), rel=1e-4)
    own = layer_weights(loaded, 1)
    assert found.heads == len(own.W_K if name in "kv" else own.W_Q)
