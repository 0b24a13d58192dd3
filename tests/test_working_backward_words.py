"""What the section Working backward says: from numbers by hand."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from headroles.ablation import Condition, compare, judge
from headroles.ablation.backup import Backup, Cost, Costs
from headroles.ablation.run import Outcome
from headroles.ablation.tables import Answer, PromptTable, Row
from headroles.ablation.working_backward import Curve, Point, Standing
from headroles.models import load_tokenizer
from headroles.paths import DEMO_MODEL
from headroles.texts import DEFAULT_PROMPT, encode
from headroles.types import Head
from headroles.view import working_backward as words
from tests.facts import says

ANSWER = Answer(7, " sat", named=False)
SHAPE = (2, 2)


def standing(rank: int, probability: float) -> Standing:
    odds = math.log(probability) - math.log1p(-probability)
    return Standing(rank, math.log(probability), odds, 1.5, 0)


def curve(*points: tuple[int, float]) -> Curve:
    """Ranks and probabilities, from four heads down to none."""
    taken = [None, Head(0, 0), Head(1, 1), Head(0, 1), Head(1, 0)]
    made = [
        Point(4 - n, taken[n], standing(*point), " sat" if point[0] == 1 else " was")
        for n, point in enumerate(points)
    ]
    return Curve(4, tuple(made))


def test_the_smallest_set_the_next_head_and_what_the_model_says_then() -> None:
    found = curve((1, 0.7), (1, 0.6), (1, 0.5), (2, 0.2), (9, 0.01))
    said = words.taking_away(found, ANSWER, SHAPE)
    assert says(said, "2 of 4", "L0H1 and L1H0", "“·sat”", "70% → 50%", "L0H1", "2nd", "“·was”")
    assert words.on_the_way(found).count(".") == 3  # the loss alone, with two numbers
    assert says(words.on_the_way(found), "1.50", "1.50 nats per token")


def test_an_answer_that_came_back_says_so() -> None:
    found = curve((1, 0.7), (2, 0.3), (1, 0.95), (2, 0.2), (9, 0.01))
    assert says(words.on_the_way(found), "95%", "2 left", "not first", "3 left")


@pytest.mark.parametrize(
    ("points", "facts"),
    [
        ([(3, 0.1)] * 5, ["3rd", "10%", "even with all heads"]),
        ([(1, 0.5)] * 5, ["first with no head", "none of them"]),
        ([(1, 0.5), *[(2, 0.4)] * 4], ["None of 4 heads can go", "L0H0", "2nd", "“·was”"]),
        ([(1, 0.5), (1, 0.4)], ["3 of 4", "1st", "40%", "So far"]),
        ([(1, 0.5), (1, 0.5), (1, 0.5), (1, 0.4), (2, 0.1)], ["1 of 4 head is enough", "L1H0"]),
    ],
)
def test_other_ends_of_the_curve(points, facts) -> None:
    assert says(words.taking_away(curve(*points), ANSWER, SHAPE), *facts)


def test_random_orders_beside_the_curve() -> None:
    def order(*ranks: int) -> tuple[Point, ...]:
        return tuple(Point(3 - n, None, standing(r, 0.1), "x") for n, r in enumerate(ranks))

    most = Curve(4, (), (order(1, 1, 2), order(1, 1, 3), order(1, 2, 2)))
    assert says(words.random_orders(most), "3 orders", "2 left")
    early = Curve(4, (), (order(2, 2, 2), order(1, 2, 2), order(4, 2, 2)))
    assert says(words.random_orders(early), "3 orders", "3 left")
    assert words.random_orders(Curve(4, ())) == ""
    needs_none = replace(curve(*[(1, 0.5)] * 5), random=most.random)
    assert words.random_orders(needs_none) == ""


def test_an_answer_that_loses_its_place_with_the_first_head_has_no_way_to_tell_of() -> None:
    assert words.on_the_way(curve((1, 0.5), *[(2, 0.7)] * 4)) == ""


def test_the_rows_of_the_curve() -> None:
    headers, rows = words.curve_rows(curve((1, 0.7), (2, 0.25)))
    assert len(headers) == len(rows[0])
    assert rows[1] == ("3", "L0H0", "2", "25%", "−1.39", "1.50", "“·was”")


def backup_of(*costs: tuple[float, float], partners: tuple[float, ...] = ()) -> Backup:
    none = Cost(0.0, 0.0)
    others = tuple(
        ((Head(1, n),), Costs(none, none, Cost(over, over))) for n, over in enumerate(partners)
    )
    return Backup(
        (Head(23, 0),), (Head(23, 1),), Costs(*(Cost(*cost) for cost in costs)),
        standing(1, 0.8), (standing(1, 0.7), standing(1, 0.6), standing(4, 0.1)), others, "Few.",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("costs", "facts"),
    [
        ([(0.1, 0.1), (0.2, 0.2), (1.4, 1.5)], ["0.10", "0.20", "1.40", "stands in for the other"]),
        ([(1.0, 1.1), (1.0, 1.1), (1.1, 1.2)], ["1.00", "1.10", "less than the sum", "through"]),
        ([(1.0, 1.0), (0.5, 0.5), (1.5, 1.5)], ["1.50", "about the sum", "apart"]),
        ([(0.1, 1.0), (0.2, 1.2), (1.0, 2.2)], ["1.00", "log-odds", "no backup"]),
        ([(0.0, 0.0), (0.01, 0.01), (0.01, 0.01)], ["0.01", "does not need them"]),
        ([(-0.5, -0.5), (0.2, 0.2), (0.9, 0.9)], ["−0.50", "0.90", "cost more than the sum"]),
        ([(-0.5, -0.5), (0.9, 0.9), (0.0, 0.0)], ["−0.50", "0.00", "less than the sum"]),
    ],
)
def test_what_a_pair_means(costs, facts) -> None:
    said = words.backup(backup_of(*costs))
    assert says(said, "L23H0", *facts)
    if costs[0][0] < 0:
        assert "stands in" not in said
        assert "through" not in said


def test_a_pair_beside_random_partners() -> None:
    clear = backup_of((0.1, 0.1), (0.2, 0.2), (1.4, 1.5), partners=(0.0, 0.1, 0.0, 0.1))
    assert says(words.backup_beside(clear), "+1.10", "clearly more", "+0.05 ± 0.06", "4 draws")
    scattered = backup_of((0.1, 0.1), (0.2, 0.2), (1.4, 1.5), partners=(2.0, -1.0, 3.0))
    assert says(words.backup_beside(scattered), "+1.10", "no more", "3 draws")
    assert words.backup_beside(backup_of((0.0, 0.0), (0.0, 0.0), (0.0, 0.0))) == "Few."
    assert says(words.answer_stays(clear, " sat"), "1st", "80%", "70%", "60%", "4th", "10%")


def test_a_surplus_that_random_partners_have_too_is_no_backup() -> None:
    scattered = backup_of((0.1, 0.1), (0.2, 0.2), (1.4, 1.5), partners=(2.0, -1.0, 3.0))
    said = words.backup(scattered)
    assert says(said, "1.40", "more than the sum", "random partners")
    assert "stands in" not in said


def test_the_bars_hold_the_sum() -> None:
    records = words.bar_records(backup_of((0.1, 0.1), (0.2, 0.2), (1.4, 1.5)))
    assert [record["cost"] for record in records] == pytest.approx([0.1, 0.2, 0.3, 1.4])


def test_who_stands_in_most_of_how_many() -> None:
    backup = Costs(Cost(0.1, 0.1), Cost(0.2, 0.2), Cost(1.4, 1.4))
    none = Costs(Cost(0.1, 0.1), Cost(0.2, 0.2), Cost(0.3, 0.3))
    ranked = [(Head(1, 1), backup), (Head(1, 2), backup), (Head(0, 0), none)]
    said = words.best_partner([Head(1, 0)], ranked)
    assert says(said, "3 heads", "L1H1", "L1H0", "1.40", "0.10", "0.20", "1 more")
    assert says(said, "+1.10 nats", "+0.55 ± 0.78")  # the others: 1.1 and 0
    assert "may stand in for" in said
    assert "by chance" in said
    many = [*ranked[:1], *((Head(2, place), none) for place in range(8))]
    clear = words.best_partner([Head(1, 0)], many)  # the others: 0 each
    assert "L1H1 stands in for L1H0" in clear
    assert "by chance" not in clear
    assert says(words.best_partner([Head(1, 0)], ranked[2:]), "None of 1 head", "L0H0", "no more")
    harmful = Costs(Cost(-0.7, -0.7), Cost(-0.99, -0.99), Cost(-1.08, -1.18))  # .61 and .51 over
    assert says(words.best_partner([Head(1, 0)], [(Head(0, 0), harmful)]), "0.51 nats more than")


def kept_table(*logits: list[float]) -> PromptTable:
    """The untouched run first; token 0 is watched."""
    clean, *others = (Outcome(Condition("x"), torch.tensor(one), torch.zeros(0)) for one in logits)
    rows = tuple(
        Row(name, compare(clean, other, answer=0), " was", 0.5, "“·sat” is still first.", (), ())
        for name, other in zip(("these", "none"), others, strict=True)
    )
    encoding = encode(load_tokenizer(str(DEMO_MODEL)), DEFAULT_PROMPT)
    return PromptTable(DEFAULT_PROMPT, encoding, ANSWER, " sat", 0.9, 3, rows)


def test_kept_heads_beside_none_and_beside_random_ones() -> None:
    table = kept_table([3.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, math.log(2), 0.0])
    said = words.kept(table, [Head(0, 1)], 4)
    assert says(said, "L0H1", "1 of 4", "no head kept", "2nd", "25%")
    many = words.kept(table, [Head(0, n) for n in range(9)], 20)
    assert says(many, "9 of 20 heads kept")
    judgement = judge(2.0, [0.1, 0.2, 0.1])
    assert says(words.kept_beside(judgement, 1), "+2.00", "clearly more", "0.13", "1 of 3 draws")
    assert says(words.kept_beside(judge(0.1, [0.1, 0.2]), 0), "no more", "0 of 2 draws")
    assert says(words.kept_beside(judge(0.1, []), 0), "no control")
