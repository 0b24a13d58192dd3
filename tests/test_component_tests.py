"""What a set of components does beside heads and random others: proved against changed weights."""

from __future__ import annotations

import contextlib
import copy

import pytest
import torch

from headroles.ablation import component_tests, controls, induction_circuit, offset_test
from headroles.ablation.component_model import place_of
from headroles.ablation.conditions import (
    ALL_COMPONENTS,
    MEAN,
    UNTOUCHED,
    Condition,
    HeadOutput,
    Without,
    removal,
)
from headroles.ablation.outcomes import repeated_positions
from headroles.circuits import SVD, TRAINED, factors_at, places_of
from headroles.circuits.trained_components import Factors, Gate
from headroles.errors import UnknownComponentError, UnknownHeadError
from headroles.scoring import role_activation
from headroles.types import Component, ComponentSet, Head

ROW = (0, 5, 9, 7, 3, 5, 9, 7, 3)
Q = ComponentSet((Component(0, "q", 2), Component(0, "q", 5)))
ACROSS = ComponentSet((Component(0, "v", 1), Component(1, "k", 0), Component(1, "k", 3)))


@contextlib.contextmanager
def removed_from_the_weights(loaded, components):
    """While it is open, the matrices lack these components of the SVD: plain Linear weights."""
    before = {}
    for component in components:
        module, _ = place_of(loaded, component.place)
        factors = factors_at(loaded, SVD, component.place)
        before.setdefault(module, module.weight.data.clone())
        part = torch.outer(factors.U[component.number], factors.V[component.number])
        module.weight.data = module.weight.data - part.T
    try:
        yield
    finally:
        for module, weight in before.items():
            module.weight.data = weight


def plain(loaded, ids):
    """(logits, attentions) of the model as it stands, without anything of this project."""
    with torch.no_grad():
        # of a copy: asked for attention, a model keeps hooks of transformers
        out = copy.deepcopy(loaded.model)(torch.tensor([ids]), output_attentions=True)
    return out.logits[0], out.attentions


@pytest.fixture
def loaded(load_family):
    return load_family("llama")


@pytest.fixture
def trained(loaded, monkeypatch):
    """The model with trained components that miss a little of its weights."""
    torch.manual_seed(0)
    made = {}
    for place in places_of(loaded, SVD):
        svd = factors_at(loaded, SVD, place)
        count = len(svd.U)
        turn = torch.linalg.qr(torch.randn(count, count)).Q
        gate = Gate(
            torch.zeros(count, 1), torch.zeros(count, 1), torch.zeros(count, 1),
            (torch.arange(count) % 2).float(),  # every other one is always alive
        )  # fmt: skip
        made[place] = Factors(turn @ svd.U, turn @ svd.V * 0.98, gate)
    monkeypatch.setitem(loaded.tools, "components-trained", made)
    return loaded


def test_the_loss_on_repeats_is_that_of_changed_weights(loaded):
    found = component_tests.losses_on_repeats(loaded, ROW, [UNTOUCHED, removal(ACROSS, SVD)])
    with removed_from_the_weights(loaded, ACROSS.components):
        logits, _ = plain(loaded, ROW)
    assert repeated_positions(ROW) == (6, 7, 8)
    nats = [-float(logits[place - 1].log_softmax(-1)[ROW[place]]) for place in (6, 7, 8)]
    assert float(found[1]) == pytest.approx(sum(nats) / 3, abs=1e-4)
    assert abs(float(found[1] - found[0])) > 1e-5
    with pytest.raises(ValueError, match="earlier copy"):
        component_tests.losses_on_repeats(loaded, (0, 1, 2, 3), [UNTOUCHED])


def test_the_induction_score_is_that_of_changed_weights(loaded):
    heads, subject = [Head(1, 0), Head(1, 2)], component_tests.of_components(loaded, ACROSS, SVD)
    found = component_tests.on_repeats(loaded, ROW, subject, heads).induction

    def by_hand(attentions):
        patterns = attentions[1][0][[head.head for head in heads]]  # [head query key]
        return role_activation(patterns, torch.tensor(ROW), "induction").value.tolist()

    assert found.before.tolist() == pytest.approx(by_hand(plain(loaded, ROW)[1]), abs=1e-4)
    with removed_from_the_weights(loaded, ACROSS.components):
        after = by_hand(plain(loaded, ROW)[1])
    assert found.after.tolist() == pytest.approx(after, abs=1e-4)
    assert max(abs(found.after - found.before)) > 1e-6


def test_what_a_value_component_carries_is_that_of_changed_weights(loaded):
    ids = (0, 5, 9, 7, 3, 8)
    gone = ComponentSet((Component(1, "v", 0), Component(1, "v", 1)))
    sample = offset_test.Sample(ids)
    found = offset_test.measure(loaded, sample, removal(gone, SVD), offsets=3)

    def shifts():
        """Nats by which the last guess moves when a value is kept from the last token alone."""
        attention, values = loaded.model.model.layers[1].self_attn, []
        handle = attention.v_proj.register_forward_hook(lambda *given: values.append(given[2]))
        clean, patterns = plain(loaded, ids)
        handle.remove()
        width = values[0].shape[-1] // loaded.model.config.num_key_value_heads
        by_head = values[0][0].unflatten(-1, (-1, width))  # [pos kv dim]
        each = loaded.num_heads // by_head.shape[1]
        moved = []
        for k in (1, 2, 3):
            key = len(ids) - 1 - k
            read = patterns[1][0, :, -1, key, None] * by_head[key].repeat_interleave(each, 0)

            def hook(_module, given, read=read):
                z = given[0].clone()
                z[0, -1] -= read.flatten()
                return (z,)

            handle = attention.o_proj.register_forward_pre_hook(hook)
            hidden, _ = plain(loaded, ids)
            handle.remove()
            before, after = (one[-1].double().log_softmax(-1) for one in (clean, hidden))
            moved.append(float((before.exp() * (before - after)).sum()))
        return moved

    assert found.with_head.tolist() == pytest.approx(shifts(), rel=1e-2, abs=1e-7)
    with removed_from_the_weights(loaded, gone.components):
        without = shifts()
    assert found.without_head.tolist() == pytest.approx(without, rel=1e-2, abs=1e-7)
    assert found.without_head[0] != found.with_head[0]


def test_at_one_token_only_its_query_lacks_components(loaded):
    sample = offset_test.Sample((0, 5, 9, 7, 3, 8))
    here = offset_test.measure(loaded, sample, removal(Q, SVD), offsets=2)
    by_hand = Condition("", (Without(Q.components, SVD, positions=(5,)),))
    again = offset_test.measure(loaded, sample, by_hand, offsets=2)
    assert here.without_head.tolist() == again.without_head.tolist()
    head = offset_test.measure(loaded, sample, Head(0, 1), offsets=2)  # the same layer is hidden
    assert here.with_head.tolist() == pytest.approx(head.with_head.tolist(), rel=1e-3)
    with pytest.raises(ValueError, match="the same model"):
        offset_test.measure(loaded, sample, removal(Q, SVD), offsets=2, others=[Head(0, 1)])


def test_trained_components_are_compared_with_the_model_of_all_of_them(trained):
    subject = component_tests.of_components(trained, Q, draws=4)
    found = component_tests.on_repeats(trained, ROW, subject)
    every, untouched = component_tests.losses_on_repeats(trained, ROW, [ALL_COMPONENTS, UNTOUCHED])
    assert found.loss_before == pytest.approx(float(every))
    assert abs(float(every - untouched)) > 1e-5
    sample = offset_test.Sample((0, 5, 9, 7, 3, 8))
    none_off = offset_test.measure(trained, sample, Condition("", (Without((Component(0, "q", 2),),
        only_in=()),)), offsets=2)  # fmt: skip
    assert none_off.without_head.tolist() == pytest.approx(none_off.with_head.tolist(), rel=1e-4)


def test_heads_and_components_stand_side_by_side(trained):
    heads = component_tests.of_heads(trained, [Head(0, 1)], draws=3)
    sets = component_tests.of_components(trained, Q, draws=3)
    svd = component_tests.of_components(
        trained, component_tests.nearest_svd(trained, Q), SVD, draws=3
    )
    assert [one.kind for one in (heads, sets, svd)] == ["heads", TRAINED, SVD]
    assert [one.size for one in (heads, sets, svd)] == [1, 2, 2]
    rows = [ROW, (0, 4, 8, 6, 2, 4, 8, 6, 2)]
    for subject in (heads, sets, svd):
        measured = [component_tests.on_repeats(trained, row, subject, [Head(1, 0)]) for row in rows]
        effect = component_tests.loss_effect(measured)
        assert effect.draws == 3
        rises = [one.loss_after - one.loss_before for one in measured]
        assert effect.effect == pytest.approx(sum(rises) / 2)
        others = [sum(float(m.loss_others[d]) - m.loss_before for m in measured) / 2
                  for d in range(3)]  # fmt: skip
        assert effect.mean == pytest.approx(sum(others) / 3, abs=1e-6)
        (drop,) = component_tests.induction_drops(measured, subject)
        assert drop.draws == 3
        assert drop.drop == pytest.approx(drop.before - drop.after, abs=1e-6)
        sample = offset_test.Sample((0, 5, 9, 7, 3, 8))
        carried = [component_tests.carries(trained, sample, subject, offsets=2, most=2)]
        judged = component_tests.carried_effect(carried)
        assert judged.effect == pytest.approx(
            float(carried[0].with_head[0] - carried[0].without_head[0])
        )
        assert judged.draws == 2


def test_the_nearest_of_the_svd_hold_most_of_what_is_taken(loaded, monkeypatch):
    svd = factors_at(loaded, SVD, (0, "q"))
    mixed = Factors(svd.U[[4, 1, 0]] * -3.0, svd.V[[4, 1, 0]])
    monkeypatch.setitem(loaded.tools, "components-trained", {(0, "q"): mixed})
    near = component_tests.nearest_svd(loaded, ComponentSet.parse("L0Q0, L0Q1 @ H1"))
    assert near.label == "L0Q1, L0Q4 @ L0H1"


def test_random_components_are_others_of_the_same_matrices_that_are_alive(trained):
    alive = controls.alive_on(trained, [ROW])
    assert all(number % 2 for number in alive[0, "q"])
    assert len(alive[0, "q"]) == len(factors_at(trained, TRAINED, (0, "q")).U) // 2
    taken = Condition("", (
        Without((Component(0, "q", 1), Component(0, "q", 2)), only_in=(Head(0, 1),)),
        Without((Component(1, "v", 0),), positions=(3,)),
    ))  # fmt: skip
    control = controls.random_components(taken, trained, pool=alive, draws=6)
    assert len({other.components for other in control.conditions}) == 6
    for other in control.conditions:
        assert not set(other.components) & set(taken.components)
        assert [c.place for c in other.components] == [c.place for c in taken.components]
        assert all(c.number % 2 for c in other.components)
        assert [change.only_in for change in other.changes] == [(Head(0, 1),), None]
        assert [change.positions for change in other.changes] == [None, (3,)]
        assert other.baseline == taken.baseline
    assert control.note.startswith(
        "6 random choices of 3 other components, from Q of layer 0 (2 of"
    )
    assert "alive on text" in control.note
    again = controls.random_components(taken, trained, pool=alive, draws=6)
    assert again.conditions == control.conditions


def test_without_a_pool_random_components_are_among_the_largest(loaded):
    place = (0, "q")
    S = (factors_at(loaded, SVD, place).U.norm(dim=1) ** 2).tolist()  # V has length one
    large = controls.largest(loaded, SVD, place)
    assert sum(S[: len(large)]) >= 0.9 * sum(S) > sum(S[: len(large) - 1])
    control = controls.random_components(removal(Q, SVD), loaded, draws=5)
    drawn = {c.number for other in control.conditions for c in other.components}
    assert drawn <= set(large) - {2, 5}
    assert "largest" in control.note
    everything = ComponentSet(tuple(Component(*place, n) for n in range(len(S))))
    none = controls.random_components(removal(everything, SVD), loaded)
    assert not none.conditions
    assert "too few" in none.note


def test_a_component_of_its_own_queries_reaches_a_head(loaded):
    texts = [induction_circuit.measure_under(loaded, ROW, UNTOUCHED, [Head(1, 0)])]
    for label, reaches in (("L1Q0", True), ("L1K0", True), ("L1V0", False), ("L1O0", False),
                           ("L0O0", True)):  # fmt: skip
        (drop,) = induction_circuit.summarise(texts, [Component.parse(label)])
        assert drop.is_after is reaches
        gone = removal(ComponentSet.parse(label), SVD)
        found = induction_circuit.measure_under(loaded, ROW, gone, [Head(1, 0)])
        assert (float(abs(found.after - found.before)) > 1e-8) is reaches
    assert not induction_circuit.summarise(texts, [Head(1, 3)])[0].is_after


def test_heads_under_a_condition_are_as_in_the_circuit(loaded):
    gone = (Head(0, 1), Head(0, 2))
    first = induction_circuit.measure(loaded, ROW, gone, [Head(1, 0)], draws=0)
    condition = Condition("", (HeadOutput(gone, MEAN, tuple(range(1, len(ROW)))),))
    again = induction_circuit.measure_under(loaded, ROW, condition, [Head(1, 0)])
    assert again.after.tolist() == pytest.approx(first.after.tolist(), abs=1e-6)


def test_sets_are_written_and_read_back():
    text = "L0Q17, l0k3 L0Q17; L1V5 @ H3\n\nL0Q1, L1Q2 @ L0H1, L1H2"
    sets = ComponentSet.parse_all(text)
    assert [one.label for one in sets] == [
        "L0Q17, L0K3", "L1V5 @ L1H3", "L0Q1, L1Q2 @ L0H1, L1H2",
    ]  # fmt: skip
    assert ComponentSet.parse_all("; ".join(one.label for one in sets)) == sets
    assert ComponentSet.parse_all(" \n ;") == ()
    for wrong in ("L0Q", "@ H1", "L0Q1, x"):
        with pytest.raises(UnknownComponentError):
            ComponentSet.parse(wrong)
    for wrong in ("L0Q1 @", "L0Q1 @ L1H0", "L0Q1, L1Q1 @ H0", "L0Q1 @ x"):
        with pytest.raises(UnknownHeadError):
            ComponentSet.parse(wrong)
