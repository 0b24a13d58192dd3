"""Paths: against plain hooks on families of each layout, TransformerLens, and exact sums."""

from __future__ import annotations

import contextlib

import pytest
import torch

from headroles.ablation import LOGITS, Path, Receiver, path_effects
from headroles.ablation.paths import INPUTS
from headroles.analysis.bridge import load_bridge
from headroles.types import Head
from tests.families import HEADS, LAYERS
from tests.test_patching import _pair_of

pytestmark = pytest.mark.filterwarnings("ignore")  # the libraries' own

TOLERANCE = {"rtol": 0, "atol": 5e-5}
FAMILIES = ("llama", "gpt2", "gpt_neox", "gemma2", "phi", "bloom", "gpt_neo", "olmo2")
"""Keys in groups; one matrix for all three; the same head by head, in parallel with the MLP; norms
before and after, soft caps and windows; parallel; ALiBi; dropout probes; norms of whole queries."""
IOI = [f"When Mary and John went to the store, {name} gave a drink to" for name in ("John", "Mary")]


# ------------------------------------------------------------------ an independent way


class PlainPaths:
    """Path patching by hooks on the whole prompt, one path at a time, as the paper writes it."""

    def __init__(self, loaded, pair, direction) -> None:
        self.model, self.pair, self.sign = loaded.model, pair, -1 if direction == "noise" else 1
        ends = (pair.first, pair.second) if direction == "noise" else (pair.second, pair.first)
        self.base, self.other = (torch.tensor([one.token_ids]) for one in ends)
        self.family = loaded.model.config.model_type
        self.attention = [
            loaded.model.get_submodule(path.rpartition(".")[0]) for path in loaded.probe_paths
        ]
        names = ("c_proj", "o_proj", "out_proj", "dense")
        self.projections = [
            next(getattr(one, name) for name in names if hasattr(one, name))
            for one in self.attention
        ]
        self.own, self.sent = self._outputs(self.base), self._outputs(self.other)
        self.difference = self._difference()

    def _pass(self, ids, hooks=()):
        with contextlib.ExitStack() as stack, torch.no_grad():
            for module, hook, before in hooks:
                register = module.register_forward_pre_hook if before else (
                    module.register_forward_hook
                )  # fmt: skip
                stack.callback(register(hook).remove)
            return self.model(ids, use_cache=False).logits[0, -1].double()

    def _difference(self, hooks=()) -> float:
        logits = self._pass(self.base, hooks)
        return float(logits[self.pair.answer_id] - logits[self.pair.against_id])

    def _outputs(self, ids):
        found = {}
        hooks = [
            (module, lambda _m, args, layer=layer: found.update({layer: args[0].clone()}), True)
            for layer, module in enumerate(self.projections)
        ]
        self._pass(ids, hooks)
        return found

    def _held(self, sender):
        def hold(layer):
            def hook(_module, args):
                z = self.own[layer].clone().unflatten(-1, (HEADS, -1))
                if layer == sender.layer:
                    z[..., sender.head, :] = self.sent[layer].unflatten(-1, (HEADS, -1))[
                        ..., sender.head, :
                    ]
                return (z.flatten(-2).reshape(args[0].shape),)

            return hook

        return [(module, hold(layer), True) for layer, module in enumerate(self.projections)]

    def place(self, receiver):
        """The module of a receiver's input and its features, by the names of the family."""
        attention, head = self.attention[receiver.head.layer], receiver.head.head
        which = INPUTS.index(receiver.input)
        if self.family == "gpt2":
            width = attention.c_attn.nf // 3
            size = width // HEADS
            return attention.c_attn, slice(
                which * width + head * size, which * width + (head + 1) * size
            )
        if self.family in ("gpt_neox", "bloom"):
            module = attention.query_key_value
            size = module.out_features // (3 * HEADS)
            start = (3 * head + which) * size
            return module, slice(start, start + size)
        module = getattr(attention, f"{'qkv'[which]}_proj")
        size = attention.q_proj.out_features // HEADS
        group = HEADS // (module.out_features // size)
        return module, slice(head // group * size, (head // group + 1) * size)

    def effect(self, sender, receivers) -> float:
        held = self._held(sender)
        if receivers == (LOGITS,):
            return self.sign * (self._difference(held) - self.difference)
        found = {}
        places = [self.place(receiver) for receiver in receivers]
        keep = [
            (m, lambda module, _a, result: found.update({module: result.clone()}), False)
            for m, _ in places
        ]
        self._pass(self.base, held + keep)

        def put(module, features):
            def hook(_module, _args, result):
                result = result.clone()
                result[..., features] = found[module][..., features]
                return result

            return hook

        hooks = [(module, put(module, features), False) for module, features in places]
        return self.sign * (self._difference(hooks) - self.difference)


EVERY = [Head(layer, head) for layer in range(LAYERS) for head in range(HEADS)]


@pytest.mark.parametrize("direction", ["noise", "denoise"])
@pytest.mark.parametrize("family", FAMILIES)
def test_paths_equal_plain_hooks_on_the_whole_prompt(family, direction, load_family) -> None:
    loaded = load_family(family)
    pair = _pair_of(loaded)
    plain = PlainPaths(loaded, pair, direction)
    paths = [Path((head,)) for head in EVERY]
    paths += [
        Path((sender,), (Receiver(Head(1, head), each),))
        for sender in EVERY[:HEADS]
        for head in (0, 3)
        for each in INPUTS
    ]
    both = (Receiver(Head(1, 1), "query"), Receiver(Head(1, 2), "value"))
    paths.append(Path((Head(0, 2),), both))
    expected = [plain.effect(path.senders[0], path.receivers) for path in paths]
    found = path_effects(loaded, pair, paths, direction=direction)
    torch.testing.assert_close(found, torch.tensor(expected).double(), **TOLERANCE)
    assert float(found[: len(EVERY)].abs().max()) > 0.05  # something is sent at all
    assert float(found[len(EVERY) :].abs().max()) > 0.01


@pytest.mark.parametrize("family", ["gpt2", "llama"])
def test_paths_equal_those_by_transformer_lens(family, load_family, model_folders) -> None:
    """Its own hooks: z held, q, k and v kept and put in, by its names for them."""
    loaded = load_family(family)
    pair = _pair_of(loaded)
    bridge = load_bridge(str(model_folders(family)))
    bridge_ids, other_ids = (torch.tensor([e.token_ids]) for e in (pair.first, pair.second))
    z_name = "blocks.{}.attn.hook_z".format
    own, other = (
        {layer: cache[z_name(layer)].clone() for layer in range(LAYERS)}
        for cache in (
            bridge.run_with_cache(ids, names_filter=lambda name: name.endswith("hook_z"))[1]
            for ids in (bridge_ids, other_ids)
        )
    )

    def difference(hooks) -> float:
        with torch.no_grad():
            logits = bridge.run_with_hooks(bridge_ids, fwd_hooks=hooks)[0, -1].double()
        return float(logits[pair.answer_id] - logits[pair.against_id])

    def held(sender):
        def hold(layer):
            def hook(z, hook=None):
                new = own[layer].clone().reshape(1, z.shape[1], HEADS, -1)
                if layer == sender.layer:
                    new[:, :, sender.head] = other[layer].reshape(new.shape)[:, :, sender.head]
                return new.reshape(z.shape)

            return hook

        return [(z_name(layer), hold(layer)) for layer in range(LAYERS)]

    base = difference([])
    sender, ends = Head(0, 1), {"query": "q", "key": "k", "value": "v"}
    direct = base - difference(held(sender))
    expected = [direct]
    for letter in ends.values():
        name, kept = f"blocks.1.attn.hook_{letter}", {}

        def keep(x, hook=None, kept=kept):
            kept["x"] = x.clone()

        difference([*held(sender), (name, keep)])

        def put(x, hook=None, kept=kept):
            x, group = x.clone(), HEADS // x.shape[2]  # heads, or key/value heads
            x[:, :, 3 // group] = kept["x"][:, :, 3 // group]
            return x

        expected.append(base - difference([(name, put)]))
    paths = [Path((sender,)), *(Path((sender,), (Receiver(Head(1, 3), e),)) for e in ends)]
    found = path_effects(loaded, pair, paths)
    torch.testing.assert_close(found, torch.tensor(expected).double(), **TOLERANCE)
