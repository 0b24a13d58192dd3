"""Sentences with a number in them are English for none, one and two."""

from __future__ import annotations

import re
from types import SimpleNamespace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from headroles.ablation import controls
from headroles.errors import UnknownHeadError
from headroles.formatting import count, decimal, percent, places, signed, told_apart
from headroles.roles import SCORED_ROLES
from headroles.texts import encode
from headroles.types import Head
from headroles.verdicts import judge, score_prompt
from headroles.verdicts.sentence import describe
from headroles.view import conclusions, html, lamps, map_conclusions, resting_layers, waking

PLURALS = (
    "heads tokens prompts texts layers rows columns places positions sentences pairs steps models "
    "characters components choices roles repeats names analyses"
)
ONE_OF_MANY = re.compile(rf"(?<![\d.,–-])\b1 (?:\w+ )?(?:{'|'.join(PLURALS.split())})\b")
"""“1 tokens”, but not “1 of 5 tokens”, and no range or decimal."""
CLUMSY = re.compile(r"\ba [aeio]\w|\b(?:are|is|and|or|of|to) [.;,]| ,| \.|  |−0%|-0%|\bnan\b|\(\)")


def check(sentence: str) -> None:
    assert not ONE_OF_MANY.search(sentence), sentence
    assert not CLUMSY.search(sentence), sentence


@settings(max_examples=30)
@given(st.integers(1, 3), st.integers(1, 3), st.integers(0, 2**32 - 1))
def test_what_is_said_of_any_small_model_and_prompt(layers: int, heads: int, seed: int) -> None:
    """Models of one layer and one head, prompts of one token and up."""
    chance = torch.Generator().manual_seed(seed)
    length = 2 + seed % 8
    scores = torch.rand(layers, heads, length, length, generator=chance) ** 4
    attention = scores.tril() + torch.eye(length) * 1e-3
    attention = attention / attention.sum(-1, keepdim=True)
    ids = [0, *(int(token) for token in torch.randint(1, 4, (length - 1,), generator=chance))]
    prompt = score_prompt(attention, ids)
    for role in SCORED_ROLES:
        verdict = judge(Head(0, 0), role.key, prompt, None)
        check(verdict.reason)
    labels = [f"t{place}" for place in range(length)]
    check(
        describe(
            Head(0, 0), prompt, attention=attention[0, 0], token_ids=ids, labels=labels,
            thresholds={},
        )
    )  # fmt: skip
    thresholds = {role.key: 0.4 for role in SCORED_ROLES}
    counted = lamps.active_counts(prompt, thresholds)
    check(lamps.overall_of_all([counted], layers * heads))
    if resting := resting_layers.resting_layers(prompt, 0.4):
        check(f"{resting.headline}. {resting.sentence}")


@pytest.mark.parametrize("n", [0, 1, 2])
def test_counts_of_things(tokenizer, n: int) -> None:
    check(f"{count(n, 'head')} and {count(n, 'analysis', 'analyses')}")
    check(f"It has {places('layer', n + 1)}.")
    check(str(UnknownHeadError("L9H9", layers=n + 1, heads=1)))
    check(controls._choices(n + 1, n + 1))
    summaries = [SimpleNamespace(self_match=1.0)] * n
    kinds = {"writes": lambda _: 1, "goes_by_place": lambda _: True}
    with pytest.MonkeyPatch.context() as patch:
        for name, found in kinds.items():
            patch.setattr(conclusions, name, found)
        check(conclusions.all_heads(summaries))
    hints = SimpleNamespace(tried=n, in_vain=[(0, 0)], best=lambda head: None)
    check(waking.tried_sentence(hints, [Head(0, 0)]))


@pytest.mark.parametrize("text", ["The", "The The", "é", "éé", "aaé\u0304", "<|endoftext|>a"])
def test_what_is_said_of_the_shortest_prompts(tokenizer, text: str) -> None:
    encoding = encode(tokenizer, text)
    for sentence in (html.strip_sentence(encoding), *html.notes(encoding)):
        check(sentence)


def test_the_shortest_prompt_of_all() -> None:
    layers = [Head(0, 0)]
    assert map_conclusions.layers_of(layers) == "layer 0"
    assert str(UnknownHeadError("L1H0", layers=1, heads=1)).startswith(
        "There is no head 'L1H0'. This model has layer 0 only and head 0 only."
    )


@given(st.floats(-1, 1))
def test_no_number_is_less_than_nothing_or_less_than_a_percent(value: float) -> None:
    for text in (percent(value), *told_apart(value, value / 2), decimal(value), signed(value)):
        assert "-" not in text
        assert text.strip("−") == text or float(text.strip("−+%")) != 0
