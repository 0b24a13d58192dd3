"""Scores of attention made by hand."""

import math

import pytest
import torch

from headroles.roles import ROLES, Prompts, earlier_copies
from headroles.training.monitor import repeated_sequences, sequence_scores

IDS = torch.tensor([0, 5, 6, 5, 6, 5])  # BOS a b a b a


def after_copies(ids: torch.Tensor) -> torch.Tensor:
    return ROLES["induction"].cells(Prompts.of_ids(ids))[0]


def as_heads(pattern: torch.Tensor) -> torch.Tensor:
    return pattern[None, None]  # one layer, one head


def test_targets_worked_out_by_hand():
    copies = [(q, k) for q, k in earlier_copies(IDS).nonzero().tolist()]
    assert copies == [(3, 1), (4, 2), (5, 1), (5, 3)]
    after = [(q, k) for q, k in after_copies(IDS).nonzero().tolist()]
    assert after == [(5, 2)]  # the token just before cannot tell


def test_an_immediate_copy_is_no_induction_target():
    """After "a a" the follower of the first a is the query itself."""
    assert not after_copies(torch.tensor([0, 5, 5])).any()


def test_a_resting_head():
    rest = torch.zeros(6, 6)
    rest[:, 0] = 1
    scores = sequence_scores(as_heads(rest), IDS)
    assert scores["positional"].item() == 1
    for role in ("previous_token", "duplicate_token", "induction", "diffuse"):
        assert scores[role].item() == 0


def test_a_perfect_induction_head_splits_its_attention_and_still_scores_one():
    pattern = torch.zeros(6, 6)
    pattern[0, 0] = pattern[1, 0] = pattern[2, 0] = 1
    pattern[3, 2] = pattern[4, 3] = 1
    pattern[5, 2] = pattern[5, 4] = 0.5  # half of it just before, where it cannot be told
    assert sequence_scores(as_heads(pattern), IDS)["induction"].item() == 1


def test_an_even_head():
    even = torch.tril(torch.ones(6, 6)) / torch.arange(1, 7)[:, None]
    scores = sequence_scores(as_heads(even), IDS)
    assert scores["diffuse"].item() == pytest.approx(1, abs=1e-6)
    assert scores["previous_token"].item() == pytest.approx((1 / 3 + 1 / 4 + 1 / 5 + 1 / 6) / 4)
    assert scores["positional"].item() == pytest.approx(sum(1 / n for n in range(2, 7)) / 5)
    assert scores["duplicate_token"].item() == pytest.approx(
        (1 / 4 + 1 / 5 + 2 / 6) / (3 / 4 + 4 / 5 + 5 / 6)  # of what does not rest
    )


def test_entropy_is_relative_to_what_the_row_could_have():
    pattern = torch.tensor([[1.0, 0, 0], [0.5, 0.5, 0], [0.5, 0.5, 0]])
    score = sequence_scores(as_heads(pattern), torch.tensor([0, 1, 2]))["diffuse"].item()
    assert score == pytest.approx((1 + math.log(2) / math.log(3)) / 2)


def test_repeated_sequences_vary_and_repeat():
    sequences = repeated_sequences(50, 1000, 0)
    assert sequences == repeated_sequences(50, 1000, 0)
    sizes = set()
    for ids in sequences:
        assert ids[0] == 0
        copies = sum(ids.count(token) == 2 for token in set(ids))
        assert ids[1 : 1 + copies] == ids[-copies:]
        assert 10 <= copies <= 40
        sizes.add(copies)
    assert len(sizes) > 15
