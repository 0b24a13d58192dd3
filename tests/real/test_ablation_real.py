"""Knock-outs of a real model: what is shared between rows and passes changes no number."""

from __future__ import annotations

import pytest
import torch

from headroles import ablation
from headroles.ablation.conditions import Condition, HeadOutput, Pattern
from headroles.ablation.run import head_means
from headroles.capture import run_edited
from headroles.models import LoadedModel, blocks
from headroles.texts import SENTENCES, encode
from headroles.types import Head

pytestmark = pytest.mark.real

CONDITIONS = [
    Condition("zero", (HeadOutput((Head(17, 4), Head(18, 6))),)),
    Condition("mean", (HeadOutput((Head(17, 4),), "mean"),)),
    Condition("even", (Pattern((Head(23, 0),), "uniform"),)),
]


def test_one_row_below_the_first_change_gives_the_numbers_of_whole_rows(real, monkeypatch) -> None:
    encoding = encode(real.tokenizer, "The cat sat on the mat. The cat sat on the")
    forked = ablation.ablate(real, encoding, CONDITIONS)
    monkeypatch.setattr(blocks, "_can_fork", lambda *_: False)
    whole = ablation.ablate(real, encoding, CONDITIONS)
    for one, other in zip(forked, whole, strict=True):
        torch.testing.assert_close(
            one.logits.log_softmax(-1), other.logits.log_softmax(-1), atol=2e-4, rtol=0
        )
        torch.testing.assert_close(one.losses, other.losses, atol=1e-4, rtol=0)


def test_blocks_below_the_first_change_see_one_row(real: LoadedModel) -> None:
    seen = {}
    ids = torch.arange(6).expand(5, -1)
    run_edited(real, ids, patterns={17: lambda pattern: pattern})  # tries what the model can
    hooks = [
        real.model.get_submodule(blocks.path_of(real.probe_paths[layer])).register_forward_hook(
            lambda _m, _given, out, layer=layer: seen.update({layer: len(out)})
        )
        for layer in (16, 17)
    ]
    try:
        run_edited(real, ids, patterns={17: lambda pattern: pattern})
    finally:
        for hook in hooks:
            hook.remove()
    assert seen == {16: 1, 17: 5}


def test_means_of_a_few_passes_are_those_of_one_text_each(real: LoadedModel) -> None:
    texts, total, count = SENTENCES[:5], 0, 0
    for text in texts:
        ids = torch.tensor([encode(real.tokenizer, text).token_ids])
        run = run_edited(real, ids, keep_outputs=range(real.num_layers))
        z = torch.stack([run.outputs[layer][0, 1:] for layer in range(real.num_layers)])
        total, count = total + z.double().sum(1), count + z.shape[1]
    means = head_means(real, texts)
    assert (means.texts, means.positions) == (5, count)
    torch.testing.assert_close(means.z, (total / count).float(), atol=1e-5, rtol=1e-4)
