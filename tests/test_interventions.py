"""A change through PyVene equals the same change by a hand-written hook, on every layout."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from headroles.capture import capture
from headroles.capture.interventions import output_projections, run_edited
from headroles.errors import ModelRunError, UnsupportedModelError
from headroles.models import LoadedModel
from tests.families import HEADS, LAYERS, LAYOUTS, PROMPT

pytestmark = pytest.mark.filterwarnings("ignore")  # the libraries' own

TOLERANCE = {"rtol": 0, "atol": 1e-5}


@pytest.fixture(params=LAYOUTS)
def loaded(request, load_family) -> LoadedModel:
    return load_family(request.param)


@pytest.fixture
def ids(loaded: LoadedModel) -> torch.Tensor:
    return torch.tensor([loaded.start.token_id, *loaded.tokenizer(PROMPT)["input_ids"]])[None]


def _by_hook(loaded: LoadedModel, ids: torch.Tensor, layer: int, head: int, fill: float):
    """Logits with one head's slice of the projection's input replaced, without PyVene.

    The projection is named by hand here, so that finding it by structure is tested as well.
    """
    attention = loaded.model.get_submodule(loaded.probe_paths[layer].rpartition(".")[0])
    names = ("c_proj", "o_proj", "out_proj", "dense")
    (project,) = (getattr(attention, name) for name in names if hasattr(attention, name))

    def replace(_module: nn.Module, args: tuple[torch.Tensor]) -> tuple[torch.Tensor]:
        parts = args[0].clone().unflatten(-1, (HEADS, -1))  # [batch query head dim]
        parts[:, :, head] = fill
        return (parts.flatten(-2),)

    with torch.no_grad(), project.register_forward_pre_hook(replace):
        return loaded.model(ids).logits


def test_an_output_can_be_replaced(loaded: LoadedModel, ids: torch.Tensor) -> None:
    def fill(z: torch.Tensor) -> torch.Tensor:
        z[:, :, 1] = 0.5
        return z

    run = run_edited(loaded, ids, outputs={1: fill})
    torch.testing.assert_close(run.logits, _by_hook(loaded, ids, 1, 1, 0.5), **TOLERANCE)


def test_rows_do_not_touch_each_other_and_padding_changes_nothing(
    loaded: LoadedModel, ids: torch.Tensor
) -> None:
    """Three conditions in one pass are the three passes, the last row being shorter."""
    short = ids[:, :9]
    rows = torch.zeros(3, ids.shape[1], dtype=torch.long)
    rows[:2], rows[2, :9] = ids, short

    def silence_second(pattern: torch.Tensor) -> torch.Tensor:
        pattern[1, 0] = 0
        return pattern

    run = run_edited(loaded, rows, patterns={0: silence_second})
    torch.testing.assert_close(run.logits[0], run_edited(loaded, ids).logits[0], **TOLERANCE)
    torch.testing.assert_close(run.logits[1], _by_hook(loaded, ids, 0, 0, 0.0)[0], **TOLERANCE)
    torch.testing.assert_close(run.logits[2, :9], run_edited(loaded, short).logits[0], **TOLERANCE)


def test_what_is_kept_is_what_was_used(loaded: LoadedModel, ids: torch.Tensor) -> None:
    def even(pattern: torch.Tensor) -> torch.Tensor:
        pattern[:, 0] = torch.ones_like(pattern[:, 0]).tril() / 7
        return pattern

    run = run_edited(loaded, ids, patterns={0: even}, keep_patterns=range(LAYERS), keep_outputs=[1])
    assert set(run.patterns) == set(range(LAYERS))
    assert run.patterns[0][0, 0, 3, :4].tolist() == pytest.approx([1 / 7] * 4)
    own = capture(loaded, PROMPT).attention
    torch.testing.assert_close(run.patterns[0][0, 1:], own[0, 1:], **TOLERANCE)
    assert run.outputs[1].shape[:3] == (1, ids.shape[1], HEADS)


def test_nothing_is_left_behind(loaded: LoadedModel, ids: torch.Tensor) -> None:
    before = capture(loaded, PROMPT)
    run_edited(loaded, ids, patterns={0: torch.zeros_like}, outputs={1: torch.zeros_like})
    again = capture(loaded, PROMPT)
    assert torch.equal(before.attention, again.attention)
    assert before.next_tokens == again.next_tokens
    assert not any(module._forward_hooks for module in loaded.model.modules())
    assert not any(getattr(module, "edited", False) for module in loaded.model.modules())


def test_hooks_of_others_stay_and_own_ones_go(load_family) -> None:
    """PyVene by itself removes every forward hook of the model, whoever set it."""
    loaded, seen = load_family("gpt2"), []
    module = loaded.model.get_submodule(loaded.probe_paths[0])
    with module.register_forward_hook(lambda *_: seen.append("hook")):
        capture(loaded, PROMPT)
        run_edited(loaded, torch.tensor([[0, 5]]), patterns={0: torch.zeros_like})
        with pytest.raises(ModelRunError, match="division by zero"):
            run_edited(loaded, torch.tensor([[0, 5]]), patterns={1: lambda _: 1 / 0})
        capture(loaded, PROMPT)
    assert seen == ["hook"] * 4
    assert not any(module._forward_hooks for module in loaded.model.modules())


def test_an_edit_that_fails_leaves_the_model_as_it_was(load_family) -> None:
    loaded = load_family("gpt2")
    before = capture(loaded, PROMPT).next_tokens
    with pytest.raises(ModelRunError, match="division by zero"):
        run_edited(loaded, torch.tensor([[0, 5]]), patterns={0: lambda _: 1 / 0})
    assert capture(loaded, PROMPT).next_tokens == before


def test_the_last_logits_alone_are_the_last_of_all(loaded: LoadedModel, ids: torch.Tensor) -> None:
    last = run_edited(loaded, ids, patterns={0: torch.zeros_like}, last_only=True).logits
    every = run_edited(loaded, ids, patterns={0: torch.zeros_like}).logits
    assert last.shape[1] == 1
    torch.testing.assert_close(last[:, 0], every[:, -1], **TOLERANCE)


def test_a_model_whose_heads_cannot_be_told_apart_is_refused(model_folders) -> None:
    """A module that mixes the heads before the projection must not pass for one head's output."""
    from headroles.models.loading import load_model

    loaded = load_model(str(model_folders("llama")))
    attention = loaded.model.model.layers[1].self_attn

    class Mixed(nn.Module):
        def __init__(self, inner: nn.Linear) -> None:
            super().__init__()
            self.inner = inner

        def forward(self, z: torch.Tensor) -> torch.Tensor:
            return self.inner(z.roll(1, -1))

    attention.o_proj = Mixed(attention.o_proj)
    with pytest.raises(UnsupportedModelError, match="layer 1"):
        output_projections(loaded)
    assert run_edited(loaded, torch.tensor([[0, 5]])).logits.shape[:2] == (1, 2)  # still runs
