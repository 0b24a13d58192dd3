"""Half the memory, the same patterns."""

from __future__ import annotations

import pickle

import pytest
import torch

from headroles.capture import capture
from headroles.capture.packing import pack, unpack
from headroles.models import load_model
from tests.families import FAMILIES, save_family


def test_hand_worked() -> None:
    pattern = torch.tensor([[1.0, 0.0, 0.0], [0.25, 0.75, 0.0], [0.5, 0.125, 0.375]])
    kept = pack(pattern)
    assert kept.tolist() == [1.0, 0.25, 0.75, 0.5, 0.125, 0.375]
    assert unpack(kept, 3).equal(pattern)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_model_of_every_family_has_nothing_to_lose(family: str, tmp_path) -> None:
    """Masks, sliding windows and ALiBi included: what is left out is exactly zero."""
    save_family(family, tmp_path)
    run = capture(load_model(str(tmp_path)), "The cat sat. The cat sat. A dog.")
    length = len(run.token_ids)
    kept = pack(run.attention)
    assert kept.shape == (*run.attention.shape[:2], length * (length + 1) // 2)
    assert unpack(kept, length).equal(run.attention)


def test_a_long_prompt_takes_half_once_it_is_written_down() -> None:
    long = torch.rand(12, 12, 300, 300).tril()
    assert len(pickle.dumps(pack(long))) < 0.51 * len(pickle.dumps(long))
