"""Working backward: by hand, against plain hooks, and the ends that must agree."""

from __future__ import annotations

import math

import pytest
import torch

from headroles import ablation
from headroles.ablation import Condition, HeadOutput, outcomes, run
from headroles.ablation import working_backward as wb
from headroles.ablation.backup import (
    Cost,
    Costs,
    best_partners,
    check_apart,
    measure,
    pairs_with,
    random_partners,
)
from headroles.ablation.run import Outcome
from headroles.capture.interventions import output_projections
from headroles.errors import HeadrolesError, UnknownHeadError
from headroles.export import working_backward as rows
from headroles.models import LoadedModel
from headroles.texts import encode
from headroles.types import Encoding, Head
from headroles.view import working_backward
from tests.facts import says
from tests.families import HEADS, LAYERS, LAYOUTS, PROMPT

pytestmark = pytest.mark.filterwarnings("ignore")  # the libraries' own
SHAPE = (LAYERS, HEADS)
EVERY = [Head(layer, head) for layer in range(LAYERS) for head in range(HEADS)]
TOLERANCE = {"rtol": 0, "atol": 1e-5}


@pytest.fixture(params=LAYOUTS)
def loaded(request, load_family) -> LoadedModel:
    return load_family(request.param)


@pytest.fixture
def encoding(loaded: LoadedModel) -> Encoding:
    return encode(loaded.tokenizer, PROMPT)


def outcome_of(logits: list[float], losses: list[float] = ()) -> Outcome:
    return Outcome(Condition("by hand"), torch.tensor(logits), torch.tensor(losses))


def logits_with_hooks(loaded: LoadedModel, encoding: Encoding, gone, places=None) -> torch.Tensor:
    """The last logits with heads at their mean, by hooks on the output projections alone."""
    means = run.reference_means(loaded).z
    where = slice(None) if places is None else places

    def silence(layer: int):
        def hook(_module, args):
            parts = args[0].clone().unflatten(-1, (HEADS, -1))  # [batch query head dim]
            for head in gone:
                if head.layer == layer:
                    parts[:, where, head.head] = means[layer, head.head]
            return (parts.flatten(-2),)

        return hook

    handles = [
        loaded.model.get_submodule(path).register_forward_pre_hook(silence(layer))
        for layer, path in enumerate(output_projections(loaded))
    ]
    try:
        with torch.no_grad():
            return loaded.model(torch.tensor([encoding.token_ids])).logits[0, -1]
    finally:
        for handle in handles:
            handle.remove()


# ------------------------------------------------------------------ one number


def test_a_standing_by_hand() -> None:
    """p = 1/4, 1/2, 1/4: log-odds are log 1/3; losses 1 and 3 have the mean 2."""
    logits = [math.log(1), math.log(2), math.log(1)]
    found = wb.standing(outcome_of(logits, [1.0, 3.0]), 2)
    assert (found.rank, found.says, found.loss) == (2, 1, 2.0)
    assert found.probability == pytest.approx(0.25)
    assert found.log_odds == pytest.approx(math.log(1 / 3), abs=1e-6)


def test_the_log_odds_of_a_sure_answer_are_exact() -> None:
    """Where 1 - p is far below what a 32-bit number tells from 1."""
    found = wb.standing(outcome_of([40.0, 0.0, 0.0]), 0)
    assert found.log_odds == pytest.approx(40 - math.log(2))
    assert found.log_probability == pytest.approx(0, abs=1e-12)


# ------------------------------------------------------------------ keep only these


def test_the_others_of_all_or_of_some_layers_go() -> None:
    kept = [Head(0, 1), Head(1, 0)]
    assert wb.keep_only(kept, shape=(2, 2)).heads == (Head(0, 0), Head(1, 1))
    assert wb.keep_only(kept, shape=(2, 2), layers=[1]).heads == (Head(1, 1),)
    assert wb.keep_only([], shape=(1, 2)).heads == (Head(0, 0), Head(0, 1))
    assert wb.keep_only(kept, shape=(2, 2)).changes[0].to == "mean"
    alone = wb.layer_by_layer([Head(0, 0), Head(0, 1)], shape=(2, 2))
    assert [(layer, condition.heads) for layer, condition in alone] == [
        (1, (Head(1, 0), Head(1, 1)))
    ]


def test_keeping_equals_hooks_and_keeping_all_is_untouched(loaded, encoding) -> None:
    kept = [Head(0, 1), Head(1, 3)]
    conditions = [wb.keep_only(some, shape=SHAPE) for some in (EVERY, kept, ())]
    clean, whole, some, none = run.ablate(loaded, encoding, conditions)
    assert torch.equal(whole.logits, clean.logits)
    for outcome, gone in ((some, [h for h in EVERY if h not in kept]), (none, EVERY)):
        expected = logits_with_hooks(loaded, encoding, gone)
        torch.testing.assert_close(outcome.logits, expected, **TOLERANCE)
    assert not torch.allclose(some.logits, none.logits, **TOLERANCE)


def test_layer_by_layer_adds_up_where_one_layer_has_others(loaded, encoding) -> None:
    """With all heads of the other layers kept, the single layer is all there is."""
    kept = [head for head in EVERY if head.layer != 1]
    ((layer, single),) = wb.layer_by_layer(kept, shape=SHAPE)
    assert layer == 1
    _, alone, at_once = run.ablate(loaded, encoding, [single, wb.keep_only(kept, shape=SHAPE)])
    assert torch.equal(alone.logits, at_once.logits)


def test_as_many_random_heads_of_the_same_layers_are_kept() -> None:
    kept = [Head(0, 1), Head(0, 2), Head(1, 5)]
    control = wb.random_kept(kept, shape=(2, 12), draws=7)
    assert len(control.conditions) == 7
    for condition in control.conditions:
        stay = {Head(n, m) for n in range(2) for m in range(12)} - set(condition.heads)
        assert sorted(head.layer for head in stay) == [0, 0, 1]
        assert not stay & set(kept)
    again = wb.random_kept(kept, shape=(2, 12), draws=7)
    assert again.conditions == control.conditions


def test_where_others_are_too_few_some_of_the_kept_may_be_among_them() -> None:
    kept = [Head(0, n) for n in range(6)]
    control = wb.random_kept(kept, shape=(1, 8), draws=5)
    assert len(control.conditions) == 5
    own = wb.keep_only(kept, shape=(1, 8)).heads
    for condition in control.conditions:
        assert len(condition.heads) == 2
        assert condition.heads != own
    whole = [Head(0, n) for n in range(8)]
    assert wb.random_kept(whole, shape=(1, 8)).conditions == ()
    assert wb.random_kept([], shape=(1, 8)).conditions == ()


def test_a_layer_that_is_not_cut_needs_no_control() -> None:
    control = wb.random_kept([Head(0, 0), Head(1, 0)], shape=(2, 12), layers=[1], draws=3)
    for condition in control.conditions:
        assert {head.layer for head in condition.heads} == {1}
        assert len(condition.heads) == 11


def test_a_head_that_does_not_exist_is_refused(loaded, encoding) -> None:
    with pytest.raises(UnknownHeadError):
        run.ablate(loaded, encoding, [wb.keep_only([], shape=(LAYERS + 1, HEADS))])


# ------------------------------------------------------------------ one after another


def walked(loaded: LoadedModel, encoding: Encoding, **settings) -> tuple[wb.Walk, wb.Curve]:
    (clean,) = run.ablate(loaded, encoding, [])
    walk = wb.Walk.of(loaded, encoding.token_ids, clean.guess)
    done = []
    for task in walk.tasks(**settings):
        done.append(walk.do(loaded, task, done))
    return walk, walk.curve(done)


def test_the_curve_takes_the_least_harmful_head_each_time(loaded, encoding) -> None:
    """Against a search that knows nothing of rounds and tasks."""
    walk, curve = walked(loaded, encoding, orders=0)
    gone = []
    for point in curve.points[1:6]:
        left = [head for head in EVERY if head not in gone]
        logits = [logits_with_hooks(loaded, encoding, [*gone, head]) for head in left]
        worth = [float(one.double().log_softmax(-1)[walk.answer]) for one in logits]
        assert max(worth) == pytest.approx(worth[left.index(point.taken)], abs=1e-5)
        assert point.standing.log_probability == pytest.approx(max(worth), abs=1e-5)
        gone.append(point.taken)


def test_the_ends_of_the_curve_are_the_untouched_run_and_no_head_kept(loaded, encoding) -> None:
    walk, curve = walked(loaded, encoding)
    clean, none = run.ablate(loaded, encoding, [wb.keep_only([], shape=SHAPE)])
    assert [point.left for point in curve.points] == list(range(len(EVERY), -1, -1))
    assert sorted(point.taken for point in curve.points[1:]) == EVERY
    for point, outcome in ((curve.points[0], clean), (curve.points[-1], none)):
        standing = wb.standing(outcome, walk.answer)
        assert point.standing.rank == standing.rank
        assert point.standing.log_probability == pytest.approx(standing.log_probability, abs=1e-5)
        assert point.standing.loss == pytest.approx(outcome.losses.mean().item(), abs=1e-5)
    heads = curve.heads_at(curve.points[3], SHAPE)
    (kept,) = run.ablate(loaded, encoding, [wb.keep_only(heads, shape=SHAPE)])[1:]
    expected = wb.standing(kept, walk.answer).log_probability
    assert curve.points[3].standing.log_probability == pytest.approx(expected, abs=1e-5)
    for order in curve.random:
        assert [point.left for point in order] == walk.sizes()


def test_blocks_of_a_large_model_take_every_head_once() -> None:
    """A model of 270 heads, whose rounds are cut into tasks of bounded size."""
    walk = wb.Walk((), 0, (30, 9))
    tasks = walk.tasks(orders=0)
    assert sum(task.block for task in tasks) == 270
    assert max(task.last - task.first for task in tasks) <= wb.AT_ONCE
    assert sum(task.rows for task in tasks) < 8 * 270
    rounds: dict[int, int] = {}
    for task in tasks:
        rounds[task.left] = rounds.get(task.left, 0) + task.last - task.first
    assert all(left == ranked for left, ranked in rounds.items())  # all that are left are ranked
    blocks = [task.block for task in tasks if task.block]
    assert blocks[0] == 45
    assert blocks[-11:] == [1] * 11


def test_blocks_leave_the_same_ends(load_family, monkeypatch) -> None:
    loaded = load_family(LAYOUTS[0])
    encoding = encode(loaded.tokenizer, PROMPT)
    _, one_by_one = walked(loaded, encoding, orders=0)
    monkeypatch.setattr(wb, "SMALL", 0)
    monkeypatch.setattr(wb, "AT_ONCE", 3)
    _, in_blocks = walked(loaded, encoding, orders=0)
    assert sorted(point.taken for point in in_blocks.points[1:]) == EVERY
    for end in (0, -1):
        ours, theirs = in_blocks.points[end].standing, one_by_one.points[end].standing
        assert ours.log_probability == pytest.approx(theirs.log_probability, abs=1e-5)


def point(left: int, rank: int, *, taken: Head | None = None, loss: float = 1.0) -> wb.Point:
    return wb.Point(left, taken, wb.Standing(rank, -float(rank), -1.0, loss, 0), "x")


def test_the_smallest_set_is_the_last_point_with_the_answer_first() -> None:
    ranks = [1, 1, 2, 1, 3]
    points = tuple(
        point(4 - n, rank, taken=Head(0, n - 1) if n else None) for n, rank in enumerate(ranks)
    )
    curve = wb.Curve(4, points)
    assert curve.smallest.left == 1
    assert curve.first_fall.left == 2
    assert curve.after(curve.smallest).left == 0
    assert curve.heads_at(curve.smallest, (1, 4)) == (Head(0, 3),)
    assert curve.heads_at(points[0], (1, 4)) == tuple(Head(0, n) for n in range(4))
    never = wb.Curve(1, (point(1, 2), point(0, 1, taken=Head(0, 0))))
    assert never.smallest is None


def test_the_band_of_random_orders_by_hand() -> None:
    curve = wb.Curve(3, (), ((point(2, 1, loss=1.0),), (point(2, 3, loss=2.0),)))
    (band,) = curve.band()
    assert (band.left, band.mean, band.first, band.orders) == (2, -2.0, 1, 2)
    assert band.spread == pytest.approx(math.sqrt(2))
    assert curve.band("loss")[0].mean == 1.5


# ------------------------------------------------------------------ backup


@pytest.mark.parametrize(
    ("costs", "verdict", "surplus"),
    [
        ([(0.1, 0.1), (0.2, 0.2), (1.4, 1.5)], "superadditive", 1.1),
        ([(1.0, 1.0), (1.0, 1.1), (1.1, 1.2)], "subadditive", -0.9),
        ([(1.0, 1.0), (0.5, 0.5), (1.55, 1.55)], "additive", 0.05),  # within a tenth of 1.55
        ([(0.1, 1.0), (0.2, 1.2), (1.0, 2.2)], "ceiling", 0.0),
        ([(0.0, 0.0), (0.0, 0.0), (0.04, 0.04)], "additive", 0.04),  # under 0.05 nats
    ],
)
def test_the_rule_by_hand(costs, verdict: str, surplus: float) -> None:
    pair = Costs(*(Cost(*cost) for cost in costs))
    assert pair.verdict == verdict
    assert pair.surplus == pytest.approx(surplus, abs=1e-9)


def test_independent_losses_of_a_sure_answer_are_no_backup() -> None:
    """Two losses of 3 logits each that add up exactly: p goes from .9997 over .993 to .88."""
    untouched, one, two = ([8.0 - loss, 0.0] for loss in (0.0, 3.0, 6.0))
    clean, alone, both = (wb.standing(outcome_of(logits), 0) for logits in (untouched, one, two))
    single, together = ablation.backup.cost(clean, alone), ablation.backup.cost(clean, both)
    pair = Costs(single, single, together)
    assert pair.over.log_odds == pytest.approx(0, abs=1e-6)
    assert pair.over.log_probability > 0.05
    assert pair.verdict == "ceiling"


def test_costs_equal_hooks(loaded, encoding) -> None:
    """Everywhere, and at the last token only."""
    a, b = (Head(0, 1),), (Head(1, 0), Head(1, 2))
    (clean,) = run.ablate(loaded, encoding, [])
    last = [len(encoding.token_ids) - 1]
    for position, places in ((None, None), (-1, last)):
        found = measure(loaded, encoding.token_ids, clean.guess, a, b, position=position, draws=3)
        before = clean.logits.double().log_softmax(-1)[clean.guess]
        for cost, gone in ((found.pair.a, a), (found.pair.b, b), (found.pair.both, (*a, *b))):
            logits = logits_with_hooks(loaded, encoding, gone, places)
            after = logits.double().log_softmax(-1)[clean.guess]
            assert cost.log_probability == pytest.approx(float(before - after), abs=1e-5)
            assert cost.log_odds == pytest.approx(
                float(torch.logit(before.exp()) - torch.logit(after.exp())), abs=1e-4
            )
        assert found.untouched.rank == 1
        assert len(found.partners) == found.judgement.draws == 3


def test_a_pair_is_what_the_knock_out_section_says_of_it(loaded, encoding) -> None:
    (clean,) = run.ablate(loaded, encoding, [])
    found = measure(loaded, encoding.token_ids, clean.guess, EVERY[:1], EVERY[5:6], draws=0)
    changed = Condition("both", (HeadOutput((EVERY[0], EVERY[5]), "mean"),))
    both = run.ablate(loaded, encoding, [changed])[1]
    expected = outcomes.compare(clean, both, answer=clean.guess).surprise
    assert found.pair.both.log_probability == pytest.approx(expected, abs=1e-5)
    assert found.judgement.verdict == "not_tested"


def test_a_search_over_all_heads_finds_the_same_numbers(loaded, encoding) -> None:
    (clean,) = run.ablate(loaded, encoding, [])
    ids, a = encoding.token_ids, (Head(0, 0),)
    found = pairs_with(loaded, ids, clean.guess, a, EVERY[1:])
    assert [head for head, _ in found] == EVERY[1:]
    head, pair = found[4]
    alone = measure(loaded, ids, clean.guess, a, (head,), draws=0).pair
    for ours, theirs in ((pair.a, alone.a), (pair.b, alone.b), (pair.both, alone.both)):
        assert ours.log_odds == pytest.approx(theirs.log_odds, abs=1e-5)


def test_a_backup_comes_before_what_is_only_large() -> None:
    backup = Costs(Cost(0.1, 0.1), Cost(0.0, 0.0), Cost(0.3, 0.3))
    ceiling = Costs(Cost(1.0, 4.0), Cost(1.0, 4.0), Cost(2.5, 8.3))
    assert (backup.verdict, ceiling.verdict) == ("superadditive", "ceiling")
    assert ceiling.surplus > backup.surplus
    ranked = best_partners([(Head(0, 0), ceiling), (Head(0, 1), backup)])
    assert [head for head, _ in ranked] == [Head(0, 1), Head(0, 0)]


def test_a_head_that_works_against_the_answer_backs_nothing_up() -> None:
    """Without either, the answer gains .7 and .99; without both 1.08, .61 over the sum: no loss."""
    harmful = Costs(Cost(-0.7, -0.7), Cost(-0.99, -0.99), Cost(-1.08, -1.08))
    backup = Costs(Cost(0.1, 0.1), Cost(0.2, 0.2), Cost(0.6, 0.6))
    assert (harmful.verdict, harmful.is_backup) == ("superadditive", False)
    assert harmful.surplus > backup.surplus
    ranked = best_partners([(Head(0, 0), harmful), (Head(0, 1), backup)])
    assert [head for head, _ in ranked] == [Head(0, 1), Head(0, 0)]
    alone = working_backward.best_partner([Head(1, 0)], ranked[1:])
    assert says(alone, "None of 1 head backs up L1H0")


def test_partners_are_other_heads_of_b_s_layers_and_the_next_ones() -> None:
    a, b = (Head(0, 0),), (Head(1, 3),)
    near, note = random_partners(a, b, shape=(4, 8), draws=50)
    expected = [Head(n, m) for n in range(3) for m in range(8) if Head(n, m) not in (*a, *b)]
    assert sorted(near) == [(head,) for head in expected]
    assert says(note, "22", "0, 1 and 2")
    two, _ = random_partners(a, (Head(3, 0), Head(3, 1)), shape=(4, 8), draws=9)
    assert len(two) == 9
    assert {head.layer for heads in two for head in heads} == {2, 3}
    assert random_partners(a, b, shape=(4, 8), draws=50) == (near, note)
    assert random_partners([Head(0, 0)], [Head(0, 1)], shape=(1, 2))[0] == []


def test_groups_must_be_apart_and_not_empty() -> None:
    with pytest.raises(HeadrolesError, match="L1H1 is in A and in B"):
        check_apart([Head(1, 1)], [Head(1, 1), Head(0, 0)])
    with pytest.raises(HeadrolesError, match="no head"):
        check_apart([], [Head(1, 1)])


# ------------------------------------------------------------------ files


def test_files_hold_every_number(loaded, encoding) -> None:
    _, curve = walked(loaded, encoding)
    of_curve = rows.curve_rows(curve)
    assert len(of_curve) == len(EVERY) + 1 + sum(map(len, curve.random))
    assert of_curve[0]["heads_left"] == len(EVERY)
    assert of_curve[1]["went_last"] == curve.points[1].taken.label
    (clean,) = run.ablate(loaded, encoding, [])
    found = measure(loaded, encoding.token_ids, clean.guess, EVERY[:1], EVERY[5:7], draws=2)
    own, *others = rows.backup_rows(found)
    assert (own["a"], own["b"], own["random"]) == ("L0H0", "L1H1 L1H2", False)
    assert own["both_log_odds"] == found.pair.both.log_odds
    assert [other["random"] for other in others] == [True, True]
