"""The control: as many other heads of the same layers, no two draws alike, seeded."""

from __future__ import annotations

import pytest

from headroles.ablation import Condition, HeadOutput, Pattern, Values, judge, random_others
from headroles.types import Head
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
    assert says(control.note, "layer 1", "too few")
    for one in control.conditions:
        assert Head(1, 7) in one.heads
        assert len(set(one.heads)) == 7
        assert not set(one.heads) & set(own.heads)


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
    ("effect", "others", "special"),
    [
        (1.0, [0.5] * 20, True),
        (1.0, [0.5] * 19 + [2.0], True),  # 95% did less
        (1.0, [0.5] * 18 + [2.0] * 2, False),
        (-0.1, [-0.5] * 20, False),  # removing it helped: nothing it does is missed
        (1.0, [0.5] * 7, True),
        (1.0, [0.5] * 6 + [2.0], False),
        (1.0, [0.5] * 4, None),
        (1.0, [], None),
    ],
)
def test_what_is_special(effect: float, others: list[float], special: bool | None) -> None:
    assert judge(effect, others).special is special


def test_a_judgement_by_hand() -> None:
    found = judge(0.2, [0.1, 0.3, 0.2, 0.1, 0.3])
    assert (found.draws, found.beaten) == (5, 2)  # as large is not less
    assert found.mean == pytest.approx(0.2)
    assert found.spread == pytest.approx(0.1)  # sqrt(4 * .01 / 4)
