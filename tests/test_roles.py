"""The registry: every role is whole, and its cells are the ones that its formula says."""

from __future__ import annotations

import pytest
import torch

from headroles.errors import UnknownRoleError
from headroles.roles import ROLES, SCORED_ROLES, earlier_copies, get_role


def cells(role: str, ids: list[int]) -> set[tuple[int, int]]:
    return {(q, k) for q, k in ROLES[role].targets(torch.tensor(ids)).nonzero().tolist()}


# ids: BOS the cat the cat, with the = 5 and cat = 6
@pytest.mark.parametrize(
    ("role", "expected"),
    [
        ("previous_token", {(2, 1), (3, 2), (4, 3)}),  # not (1, 0): idle heads rest there
        ("duplicate_token", {(3, 1), (4, 2)}),
        ("induction", {(3, 2), (4, 3)}),
        ("positional", {(1, 0), (2, 0), (3, 0), (4, 0)}),  # not (0, 0): no choice there
    ],
)
def test_cells_by_hand(role: str, expected: set[tuple[int, int]]) -> None:
    assert cells(role, [0, 5, 6, 5, 6]) == expected


def test_the_query_is_never_its_own_target() -> None:
    # BOS the the the: at q=2 the follower of the copy at 1 is 2 itself
    assert cells("induction", [0, 5, 5, 5]) == {(3, 2)}
    assert cells("duplicate_token", [0, 5, 5, 5]) == {(2, 1), (3, 1), (3, 2)}


def test_cells_of_a_batch_are_those_of_its_rows() -> None:
    batch = torch.tensor([[0, 5, 6, 5], [0, 5, 5, 5], [0, 0, 0, 0]])
    for role in SCORED_ROLES:
        if role.targets is None:
            continue
        together = role.targets(batch)
        assert together.dtype == torch.bool
        for row, ids in zip(together, batch, strict=True):
            assert torch.equal(row, role.targets(ids))


def test_bos_in_the_text_copies_only_what_stands_after_position_zero() -> None:
    assert earlier_copies(torch.tensor([0, 0, 5, 0])).nonzero().tolist() == [[3, 1]]


def test_there_are_five_scored_roles_and_other() -> None:
    assert list(ROLES) == [
        "previous_token",
        "induction",
        "duplicate_token",
        "positional",
        "diffuse",
        "other",
    ]
    assert [role.key for role in SCORED_ROLES] == list(ROLES)[:-1]


@pytest.mark.parametrize("role", ROLES.values(), ids=list(ROLES))
def test_every_role_says_what_students_read(role) -> None:
    assert role.name
    assert role.icon.replace("_", "").isalpha()
    assert role.explanation.endswith(".")
    assert role.formula
    if role.is_scored:
        assert role.asleep.endswith(".")
        assert len(role.hints) >= 2
        assert role.min_rows >= 1
    else:
        assert role.targets is None


@pytest.mark.parametrize("role", [r for r in SCORED_ROLES if r.requires_repetition])
def test_hints_of_repetition_really_repeat(role) -> None:
    for hint in role.hints:
        words = hint.lower().split()
        assert len(set(words)) < len(words)


def test_an_unknown_role_names_a_near_one() -> None:
    assert get_role("diffuse") is ROLES["diffuse"]
    with pytest.raises(UnknownRoleError, match=r"'previus_token'\. Did you mean 'previous_token'"):
        get_role("previus_token")
