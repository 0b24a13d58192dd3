"""The heads that papers name: read whole, each with its source, all of them in the model."""

from __future__ import annotations

from headroles.roles import BASIC_ROLES, named_heads
from headroles.types import Head


def test_the_papers_previous_token_heads_of_gpt2():
    found = named_heads("gpt2", role="previous_token")
    assert {one.head for one in found} == {Head(2, 2), Head(4, 11)}
    assert all(one.basis == "pattern" for one in found)


def test_every_head_fits_gpt2_and_has_a_source():
    found = named_heads("gpt2")
    assert {one.role for one in found} >= {"previous_token", "duplicate_token", "induction"}
    for one in found:
        assert one.head.layer < 12
        assert one.head.head < 12
        assert one.basis in ("pattern", "function")
        assert len(one.source) > 20


def test_a_role_that_is_not_scored_is_kept_for_the_close_up():
    assert any(one.role not in BASIC_ROLES for one in named_heads("gpt2"))


def test_a_model_of_which_no_paper_speaks_has_none():
    assert named_heads("demo") == []
