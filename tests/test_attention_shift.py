"""Where heads look before and after a knock-out, against transformers' own attention with hooks."""

from __future__ import annotations

import pytest
import torch

from headroles import ablation, capture, verdicts
from headroles.ablation import Condition, Edge, HeadOutput, Pattern, Values
from headroles.ablation.attention_shift import FURTHER, START
from headroles.ablation.conditions import UNTOUCHED, removal
from headroles.ablation.offset_test import Sample
from headroles.errors import UnknownHeadError
from headroles.models import load_model
from headroles.paths import DEMO_MODEL
from headroles.texts import encode
from headroles.types import ComponentSet, Head
from tests.families import PROMPT as FAMILY_PROMPT
from tests.families import save_family
from tests.plain_hooks import PlainModel

pytestmark = pytest.mark.filterwarnings("ignore")  # the libraries' own

PROMPT = "The cat sat on the mat. The cat sat on the mat. The cat"
OFF = (Head(0, 6), Head(1, 4))
CLOSE = 1e-5


@pytest.fixture(scope="module")
def loaded():
    return load_model("demo")


@pytest.fixture(scope="module")
def plain(loaded) -> PlainModel:
    return PlainModel(DEMO_MODEL, loaded.num_heads)


def by_hooks(plain: PlainModel, ids, heads, means) -> tuple[torch.Tensor, torch.Tensor]:
    """Eager attention [layer head query key] and logits [pos vocab] with heads at their mean."""

    def put_mean(layer: int):
        def before(_module, args):
            z = args[0].unflatten(-1, (plain.heads, -1)).clone()
            for head in heads:
                if head.layer == layer:
                    z[:, :, head.head] = means[layer, head.head]
            return (z.flatten(-2), *args[1:])

        return before

    handles = [
        plain.projection(layer).register_forward_pre_hook(put_mean(layer))
        for layer in range(len(plain.blocks))
    ]
    try:
        tensor = torch.tensor([ids])
        return plain.attention(tensor), plain.logits(tensor)[0]
    finally:
        for handle in handles:
            handle.remove()


@pytest.fixture(scope="module")
def runs(loaded, plain):
    """The encoding; (before, after) of the engine; the attention and logits of hooks without."""
    encoding = encode(loaded.tokenizer, PROMPT)
    found = ablation.looks(
        loaded, encoding, [UNTOUCHED, Condition("off", (HeadOutput(OFF, "mean"),))]
    )
    means = ablation.reference_means(loaded).z
    return encoding, found, by_hooks(plain, encoding.token_ids, OFF, means)


def test_rows_are_those_of_transformers_with_hooks(loaded, runs) -> None:
    encoding, (before, after), (attention, _) = runs
    untouched = capture.capture(loaded, PROMPT).attention
    assert (before.at - untouched[:, :, -1]).abs().max() < CLOSE
    assert (after.at - attention[:, :, -1]).abs().max() < CLOSE
    assert (after.at - before.at).abs().max() > 0.5  # it does something
    row = ablation.looks(loaded, encoding, [after.condition], position=5)[0].at
    assert row.shape[-1] == 6
    assert (row - attention[:, :, 5, :6]).abs().max() < CLOSE


def test_activations_are_the_scores_of_the_changed_patterns(loaded, runs) -> None:
    encoding, (before, after), (attention, _) = runs
    own = verdicts.score_run(capture.capture(loaded, PROMPT)).activations
    changed = verdicts.score_prompt(attention, encoding.copy_ids).activations
    for key in own:
        assert (before.activations[key].value - own[key].value).abs().max() < CLOSE
        assert (after.activations[key].value - changed[key].value).abs().max() < CLOSE
        assert after.activations[key].of(1, 0).chance == pytest.approx(own[key].chance, abs=CLOSE)


def test_an_induction_head_by_the_naive_formula(runs) -> None:
    encoding, (_, after), (attention, _) = runs
    ids, head = encoding.token_ids, Head(1, 6)
    pattern = attention[head.layer, head.head]
    shares = []
    for q in range(1, len(ids)):
        copies = [k + 1 for k in range(1, q) if ids[k] == ids[q] and k + 1 < q]
        if copies:
            shares.append((float(pattern[q, copies].sum()), float(pattern[q, 1:].sum())))
    mass, work = (sum(column) / len(shares) for column in zip(*shares, strict=True))
    assert after.activations["induction"].of(*head).value == pytest.approx(
        mass / max(work, 0.02), abs=1e-5
    )


def test_layers_up_to_the_first_change_look_as_before(loaded, runs) -> None:
    encoding, (before, after), _ = runs
    assert torch.equal(before.at[0], after.at[0])
    late = Condition("late", (HeadOutput((Head(2, 1),), "zero"),))
    (seen,) = ablation.looks(loaded, encoding, [late])
    assert (seen.at[:3] - before.at[:3]).abs().max() < CLOSE  # its own pattern too: as computed
    assert (seen.at[3] - before.at[3]).abs().max() > 1e-3
    (again,) = ablation.looks(loaded, encoding, [late], untouched=before)
    assert (again.at - seen.at).abs().max() < CLOSE
    assert (again.output_change - seen.output_change).abs().max() < CLOSE
    for key, activation in seen.activations.items():
        assert (again.activations[key].value - activation.value).abs().max() < CLOSE


def test_the_first_layer_that_a_condition_changes() -> None:
    def of(*changes) -> int:
        return Condition("", changes).first_layer

    assert of(HeadOutput((Head(3, 1), Head(2, 0)))) == 2
    assert of(Values((1,))) == 0
    assert of(Values((1,), layers=(3,)), Edge((Head(2, 1),), 3, 1)) == 2
    assert UNTOUCHED.first_layer == 0


def test_a_head_that_is_not_there_is_refused(loaded, runs) -> None:
    with pytest.raises(UnknownHeadError):
        ablation.looks(loaded, runs[0], [Condition("", (HeadOutput((Head(9, 0),)),))])


@pytest.mark.parametrize("family", ["gpt2", "bloom", "gemma3_text", "qwen3", "gpt_oss"])
def test_the_untouched_run_is_that_of_the_prompt_in_every_kind_of_model(family, tmp_path) -> None:
    """Fused and grouped keys, heads folded into rows, sliding windows, learned sinks."""
    save_family(family, tmp_path)
    tiny = load_model(str(tmp_path))
    run = capture.capture(tiny, FAMILY_PROMPT)
    (before,) = ablation.looks(tiny, run.encoding, [UNTOUCHED])
    own = verdicts.score_run(run)
    assert (before.at - run.attention[:, :, -1]).abs().max() < CLOSE
    for key, activation in own.activations.items():
        assert (before.activations[key].value - activation.value).abs().max() < CLOSE
        every = [activation.of(layer, 0) for layer in range(tiny.num_layers)]
        chances = [before.activations[key].of(layer, 0) for layer in range(tiny.num_layers)]
        assert [one.chance for one in chances] == pytest.approx([one.chance for one in every])
        assert [one.rows for one in chances] == [one.rows for one in every]
    assert torch.allclose(before.output_change, own.output_change, atol=CLOSE)


# ------------------------------------------------------------------ how far a row moves


def test_the_part_that_moved() -> None:
    before = torch.tensor([[0.5, 0.3, 0.2], [1.0, 0.0, 0.0], [0.5, 0.3, 0.2]])
    after = torch.tensor([[0.5, 0.3, 0.2], [0.0, 0.0, 1.0], [0.1, 0.3, 0.2]])
    # The last row lost .4 to a learned sink.
    assert ablation.moved(before, after).tolist() == pytest.approx([0.0, 1.0, 0.4])


def test_a_change_counts_beyond_that_of_random_others() -> None:
    still, wild = [0.0, 0.01, -0.01, 0.0], [0.5, -0.4, 0.3, 0.6]
    draws = [list(pair) for pair in zip(still, wild, still, strict=True)]
    assert ablation.beyond_chance([0.4, 0.4, 0.04], draws) == [True, False, False]
    assert ablation.beyond_chance([-0.4, -0.4, 0.0], draws) == [True, False, False]


# ------------------------------------------------------------------ over many texts


def test_places_are_counted_back_from_the_position() -> None:
    def back(change, position: int = 6):
        found = ablation.counted_back(Condition("x", (change,)), position=position, length=12)
        return found and found.changes[0]

    head = (Head(1, 1),)
    assert back(HeadOutput(head, "mean")) == HeadOutput(head, "mean")
    assert back(HeadOutput(head, "mean", (4, 6, 9))).positions == (-3, -1)  # 9 comes after t
    assert back(Pattern(head, positions=(6,))).positions == (-1,)
    assert back(Values((0, 5))).positions == (0, -2)  # the start token stays what it is
    assert (back(Edge(head, 6, 4)).query, back(Edge(head, 6, 4)).key) == (-1, -3)
    assert back(Edge(head, -6, 0)).key == 0
    assert back(Values((1,)), position=11) is None  # ten back: too far
    assert back(HeadOutput(head, positions=(9,))) is None  # nothing is left


def test_the_mean_over_texts_is_that_of_single_runs(loaded, plain) -> None:
    texts = ("The old man went to the market with his dog.", "The fox ran into the forest again.")
    samples = [Sample(encode(loaded.tokenizer, text).token_ids) for text in texts]
    condition = Condition("off", (HeadOutput(OFF, "mean"),))
    measured = ablation.looks_back(loaded, samples, condition, [UNTOUCHED] * 2, offsets=3)
    assert measured.shape == (2, 3, loaded.num_layers, loaded.num_heads, 6)
    assert torch.allclose(measured.sum(-1), torch.ones(()), atol=CLOSE)
    assert (measured[:, 2] - measured[:, 0]).abs().max() < CLOSE  # these others change nothing
    means = ablation.reference_means(loaded).z
    for place, sample in enumerate(samples):
        for run, heads in ((0, ()), (1, OFF)):
            row = by_hooks(plain, sample.token_ids, heads, means)[0][:, :, -1]
            near = row[:, :, -4:].flip(-1)  # offsets 0, 1, 2, 3
            expected = torch.cat([near, row[:, :, 1:-4].sum(-1, keepdim=True), row[:, :, :1]], -1)
            assert (measured[place, run] - expected).abs().max() < CLOSE


def test_means_and_standard_errors_by_hand() -> None:
    # [sample run layer head place]: one layer, one head, offset 0, further back, the start token
    before, after, others = (
        [[0.2, 0.3, 0.5], [0.4, 0.1, 0.5]],
        [[0.6, 0.2, 0.2]] * 2,
        [[0.3] * 3] * 2,
    )
    measured = torch.tensor([before, after, others]).transpose(0, 1)[:, :, None, None]
    points = ablation.by_offset(measured, Head(0, 0))
    assert [point.place for point in points] == ["0", FURTHER, START]
    first = points[0]
    assert (first.before, first.after, first.change) == pytest.approx((0.3, 0.6, 0.3))
    assert first.before_error == pytest.approx(0.1)  # sd .1414 over sqrt 2
    assert first.after_error == pytest.approx(0.0)
    assert first.change_error == pytest.approx(0.1)  # of .4 and .2
    assert first.others == pytest.approx(0.0, abs=1e-6)
    alone = ablation.by_offset(measured[:, :2], Head(0, 0))
    assert alone[0].others is None


# ------------------------------------------------------------------ token by token


def test_losses_are_those_of_transformers_with_hooks(loaded, runs) -> None:
    encoding, _, (_, logits) = runs
    condition = Condition("off", (HeadOutput(OFF, "mean"),))
    table = ablation.tabulate(loaded, PROMPT, [condition])
    ids = torch.tensor(encoding.token_ids)
    expected = -logits[:-1].log_softmax(-1).gather(-1, ids[1:, None])[:, 0]
    assert table.rows[0].losses == pytest.approx(expected.tolist(), abs=1e-4)
    assert len(table.losses) == len(ids) - 1
    assert table.losses != table.rows[0].losses


def test_the_first_layer_whose_heads_may_look_elsewhere() -> None:
    def of(text: str) -> int:
        return removal(ComponentSet.parse(text), "svd").looks_from

    assert Condition("", (HeadOutput((Head(3, 1), Head(2, 0))),)).looks_from == 3
    assert Condition("", (Values((1,), layers=(1,)),)).looks_from == 2
    assert of("L2Q0, L3O1") == of("L2K0") == 2  # the layer computes its own patterns from these
    assert of("L2V0") == of("L2O0, L3Q1") == 3  # what is written is read from the next one on


def test_components_move_the_patterns_from_there_on_and_none_before(loaded, runs) -> None:
    encoding, *_ = runs
    for text in ("L1Q0", "L1O0, L2K3"):
        condition = removal(ComponentSet.parse(text), "svd")
        before, after = ablation.looks(loaded, encoding, [condition.baseline, condition])
        change = ablation.moved(before.at, after.at).amax(1)  # [layer]
        assert change[: condition.looks_from].max() < CLOSE
        assert change[condition.looks_from] > 1e-4
        (again,) = ablation.looks(loaded, encoding, [condition], untouched=before)
        assert (again.at - after.at).abs().max() < CLOSE
