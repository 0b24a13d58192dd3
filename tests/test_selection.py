"""Reselecting from a stored entry gives what an analysis with those settings would have given."""

from __future__ import annotations

import pytest

from headroles.errors import AnalysisError, UnknownRoleError
from headroles.paths import ROOT
from headroles.reference import selection
from headroles.roles import BASIC_ROLES, SCORED_ROLES
from headroles.store import Hint, RoleHints, WokenHead, categories
from headroles.types import Head

BUNDLED = ROOT / "data" / "head_categories.json"


@pytest.fixture(scope="module")
def bundled() -> categories.ModelEntry:
    return categories.read_entry("demo", BUNDLED)


def test_nothing_moved_gives_the_entry_back(bundled):
    assert selection.reselect(bundled, {}, cap=bundled.cap) == bundled


def test_a_threshold_reselects_its_role_and_other_only(bundled):
    scores = bundled.all_scores["induction"]
    moved = selection.reselect(bundled, {"induction": 0.6}, cap=32)
    expected = sorted(
        (
            (-score, layer, head)
            for layer, row in enumerate(scores)
            for head, score in enumerate(row)
            if score >= 0.6
        )
    )
    over = [top for top in moved.categories["induction"].top_heads if top.entered_by == "threshold"]
    assert [(-top.score, top.layer, top.head) for top in over] == expected
    assert moved.categories["induction"].threshold == 0.6
    assert moved.categories["induction"].threshold_reason == selection.BY_HAND
    uncapped = selection.reselect(bundled, {}, cap=32)
    for key in moved.categories.keys() - {"induction", "other"}:
        assert moved.categories[key] == uncapped.categories[key]


def test_the_scores_are_never_touched(bundled):
    moved = selection.reselect(bundled, {"diffuse": 0.99, "positional": 0.01}, cap=1)
    for name in ("all_scores", "standard_errors", "null_scores", "controls", "seed", "revision"):
        assert getattr(moved, name) == getattr(bundled, name)
    assert moved.cap == 1
    assert all(len(moved.categories[role.key].top_heads) <= 1 for role in SCORED_ROLES)


def test_a_high_bar_everywhere_leaves_every_head_to_other(bundled):
    moved = selection.reselect(bundled, {role.key: 0.999 for role in SCORED_ROLES}, cap=8)
    best = {
        Head(layer, head): max(bundled.all_scores[role.key][layer][head] for role in SCORED_ROLES)
        for layer in range(bundled.num_layers)
        for head in range(bundled.num_heads)
    }
    others = {Head(top.layer, top.head) for top in moved.categories["other"].top_heads}
    listed = {head for role in SCORED_ROLES for head in moved.categories[role.key].heads}
    assert others == {head for head, score in best.items() if score < 0.999} - listed
    assert listed, "the best head of a layer may enter below the threshold"


@pytest.mark.parametrize("threshold", [0.45, 0.6, 0.9])
def test_a_listed_head_never_fits_nothing(bundled, threshold):
    """Moved by hand, a threshold leaves heads on the list that entered as the best of a layer."""
    for key in ("previous_token", "induction", "positional"):
        moved = selection.reselect(bundled, {key: threshold}, cap=8)
        listed = {head for role in SCORED_ROLES for head in moved.listed(role.key)}
        assert not listed & set(moved.listed("other"))


def test_it_equals_a_fresh_categorisation_with_the_same_threshold(bundled):
    settings = selection.AnalysisSettings(cap=5, thresholds={"previous_token": 0.5})
    fresh = selection.categorize(selection.scores_of(bundled), settings)
    moved = selection.reselect(bundled, {"previous_token": 0.5}, cap=5)
    for key in BASIC_ROLES:
        assert moved.categories[key] == fresh["categories"][key]
    assert moved.extended == bundled.extended
    assert {key: moved.all_scores[key] for key in fresh["all_scores"]} == fresh["all_scores"]


def test_an_entry_without_a_null_of_single_texts_gets_the_convention(bundled):
    """Entries made before it was stored have none, and no means by kind."""
    old = bundled.model_dump()
    del old["by_kind"]
    for category in old["categories"].values():
        del category["null_limit"]
    moved = selection.reselect(categories.ModelEntry.model_validate(old), {}, cap=8)
    assert moved.by_kind == {}
    assert moved.categories["induction"].threshold == 0.4
    assert moved.categories["induction"].threshold_reason == "0.40 by convention."


def test_a_null_that_is_stored_decides_again(bundled):
    induction = bundled.categories["induction"].model_copy(update={"null_limit": 0.93})
    entry = bundled.model_copy(
        update={"categories": {**bundled.categories, "induction": induction}}
    )
    moved = selection.reselect(entry, {}, cap=8).categories["induction"]
    assert moved.threshold == moved.null_limit == 0.93
    scores = [score for row in bundled.all_scores["induction"] for score in row]
    assert len([one for one in moved.top_heads if one.entered_by == "threshold"]) == sum(
        score >= 0.93 for score in scores
    )


def test_a_role_without_a_category_is_left_out(bundled):
    kept = {key: one for key, one in bundled.categories.items() if key != "diffuse"}
    without = bundled.model_copy(update={"categories": kept})
    assert "diffuse" not in selection.reselect(without, {}, cap=8).categories


@pytest.mark.parametrize(
    ("thresholds", "cap", "error", "sentence"),
    [
        ({"induction": 1.5}, 8, AnalysisError, "not between 0 and 1"),
        ({"induction": 0.0}, 8, AnalysisError, "not between 0 and 1"),
        ({"inductoin": 0.5}, 8, UnknownRoleError, "Did you mean 'induction'"),
        ({}, 0, AnalysisError, "lists no head"),
    ],
)
def test_what_cannot_be_is_refused(bundled, thresholds, cap, error, sentence):
    with pytest.raises(error, match=sentence):
        selection.reselect(bundled, thresholds, cap=cap)


# ------------------------------------------------------------------ what wakes heads


@pytest.fixture
def hinted(bundled):
    """Three induction heads with a prompt each, and one that was tried in vain."""
    first, second, third, vain, *_ = bundled.listed("induction")
    prompts = [
        Hint(prompt="both", heads=[_woken(first, 0.9), _woken(second, 0.55)]),
        Hint(prompt="third", heads=[_woken(third, 0.6)]),
    ]
    hints = RoleHints(tried=9, prompts=prompts, in_vain=[tuple(vain)])
    return bundled.model_copy(update={"hints": {"induction": hints}})


def _woken(head: Head, activation: float) -> WokenHead:
    return WokenHead(layer=head.layer, head=head.head, activation=activation)


def test_nothing_moved_keeps_every_prompt(hinted):
    assert selection.reselect(hinted, {}, cap=hinted.cap).hints == hinted.hints


def test_a_higher_threshold_keeps_the_prompts_that_still_reach_it(hinted):
    first, *_, vain = hinted.listed("induction")[:4]
    hints = selection.reselect(hinted, {"induction": 0.595}, cap=8).hints["induction"]
    assert [(hint.prompt, list(hint.woken)) for hint in hints.prompts] == [("both", [first])]
    assert hints.in_vain == [tuple(vain)]  # nothing woke it at the lower threshold either


def test_a_lower_threshold_no_longer_knows_who_is_tried_in_vain(hinted):
    hints = selection.reselect(hinted, {"induction": 0.3}, cap=8).hints["induction"]
    assert hints.prompts == hinted.hints["induction"].prompts
    assert hints.in_vain == []


def test_a_shorter_list_drops_the_prompts_of_the_heads_that_leave(hinted):
    first = hinted.listed("induction")[0]
    hints = selection.reselect(hinted, {}, cap=1).hints["induction"]
    assert [(hint.prompt, list(hint.woken)) for hint in hints.prompts] == [("both", [first])]
    assert hints.in_vain == []
