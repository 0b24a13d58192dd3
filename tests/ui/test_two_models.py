"""Two models on one prompt: counts, the best head, and what is concluded from them."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from headroles.roles import SCORED_ROLES
from headroles.types import NextToken
from headroles.verdicts import DEFAULT_THRESHOLDS, score_prompt
from headroles.view import two_models
from tests.facts import says
from tests.pages.planted import PLANTED, planted_attention, planted_entry

REPEATED = (0, 5, 6, 7, 8, 5, 6, 7, 8, 5, 6, 7)
ONCE = (0, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)
SAT, RAN = NextToken(" sat", 1, 0.72), NextToken(" ran", 2, 0.4)


def side(name: str, ids=REPEATED, *, entry=True, guesses=(SAT, RAN)) -> two_models.Side:
    scores = score_prompt(planted_attention(ids, 4, 8).float(), ids)
    return two_models.side(
        name,
        scores,
        entry=planted_entry(4, 8) if entry else None,
        thresholds=DEFAULT_THRESHOLDS,
        guesses=guesses,
    )


def work(side: two_models.Side, role: str) -> two_models.Work:
    return next(work for work in side.works if work.role.key == role)


def test_listed_heads_are_counted_and_the_best_is_named() -> None:
    induction = work(side("A"), "induction")
    assert (induction.active, induction.out_of) == (1, 1)
    assert induction.words == f"● 1 of 1 active · best {PLANTED['induction'].label}, 100%"


def test_a_role_without_work_says_so() -> None:
    assert work(side("A", ONCE), "induction").words == "○ 0 of 1 active · nothing to do here"


def test_without_an_analysis_every_head_counts() -> None:
    previous = work(side("A", entry=False), "previous_token")
    assert (previous.active, previous.out_of) == (1, 32)
    assert previous.best["label"] == PLANTED["previous_token"].label
    assert says(two_models.without_analysis(side("A"), side("B", entry=False)), "B has not been")
    assert two_models.without_analysis(side("A"), side("B")) == ""


def test_a_quiet_role_says_what_its_closest_head_needs() -> None:
    scores = score_prompt(torch.full((1, 1, 12, 12), 1 / 12).tril(), REPEATED)
    even = two_models.side("A", scores, entry=None, thresholds=DEFAULT_THRESHOLDS, guesses=(SAT,))
    assert says(
        work(even, "previous_token").words, "0 of 1 active", "closest L0H0, 8%", "needs 40%"
    )


def test_the_conclusion_names_what_is_shared_and_what_is_not() -> None:
    same = two_models.summary(side("A"), side("B"))
    assert says(same, "Both models", f"all {len(SCORED_ROLES)} roles", "Both expect", "72% and 72%")
    other = two_models.summary(side("A"), side("B", ONCE, guesses=(RAN,)))
    assert says(other, "only A has active heads for Induction and Duplicate token", "40%")
    assert "only B" not in other


@pytest.mark.parametrize("guesses", [(SAT,), (RAN, SAT)])
def test_the_guesses_stand_side_by_side(guesses) -> None:
    rows = two_models.guess_rows(side("A"), side("B", guesses=guesses))
    assert len(rows) == len(guesses)
    assert rows[0][1:] == [
        "·sat 72%",
        f"{guesses[0].text.replace(' ', '·')} {guesses[0].probability:.0%}",
    ]


def test_no_awake_role_at_all() -> None:
    asleep = replace(side("A"), works=tuple(replace(work, active=0) for work in side("A").works))
    assert says(two_models.summary(asleep, asleep), "Neither model has an active head")
