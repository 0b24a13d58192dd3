"""The previous-token test: by hand, with plain hooks, and on the bundled model's own head."""

from __future__ import annotations

import math

import pytest
import torch

from headroles.ablation.offset_test import (
    Measured,
    Sample,
    draw_samples,
    measure,
    other_heads,
    profile,
)
from headroles.errors import AnalysisError
from headroles.models import load_model
from headroles.texts import SENTENCES, encode
from headroles.types import Head
from tests.families import HEADS, PROMPT

pytestmark = pytest.mark.filterwarnings("ignore")  # the libraries' own


def _measured(with_head, without, others=()) -> Measured:
    width = len(with_head)
    return Measured(
        torch.tensor(with_head, dtype=torch.float64),
        torch.tensor(without, dtype=torch.float64),
        torch.tensor(others, dtype=torch.float64).reshape(-1, width),
    )


def test_a_profile_by_hand() -> None:
    found = profile(
        [
            _measured([1.0, 0.2], [0.2, 0.2], [[0.9, 0.1]]),
            _measured([3.0, 0.4], [0.6, 0.2], [[3, 0]]),
        ]
    )
    first, second = found.points
    assert (found.n, found.peak) == (2, 1)
    assert (first.with_head, first.without_head) == (2.0, 0.4)
    assert first.carried == pytest.approx(1.6)  # (0.8 + 2.4) / 2
    assert first.carried_error == pytest.approx(0.8)  # 1.1314 / sqrt 2
    assert first.other == pytest.approx(0.05)
    assert second.carried == pytest.approx(0.1)
    assert found.redundancy == pytest.approx(1 - 0.8 / 4)
    assert found.redundancy_error == pytest.approx(0.0, abs=1e-12)  # .8 with either left out
    assert found.other_redundancy == pytest.approx(1 - 3.9 / 4)


def test_the_jackknife_by_hand() -> None:
    found = profile([_measured([1.0], [0.0]), _measured([1.0], [1.0])])
    assert found.redundancy == pytest.approx(0.5)
    # left out: 0 and 1, mean .5; sqrt((.25 + .25) * 1/2) = .5
    assert found.redundancy_error == pytest.approx(0.5)
    assert found.points[0].other is None
    assert found.other_redundancy is None


def test_one_sample_has_no_error_and_none_is_refused() -> None:
    assert math.isnan(profile([_measured([1.0], [0.5])]).redundancy_error)
    with pytest.raises(AnalysisError):
        profile([])


@pytest.mark.parametrize("family", ["gpt2", "llama"])
def test_one_sample_equals_plain_hooks(load_family, family: str) -> None:
    loaded = load_family(family)
    ids = encode(loaded.tokenizer, PROMPT).token_ids[:14]
    found = measure(loaded, Sample(ids), Head(0, 1), offsets=3, others=[Head(0, 3)])
    probe = loaded.model.get_submodule(loaded.probe_paths[0])

    def logs(head: int | None, offset: int | None) -> torch.Tensor:
        def change(_module, _args, pattern):
            pattern = pattern.clone()  # [batch head query key]
            if head is not None:
                pattern[:, head, -1] = 0
            if offset is not None:
                pattern[:, :, -1, -1 - offset] = 0
            return pattern

        with torch.no_grad(), probe.register_forward_hook(change):
            return loaded.model(torch.tensor([ids])).logits[0, -1].double().log_softmax(-1)

    for head, row in (
        (None, found.with_head),
        (1, found.without_head),
        (3, found.without_other[0]),
    ):
        before = logs(head, None)
        for offset in (1, 2, 3):
            after = logs(head, offset)
            shift = (before.exp() * (before - after)).sum().item()
            assert row[offset - 1].item() == pytest.approx(shift, abs=1e-5)


def test_samples_have_room_and_differ(load_family) -> None:
    loaded = load_family("gpt2")
    texts = [PROMPT, "The cat sat."]
    samples = draw_samples(loaded, texts, n=5, offsets=4)
    assert len(set(samples)) == 5
    assert samples == draw_samples(loaded, texts, n=5, offsets=4)
    assert all(len(sample.token_ids) >= 4 + 2 for sample in samples)
    with pytest.raises(AnalysisError):
        draw_samples(loaded, ["The cat"], n=1, offsets=9)


def test_the_control_is_of_the_same_layer() -> None:
    others = other_heads(Head(1, 2), num_heads=HEADS, most=9)
    assert others == (Head(1, 0), Head(1, 1), Head(1, 3))


def test_the_bundled_previous_token_head_peaks_at_one() -> None:
    loaded = load_model("demo")
    samples = draw_samples(loaded, SENTENCES, n=32, offsets=4)
    others = other_heads(Head(0, 6), num_heads=8, most=3)
    found = profile([measure(loaded, s, Head(0, 6), offsets=4, others=others) for s in samples])
    assert found.peak == 1
    assert found.points[0].carried > 2 * found.points[0].carried_error
    assert found.redundancy > 0.5 > found.other_redundancy
