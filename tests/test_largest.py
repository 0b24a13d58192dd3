"""The mean largest weight of a row, by hand and against a loop."""

from __future__ import annotations

import pytest
import torch

from headroles.scoring import even_largest, every_largest, mean_entropy, mean_largest
from headroles.scoring.activation import MIN_WORK


def causal(length: int, *, seed: int = 0, heads: int = 2) -> torch.Tensor:
    """[head query key] random causal attention."""
    scores = torch.randn(heads, length, length, generator=torch.Generator().manual_seed(seed))
    hidden = torch.ones(length, length).triu(1).bool()
    return scores.masked_fill(hidden, -torch.inf).softmax(-1)


def test_by_hand() -> None:
    attention = torch.tensor([[1.0, 0.0, 0.0], [0.25, 0.75, 0.0], [0.2, 0.3, 0.5]])
    assert float(mean_largest(attention)) == pytest.approx((0.75 + 0.5) / 2)
    assert even_largest(3) == pytest.approx((1 / 2 + 1 / 3) / 2)


def test_it_tells_an_even_spread_from_two_peaks_of_the_same_evenness() -> None:
    """Both rows have the entropy of an even spread over two of their four keys: ln 2 nats."""
    even_over_two = torch.tensor([0.5, 0.5, 0.0, 0.0])
    # p, and the rest evenly on three keys, with the same entropy: found by bisection.
    low, high = 0.7, 0.9
    for _ in range(60):
        p = (low + high) / 2
        rest = torch.full((3,), (1 - p) / 3, dtype=torch.float64)
        entropy = float(-(p * torch.log(torch.tensor(p)) + (rest * rest.log()).sum()))
        low, high = (p, high) if entropy > float(torch.tensor(2.0).log()) else (low, p)
    one_peak = torch.tensor([p, *[(1 - p) / 3] * 3])

    def pattern(row: torch.Tensor) -> torch.Tensor:
        return torch.stack([torch.eye(4)[0], torch.eye(4)[1], torch.eye(4)[2], row])

    evenness = [float(mean_entropy(pattern(row).unsqueeze(0))) for row in (even_over_two, one_peak)]
    assert evenness[0] == pytest.approx(evenness[1], abs=1e-5)
    largest = [float(mean_largest(pattern(row))) for row in (even_over_two, one_peak)]
    assert largest == pytest.approx([(1 + 1 + 0.5) / 3, (1 + 1 + p) / 3])
    assert largest[1] - largest[0] > 0.09


@pytest.mark.parametrize("length", [2, 5, 9])
def test_against_a_loop(length: int) -> None:
    attention = causal(length)
    for head in range(2):
        rows = [max(attention[head, q, : q + 1].tolist()) for q in range(1, length)]
        assert float(mean_largest(attention)[head]) == pytest.approx(sum(rows) / len(rows))


def test_one_token_has_no_choice() -> None:
    assert mean_largest(torch.ones(3, 1, 1)).tolist() == [0, 0, 0]
    assert even_largest(1) == 0


def test_rows_that_see_one_key_only_do_not_count() -> None:
    """A window of one token: every row sees itself; of two: rows from 1 on have a choice."""
    window = torch.ones(4, 4).tril().triu(-1).bool()
    attention = torch.eye(4)
    attention[3] = torch.tensor([0.0, 0.0, 0.5, 0.5])
    assert float(mean_largest(attention, window)) == pytest.approx((1 + 1 + 0.5) / 3)
    assert even_largest(4, window) == pytest.approx(1 / 2)
    alone = torch.eye(4).bool()
    assert float(mean_largest(torch.eye(4), alone)) == 0


def test_a_learned_sink_makes_no_row_sharper_or_flatter() -> None:
    attention = torch.tensor([[0.5, 0.0], [0.1, 0.3]])
    assert float(mean_largest(attention)) == pytest.approx(0.3 / 0.4)
    crumbs = torch.tensor([[0.5, 0.0], [0.0, 0.001]])
    assert float(mean_largest(crumbs)) == pytest.approx(0.001 / MIN_WORK)


def test_every_layer_by_what_it_sees() -> None:
    attention = torch.stack([causal(5, seed=1), causal(5, seed=2)])
    window = torch.ones(5, 5).tril().triu(-1).bool()
    both = every_largest(attention, (None, window))
    assert torch.equal(both[0], mean_largest(attention[0]))
    assert torch.equal(both[1], mean_largest(attention[1], window))
    assert torch.equal(every_largest(attention)[1], mean_largest(attention[1]))
