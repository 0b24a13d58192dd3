"""The records: how a head is written and read, and the two things that records derive."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from headroles.errors import UnknownHeadError
from headroles.types import Activation, Encoding, Head, Sequences, Verdict


@given(st.integers(0, 999), st.integers(0, 999))
def test_a_head_is_read_as_it_is_written(layer: int, head: int) -> None:
    assert Head.parse(Head(layer, head).label) == (layer, head)


@pytest.mark.parametrize("text", ["L5H1", "l5h1", " L5 H1 ", "L5-H1", "5.1", "5-1", "5,1", "L5.1"])
def test_people_write_a_head_in_many_ways(text: str) -> None:
    assert Head.parse(text) == Head(5, 1)


@pytest.mark.parametrize("text", ["", "L5", "H1", "L5H", "5", "head 1", "L-5H1", "L5H1x", "1.2.3"])
def test_what_is_no_head_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(UnknownHeadError, match="for example L1H3"):
        Head.parse(text)


@pytest.mark.parametrize("text", ["51", "112", "L112", "5 1"])
def test_digits_without_a_mark_between_are_not_guessed_at(text: str) -> None:
    # 112 could be L1H12 or L11H2
    with pytest.raises(UnknownHeadError):
        Head.parse(text)


@pytest.mark.parametrize(
    ("value", "chance", "lift"),
    [(1.0, 0.2, 1.0), (0.2, 0.2, 0.0), (0.6, 0.2, 0.5), (0.0, 0.5, -1.0), (1.0, 1.0, 0.0)],
)
def test_lift_is_the_way_from_chance_to_perfect(value: float, chance: float, lift: float) -> None:
    assert Activation(value, chance, rows=3).lift == pytest.approx(lift)


def test_an_encoding_knows_whether_it_was_cut() -> None:
    whole = Encoding((0, 5), ("<s>", "a"), "<s>", start_is_stand_in=False, full_length=2)
    cut = Encoding((0, 5), ("<s>", "a"), "<s>", start_is_stand_in=False, full_length=3)
    assert (whole.truncated, cut.truncated) == (False, True)


@pytest.mark.parametrize("state", ["active", "quiet", "not_applicable", "too_short"])
def test_only_an_active_verdict_is_active(state: str) -> None:
    verdict = Verdict(Head(0, 0), "induction", Activation(1, 0, 3), 0.4, state, "why", 0.0, 0.4)
    assert verdict.is_active == (state == "active")


def test_records_are_frozen_and_sequences_have_a_length() -> None:
    batch = Sequences(torch.zeros(3, 4, dtype=torch.long), torch.tensor([4, 2, 3]))
    assert len(batch) == 3
    with pytest.raises(FrozenInstanceError):
        batch.lengths = torch.tensor([1, 1, 1])
