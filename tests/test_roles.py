"""The registry: every role is whole, and its cells are the ones that its formula says."""

from __future__ import annotations

import pytest
import torch

from headroles.errors import UnknownRoleError
from headroles.roles import (
    BASIC_ROLES,
    EXTENDED_ROLES,
    ROLES,
    SCORED_ROLES,
    Prompts,
    earlier_copies,
    get_role,
)


def cells(role: str, ids: list[int]) -> set[tuple[int, int]]:
    return {(q, k) for q, k in ROLES[role].cells(Prompts.of_ids(ids))[0].nonzero().tolist()}


# ids: BOS the cat sat the cat, with the = 5, cat = 6 and sat = 7
@pytest.mark.parametrize(
    ("role", "expected"),
    [
        ("previous_token", {(2, 1), (3, 2), (4, 3), (5, 4)}),  # not (1, 0): idle heads rest there
        ("duplicate_token", {(4, 1), (5, 2)}),
        ("induction", {(4, 2), (5, 3)}),
        ("positional", {(1, 0), (2, 0), (3, 0), (4, 0), (5, 0)}),  # not (0, 0): no choice there
    ],
)
def test_cells_by_hand(role: str, expected: set[tuple[int, int]]) -> None:
    assert cells(role, [0, 5, 6, 7, 5, 6]) == expected


def test_cells_that_cannot_tell_two_roles_apart_are_left_out() -> None:
    # BOS no , no ,: what followed the first "no" is the token just before the second
    assert cells("induction", [0, 5, 6, 5, 6]) == set()
    assert cells("duplicate_token", [0, 5, 6, 5, 6]) == {(3, 1), (4, 2)}
    # BOS no no no no: all but the first "no" follow one, too
    assert cells("induction", [0, 5, 5, 5, 5]) == set()
    assert cells("duplicate_token", [0, 5, 5, 5, 5]) == {(3, 1), (4, 1)}


def test_the_attention_that_counts_for_the_roles_of_repetition() -> None:
    # BOS no , no , no: what followed the earlier "no" is 2 and 4, and 4 stands just before
    prompts = Prompts.of_ids([0, 5, 6, 5, 6, 5])
    after, copy = (ROLES[key].among(prompts)[0] for key in ("induction", "duplicate_token"))
    assert after[5].tolist() == [False, True, True, True, False, True]
    assert copy[5].tolist() == [False, True, True, True, True, True]
    # BOS no no: the copy stands just before
    copy = ROLES["duplicate_token"].among(Prompts.of_ids([0, 5, 5]))[0]
    assert copy.tolist() == [[False] * 3, [False, True, False], [False, False, True]]


def test_cells_of_a_batch_are_those_of_its_rows() -> None:
    batch = torch.tensor([[0, 5, 6, 5], [0, 5, 5, 5], [0, 0, 0, 0]])
    for role in SCORED_ROLES:
        if role.cells is None:
            continue
        together = role.cells(Prompts.of_ids(batch))
        assert together.dtype == torch.bool
        for row, ids in zip(together, batch, strict=True):
            assert torch.equal(row, role.cells(Prompts.of_ids(ids))[0])


def test_position_zero_is_a_copy_like_any_other() -> None:
    copies = earlier_copies(torch.tensor([0, 0, 5, 0])).nonzero().tolist()
    assert copies == [[1, 0], [3, 0], [3, 1]]


def test_there_are_five_scored_roles_and_other() -> None:
    assert list(BASIC_ROLES) == [
        "previous_token",
        "induction",
        "duplicate_token",
        "positional",
        "diffuse",
        "other",
    ]
    assert [role.key for role in SCORED_ROLES] == list(BASIC_ROLES)[:-1]
    assert len(EXTENDED_ROLES) == 11


def test_the_views_are_parts_of_one_registry() -> None:
    lab = {key for key, role in ROLES.items() if role.level == "lab"}
    parts = (set(BASIC_ROLES), set(EXTENDED_ROLES), lab)
    assert set.union(*parts) == set(ROLES)
    assert sum(map(len, parts)) == len(ROLES)


def test_a_role_looks_somewhere_or_is_told_by_what_it_writes() -> None:
    for role in (*SCORED_ROLES, *EXTENDED_ROLES.values()):
        assert role.has_cells == (role.from_attention and role.key != "diffuse")
        assert bool(role.looks_at) == role.from_attention


def test_a_fixed_offset_has_the_cells_of_the_distance_it_is_asked_for() -> None:
    role = ROLES["fixed_offset"].at_distance(3)
    assert role.cells(Prompts.of_ids([0] * 6))[0].nonzero().tolist() == [[4, 1], [5, 2]]
    assert role.key == "fixed_offset"
    assert "3" in role.looks_at


def test_every_extended_role_says_where_it_is_from_and_what_it_does_not_say() -> None:
    for role in EXTENDED_ROLES.values():
        assert "arXiv" in role.source
        assert role.caution
        assert role.control


@pytest.mark.parametrize("role", BASIC_ROLES.values(), ids=list(BASIC_ROLES))
def test_every_role_says_what_students_read(role) -> None:
    assert role.name
    assert role.icon.replace("_", "").isalpha()
    assert role.explanation.endswith(".")
    assert role.formula
    if role.is_scored:
        assert role.asleep.endswith(".")
        assert len(role.story_hints) >= 2
        assert len(role.text_hints) >= 2
        assert role.min_rows >= 1
    else:
        assert role.cells is None


@pytest.mark.parametrize("role", [r for r in SCORED_ROLES if r.requires_repetition])
def test_hints_of_repetition_really_repeat(role) -> None:
    for hint in (*role.story_hints, *role.text_hints):
        words = hint.lower().split()
        assert len(set(words)) < len(words)


def test_an_unknown_role_names_a_near_one() -> None:
    assert get_role("diffuse") is ROLES["diffuse"]
    with pytest.raises(UnknownRoleError, match=r"'previus_token'\. Did you mean 'previous_token'"):
        get_role("previus_token")
