"""Zeroing one head, three ways, on every family: to 1e-5 the same logits at every position.

PyVene with an intervention of its own at the head's pattern and at the input of the output
projection, a hand-written hook on that projection, and, with no hook at all, a copy of the model in
which the head's columns of the projection's weights are zero. What comes out of a head is its
pattern times its values, and the projection adds what its columns make of that, so all of them take
the same thing away (Michel et al. 2019, Are Sixteen Heads Really Better than One?).
"""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable

import pytest
import pyvene
import torch
from torch import Tensor, nn

from headroles.capture import capture
from headroles.models import LoadedModel
from headroles.texts import encode
from tests.families import FAMILIES, HEADS, LAYERS, PROMPT

pytestmark = pytest.mark.filterwarnings("ignore")  # the libraries' own

TOLERANCE = {"rtol": 0, "atol": 1e-5}
PROJECTIONS = ("c_proj", "o_proj", "out_proj", "dense")
ISSUE_FAMILIES = {
    *("gpt2", "gpt_neox", "opt", "llama", "qwen2", "qwen3", "gemma3_text", "phi", "gpt_neo"),
    *("bloom", "mistral"),
}
HEADS_TO_ZERO = list(itertools.product(range(LAYERS), (0, HEADS - 1)))
"""[(layer, head)]: the first and the last head read other keys and values where they are grouped.
A family's local layer is among the two."""


class ZeroPattern(pyvene.ConstantSourceIntervention):
    """Empties one head's pattern; BLOOM gives batch and heads as one dimension."""

    def __init__(self, head: int, **settings: object) -> None:
        super().__init__(**settings, keep_last_dim=True)
        self.head = head

    def forward(self, base: Tensor, source: object = None, subspaces: object = None) -> Tensor:
        changed = base.clone()
        changed.view(-1, HEADS, *base.shape[-2:])[:, self.head] = 0
        return changed


class ZeroInput(pyvene.ConstantSourceIntervention):
    """Empties one head's part of what the output projection is given."""

    def __init__(self, head: int, **settings: object) -> None:
        super().__init__(**settings, keep_last_dim=True)
        self.head = head

    def forward(self, base: Tensor, source: object = None, subspaces: object = None) -> Tensor:
        return _without(base, self.head)


def _without(values: Tensor, head: int) -> Tensor:
    """[batch pos head*dim] with one head's part zero."""
    parts = values.clone().unflatten(-1, (HEADS, -1))
    parts[..., head, :] = 0
    return parts.flatten(-2)


def _projection(loaded: LoadedModel, layer: int) -> str:
    """The path of the layer's output projection, beside its probe."""
    path = loaded.probe_paths[layer].rpartition(".")[0]
    modules = dict(loaded.model.named_modules())
    (name,) = (name for name in PROJECTIONS if f"{path}.{name}" in modules)
    return f"{path}.{name}"


def _with_pyvene(
    loaded: LoadedModel,
    ids: Tensor,
    component: str,
    intervention: object,
    *,
    mode: Callable[[], object] = torch.no_grad,
) -> Tensor:
    config = pyvene.IntervenableConfig(
        [pyvene.RepresentationConfig(component=component, unit="t", intervention=intervention)]
    )
    with loaded.lock, mode():
        around = pyvene.IntervenableModel(config, model=loaded.model)
        _, output = around({"input_ids": ids}, unit_locations=None, use_cache=False)
        return output.logits.clone()


def _with_a_hook(loaded: LoadedModel, ids: Tensor, layer: int, head: int) -> Tensor:
    project = loaded.model.get_submodule(_projection(loaded, layer))
    with (
        project.register_forward_pre_hook(lambda _module, args: (_without(args[0], head),)),
        torch.no_grad(),
    ):
        return loaded.model(ids).logits


def _with_other_weights(loaded: LoadedModel, ids: Tensor, layer: int, head: int) -> Tensor:
    model = copy.deepcopy(loaded.model)
    project = model.get_submodule(_projection(loaded, layer))
    rows = project.weight.data if not isinstance(project, nn.Linear) else project.weight.data.T
    rows.unflatten(0, (HEADS, -1))[head] = 0  # [head dim out]; GPT-2 stores it the other way round
    with torch.no_grad():
        return model(ids).logits


@pytest.fixture(params=FAMILIES)
def loaded(request, load_family) -> LoadedModel:
    return load_family(request.param)


@pytest.fixture
def ids(loaded: LoadedModel) -> Tensor:
    return torch.tensor([encode(loaded.tokenizer, PROMPT).token_ids])


def test_the_families_of_the_course_are_all_tested() -> None:
    assert set(FAMILIES) >= ISSUE_FAMILIES


def test_zeroing_a_head_through_pyvene_equals_a_hook_and_other_weights(loaded, ids) -> None:
    with torch.no_grad():
        untouched = loaded.model(ids).logits
    before = capture(loaded, PROMPT).attention
    for layer, head in HEADS_TO_ZERO:
        by_hook = _with_a_hook(loaded, ids, layer, head)
        at_pattern = _with_pyvene(
            loaded, ids, f"{loaded.probe_paths[layer]}.output", ZeroPattern(head)
        )
        at_projection = _with_pyvene(
            loaded, ids, f"{_projection(loaded, layer)}.input", ZeroInput(head)
        )
        torch.testing.assert_close(at_pattern, by_hook, **TOLERANCE)
        torch.testing.assert_close(at_projection, by_hook, **TOLERANCE)
        by_weights = _with_other_weights(loaded, ids, layer, head)
        torch.testing.assert_close(by_weights, by_hook, **TOLERANCE)
        assert (by_hook - untouched).abs().max() > 1e-3, (layer, head)
    assert torch.equal(capture(loaded, PROMPT).attention, before)  # nothing stays behind


def test_another_head_is_another_result(loaded, ids) -> None:
    """Without this, an index that is ignored or off by a group would pass."""
    logits = [_with_a_hook(loaded, ids, layer, head) for layer in (0, 1) for head in range(HEADS)]
    for one, other in itertools.combinations(logits, 2):
        assert (one - other).abs().max() > 1e-3


@pytest.mark.parametrize("family", ["gpt2", "qwen2", "bloom"])
def test_the_probe_sees_a_change_in_place_in_inference_mode_too(load_family, family) -> None:
    """PyVene writes into the pattern itself, so that its identity says nothing."""
    loaded = load_family(family)
    ids = torch.tensor([encode(loaded.tokenizer, PROMPT).token_ids])
    component = f"{loaded.probe_paths[1]}.output"
    found = _with_pyvene(loaded, ids, component, ZeroPattern(2), mode=torch.inference_mode)
    torch.testing.assert_close(found, _with_a_hook(loaded, ids, 1, 2), **TOLERANCE)
