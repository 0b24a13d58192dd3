"""Parity: four ways to the same attention, on every family, to 1e-5.

PyVene through the probes (what the app does), transformers' own eager attention, plain forward
hooks on the probes, and TransformerLens (what the offline analysis does). The eager model is loaded
anew: an attention implementation is written into the config, which two models must never share.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import cache

import pytest
import torch
from transformers import AutoModelForCausalLM, GPT2Config, GPT2LMHeadModel

from headroles import limits
from headroles.analysis.bridge import each_layer, load_bridge
from headroles.analysis.measure import OutputChange
from headroles.capture import attention
from headroles.capture.attention import TOP_TOKENS, capture, collect
from headroles.capture.interventions import output_projections
from headroles.capture.packing import pack, unpack
from headroles.errors import EmptyPromptError, LimitError
from headroles.models import LoadedModel, load_model
from headroles.texts import encode
from headroles.types import PromptRun
from tests.families import (
    FAMILIES,
    HEADS,
    LAYERS,
    PROMPT,
    WINDOW,
    byte_level_tokenizer,
    save,
    widen,
)

pytestmark = pytest.mark.filterwarnings("ignore")  # the libraries' own

TOLERANCE = {"rtol": 0, "atol": 1e-5}
LOCAL = {"mistral": range(LAYERS), "gemma2": [0], "gemma3_text": [0], "gpt_neo": [1]}
"""The layers of a family that see only the last :data:`WINDOW` tokens."""


@cache
def _eager(folder: str, ids: tuple[int, ...]) -> tuple[torch.Tensor, torch.Tensor]:
    """Attention [layer head query key] and last logits [vocab], as transformers gives them."""
    model = AutoModelForCausalLM.from_pretrained(folder, attn_implementation="eager").eval()
    with torch.no_grad():
        output = model(torch.tensor([ids]), output_attentions=True)
    return torch.cat(output.attentions), output.logits[0, -1]


def _plain_hooks(loaded: LoadedModel, ids: tuple[int, ...]) -> tuple[torch.Tensor, torch.Tensor]:
    patterns: list[torch.Tensor] = []
    modules = dict(loaded.model.named_modules())
    handles = [
        modules[path].register_forward_hook(lambda _module, _args, out: patterns.append(out))
        for path in loaded.probe_paths
    ]
    with torch.no_grad():
        logits = loaded.model(torch.tensor([ids])).logits[0, -1]
    for handle in handles:
        handle.remove()
    return torch.stack([p.reshape(HEADS, len(ids), len(ids)) for p in patterns]), logits


def _transformer_lens(folder: str, ids: tuple[int, ...]) -> tuple[torch.Tensor, torch.Tensor]:
    from transformer_lens.model_bridge import TransformerBridge

    bridge = TransformerBridge.boot_transformers(folder, device="cpu")
    names = [f"blocks.{layer}.attn.hook_pattern" for layer in range(LAYERS)]
    with torch.no_grad():
        logits, cache = bridge.run_with_cache(torch.tensor([ids]), names_filter=names)
    return torch.cat([cache[name] for name in names]), logits[0, -1]


@pytest.fixture(params=FAMILIES)
def family(request) -> str:
    return request.param


@pytest.fixture
def loaded(load_family, family: str) -> LoadedModel:
    return load_family(family)


@pytest.fixture
def run(loaded: LoadedModel) -> PromptRun:
    return capture(loaded, PROMPT)


def test_pyvene_equals_eager_attention(run: PromptRun, loaded: LoadedModel) -> None:
    attention, logits = _eager(loaded.source, run.token_ids)
    torch.testing.assert_close(run.attention, attention, **TOLERANCE)
    probabilities = logits.softmax(-1)
    assert [guess.token_id for guess in run.next_tokens] == logits.topk(TOP_TOKENS).indices.tolist()
    for guess in run.next_tokens:
        assert guess.probability == pytest.approx(probabilities[guess.token_id].item(), abs=1e-5)
        assert guess.text == loaded.tokenizer.decode([guess.token_id]) or guess.text[:3] == "<0x"


def test_pyvene_equals_plain_hooks(run: PromptRun, loaded: LoadedModel) -> None:
    attention, logits = _plain_hooks(loaded, run.token_ids)
    torch.testing.assert_close(run.attention, attention, **TOLERANCE)
    own = collect(loaded, run.encoding).logits
    torch.testing.assert_close(own, logits, **TOLERANCE)


def test_pyvene_equals_transformer_lens(run: PromptRun, loaded: LoadedModel) -> None:
    attention, logits = _transformer_lens(loaded.source, run.token_ids)
    torch.testing.assert_close(run.attention, attention, **TOLERANCE)
    own = collect(loaded, run.encoding).logits
    torch.testing.assert_close(own.softmax(-1), logits.softmax(-1), **TOLERANCE)


def _by_hand(outputs: torch.Tensor) -> torch.Tensor:
    """[layer head] how much whole output vectors [layer head query model] change, step by step."""
    change = torch.empty(outputs.shape[:2])
    for layer, heads in enumerate(outputs[:, :, 1:]):
        written = torch.stack([o.norm(dim=-1).mean() for o in heads]).mean()
        for head, o in enumerate(heads):
            change[layer, head] = (o - o.mean(0)).norm(dim=-1).mean() / written
    return change


def test_what_heads_write_equals_plain_hooks(run: PromptRun, loaded: LoadedModel) -> None:
    """Whole vectors: the module's own output with all other heads silenced, less its bias."""
    outputs = torch.empty(LAYERS, HEADS, len(run.token_ids), loaded.model.config.hidden_size)
    for layer, path in enumerate(output_projections(loaded)):
        inputs, projection = [], loaded.model.get_submodule(path)
        handle = projection.register_forward_pre_hook(lambda _, args, to=inputs: to.append(args[0]))
        with torch.no_grad():
            loaded.model(torch.tensor([run.token_ids]))
            handle.remove()
            z = inputs[0].reshape(len(run.token_ids), HEADS, -1)
            bias = projection(torch.zeros_like(z).flatten(1))
            for head in range(HEADS):
                alone = torch.zeros_like(z)
                alone[:, head] = z[:, head]
                outputs[layer, head] = projection(alone.flatten(1)) - bias
    torch.testing.assert_close(run.output_change, _by_hand(outputs), atol=1e-5, rtol=1e-5)


def test_what_heads_write_equals_transformer_lens(run: PromptRun, loaded: LoadedModel) -> None:
    """The analysis' own measure, on the same tokens, with more text and padding beside them."""
    bridge = load_bridge(loaded.source)
    ids = torch.tensor([run.token_ids])
    longer = torch.cat([ids, ids[:, 1:9].flip(1)], 1)
    both = torch.cat([torch.nn.functional.pad(ids, (0, 8), value=3), longer])
    lengths = torch.tensor([ids.shape[1], longer.shape[1]])
    change = OutputChange(bridge, 2)
    each_layer(bridge, both, lambda *_: None, change.of(torch.arange(2), lengths))
    torch.testing.assert_close(change.values[0], run.output_change, atol=1e-5, rtol=1e-5)
    assert (change.values[1] - run.output_change).abs().max() > 1e-3  # another text


def test_heads_that_differ_write_different_amounts(run: PromptRun) -> None:
    assert run.output_change.flatten().unique().numel() == LAYERS * HEADS
    assert run.output_change.min() > 0


def test_without_an_output_projection_the_attention_is_there(
    loaded: LoadedModel, run: PromptRun, monkeypatch
) -> None:
    """As for a family whose heads do not lie side by side."""
    monkeypatch.setitem(loaded.tools, attention._ROOTS, None)
    without = capture(loaded, PROMPT)
    assert without.output_change is None
    assert without.attention.equal(run.attention)


def test_attention_is_causal_and_rows_sum_to_one(run: PromptRun) -> None:
    length = len(run.token_ids)
    assert run.attention.shape == (LAYERS, HEADS, length, length)
    assert run.attention.dtype == torch.float32
    assert run.attention.triu(1).abs().max() == 0
    torch.testing.assert_close(run.attention.sum(-1), torch.ones(LAYERS, HEADS, length))


def test_nothing_is_lost_where_only_the_lower_half_is_kept(run: PromptRun) -> None:
    """Masks, sliding windows and ALiBi included: what is left out is exactly zero."""
    length = len(run.token_ids)
    kept = pack(run.attention)
    assert kept.shape == (LAYERS, HEADS, length * (length + 1) // 2)
    assert unpack(kept, length).equal(run.attention)


def test_heads_and_layers_differ(run: PromptRun) -> None:
    """Without this, equal tensors in the wrong order would pass every comparison above."""
    flat = run.attention.flatten(2).flatten(0, 1)  # [layer*head query*key]
    distances = torch.cdist(flat, flat) + torch.eye(LAYERS * HEADS)
    assert distances.min() > 1e-3


@pytest.mark.parametrize("family", LOCAL, indirect=True)
def test_a_sliding_window_is_kept(run: PromptRun, family: str) -> None:
    beyond = torch.ones(run.attention.shape[-2:]).tril(-WINDOW).bool()  # [query key]
    for layer in range(LAYERS):
        seen = run.attention[layer][:, beyond].max()
        assert (seen == 0) == (layer in LOCAL[family])


def test_a_soft_cap_is_kept(load_family) -> None:
    run = capture(load_family("gemma2"), PROMPT)
    # Logits lie within +-2, so no key of a row gets more than e^4 times another one's attention.
    last = run.attention[1, :, -1]  # [head key] of the layer without a window
    assert (last.amax(-1) / last.amin(-1)).max() <= 54.7  # e^4 = 54.6


def test_capture_twice_is_the_same_and_leaves_no_hook(loaded: LoadedModel, run: PromptRun) -> None:
    again = capture(loaded, PROMPT)
    assert torch.equal(again.attention, run.attention)
    assert again.next_tokens == run.next_tokens
    assert not any(module._forward_hooks for module in loaded.model.modules())
    assert not any(module._forward_pre_hooks for module in loaded.model.modules())
    modules = dict(loaded.model.named_modules())
    assert all(path in modules for path in loaded.probe_paths)


def test_two_threads_on_one_model_get_their_own_answers(loaded: LoadedModel) -> None:
    prompts = ["The cat sat on the mat.", "One two three four, one two three four, one two"] * 6
    alone = {prompt: capture(loaded, prompt).attention for prompt in prompts[:2]}
    with ThreadPoolExecutor(max_workers=4) as pool:
        runs = list(pool.map(lambda prompt: capture(loaded, prompt), prompts))
    for prompt, run in zip(prompts, runs, strict=True):
        assert run.prompt == prompt
        assert torch.equal(run.attention, alone[prompt])


def test_two_models_of_one_family_do_not_share_anything(model_folders) -> None:
    first, second = (load_model(str(model_folders("gpt2"))) for _ in range(2))
    second.model.transformer.h[0].attn.c_attn.weight.data.neg_()
    before = capture(first, PROMPT).attention
    capture(second, PROMPT)
    assert torch.equal(capture(first, PROMPT).attention, before)
    assert not torch.equal(capture(second, PROMPT).attention, before)


@pytest.mark.parametrize("family", ["gpt2", "llama", "gemma2"], indirect=True)
def test_a_changed_pattern_changes_the_output(loaded: LoadedModel, run: PromptRun) -> None:
    """What a knock-out needs: zeroing a head at its probe = zeroing its columns of the projection.

    Grouped heads (llama, gemma2) would show an index by the wrong key/value head.
    """
    head, ids = 2, torch.tensor([run.token_ids])
    modules = dict(loaded.model.named_modules())
    probe = modules[loaded.probe_paths[0]]
    attention = modules[loaded.probe_paths[0].rpartition(".")[0]]
    project = attention.c_proj if hasattr(attention, "c_proj") else attention.o_proj

    def silence_pattern(_module, _args, pattern):
        changed = pattern.clone()
        changed[:, head] = 0
        return changed

    def silence_input(_module, args):
        parts = args[0].clone().unflatten(-1, (HEADS, -1))  # [batch query head dim]
        parts[:, :, head] = 0
        return (parts.flatten(-2),)

    with torch.no_grad():
        untouched = loaded.model(ids).logits
        with probe.register_forward_hook(silence_pattern):
            at_probe = loaded.model(ids).logits
        with project.register_forward_pre_hook(silence_input):
            at_projection = loaded.model(ids).logits
    torch.testing.assert_close(at_probe, at_projection, **TOLERANCE)
    assert (at_probe - untouched).abs().max() > 1e-3


def test_layers_keep_their_order_beyond_ten(tmp_path) -> None:
    """Components sorted by their names would put layer 10 before layer 2."""
    tokenizer = byte_level_tokenizer()
    torch.manual_seed(0)
    config = GPT2Config(n_layer=12, n_head=2, n_embd=16, vocab_size=len(tokenizer))
    model = GPT2LMHeadModel(config)
    widen(model)
    save(model, tmp_path)
    run = capture(load_model(str(tmp_path)), PROMPT)
    attention, _ = _eager(str(tmp_path), run.token_ids)
    torch.testing.assert_close(run.attention, attention, **TOLERANCE)
    assert torch.cdist(attention.flatten(1), attention.flatten(1)).add(torch.eye(12)).min() > 1e-3


def test_a_long_prompt_is_cut_and_counted(load_family) -> None:
    loaded = load_family("gpt2")
    run = capture(loaded, "The cat sat on the mat. " * 40)
    assert len(run.token_ids) == loaded.max_tokens == run.attention.shape[-1]
    assert run.encoding.truncated
    assert run.encoding.full_length > loaded.max_tokens


def test_top_may_ask_for_more_than_there_is(load_family) -> None:
    loaded = load_family("gpt2")
    run = capture(loaded, "The cat", top=10_000)
    assert len(run.next_tokens) == loaded.model.config.vocab_size
    assert sum(guess.probability for guess in run.next_tokens) == pytest.approx(1, abs=1e-4)


def test_a_prompt_of_one_token_runs(load_family) -> None:
    run = capture(load_family("gpt2"), "a")
    assert run.attention.shape[-1] == 2  # BOS and the letter
    assert run.tokens == ("<|endoftext|>", "a")


def test_what_cannot_be_run_is_refused_before_the_model(load_family) -> None:
    loaded = load_family("gpt2")
    with pytest.raises(EmptyPromptError):
        capture(loaded, "  \n")
    with pytest.raises(LimitError):
        capture(loaded, "a" * (limits.PROMPT.most + 1))


def test_the_run_holds_what_was_run(load_family) -> None:
    loaded = load_family("llama")
    run = capture(loaded, PROMPT)
    encoding = encode(loaded.tokenizer, PROMPT)
    assert (run.model_name, run.source, run.prompt) == (loaded.key, loaded.source, PROMPT)
    assert (run.tokens, run.token_ids) == (encoding.tokens, encoding.token_ids)
