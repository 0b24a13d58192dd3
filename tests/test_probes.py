"""Where patterns are found, and which models are refused because theirs cannot be named."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM

from headroles.errors import NotANumberError, UnsupportedModelError
from headroles.models.probes import PROBE, install_probes, register_attention
from tests.families import byte_level_tokenizer, widen

pytestmark = pytest.mark.filterwarnings("ignore")  # the libraries' own

SIZES = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_attention_heads": 4,
    "num_hidden_layers": 2,
    "num_key_value_heads": 2,
    "max_position_embeddings": 64,
    "bos_token_id": 0,
    "eos_token_id": 0,
    "pad_token_id": None,
}


def tiny(family: str, *, vocab_size: int = len(byte_level_tokenizer()), **own: object):
    """A tiny model of a family with wide random weights, in eager attention."""
    torch.manual_seed(0)
    config = AutoConfig.for_model(family, **(SIZES | {"vocab_size": vocab_size} | own))
    model = AutoModelForCausalLM.from_config(config, attn_implementation="eager").eval()
    widen(model)
    return model


def refused(model) -> str:
    """Why a model is refused; nothing may be installed in it then."""
    register_attention()
    with pytest.raises(UnsupportedModelError) as raised:
        install_probes(model, "the model")
    assert not any(PROBE in path for path, _ in model.named_modules())
    assert not any(module._forward_hooks for module in model.modules())
    return raised.value.message


HYBRID = {"num_hidden_layers": 4, "full_attn_idxs": [1, 3], "block_auto_adjust_ff_dim": False}
UNEQUAL = {
    "head_dim": 8,
    "num_attention_heads_per_layer": [4, 2],
    "layer_types": ["full_attention"] * 2,
    "mlp_layer_types": ["dense"] * 2,
}


@pytest.mark.parametrize(
    ("family", "own", "words"),
    [
        ("diffllama", {}, ("2 times", "layers 0 and 1")),
        ("lfm2", HYBRID, ("only in layers 1 and 3 of its 4 layers", "the other layers have none")),
        ("lfm2", HYBRID | {"full_attn_idxs": [2]}, ("only in layer 2 of its 4 layers",)),
        ("laguna", UNEQUAL, ("different numbers of heads", "layer 0 has 4, layer 1 has 2")),
        ("mamba", {"state_size": 4}, ("no attention heads",)),
        ("falcon", {}, ("code of its own",)),
        ("granite_swa", {"layer_types": ["full_attention"] * 2}, ("weighs the values",)),
        ("bert", {"is_decoder": False}, ("the ones after them",)),
        ("hrm_text", {"num_layers_per_stack": 2, "num_hidden_layers": 16}, ("one stack",)),
    ],
)
def test_what_cannot_be_named_by_layer_and_head_is_refused(family, own, words) -> None:
    why = refused(tiny(family, **own))
    assert all(word in why for word in words), why


@pytest.mark.parametrize("said", ["num_hidden_layers", "num_attention_heads"])
def test_a_model_that_is_not_what_its_configuration_says_is_refused(said) -> None:
    model = tiny("llama")
    setattr(model.config, said, 8)
    assert "config.json says 8" in refused(model)


def test_a_model_that_needs_more_than_tokens_is_refused() -> None:
    model = tiny("llama")
    forward = model.forward

    def with_image(input_ids, *, pixel_values, **settings):
        return forward(input_ids, **settings)

    model.forward = with_image
    assert "tokens of a text alone" in refused(model)


def test_layers_that_run_in_another_order_are_refused() -> None:
    model = tiny("llama")
    layers, stack = list(model.model.layers), model.model.layers
    stack.__class__ = type("Backwards", (type(stack),), {"__getitem__": lambda *_: layers[::-1]})
    assert "order of their numbers" in refused(model)


def test_a_layer_whose_attention_goes_past_the_interface_is_refused() -> None:
    """Its neighbour is read, so nothing but the count of softmaxes could show it."""
    model = tiny("gpt2", n_embd=32, n_head=4, n_layer=2, reorder_and_upcast_attn=True)
    model.transformer.h[0].attn.reorder_and_upcast_attn = False
    assert "can be read only in layer 0 of its 2 layers" in refused(model)


def test_nan_is_told_as_nan() -> None:
    model = tiny("llama")
    model.model.layers[1].self_attn.q_proj.weight.data[0, 0] = float("nan")
    register_attention()
    with pytest.raises(NotANumberError, match="layer 1"):
        install_probes(model, "the model")


def test_a_vocabulary_of_a_few_tokens_is_enough() -> None:
    register_attention()
    assert install_probes(tiny("llama", vocab_size=5), "the model")[1] == 4


@pytest.mark.parametrize(
    ("family", "own"),
    [
        ("falcon", {"alibi": True, "new_decoder_architecture": False}),  # by its dropout module
        ("gpt2", {"n_embd": 32, "n_head": 4, "n_layer": 2, "reorder_and_upcast_attn": True}),
        ("bart", {"decoder_layers": 2, "encoder_layers": 3, "d_model": 32}),
        ("deepseek_v32", {"q_lora_rank": 8, "kv_lora_rank": 8, "qk_rope_head_dim": 4,
                          "qk_nope_head_dim": 8, "v_head_dim": 8, "index_topk": 4,
                          "n_routed_experts": 2, "n_group": 1, "topk_group": 1,
                          "num_experts_per_tok": 1, "num_key_value_heads": 4,
                          "moe_intermediate_size": 16}),  # chooses 4 tokens for each query
    ],
)  # fmt: skip
def test_what_passes_the_probes_is_what_the_family_computes(family, own) -> None:
    model, ids = tiny(family, **own), torch.arange(5, 25)[None]
    with torch.no_grad():
        expected = model(ids, output_attentions=True, use_cache=False)
    register_attention()
    paths, heads = install_probes(model, "the model")
    seen: list[torch.Tensor] = []
    for path in paths:
        probe = model.get_submodule(path)
        probe.register_forward_hook(lambda _module, _args, pattern: seen.append(pattern))
    with torch.no_grad():
        logits = model(ids, use_cache=False).logits
    torch.testing.assert_close(torch.cat(seen), torch.cat(expected.attentions), rtol=0, atol=1e-6)
    torch.testing.assert_close(logits, expected.logits, rtol=1e-5, atol=1e-5)
    assert seen[0].shape[1] == heads


def test_two_threads_find_each_their_own() -> None:
    register_attention()

    def paths(layers: int) -> tuple[tuple[str, ...], int]:
        return install_probes(tiny("llama", num_hidden_layers=layers), "the model")

    counts = [2, 3, 4, 5] * 6
    with ThreadPoolExecutor(max_workers=4) as pool:
        found = list(pool.map(paths, counts))
    for layers, (places, heads) in zip(counts, found, strict=True):
        assert heads == 4
        assert places == tuple(f"model.layers.{n}.self_attn.{PROBE}" for n in range(layers))


def test_a_model_without_probes_is_left_as_it_is(load_family) -> None:
    """Although eager attention is wrapped for the whole process."""
    assert load_family("llama").num_layers == 2
    plain, ids = tiny("llama"), torch.arange(6)[None]
    with torch.no_grad():
        eager = plain(ids).logits
        plain.set_attn_implementation("sdpa")
        torch.testing.assert_close(plain(ids).logits, eager, rtol=1e-4, atol=1e-4)
    assert not any(PROBE in path for path, _ in plain.named_modules())
