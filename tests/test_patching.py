"""Patching: by hand, against plain hooks on every family, and identities that hold exactly."""

from __future__ import annotations

import pytest
import torch

from headroles.ablation import patching
from headroles.ablation.pairs import Pair
from headroles.capture.interventions import output_projections
from headroles.models import LoadedModel
from headroles.texts import encode, token_texts
from tests.families import FAMILIES, HEADS, LAYERS

pytestmark = pytest.mark.filterwarnings("ignore")  # the libraries' own

TOLERANCE = {"rtol": 0, "atol": 2e-5}
FIRST = "the code is 7391. the code is 73 7"
SECOND = "the code is 7281. the code is 72 7"
DIRECTIONS = ("denoise", "noise")
TREE = "The small bird sang in the tree. The small bird sang in the"
BOX = "The small bird sang in the box. The small bird sang in the"


@pytest.fixture(params=FAMILIES)
def loaded(request, load_family) -> LoadedModel:
    return load_family(request.param)


@pytest.fixture
def pair(loaded: LoadedModel) -> Pair:
    return _pair_of(loaded)


def _pair_of(loaded: LoadedModel) -> Pair:
    """Two prompts of a random model, and the two tokens that tell them best apart."""
    first, second = (encode(loaded.tokenizer, text) for text in (FIRST, SECOND))
    rows = torch.tensor([first.token_ids, second.token_ids])
    with torch.no_grad():
        logits = loaded.model(rows, use_cache=False).logits[:, -1].double()
    change = logits[0] - logits[1]
    answer, against = int(change.argmax()), int(change.argmin())
    texts = token_texts(loaded.tokenizer, [answer, against])
    apart = (logits[:, answer] - logits[:, against]).tolist()
    differ = (rows[0] != rows[1]).nonzero().flatten().tolist()
    return Pair(first, second, tuple(differ), answer, texts[0], against, texts[1], *apart)


def _by_hooks(loaded: LoadedModel, pair: Pair, direction: str, places) -> float:
    """The logit difference with {layer: [(head, position)]} of the other prompt, by plain hooks."""
    taken, run = pair.first.token_ids, pair.second.token_ids
    if direction == "noise":
        taken, run = run, taken
    projections = output_projections(loaded)
    kept: dict[int, torch.Tensor] = {}

    def keep(layer):
        return lambda _module, args: kept.update({layer: args[0].detach().clone()})

    def put(layer):
        def hook(_module, args):
            z, source = (one.clone().unflatten(-1, (HEADS, -1)) for one in (args[0], kept[layer]))
            for head, position in places[layer]:
                z[..., position, head, :] = source[..., position, head, :]
            return (z.flatten(-2),)

        return hook

    for ids, hook in ((taken, keep), (run, put)):
        handles = [
            loaded.model.get_submodule(projections[layer]).register_forward_pre_hook(hook(layer))
            for layer in places
        ]
        with torch.no_grad():
            logits = loaded.model(torch.tensor([ids]), use_cache=False).logits[0, -1].double()
        for handle in handles:
            handle.remove()
    return float(logits[pair.answer_id] - logits[pair.against_id])


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_heads_at_all_positions_equal_hand_written_hooks(loaded, pair, direction) -> None:
    found = patching.patch_heads(loaded, pair, direction=direction)
    every = range(pair.length)
    wanted = [
        [_by_hooks(loaded, pair, direction, {layer: [(head, at) for at in every]})
         for head in range(HEADS)]
        for layer in range(LAYERS)
    ]  # fmt: skip
    torch.testing.assert_close(found.differences, torch.tensor(wanted).double(), **TOLERANCE)
    assert found.share.abs().max() > 0.01
