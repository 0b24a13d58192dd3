"""TransformerLens' attention-only weights as a GPT-2: the same attention and logits."""

from __future__ import annotations

import pytest
import torch
from torch.testing import assert_close

from headroles import weights
from headroles.attention_only import convert
from headroles.errors import UnsupportedModelError
from headroles.models import load_model
from scripts import convert_attention_only
from tests.families import byte_level_tokenizer

LAYERS, HEADS, D, DH, CONTEXT = 2, 4, 32, 8, 64


@pytest.fixture(scope="module")
def state() -> dict[str, torch.Tensor]:
    """Seeded weights in the published form."""
    torch.manual_seed(5)
    vocab = len(byte_level_tokenizer())
    shapes = {"embed.W_E": (vocab, D), "pos_embed.W_pos": (CONTEXT, D), "unembed.W_U": (D, vocab)}
    shapes |= {"unembed.b_U": (vocab,), "ln_final.w": (D,), "ln_final.b": (D,)}
    for n in range(LAYERS):
        at = f"blocks.{n}."
        shapes |= {f"{at}ln1.w": (D,), f"{at}ln1.b": (D,), f"{at}attn.b_O": (D,)}
        shapes |= {f"{at}attn.W_{x}": (HEADS, D, DH) for x in "QKV"}
        shapes |= {f"{at}attn.b_{x}": (HEADS, DH) for x in "QKV"}
        shapes[f"{at}attn.W_O"] = (HEADS, DH, D)
    return {name: 0.25 * torch.randn(shape) for name, shape in shapes.items()}


def by_hand(state, ids: torch.Tensor) -> torch.Tensor:
    """Logits without b_U, from the published weights, head by head."""
    norm = torch.nn.functional.layer_norm
    x = state["embed.W_E"][ids] + state["pos_embed.W_pos"][: len(ids)]
    hidden = torch.full((len(ids), len(ids)), -torch.inf).triu(1)
    for n in range(LAYERS):
        own = {k.removeprefix(f"blocks.{n}."): v for k, v in state.items()}
        read = norm(x, (D,), own["ln1.w"], own["ln1.b"])
        written = own["attn.b_O"].expand_as(x)
        for h in range(HEADS):
            q, k, v = (read @ own[f"attn.W_{s}"][h] + own[f"attn.b_{s}"][h] for s in "QKV")
            pattern = (q @ k.T / DH**0.5 + hidden).softmax(-1)
            written = written + pattern @ v @ own["attn.W_O"][h]
        x = x + written
    return norm(x, (D,), state["ln_final.w"], state["ln_final.b"]) @ state["unembed.W_U"]


def test_the_converted_model_computes_the_same(state) -> None:
    ids = torch.tensor([3, 17, 99, 5, 17])
    found = convert(state)
    assert_close(found.model(ids[None]).logits[0], by_hand(state, ids), atol=1e-4, rtol=1e-4)
    bias = state["unembed.b_U"]
    assert found.bias_left_out == pytest.approx(float((bias - bias.mean()).abs().max()))


def test_the_script_writes_a_folder_that_the_project_loads(state, tmp_path, capsys) -> None:
    torch.save(state, tmp_path / "model.pth")
    byte_level_tokenizer().save_pretrained(tmp_path / "tokenizer")
    out = tmp_path / "attn-only-2l"
    options = ["--weights", str(tmp_path / "model.pth"), "--out", str(out)]
    assert convert_attention_only.main([*options, "--tokenizer", str(tmp_path / "tokenizer")]) == 0
    assert "bias of the logits was left out" in capsys.readouterr().err
    own = weights.layer_weights(load_model(str(out)), 1)
    for name in ("W_Q", "W_K", "W_V", "W_O"):
        assert_close(getattr(own, name), state[f"blocks.1.attn.{name}"])


def test_other_weights_are_refused(state) -> None:
    with pytest.raises(UnsupportedModelError, match=r"no ln_final\.w"):
        convert({name: value for name, value in state.items() if name != "ln_final.w"})
    with pytest.raises(UnsupportedModelError, match="an MLP"):
        convert({**state, "blocks.0.mlp.W_in": torch.zeros(1)})
