"""Thresholds and selection on distributions whose answer is known."""

from __future__ import annotations

import pytest
import torch

from headroles.scoring.calibration import (
    CEILING_LIFT,
    FLOOR_LIFT,
    calibrate,
    fits_nothing,
    otsu,
    select_heads,
)
from headroles.types import RoleScores


def scores(mean, *, role="induction", chance=0.04, null=0.05):
    mean = torch.tensor(mean)
    return RoleScores(
        role=role,
        mean=mean,
        standard_error=torch.full_like(mean, 0.01),
        chance=chance,
        n=50,
        null=None if null is None else torch.full_like(mean, null),
        control=None,
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


def test_a_clear_gap_sets_the_threshold_and_the_reason_says_so():
    found = calibrate(scores([[0.02, 0.04, 0.9], [0.03, 0.05, 0.8]]))
    assert found.value == pytest.approx(0.425)  # midway between .05 and .8
    assert "gap" in found.reason


def test_noise_alone_cannot_push_the_threshold_under_the_floor():
    found = calibrate(scores([[0.040, 0.041], [0.045, 0.046]]))
    assert found.value == pytest.approx(0.04 + FLOOR_LIFT * 0.96)
    assert "floor" in found.reason


def test_a_crowd_of_perfect_heads_cannot_push_it_over_the_ceiling():
    found = calibrate(scores([[0.70, 0.72], [0.98, 0.99]]))
    assert found.value == pytest.approx(0.04 + CEILING_LIFT * 0.96, abs=1e-4)
    assert "ceiling" in found.reason


def test_heads_that_score_well_on_random_cells_raise_the_threshold():
    found = calibrate(scores([[0.1, 0.2], [0.3, 0.42]], null=0.41))
    assert found.value == pytest.approx(0.41, abs=1e-4)
    assert "random cells" in found.reason


def test_diffuse_is_bounded_by_entropy_not_by_chance():
    even = scores([[0.99, 0.98], [0.97, 0.96]], role="diffuse", chance=1.0, null=None)
    assert calibrate(even).value == pytest.approx(0.9)


def test_heads_over_the_threshold_come_best_first_and_are_capped():
    listed = select_heads(scores([[0.9, 0.5, 0.7], [0.6, 0.1, 0.8]]), 0.45, cap=3)
    assert [one.head.label for one in listed] == ["L0H0", "L1H2", "L0H2"]
    assert {one.entered_by for one in listed} == {"threshold"}


def test_another_layer_may_enter_lower_but_pushes_no_higher_score_out():
    table = scores([[0.9, 0.8, 0.7], [0.40, 0.1, 0.39]])
    listed = select_heads(table, 0.6, cap=8)
    assert [one.head.label for one in listed] == ["L0H0", "L0H1", "L0H2", "L1H0"]
    assert listed[-1].entered_by == "layer diversity"
    full = select_heads(table, 0.6, cap=3)
    assert [one.head.label for one in full] == ["L0H0", "L0H1", "L0H2"]


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
