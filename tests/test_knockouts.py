"""Words and tables of knock-outs, and the ready prompts."""

from __future__ import annotations

from collections import Counter

import pytest

from headroles.ablation import Comparison, Condition, HeadOutput, ablate
from headroles.ablation.many_prompts import summarise
from headroles.ablation.tables import (
    PromptTable,
    find_answer,
    ready_ranks,
    short_list,
    standard_conditions,
    tabulate,
    verdict,
)
from headroles.errors import HeadrolesError
from headroles.formatting import ordinal
from headroles.models import load_model
from headroles.texts import KINDS, READY, encode
from headroles.types import Head

pytestmark = pytest.mark.filterwarnings("ignore")  # the libraries' own

PROMPT = "The cat sat on the mat. The cat sat on the mat. The cat"
HEADS_TAKEN = (Head(1, 1), Head(1, 4), Head(1, 6))


@pytest.fixture(scope="module")
def loaded():
    return load_model("demo")


@pytest.fixture(scope="module")
def table(loaded) -> PromptTable:
    encoding = encode(loaded.tokenizer, PROMPT)
    return tabulate(loaded, PROMPT, standard_conditions(HEADS_TAKEN, encoding), top=20)


def _comparison(before: int, after: int) -> Comparison:
    return Comparison(after, before, 0.031, 0.72, 1.0, None, None)


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (1, 1, "“·sat” is still first (72% → 3%)."),
        (1, 7, "“·sat” falls from 1st to 7th (72% → 3%). The model now says “·ran”."),
        (4, 4, "“·sat” is still 4th (72% → 3%)."),
        (4, 2, "“·sat” rises from 4th to 2nd (72% → 3%). The model now says “·ran”."),
        (2, 1, "“·sat” rises from 2nd to 1st (72% → 3%)."),
    ],
)
def test_the_sentence(before: int, after: int, said: str) -> None:
    assert verdict(_comparison(before, after), answer=" sat", says=" ran") == said


def test_places_in_words() -> None:
    assert [ordinal(n) for n in (1, 2, 3, 4, 11, 12, 13, 21, 111, 1001)] == [
        "1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "111th", "1,001st",
    ]  # fmt: skip
    assert short_list(HEADS_TAKEN) == "L1H1, L1H4 and L1H6"


def test_a_table_says_what_the_model_does(table: PromptTable, loaded) -> None:
    assert (table.says, table.answer.text, table.answer.named) == (" sat", " sat", False)
    assert len({row.name for row in table.rows}) == len(table.rows) >= 12
    by_name = {row.name: row for row in table.rows}
    row = by_name["L1H1, L1H4 and L1H6 to mean"]
    assert row.verdict.startswith("“·sat” falls from 1st to ")
    assert row.says != " sat"
    assert len(row.rose) == len(row.fell) == 20
    assert [one.change for one in row.rose] == sorted((m.change for m in row.rose), reverse=True)
    assert all(one.change < 0 for one in row.fell)
    assert " sat" in [one.text for one in row.fell]
    alone = tabulate(loaded, PROMPT, [Condition("x", (HeadOutput(HEADS_TAKEN, "mean"),))])
    assert alone.rows[0].comparison.kl == pytest.approx(row.comparison.kl, abs=1e-4)


def test_the_conditions_of_a_short_prompt_leave_out_what_it_lacks(loaded) -> None:
    encoding = encode(loaded.tokenizer, "The")  # start and one token: t = 1
    names = [one.name for one in standard_conditions((Head(0, 6),), encoding)]
    assert not any("t-2" in name for name in names)
    assert any(name.startswith("values at t-1,") for name in names)


def test_a_condition_names_one_layer_or_several(loaded) -> None:
    encoding = encode(loaded.tokenizer, PROMPT)
    one, two = (
        [condition.name for condition in standard_conditions(heads, encoding)]
        for heads in ((Head(1, 4), Head(1, 5)), (Head(0, 6), Head(1, 4)))
    )
    assert "values at t-1, layer 1" in one
    assert "values at t-1, layers 0 and 1" in two


def test_an_answer_is_found_with_and_without_its_space(loaded) -> None:
    (clean,) = ablate(loaded, encode(loaded.tokenizer, PROMPT), [])
    typed = find_answer(loaded, clean, PROMPT, "sat")
    assert (typed.text, typed.named, typed.part_of) == (" sat", True, "")
    assert find_answer(loaded, clean, PROMPT, " sat") == typed
    assert find_answer(loaded, clean, PROMPT, "").text == " sat"
    long = find_answer(loaded, clean, PROMPT, "extraordinarily")
    assert long.part_of == "extraordinarily"
    assert "extraordinarily".startswith(long.text.strip())


def test_there_are_ready_prompts_of_every_kind(loaded) -> None:
    assert len(READY) >= 40
    assert set(Counter(one.kind for one in READY)) == set(KINDS)
    assert len({one.prompt for one in READY}) == len(READY)
    assert all(one.answer for one in READY)


def test_the_bundled_model_gets_enough_of_them_right(loaded) -> None:
    ranks = ready_ranks(loaded, READY)
    assert len(ranks) == len(READY)
    right = [one.kind for one, rank in zip(READY, ranks, strict=True) if rank == 1]
    assert len(right) >= 20
    assert {"Repetition", "Indirect object (IOI)", "Days and numbers", "Simple stories"} <= set(
        right
    )


def test_a_summary_counts_what_was_first(table: PromptTable) -> None:
    rows = summarise([table, table])
    assert [one.name for one in rows] == [row.name for row in table.rows]
    for one, row in zip(rows, table.rows, strict=True):
        assert (one.were_first, one.prompts) == (2, 2)
        assert one.still_first == 2 * (row.comparison.rank == 1)
        assert one.lost == pytest.approx(row.comparison.surprise)
        assert one.spread == pytest.approx(0)
    assert summarise([table])[0].spread is None


def test_an_empty_prompt_is_refused(loaded) -> None:
    with pytest.raises(HeadrolesError):
        tabulate(loaded, " ", [])
