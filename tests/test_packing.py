"""Half the memory, the same patterns."""

from __future__ import annotations

import pickle

import torch

from headroles.capture.packing import pack, unpack


def test_hand_worked() -> None:
    pattern = torch.tensor([[1.0, 0.0, 0.0], [0.25, 0.75, 0.0], [0.5, 0.125, 0.375]])
    kept = pack(pattern)
    assert kept.tolist() == [1.0, 0.25, 0.75, 0.5, 0.125, 0.375]
    assert unpack(kept, 3).equal(pattern)


def test_a_long_prompt_takes_half_once_it_is_written_down() -> None:
    long = torch.rand(12, 12, 300, 300).tril()
    assert len(pickle.dumps(pack(long))) < 0.51 * len(pickle.dumps(long))
