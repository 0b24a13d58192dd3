"""The control: as many other heads of the same layers, no two draws alike, seeded."""

from __future__ import annotations

import numpy as np
import pytest

from headroles.ablation import Condition, HeadOutput, Pattern, Values, judge, random_others
from headroles.scoring import draw_control
from headroles.types import Head
from headroles.ui.knockout_lab import random_heads
from tests.facts import says


def _zero(*heads: tuple[int, int]) -> Condition:
    return Condition("", (HeadOutput(tuple(Head(*head) for head in heads)),))


def _draw(condition: Condition, **settings):
    return random_others(condition, **{"num_layers": 3, "num_heads": 8, "length": 9, **settings})


def test_as_many_others_of_the_same_layers() -> None:
    own = _zero((0, 1), (0, 2), (2, 5))
    control = _draw(own)
    assert len(control.conditions) == 20
    assert len({one.heads for one in control.conditions}) == 20
    for one in control.conditions:
        assert sorted(head.layer for head in one.heads) == [0, 0, 2]
        assert not set(one.heads) & set(own.heads)
    assert says(control.note, "20 random", "3 other", "0 and 2")


def test_the_seed_fixes_the_draws() -> None:
    own = _zero((0, 1), (0, 2), (0, 5))
    one, same, other = (_draw(own, num_heads=16, seed=seed) for seed in (3, 3, 4))
    assert one == same != other


def test_where_few_are_possible_all_are_taken() -> None:
    control = _draw(_zero((1, 4)))
    assert {one.heads for one in control.conditions} == {
        (Head(1, head),) for head in range(8) if head != 4
    }
    assert says(control.note, "all 7", "layer 1")


def test_the_change_stays_the_same() -> None:
    own = Condition("", (Pattern((Head(0, 1),), "uniform", (3,)), Values((2,))))
    for one in _draw(own).conditions:
        pattern, values = one.changes
        assert (pattern.to, pattern.positions, values) == ("uniform", (3,), Values((2,)))


def test_a_layer_with_too_few_others_is_said_and_filled_from_other_layers() -> None:
    own = _zero(*((1, head) for head in range(7)))
    control = _draw(own)
    assert "too few in layer 1" in control.note
    assert control.conditions
    for one in control.conditions:
        assert len(set(one.heads)) == 7
        assert not set(one.heads) & set(own.heads)
        assert {head.layer for head in one.heads} <= {1, 2}  # of two as near, the later one


def test_the_lab_draws_what_the_analysis_draws() -> None:
    own = _zero((1, 4), (1, 6))
    drawn = draw_control(own.heads, own.heads, shape=(3, 8), rng=np.random.default_rng(7))
    assert [frozenset(one.heads) for one in _draw(own, seed=7).conditions] == list(drawn.conditions)


def test_a_head_with_a_role_is_borrowed_last() -> None:
    own, listed = _zero(*((1, head) for head in range(6))), [Head(2, head) for head in range(3)]
    control = _draw(own, listed=listed)
    assert control.conditions
    assert not any(set(one.heads) & set(listed) for one in control.conditions)


def test_every_head_of_a_model_has_no_control() -> None:
    own = _zero(*((layer, head) for layer in range(3) for head in range(8)))
    control = _draw(own)
    assert control.conditions == ()
    assert "no control" in control.note


def test_value_vectors_are_compared_with_other_positions() -> None:
    control = _draw(Condition("", (Values((-2,), (1,)),)))  # position 7 of 9
    places = {one.changes[0].positions for one in control.conditions}
    assert places == {(place,) for place in (1, 2, 3, 4, 5, 6, 8)}  # never the start token
    assert all(one.changes[0].layers == (1,) for one in control.conditions)
    assert _draw(Condition("", (Values(tuple(range(8))),))).conditions == ()


@pytest.mark.parametrize(
    ("effect", "others", "verdict"),
    [
        (1.0, [0.5] * 20, "holds_up"),
        # mean .575, spread 1.5 / sqrt 20 = .335; t(19) = 2.093 times .335 sqrt(21/20) = .719
        (1.29, [0.5] * 19 + [2.0], "not_special"),
        (1.30, [0.5] * 19 + [2.0], "holds_up"),  # though one draw did more
        (4.7, [0.0, 0.4], "holds_up"),  # 4.5 > 4.40 = t(1) = 12.7 times .283 sqrt(3/2)
        (4.5, [0.0, 0.4], "not_special"),  # 4.3: two draws say little
        (0.4, [0.5] * 20, "not_special"),  # less than others
        (-0.6, [-0.5] * 20, "reversed"),
        (-0.4, [-0.5] * 20, "not_special"),
        (0.0019, [0.0] * 20, "no_effect"),
        (1.0, [0.5], "not_tested"),
        (1.0, [], "not_tested"),
    ],
)
def test_the_rule_on_one_prompt_by_hand(effect: float, others: list[float], verdict: str) -> None:
    assert judge(effect, others).verdict == verdict


def test_a_judgement_by_hand() -> None:
    found = judge(0.2, [0.1, 0.3, 0.2, 0.1, 0.3])
    assert (found.draws, found.smaller) == (5, 2)  # as large is not less
    assert found.mean == pytest.approx(0.2)
    assert found.spread == pytest.approx(0.1)  # sqrt(4 * .01 / 4)


@pytest.mark.parametrize(
    ("judgement", "lead", "count"),
    [
        (judge(2.0, [0.4, 0.6] * 10), "Larger than chance: +2.00 nats", "all 20 random draws"),
        (judge(0.5, [0.4, 0.6] * 10), "No larger than chance: +0.50 nats", "10 of 20 random"),
        (judge(-2.0, [0.4, 0.6] * 10), "Better without: −2.00 nats", "none of 20 random draws"),
    ],
)
def test_the_sentence_gives_the_verdict_and_what_it_is_out_of(judgement, lead, count) -> None:
    said = random_heads.sentence(judgement, random_heads.EFFECTS[1])
    assert said.startswith(lead)
    assert count in said
    assert "(+0.50 ± 0.10)" in said


@pytest.mark.parametrize(
    ("effect", "draws", "idle", "words"),
    [
        (0.01, [0.01, 0.02, -0.04], "", ["no knock-out", "0.04"]),
        # mean .5, spread .5, t(2) = 4.303 times .5 sqrt(4/3): an effect over 2.98 would do
        (0.2, [0.0, 0.5, 1.0], "", ["from 0.00 to +1.00", "+2.98"]),
        (0.2, [0.0, 0.5, 1.0], "they rest.", ["they rest"]),
        (0.2, [0.1, 0.12, 0.11], "", []),  # .03 more would do, so this prompt can tell
        (2.0, [0.1, 0.12, 0.11], "they rest.", []),  # larger than chance
    ],
)
def test_a_prompt_that_cannot_tell_says_why(effect, draws, idle, words) -> None:
    said = random_heads.cannot_tell(judge(effect, draws), draws, idle=idle)
    assert bool(said) == bool(words)
    assert all(word in said for word in words)
