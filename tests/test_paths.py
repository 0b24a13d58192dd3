"""Paths: against plain hooks on families of each layout, TransformerLens, and exact sums."""

from __future__ import annotations

import contextlib
import csv
import json
import math
import statistics
from dataclasses import replace

import pytest
import torch
from scipy import stats
from torch import nn

from headroles.ablation import (
    LOGITS,
    Path,
    Receiver,
    SenderMap,
    path_circuit,
    path_effects,
    paths,
    sender_maps,
    shared_with,
)
from headroles.ablation.pairs import Pair, make_pair
from headroles.ablation.paths import INPUTS
from headroles.analysis.bridge import load_bridge
from headroles.capture.interventions import head_weights
from headroles.errors import HeadrolesError, UnknownHeadError, UnsupportedModelError
from headroles.models import load_model
from headroles.types import Head
from scripts import patch_paths
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
        self.model, self.pair, self.heads = loaded.model, pair, loaded.num_heads
        self.sign = -1 if direction == "noise" else 1
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
                z = self.own[layer].clone().unflatten(-1, (self.heads, -1))
                if layer == sender.layer:
                    z[..., sender.head, :] = self.sent[layer].unflatten(-1, (self.heads, -1))[
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
            size = width // self.heads
            return attention.c_attn, slice(
                which * width + head * size, which * width + (head + 1) * size
            )
        if self.family in ("gpt_neox", "bloom"):
            module = attention.query_key_value
            size = module.out_features // (3 * self.heads)
            start = (3 * head + which) * size
            return module, slice(start, start + size)
        module = getattr(attention, f"{'qkv'[which]}_proj")
        size = attention.q_proj.out_features // self.heads
        group = self.heads // (module.out_features // size)
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
    groups = [Receiver.parse_group(f"L1H0/L1H3.{each}") for each in INPUTS]
    paths += [Path((sender,), group) for sender in EVERY[:HEADS] for group in groups]
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


# ------------------------------------------------------------------ sums that are exact


@pytest.fixture
def linear(model_folders):
    """A model whose logits are linear in its heads' outputs: no MLP, no last norm."""
    loaded = load_model(str(model_folders("gpt2")))
    for block in loaded.model.transformer.h:
        for parameter in block.mlp.c_proj.parameters():
            parameter.data.zero_()
    loaded.model.transformer.ln_f = nn.Identity()
    return loaded


def test_without_mlps_and_norm_a_path_into_the_logits_is_what_the_head_writes(linear) -> None:
    pair = _pair_of(linear)
    found = path_effects(linear, pair, [Path((head,)) for head in EVERY])
    plain = PlainPaths(linear, pair, "noise")
    W_U = linear.model.lm_head.weight.detach()
    along = (W_U[pair.answer_id] - W_U[pair.against_id]).double()
    for head, effect in zip(EVERY, found, strict=True):
        own, sent = (
            z[head.layer].unflatten(-1, (HEADS, -1))[0, -1, head.head].double()
            for z in (plain.own, plain.sent)
        )
        W_O = head_weights(linear)[head.layer][head.head].double()
        assert float((own - sent) @ W_O @ along) == pytest.approx(float(effect), abs=1e-4)
    # the last token is the same in both prompts, so the heads make all of the difference
    assert float(found.sum()) == pytest.approx(pair.gap, abs=1e-4)


def test_all_heads_together_send_what_makes_the_difference(linear) -> None:
    """Also with ``denoise``, and for all senders of one path at once."""
    pair = _pair_of(linear)
    for direction in ("noise", "denoise"):
        (whole,) = path_effects(linear, pair, [Path(tuple(EVERY))], direction=direction)
        assert float(whole) == pytest.approx(pair.gap, abs=1e-4)


# ------------------------------------------------------------------ records and refusals


def test_heads_that_share_keys_and_values_receive_together(load_family) -> None:
    llama, gpt2 = load_family("llama"), load_family("gpt2")  # four heads on two, and on four
    key, query = Receiver(Head(1, 0), "key"), Receiver(Head(1, 0), "query")
    assert shared_with(llama, [key]) == (Head(1, 1),)
    assert shared_with(llama, [query]) == shared_with(llama, [LOGITS]) == ()
    assert shared_with(gpt2, [key]) == ()
    pair = _pair_of(llama)
    both = path_effects(
        llama, pair, [Path((Head(0, 2),), (Receiver(Head(1, n), "value"),)) for n in (0, 1)]
    )
    assert float(both[0]) == pytest.approx(float(both[1]), abs=1e-6)


def test_only_a_head_of_an_earlier_layer_sends(load_family) -> None:
    loaded = load_family("gpt_neox")  # in parallel: attention and MLP read the same stream
    (same,) = path_effects(
        loaded, _pair_of(loaded), [Path((Head(1, 0),), (Receiver(Head(1, 2), "query"),))]
    )
    assert math.isnan(float(same))


def test_what_is_no_path_is_refused(load_family) -> None:
    loaded = load_family("gpt2")
    pair = _pair_of(loaded)
    with pytest.raises(UnknownHeadError, match="L7H0"):
        path_effects(loaded, pair, [Path((Head(7, 0),))])
    with pytest.raises(HeadrolesError, match="not in both"):
        path_effects(loaded, pair, [Path((Head(0, 0),), (LOGITS, Receiver(Head(1, 0), "key")))])
    for text in ("L1H0", "L1H0.output", "", "residual"):
        with pytest.raises(HeadrolesError, match="no end of a path"):
            Receiver.parse(text)
    assert Receiver.parse(" l20h3.K ") == Receiver(Head(20, 3), "key")
    assert Receiver.parse("Logits") == LOGITS
    assert Receiver.parse("L20H3.value").label == "L20H3.value"
    for text in ("logits", "L20H3.value", "L20H3/L20H5.key"):
        assert paths.group_label(Receiver.parse_group(text)) == text
    assert len(Receiver.parse_group("L20H3/L20H5.k")) == 2


def test_a_pass_that_does_not_come_out_as_it_should_is_refused(load_family, monkeypatch) -> None:
    loaded = load_family("gpt2")
    monkeypatch.setitem(loaded.tools, "path_runs", {})
    taken = paths.edits
    monkeypatch.setattr(paths, "edits", lambda *a, **k: (taken(*a, **k)[0], {}))  # none is held
    with pytest.raises(UnsupportedModelError, match="every head held"):
        path_effects(loaded, _pair_of(loaded), [Path((Head(0, 0),))])


@pytest.mark.parametrize("family", ["llama", "bloom", "mistral"])
def test_later_tokens_alone_give_what_the_whole_prompt_gives(
    family, load_family, monkeypatch
) -> None:
    loaded = load_family(family)
    ends = [(Receiver(Head(1, head), each),) for head in range(HEADS) for each in INPUTS]
    asked = [Path((Head(0, 1),), end) for end in ends]
    alone = path_effects(loaded, _pair_of(loaded), asked)
    assert loaded.tools["beginning"].cache is not None
    monkeypatch.setattr(paths.beginnings, "known", lambda *_: None)
    whole = path_effects(loaded, _pair_of(loaded), asked)
    torch.testing.assert_close(alone, whole, **TOLERANCE)


# ------------------------------------------------------------------ control


def _map(each) -> SenderMap:
    """A map of made-up effects [pair layer head], with a gap of 10."""
    effects = torch.tensor(each).double()
    pair = Pair(None, None, (1,), 1, "a", 2, "b", 6.0, -4.0)
    return SenderMap((LOGITS,), (pair,) * len(effects), "noise", effects)


SMALL = [0.1, -0.1, 0.06, -0.06, 0.02, -0.02, 0.0]


def test_two_heads_that_stand_out_do_not_hide_each_other() -> None:
    found = _map([[[3.0, 2.9, *SMALL]]])
    first, second, third = found.strongest(3)
    assert (first.sender, first.verdict) == (Head(0, 0), "holds_up")
    assert (second.sender, second.verdict) == (Head(0, 1), "holds_up")
    assert not third.is_clear
    assert first.control_heads == second.control_heads == 7
    assert first.control_mean == pytest.approx(0.0)
    assert first.control_spread == pytest.approx(statistics.stdev(SMALL))
    assert (first.share, first.error) == (pytest.approx(0.3), None)
    assert _map([[[-3.0, 2.9, *SMALL]]]).judged(Head(0, 0)).verdict == "reversed"


def test_how_far_a_head_must_stand_out() -> None:
    """By hand: of n = 8 heads, t(6) at .05 / 8, two-sided, times s sqrt(1 + 1/7) from the mean."""
    wide = stats.t.ppf(1 - 0.05 / 8 / 2, 6) * statistics.stdev(SMALL) * math.sqrt(8 / 7)
    assert _map([[[1.01 * wide, *SMALL]]]).judged(Head(0, 0)).is_clear
    assert _map([[[0.99 * wide, *SMALL]]]).judged(Head(0, 0)).verdict == "not_special"


def test_an_effect_must_be_the_same_over_pairs_and_a_share_of_the_gap() -> None:
    steady = [[[2.0 + step, *SMALL]] for step in (0.1, -0.1, 0.2, -0.2)]
    sent = _map(steady).judged(Head(0, 0))
    assert sent.is_clear
    assert sent.error == pytest.approx(statistics.stdev([2.1, 1.9, 2.2, 1.8]) / 2)
    once = [[[8.0, *SMALL]], [[0.0, *SMALL]], [[0.0, *SMALL]], [[0.0, *SMALL]]]
    assert _map(once).judged(Head(0, 0)).verdict == "no_effect"
    tiny = [[[0.09, *([0.0001, -0.0001] * 4)]]]  # under a hundredth of the gap of 10
    assert _map(tiny).judged(Head(0, 0)).verdict == "no_effect"


def test_few_heads_are_compared_with_those_of_the_nearest_layers() -> None:
    layers = [[0.1, -0.1], [0.0, 0.05], [3.0, 0.0], [math.nan, math.nan]]
    sent = _map([layers]).judged(Head(2, 0))
    assert sent.is_clear
    assert sent.control_heads == 5
    alone = _map([[[3.0, math.nan]]]).judged(Head(0, 0))
    assert (alone.verdict, alone.control_mean) == ("not_tested", None)


# ------------------------------------------------------------------ the bundled model


@pytest.fixture(scope="module")
def demo():
    return load_model("demo")


@pytest.fixture(scope="module")
def pairs(demo):
    pair = make_pair(demo, *IOI, answer="Mary", against="John")
    return sender_maps.more_pairs(demo, pair, 8)


def test_pairs_with_other_names(demo, pairs) -> None:
    assert len(pairs) == 8
    assert len({pair.first_text for pair in pairs}) == 8
    for pair in pairs:
        assert (pair.differ, pair.length) == (pairs[0].differ, pairs[0].length)
        one, other = pair.answer.strip(), pair.against.strip()
        assert pair.first_text == IOI[0].replace("Mary", one).replace("John", other)
        assert pair.second_text == IOI[1].replace("Mary", one).replace("John", other)
    again = sender_maps.more_pairs(demo, pairs[0], 8)
    assert [pair.first_text for pair in again] == [pair.first_text for pair in pairs]
    birds = make_pair(demo, "The bird sang in the tree. The bird sang in the",
                      "The bird sang in the box. The bird sang in the")  # fmt: skip
    assert sender_maps.more_pairs(demo, birds, 8) == (birds,)  # no names


def test_the_circuit_of_the_bundled_model(demo, pairs) -> None:
    told = []
    circuit = path_circuit.grow(demo, pairs, on_part=lambda *done: told.append(done))
    assert circuit.levels[0] == (Head(3, 7), Head(3, 5), Head(3, 3))
    assert circuit.levels[1] == (Head(2, 6),)
    assert circuit.levels[2] == (Head(0, 6),)  # a previous-token head
    assert told[-1][0] == told[-1][1]
    into = [arrow.into for arrow in circuit.arrows if arrow.sender == Head(2, 6)]
    assert into == ["L3H3/L3H5/L3H7.value"]  # together
    assert all(abs(arrow.share) >= 0.02 for arrow in circuit.arrows)
    for arrow in circuit.arrows:
        path = Path((arrow.sender,), arrow.receivers)
        each = [float(path_effects(demo, pair, [path])[0]) for pair in pairs]
        assert statistics.fmean(each) == pytest.approx(arrow.effect, abs=1e-4)
        assert statistics.stdev(each) / math.sqrt(8) == pytest.approx(arrow.error, abs=1e-4)
    assert sum(arrow.share for arrow in circuit.arrows if arrow.into == "logits") > 0.85


def test_heads_that_do_the_same_as_one_that_stands_out_are_asked_with_it(pairs) -> None:
    """All heads of the layer carry the answer: beside the largest, none is clear of the others."""
    circuit = path_circuit.begin(pairs, 2, 9)
    alike = [1.0, 0.9, 0.8, 0.85, 0.7, 0.75, 0.6, 0.65]
    written = replace(_map([[[0.0] * 9, [5.0, *alike]]]), pairs=pairs[:1])
    assert [written.judged(Head(1, head)).is_clear for head in range(3)] == [True, False, False]
    grown = circuit.grown([written])
    everyone = tuple(Head(1, head) for head in range(9))
    assert grown.followed == everyone
    groups = [paths.group_label(group) for group in grown.next().groups]
    assert groups == ["/".join(head.label for head in everyone) + f".{each}" for each in INPUTS]


def test_a_circuit_without_heads_that_stand_out_is_done_at_once(demo, pairs) -> None:
    circuit = path_circuit.begin(pairs, 1, 8)
    none = replace(_map([[[*SMALL, 0.01]]]), pairs=pairs)
    grown = circuit.grown([none])
    assert grown.is_done
    assert grown.next() is None
    assert grown.arrows == ()


def test_the_command(capsys, tmp_path) -> None:
    table = tmp_path / "table.csv"
    given = [*IOI, "--answer", "Mary", "--against", "John"]
    assert patch_paths.main([*given, "--json", "--csv", str(table)]) == 0
    numbers = json.loads(capsys.readouterr().out)
    assert numbers["into"] == ["logits"]
    assert len(numbers["senders"]) == 32
    assert numbers["senders"][0]["sender"] == "L3H5"
    assert numbers["model"] == "demo"
    lines = table.read_text("utf-8-sig").splitlines()
    assert '# into: ["logits"]' in lines
    rows = list(csv.DictReader(line for line in lines if not line.startswith("#")))
    assert [row["sender"] for row in rows] == [one["sender"] for one in numbers["senders"]]
    assert [float(row["effect"]) for row in rows] == pytest.approx(
        [one["effect"] for one in numbers["senders"]], abs=1e-6
    )
    assert patch_paths.main([*given, "--into", "L3H5.value", "--from", "L2H6,L3H0"]) == 0
    text = capsys.readouterr().out
    assert "L2H6" in text
    assert "L3H0 cannot send there" in text
    assert (
        patch_paths.main([*given, "--circuit", "--pairs", "3", "--json", "--csv", str(table)]) == 0
    )
    circuit = json.loads(capsys.readouterr().out)
    assert len(circuit["pairs"]) == 3
    assert circuit["arrows"][0]["into"] == "logits"
    rows = [line for line in table.read_text("utf-8-sig").splitlines() if line[0] != "#"]
    assert len(rows) == 1 + len(circuit["arrows"])
    assert patch_paths.main([*given, "--circuit", "--into", "logits"]) == 2
    assert patch_paths.main([*given, "--width", "3"]) == 2
    assert patch_paths.main([*given, "--into", "L9H9.query"]) == 2
