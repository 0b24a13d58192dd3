"""What components do at each token, on text and alone, against plain hooks and loops."""

from __future__ import annotations

import math

import pytest
import torch

from headroles.ablation import component_profiles
from headroles.ablation.component_model import place_of
from headroles.circuits import SVD, TRAINED, component_sets, factors_at
from headroles.circuits.trained_components import Factors, Gate, save_factors
from headroles.errors import DecompositionError, UnknownComponentError
from headroles.models.loading import load_model
from headroles.texts import SENTENCES, encode
from headroles.types import Component

PROMPT = "The cat sat on the mat. The cat sat"
FAMILIES = ["gpt2", "llama", "gpt_neox", "opt"]
PLACES = [(0, "q"), (1, "k"), (0, "v"), (1, "o")]


def seen(loaded, place, ids):
    """What the module of a projection is given and gives without its bias, by a plain hook."""
    module, features = place_of(loaded, place)
    kept = []
    handle = module.register_forward_hook(lambda _m, given, result: kept.append((given[0], result)))
    try:
        with torch.no_grad():
            loaded.model(torch.tensor([ids]))
    finally:
        handle.remove()
    x, y = (part.reshape(len(ids), -1) for part in kept[0])
    y = y if module.bias is None else y - module.bias
    return x, y if features is None else y[:, features]


@pytest.fixture
def with_trained(model_folders, monkeypatch, tmp_path):
    """A tiny model with a file of components for two matrices, one of them slightly off."""
    loaded = load_model(str(model_folders("gpt2")))
    monkeypatch.setattr(component_sets, "COMPONENTS", tmp_path)
    rng = torch.Generator().manual_seed(5)
    made = {}
    for place, scale in {(0, "q"): 1.0, (1, "o"): 1.02}.items():
        of = factors_at(loaded, SVD, place)
        w_in, b_in, w_out = (torch.randn(len(of.U), 3, generator=rng) for _ in range(3))
        gate = Gate(w_in, b_in, w_out, torch.randn(len(of.U), generator=rng) / 3)
        made[place] = Factors(of.U * scale, of.V, gate)
    save_factors(component_sets.file_of(loaded.key), made)
    return loaded, made


def gelu(x):
    return x * 0.5 * (1 + math.erf(x / math.sqrt(2)))


def importance(gate, number, activation):
    """The formula of a network with one hidden layer, a number at a time."""
    total = float(gate.b_out[number])
    for w_in, b_in, w_out in zip(
        gate.w_in[number], gate.b_in[number], gate.w_out[number], strict=True
    ):
        total += float(w_out) * gelu(float(w_in) * activation + float(b_in))
    return min(max(total, 0.0), 1.0)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("place", PLACES)
def test_what_all_components_write_is_what_the_matrix_gives(family, place, load_family):
    loaded = load_family(family)
    ids = encode(loaded.tokenizer, PROMPT).token_ids
    found = component_profiles.on_prompt(loaded, SVD, place, ids)
    factors = factors_at(loaded, SVD, place)
    x, y = seen(loaded, place, ids)
    assert torch.allclose(found.activations @ factors.V, y, atol=1e-4)
    assert float(found.activations[2, 1]) == pytest.approx(
        sum(a * b for a, b in zip(x[2].tolist(), factors.U[1].tolist(), strict=True)), abs=1e-5
    )
    # Singular vectors are at right angles: what is written has the length of the whole.
    assert torch.allclose(found.written.square().sum(1), y.square().sum(1), rtol=1e-3, atol=1e-6)
    assert found.importances is None
    assert found.alive is None
    assert found.mean_importance is None


def test_shares_leave_the_start_token_out_and_sum_to_one():
    written = torch.tensor([[100.0, 0.0], [1.0, 2.0], [2.0, 5.0]])
    found = component_profiles.OnPrompt(written, None, written)
    assert found.shares.tolist() == pytest.approx([0.3, 0.7])
    alone = component_profiles.OnPrompt(written[:1], None, written[:1])
    assert alone.shares.tolist() == [1, 0]


def test_alive_is_the_share_of_tokens_above_a_tenth():
    g = torch.tensor([[1.0, 1.0], [0.1, 0.2], [0.0, 0.3], [0.9, 0.05], [0.5, 0.11]])
    found = component_profiles.OnPrompt(g, g, g)
    assert found.alive.tolist() == [0.5, 0.75]  # 0.1 itself is not above, nor is the start token
    assert found.mean_importance.tolist() == pytest.approx([0.375, 0.165])


def test_importances_are_those_of_the_formula(with_trained):
    loaded, made = with_trained
    ids = encode(loaded.tokenizer, PROMPT).token_ids
    found = component_profiles.on_prompt(loaded, TRAINED, (0, "q"), ids)
    x, _ = seen(loaded, (0, "q"), ids)
    for position in (0, 3):
        for number in (0, 2, 5):
            inner = float(x[position] @ made[0, "q"].U[number])
            expected = importance(made[0, "q"].gate, number, inner)
            assert float(found.importances[position, number]) == pytest.approx(expected, abs=1e-4)
    assert 0 < float((found.importances > 0.1).float().mean()) < 1


def test_text_is_counted_token_by_token(with_trained):
    loaded, made = with_trained
    place, number = (0, "q"), 4
    found = component_profiles.on_text(loaded, TRAINED, place)
    own, inner = made[place], []
    for text, sentence in enumerate(SENTENCES):
        ids = encode(loaded.tokenizer, sentence).token_ids
        x, _ = seen(loaded, place, ids)
        values = (x @ own.U[number]).tolist()
        inner += [(value, text, position) for position, value in enumerate(values) if position]
    importances = [importance(own.gate, number, value) for value, *_ in inner]
    assert found.count == len(inner)
    assert found.sentences == len(found.texts) == len(SENTENCES)
    alive = sum(value > 0.1 for value in importances) / len(inner)
    assert float(found.alive[number]) == pytest.approx(alive, abs=1e-6)
    mean = sum(importances) / len(inner)
    assert float(found.importance[number]) == pytest.approx(mean, abs=1e-4)
    size = sum(abs(value) for value, *_ in inner) / len(inner) * float(own.V[number].norm())
    assert float(found.written[number]) == pytest.approx(size, rel=1e-4)
    assert float(found.shares.sum()) == pytest.approx(1, abs=1e-5)
    inner.sort(reverse=True)
    for kept, ends in (
        (found.highest[number], inner[: component_profiles.STRONGEST]),
        (found.lowest[number], inner[::-1][: component_profiles.STRONGEST]),
    ):
        assert [at.activation for at in kept] == pytest.approx([e[0] for e in ends], abs=1e-4)
        assert (kept[0].text, kept[0].position) == ends[0][1:]
        first = importance(own.gate, number, ends[0][0])
        assert kept[0].importance == pytest.approx(first, abs=1e-4)


def test_of_a_bundled_model_its_own_passages_are_read_too():
    loaded = load_model("attn-only-1l-tiny")
    found = component_profiles.on_text(loaded, SVD, (0, "v"))
    assert len(found.texts) > found.sentences == len(SENTENCES)
    assert found.count == sum(len(text) - 1 for text in found.texts)
    assert found.alive is None
    assert found.importance is None
    assert found.highest[0][0].importance is None


def test_a_character_of_several_tokens_stands_whole_in_its_text():
    loaded = load_model("attn-only-2l-tiny")
    read = [encode(loaded.tokenizer, text, max_tokens=loaded.max_tokens) for text in SENTENCES]
    assert any("<0x" in token for one in read for token in one.tokens)
    found = component_profiles.on_text(loaded, SVD, (0, "q"))
    assert not any("<0x" in token for tokens in found.texts for token in tokens)
    assert "”" in "".join(token for tokens in found.texts for token in tokens[1:])
    assert found.count == sum(len(tokens) - 1 for tokens in found.texts)
    for kept in (*found.highest, *found.lowest):
        places = [(at.text, at.position) for at in kept]
        assert len(set(places)) == len(places) == component_profiles.STRONGEST
        assert all(found.texts[text][position] for text, position in places)


def kl(clean, other):
    p, q = clean.double().softmax(-1).tolist(), other.double().softmax(-1).tolist()
    return sum(a * math.log(a / b) for a, b in zip(p, q, strict=True))


@pytest.mark.parametrize("name", "qv")
def test_the_effect_alone_is_that_of_changed_weights(name, load_family):
    loaded, component = load_family("gpt2"), Component(1, name, 1)
    encoding = encode(loaded.tokenizer, PROMPT)
    found = component_profiles.alone(loaded, SVD, component, encoding)
    assert [effect.heads and effect.heads[0].head for effect in found] == [
        None,
        *range(loaded.num_heads),
    ]
    factors = factors_at(loaded, SVD, component.place)
    module, features = place_of(loaded, component.place)
    width = len(features) // loaded.num_heads
    ids = torch.tensor([encoding.token_ids])
    for head in (None, 1):
        only = torch.ones(len(features))
        if head is not None:
            only = torch.zeros(len(features))
            only[head * width : (head + 1) * width] = 1
        part = torch.outer(factors.U[1], factors.V[1] * only)
        with torch.no_grad():
            before = loaded.model(ids).logits[0]
            module.weight[:, features] -= part  # GPT-2 has Conv1D: [in out]
            after = loaded.model(ids).logits[0]
            module.weight[:, features] += part
        effect = found[0 if head is None else 1 + head].comparison
        assert effect.kl == pytest.approx(kl(before[-1], after[-1]), rel=1e-2, abs=1e-7)
        losses = [
            torch.nn.functional.cross_entropy(logits[:-1], ids[0, 1:]).item()
            for logits in (before, after)
        ]
        assert effect.loss_change == pytest.approx(losses[1] - losses[0], abs=1e-4)
        assert effect.kl > 1e-9
    (one,) = component_profiles.alone(loaded, SVD, component, encoding, heads=[found[2].heads])
    assert one.heads == found[2].heads
    assert one.comparison.kl == pytest.approx(found[2].comparison.kl, rel=1e-3, abs=1e-8)


def test_heads_that_share_a_key_head_lose_its_components_together(load_family):
    loaded = load_family("llama")
    assert loaded.num_kv_heads < loaded.num_heads
    encoding = encode(loaded.tokenizer, PROMPT)
    found = component_profiles.alone(loaded, SVD, Component(0, "k", 0), encoding)
    assert len(found) == 1 + loaded.num_kv_heads
    assert sum(len(effect.heads) for effect in found[1:]) == loaded.num_heads
    assert len(component_profiles.alone(loaded, SVD, Component(0, "q", 0), encoding)) == (
        1 + loaded.num_heads
    )


def test_all_components_are_the_model_to_what_their_sum_misses(with_trained):
    loaded, _ = with_trained
    encoding = encode(loaded.tokenizer, PROMPT)
    exact = component_profiles.all_components(loaded, SVD, encoding)
    assert exact.kl == 0
    assert exact.loss_change == 0
    module, _ = place_of(loaded, (1, "o"))
    ids = torch.tensor([encoding.token_ids])
    with torch.no_grad():
        before = loaded.model(ids).logits[0, -1]
        module.weight *= 1.02
        after = loaded.model(ids).logits[0, -1]
        module.weight /= 1.02
    found = component_profiles.all_components(loaded, TRAINED, encoding)
    assert found.kl == pytest.approx(kl(before, after), rel=2e-2)
    assert found.kl > 0


def test_what_is_not_there_is_refused(load_family):
    loaded = load_family("gpt2")
    encoding = encode(loaded.tokenizer, PROMPT)
    with pytest.raises(DecompositionError, match="No components were trained"):
        component_profiles.on_prompt(loaded, TRAINED, (0, "q"), encoding.token_ids)
    with pytest.raises(UnknownComponentError, match="L0Q999"):
        component_profiles.alone(loaded, SVD, Component(0, "q", 999), encoding)
