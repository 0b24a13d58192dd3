"""A fact is found whatever words surround it, and no other number passes for it."""

from __future__ import annotations

import pytest

from tests.facts import says

SENTENCE = "In 21 of 320 heads\nInduction: L1H1 has +0.43, 7 of 8 draws; sha256:0 (45%)."


@pytest.mark.parametrize(
    "facts",
    [("21 of 320",), ("L1H1", "+0.43", "8"), ("induction", "draws"), ("sha256:", "45%")],
)
def test_what_is_there_in_this_order(facts: tuple[str, ...]) -> None:
    assert says(SENTENCE, *facts)
    assert says(SENTENCE.splitlines(), *facts)


@pytest.mark.parametrize(
    "facts", [("1 of 32",), ("0.4",), ("8", "L1H1"), ("21", "Induction"), ("5%",), ("43",)]
)
def test_parts_of_numbers_another_order_and_two_paragraphs_are_not(facts: tuple[str, ...]) -> None:
    assert not says(SENTENCE, *facts)


def test_nothing_is_no_fact() -> None:
    with pytest.raises(ValueError, match="without a fact"):
        says(SENTENCE)
