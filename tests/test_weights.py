"""Weights by head: against TransformerLens, and against what the model itself computes."""

from __future__ import annotations

import pytest
import torch
from torch.testing import assert_close
from transformers import AutoConfig, AutoModelForCausalLM

from headroles.circuits import weights
from headroles.circuits.parts import norm_heads
from headroles.circuits.tracing import same, trace_model
from headroles.errors import UnsupportedModelError
from headroles.models import load_model
from headroles.paths import DEMO_MODEL
from headroles.texts import encode
from tests.families import CONTEXT, FAMILIES, HEADS, LAYERS, PROMPT, WIDTH, WINDOW, save, widen
from tests.families import byte_level_tokenizer as tokenizer_of_tests

GROUPED = [family for family, settings in FAMILIES.items() if "num_key_value_heads" in settings]
GROUPED.remove("phi")
ROTARY = ["gpt_neox", "llama", "mistral", "qwen2", "qwen3", "gemma2", "gemma3_text", "phi"]
OLMO2 = ("olmo2", "other olmo2")
LEARNED = ["gpt2", "opt", "gpt_neo"]
OTHERS = {
    "olmo2": {
        "hidden_size": WIDTH,
        "intermediate_size": 48,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
        "num_key_value_heads": 2,
    },
    "phi3": {
        "hidden_size": WIDTH,
        "intermediate_size": 48,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
        "num_key_value_heads": 2,
        "max_position_embeddings": CONTEXT,
        "original_max_position_embeddings": CONTEXT,
    },
    "opt": {  # put together like OPT-350M
        "hidden_size": WIDTH,
        "word_embed_proj_dim": 16,
        "do_layer_norm_before": False,
        "ffn_dim": 48,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
        "max_position_embeddings": CONTEXT,
    },
}
"""Layouts that no family of the other tests has."""


@pytest.fixture(scope="module")
def load_other(tmp_path_factory: pytest.TempPathFactory):
    """``load_other("olmo2")``: a tiny seeded model of one of the layouts above."""
    made = {}

    def load(family: str):
        if family not in made:
            torch.manual_seed(3)
            config = AutoConfig.for_model(
                family,
                vocab_size=len(tokenizer_of_tests()),
                bos_token_id=0,
                eos_token_id=0,
                pad_token_id=None,
                **OTHERS[family],
            )
            model = AutoModelForCausalLM.from_config(config, attn_implementation="eager")
            widen(model)
            folder = tmp_path_factory.mktemp(family)
            save(model, folder)
            made[family] = load_model(str(folder))
        return made[family]

    return load


@pytest.fixture
def load_any(load_family, load_other):
    return lambda name: load_other(name[6:]) if name.startswith("other ") else load_family(name)


EVERY = [*FAMILIES, *(f"other {family}" for family in OTHERS)]


def _record(loaded, layer: int):
    """By plain hooks: the layer's input, what its attention is given, and what it puts out."""
    seen = {}
    modules = dict(loaded.model.named_modules())
    trace = trace_model(loaded).layers[layer]
    attention, block = modules[trace.path], modules[trace.block]
    outputs = ("c_proj", "dense", "o_proj", "out_proj")
    output = next(m for name, m in attention.named_modules() if name in outputs)

    def first(args, kwargs):
        return args[0] if args else kwargs["hidden_states"]

    hooks = [
        block.register_forward_pre_hook(
            lambda m, a, k: seen.update(stream=first(a, k)), with_kwargs=True
        ),
        attention.register_forward_pre_hook(
            lambda m, a, k: seen.update(normed=first(a, k)), with_kwargs=True
        ),
        output.register_forward_hook(lambda m, a, out: seen.update(written=out)),
        modules[loaded.probe_paths[layer]].register_forward_hook(
            lambda m, a, out: seen.update(pattern=out)
        ),
    ]
    ids = torch.tensor([encode(loaded.tokenizer, PROMPT).token_ids])
    with torch.no_grad():
        seen["logits"] = loaded.model(ids).logits[0]
    for hook in hooks:
        hook.remove()
    length = ids.shape[1]
    shapes = {"stream": (length, -1), "normed": (length, -1), "written": (length, -1)}
    seen = {k: v.reshape(shapes[k]) if k in shapes else v for k, v in seen.items()}
    seen["pattern"] = seen["pattern"].reshape(-1, length, length)
    return ids[0], seen


@pytest.mark.parametrize("family", EVERY)
@pytest.mark.parametrize("layer", range(LAYERS))
def test_values_and_outputs_are_the_models_own_on_a_whole_prompt(load_any, family, layer) -> None:
    loaded = load_any(family)
    _, seen = _record(loaded, layer)
    own = weights.layer_weights(loaded, layer)
    normed = weights.attention_norm(loaded, layer).apply(seen["stream"])
    assert_close(normed, seen["normed"], atol=1e-5, rtol=1e-5)
    written = own.b_O.clone()
    for head in range(own.num_heads):
        value = normed @ own.value_of(head) + own.b_V[own.kv_of[head]]
        written = written + seen["pattern"][head] @ value @ own.W_O[head]
    assert_close(written, seen["written"], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("family", [*LEARNED, "bloom", "other opt"])
def test_queries_and_keys_give_the_pattern_where_nothing_rotates(load_any, family: str) -> None:
    loaded = load_any(family)
    _, seen = _record(loaded, 0)
    own = weights.layer_weights(loaded, 0)
    normed = weights.attention_norm(loaded, 0).apply(seen["stream"])
    length = len(normed)
    hidden = torch.full((length, length), -1e9).triu(1)
    distance = torch.arange(length) - torch.arange(length)[:, None]
    for head in range(own.num_heads):
        query = normed @ own.W_Q[head] + own.b_Q[head]
        key = normed @ own.key_of(head) + own.b_K[own.kv_of[head]]
        # BLOOM's ALiBi slopes for 4 heads are 1/4, 1/16, 1/64, 1/256 (Press et al. 2022)
        slope = 4.0 ** -(head + 1) if family == "bloom" else 0.0
        again = (own.scale * query @ key.T + slope * distance + hidden).softmax(-1)
        assert_close(again, seen["pattern"][head], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("family", EVERY)
@pytest.mark.parametrize("layer", range(LAYERS))
def test_queries_and_keys_are_the_models_own_at_position_0(load_any, family, layer: int) -> None:
    loaded = load_any(family)
    own = weights.layer_weights(loaded, layer)
    trace = trace_model(loaded)
    seen = trace.layers[layer]
    stream = trace.of(seen.block).given[:, 0]  # [batch d_model]
    normed = weights.attention_norm(loaded, layer).apply(stream)
    query = torch.einsum("bm,hmd->bhd", normed, own.W_Q) + own.b_Q
    key = torch.einsum("bm,hmd->bhd", normed, own.W_K) + own.b_K
    query = norm_heads(own.q_norm, query)
    key = norm_heads(own.k_norm, key)[:, list(own.kv_of)]
    theirs = seen.query[:, :, 0] @ seen.key[:, :, 0].transpose(1, 2)  # scaled first in OPT
    times = own.scale if "opt" in family else 1.0
    assert_close(times * query @ key.transpose(1, 2), theirs, atol=1e-4, rtol=1e-5)


@pytest.mark.parametrize("family", EVERY)
def test_the_first_layer_finds_embedding_and_position(load_any, family: str) -> None:
    loaded = load_any(family)
    ids, seen = _record(loaded, 0)
    expected = weights.embedding(loaded)[ids]
    learned = weights.positions(loaded)
    assert (learned is not None) == (family in [*LEARNED, "other opt"])
    if learned is not None:
        expected = expected + learned[: len(ids)]
    assert_close(expected, seen["stream"], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("family", EVERY)
def test_final_norm_and_unembedding_give_the_logits(load_any, family: str) -> None:
    loaded = load_any(family)
    W_U, b_U = weights.unembedding(loaded)
    trace = trace_model(loaded)
    stream = trace.of(trace.layers[-1].block).result
    logits = weights.final_norm(loaded).apply(stream) @ W_U + (0 if b_U is None else b_U)
    cap = weights.layout(loaded).logit_cap
    logits = cap * torch.tanh(logits / cap) if cap else logits
    assert_close(logits, trace.logits, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("family", FAMILIES)
def test_they_are_the_weights_of_transformer_lens(load_family, model_folders, family) -> None:
    from headroles.analysis.bridge import load_bridge

    loaded = load_family(family)
    bridge = load_bridge(str(model_folders(family)))
    for layer in range(LAYERS):
        own = weights.layer_weights(loaded, layer)
        for name in ("W_Q", "W_K", "W_V", "W_O"):
            theirs = getattr(bridge, name)[layer]
            assert_close(getattr(own, name), theirs.reshape(getattr(own, name).shape))


def test_layouts_are_named(load_any) -> None:
    for family in EVERY:
        found = weights.layout(load_any(family))
        expected = {"bloom": "bias", **dict.fromkeys([*LEARNED, "other opt"], "learned")}
        assert found.positions == expected.get(family, "rotary"), family
        assert found.parallel == (family in ("gpt_neox", "phi")), family
        assert found.qk_normed == (family in ("qwen3", "gemma3_text", *OLMO2)), family
        assert found.output_normed == (family in ("gemma2", "gemma3_text", *OLMO2)), family
        assert found.order == ("post-norm" if family in (*OLMO2, "other opt") else "pre-norm"), (
            family
        )
    assert weights.layout(load_any("gemma2")).score_cap == 2.0
    assert weights.layout(load_any("gemma2")).logit_cap == 30.0


@pytest.mark.parametrize("family", GROUPED)
def test_query_heads_share_a_key_in_order(load_family, family: str) -> None:
    own = weights.layer_weights(load_family(family), 0)
    assert own.W_K.shape[0] == own.W_V.shape[0] == 2
    assert own.kv_of == (0, 0, 1, 1)


def test_the_scale_is_the_familys(load_family) -> None:
    assert weights.layer_weights(load_family("gpt_neo"), 0).scale == 1.0  # GPT-Neo does not divide
    for family in ("gpt2", "opt", "bloom", "llama"):
        assert weights.layer_weights(load_family(family), 0).scale == 8**-0.5


@pytest.mark.parametrize("family", [*ROTARY, "other olmo2", "other phi3"])
def test_turned_queries_and_keys_give_the_pattern_of_a_whole_prompt(load_any, family) -> None:
    loaded = load_any(family)
    _, seen = _record(loaded, 1)  # no sliding window in the second layer
    own, turn = weights.layer_weights(loaded, 1), weights.rotation(loaded, 1)
    normed = weights.attention_norm(loaded, 1).apply(seen["stream"])
    query = torch.einsum("pm,hmd->phd", normed, own.W_Q) + own.b_Q
    key = torch.einsum("pm,hmd->phd", normed, own.W_K) + own.b_K
    query, key = norm_heads(own.q_norm, query), norm_heads(own.k_norm, key)
    query = torch.stack([turn.apply(row, place) for place, row in enumerate(query)])
    key = torch.stack([turn.apply(row, place) for place, row in enumerate(key)])
    length, cap = len(normed), weights.layout(loaded).score_cap
    apart = torch.arange(length)[:, None] - torch.arange(length)
    window = WINDOW if family == "mistral" else length
    for head in range(own.num_heads):
        score = own.scale * query[:, head] @ key[:, own.kv_of[head]].T
        score = cap * torch.tanh(score / cap) if cap else score
        again = score.masked_fill((apart < 0) | (apart >= window), -1e9).softmax(-1)
        assert_close(again, seen["pattern"][head], atol=2e-4, rtol=1e-3)


def test_the_slopes_of_bloom_are_those_of_alibi(load_family) -> None:
    # 2^-(8/n), 2^-(16/n), ... for n heads (Press et al. 2022)
    expected = torch.tensor([1 / 4, 1 / 16, 1 / 64, 1 / 256])
    assert_close(weights.distance_slopes(load_family("bloom"), 0), expected, atol=1e-4, rtol=1e-4)
    assert weights.distance_slopes(load_family("gpt2"), 0) is None
    assert weights.rotation(load_family("gpt2"), 0) is None


def test_gemmas_gain_counts_from_one_and_its_embedding_is_scaled(load_family) -> None:
    loaded = load_family("gemma2")
    table = loaded.model.get_input_embeddings().weight
    assert_close(weights.embedding(loaded), table * WIDTH**0.5, rtol=1e-4, atol=1e-5)
    module = loaded.model.model.layers[0].input_layernorm
    assert_close(weights.attention_norm(loaded, 0).weight, 1 + module.weight)


def test_the_bundled_model_is_read_without_a_copy() -> None:
    loaded = load_model(str(DEMO_MODEL))
    table = weights.embedding(loaded)
    assert table.data_ptr() == loaded.model.get_input_embeddings().weight.data_ptr()
    assert weights.layer_weights(loaded, 1).W_Q.shape == (8, 128, 16)


def test_a_model_that_computes_something_else_is_refused(model_folders) -> None:
    loaded = load_model(str(model_folders("llama")))
    attention = loaded.model.model.layers[1].self_attn
    attention.q_proj.register_forward_hook(lambda module, given, out: out.flip(-1))
    with pytest.raises(UnsupportedModelError, match="gives its own query vectors"):
        weights.layer_weights(loaded, 0)


def test_a_model_with_an_unknown_embedding_is_refused(model_folders) -> None:
    loaded = load_model(str(model_folders("llama")))
    loaded.model.model.embed_tokens.register_forward_hook(lambda module, given, out: out.tanh())
    with pytest.raises(UnsupportedModelError, match="gives its own embedding"):
        weights.embedding(loaded)


def test_tracing_leaves_no_hook_behind(load_family) -> None:
    loaded = load_family("gpt2")
    trace_model(loaded)
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in loaded.model.modules())


def test_same_tells_a_swap_from_rounding() -> None:
    x = torch.tensor([1.0, 2.0, 3.0])
    assert same(x, x * (1 + 1e-6))
    assert not same(x, x[[1, 0, 2]])
    assert not same(x, x[:2])
