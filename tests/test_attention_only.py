"""TransformerLens' attention-only weights as a GPT-2: the same attention and logits."""

from __future__ import annotations

import pytest
import torch
from torch.testing import assert_close

from headroles.circuits import weights
from headroles.errors import UnsupportedModelError
from headroles.models import convert, load_model
from scripts import convert_attention_only
from tests.facts import says
from tests.families import byte_level_tokenizer
from tests.published_form import logits_by_hand, published_state


@pytest.fixture(scope="module")
def state() -> dict[str, torch.Tensor]:
    return published_state(len(byte_level_tokenizer()))


def test_the_converted_model_computes_the_same(state) -> None:
    ids = torch.tensor([3, 17, 99, 5, 17])
    found = convert(state)
    assert_close(found.model(ids[None]).logits[0], logits_by_hand(state, ids), atol=1e-4, rtol=1e-4)
    bias = state["unembed.b_U"]
    assert found.bias_left_out == pytest.approx(float((bias - bias.mean()).abs().max()))


def test_the_script_writes_a_folder_that_the_project_loads(state, tmp_path, capsys) -> None:
    torch.save(state, tmp_path / "model.pth")
    byte_level_tokenizer().save_pretrained(tmp_path / "tokenizer")
    out = tmp_path / "attn-only-2l"
    options = ["--weights", str(tmp_path / "model.pth"), "--out", str(out)]
    assert convert_attention_only.main([*options, "--tokenizer", str(tmp_path / "tokenizer")]) == 0
    assert says(capsys.readouterr().err, "bias", "left out")
    own = weights.layer_weights(load_model(str(out)), 1)
    for name in ("W_Q", "W_K", "W_V", "W_O"):
        assert_close(getattr(own, name), state[f"blocks.1.attn.{name}"])


def test_other_weights_are_refused(state) -> None:
    with pytest.raises(UnsupportedModelError, match=r"no ln_final\.w"):
        convert({name: value for name, value in state.items() if name != "ln_final.w"})
    with pytest.raises(UnsupportedModelError, match="an MLP"):
        convert({**state, "blocks.0.mlp.W_in": torch.zeros(1)})


def test_a_norm_without_gain_is_one_with_a_gain_of_one(state) -> None:
    plain = {
        name: torch.ones_like(part) if name.endswith(".w") else torch.zeros_like(part)
        for name, part in state.items()
        if "ln" in name
    }
    bare = {name: part for name, part in state.items() if name not in plain}
    ids = torch.tensor([3, 17, 99])
    found = convert(bare, has_gain=False).model(ids[None]).logits[0]
    assert_close(found, logits_by_hand({**state, **plain}, ids), atol=1e-4, rtol=1e-4)
    with pytest.raises(UnsupportedModelError, match=r"no blocks\.0\.ln1\.w"):
        convert(bare)


def test_weights_that_do_not_fit_together_are_refused(state) -> None:
    with pytest.raises(UnsupportedModelError, match="do not fit together"):
        convert({**state, "unembed.W_U": torch.zeros(3, 5)})
    with pytest.raises(UnsupportedModelError, match="do not fit together"):
        convert({name: part for name, part in state.items() if name != "blocks.1.attn.b_Q"})
