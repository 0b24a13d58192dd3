"""What heads write, held against each other: plain hooks, a planted twin, its opposite."""

from __future__ import annotations

import pytest
import torch
from transformers import AutoModelForCausalLM

from headroles.attribution import outputs
from headroles.capture.interventions import output_projections
from headroles.circuits import weights
from headroles.models import load_model
from tests.families import HEADS, LAYERS, save

ROWS = [(0, 9, 8, 7, 9, 8, 7), (0, 5, 6), (0, 11, 12, 13, 14)]


@pytest.mark.parametrize("family", ["gpt2", "llama"])
def test_outputs_are_those_of_plain_hooks(family: str, load_family) -> None:
    loaded = load_family(family)
    found = outputs.outputs(loaded, ROWS)
    assert found.shape[:2] == (len(ROWS), LAYERS * HEADS)
    for place, ids in enumerate(ROWS):
        kept: list[torch.Tensor] = []
        hooks = [
            loaded.model.get_submodule(path).register_forward_pre_hook(
                lambda module, given, kept=kept: kept.append(given[0][0, -1].clone())
            )
            for path in output_projections(loaded)
        ]
        with torch.no_grad():
            loaded.model(torch.tensor(ids)[None], use_cache=False)
        for hook in hooks:
            hook.remove()
        for layer, z in enumerate(kept):
            own = weights.layer_weights(loaded, layer)
            expected = torch.einsum("hd,hdm->hm", z.reshape(HEADS, -1), own.W_O)
            rows = slice(layer * HEADS, (layer + 1) * HEADS)
            torch.testing.assert_close(found[place, rows], expected, rtol=1e-4, atol=1e-5)


def test_the_cosine_by_hand() -> None:
    # [row head d_model]: head 1 is twice head 0, head 2 its opposite plus a constant, head 3 fixed.
    one = torch.tensor([[1.0, 0.0], [0.0, 1.0], [2.0, 2.0]])
    written = torch.stack([one, 2 * one, 5 - one, torch.ones(3, 2)], 1)
    expected = [[1, 1, -1, 0], [1, 1, -1, 0], [-1, -1, 1, 0], [0, 0, 0, 0]]
    torch.testing.assert_close(
        outputs.alike(written), torch.tensor(expected).float(), rtol=0, atol=1e-6
    )


def test_a_planted_twin_and_its_opposite_are_found(model_folders, tmp_path) -> None:
    model = AutoModelForCausalLM.from_pretrained(str(model_folders("gpt2")))
    attention = model.transformer.h[1].attn
    width = attention.c_attn.weight.shape[0]
    size = width // HEADS
    with torch.no_grad():
        for twin in (2, 3):
            for part in range(3):
                there, own = (
                    slice(part * width + head * size, part * width + (head + 1) * size)
                    for head in (twin, 0)
                )
                attention.c_attn.weight[:, there] = attention.c_attn.weight[:, own]
                attention.c_attn.bias[there] = attention.c_attn.bias[own]
            sign = 1 if twin == 2 else -1
            attention.c_proj.weight[twin * size : (twin + 1) * size] = (
                sign * attention.c_proj.weight[:size]
            )
    save(model, tmp_path)
    found = outputs.alike(outputs.outputs(load_model(str(tmp_path)), ROWS))
    row = found[HEADS]
    assert float(row[HEADS + 2]) == pytest.approx(1, abs=1e-4)
    assert float(row[HEADS + 3]) == pytest.approx(-1, abs=1e-4)
    others = [place for place in range(len(row)) if place not in (HEADS, HEADS + 2, HEADS + 3)]
    assert float(row[others].abs().max()) < 0.999
