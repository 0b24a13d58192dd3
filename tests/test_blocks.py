"""Rows that are one row at first give what whole rows give, on every family."""

from __future__ import annotations

import pytest
import torch

from headroles.capture.interventions import run_edited
from headroles.models import LoadedModel, blocks
from tests.families import FAMILIES, LAYERS, PROMPT

pytestmark = pytest.mark.filterwarnings("ignore")  # the libraries' own

WHOLE = {"bloom"}
"""Families whose blocks cannot take more rows midway."""


@pytest.fixture(params=FAMILIES)
def loaded(request, load_family) -> LoadedModel:
    return load_family(request.param)


@pytest.fixture
def rows(loaded: LoadedModel) -> torch.Tensor:
    ids = [loaded.start.token_id, *loaded.tokenizer(PROMPT)["input_ids"]]
    return torch.tensor([ids] * 3)


def _silence(pattern: torch.Tensor) -> torch.Tensor:
    pattern[1, 0], pattern[2, 1] = 0, 0
    return pattern


def test_forked_rows_are_the_rows_run_whole(
    loaded: LoadedModel, rows: torch.Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    last = LAYERS - 1
    forked = run_edited(loaded, rows, patterns={last: _silence}, keep_outputs=[last])
    monkeypatch.setattr(blocks, "_can_fork", lambda *_: False)
    whole = run_edited(loaded, rows, patterns={last: _silence}, keep_outputs=[last])
    torch.testing.assert_close(forked.logits, whole.logits, rtol=0, atol=1e-5)
    torch.testing.assert_close(forked.outputs[last], whole.outputs[last], rtol=0, atol=1e-5)
    assert (forked.logits[0] - forked.logits[1]).abs().max() > 1e-3


def test_most_families_run_one_row_below_the_change(
    request: pytest.FixtureRequest, loaded: LoadedModel, rows: torch.Tensor
) -> None:
    """The first block sees one row of three, but where the model cannot be used so."""
    seen = []
    first = loaded.model.get_submodule(blocks.path_of(loaded.probe_paths[0]))
    run_edited(loaded, rows, patterns={LAYERS - 1: _silence})  # tries what the model can
    with first.register_forward_hook(lambda _m, _given, out: seen.append(out)):
        run_edited(loaded, rows, patterns={LAYERS - 1: _silence})
    (out,) = seen
    family = request.node.callspec.params["loaded"]
    assert len(out[0] if isinstance(out, tuple) else out) == (3 if family in WHOLE else 1)


def test_rows_of_several_prompts_are_run_whole(loaded: LoadedModel, rows: torch.Tensor) -> None:
    rows[2, -1] = rows[2, -2]
    run = run_edited(loaded, rows, patterns={LAYERS - 1: _silence})
    alone = run_edited(loaded, rows[:1], patterns={LAYERS - 1: lambda pattern: pattern})
    torch.testing.assert_close(run.logits[0], alone.logits[0], rtol=0, atol=1e-5)
    assert not torch.equal(run.logits[0, -1], run.logits[2, -1])


def test_a_pass_ends_after_the_last_layer_that_is_kept(
    loaded: LoadedModel, rows: torch.Tensor
) -> None:
    seen = []
    last = loaded.model.get_submodule(blocks.path_of(loaded.probe_paths[LAYERS - 1]))
    with last.register_forward_hook(lambda *_: seen.append("ran")):
        run = run_edited(loaded, rows, keep_outputs=[0], with_logits=False)
    assert run.logits is None
    assert not seen
    whole = run_edited(loaded, rows, keep_outputs=[0])
    torch.testing.assert_close(run.outputs[0], whole.outputs[0], rtol=0, atol=1e-5)
    hooks = (loaded.model.get_submodule(p)._forward_hooks for p in loaded.probe_paths)
    assert not any(hooks)
    assert not last._forward_pre_hooks
