"""Each token after the first block: the model's own block against formulas and TransformerLens."""

from __future__ import annotations

import pytest
import torch
from torch.testing import assert_close

from headroles.analysis.bridge import load_bridge
from headroles.analysis.direct_effect_roles import effective_embeddings
from headroles.circuits import CircuitSettings, effective, qk_ov, summary, weights
from headroles.models import load_model
from headroles.types import Head
from tests.families import FAMILIES

SOME = torch.tensor([0, 7, 41, 200])


@pytest.mark.parametrize("family", FAMILIES)
def test_both_halves_find_the_same_after_the_first_block(load_family, model_folders, family):
    """TransformerLens runs other code: its hooks on the stream give what the block gave here."""
    loaded = load_family(family)
    bridge = load_bridge(str(model_folders(family)))
    before, after = effective_embeddings(bridge, SOME)
    made = effective.effective_embedding(loaded)[SOME]
    size = float(after.abs().max())
    assert_close(weights.embedding(loaded)[SOME], before, atol=1e-5 * size, rtol=0)
    assert_close(made, after, atol=1e-5 * size, rtol=0)


def attended_to_itself(loaded, norm: str, x: torch.Tensor) -> torch.Tensor:
    """What the heads of layer 0 add where each token looks at itself alone."""
    own, b = weights.layer_weights(loaded, 0), weights.attention_norm(loaded, 0)
    assert b.kind == norm
    added = own.b_O.double().clone()
    for head in range(own.num_heads):
        value = b.apply(x) @ own.value_of(head).double() + own.b_V[own.kv_of[head]]
        added = added + value @ own.W_O[head].double()
    return added


def test_by_hand_with_an_rms_norm_and_a_gated_mlp(load_family) -> None:
    loaded = load_family("llama")
    block = loaded.model.model.layers[0]
    x = loaded.model.get_input_embeddings().weight.detach().double()
    x = x + attended_to_itself(loaded, "RMSNorm", x)
    normed = x / (x.square().mean(-1, keepdim=True) + 1e-6).sqrt()
    normed = normed * block.post_attention_layernorm.weight
    gate, up = (
        normed @ part.weight.double().T for part in (block.mlp.gate_proj, block.mlp.up_proj)
    )
    x = x + (gate * gate.sigmoid() * up) @ block.mlp.down_proj.weight.double().T
    assert_close(effective.effective_embedding(loaded).double(), x.detach(), atol=1e-4, rtol=1e-4)


def test_by_hand_with_a_layer_norm_and_learned_positions(load_family) -> None:
    """Row t is block 0 of the token's embedding, without the vector of any position."""
    loaded = load_family("gpt2")
    block = loaded.model.transformer.h[0]
    x = loaded.model.transformer.wte.weight.detach().double()
    x = x + attended_to_itself(loaded, "LayerNorm", x)
    centred = x - x.mean(-1, keepdim=True)
    normed = centred / (centred.square().mean(-1, keepdim=True) + 1e-5).sqrt()
    normed = normed * block.ln_2.weight + block.ln_2.bias
    hidden = normed @ block.mlp.c_fc.weight.double() + block.mlp.c_fc.bias
    hidden = torch.nn.functional.gelu(hidden, approximate="tanh")
    x = x + hidden @ block.mlp.c_proj.weight.double() + block.mlp.c_proj.bias
    assert_close(effective.effective_embedding(loaded).double(), x.detach(), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("family", ["llama", "gpt2"])
def test_copying_is_that_of_the_whole_matrix(load_family, family: str) -> None:
    """All vocab x vocab cells of E' W_V W_O W_U in 64 bits, and all their eigenvalues."""
    loaded, head = load_family(family), Head(1, 2)
    own, norm = weights.layer_weights(loaded, 1), weights.attention_norm(loaded, 1)
    end, W_U = weights.final_norm(loaded), weights.unembedding(loaded)[0].double()
    tokens = effective.effective_embedding(loaded).double()
    value = norm.apply(tokens) @ own.value_of(2).double() + own.b_V[own.kv_of[2]]
    written = value @ own.W_O[2].double()
    if end.kind == "LayerNorm":
        written = written - written.mean(-1, keepdim=True)
    ov = (written * end.weight) @ W_U
    every = torch.linalg.eigvals(ov - ov.mean(1, keepdim=True))
    factors = qk_ov.head_factors(loaded, head, CircuitSettings())
    expected = float(every.real.sum() / every.abs().sum())
    assert summary.copying_score(factors) == pytest.approx(expected, abs=1e-3)
    bare = qk_ov.head_factors(loaded, head, CircuitSettings(embedding="bare"))
    assert abs(summary.copying_score(bare) - expected) > 0.01


def test_the_first_layer_finds_the_bare_embedding_whatever_is_chosen(load_family) -> None:
    one, other = (
        qk_ov.head_factors(load_family("llama"), Head(0, 1), CircuitSettings(embedding=name))
        for name in qk_ov.EMBEDDINGS
    )
    assert torch.equal(one.key, other.key)
    assert torch.equal(one.value, other.value)
    assert CircuitSettings().embedding_at(0) == "bare"


def test_tokens_are_run_once_and_in_any_order(load_family, monkeypatch) -> None:
    loaded = load_family("mistral")
    loaded.tools.pop(effective._KEPT, None)
    whole = effective.effective_embedding(loaded).clone()
    monkeypatch.setattr(effective, "TOKENS", 100)
    del loaded.tools[effective._KEPT]
    first = effective.passes(loaded)
    assert first == list(range(0, len(whole), 100))
    for start in reversed(first[1:]):
        effective.run_tokens(loaded, start)
    assert effective.passes(loaded) == [0]
    rows = effective.effective_embedding(loaded)
    assert_close(rows, whole, atol=1e-6, rtol=1e-5)
    assert effective.passes(loaded) == []
    monkeypatch.setattr(effective, "_after_first_block", None)  # nothing is run again
    effective.run_tokens(loaded, 0)
    assert effective.effective_embedding(loaded) is rows


def test_the_bundled_models_induction_heads_copy() -> None:
    """From bare embeddings they seemed to write against what they read (-.97)."""
    loaded = load_model("demo")
    for head in (Head(1, 1), Head(1, 4)):
        scores = {
            name: summary.copying_score(
                qk_ov.head_factors(loaded, head, CircuitSettings(embedding=name))
            )
            for name in qk_ov.EMBEDDINGS
        }
        assert scores["bare"] < -0.9
        assert scores["first_block"] > 0.95
