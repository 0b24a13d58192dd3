"""What pages conclude about one head, from made-up numbers."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from headroles.circuits import Composition, HeadSummary
from headroles.circuits.qk_ov import KeyRow, TokenValue
from headroles.types import Head, Verdict
from headroles.verdicts import passport
from headroles.view import conclusions
from tests.entries import entry
from tests.facts import says

PLAIN = HeadSummary(
    Head(2, 3), copying=0.05, copies=0.0, lowers=0.0, copies_of=2000, self_match=0.1,
    previous=0.06, previous_chance=0.05, by_tokens=1.2, by_place=0.3, preferred=7,
)  # fmt: skip


def summary(**changes: object) -> HeadSummary:
    return replace(PLAIN, **changes)


@pytest.mark.parametrize(
    ("changes", "facts"),
    [
        ({"by_place": 3.0, "preferred": 1, "previous": 0.51}, ("token just before", "51%", "5%")),
        ({"by_place": 3.0, "preferred": 4}, ("distance", "the token 4 back")),
        ({"by_place": 3.0, "preferred": 0}, ("distance", "the token itself")),
        ({"self_match": 2.9}, ("copies of the current token", "2.9")),
        ({"copying": 0.99, "copies": 0.31}, ("It copies", "+0.99")),
        ({"copying": -0.98, "lowers": 0.3}, ("It suppresses", "less likely", "−0.98")),
    ],
)
def test_a_clear_rule_is_said_with_its_number(changes: dict, facts: tuple[str, ...]) -> None:
    said = conclusions.circuits(summary(**changes))
    assert says(said, *facts)
    assert "clear story" not in said


@pytest.mark.parametrize("changes", [{}, {"copying": 0.9, "copies": 0.02}, {"copying": -0.74}])
def test_where_the_weights_say_nothing_clear_that_is_said(changes: dict) -> None:
    assert "do not tell a clear story" in conclusions.circuits(summary(**changes))


def test_an_induction_head_goes_by_what_an_earlier_head_wrote() -> None:
    assert says(conclusions.circuits(PLAIN, roles=["induction"]), "earlier head", "leave out")
    copy = summary(self_match=1.7)
    assert says(conclusions.circuits(copy, roles=["induction"]), "token after a copy")


def test_an_example_names_what_a_clear_head_does_with_its_first_key() -> None:
    tokens = tuple(TokenValue(number, 1.0) for number in range(1, 6))
    row = KeyRow(0, 1.0, 1.0, 1.0, queries=tokens, promoted=tokens, suppressed=tokens[::-1])
    names = dict(enumerate("abcdef"))
    assert conclusions.example(PLAIN, row, names) == ""
    copies = conclusions.example(summary(copying=0.99, copies=0.3), row, names)
    assert says(copies, "“a”", "“b”, “c” and “d”", "likelier")
    against = conclusions.example(summary(copying=-0.99, lowers=0.3), row, names)
    assert says(against, "“a”", "“f”, “e” and “d”", "less likely")


def test_all_heads_are_counted_by_what_is_clear() -> None:
    heads = [
        PLAIN,
        summary(copying=0.9, copies=0.5),
        summary(by_place=9.0),
        summary(self_match=3.0),
    ]
    assert says(
        conclusions.all_heads(heads),
        "4 heads",
        "1 clearly copies",
        "0 clearly suppress",
        "1 choose",
        "1 look",
    )


def test_pairs_of_heads_are_named_where_they_stand_out() -> None:
    result = Composition(
        "K", score=torch.zeros(0, 0), baseline=0.05, spread=0.01, draws=32, heads=()
    )
    pairs = [("L0H1", "L1H2", 0.3), ("L0H0", "L1H0", 0.2), ("L0H3", "L1H3", 0.06)]
    best = conclusions.composition(result, pairs, "L1H2")
    assert says(best, "L0H1 writes, L1H2 reads", "3 pairs", "0.300", "0.050")
    assert says(conclusions.composition(result, pairs, "L0H0"), "L0H0 is read most by L1H0")
    assert says(conclusions.composition(result, pairs, "L1H0"), "L1H0 reads most from L0H0")
    assert says(conclusions.composition(result, pairs, "L0H3"), "No pair of L0H3")
    assert says(conclusions.composition(result, pairs[2:], "L0H3"), "No pair stands out")


def verdict(role: str, *, active: bool) -> Verdict:
    return Verdict(
        role=role, head=Head(1, 0), state="active" if active else "quiet", activation=None,
        threshold=0.4, needed=0.4, reason="", resting_share=0.0,
    )  # fmt: skip


def test_the_close_up_says_whether_many_texts_agree() -> None:
    found = passport(entry(), Head(1, 0))
    assert found.roles
    (main, *_), records = found.roles, {record.role: record for record in found.records}
    score = f"{records[main].score:.2f}"
    assert says(conclusions.closeup(found, [verdict(main, active=True)]), "many texts too", score)
    assert says(conclusions.closeup(found, [verdict(main, active=False)]), "another job", score)
    unknown = passport(None, Head(1, 0))
    assert says(conclusions.closeup(unknown, []), "has not been analysed")
