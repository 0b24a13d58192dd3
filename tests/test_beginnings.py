"""Passes that take the beginning of a prompt as known get the same numbers."""

from __future__ import annotations

import pytest
import torch

from headroles.ablation import Condition, Edge, HeadOutput, Values, run
from headroles.ablation.conditions import first_position
from headroles.models import LoadedModel, beginnings
from headroles.texts import encode
from headroles.types import Head
from tests.families import FAMILIES, HEADS, LAYERS, PROMPT

pytestmark = pytest.mark.filterwarnings("ignore")  # the libraries' own

TOLERANCE = {"rtol": 0, "atol": 2e-5}
CONTINUED = {"gpt2", "llama", "qwen2", "qwen3", "gpt_neox", "phi", "olmo2"}
"""Families of which the beginning must be taken as known; others may run it again."""


def _logits(loaded: LoadedModel, ids: list[tuple[int, ...]], conditions) -> torch.Tensor:
    other = run.head_outputs(loaded, ids[0][:1] + ids[0][:0:-1])
    outcomes = run.run_conditions(loaded, ids, conditions, losses=False, other=other)
    return torch.stack([outcome.logits for outcome in outcomes])


def _heads(layer: int, *positions: int) -> Condition:
    heads = tuple(Head(layer, head) for head in range(HEADS))
    return Condition("", (HeadOutput(heads, "other", positions),))


@pytest.mark.parametrize("family", FAMILIES)
def test_the_rest_of_a_prompt_gets_the_numbers_of_the_whole(
    load_family, family, monkeypatch
) -> None:
    """Rows that start to differ in one layer and in several, and a single row."""
    loaded = load_family(family)
    ids = encode(loaded.tokenizer, PROMPT).token_ids
    last = len(ids) - 1
    for conditions in (
        [_heads(1, last - 3), _heads(1, last - 4, -1)],
        [_heads(0, last), _heads(LAYERS - 1, last - 4), _heads(0, -2)],
        [_heads(1, -3)],
    ):
        rows = [ids] * len(conditions)
        found = _logits(loaded, rows, conditions)
        kept = loaded.tools["beginning"]
        assert kept.length <= first_position(conditions, len(ids))
        assert kept.length >= last - 4
        assert kept.cache is not None or family not in CONTINUED
        with monkeypatch.context() as patch:
            patch.setattr(beginnings, "known", lambda *_: None)
            torch.testing.assert_close(found, _logits(loaded, rows, conditions), **TOLERANCE)


def test_what_is_kept_stays_as_it_was_and_belongs_to_one_prompt(load_family) -> None:
    loaded = load_family("llama")
    ids = torch.tensor([encode(loaded.tokenizer, PROMPT).token_ids])
    first = beginnings.known(loaded, ids, 5)
    keys = first.cache.layers[0].keys.clone()
    assert keys.shape[-2] == 5
    given = first.for_rows(3, 1)["past_key_values"]
    assert [len(layer.keys) for layer in given.layers] == [1] + [3] * (LAYERS - 1)
    with torch.no_grad():
        loaded.model(ids[:, 5:].expand(3, -1), **first.for_rows(3, 0))
    assert torch.equal(first.cache.layers[0].keys, keys)
    assert beginnings.known(loaded, ids.expand(2, -1), 5) is first
    assert beginnings.known(loaded, ids, 7) is first
    assert beginnings.known(loaded, ids, 4) is not first
    assert beginnings.known(loaded, ids.flip(1), 5).token_ids == tuple(ids[0].tolist()[::-1])
    assert beginnings.known(loaded, torch.cat([ids, ids.flip(1)]), 5) is None
    assert beginnings.known(loaded, ids, 1) is None


def test_a_model_that_continues_otherwise_runs_the_whole_prompt(load_family, monkeypatch) -> None:
    loaded = load_family("gpt2")
    ids = torch.tensor([encode(loaded.tokenizer, PROMPT).token_ids])
    spoilt = beginnings._for_rows

    def shifted(cache, rows: int, layer: int):
        own = spoilt(cache, rows, layer)
        own.layers[0].values += 0.1
        return own

    monkeypatch.setattr(beginnings, "_for_rows", shifted)
    assert beginnings.known(loaded, ids, 4) is None
    monkeypatch.setattr(beginnings, "_for_rows", lambda *_: 1 / 0)
    assert beginnings.known(loaded, ids, 6) is None


def test_where_a_change_begins_by_hand() -> None:
    late, early = _heads(0, 7, -1), _heads(1, -5)
    assert first_position([late], 9) == 7
    assert first_position([late, Condition("untouched"), early], 9) == 4
    assert first_position([late, Condition("all", (HeadOutput((Head(0, 0),), "mean"),))], 9) == 0
    assert first_position([Condition("untouched")], 9) == 0
    for pattern in (
        HeadOutput((Head(0, 0),), "zero", (7,)),
        Edge((Head(0, 0),), 7, 2),
        Values((7,)),
    ):
        assert first_position([late, Condition("", (pattern,))], 9) == 0
