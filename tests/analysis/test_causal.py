"""Knock-outs give the verdicts that planted heads deserve, and equal a hand-written hook."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from transformer_lens.model_bridge import TransformerBridge

from headroles.analysis import knockout_passes, load_bridge
from headroles.analysis.finished_parts import FinishedParts
from headroles.analysis.knockout import (
    _Runs,
    _Task,
    counted_positions,
    knocked_out,
    measure_ablation,
    untouched,
)
from headroles.analysis.measure import ProbeTexts
from headroles.models import load_model
from headroles.scoring import DRAWS, Draws, draw_control
from headroles.texts.probe_texts import pack, repeated_sequences
from headroles.types import Head
from tests.families import FAMILIES

LAYERS, HEADS, VOCABULARY = 2, 6, 50
CARRIER, HARMFUL, TWINS = Head(0, 0), Head(0, 1), (Head(1, 0), Head(1, 1))


class Planted(TransformerBridge):
    """A model of which every head's part in the right guess is known.

    A head's z is 1 where the text repeats itself, and a little noise elsewhere. The logit of the
    token that followed the earlier copy is 3 z(carrier) + 3 max(z(twin), z(other twin))
    - 2 z(harmful); all other heads do nothing.
    """

    def __init__(self) -> None:
        torch.nn.Module.__init__(self)
        self.__dict__["cfg"] = SimpleNamespace(
            n_layers=LAYERS, n_heads=HEADS, d_head=1, d_vocab=VOCABULARY
        )
        self.__dict__["blocks"] = ()  # no module keeps anything here

    def run_with_hooks(self, token_ids, *, fwd_hooks, **settings):
        repeats = counted_positions(pack(token_ids.tolist()), "repeats")
        z = repeats[:, :, None, None].float().expand(-1, -1, HEADS, 1).clone()
        seen = []
        for layer in range(LAYERS):
            out = z.clone()
            for name, hook in fwd_hooks:
                if name == f"blocks.{layer}.attn.hook_z":
                    out = hook(out, hook=None)
            seen.append(out[..., 0])
        first, second = seen
        right = 3 * first[..., 0] - 2 * first[..., 1] + 3 * second[..., :2].amax(-1)
        logits = torch.zeros(*token_ids.shape, VOCABULARY)
        following = torch.nn.functional.one_hot(token_ids[:, 1:], VOCABULARY)
        logits[:, :-1] = following * (right * repeats)[:, :-1, None]
        return logits


def probe(n: int = 12) -> ProbeTexts:
    rows = repeated_sequences(range(1, VOCABULARY), n, start_id=0, rng=np.random.default_rng(0))
    return ProbeTexts(sentences=rows, control=rows, repeats=rows)


@pytest.fixture(scope="module")
def planted():
    listed = {"induction": [CARRIER], "duplicate_token": [HARMFUL]}
    twins = measure_ablation(Planted(), probe(), {"induction": TWINS}, seed=0)["induction"]
    return measure_ablation(Planted(), probe(), listed, seed=0), twins


def test_a_head_that_carries_the_answer_alone_holds_up(planted):
    (head,) = planted[0]["induction"].heads
    assert head.verdict == "holds_up"
    # Half of the positions repeat, so its mean leaves 1 + 3 * .504 of the logit of 4: .964 nats.
    assert head.change > 0.9
    # Five other heads of the layer, one of which does harm: without it the loss falls.
    assert head.draws == 5
    assert head.same_layers
    assert head.control_mean < 0


def test_a_head_that_does_harm_has_the_opposite_effect(planted):
    (head,) = planted[0]["duplicate_token"].heads
    assert head.change < 0  # but the carrier is among the five it is compared with
    assert head.verdict == "not_special"
    alone = measure_ablation(Planted(), probe(), {"duplicate_token": [HARMFUL, CARRIER]}, seed=0)
    harmful, carrier = alone["duplicate_token"].heads
    assert harmful.verdict == "reversed"
    assert harmful.change < 0
    assert carrier.verdict == "holds_up"


def test_twins_back_each_other_up(planted):
    twins = planted[1]
    assert [one.verdict for one in twins.heads] == ["backed_up", "backed_up"]
    assert [one.change for one in twins.heads] == [0, 0]
    assert twins.group.verdict == "holds_up"
    assert twins.group.change > 0.9
    assert twins.group.heads == [tuple(head) for head in TWINS]


def test_a_head_that_does_nothing_among_twins_is_not_backed_up():
    """The group without it is missed as much as the group."""
    idle = Head(1, 4)
    listed = {"induction": [*TWINS, idle], "duplicate_token": [CARRIER, HARMFUL]}
    found = measure_ablation(Planted(), probe(), listed, seed=0)["induction"]
    assert [one.verdict for one in found.heads] == ["backed_up", "backed_up", "no_effect"]
    first, _, last = found.heads
    assert (last.part, last.part_control_mean) == (0, 0)
    # Each twin carries what the other does: without both, the group's whole effect is gone.
    assert first.part == pytest.approx(found.group.change, abs=1e-5)
    assert found.rule.parts == 6  # three heads, each against zero and against others
    assert found.rule.comparisons == 2 * (5 + 2)  # five heads and two groups


def test_a_role_is_tested_where_another_one_reads_what_it_writes_too():
    found = measure_ablation(Planted(), probe(), {"previous_token": [CARRIER]}, seed=0)
    own, repeats = found["previous_token"].everywhere
    assert (own.measured_on, repeats.measured_on) == ("sentences", "repeats")
    assert repeats.heads[0].verdict == "holds_up"
    assert repeats.rule == own.rule
    assert own.heads[0].change != repeats.heads[0].change
    alone = measure_ablation(Planted(), probe(), {"induction": [CARRIER]}, seed=0)["induction"]
    assert alone.heads[0].change == repeats.heads[0].change


def test_the_progress_never_runs_back_and_ends_at_its_total():
    seen = []

    def note(phase, done, total):
        seen.append((done, total))

    for heads in (TWINS, [CARRIER]):  # with a second round, and without
        seen.clear()
        measure_ablation(Planted(), probe(), {"induction": heads}, seed=0, progress=note)
        assert [done for done, _ in seen] == sorted(done for done, _ in seen)
        assert seen[-1][0] == seen[-1][1]


def test_a_head_that_does_nothing_has_no_effect():
    idle = measure_ablation(Planted(), probe(), {"induction": [Head(1, 4)]}, seed=0)["induction"]
    assert [one.verdict for one in idle.heads] == ["no_effect"]
    assert idle.group.verdict == "no_effect"


def test_the_change_is_what_the_formula_gives_by_hand():
    """One text, worked out: the carrier's z is 1 at 2 of 6 positions after 0, so 1/3 after."""
    text = pack([[0, 5, 6, 7, 5, 6, 7]])
    counted = counted_positions(text, "repeats")
    assert counted.nonzero().tolist() == [[0, 4], [0, 5]]  # 5 -> 6 and 6 -> 7, the second time
    baseline = untouched(Planted(), text, counted)
    assert baseline.means[0, 0].item() == pytest.approx(2 / 6)
    (loss,) = knocked_out(
        Planted(),
        text,
        [frozenset([CARRIER])],
        counted=counted,
        means=baseline.means,
    )

    def nats(logit: float) -> float:
        return float(np.log(np.exp(logit) + VOCABULARY - 1) - logit)

    assert baseline.loss.item() == pytest.approx(nats(3 - 2 + 3), abs=1e-5)
    assert loss.item() == pytest.approx(nats(3 * 2 / 6 - 2 + 3), abs=1e-5)


def test_text_that_the_model_cannot_read_proves_nothing():
    class Blind(Planted):
        def run_with_hooks(self, token_ids, **settings):
            return -super().run_with_hooks(token_ids, **settings)

    found = measure_ablation(Blind(), probe(), {"induction": [CARRIER]}, seed=0)["induction"]
    assert not found.can_read
    assert {found.heads[0].verdict, found.group.verdict} == {"cannot_tell"}


def test_sentences_count_every_token_after_the_first_that_has_a_next():
    counted = counted_positions(pack([[0, 5, 6, 7], [0, 5, 6]]), "sentences")
    assert counted.tolist() == [[False, True, True, False], [False, True, False, False]]


def test_held_out_passages_stand_in_for_the_sentences_and_all_are_used():
    own = repeated_sequences(range(1, VOCABULARY), 30, start_id=0, rng=np.random.default_rng(5))
    listed = {"previous_token": [CARRIER], "induction": [CARRIER]}
    found = measure_ablation(Planted(), probe(), listed, seed=0, held_out=own)
    assert (found["previous_token"].measured_on, found["previous_token"].n) == ("held_out", 30)
    assert (found["induction"].measured_on, found["induction"].n) == ("repeats", 12)
    without = measure_ablation(Planted(), probe(), listed, seed=0)
    assert without["previous_token"].measured_on == "sentences"
    assert without["induction"] == found["induction"]
    counted = counted_positions(own, "held_out")
    assert torch.equal(counted, counted_positions(own, "sentences"))
    loss = untouched(Planted(), own, counted).loss.mean()
    assert found["previous_token"].baseline_loss == pytest.approx(float(loss), abs=1e-5)


def test_the_control_is_of_the_same_layers_and_of_no_listed_head():
    role = [Head(0, 0), Head(0, 1), Head(1, 2)]
    drawn = draw_control(role, role, shape=(3, 8), rng=np.random.default_rng(0))
    assert len(drawn.conditions) == DRAWS == len(set(drawn.conditions))
    assert drawn.same_layers
    for one in drawn.conditions:
        assert sorted(head.layer for head in one) == [0, 0, 1]
        assert not one & set(role)


def test_a_layer_without_enough_others_borrows_from_the_nearest_and_says_so():
    role = [Head(1, n) for n in range(7)]
    drawn = draw_control(role, role, shape=(3, 8), rng=np.random.default_rng(0))
    assert not drawn.same_layers
    assert all(len(one) == 7 and not one & set(role) for one in drawn.conditions)
    assert not any(head.layer == 0 for one in drawn.conditions for head in one)
    everything = [Head(0, 0), Head(0, 1)]
    none = draw_control(everything, everything, shape=(1, 2), rng=np.random.default_rng(0))
    assert none.conditions == ()


def test_what_is_borrowed_is_of_no_role_while_there_is_enough():
    """Layer 1 is full; of layer 0 the first role heads are listed too, and stay out."""
    role, other = [Head(1, n) for n in range(6)], [Head(0, 0), Head(0, 1)]

    def control(others, heads=tuple(role[:1])):
        rng = np.random.default_rng(0)
        return draw_control(heads, role, shape=(2, 6), rng=rng, listed=[*role, *others])

    free = control(other)
    assert set().union(*free.conditions) == {Head(0, n) for n in range(2, 6)}
    assert not free.same_layers
    # Two unlisted heads are too few: then those of other roles come in as well.
    assert set().union(*control([Head(0, n) for n in range(4)]).conditions) == {
        Head(0, n) for n in range(6)
    }


def test_a_listed_head_of_the_same_circuit_is_no_control():
    """The twins need nothing of layer 0, but borrowed from it the carrier would drown them."""
    listed = {"induction": [Head(1, n) for n in range(6)], "duplicate_token": [CARRIER, HARMFUL]}
    found = measure_ablation(Planted(), probe(), listed, seed=0)["induction"]
    twin = found.of(1, 0)
    assert not twin.same_layers
    assert (twin.control_mean, twin.control_spread) == (0, 0)  # the idle heads of layer 0
    alone = measure_ablation(Planted(), probe(), {"induction": listed["induction"]}, seed=0)[
        "induction"
    ]
    assert alone.of(1, 0).control_spread > 0.1  # the carrier and the harmful one among them


@pytest.mark.parametrize("family", ["gpt2", "llama", "gpt_neo", "gemma2", "bloom"])
def test_a_knock_out_equals_a_hand_written_hook(family, model_folders):
    folder = str(model_folders(family))
    bridge = load_bridge(folder)
    texts = pack([[0, 9, 8, 7, 9, 8, 7], [0, 9, 8, 9, 8]])
    counted = counted_positions(texts, "repeats")
    baseline = untouched(bridge, texts, counted)
    heads = [Head(0, 1), Head(1, 3)]
    conditions = [frozenset([heads[0]]), frozenset(heads)]
    found = knocked_out(bridge, texts, conditions, counted=counted, means=baseline.means)
    for place, condition in enumerate(conditions):
        for row, length in enumerate(texts.lengths.tolist()):
            ids = texts.token_ids[row, :length]
            expected = by_hand(folder, ids, condition, baseline.means)
            loss = expected[counted[row, :length].nonzero().flatten()].mean()
            torch.testing.assert_close(found[place, row], loss, atol=1e-5, rtol=0)


@pytest.mark.parametrize("family", ["gpt2", "llama"])
def test_what_a_head_adds_to_the_others_equals_hand_written_hooks(family, model_folders):
    folder = str(model_folders(family))
    bridge, texts = load_bridge(folder), repeated_texts()
    heads = (Head(0, 1), Head(1, 3), Head(1, 0))
    others = Draws((frozenset([Head(0, 2)]), frozenset([Head(0, 3)])), True, 2)
    draws = {frozenset([head]): others for head in heads} | {frozenset(heads): others}
    task = _Task("induction", heads, "repeats", 5.0, draws)
    run = _Runs(bridge, texts, "repeats", FinishedParts(None, {}))
    run.run(task.conditions, lambda more: None)
    run.run(task.conditions_without([heads[0]]), lambda more: None)
    counted = counted_positions(texts, "repeats")
    means = untouched(bridge, texts, counted).means

    def loss(*out):
        """[n] plain losses of transformers' own model without these heads."""
        rows = zip(texts.token_ids, texts.lengths.tolist(), counted, strict=True)
        return torch.stack(
            [
                by_hand(folder, ids[:length], frozenset(out), means)[places[: length - 1]].mean()
                for ids, length, places in rows
            ]
        )

    without = loss(*heads[1:])
    expected = loss(*heads) - without
    placed = [(loss(*heads[1:], Head(0, n)) - without).mean().item() for n in (2, 3)]
    part = task.part(heads[0], run.changes)
    assert part.change == pytest.approx(expected.mean().item(), abs=2e-5)
    error = expected.std().item() / len(expected) ** 0.5
    assert part.standard_error == pytest.approx(error, abs=2e-5)
    assert part.control_mean == pytest.approx(sum(placed) / 2, abs=2e-5)
    assert abs(part.change) > 1e-3  # else nothing was compared


def by_hand(folder, ids, condition, means):
    """[pos] losses of transformers' own model with a hook before each output projection."""
    from headroles.capture.interventions import output_projections

    loaded = load_model(folder)
    handles = []
    for head in condition:
        width = means.shape[-1]

        def replace(module, given, head=head, width=width):
            z = given[0].clone()
            flat = z.reshape(1, len(ids), -1)
            flat[0, 1:, head.head * width : (head.head + 1) * width] = means[head]
            return (flat.reshape(z.shape), *given[1:])

        projection = loaded.model.get_submodule(output_projections(loaded)[head.layer])
        handles.append(projection.register_forward_pre_hook(replace))
    with torch.inference_mode():
        logits = loaded.model(ids[None], use_cache=False).logits[0]
    for handle in handles:
        handle.remove()
    return torch.nn.functional.cross_entropy(logits[:-1], ids[1:], reduction="none")


# ------------------------------------------------------------------ passes from a layer on

CONDITIONS = [
    frozenset(heads)
    for heads in (
        [Head(1, 0)],
        [Head(0, 1)],
        [Head(1, 2), Head(0, 3)],
        [Head(1, 3)],
        [Head(1, 3), Head(1, 1)],
    )
]
"""Some begin in the last layer, some in the first, and not in order."""


def one_by_one(bridge, texts, counted, means):
    """[condition n] losses of plain passes, a text and a condition at a time."""
    losses = torch.zeros(len(CONDITIONS), len(texts))
    for place, condition in enumerate(CONDITIONS):
        for row, length in enumerate(texts.lengths.tolist()):
            ids = texts.token_ids[row, :length]

            def replace(z, hook, condition=condition):
                layer = int(hook.name.split(".")[1])
                for head in condition:
                    if head.layer == layer:
                        flat = z.view(*z.shape[:2], *means.shape[1:])  # OPT's z is flat
                        flat[:, 1:, head.head] = means[head]
                return z

            hooks = [(f"blocks.{layer}.attn.hook_z", replace) for layer in range(2)]
            with torch.inference_mode():
                logits = bridge.run_with_hooks(ids[None], fwd_hooks=hooks, use_cache=False)[0]
            nats = torch.nn.functional.cross_entropy(logits[:-1], ids[1:], reduction="none")
            losses[place, row] = nats[counted[row, : length - 1]].mean()
    return losses


def repeated_texts():
    generator = torch.Generator().manual_seed(0)
    halves = [torch.randint(1, 250, (n,), generator=generator).tolist() for n in (3, 4, 4, 7, 11)]
    return pack([[0, *half, *half] for half in halves])


@pytest.mark.parametrize("family", FAMILIES)
def test_skipping_what_a_condition_leaves_as_it_is_changes_no_number(family, model_folders):
    bridge = load_bridge(str(model_folders(family)))
    texts = repeated_texts()
    counted = counted_positions(texts, "repeats")
    means = untouched(bridge, texts, counted).means
    expected = one_by_one(bridge, texts, counted, means)
    assert expected.std(0).min() > 1e-3  # the conditions differ
    losses = knocked_out(bridge, texts, CONDITIONS, counted=counted, means=means)
    torch.testing.assert_close(losses, expected, atol=1e-5, rtol=0)
    assert knockout_passes._is_exact(bridge, texts, CONDITIONS, counted, means)


def test_a_model_whose_layers_share_more_than_the_residual_stream_is_run_whole(model_folders):
    """Its last layer reads what the first attention wrote, past the residual stream."""
    bridge = load_bridge(str(model_folders("llama")))
    written = []
    bridge.blocks[0].attn.register_forward_hook(lambda *call: written.append(call[-1][0]))
    bridge.blocks[1].register_forward_hook(lambda *call: call[-1] + written[-1])
    texts = repeated_texts()
    counted = counted_positions(texts, "repeats")
    means = untouched(bridge, texts, counted).means
    assert not knockout_passes._is_exact(bridge, texts, CONDITIONS, counted, means)
    losses = knocked_out(bridge, texts, CONDITIONS, counted=counted, means=means)
    expected = one_by_one(bridge, texts, counted, means)
    torch.testing.assert_close(losses, expected, atol=1e-5, rtol=0)


def test_passes_that_are_cut_in_another_way_have_other_names(model_folders, monkeypatch):
    """Else an analysis that goes on would take up the losses of other conditions and texts."""
    bridge, texts = load_bridge(str(model_folders("gpt2"))), repeated_texts()
    counted = counted_positions(texts, "repeats")
    means = untouched(bridge, texts, counted).means
    names: dict[bool, set[str]] = {True: set(), False: set()}
    for is_exact, seen in names.items():
        monkeypatch.setattr(knockout_passes, "_is_exact", lambda *_, answer=is_exact: answer)

        def note(name, run, seen=seen):
            seen.add(name)
            return run()

        knocked_out(bridge, texts, CONDITIONS, counted=counted, means=means, recall=note)
    assert all(names.values())
    assert not names[True] & names[False]
