"""The two-step circuit: knock-outs equal plain hooks, and the bundled model really has it."""

from __future__ import annotations

import pytest
import torch

from headroles.ablation import reference_means
from headroles.ablation.induction_circuit import Measured, measure, repeated_rows, summarise
from headroles.capture.interventions import output_projections
from headroles.models import load_model
from headroles.scoring import role_activation
from headroles.types import Head
from headroles.ui.knockout_lab import induction_circuit
from tests.facts import says


def test_repeats_are_repeats_of_ordinary_tokens(load_family):
    loaded = load_family("gpt2")
    rows = repeated_rows(loaded, n=5, seed=1)
    assert rows == repeated_rows(loaded, n=5, seed=1) != repeated_rows(loaded, n=5, seed=2)
    for row in rows:
        half = len(row) // 2
        assert row[0] == loaded.tokenizer.bos_token_id
        assert row[1 : half + 1] == row[half + 1 :]
        assert not set(row[1:]) & set(loaded.tokenizer.all_special_ids)


@pytest.mark.parametrize("family", ["gpt2", "llama"])
def test_a_fall_equals_a_plain_hook(family, load_family):
    loaded, feeder, reader = load_family(family), Head(0, 1), Head(1, 3)
    ids = (0, 9, 8, 7, 9, 8, 7)
    found = measure(loaded, ids, [feeder], [reader], draws=2)
    mean = reference_means(loaded).z[feeder]

    def replace(module, given):
        z = given[0].clone()
        place = slice(feeder.head * len(mean), (feeder.head + 1) * len(mean))
        z[:, 1:, place] = mean
        return (z, *given[1:])

    kept = []
    probe = loaded.model.get_submodule(loaded.probe_paths[reader.layer])
    projection = loaded.model.get_submodule(output_projections(loaded)[feeder.layer])
    watch = probe.register_forward_hook(lambda *call: kept.append(call[2][0].clone()))
    with torch.no_grad():
        loaded.model(torch.tensor(ids)[None], use_cache=False)
        change = projection.register_forward_pre_hook(replace)
        loaded.model(torch.tensor(ids)[None], use_cache=False)
    watch.remove()
    change.remove()
    before, after = (
        role_activation(one[reader.head], ids, "induction").value.item() for one in kept
    )
    assert found.before.item() == pytest.approx(before, abs=1e-5)
    assert found.after.item() == pytest.approx(after, abs=1e-5)
    assert abs(before - after) > 1e-4
    assert found.others.shape == (2, 1)


def test_means_and_errors_by_hand():
    def text(before, after, others):
        return Measured(
            (Head(1, 0),), torch.tensor([before]), torch.tensor([after]),
            torch.tensor(others)[:, None], chance=torch.tensor([0.1]), rows=5,
        )  # fmt: skip

    (one,) = summarise([text(0.9, 0.3, [0.8, 0.9]), text(0.7, 0.3, [0.6, 0.7])], [Head(0, 0)])
    assert (one.before, one.after, one.drop) == pytest.approx((0.8, 0.3, 0.5))
    assert one.drop_error == pytest.approx(0.1)  # .6 and .4: deviation .1414, over root 2
    assert one.others == pytest.approx(0.75)
    assert one.others_spread == pytest.approx(0.0707, abs=1e-4)  # draws .7 and .8
    assert one.is_after
    assert (one.texts, one.draws) == (2, 2)
    assert one.verdict == "no_effect"  # .5 < t(1) .1 = 1.27: two texts are few
    (late,) = summarise([text(0.9, 0.9, [0.9])], [Head(1, 1)])
    assert not late.is_after
    assert late.verdict == "not_tested"  # one draw is no control
    assert late.drop_error is None
    assert "nothing can be handed on" in induction_circuit.sentence([late])


def test_the_bundled_models_induction_heads_need_its_previous_token_heads():
    loaded, previous_token_heads = load_model("demo"), [Head(0, 6), Head(0, 7), Head(0, 5)]
    rows = repeated_rows(loaded, n=4)
    (fall,) = summarise(
        [measure(loaded, row, previous_token_heads, [Head(1, 4)], draws=5) for row in rows],
        previous_token_heads,
    )
    assert fall.before > 0.9
    assert fall.after < 0.2
    assert fall.others > 0.8
    assert fall.verdict == "holds_up"
    assert says(induction_circuit.sentence([fall]), "1 of 1 induction head")


@pytest.mark.parametrize(
    ("after", "others", "verdict"),
    [
        # drop .6, control .2 ± .071: .4 > t(4) .071 sqrt(6/5) = 2.776 * .077 = .215
        (0.3, [0.8, 0.6, 0.7, 0.7, 0.7], "holds_up"),
        (0.5, [0.8, 0.6, 0.7, 0.7, 0.7], "not_special"),  # .4 - .2 = .2 < .215
        (0.89, [0.9, 0.88], "no_effect"),  # .01 is no drop
        (0.95, [0.9, 0.9], "reversed"),  # it looks there more
    ],
)
def test_on_one_text_the_spread_of_the_draws_alone_decides(after, others, verdict):
    text = Measured(
        (Head(1, 0),), torch.tensor([0.9]), torch.tensor([after]),
        torch.tensor(others)[:, None], chance=torch.tensor([0.1]), rows=5,
    )  # fmt: skip
    (drop,) = summarise([text], [Head(0, 0)])
    assert drop.drop_error is None
    assert drop.verdict == verdict
