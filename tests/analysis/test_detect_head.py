"""``mul`` and ``abs`` are TransformerLens' own, flag by flag, on one prompt and on lists."""

from __future__ import annotations

import itertools

import pytest
import torch
from transformer_lens.head_detector import detect_head

from headroles.analysis import load_bridge
from headroles.detector import detect
from headroles.models import load_model
from headroles.roles import ROLES, patterns, prompts_of_ids
from headroles.texts import pack
from headroles.types import Head

FLAGS = list(itertools.product(("mul", "abs"), (False, True), (False, True)))
TEXTS = [
    "The cat sat on the mat. The cat slept, and the dog saw the cat.",
    "One two three four, one two three four.",
    "The dog sat.",
]
NAMES = ("previous_token_head", "duplicate_token_head", "induction_head")


@pytest.fixture(scope="module", params=["gpt2", "gpt_neox", "llama"])
def both(request, model_folders):
    """The same model in TransformerLens and here, and the prompts as the former tokenises them."""
    folder = str(model_folders(request.param))
    bridge, loaded = load_bridge(folder), load_model(folder)
    ids = [bridge.to_tokens(text)[0].tolist() for text in TEXTS]
    return bridge, loaded, prompts_of_ids(loaded.tokenizer, pack(ids))


@pytest.mark.parametrize(("measure", "bos", "current"), FLAGS)
def test_a_list_of_prompts(both, measure: str, bos: bool, current: bool) -> None:
    bridge, loaded, prompts = both
    flags = {"exclude_bos": bos, "exclude_current_token": current}
    found = detect(loaded, prompts, [ROLES[name] for name in NAMES], **flags)
    for place, name in enumerate(NAMES):
        theirs = detect_head(bridge, TEXTS, name, error_measure=measure, **flags).float()
        assert not theirs.isnan().any()
        torch.testing.assert_close(found.summary(place, measure).mean, theirs, atol=1e-5, rtol=0)


@pytest.mark.parametrize(("measure", "bos", "current"), FLAGS)
def test_a_pattern_of_numbers_and_a_subset_of_heads(
    both, measure: str, bos: bool, current: bool
) -> None:
    bridge, loaded, prompts = both
    one = prompts.some(torch.tensor([1]))
    length = int(one.sequences.lengths[0])
    torch.manual_seed(1)
    painted = torch.rand(length, length).mul(4).round().div(4).tril()
    heads = [Head(0, 1), Head(1, 3)]
    flags = {"exclude_bos": bos, "exclude_current_token": current}
    found = detect(loaded, one, [patterns.of_matrix(painted.tolist())], heads=heads, **flags)
    theirs = detect_head(
        bridge,
        TEXTS[1],
        painted,
        heads=[tuple(head) for head in heads],
        error_measure=measure,
        **flags,
    ).float()
    own = found.summary(0, measure).mean
    for head in heads:
        assert float(own[head]) == pytest.approx(float(theirs[head]), abs=1e-5)
    assert int(own.isnan().sum()) == own.numel() - 2  # not asked is no number, and never -1
    assert int((theirs == -1).sum()) == own.numel() - 2
