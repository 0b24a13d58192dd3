"""Thresholds and selection on distributions whose answer is known."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from headroles.roles import CLASSIC
from headroles.scoring.calibration import (
    calibrate,
    fits_nothing,
    null_limit,
    otsu,
    select_heads,
    unseen_layers,
)
from headroles.types import Head, RoleScores
from tests.facts import says


def scores(mean, *, role="induction", chance=0.04, null=0.1):
    mean = torch.tensor(mean)
    return RoleScores(
        role=role,
        mean=mean,
        standard_error=torch.full_like(mean, 0.01),
        chance=chance,
        n=50,
        null_limit=null,
    )


@pytest.mark.parametrize(
    ("values", "cut"),
    [
        ([0.1, 0.2, 0.8, 0.9], 0.5),  # the gap lies between .2 and .8
        ([0.0, 0.0, 0.0, 1.0], 0.5),
        ([0.1, 0.12, 0.14, 0.16, 0.6], 0.38),
    ],
)
def test_otsu_puts_the_cut_in_the_gap(values, cut):
    assert otsu(torch.tensor(values)) == pytest.approx(cut)


def test_otsu_is_the_best_of_all_cuts():
    values = torch.rand(40, generator=torch.Generator().manual_seed(0))

    def between(cut):
        low, high = values[values < cut], values[values >= cut]
        return len(low) * len(high) * float(low.mean() - high.mean()) ** 2

    best = max(between(cut) for cut in values[values > values.min()].tolist())
    assert between(otsu(values)) == pytest.approx(best)


@pytest.mark.parametrize("table", [[[0.02, 0.04, 0.9]], [[0.04, 0.041]], [[0.7, 0.99]]])
def test_the_convention_is_one_constant_whatever_the_heads_score(table):
    found = calibrate(scores(table))
    assert found.value == CLASSIC == 0.4
    assert says(found.reason, "0.40 by convention", "0.10", "random cells")


def test_random_cells_of_single_texts_raise_the_threshold_over_the_convention():
    found = calibrate(scores([[0.1, 0.2], [0.3, 0.42]], null=0.41))
    assert found.value == pytest.approx(0.41)
    assert says(found.reason, "this model's data", "0.41", "0.40")


def test_the_null_is_the_99th_percentile_of_heads_and_single_texts():
    """200 numbers, 197 of them .1, then .2, .5, .9: place .99 * 199 = 197.01 of the sorted ones,
    counted from 0, so .2 + .01 * (.5 - .2) lies there; NaNs do not count."""
    values = torch.full((51, 2, 2), 0.1)
    values[:3, 0, 0] = torch.tensor([0.9, 0.2, 0.5])
    values[50] = torch.nan
    order = values[~values.isnan()].sort().values
    assert order[196:].tolist() == pytest.approx([0.1, 0.2, 0.5, 0.9])
    assert null_limit(values) == pytest.approx(0.203)
    assert null_limit(torch.full((2, 1, 1), torch.nan)) == 0


def test_a_mean_over_texts_would_hide_what_a_single_one_shows():
    """A head that hits random cells with all its attention on one text of ten."""
    values = torch.zeros(10, 1, 1)
    values[0] = 1
    assert values.mean() < CLASSIC < null_limit(values)


def test_diffuse_has_a_convention_of_its_own_and_no_null():
    even = scores([[0.99, 0.98], [0.97, 0.96]], role="diffuse", chance=1.0, null=None)
    assert calibrate(even).value == 0.7
    assert calibrate(even).reason == "0.70 by convention."


def test_heads_over_the_threshold_come_best_first_and_are_capped():
    listed = select_heads(scores([[0.9, 0.5, 0.7], [0.6, 0.1, 0.8]]), 0.45, cap=3)
    assert [one.head.label for one in listed] == ["L0H0", "L1H2", "L0H2"]
    assert {one.entered_by for one in listed} == {"threshold"}


def test_another_layer_may_enter_lower_but_pushes_no_higher_score_out():
    table = scores([[0.9, 0.8, 0.7], [0.40, 0.1, 0.39]])
    listed = select_heads(table, 0.6, cap=8)
    assert [one.head.label for one in listed] == ["L0H0", "L0H1", "L0H2", "L1H0"]
    assert [one.entered_by for one in listed] == ["threshold"] * 3 + ["layer diversity"]
    full = select_heads(table, 0.6, cap=3)
    assert [one.head.label for one in full] == ["L0H0", "L0H1", "L0H2"]


def test_a_crowd_in_one_layer_leaves_room_for_the_best_of_another():
    """Ten heads of .8 in layer 3, and L5H2 at .5: all of them over the threshold, cap 8."""
    table = torch.zeros(6, 10)
    table[3], table[5, 2] = 0.8, 0.5
    listed = select_heads(scores(table.tolist()), 0.4, cap=8)
    assert [one.head.label for one in listed] == [*(f"L3H{place}" for place in range(7)), "L5H2"]
    assert [one.entered_by for one in listed] == ["threshold"] * 7 + ["layer diversity"]


def test_three_of_four_places_go_by_score_alone():
    """Of twelve heads over the threshold eight may be listed: the six best, whatever their layer,
    and the best heads of two more layers; the list is in the order of the scores."""
    rest = [0.1] * 8
    table = [[0.95, 0.94, 0.93, 0.92, 0.91, 0.90, 0.89, 0.88, 0.87]]
    table += [[0.6, *rest], [0.5, *rest], [0.45, *rest]]
    listed = select_heads(scores(table), 0.4, cap=8)
    assert [one.head.label for one in listed] == [*(f"L0H{n}" for n in range(6)), "L1H0", "L2H0"]
    assert [one.entered_by for one in listed] == ["threshold"] * 6 + ["layer diversity"] * 2
    few = select_heads(scores(table), 0.4, cap=3)
    assert [one.head.label for one in few] == ["L0H0", "L0H1", "L0H2"]


def test_a_free_place_is_no_layers_if_a_higher_score_is_over_the_threshold():
    """Five over the threshold, cap 6: all five, then the best of a layer that has none."""
    table = [[0.9, 0.8, 0.7], [0.6, 0.5, 0.1], [0.3, 0.29, 0.1]]
    listed = select_heads(scores(table), 0.4, cap=6)
    assert [one.head.label for one in listed] == ["L0H0", "L0H1", "L0H2", "L1H0", "L1H1", "L2H0"]
    assert listed[-1].entered_by == "layer diversity"
    assert [one.head.label for one in select_heads(scores(table), 0.4, cap=5)] == [
        one.head.label for one in listed[:5]
    ]


def test_diversity_never_lists_a_head_under_the_floor():
    listed = select_heads(scores([[0.9, 0.1], [0.2, 0.1]]), 0.3, cap=8)
    assert [one.head.label for one in listed] == ["L0H0"]


def test_other_is_below_on_all_roles():
    tables = {
        "induction": scores([[0.9, 0.1]]),
        "positional": scores([[0.1, 0.2]], role="positional"),
    }
    assert fits_nothing(tables, {"induction": 0.5, "positional": 0.5}).tolist() == [[False, True]]
    assert fits_nothing(tables, {"induction": 0.5, "positional": 0.15}).tolist() == [[False, False]]


def test_other_is_listed_by_none():
    tables = {"induction": scores([[0.9, 0.1]])}
    limits = {"induction": 0.5}
    assert fits_nothing(tables, limits).tolist() == [[False, True]]
    assert fits_nothing(tables, limits, listed=[Head(0, 1)]).tolist() == [[False, False]]


def test_a_layer_that_hides_the_role_has_no_score() -> None:
    nan = torch.nan
    per_text = torch.tensor(
        [[[0.5, 0.1], [nan, nan], [0.2, 0.3]], [[0.7, 0.1], [nan, nan], [nan, nan]]]
    )  # 2 texts, 3 layers: layer 1 is seen on none, layer 2 on one, which gives no error
    assert unseen_layers(per_text) == (1, 2)
    assert unseen_layers(per_text[:, :1]) == ()


def test_a_layer_that_was_not_measured_is_not_listed_and_moves_no_threshold() -> None:
    whole = scores([[0.05, 0.06, 0.5, 0.52]], role="fixed_offset")
    half = replace(
        scores([[0.05, 0.06, 0.5, 0.52], [0.0] * 4], role="fixed_offset"), unseen_layers=(1,)
    )
    assert calibrate(half) == calibrate(whole)
    shown = replace(scores([[0.9, 0.1], [0.8, 0.1]]), unseen_layers=(1,))
    assert [one.head for one in select_heads(shown, 0.4, cap=5)] == [Head(0, 0)]
