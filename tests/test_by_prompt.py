"""A head's scores prompt by prompt: the order, chance, the sentence and the histogram."""

from __future__ import annotations

import math

import pytest
import torch

from headroles.detector import Detection
from headroles.detector.by_prompt import PromptScore, by_prompt
from headroles.roles import ROLES
from headroles.types import Head
from headroles.view import by_prompt as words
from headroles.view import tables
from tests.facts import says

NAN = math.nan
PATTERN = ROLES["delimiter"]


def detection(*scores: float, fits: tuple[bool, ...] | None = None) -> Detection:
    """One layer of two heads; the first has these scores, the second 0 on every prompt."""
    n = len(scores)
    values = torch.tensor([[[[score, 0.0]] for score in scores]])  # [pattern prompt layer head]
    even = torch.tensor([[[0.1 * (at + 1)] for at in range(n)]])  # [pattern prompt layer]
    return Detection(
        patterns=(PATTERN,),
        scores=dict.fromkeys(("activation", "mul", "abs"), values),
        even=dict.fromkeys(("activation", "mul", "abs"), even),
        kept=torch.ones(n, 1, 2),
        rows=torch.arange(n).unsqueeze(0),
        filled=torch.ones(1, n),
        largest_row=torch.ones(1),
        binary=torch.ones(1, dtype=torch.bool),
        fits=torch.tensor([fits or (True,) * n]),
        asked=torch.ones(1, 2, dtype=torch.bool),
        lengths=torch.arange(5, 5 + n),
        exclude_bos=False,
        exclude_current_token=False,
    )


def test_the_lowest_comes_first_and_what_has_no_score_last() -> None:
    found = by_prompt(detection(0.9, NAN, 0.2, 0.5), 0, "activation", Head(0, 0))
    assert [one.place for one in found] == [2, 3, 0, 1]
    assert (found[0].score, found[0].chance) == pytest.approx((0.2, 0.3))
    assert (found[0].rows, found[0].tokens) == (2, 7)
    assert found[-1].score is None


def test_a_prompt_that_the_pattern_does_not_fit_is_left_out() -> None:
    found = by_prompt(detection(0.9, 0.1, fits=(True, False)), 0, "mul", Head(0, 0))
    assert [one.place for one in found] == [0]


def test_equal_scores_keep_the_order_of_the_prompts() -> None:
    found = by_prompt(detection(0.9, 0.1), 0, "mul", Head(0, 1))
    assert [one.place for one in found] == [0, 1]


def test_clear_is_a_quarter_of_the_way_from_chance_to_all() -> None:
    """``min_lift`` of the pattern is .25: from a chance of .2 one needs .4."""
    assert PATTERN.min_lift == 0.25
    assert PromptScore(0, 0.4, 0.2, 1, 5).is_clear(PATTERN)
    assert not PromptScore(0, 0.399, 0.2, 1, 5).is_clear(PATTERN)
    assert not PromptScore(0, None, 0.2, 1, 5).is_clear(PATTERN)


def test_the_sentence_has_both_ends_the_median_and_the_failures() -> None:
    found = by_prompt(detection(0.9, NAN, 0.2, 0.5), 0, "activation", Head(0, 0))
    said = words.sentence(found, Head(0, 0), PATTERN, "activation")
    assert says(said, "3 prompts", "L0H0", "20%", "prompt 3", "30%", "90%", "50%")
    assert says(said, "2 of them are not clearly above chance")  # .2 of .3, and .5 of .4: needs .55
    assert says(said, "1 more prompt")
    alone = by_prompt(detection(0.9), 0, "activation", Head(0, 0))
    said = words.sentence(alone, Head(0, 0), PATTERN, "activation")
    assert says(said, "one prompt", "90%", "10%")
    assert "median" not in said
    nothing = by_prompt(detection(NAN), 0, "activation", Head(0, 0))
    assert says(words.sentence(nothing, Head(0, 0), PATTERN, "mul"), "no score", "1 prompt")


def test_every_prompt_with_a_score_is_in_one_bar() -> None:
    found = by_prompt(detection(0.0, 0.049, 0.05, 1.0, NAN), 0, "activation", Head(0, 0))
    bars = words.histogram(found, "activation")
    assert len(bars) == 20
    assert [bar["prompts"] for bar in bars if bar["prompts"]] == [2, 1, 1]
    assert bars[-1]["prompts"] == 1  # the right end belongs to the last bar
    below = words.histogram(by_prompt(detection(-3.0), 0, "abs", Head(0, 0)), "abs")
    assert (below[0]["from"], below[0]["prompts"]) == (-1.0, 1)


def test_table_and_file_hold_the_prompts_in_that_order() -> None:
    found = by_prompt(detection(0.9, NAN, 0.2), 0, "activation", Head(0, 0))
    texts = ("first\nline", "second", "third " * 60)
    table = tables.by_prompt(found, texts, PATTERN)
    assert table["prompt"].tolist() == [3, 1, 2]
    assert len(table["text"][0]) <= words.SHOWN
    assert "\n" not in table["text"][1]
    exported = words.rows(found, texts, PATTERN)
    assert exported[0]["text"] == texts[2]
    assert [row["clearly_above_chance"] for row in exported] == [False, True, None]
    assert words.mean_chance(found) == pytest.approx(0.2)
