"""What a head adds to the logits, against plain hooks on transformers' model: every scale counts.

The head's output is taken away behind its projection, and everything after it is frozen by hand:
MLPs and later attention give what they gave, norms on the way keep their scale. The difference of
the logits is what a direct effect and a cell of the OV table must be.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close
from transformers import AutoModelForCausalLM

from headroles.analysis import load_bridge
from headroles.analysis.direct import Direct
from headroles.circuits import CircuitSettings, composition, head_factors, weights
from headroles.circuits.layouts import parts_of
from headroles.circuits.residual import StreamError, mlps, writings
from headroles.circuits.tracing import calls_of
from headroles.errors import UnsupportedModelError
from headroles.models import load_model
from headroles.scoring import write_effects
from headroles.types import Head
from tests.families import (
    CONTEXT,
    FAMILIES,
    HEADS,
    LAYERS,
    WIDTH,
    WINDOW,
    family_config,
    save,
    widen,
)

_LLAMA = FAMILIES["llama"]
_GRANITE = {
    "residual_multiplier": 0.22,
    "embedding_multiplier": 12.0,
    "logits_scaling": 8.0,
    "attention_multiplier": 0.2,
}
SETTINGS = {
    "llama": _LLAMA,
    "granite": {**_LLAMA, **_GRANITE},
    "granitemoe": {**_LLAMA, **_GRANITE, "num_local_experts": 2, "num_experts_per_tok": 1},
    "cohere": {**_LLAMA, "logit_scale": 1 / 16},
    "cohere2": {
        **_LLAMA,
        "logit_scale": 1 / 4,
        "head_dim": 8,
        "sliding_window": WINDOW,
        "layer_types": ["sliding_attention", "full_attention"],
    },
    "gemma": {**_LLAMA, "head_dim": 16},
    "gemma2": FAMILIES["gemma2"],
    "olmo2": FAMILIES["olmo2"],
    "glm4": {**_LLAMA, "head_dim": 8},
    "gpt_neox": FAMILIES["gpt_neox"],
    "gptj": {
        "n_embd": WIDTH,
        "n_layer": LAYERS,
        "n_head": HEADS,
        "n_positions": CONTEXT,
        "rotary_dim": 4,
    },
}
NORMS_THE_STREAM = {"n_embd": WIDTH, "n_layer": LAYERS, "n_head": HEADS, "n_positions": CONTEXT}
ONCE_MORE = {
    "gemma2": "post_attention_layernorm",
    "olmo2": "post_attention_layernorm",
    "glm4": "post_self_attn_layernorm",
}
"""The norm between the attention's output and the residual stream."""
CAPS = {"gemma2": 30.0}
OUTPUTS = ("o_proj", "dense", "out_proj")


@pytest.fixture(scope="module")
def folder_of(tmp_path_factory: pytest.TempPathFactory):
    """``folder_of("granite")``: a tiny seeded model, with norms that are not all ones."""
    made = {}

    def get(family: str):
        if family not in made:
            torch.manual_seed(5)
            config = family_config(family, SETTINGS.get(family, NORMS_THE_STREAM))
            model = AutoModelForCausalLM.from_config(config, attn_implementation="eager")
            widen(model)
            with torch.no_grad():
                for weight in model.parameters():
                    if weight.ndim == 1:
                        weight.add_(0.3 * torch.randn_like(weight))
            made[family] = tmp_path_factory.mktemp(family)
            save(model, made[family])
        return made[family]

    return get


# ------------------------------------------------------------------ the independent way


@dataclass
class ByHand:
    """A transformers model whose heads are taken away with plain hooks."""

    model: nn.Module
    family: str

    @classmethod
    def of(cls, folder, family: str) -> ByHand:
        model = AutoModelForCausalLM.from_pretrained(folder, attn_implementation="eager").eval()
        return cls(model, family)

    def named(self, *names: str) -> dict[str, nn.Module]:
        found = dict(self.model.named_modules())
        return {path: one for path, one in found.items() if path.rpartition(".")[2] in names}

    @property
    def blocks(self) -> nn.ModuleList:
        inner = self.model.base_model
        return inner.h if self.family == "gptj" else inner.layers

    def projection(self, layer: int) -> nn.Module:
        inside = self.blocks[layer].named_modules()
        return next(
            one for path, one in inside if path.rpartition(".")[2] in OUTPUTS and ("att" in path)
        )

    @property
    def final_norm(self) -> nn.Module:
        inner = self.model.base_model
        for name in ("norm", "final_layer_norm", "ln_f"):
            if hasattr(inner, name):
                return getattr(inner, name)
        raise AssertionError(self.family)

    def logits(self, ids: Tensor) -> Tensor:
        """Before the family's soft cap, where it has one."""
        with torch.no_grad():
            logits = self.model(ids, use_cache=False).logits.double()
        cap = CAPS.get(self.family)
        return (cap * torch.atanh(logits / cap) if cap else logits)[0]

    def effect(self, ids: Tensor, head: Head) -> tuple[Tensor, dict[str, Tensor]]:
        """[pos vocab] the logits less those without a head, and the scales of norms on the way."""
        kept: dict[nn.Module, tuple[Tensor, Tensor]] = {}
        frozen = [*self.named("mlp", "block_sparse_moe", "attention", "self_attn", "attn").values()]
        own = self.projection(head.layer)
        frozen = [one for one in frozen if own not in one.modules()]
        norms = [self.final_norm]
        if name := ONCE_MORE.get(self.family):
            norms.append(self.blocks[head.layer].get_submodule(name))

        def keep(module: nn.Module, args: tuple, output: object) -> None:
            first = output[0] if isinstance(output, tuple) else output
            kept[module] = (args[0] if args else None, first)

        whole = self._hooked(ids, [(one, keep) for one in (*frozen, *norms, own)])
        slices = kept[own][0].unflatten(-1, (HEADS, -1))
        alone = torch.zeros_like(slices)
        alone[:, :, head.head] = slices[:, :, head.head]

        def again(module: nn.Module, args: tuple, output: object) -> object:
            first = kept[module][1]
            return (first, *output[1:]) if isinstance(output, tuple) else first

        def without(module: nn.Module, args: tuple, output: Tensor) -> Tensor:
            with torch.no_grad():
                return output - alone.flatten(2) @ module.weight.T

        scales = {}

        def linear(module: nn.Module, args: tuple, output: Tensor) -> Tensor:
            before, after = kept[module]
            centred = module.__class__.__name__.endswith("LayerNorm") and self.centres(module)
            change, seen = args[0] - before, before
            if centred:
                change, seen = (x - x.mean(-1, keepdim=True) for x in (change, seen))
            scale = seen.square().mean(-1, keepdim=True).sqrt()
            scales["final" if module is self.final_norm else "once more"] = scale[0]
            gain = 1 + module.weight if self.family.startswith("gemma") else module.weight
            return after + change / scale * gain

        hooks = [(one, again) for one in frozen] + [(one, linear) for one in norms]
        return whole - self._hooked(ids, [*hooks, (own, without)]), scales

    def centres(self, module: nn.Module) -> bool:
        return self.family in ("gpt_neox", "gptj", "cohere", "cohere2")

    def _hooked(self, ids: Tensor, hooks: list) -> Tensor:
        handles = [module.register_forward_hook(hook) for module, hook in hooks]
        try:
            return self.logits(ids)
        finally:
            for handle in handles:
                handle.remove()


# ------------------------------------------------------------------ direct effects


def direct_effects(folder, ids: Tensor, wanted: Tensor) -> Tensor:
    """[layer head wanted] on the logits at the last position, by the analysis."""
    bridge = load_bridge(str(folder))
    direct = Direct(bridge)
    along = direct.directions(wanted, torch.zeros(bridge.cfg.d_model))
    found = torch.zeros(LAYERS, HEADS, len(wanted))

    def on_layer(layer: int, seen) -> None:
        for place, direction in enumerate(seen.before(along)):
            wrote = write_effects(seen.values[0], seen.output, direction.expand(ids.shape[1], -1))
            found[layer, :, place] = torch.einsum("hk,kh->h", seen.pattern[0, :, -1], wrote)
        if seen.post:
            found[layer] /= seen.post_scale[0, -1]

    scale, _ = direct.run(ids, on_layer)
    return found / scale[0, -1]


@pytest.mark.parametrize("family", SETTINGS)
def test_a_direct_effect_is_what_taking_the_head_away_takes_from_the_logits(
    folder_of, family
) -> None:
    ids, wanted = torch.arange(5, 17).view(1, 12), torch.tensor([7, 60, 201])
    found = direct_effects(folder_of(family), ids, wanted)
    by_hand = ByHand.of(folder_of(family), family)
    for layer in range(LAYERS):
        for head in range(HEADS):
            effect, _ = by_hand.effect(ids, Head(layer, head))
            size = float(effect[-1].abs().max())
            assert size > 1e-4
            assert_close(
                found[layer, head].double(), effect[-1, wanted], atol=2e-3 * size, rtol=2e-3
            )


# ------------------------------------------------------------------ OV tables


@pytest.mark.parametrize("family", SETTINGS)
@pytest.mark.parametrize("layer", range(LAYERS))
def test_a_cell_of_ov_is_what_the_head_adds_of_a_token_alone(folder_of, family, layer) -> None:
    """Times what the norms divide by, which the tables leave out."""
    loaded = load_model(str(folder_of(family)))
    by_hand, head = ByHand.of(folder_of(family), family), Head(layer, 2)
    settings = CircuitSettings(minus_mean=False)
    factors = head_factors(loaded, head, settings)
    for token in (9, 120):
        effect, scales = by_hand.effect(torch.tensor([[token]]), head)
        expected = effect[0]
        for scale in scales.values():
            expected = expected * scale[0]
        size = float(expected.abs().max())
        found = factors.ov([token], range(len(expected)))[0].double()
        assert_close(found, expected, atol=2e-3 * size, rtol=2e-3)


def test_where_the_stream_itself_is_normed_ov_is_refused_and_qk_is_not(folder_of) -> None:
    loaded = load_model(str(folder_of("openai-gpt")))
    assert weights.layer_weights(loaded, 0).W_Q.shape[0] == HEADS
    with pytest.raises(UnsupportedModelError, match="norms the residual stream itself"):
        head_factors(loaded, Head(0, 0), CircuitSettings())
    with pytest.raises(UnsupportedModelError, match="norms the residual stream itself"):
        composition.composition(loaded, "K")


def test_composition_reads_what_stands_in_the_stream(folder_of) -> None:
    """By the large matrices: OLMo 2 norms what its heads write before it is added."""
    loaded = load_model(str(folder_of("olmo2")))
    gain = loaded.model.model.layers[0].post_attention_layernorm.weight
    first, second = weights.layer_weights(loaded, 0), weights.layer_weights(loaded, 1)
    score = composition.composition(loaded, "K", norm="none").score
    for head in range(HEADS):
        writes = first.value_of(head) @ first.W_O[head] * gain
        for later in range(HEADS):
            reads = second.key_of(later) @ second.W_Q[later].T
            expected = (writes @ reads).norm() / (writes.norm() * reads.norm())
            assert_close(score[head, HEADS + later], expected, atol=1e-4, rtol=1e-4)


def test_capped_logits_are_named_as_such(folder_of) -> None:
    assert Direct(load_bridge(str(folder_of("gemma2")))).on_what.endswith("±30")
    assert Direct(load_bridge(str(folder_of("llama")))).on_what == ""


class Squeezed(nn.Module):
    """A layer whose output is another function of what its attention writes."""

    def __init__(self, layer: nn.Module, squeeze) -> None:
        super().__init__()
        self.layer, self.squeeze = layer, squeeze

    def forward(self, hidden_states: Tensor, **settings: object) -> object:
        output = self.layer(hidden_states, **settings)
        return self.squeeze(hidden_states, output)


@pytest.mark.parametrize(
    ("squeeze", "factors"),
    [
        (lambda given, output: output * 0.5, [0.25, 0.5]),
        (lambda given, output: given + 3 * (output - given), [3.0, 3.0]),
        (lambda given, output: output * torch.linspace(0.5, 2, WIDTH), "each"),
        (lambda given, output: output.tanh(), None),
        (lambda given, output: output / output.norm(dim=-1, keepdim=True), None),
    ],
)
def test_any_multiplier_is_found_and_anything_else_refused(folder_of, squeeze, factors) -> None:
    """Families that nobody has thought of: the layers' output, changed in a way without a name."""
    model = ByHand.of(folder_of("llama"), "llama").model
    layers = model.model.layers
    for place in range(LAYERS):
        layers[place] = Squeezed(layers[place], squeeze)
    ids = torch.arange(6, 18).view(4, 3)
    run = partial(model, ids, use_cache=False)
    outputs = {place: one.layer.self_attn.o_proj for place, one in enumerate(layers)}
    made = partial(writings, list(layers), outputs, calls_of(model, run), run)
    if factors is None:
        with pytest.raises(StreamError, match="not a fixed multiple"):
            made()
        return
    found = [one.factor for one in made().values()]
    each = torch.linspace(0.5, 2, WIDTH)
    if factors == "each":
        assert_close(found[0], each**2, atol=1e-4, rtol=1e-3)
        assert_close(found[1], each, atol=1e-4, rtol=1e-3)
    else:
        assert found == pytest.approx(factors, rel=1e-4)
    assert not any(one._forward_hooks or one._forward_pre_hooks for one in model.modules())
    assert not any("forward" in one.__dict__ for one in model.modules())


@pytest.mark.parametrize(
    "squeeze",
    [
        lambda given, output: output,
        lambda given, output: output * 0.5,
        lambda given, output: given + 3 * (output - given),
        lambda given, output: output * torch.linspace(0.5, 2, WIDTH),
    ],
)
def test_embedding_attention_and_mlps_sum_to_the_end_of_the_stream(folder_of, squeeze) -> None:
    """Each with what carries it there, whatever multiplies the stream on its way."""
    model = ByHand.of(folder_of("llama"), "llama").model
    layers = model.model.layers
    for place in range(LAYERS):
        layers[place] = Squeezed(layers[place], squeeze)
    ids = torch.arange(6, 18).view(4, 3)
    run = partial(model, ids, use_cache=False)
    outputs = {place: one.layer.self_attn.o_proj for place, one in enumerate(layers)}
    calls = calls_of(model, run)
    found = writings(list(layers), outputs, calls, run)
    added = mlps(list(layers), outputs, calls, found)
    gave = {call.module: call.result for call in calls}
    assert [one.module for one in added.values()] == [one.layer.mlp for one in layers]
    total = gave[model.model.embed_tokens] * found[0].carried_in
    for place in range(LAYERS):
        total = total + gave[outputs[place]] * found[place].factor
        total = total + gave[added[place].module] * added[place].factor
    end = gave[layers[-1]]
    assert_close(total, end, atol=1e-5 * float(end.abs().max()), rtol=0)


def test_granites_numbers_are_those_of_its_config(folder_of) -> None:
    parts = parts_of(load_model(str(folder_of("granite"))))
    assert [one.factor for one in parts.writings] == pytest.approx([0.22, 0.22])
    assert parts.logit_scale == pytest.approx(1 / 8)
    direct = Direct(load_bridge(str(folder_of("granite"))))
    table = AutoModelForCausalLM.from_pretrained(folder_of("granite")).lm_head.weight
    assert_close(direct.unembed, table.T / 8, rtol=1e-5, atol=1e-6)
