"""The difference between two analyses, worked out by hand on small entries."""

from __future__ import annotations

import pytest

from headroles.paths import ROOT
from headroles.reference import reselect
from headroles.reference.diff import MAX_CHANGES, Move, compare
from headroles.store import categories
from headroles.types import Head
from tests.entries import entry, plain_entry

A, B, C, D = Head(1, 2), Head(1, 1), Head(0, 2), Head(1, 0)


def with_list(heads: list[Head], *, threshold: float = 0.5):
    plain = plain_entry()
    plain["categories"]["induction"]["threshold"] = threshold
    plain["categories"]["induction"]["top_heads"] = [
        {"layer": head.layer, "head": head.head, "score": 0.9, "standard_error": 0.0}
        for head in heads
    ]
    return entry(**plain)


def change(before: list[Head], after: list[Head]):
    return compare(with_list(before), with_list(after)).roles["induction"]


def test_an_entry_beside_itself_changes_nothing():
    same = compare(entry(), entry())
    assert same.nothing
    assert same.comparable
    assert not same.is_new


def test_heads_enter_and_leave_in_the_order_of_their_lists():
    found = change([A, B], [C, A, D])
    assert found.entering == (C, D)
    assert found.leaving == (B,)
    assert found.moving == ()  # A only slid down because C entered above it
    assert not found.same_list


def test_a_swap_moves_both_heads():
    assert change([A, B], [B, A]).moving == (Move(B, 2, 1), Move(A, 1, 2))


def test_a_head_that_overtakes_two_moves_all_three():
    found = change([A, B, C], [C, A, B])
    assert found.moving == (Move(C, 3, 1), Move(A, 1, 2), Move(B, 2, 3))


def test_a_threshold_alone_is_a_change():
    found = compare(with_list([A]), with_list([A], threshold=0.6))
    assert found.roles["induction"].thresholds == (0.5, 0.6)
    assert found.roles["induction"].same_list
    assert not found.nothing


def test_score_changes_are_largest_first_with_their_joint_error():
    plain = plain_entry()
    plain["all_scores"]["induction"][0] = [0.125, 0.35, 0.1]  # by +.1 and -.4
    plain["standard_errors"]["induction"] = [[0.03] * 3, [0.03] * 3]
    before = plain_entry()
    before["standard_errors"]["induction"] = [[0.04] * 3, [0.04] * 3]
    found = compare(entry(**before), entry(**plain)).roles["induction"].scores
    assert [one.head for one in found] == [Head(0, 2), Head(0, 1)]
    assert [one.change for one in found] == pytest.approx([-0.4, 0.1])
    assert [one.standard_error for one in found] == pytest.approx([0.05, 0.05])  # 3, 4, 5
    assert [one.is_clear for one in found] == [True, False]  # .4 > .1, and .1 is not more than .1


def test_only_the_largest_changes_are_named():
    heads = {"num_layers": 4, "num_heads": 8}
    flat = {**plain_entry(), **heads, "controls": {}, "null_scores": {}, "standard_errors": {}}
    scores = {key: [[0.5] * 8 for _ in range(4)] for key in flat["all_scores"]}
    raised = {key: [[0.6] * 8 for _ in range(4)] for key in flat["all_scores"]}
    found = compare(
        entry(**{**flat, "all_scores": scores}), entry(**{**flat, "all_scores": raised})
    )
    assert len(found.roles["induction"].scores) == MAX_CHANGES


def test_a_new_model_enters_with_every_head():
    found = compare(None, entry())
    assert found.is_new
    assert not found.comparable
    assert found.roles["induction"].entering == (Head(1, 2), Head(1, 1))
    assert found.roles["induction"].thresholds == (None, 0.5)
    assert found.roles["induction"].scores == ()
    assert not found.nothing


def test_another_shape_compares_lists_and_no_scores():
    wide = {**plain_entry(), "num_heads": 4, "controls": {}, "null_scores": {}}
    wide["all_scores"] = {key: [[0.5] * 4] * 2 for key in wide["all_scores"]}
    wide["standard_errors"] = {}
    found = compare(entry(), entry(**wide))
    assert not found.comparable
    assert found.roles["induction"].scores == ()
    assert found.roles["induction"].same_list


def test_a_role_that_only_one_side_has_is_shown():
    plain = plain_entry()
    del plain["categories"]["diffuse"]
    assert compare(entry(), entry(**plain)).roles["diffuse"].leaving == (A, B)
    assert compare(entry(**plain), entry()).roles["diffuse"].entering == (A, B)


def test_evidence_of_other_lists_is_not_called_measured_again():
    bundled = categories.read_entry("demo", ROOT / "data" / "head_categories.json")
    moved = reselect(bundled, {"previous_token": 0.3}, cap=bundled.cap)
    assert compare(bundled, bundled).evidence == ""
    assert compare(bundled, moved).evidence == compare(moved, bundled).evidence == "lists"
    plain = bundled.model_dump()
    plain["causal"]["induction"]["heads"][0]["change"] += 0.001
    again = type(bundled).model_validate(plain)
    assert compare(moved, again).evidence == "other"
    nothing = bundled.model_copy(update={"causal": {}})
    assert (compare(nothing, moved).evidence, compare(moved, nothing).evidence) == ("new", "gone")
